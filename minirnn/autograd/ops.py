"""The primitive operations, each beside its gradient.

Every function computes its value and hands `record` one pair for each input: the input, and how the
gradient `dy` of the output becomes the gradient of that input. Inputs are tensors, arrays or numbers; arrays
and numbers are constants. Operands of different floating dtypes are refused rather than promoted, so a
float32 model never turns into a float64 one unnoticed.

The names follow NumPy, whose functions they are, and hide Python's `sum` and `max` inside this module.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.autograd.recording import record, record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, float_dtype, is_array, like

Axis = int | tuple[int, ...] | None


def values(*operands: Any) -> list[Any]:
    """The operands as arrays of one library and one dtype, or as Python numbers (which never promote).

    Raises:
        TypeError: float32 meets float64, no operand is a Tensor, or one is another library's.
    """
    arrays = [x.data if isinstance(x, Tensor) else x for x in operands]
    reference: Any = next((x.data for x in operands if isinstance(x, Tensor)), None)
    if reference is None:
        require_tensor(*operands[:1] or [None])
    for i, x in enumerate(arrays):
        if isinstance(operands[i], np.generic):
            arrays[i] = x.item()
        elif isinstance(x, (list, tuple)):
            arrays[i] = array_module(reference).asarray(x, dtype=reference.dtype)
        elif not hasattr(x, "dtype"):
            continue
        elif not is_array(x):
            require_tensor(x)
        elif x.dtype.kind in "iub":
            arrays[i] = array_module(reference).asarray(x, dtype=reference.dtype)
        elif x.dtype != reference.dtype:
            how = "convert one, with tensor.astype(…), model.astype(…) or array.astype(…)"
            raise TypeError(f"{reference.dtype} meets {x.dtype}: {how}")
    return arrays


def value(a: Tensor) -> Array:
    """The array of an operand that must be a Tensor. (An ndarray has a `.data` too, which is its memory.)

    Raises:
        TypeError: it is none.
    """
    require_tensor(a)
    return a.data


# Arithmetic


def add(a: Any, b: Any) -> Tensor:
    """a + b, broadcast."""
    x, y = values(a, b)
    return record(x + y, (a, lambda dy: dy), (b, lambda dy: dy))


def subtract(a: Any, b: Any) -> Tensor:
    """a - b, broadcast."""
    x, y = values(a, b)
    return record(x - y, (a, lambda dy: dy), (b, lambda dy: -dy))


def multiply(a: Any, b: Any) -> Tensor:
    """a * b, elementwise and broadcast."""
    x, y = values(a, b)
    return record(x * y, (a, lambda dz: dz * y), (b, lambda dz: dz * x))


def divide(a: Any, b: Any) -> Tensor:
    """a / b, elementwise and broadcast."""
    x, y = values(a, b)
    quotient = x / y
    return record(quotient, (a, lambda dq: dq / y), (b, lambda dq: -dq * quotient / y))


def negative(a: Tensor) -> Tensor:
    """-a."""
    return record(-value(a), (a, lambda dy: -dy))


def power(a: Tensor, exponent: float) -> Tensor:
    """a ** exponent, for a constant exponent."""
    if isinstance(exponent, Tensor) or not np.isscalar(exponent):
        raise TypeError("the exponent must be a number; for a tensor exponent write exp(b * log(a))")
    x, n = value(a), float(exponent)  # type: ignore[arg-type]
    return record(x**n, (a, lambda dy: dy * (n * x ** (n - 1) if n else 0.0)))  # 0 · x⁻¹ would be nan at 0


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product a @ b of (…, n, k) and (…, k, m), broadcast over the leading axes; either may be a
    vector (k,), as for NumPy."""
    x, y = values(a, b)
    product = x @ y
    X = x[None, :] if x.ndim == 1 else x  # a vector is a row on the left, a column on the right
    Y = y[:, None] if y.ndim == 1 else y
    batch = product.shape[: product.ndim - (x.ndim > 1) - (y.ndim > 1)]

    def as_matrix(dz: Array) -> Array:
        return dz.reshape(*batch, X.shape[-2], Y.shape[-1])

    def by_a(dz: Array) -> Array:
        dX = as_matrix(dz) @ Y.swapaxes(-1, -2)
        return dX[..., 0, :] if x.ndim == 1 else dX

    def by_b(dz: Array) -> Array:
        dY = X.swapaxes(-1, -2) @ as_matrix(dz)
        return dY[..., 0] if y.ndim == 1 else dY

    return record(product, (a, by_a), (b, by_b))


# Elementwise functions


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
    e = xp.exp(-abs(x))
    y = xp.where(x >= 0, 1, e) / (1 + e)
    return record(y, (a, lambda dy: dy * y * (1 - y)))


def relu(a: Tensor) -> Tensor:
    """max(a, 0). At the kink a = 0 the gradient is taken as 0."""
    x = value(a)
    return record(array_module(x).maximum(x, 0), (a, lambda dy: dy * (x > 0)))


def where(condition: Array, a: Any, b: Any) -> Tensor:
    """a where the boolean array `condition` is true, b elsewhere; all three broadcast."""
    x, y = values(a, b)
    reference = a.data if isinstance(a, Tensor) else b.data
    condition = _index_part(condition, reference)
    xp = array_module(reference)
    return record(
        xp.where(condition, x, y),
        (a, lambda dy: xp.where(condition, dy, 0)),
        (b, lambda dy: xp.where(condition, 0, dy)),
    )


# Reductions


def _spread(reduced: Array, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """`reduced`, the result of reducing an array of `shape` over `axis`, repeated back to that shape."""
    xp = array_module(reduced)
    if not keepdims and axis is not None:
        reduced = xp.expand_dims(reduced, axis)
    return xp.broadcast_to(reduced, shape)


def sum(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over `axis`. Every summand receives the gradient of the sum."""
    y = value(a).sum(axis=axis, keepdims=keepdims)
    return record(y, (a, lambda dy: _spread(dy, a.shape, axis, keepdims)))


def mean(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over `axis`."""
    y = value(a).mean(axis=axis, keepdims=keepdims)
    count = a.size // builtins.max(y.size, 1)
    return record(y, (a, lambda dy: _spread(dy, a.shape, axis, keepdims) / count))


def max(a: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element over `axis`. Where several are equally large they share the gradient."""
    x = value(a)
    y = x.max(axis=axis, keepdims=keepdims)

    def by_a(dy: Array) -> Array:
        winners = (x == _spread(y, a.shape, axis, keepdims)).astype(a.dtype)
        return _spread(dy, a.shape, axis, keepdims) * winners / winners.sum(axis=axis, keepdims=True)

    return record(y, (a, by_a))


# Shapes and pieces


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


def astype(a: Tensor, dtype: Any) -> Tensor:
    """The same values as float32 or float64. Raises InputError for another dtype."""
    return record(value(a).astype(float_dtype(dtype)), (a, lambda dy: dy.astype(a.dtype)))


def broadcast_to(a: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`a` repeated to `shape` by the broadcasting rules."""
    x = value(a)
    return record(array_module(x).broadcast_to(x, shape), (a, lambda dy: dy))


def getitem(a: Tensor, index: Any) -> Tensor:
    """a[index], by integers, slices, or arrays of integers or booleans.

    A position taken several times receives the gradients of all its copies.
    """
    require_tensor(a)
    parts = tuple(_index_part(i, a.data) for i in (index if isinstance(index, tuple) else (index,)))

    def by_a(dy: Array) -> Array:
        dx = array_module(dy).zeros(a.shape, dtype=a.dtype)
        if any(_is_array(i) for i in parts):
            backend.scatter_add(dx, parts, dy)
        else:
            dx[parts] = dy
        return dx

    return record(a.data[parts], (a, by_a))


def _index_part(part: Any, reference: Array) -> Any:
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


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors one after the other along an existing axis."""
    arrays = values(*tensors)
    ends = np.cumsum([x.shape[axis] for x in arrays])
    axis = axis % arrays[0].ndim

    def part(end: int, length: int) -> Any:
        return lambda dy: dy[(slice(None),) * axis + (slice(end - length, end),)]

    parts = (part(int(end), x.shape[axis]) for x, end in zip(arrays, ends, strict=True))
    return record(array_module(arrays[0]).concatenate(arrays, axis=axis), *zip(tensors, parts, strict=True))


def stack(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, side by side along a new axis."""
    arrays = values(*tensors)
    axis = axis % (arrays[0].ndim + 1)

    def part(i: int) -> Any:
        return lambda dy: dy[(slice(None),) * axis + (i,)]

    data = array_module(arrays[0]).stack(arrays, axis=axis)
    return record(data, *((x, part(i)) for i, x in enumerate(tensors)))


def split(a: Tensor, sections: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
    """The inverse of `concatenate`: `sections` equal parts along `axis`, or parts of the given lengths."""
    require_tensor(a)
    axis = axis % a.ndim
    lengths = list(sections) if np.iterable(sections) else [a.shape[axis] // sections] * sections
    if builtins.sum(lengths) != a.shape[axis]:
        raise ValueError(f"cannot split an axis of {a.shape[axis]} into {sections}")
    ends = [int(end) for end in np.cumsum(lengths)]
    indices = [(slice(None),) * axis + (slice(e - n, e),) for e, n in zip(ends, lengths, strict=True)]
    return _pieces(a, indices)


def unstack(a: Tensor, axis: int = 0) -> tuple[Tensor, ...]:
    """The inverse of `stack`: the slices along `axis`.

    One node whose gradient is assembled once; indexing `a[t]` in a loop would make one array of the size
    of `a` for every t.
    """
    require_tensor(a)
    axis = axis % a.ndim
    return _pieces(a, [(slice(None),) * axis + (i,) for i in range(a.shape[axis])])


def _pieces(a: Tensor, indices: Sequence[Any]) -> tuple[Tensor, ...]:
    """a[index] for each of several indices that do not overlap."""

    def backward(*dys: Array | None) -> list[Array]:
        dx = array_module(a.data).zeros(a.shape, dtype=a.dtype)
        for index, dy in zip(indices, dys, strict=True):
            if dy is not None:
                dx[index] = dy
        return [dx]

    return record_many([a.data[index] for index in indices], [a], backward)
