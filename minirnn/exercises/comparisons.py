"""What a wrong value may be, seen from the right one and from everything else that the equations name.

Where no planted mistake gives a learner's value, it is compared with the right value y, and with every other named
value v of its shape: it may be v itself, or y without v, or y · v; or the same with a product v · u of two.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn.exercises.closeness import close
from minirnn.exercises.given import Sizes


class Case(NamedTuple):
    """One draw: what a learner has for an output, what is right, and the right values of all names."""

    got: np.ndarray
    right: np.ndarray
    names: Mapping[str, Any]
    sizes: Sizes


Sides = tuple[Any, Any]  # what would be equal
Form = Callable[..., Sides]  # of what a learner has, of what is right, and of the further values of its table

ALONE: dict[str, Form] = {
    "{y} is 0 everywhere": lambda got, y: (got, 0 * y),
    "{y} has the wrong sign": lambda got, y: (got, -y),
    "{y} is transposed": lambda got, y: (got.T, y) if y.ndim > 1 else (got, None),
    "{y} is in the wrong order: its first step stands last": lambda got, y: (
        (got[::-1], y) if y.ndim > 1 else (got, None)
    ),
    "{y} is its own exponential: exp is too much": lambda got, y: (got, np.exp(y)),
    "{y} is squared": lambda got, y: (got, y * y),
}
WITH_A_SIZE: dict[str, Form] = {
    "{y} is {n} times too small: a mean over {n} where the sum belongs?": lambda got, y, n: (got * n, y),
    "{y} is {n} times too large: a sum over {n} where the mean belongs?": lambda got, y, n: (got, y * n),
}
WITH_A_NAME: dict[str, Form] = {
    "this is {v}, not {y}": lambda got, y, v: (got, v),
    "this is {v} with the other sign, not {y}": lambda got, y, v: (got, -v),
    "{y} lacks {v}": lambda got, y, v: (got + v, y),
    "{y} has {v} too much": lambda got, y, v: (got, y + v),
    "{y} has the wrong sign before {v}": lambda got, y, v: (got + 2 * v, y),
    "{y} lacks the factor {v}": lambda got, y, v: (got * v, y),
    "{y} has the factor {v} once too often": lambda got, y, v: (got, y * v),
    "{y} lacks the factor 1 - {v}": lambda got, y, v: (got * (1 - v), y),
    "{y} has the factor 1 - {v} once too often": lambda got, y, v: (got, y * (1 - v)),
    "{y} lacks the factor 1 - {v}²": lambda got, y, v: (got * (1 - v * v), y),
    "{y} has the factor 1 - {v}² once too often": lambda got, y, v: (got, y * (1 - v * v)),
}
WITH_TWO_NAMES: dict[str, Form] = {
    "this is {v} * {u}, not {y}": lambda got, y, v, u: (got, v * u),
    "this is {v} + {u}, not {y}": lambda got, y, v, u: (got, v + u),
    "{y} lacks {v} * {u}": lambda got, y, v, u: (got + v * u, y),
    "{y} has {v} * {u} too much": lambda got, y, v, u: (got, y + v * u),
    "{y} lacks the factor {v} * {u}": lambda got, y, v, u: (got * v * u, y),
    "{y} has {v} where {u} belongs as a factor": lambda got, y, v, u: (got * u, y * v),
    "{y} has {u} where {v} belongs as a factor": lambda got, y, v, u: (got * v, y * u),
}


def compared(name: str, cases: Sequence[Case]) -> str:
    """What a learner's value for an output is, in a sentence; "" if it is nothing known.

    Args:
        name: of the output.
        cases: the draws. What is said holds in all of them.
    """
    cases = [case._replace(got=np.asarray(case.got, float), right=np.asarray(case.right, float)) for case in cases]
    with np.errstate(all="ignore"):
        return next((sentence for sentence, sides in _all(name, cases[0]) if _hold(sides, cases)), "")


def _hold(sides: Callable[[Case], Sides], cases: Sequence[Case]) -> bool:
    return all(close(*sides(case)) for case in cases)


def _all(name: str, first: Case) -> Iterator[tuple[str, Callable[[Case], Sides]]]:
    """Every sentence there is, and what would be equal if it were true."""
    for text, form in ALONE.items():
        yield text.format(y=name), _named(form)
    for letters in (*first.sizes, *("".join(two) for two in itertools.combinations(first.sizes, 2))):
        for text, form in WITH_A_SIZE.items():
            yield text.format(y=name, n="·".join(letters)), _sized(form, letters)
    factor = float((first.got * first.right).sum() / max((first.right**2).sum(), 1e-300))
    yield f"{name} is {factor:.6g} times what it should be", _named(lambda got, y: (got, factor * y))
    more = float((first.got - first.right).mean())
    yield f"{name} is {more:+.6g} off everywhere", _named(lambda got, y: (got - more, y))
    like = [v for v, value in first.names.items() if v != name and _is_like(value, first.right)]
    for v in like:
        for text, form in WITH_A_NAME.items():
            yield text.format(y=name, v=v), _named(form, v)
    for v, value in first.names.items():
        for axis in range(getattr(value, "ndim", 0)):
            yield f"this is {v}, summed over its axis {axis}, not {name}", _summed(v, axis)
    for v, u in itertools.combinations(like, 2):
        for text, form in WITH_TWO_NAMES.items():
            yield text.format(y=name, v=v, u=u), _named(form, v, u)


def _named(form: Form, *names: str) -> Callable[[Case], Sides]:
    return lambda case: form(case.got, case.right, *(case.names[name] for name in names))


def _sized(form: Form, letters: str) -> Callable[[Case], Sides]:
    return lambda case: form(case.got, case.right, math.prod(case.sizes[letter] for letter in letters))


def _summed(v: str, axis: int) -> Callable[[Case], Sides]:
    return lambda case: (case.got, case.names[v].sum(axis=axis))


def _is_like(value: Any, right: np.ndarray) -> bool:
    """Whether a value has the shape of another and is no count."""
    return (
        not isinstance(value, (list, dict)) and np.shape(value) == right.shape and np.asarray(value).dtype.kind == "f"
    )
