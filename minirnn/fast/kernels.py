"""Whether to compute in kernels, compiled code: `steps.py` has those of the CPU, `cuda.py` those of the GPU.

On a GPU, where a step costs more to launch than to compute, they are used unless `use_kernels` said not to; on the CPU,
where they take seconds to compile, only if it said so.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, gpu_library
from minirnn.cells.cell import Cell, Weights
from minirnn.errors import DeviceError, install
from minirnn.parallel import look_again, multiplies_unpacked

_wanted: list[bool | None] = [None]


def use_kernels(wanted: bool | None = True) -> None:
    """Compute with compiled kernels from now on where they know the cell; or no longer.

    On the CPU they know the RNN with tanh, both GRUs, and the LSTM without peepholes, and need Numba, SciPy, and
    OpenBLAS with its AVX-512 kernels. On a GPU they know the RNN with tanh, the LSTM without peepholes, and the GRU
    that resets after the product, and need nothing more. The first use of a cell compiles its kernels, which takes
    seconds on the CPU and less on a GPU; they are kept on disk for the next process. Results differ from those without
    kernels by rounding.

    Args:
        wanted: whether to use them; None, as it is before the first call: on a GPU, but not on the CPU.

    Raises:
        DeviceError: there are no kernels to use, for the reasons that it gives.
    """
    if wanted and _steps()[0] is None:
        try:
            gpu_library()
        except DeviceError as error:
            message = f"no kernels for the CPU: {_steps()[1]}; none for a GPU: {error}"
            raise DeviceError(message) from error
    _wanted[:] = [wanted]


def wanted(device: str) -> bool:
    """Whether kernels are to be used on a device."""
    return device == "gpu" if _wanted[0] is None else _wanted[0]


def _steps() -> tuple[Any, str]:
    """The module `steps`; or None, and why it cannot be used."""
    if not multiplies_unpacked():
        return None, "they would gain nothing with this BLAS, but with OpenBLAS on a processor with AVX-512"
    return _imported()


@functools.cache
def _imported() -> tuple[Any, str]:
    try:
        module = importlib.import_module("minirnn.fast.steps")
    except ImportError as error:
        return None, f"{error} ({install('kernels')})"
    except RuntimeError as error:  # Numba finds no folder to keep what it compiles
        return None, str(error)
    look_again()  # SciPy has a BLAS of its own
    return module, ""


def compiles(cell: Cell, x: Array) -> bool:
    """Whether kernels are wanted, and there are compiled steps of the cell for the arrays at hand."""
    if array_module(x) is not np or not wanted("cpu") or not x.size:
        return False
    steps, _ = _steps()
    return steps is not None and steps.knows(cell)


def compiled(cell: Cell, w: Weights) -> Any:
    """The compiled steps of a cell for which `compiles` is true."""
    steps, _ = _steps()
    return steps.Steps(cell, w)
