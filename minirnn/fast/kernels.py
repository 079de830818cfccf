"""Whether to compute in kernels, compiled code: `loops.py` has those of the CPU, `cuda.py` those of the GPU.

On a GPU, where a step costs more to launch than to compute, they are used unless `use_kernels` said not to; on the CPU,
where they take seconds to compile, only if it said so.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module, gpu_library
from minirnn.cells.cell import Cell, Weights
from minirnn.errors import DeviceError, install
from minirnn.fast.stepping import UNKNOWN_STEPS, CompiledStepper
from minirnn.parallel import multiply_by
from minirnn.standing import prepared

_wanted: list[bool | None] = [None]
_to_tell: list[Callable[[], object]] = []
"""What to call when something has to be compiled."""


def use_kernels(wanted: bool | None = True, *, compiling: Callable[[], object] | None = None) -> None:
    """Compute with compiled kernels from now on where they know the cell; or no longer.

    On the CPU they know the RNN with tanh, both GRUs, the LSTM without and with peepholes, and large products of
    matrices elsewhere, as in an output layer, and need Numba. On a GPU they know the RNN with tanh, the LSTM without
    peepholes, and the GRU that resets after the product, and need nothing more. The first use of a cell compiles its
    kernels, which takes some ten seconds on the CPU and less on a GPU; they are kept on disk for the next process.
    Results differ from those without kernels by rounding.

    Args:
        wanted: whether to use them; None, as it is before the first call: on a GPU, but not on the CPU.
        compiling: called when the first of those for the CPU has to be compiled, because it is not on disk yet.

    Raises:
        DeviceError: there are no kernels to use, for the reasons that it gives.
    """
    if compiling is not None:
        _to_tell[:] = [compiling]
    loops = _loops()[0] if wanted else None
    if wanted and loops is None:
        try:
            gpu_library()
        except DeviceError as error:
            message = f"no kernels for the CPU: {_loops()[1]}; none for a GPU: {error}"
            raise DeviceError(message) from error
    _wanted[:] = [wanted]
    multiply_by(importlib.import_module("minirnn.fast.products").in_tiles if loops else None)


def wanted(device: str) -> bool:
    """Whether kernels are to be used on a device."""
    return device == "gpu" if _wanted[0] is None else _wanted[0]


@functools.cache
def _loops() -> tuple[Any, str]:
    """The module `loops`; or None, and why it cannot be used."""
    try:
        loops = importlib.import_module("minirnn.fast.loops")
        importlib.import_module("minirnn.fast.registers").at_first_compilation(lambda: [tell() for tell in _to_tell])
        return loops, ""
    except ImportError as error:
        return None, f"{error} ({install('kernels')})"
    except RuntimeError as error:  # Numba finds no folder to keep what it compiles
        return None, str(error)


def compiles(cell: Cell, x: Array) -> bool:
    """Whether kernels are wanted, and there are compiled loops of the cell for the arrays at hand."""
    if array_module(x) is not np or not wanted("cpu") or not x.size:
        return False
    loops, _ = _loops()
    return loops is not None and loops.knows(cell)


def compiled(cell: Cell, w: Weights, rows: int) -> tuple[Any, Any]:
    """For a cell for which `compiles` is true the module with the loops, and what stands in for the cell there: see
    `loops.Loop`."""
    loops, _ = _loops()
    return loops, loops.Loop(cell, w, rows)


def compiled_stepper(cell: Cell, weights: Mapping[str, Tensor]) -> CompiledStepper:
    """What walks step by step, for a cell for which `compiles` is true."""
    w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
    _, loop = prepared(lambda: compiled(cell, w, UNKNOWN_STEPS), type(cell).__name__, list(vars(w).values()))
    return CompiledStepper(loop, weights)
