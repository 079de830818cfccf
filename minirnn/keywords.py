"""Keywords that PyTorch or NumPy call otherwise: who writes them is told what to write here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from minirnn.arguments import shown

CALLED_HERE = {
    "dim": "axis",
    "dims": "axis",
    "keepdim": "keepdims",
    "lr": "learning_rate",
    "eps": "epsilon",
    "ddof": "correction",
    "start_dim": "start_axis",
    "end_dim": "end_axis",
    "normalized_shape": "features",
}
"""PyTorch's or NumPy's word for an argument, and minirnn's."""

ADVICE = {
    "unbiased": ("correction", "write correction=1 to divide by n-1, as torch does by itself, or 0 to divide by n"),
    "batch_first": (
        "hidden_size",
        "sequences are (time, batch, features) here, so turn those of (batch, time, features) with "
        "x.transpose(1, 0, 2) and leave it out",
    ),
    "device": ("dtype", 'make it first, and move it with .to("gpu")'),
}
"""Words without a counterpart: an argument by which to know where they may be written, and what to do instead."""

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


def explains_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that a keyword of PyTorch's or NumPy's gets an answer that says what to write.

    Only words that the function cannot take are answered, and only where their counterpart is one of its arguments; one
    that takes any keywords is left as it is.
    """
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return function
    known_by = CALLED_HERE | {word: argument for word, (argument, _) in ADVICE.items()}
    answered = {word for word, here in known_by.items() if here in parameters and word not in parameters}
    if not answered:
        return function

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs and not answered.isdisjoint(kwargs):
            word = next(word for word in kwargs if word in answered)
            is_constructor = function.__name__ == "__init__"
            name = type(args[0]).__name__ if is_constructor else function.__name__
            raise TypeError(f"{name} takes no {word}=: {_advice(word, kwargs[word])}")
        return function(*args, **kwargs)

    return call


def explains_methods(cls: C) -> C:
    """Decorate a class so that `explains_keywords` holds for each of its own public methods."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, explains_keywords(method))
    return cls


def _advice(word: str, value: object) -> str:
    return ADVICE[word][1] if word in ADVICE else f"write {CALLED_HERE[word]}={shown(value)}"
