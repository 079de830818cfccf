"""Parts of tensors, and tensors put together from parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from minirnn import backend
from minirnn.autograd.operands import values
from minirnn.autograd.recording import record, record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, like
from minirnn.keywords import explains_keywords


def getitem(a: Tensor, index: Any) -> Tensor:
    """a[index], by integers, slices, or arrays of integers or booleans.

    A position taken several times receives the gradients of all its copies.
    """
    require_tensor(a)
    parts = tuple(index_part(i, a.data) for i in (index if isinstance(index, tuple) else (index,)))

    def by_a(dy: Array) -> Array:
        dx = array_module(dy).zeros(a.shape, dtype=a.dtype)
        if any(_is_array(i) for i in parts):
            backend.scatter_add(dx, parts, dy)
        else:
            dx[parts] = dy
        return dx

    return record(a.data[parts], (a, by_a))


def index_part(part: Any, reference: Array) -> Any:
    """A part of an index, or a condition: what stands for an array as an array on the device of `reference`."""
    if isinstance(part, Tensor):
        part = part.data
    if isinstance(part, (list, tuple, range)):
        part = np.asarray(part, dtype=None if len(part) else np.int64)
    if isinstance(part, np.ndarray) and part.ndim == 0:
        return part[()]
    return like(part, reference) if _is_array(part) else part


def _is_array(part: Any) -> bool:
    return hasattr(part, "dtype") and part.ndim > 0


@explains_keywords
def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors one after the other along an existing axis."""
    arrays = values(*tensors)
    axis = normalize_axis_index(axis, arrays[0].ndim)
    ends = np.cumsum([x.shape[axis] for x in arrays])

    def part(end: int, length: int) -> Any:
        return lambda dy: dy[(slice(None),) * axis + (slice(end - length, end),)]

    parts = (part(int(end), x.shape[axis]) for x, end in zip(arrays, ends, strict=True))
    return record(array_module(arrays[0]).concatenate(arrays, axis=axis), *zip(tensors, parts, strict=True))


@explains_keywords
def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, side by side along a new axis."""
    arrays = values(*tensors)
    axis = normalize_axis_index(axis, arrays[0].ndim + 1)

    def part(i: int) -> Any:
        return lambda dy: dy[(slice(None),) * axis + (i,)]

    data = array_module(arrays[0]).stack(arrays, axis=axis)
    return record(data, *((x, part(i)) for i, x in enumerate(tensors)))


@explains_keywords
def split(a: Tensor, sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """The inverse of `concatenate`: `sections` equal parts along `axis`, or parts of the given lengths."""
    require_tensor(a)
    axis = normalize_axis_index(axis, a.ndim)
    lengths = list(sections) if np.iterable(sections) else [a.shape[axis] // sections] * sections
    if sum(lengths) != a.shape[axis]:
        raise ValueError(f"cannot split an axis of {a.shape[axis]} into {sections}")
    ends = [int(end) for end in np.cumsum(lengths)]
    indices = [(slice(None),) * axis + (slice(e - n, e),) for e, n in zip(ends, lengths, strict=True)]
    return _pieces(a, indices, split)


@explains_keywords
def unstack(a: Tensor, axis: int = 0) -> tuple[Tensor, ...]:
    """The inverse of `stack`: the slices along `axis`.

    One node whose gradient is assembled once; indexing `a[t]` in a loop would make one array of the size
    of `a` for every t.
    """
    require_tensor(a)
    axis = normalize_axis_index(axis, a.ndim)
    return _pieces(a, [(slice(None),) * axis + (i,) for i in range(a.shape[axis])], unstack)


def _pieces(a: Tensor, indices: Sequence[Any], rule: Callable) -> tuple[Tensor, ...]:
    """a[index] for each of several indices that do not overlap."""

    def backward(*dys: Array | None) -> list[Array]:
        dx = array_module(a.data).zeros(a.shape, dtype=a.dtype)
        for index, dy in zip(indices, dys, strict=True):
            if dy is not None:
                dx[index] = dy
        return [dx]

    return record_many([a.data[index] for index in indices], [a], backward, rule)
