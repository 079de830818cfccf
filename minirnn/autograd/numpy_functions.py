"""What happens where NumPy's own functions are given a Tensor.

An operator between an array and a tensor is the tensor's. Any other function of NumPy's would compute with the values
alone and lose the gradient without a word; where minirnn has the function, it says so instead.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minirnn.autograd.tensor import Tensor

REFLECTED = {
    "add": "__radd__",
    "subtract": "__rsub__",
    "multiply": "__rmul__",
    "divide": "__rtruediv__",
    "matmul": "__rmatmul__",
    "less": "__gt__",
    "less_equal": "__ge__",
    "greater": "__lt__",
    "greater_equal": "__le__",
    "equal": "__eq__",
    "not_equal": "__ne__",
}
"""The operators of an array on the left, and the tensor's own for its place on the right."""

CALLED_HERE = {"absolute": "abs", "amax": "max", "amin": "min", "concat": "concatenate", "permute_dims": "transpose"}
"""Functions that NumPy also knows under another name."""
OPERATIONS_ALONE = {"add", "subtract", "multiply", "divide", "negative", "power", "astype", "broadcast_to", "getitem"}
"""Those that are written as operators or methods, and stand in `minirnn.ops` alone; as do those that Python has too."""


class NumPyFunctions:
    """The `__array_ufunc__` of tensors. NumPy looks for it in the class, and finds what to do; CuPy looks for it in the
    tensor itself, and leaves its operators to the tensor only where it finds None."""

    def __get__(self, instance: Any, owner: type) -> Callable | None:
        return apply_ufunc if instance is None else None


def apply_ufunc(tensor: Tensor, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """What an elementwise function of NumPy's does with a tensor among its inputs.

    Raises:
        TypeError: it is no operator of an array on the left; says what to write.
    """
    out = options.pop("out", inputs[:1])  # array += tensor makes a tensor, as array = array + tensor does
    operator = REFLECTED.get(ufunc.__name__)
    if operator and method == "__call__" and not options and out[0] is inputs[0] and not isinstance(inputs[0], _kind()):
        return getattr(inputs[1], operator)(inputs[0])
    raise TypeError(_instead_of(ufunc.__name__))


def refuse_array_function(
    tensor: Tensor, function: Callable, types: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What any other function of NumPy's does with a tensor among its arguments: what minirnn has itself is refused,
    and all else is computed of the values.

    Raises:
        TypeError: says what to write.
    """
    if _counterpart(function.__name__):
        home = function.__module__.replace("numpy", "np")
        raise TypeError(_instead_of(function.__name__, home))
    return function(*_values(list(args)), **_values(dict(kwargs)))


def _values(x: Any) -> Any:
    """What is in `x`, with arrays for tensors."""
    if isinstance(x, (list, tuple)):
        return type(x)(_values(item) for item in x)
    if isinstance(x, dict):
        return {key: _values(item) for key, item in x.items()}
    return x.numpy() if isinstance(x, _kind()) else x


def _kind() -> type[Tensor]:
    from minirnn.autograd.tensor import Tensor  # which needs this file first

    return Tensor


def _counterpart(name: str) -> str | None:
    """The operation of minirnn's that is NumPy's `name`."""
    from minirnn.autograd import ops

    here = CALLED_HERE.get(name, name)
    return here if here in ops.__all__ else None


def _instead_of(name: str, home: str = "np") -> str:
    if here := _counterpart(name):
        dotted = f"x.{here}() or " if hasattr(_kind(), here) else ""
        ours = "minirnn.ops" if hasattr(builtins, here) or here in OPERATIONS_ALONE else "minirnn"
        return f"{home}.{name} would lose the gradient of a Tensor: write {dotted}{ours}.{here}(x)"
    return f"np.{name} is not known of a Tensor: for the values alone, without a gradient, write np.{name}(x.numpy())"
