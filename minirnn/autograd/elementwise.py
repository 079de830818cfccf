"""Functions of each element by itself, and choices between two arrays.

Where a function has a kink, its docstring says which gradient is taken there: always torch's. The names follow NumPy,
and hide Python's `abs` inside this module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from minirnn.arguments import number, shown
from minirnn.autograd.operands import value, values
from minirnn.autograd.pieces import index_part
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Operand, Tensor
from minirnn.backend import Array, array_module
from minirnn.errors import InputError


def exp(a: Tensor) -> Tensor:
    """e to the power of a."""
    x = value(a)
    y = array_module(x).exp(x)
    return record(y, (a, lambda dy: dy * y))


def log(a: Tensor) -> Tensor:
    """The natural logarithm."""
    x = value(a)
    return record(array_module(x).log(x), (a, lambda dy: dy / x))


def sqrt(a: Tensor) -> Tensor:
    """The square root."""
    x = value(a)
    y = array_module(x).sqrt(x)
    return record(y, (a, lambda dy: dy * 0.5 / y))


def abs(a: Tensor) -> Tensor:
    """The absolute value. At the kink a = 0 the gradient is taken as 0."""
    x = value(a)
    xp = array_module(x)
    return record(xp.abs(x), (a, lambda dy: dy * xp.sign(x)))


def tanh(a: Tensor) -> Tensor:
    """The hyperbolic tangent; its derivative is 1 - tanh²."""
    x = value(a)
    y = array_module(x).tanh(x)
    return record(y, (a, lambda dy: dy * (1 - y * y)))


def sigmoid(a: Tensor) -> Tensor:
    """The logistic function σ(a) = 1 / (1 + e^-a); its derivative is σ (1 - σ).

    With e = exp(-|a|), σ is 1 / (1 + e) for a ≥ 0 and e / (1 + e) below: exact in both tails.
    """
    x = value(a)
    xp = array_module(x)
    e = xp.exp(-xp.abs(x))
    y = xp.where(x >= 0, 1, e) / (1 + e)
    return record(y, (a, lambda dy: dy * y * (1 - y)))


def relu(a: Tensor) -> Tensor:
    """max(a, 0). At the kink a = 0 the gradient is taken as 0."""
    x = value(a)
    return record(array_module(x).maximum(x, 0), (a, lambda dy: dy * (x > 0)))


def clip(a: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """Each element, but none below `min` and none above `max`; None is no bound. At a bound itself the gradient passes.

    Raises:
        InputError: there is no bound, one is not a number, or `min` is above `max`.
    """
    x = value(a)
    low, high = _bound("min", min, -math.inf), _bound("max", max, math.inf)
    if (min is None and max is None) or low > high:
        raise InputError(f"clip needs min, max or both, with min ≤ max, not min={shown(min)}, max={shown(max)}")
    y = array_module(x).clip(x, low, high)
    return record(y, (a, lambda dy: dy * ((x >= low) & (x <= high))))


def _bound(name: str, value: float | None, default: float) -> float:
    return default if value is None else number(f"the {name} of clip", value)


def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of a and b, elementwise and broadcast. Where they are equal each takes half of the gradient."""
    x, y = values(a, b)
    z = array_module(_reference(a, b)).maximum(x, y)
    return record(z, (a, lambda dz: _won(dz, x > y, x == y)), (b, lambda dz: _won(dz, y > x, x == y)))


def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of a and b, elementwise and broadcast. Where they are equal each takes half of the gradient."""
    x, y = values(a, b)
    z = array_module(_reference(a, b)).minimum(x, y)
    return record(z, (a, lambda dz: _won(dz, x < y, x == y)), (b, lambda dz: _won(dz, y < x, x == y)))


def _reference(a: Any, b: Any) -> Array:
    return (a if isinstance(a, Tensor) else b).data


def _won(dz: Array, chosen: Array, tied: Array) -> Array:
    """The part of `dz` that goes to the one of two that was chosen."""
    xp = array_module(dz)
    return xp.where(chosen, dz, xp.where(tied, dz / 2, 0))


def where(condition: Array | Sequence[bool], a: Operand, b: Operand) -> Tensor:
    """a where the boolean array `condition` is true, b elsewhere; all three broadcast."""
    x, y = values(a, b)
    reference = _reference(a, b)
    condition = index_part(condition, reference)
    xp = array_module(reference)
    return record(
        xp.where(condition, x, y),
        (a, lambda dy: xp.where(condition, dy, 0)),
        (b, lambda dy: xp.where(condition, 0, dy)),
    )
