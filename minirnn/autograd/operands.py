"""What operations take: tensors, arrays and numbers, brought to one library and one dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.autograd.tensor import Axis, Tensor, require_tensor
from minirnn.backend import Array, array_module, is_array

__all__ = ["Axis", "value", "values"]


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
