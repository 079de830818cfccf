"""What a Tensor is before it can be computed with: an array, its place on the tape, and how it is read and printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from minirnn.autograd.numpy_functions import NumPyFunctions, refuse_array_function
from minirnn.autograd.printing import tensor_html, tensor_text
from minirnn.autograd.tape import NEVER_CHANGED, Node, Version
from minirnn.backend import FLOATS, Array, device_of, is_array, to_host
from minirnn.errors import InputError
from minirnn.keywords import TENSOR_OF_TORCH, missing


class Recorded:
    """An array that remembers how it was computed; `Tensor` is this with its operations."""

    __slots__ = ("__weakref__", "data", "grad", "index", "node", "requires_grad", "version")
    __array_ufunc__ = NumPyFunctions()
    __array_function__ = refuse_array_function

    def __init__(self, data: ArrayLike | Recorded, requires_grad: bool = False):
        self.version = NEVER_CHANGED
        if isinstance(data, Recorded):
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

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype) if copy else np.asarray(self.numpy(), dtype=dtype)

    def item(self) -> float:
        """The one value of a tensor of one element, as a Python number.

        Raises:
            ValueError: it has more elements, or none.
        """
        if self.size != 1:
            raise ValueError(f"a tensor of shape {self.shape} is no single number: index it, or write x.tolist()")
        return self.data.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers; without axes, the number."""
        return self.numpy().tolist()

    def __float__(self) -> float:
        return self.item()

    def __int__(self) -> int:
        return int(self.item())

    def __round__(self, ndigits: int | None = None) -> float:
        return round(self.item(), ndigits)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"whether a tensor of shape {self.shape} is true is not clear: write (x > 0).any() or (x > 0).all(), "
                "or len(x) > 0 to ask whether there is anything in it"
            )
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        if spec and self.size != 1:
            raise TypeError(
                f"the format {spec!r} is for one number, not for a tensor of shape {self.shape}: "
                "index it first, or format its rows from x.tolist()"
            )
        return format(self.item(), spec) if spec else str(self)

    def mark_changed(self) -> None:
        """Say that the values of `.data` have been overwritten: `backward` then refuses what was computed from the
        old ones. Optimisers do so at every step."""
        if self.version is NEVER_CHANGED:
            self.version = Version()
        self.version.changes += 1

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a tensor without axes has no length: it is one number, float(x)")
        return len(self.data)

    # Comparisons give plain boolean arrays: they have no gradient.
    def __eq__(self, other: object) -> Any:
        return self.data == _array(other)

    def __ne__(self, other: object) -> Any:
        return self.data != _array(other)

    def __lt__(self, other: Any) -> Array:
        return self.data < _array(other)

    def __le__(self, other: Any) -> Array:
        return self.data <= _array(other)

    def __gt__(self, other: Any) -> Array:
        return self.data > _array(other)

    def __ge__(self, other: Any) -> Array:
        return self.data >= _array(other)

    def __hash__(self) -> int:
        return id(self)

    if not TYPE_CHECKING:  # to a type checker, any name would then be an attribute

        def __getattr__(self, name: str) -> Any:
            if name in TENSOR_OF_TORCH:
                raise AttributeError(missing(self, name, TENSOR_OF_TORCH[name]))
            return object.__getattribute__(self, name)  # raises, and if it was a property, then what that raised

    def __repr__(self) -> str:
        return tensor_text(self)

    def _repr_html_(self) -> str:
        return tensor_html(self)


def _array(x: Any) -> Any:
    return x.data if isinstance(x, Recorded) else x


def _as_floats(data: Any) -> Array:
    """An array of float32 (or float64, where it was that already) of what a user gives instead of one."""
    if isinstance(data, (list, tuple)) and any(isinstance(x, Recorded) for x in data):
        raise InputError("expected numbers, found a list of Tensors: put them together with ops.stack(…)")
    if not hasattr(data, "dtype"):
        return _from_numbers(data)
    if not (is_array(data) or isinstance(data, np.generic)):
        raise InputError(f"expected numbers or an array, not {kind_of(data)}")
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
        raise InputError(f"expected numbers, all rows of one length, not {kind_of(data)} ({error})") from error
    if array.dtype.kind not in "iubf":
        raise InputError(f"expected numbers, not {kind_of(data)}")
    return array.astype(np.float32)


def kind_of(x: Any) -> str:
    """What to call something in a message that is no Tensor."""
    if x is None:
        return "None"
    if type(x).__module__.partition(".")[0] == "torch":
        return "a torch tensor: take x.detach().cpu().numpy()"
    return type(x).__name__
