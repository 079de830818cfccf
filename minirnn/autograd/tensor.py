"""The Tensor: an array with a place on the tape.

Every operation in `ops.py` computes its output and says, beside it, how the gradient of the output becomes the gradient
of each input; `record` puts the two on the tape (`tape.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minirnn.autograd.recording import recording
from minirnn.autograd.tape import Node, walk_back
from minirnn.backend import Array, array_module, device_of, to_host


class Tensor:
    """An array that remembers how it was computed.

    Args:
        data: a float32 or float64 array (kept, not copied), or anything else made of numbers, which becomes float32.
        requires_grad: whether `backward` should fill in `.grad`.

    `.data` is the NumPy or CuPy array. `.grad` is None until `backward` reaches the tensor; from then on it
    is an array of the same shape, to which every further `backward` adds. Only tensors made by the user
    (leaves) keep a gradient: for the gradient of anything else, ask `grad(output, inputs)`.
    """

    __slots__ = ("__weakref__", "data", "grad", "index", "node", "requires_grad")
    __array_ufunc__ = None  # so that ndarray * Tensor asks Tensor.__rmul__ instead of looping over elements

    def __init__(self, data: Any, requires_grad: bool = False):
        if isinstance(data, Tensor):
            data = data.data
        if not hasattr(data, "dtype"):
            data = np.asarray(data, dtype=np.float32)
        elif isinstance(data, np.generic):  # what NumPy gives instead of an array without axes
            data = np.asarray(data)
        if data.dtype.kind in "iub":
            data = data.astype(np.float32)
        self.data: Array = data
        self.requires_grad = requires_grad
        self.grad: Array | None = None
        self.node: Node | None = None
        self.index = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype, also of a tensor on the GPU."""
        return self.data.dtype

    @property
    def device(self) -> str:
        """ "cpu" or "gpu"."""
        return device_of(self.data)

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array (on the CPU: the very array, not a copy)."""
        return to_host(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype) if copy else np.asarray(self.numpy(), dtype=dtype)

    def item(self) -> float:
        """The one value of a tensor of one element, as a Python number."""
        return self.data.item()

    def __float__(self) -> float:
        return float(self.item())

    def detach(self) -> Tensor:
        """The same values, cut off from the record: no gradient flows past here."""
        return Tensor(self.data)

    def backward(self, gradient: Array | None = None) -> None:
        """Add dL/d leaf to `.grad` of every leaf that requires a gradient (Linnainmaa 1970).

        Args:
            gradient: dL/d self, an array of the same shape; may be left out for a scalar, which is then L itself.

        Raises:
            ValueError: nothing it depends on requires a gradient, or `gradient` is missing or of another shape.
            TypeError: `gradient` has another dtype or is on another device.
        """
        walk_back(self, _seed(self, gradient))

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("a tensor without axes cannot be iterated over")
        return iter(ops.unstack(self))

    def __repr__(self) -> str:
        return f"Tensor({to_host(self.data)!r}{', requires_grad=True' if self.requires_grad else ''})"

    def __hash__(self) -> int:
        return id(self)

    # Operators. Comparisons give plain boolean arrays: they have no gradient.
    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __pow__(self, exponent: float) -> Tensor:
        return ops.power(self, exponent)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    def __eq__(self, other: object) -> Array:
        return self.data == _array(other)

    def __ne__(self, other: object) -> Array:
        return self.data != _array(other)

    def __lt__(self, other: Any) -> Array:
        return self.data < _array(other)

    def __le__(self, other: Any) -> Array:
        return self.data <= _array(other)

    def __gt__(self, other: Any) -> Array:
        return self.data > _array(other)

    def __ge__(self, other: Any) -> Array:
        return self.data >= _array(other)

    # Methods for the operations that read best after a dot; `ops` documents each.
    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The sum over `axis`, or of everything."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The mean over `axis`, or of everything."""
        return ops.mean(self, axis, keepdims)

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The largest element over `axis`, or of everything."""
        return ops.max(self, axis, keepdims)

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape."""
        return ops.reshape(self, shape)

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in another order; reversed if none are given."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            return ops.transpose(self, axes[0])
        return ops.transpose(self, axes or None)

    def astype(self, dtype: Any) -> Tensor:
        """The same values as float32 or float64."""
        return ops.astype(self, dtype)

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The axes in reverse order."""
        return ops.transpose(self)


class Parameter(Tensor):
    """A tensor that training changes: a weight of a layer."""

    __slots__ = ()

    def __init__(self, data: Any):
        super().__init__(data, requires_grad=True)


def _array(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


def record(data: Array, *pairs: tuple[Any, Callable[[Array], Array]]) -> Tensor:
    """The result of an operation with one output.

    Args:
        data: the value of the output.
        pairs: for each input, the input and a function from the output's gradient to the input's. Inputs
            that are not tensors are constants. An input that was broadcast may be given the gradient of the
            broadcast shape: it is summed back here, in one place.
    """
    inputs = [x for x, _ in pairs if isinstance(x, Tensor)]
    functions = [function for x, function in pairs if isinstance(x, Tensor)]

    def backward(gradient: Array) -> list[Array | None]:
        return [
            unbroadcast(function(gradient), x.shape) if x.requires_grad else None
            for x, function in zip(inputs, functions, strict=True)
        ]

    return record_many((data,), inputs, backward)[0]


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Undo broadcasting: sum `gradient` over the axes along which an array of `shape` was repeated.

    An element that was used in many places receives the sum of what each place sends back.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(i + added for i, n in enumerate(shape) if n == 1 and gradient.shape[i + added] != 1)
    return gradient.sum(axis=(*range(added), *repeated), keepdims=True).reshape(shape)


def needs_grad(inputs: Sequence[Tensor]) -> bool:
    """Whether an operation on these inputs goes on the tape."""
    return recording.get() and any(x.requires_grad for x in inputs)


def record_many(
    data: Sequence[Array], inputs: Sequence[Tensor], backward: Callable[..., Sequence[Array | None]]
) -> tuple[Tensor, ...]:
    """The results of an operation with several outputs, whose gradients are best computed together.

    Args:
        data: the values of the outputs.
        inputs: the tensors it depends on.
        backward: as `Node.backward`; its gradients have the shapes of the inputs.
    """
    to_record = needs_grad(inputs)
    outputs = tuple(Tensor(value, to_record) for value in data)
    if to_record:
        node = Node(inputs, len(outputs), backward)
        for i, output in enumerate(outputs):
            output.node, output.index = node, i
    return outputs


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


def grad(output: Tensor, inputs: Sequence[Tensor], gradient: Array | None = None) -> list[Array | None]:
    """The gradients of `output` with respect to any tensors it was computed from, also intermediate ones.

    Args:
        output: the tensor to differentiate.
        inputs: the tensors to differentiate by.
        gradient: the gradient of the loss with respect to `output`; may be left out for a scalar.

    Returns:
        One array for each input, None where no gradient flows to it: `output` does not depend on it, or it does not
        require one. No `.grad` is changed.

    Raises:
        ValueError, TypeError: as `Tensor.backward`.
    """
    return walk_back(output, _seed(output, gradient), inputs)


from minirnn.autograd import ops  # noqa: E402  (the operators above need ops, and ops needs Tensor)
