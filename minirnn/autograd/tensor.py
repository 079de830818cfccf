"""The Tensor: an array with a place on the tape.

Every operation in `ops.py` computes its output and says, beside it, how the gradient of the output becomes the gradient
of each input; `record` puts the two on the tape (`recording.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minirnn.autograd.tape import NEVER_CHANGED, Node, Version, walk_back
from minirnn.backend import FLOATS, Array, array_module, device_of, is_array, to_host
from minirnn.errors import InputError


class Tensor:
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

    __slots__ = ("__weakref__", "data", "grad", "index", "node", "requires_grad", "version")
    __array_ufunc__ = None  # so that ndarray * Tensor asks Tensor.__rmul__ instead of looping over elements

    def __init__(self, data: Any, requires_grad: bool = False):
        self.version = NEVER_CHANGED
        if isinstance(data, Tensor):
            self.version, data = data.version, data.data
        if not (is_array(data) and data.dtype.char in FLOATS):
            data = _as_floats(data)
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
        return Tensor(self)

    def mark_changed(self) -> None:
        """Say that the values of `.data` have been overwritten: `backward` then refuses what was computed from the
        old ones. Optimisers do so at every step."""
        if self.version is NEVER_CHANGED:
            self.version = Version()
        self.version.changes += 1

    def backward(self, gradient: Array | None = None) -> None:
        """Add dL/d leaf to `.grad` of every leaf that requires a gradient (Linnainmaa 1970).

        Args:
            gradient: dL/d self, an array of the same shape; may be left out for a scalar, which is then L itself.

        Raises:
            ValueError: nothing it depends on requires a gradient, or `gradient` is missing or of another shape.
            TypeError: `gradient` has another dtype or is on another device.
            StaleGraphError: what was computed from has been overwritten since.
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
        if len(axes) == 1 and (axes[0] is None or np.ndim(axes[0])):
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
    """A tensor that training changes: a weight of a layer. Raises as `Tensor`."""

    __slots__ = ()

    def __init__(self, data: Any):
        super().__init__(data, requires_grad=True)
        if self.version is NEVER_CHANGED:
            self.version = Version()

    def __setattr__(self, name: str, value: Any) -> None:
        # p.data -= … overwrites the array and then assigns it to where it was.
        overwritten = name == "data" and value is getattr(self, "data", None)
        super().__setattr__(name, value)
        if overwritten:
            self.mark_changed()


def _as_floats(data: Any) -> Array:
    """An array of float32 (or float64, where it was that already) of what a user gives instead of one."""
    if isinstance(data, (list, tuple)) and any(isinstance(x, Tensor) for x in data):
        raise InputError("expected numbers, found a list of Tensors: put them together with ops.stack(…)")
    if not hasattr(data, "dtype"):
        return _from_numbers(data)
    if not (is_array(data) or isinstance(data, np.generic)):
        raise InputError(f"expected numbers or an array, not {_kind(data)}")
    array = data if is_array(data) else np.asarray(data)  # NumPy has scalars instead of arrays without axes
    if array.dtype.kind in "iub":
        return array.astype(np.float32)
    if array.dtype.char not in FLOATS:
        how = ": convert it, as array.astype(np.float32)" if array.dtype.kind == "f" else ""
        raise InputError(f"expected real numbers of type float32 or float64, not {array.dtype}{how}")
    return array


def _from_numbers(data: Any) -> np.ndarray:
    """A float32 array of a number, or of numbers in lists."""
    try:
        array = np.asarray(data)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected numbers, all rows of one length, not {_kind(data)} ({error})") from error
    if array.dtype.kind not in "iubf":
        raise InputError(f"expected numbers, not {_kind(data)}")
    return array.astype(np.float32)


def require_tensor(*operands: Any) -> None:
    """Refuse a plain array, or anything else, where a Tensor is needed.

    Raises:
        TypeError: says how to make one.
    """
    for x in operands:
        if not isinstance(x, Tensor):
            raise TypeError(f"expected a Tensor, not {_kind(x)}" + ("" if x is None else ": wrap it, as Tensor(x)"))


def _kind(x: Any) -> str:
    """What to call something in a message that is no Tensor."""
    if x is None:
        return "None"
    if type(x).__module__.partition(".")[0] == "torch":
        return "a torch tensor: take x.detach().cpu().numpy()"
    return type(x).__name__


def _array(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


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
