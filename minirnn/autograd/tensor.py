"""The Tensor: an array with a place on the tape.

Every operation, see `ops.py`, computes its output and says, beside it, how the gradient of the output becomes the
gradient of each input; `record` puts the two on the tape (`recording.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minirnn.autograd.recorded import Recorded, kind_of
from minirnn.autograd.tape import NEVER_CHANGED, Version, walk_back
from minirnn.backend import Array, array_module, device_of
from minirnn.keywords import explains_methods

Axis = int | tuple[int, ...] | None
Operand = Union["Tensor", Array, np.number, float, Sequence[float], Sequence[Sequence[float]]]
"""What stands beside a tensor in an operation."""


@explains_methods
class Tensor(Recorded):
    """An array that remembers how it was computed.

    Args:
        data: a float32 or float64 array (kept, not copied), or anything else made of numbers, which becomes float32.
        requires_grad: whether `backward` should fill in `.grad`.

    `.data` is the NumPy or CuPy array. `.grad` is None until `backward` reaches the tensor; from then on it
    is an array of the same shape, to which every further `backward` adds. Only tensors made by the user
    (leaves) keep a gradient: for the gradient of anything else, ask `grad(output, inputs)`.

    The array is not copied, and neither are those that operations keep for the way back. An optimiser that overwrites
    one in between is noticed (`StaleGraphError`). What you write into an array through NumPy, as in `x.data[:] = 0` or
    into the buffer that x was made of, cannot be seen, and the gradient will be wrong without a word: walk back first,
    or say so with `x.mark_changed()`.

    Raises:
        InputError: the data is no array of real numbers, or of a floating type other than float32 and float64.

        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> loss = (x * x).sum()
        >>> loss.backward()
        >>> loss.item(), x.grad.tolist()
        (14.0, [2.0, 4.0, 6.0])
    """

    __slots__ = ()

    def detach(self) -> Tensor:
        """The same values, cut off from the record: no gradient flows past here."""
        return Tensor(self)

    def backward(self, gradient: Tensor | ArrayLike | None = None) -> None:
        """Add dL/d leaf to `.grad` of every leaf that requires a gradient (Linnainmaa 1970).

        Args:
            gradient: dL/d self, an array of the same shape; may be left out for a scalar, which is then L itself.

        Raises:
            ValueError: nothing it depends on requires a gradient, or `gradient` is missing or of another shape.
            TypeError: `gradient` has another dtype or is on another device.
            StaleGraphError: what was computed from has been overwritten since.
        """
        walk_back(self, _seed(self, gradient))

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("a tensor without axes cannot be iterated over")
        return iter(ops.unstack(self))

    # Operators.
    def __add__(self, other: Operand) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return ops.divide(other, self)

    def __matmul__(self, other: Operand) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return ops.matmul(other, self)

    def __pow__(self, exponent: float) -> Tensor:
        return ops.power(self, exponent)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    # Methods for the operations that read best after a dot; `ops` documents each.
    def exp(self) -> Tensor:
        """e to the power of each element."""
        return ops.exp(self)

    def log(self) -> Tensor:
        """The natural logarithm of each element."""
        return ops.log(self)

    def sqrt(self) -> Tensor:
        """The square root of each element."""
        return ops.sqrt(self)

    def abs(self) -> Tensor:
        """The absolute value of each element."""
        return ops.abs(self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each element."""
        return ops.tanh(self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + e^-a) of each element."""
        return ops.sigmoid(self)

    def relu(self) -> Tensor:
        """max(a, 0) of each element."""
        return ops.relu(self)

    def clip(self, min: float | None = None, max: float | None = None) -> Tensor:
        """Each element, but none below `min` and none above `max`."""
        return ops.clip(self, min, max)

    def maximum(self, other: Operand) -> Tensor:
        """The larger of each element and that of `other`."""
        return ops.maximum(self, other)

    def minimum(self, other: Operand) -> Tensor:
        """The smaller of each element and that of `other`."""
        return ops.minimum(self, other)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The sum over `axis`, or of everything."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The mean over `axis`, or of everything."""
        return ops.mean(self, axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The largest element over `axis`, or of everything."""
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The smallest element over `axis`, or of everything."""
        return ops.min(self, axis, keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The product over `axis`, or of everything."""
        return ops.prod(self, axis, keepdims)

    def norm(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The Euclidean norm over `axis`, or of everything."""
        return ops.norm(self, axis, keepdims)

    def var(self, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Tensor:
        """The variance over `axis`, or of everything; `correction=1` is the unbiased one."""
        return ops.var(self, axis, keepdims, correction=correction)

    def std(self, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Tensor:
        """The standard deviation over `axis`, or of everything; `correction=1` as torch has it."""
        return ops.std(self, axis, keepdims, correction=correction)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Array:
        """The index of the largest element along `axis`, or of all: integers, without a gradient."""
        return ops.argmax(self, axis, keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Array:
        """The index of the smallest element along `axis`, or of all: integers, without a gradient."""
        return ops.argmin(self, axis, keepdims)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """The running sums along `axis`, or of the flattened tensor."""
        return ops.cumsum(self, axis)

    def softmax(self, axis: int = -1) -> Tensor:
        """exp(a) / Σ exp(a) along `axis`."""
        return ops.softmax(self, axis)

    def reshape(self, *shape: int | Sequence[int]) -> Tensor:
        """The same elements in another shape."""
        given: Any = shape
        return ops.reshape(self, given)

    def transpose(self, *axes: int | Sequence[int] | None) -> Tensor:
        """The axes in another order; reversed if none are given."""
        order: Any = axes or None
        if len(axes) == 1 and (axes[0] is None or np.ndim(axes[0])):
            order = axes[0]
        return ops.transpose(self, order)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """The same values as float32 or float64."""
        return ops.astype(self, dtype)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Without axes of length 1."""
        return ops.squeeze(self, axis)

    def expand_dims(self, axis: int | tuple[int, ...]) -> Tensor:
        """With a further axis of length 1 at `axis`."""
        return ops.expand_dims(self, axis)

    def unsqueeze(self, axis: int) -> Tensor:
        """`expand_dims`, as torch calls it."""
        return ops.unsqueeze(self, axis)

    def flatten(self, start_axis: int = 0, end_axis: int = -1) -> Tensor:
        """The axes from `start_axis` to `end_axis` as one."""
        return ops.flatten(self, start_axis, end_axis)

    def pad(self, pad_width: int | Sequence[int] | Sequence[Sequence[int]], constant_values: float = 0.0) -> Tensor:
        """With a margin of constant numbers."""
        return ops.pad(self, pad_width, constant_values)

    def clone(self) -> Tensor:
        """A copy, through which the gradient passes."""
        return ops.clone(self)

    def to(self, device: str) -> Tensor:
        """The same values on "cpu" or "gpu"."""
        return ops.to(self, device)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The axes in reverse order."""
        return ops.transpose(self)


class Parameter(Tensor):
    """A tensor that training changes: a weight of a layer. Raises as `Tensor`."""

    __slots__ = ()

    def __init__(self, data: ArrayLike | Recorded):
        super().__init__(data, requires_grad=True)
        if self.version is NEVER_CHANGED:
            self.version = Version()

    def __setattr__(self, name: str, value: Any) -> None:
        # p.data -= … overwrites the array and then assigns it to where it was.
        overwritten = name == "data" and value is getattr(self, "data", None)
        super().__setattr__(name, value)
        if overwritten:
            self.mark_changed()


def require_tensor(*operands: Any) -> None:
    """Refuse a plain array, or anything else, where a Tensor is needed.

    Raises:
        TypeError: says how to make one.
    """
    for x in operands:
        if not isinstance(x, Tensor):
            kind = kind_of(x)
            how = " and wrap it, as Tensor(array)" if ":" in kind else ": wrap it, as Tensor(x)"
            raise TypeError(f"expected a Tensor, not {kind}{'' if x is None else how}")


def _seed(output: Tensor, gradient: Any) -> Array:
    """The gradient to start with, as an array like `output.data`."""
    xp = array_module(output.data)
    if isinstance(gradient, Tensor):
        gradient = gradient.data
    if gradient is None:
        if output.size != 1:
            raise ValueError(f"backward from a tensor of shape {output.shape} needs the gradient of the loss by it")
        return xp.ones_like(output.data)
    if not hasattr(gradient, "dtype"):
        gradient = xp.asarray(gradient, dtype=output.dtype)
    if gradient.shape != output.shape:
        raise ValueError(f"the gradient has shape {gradient.shape}, the tensor {output.shape}")
    if gradient.dtype != output.dtype or device_of(gradient) != output.device:
        found, expected = (f"{a.dtype} on the {device_of(a)}" for a in (gradient, output.data))
        raise TypeError(f"the gradient is {found}, the tensor {expected}")
    return gradient


def grad(output: Tensor, inputs: Tensor | Sequence[Tensor], gradient: Array | None = None) -> list[Array | None]:
    """The gradients of `output` with respect to any tensors it was computed from, also intermediate ones.

    Args:
        output: the tensor to differentiate.
        inputs: the tensors to differentiate by; one by itself counts as a list of one.
        gradient: the gradient of the loss with respect to `output`; may be left out for a scalar.

    Returns:
        One array for each input, None where no gradient flows to it: `output` does not depend on it, or it does not
        require one. No `.grad` is changed.

    Raises:
        ValueError, TypeError, StaleGraphError: as `Tensor.backward`.

        >>> x = Tensor([3.0], requires_grad=True)
        >>> y = x * x
        >>> dx, dy = grad((y * y).sum(), [x, y])
        >>> dx.tolist(), dy.tolist()
        ([108.0], [18.0])
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    require_tensor(output, *inputs)
    return walk_back(output, _seed(output, gradient), inputs)


from minirnn.autograd import ops  # noqa: E402  (the operators above need ops, and ops needs Tensor)
