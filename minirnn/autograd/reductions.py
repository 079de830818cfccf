"""From many elements to one: sums, means, extremes, products, spreads, norms; and running sums.

The names follow NumPy, whose functions they are, and hide Python's `sum`, `max` and `min` inside this module.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from minirnn.arguments import number
from minirnn.autograd.operands import Axis, value
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module
from minirnn.errors import InputError
from minirnn.keywords import explains_keywords


def _spread(reduced: Array, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """`reduced`, the result of reducing an array of `shape` over `axis`, repeated back to that shape."""
    xp = array_module(reduced)
    if not keepdims and axis is not None:
        reduced = xp.expand_dims(reduced, axis)
    return xp.broadcast_to(reduced, shape)


@explains_keywords
def sum(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`. Every summand receives the gradient of the sum."""
    y = value(a).sum(axis=axis, keepdims=keepdims)
    return record(y, (a, lambda dy: _spread(dy, a.shape, axis, keepdims)))


@explains_keywords
def mean(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`."""
    y = value(a).mean(axis=axis, keepdims=keepdims)
    count = a.size // builtins.max(y.size, 1)
    return record(y, (a, lambda dy: _spread(dy, a.shape, axis, keepdims) / count))


@explains_keywords
def max(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element over `axis`; `argmax` says where it is. Where several are equally large they share the
    gradient."""
    return _extreme(a, value(a).max(axis=axis, keepdims=keepdims), axis, keepdims, max)


@explains_keywords
def min(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element over `axis`; `argmin` says where it is. Where several are equally small they share the
    gradient."""
    return _extreme(a, value(a).min(axis=axis, keepdims=keepdims), axis, keepdims, min)


def _extreme(a: Tensor, y: Array, axis: Axis, keepdims: bool, rule: Callable) -> Tensor:
    """The largest or the smallest elements `y` of `a`, on the tape."""
    x = a.data

    def by_a(dy: Array) -> Array:
        winners = (x == _spread(y, a.shape, axis, keepdims)).astype(a.dtype)
        return _spread(dy, a.shape, axis, keepdims) * winners / winners.sum(axis=axis, keepdims=True)

    return record(y, (a, by_a), rule=rule)


@explains_keywords
def argmax(a: Tensor, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the largest element along `axis`, of the first of several; without an axis that in the flattened
    tensor. A plain array of integers: it has no gradient."""
    x: Any = value(a)
    return x.argmax(axis=axis, keepdims=keepdims)


@explains_keywords
def argmin(a: Tensor, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the smallest element along `axis`; otherwise as `argmax`."""
    x: Any = value(a)
    return x.argmin(axis=axis, keepdims=keepdims)


@explains_keywords
def prod(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product over `axis`. Each factor receives the gradient times the product of the others, which is right also
    where a factor is 0 (the product divided by the factor would not be)."""
    x = value(a)
    y = array_module(x).prod(x, axis=axis, keepdims=keepdims)
    return record(y, (a, lambda dy: _spread(dy, a.shape, axis, keepdims) * _product_of_others(x, axis)))


def _product_of_others(x: Array, axis: Axis) -> Array:
    """For each element the product of all the others over `axis`: of those before it times of those after it."""
    xp, axes = array_module(x), _axes(axis, x.ndim)
    order = [*(i for i in range(x.ndim) if i not in axes), *axes]
    moved = x.transpose(order)
    lines = moved.reshape(*moved.shape[: x.ndim - len(axes)], math.prod(moved.shape[x.ndim - len(axes) :]))
    one = xp.ones_like(lines[..., :1])
    before = xp.cumprod(xp.concatenate([one, lines[..., :-1]], axis=-1), axis=-1)
    after = xp.cumprod(xp.concatenate([one, lines[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return (before * after).reshape(moved.shape).transpose([order.index(i) for i in range(x.ndim)])


def _axes(axis: Axis, ndim: int) -> list[int]:
    """The axes that are meant, counted from the left."""
    return list(range(ndim)) if axis is None else list(normalize_axis_tuple(axis, ndim))


@explains_keywords
def var(a: Tensor, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Tensor:
    """The variance over `axis`, Σ (a - mean a)² / (n - correction).

    Args:
        a: any shape.
        axis, keepdims: as for `sum`.
        correction: 0, as in NumPy (which also calls it ddof), divides by n: the variance of these numbers. 1, torch's
            default, divides by n-1: the unbiased estimate of what they were drawn from (Bessel).

    Raises:
        InputError: the n elements are no more than `correction`.
    """
    y, centred, count = _variance(value(a), axis, keepdims, correction)
    return record(y, (a, lambda dy: _spread(dy, a.shape, axis, keepdims) * (2 / count) * centred))


@explains_keywords
def std(a: Tensor, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Tensor:
    """The standard deviation over `axis`: the root of `var`. Where it is 0 its gradient is taken as 0.

    Args, and raises: as for `var`.
    """
    variance, centred, count = _variance(value(a), axis, keepdims, correction)
    y = array_module(centred).sqrt(variance)

    def by_a(dy: Array) -> Array:
        return _spread(_ratio(dy, y), a.shape, axis, keepdims) * (1 / count) * centred

    return record(y, (a, by_a))


def _variance(x: Array, axis: Axis, keepdims: bool, correction: float) -> tuple[Array, Array, float]:
    """The variance, what is squared for it, and what its sum is divided by."""
    correction = number("correction", correction)
    count = math.prod(x.shape[i] for i in _axes(axis, x.ndim)) - correction
    if count <= 0:
        raise InputError(
            f"a variance with correction={correction:g} needs more than {correction:g} elements, "
            f"but along axis {axis} of a tensor of shape {x.shape} there are {count + correction:g}"
        )
    centred = x - x.mean(axis=axis, keepdims=True)
    return (centred * centred).sum(axis=axis, keepdims=keepdims) / count, centred, count


@explains_keywords
def norm(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The Euclidean norm over `axis`, the root of the sum of the squares: of a vector its length, of everything the
    Frobenius norm. At 0 its gradient is taken as 0."""
    x = value(a)
    y = array_module(x).sqrt((x * x).sum(axis=axis, keepdims=keepdims))
    return record(y, (a, lambda dy: _spread(_ratio(dy, y), a.shape, axis, keepdims) * x))


def _ratio(dy: Array, y: Array) -> Array:
    """dy / y, and 0 where y is 0."""
    xp = array_module(y)
    return xp.where(y == 0, 0, dy / xp.where(y == 0, 1, y))


@explains_keywords
def cumsum(a: Tensor, axis: int | None = None) -> Tensor:
    """The running sums along `axis`; without one, of the flattened tensor. An element is in every sum from its own
    place on, and receives the gradients of them all."""
    x = value(a)
    xp, along = array_module(x), 0 if axis is None else axis

    def by_a(dy: Array) -> Array:
        return xp.flip(xp.cumsum(xp.flip(dy, along), axis=along), along).reshape(a.shape)

    return record(xp.cumsum(x, axis=axis), (a, by_a))
