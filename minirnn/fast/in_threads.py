"""A matrix whose products are shared out among the threads of the CPU.

A decoder with attention walks step by step, and a step is one product with W and one with U. The parts of a batch
cannot be walked by threads of their own, as where the whole walk is known (`walk.py`): between two steps they meet in
the attention. So here each product is cut by itself.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from minirnn.backend import array_module
from minirnn.cells.cell import Weights
from minirnn.parallel import product


def in_threads(w: Weights) -> Weights:
    """The weights of a cell with W and U as `InThreads`; on a GPU as they are."""
    if array_module(w.U) is not np:
        return w
    return SimpleNamespace(**{**vars(w), "W": InThreads(w.W), "U": InThreads(w.U)})


class InThreads:
    """A matrix (rows, K). As from the array, its transpose and some of its rows can be taken, as views."""

    __array_ufunc__ = None  # an array to the left of @ leaves the product to this class

    def __init__(self, matrix: np.ndarray):
        self.matrix = matrix
        self.shape, self.size, self.dtype = matrix.shape, matrix.size, matrix.dtype

    @property
    def T(self) -> InThreads:  # noqa: N802  (as of an array)
        return InThreads(self.matrix.T)

    def __getitem__(self, rows: slice) -> InThreads:
        return InThreads(self.matrix[rows])

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        """The product with x (K, B), or with a stack of one such matrix."""
        return product(self.matrix, x) if x.ndim == 2 else product(self.matrix, x[0])[None]

    def __rmatmul__(self, x: np.ndarray) -> np.ndarray:
        """The product of x (N, rows) with this."""
        return product(x, self.matrix)
