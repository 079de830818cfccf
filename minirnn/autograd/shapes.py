"""The same elements in another shape, order, type or place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import DTypeLike

from minirnn.arguments import number, shown
from minirnn.autograd.operands import Axis, value
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import array_module, float_dtype, like, to_device
from minirnn.errors import InputError
from minirnn.keywords import explains_keywords

PadWidth = int | Sequence[int] | Sequence[Sequence[int]] | np.ndarray


def reshape(a: Tensor, shape: int | Sequence[int]) -> Tensor:
    """The same elements in another shape; one length may be -1."""
    if isinstance(shape, tuple) and len(shape) == 1 and isinstance(shape[0], Sequence):
        shape = shape[0]
    return record(value(a).reshape(shape), (a, lambda dy: dy.reshape(a.shape)))


def transpose(a: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in the order given, reversed by default."""
    require_tensor(a)
    inverse = None if axes is None else [int(i) for i in np.argsort([axis % a.ndim for axis in axes])]
    return record(a.data.transpose(axes), (a, lambda dy: dy.transpose(inverse)))


def contiguous(a: Tensor) -> Tensor:
    """The same values, laid out in memory in the order of the axes."""
    x = value(a)
    return record(array_module(x).ascontiguousarray(x), (a, lambda dy: dy))


def astype(a: Tensor, dtype: DTypeLike) -> Tensor:
    """The same values as float32 or float64. Raises InputError for another dtype."""
    return record(value(a).astype(float_dtype(dtype)), (a, lambda dy: dy.astype(a.dtype)))


def broadcast_to(a: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`a` repeated to `shape` by the broadcasting rules."""
    x = value(a)
    return record(array_module(x).broadcast_to(x, shape), (a, lambda dy: dy))


@explains_keywords
def squeeze(a: Tensor, axis: Axis = None) -> Tensor:
    """Without the axes of length 1: all of them, or those that `axis` names.

    Raises:
        InputError: a named axis has another length.
    """
    shape = value(a).shape
    if axis is None:
        axis = tuple(i for i, n in enumerate(shape) if n == 1)
    gone = normalize_axis_tuple(axis, a.ndim)
    if long := [i for i in gone if shape[i] != 1]:
        raise InputError(f"axis {long[0]} of a tensor of shape {shape} has length {shape[long[0]]}: only 1 goes away")
    return reshape(a, tuple(n for i, n in enumerate(shape) if i not in gone))


@explains_keywords
def expand_dims(a: Tensor, axis: int | tuple[int, ...]) -> Tensor:
    """With a further axis of length 1 at each of the places `axis` in the result."""
    x = value(a)
    return record(array_module(x).expand_dims(x, axis), (a, lambda dy: dy.reshape(a.shape)))


@explains_keywords
def unsqueeze(a: Tensor, axis: int) -> Tensor:
    """`expand_dims` under the name that torch has for it."""
    return expand_dims(a, axis)


@explains_keywords
def flatten(a: Tensor, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from `start_axis` to `end_axis`, the latter included, as one.

    Raises:
        InputError: there are no such axes, in this order.
    """
    shape, ndim = value(a).shape or (1,), max(a.ndim, 1)
    start, end = (i + ndim if i < 0 else i for i in (start_axis, end_axis))
    if not 0 <= start <= end < ndim:
        raise InputError(f"a tensor of shape {a.shape} has no axes from {start_axis} to {end_axis} to flatten")
    return reshape(a, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def pad(a: Tensor, pad_width: PadWidth, constant_values: float = 0.0) -> Tensor:
    """With a margin of constant numbers, as NumPy's `pad`.

    Args:
        a: any shape.
        pad_width: how many elements to add: a number, for both ends of every axis; (before, after), for every axis; or
            such a pair for each axis, the first axis first. (torch begins at the last one.)
        constant_values: what to fill the margin with.

    Raises:
        InputError: the widths fit no axes, or are negative.
    """
    x, fill = value(a), number("constant_values", constant_values)
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    except ValueError:
        widths = np.full(1, -1)
    if widths.dtype.kind not in "iu" or (widths < 0).any():
        expected = f"a number, (before, after), or one such pair for each of {x.ndim} axes"
        raise InputError(f"pad_width must be {expected}, none negative, not {shown(pad_width)}")
    pairs = [(int(before), int(after)) for before, after in widths]
    inside = tuple(slice(before, before + n) for (before, _), n in zip(pairs, x.shape, strict=True))
    return record(array_module(x).pad(x, pairs, constant_values=fill), (a, lambda dy: dy[inside]))


def clone(a: Tensor) -> Tensor:
    """A copy, through which the gradient passes. (`detach` cuts the gradient off and copies nothing.)"""
    return record(value(a).copy(), (a, lambda dy: dy))


def to(a: Tensor, device: str) -> Tensor:
    """The same values on "cpu" or "gpu"; the gradient comes back to where `a` is. Raises as `backend.library`."""
    x = value(a)
    return record(to_device(x, device), (a, lambda dy: like(dy, x)))
