"""What PyTorch or NumPy call otherwise, keywords and attributes: who writes it is told what to write here."""

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

TENSOR_OF_TORCH = {
    "view": "x.reshape(…)",
    "permute": "x.transpose(…)",
    "t": "x.T",
    "clamp": "x.clip(…)",
    "amax": "x.max(axis=…)",
    "amin": "x.min(axis=…)",
    "pow": "x ** n",
    "matmul": "x @ y",
    "mm": "x @ y",
    "bmm": "x @ y",
    "numel": "x.size",
    "dim": "x.ndim",
    "chunk": "minirnn.split(x, n, axis=…)",
    "split": "minirnn.split(x, n, axis=…)",
    "unbind": "minirnn.unstack(x, axis=…)",
    "expand": "minirnn.ops.broadcast_to(x, shape)",
    "cpu": 'x.to("cpu")',
    "cuda": 'x.to("gpu")',
    "float": "x.astype(np.float32)",
    "double": "x.astype(np.float64)",
    "grad_fn": "x.node",
    "is_leaf": "x.node is None",
    "requires_grad_": "x.requires_grad = True",
}
"""Methods and attributes of torch's tensors, and what to write instead."""

MODULE_OF_TORCH = {
    "cpu": 'model.to("cpu")',
    "cuda": 'model.to("gpu")',
    "float": "model.astype(np.float32)",
    "double": "model.astype(np.float64)",
    "apply": "for module in model.modules(): …",
    "register_parameter": "model.name = Parameter(…)",
    "add_module": "model.name = module",
    "register_buffer": "model.name = array",
    "buffers": "model.parameters(): there are no buffers",
    "get_submodule": "dict(model.named_modules())[name]",
}
"""Methods of torch's modules, and what to write instead."""

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


def missing(thing: object, name: str, instead: str) -> str:
    """The message of an AttributeError: that there is no such attribute, and what to write instead."""
    return f"{type(thing).__name__!r} object has no attribute {name!r}: write {instead}"


def _advice(word: str, value: object) -> str:
    return ADVICE[word][1] if word in ADVICE else f"write {CALLED_HERE[word]}={shown(value)}"
