"""Compiled in place of interpreted: `steps.py` has the steps of the CPU, `cuda.py` the loops of the GPU.

They are the cells' equations once more, and the cells' own steps are their reference. The engine needs none of them,
and uses none until `use_kernels()`.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, gpu_library
from minirnn.cells.cell import Cell, Weights
from minirnn.errors import DeviceError
from minirnn.parallel import look_again

_wanted: list[bool] = [False]


def use_kernels(wanted: bool = True) -> None:
    """Compute with compiled kernels from now on where they know the cell; or no longer.

    On the CPU they know the RNN with tanh, both GRUs, and the LSTM without peepholes; on a GPU the LSTM and the GRU
    that resets after the product. The first use of a cell compiles its kernels, which takes seconds; those of the CPU
    are kept on disk for the next process. Results differ from those without kernels by rounding.

    Raises:
        DeviceError: there are no kernels to use, because neither Numba (with SciPy) nor a GPU is there.
    """
    if wanted:
        try:
            _steps()
        except ImportError as error:
            try:
                gpu_library()
            except DeviceError as no_gpu:
                message = f"no kernels for the CPU: {error} (pip install 'minirnn[kernels]'); none for a GPU: {no_gpu}"
                raise DeviceError(message) from error
    _wanted[:] = [wanted]


def wanted() -> bool:
    """What `use_kernels` was told last."""
    return _wanted[0]


@functools.cache
def _steps() -> Any:
    """The module `steps`, which needs Numba and SciPy."""
    module = importlib.import_module("minirnn.cells.kernels.steps")
    look_again()  # SciPy has a BLAS of its own
    return module


def compiles(cell: Cell, x: Array) -> bool:
    """Whether kernels are wanted and the steps of the cell on the arrays at hand are among those of the CPU."""
    if not wanted() or array_module(x) is not np or not x.size:
        return False
    try:
        return _steps().knows(cell)
    except ImportError:  # they are wanted for a GPU alone
        return False


def compiled(cell: Cell, w: Weights, x: Array, parts: Sequence[slice]) -> Any:
    """What makes the steps along the parts of x (T, B, I): the cell's steps compiled, or the cell itself."""
    if not compiles(cell, x):
        return cell
    return _steps().Steps(cell, w, max(part.stop - part.start for part in parts))
