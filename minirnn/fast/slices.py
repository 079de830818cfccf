"""A matrix that is multiplied with one thin matrix after another, as U is with h_0, h_1, h_2, ….

A BLAS copies the matrices of a product into an order of its own ("packs" them) before it multiplies. For square
matrices that is a trifle. For U h, with a batch of 32 columns, it is a fifth of the time, and it happens again at every
step, although U is the same. OpenBLAS leaves the packing out for products of at most 100³ multiplications. So the
product of U is computed slice by slice, each small enough:

    U h = [U_1 h]     U_j: some rows of U         and where U is wide:   U h = Σ_k U_k h_k     U_k: some columns of U
          [U_2 h]                                                                              h_k: the same rows of h
          [ …   ]

and all slices are one call of NumPy, which multiplies stacks of matrices. Goto & van de Geijn (2008) describe what
packing is for.
"""

from __future__ import annotations

from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.backend import array_module
from minirnn.cells.cell import Weights
from minirnn.parallel import multiplies_unpacked

UNPACKED_LIMIT = 1_000_000
"""Multiplications of a product up to which OpenBLAS does not pack (`sgemm_small_kernel_permit`)."""

MOST_ROWS, MOST_COLUMNS, FEWEST_ROWS = 128, 1024, 24
"""Of a slice: more rows bring nothing, more columns fall out of the nearest cache, and fewer rows waste registers."""

MOST_THIN = 96
"""Columns of the other matrix up to which packing is worth avoiding."""

FAR_APART = 2048
"""Bytes from column to column beyond which a transposed slice is copied together once: its rows are each a few numbers
out of a long row of the matrix, and at such distances they push one another out of the cache."""


def for_steps(w: Weights, B: int) -> Weights:
    """The weights of a cell for many steps of B sequences in one thread, W and U as `Slices` where that is faster."""
    if array_module(w.U) is not np or not multiplies_unpacked():
        return w
    sliced = {name: Slices(a) for name in ("W", "U") if (a := getattr(w, name)).size * B > UNPACKED_LIMIT}
    return SimpleNamespace(**{**vars(w), **sliced}) if sliced else w


class Slices:
    """A matrix (rows, K) on the CPU whose products are computed slice by slice. It can be transposed, and rows can be
    taken from it, as from the array; all are views of it."""

    __array_ufunc__ = None  # an array to the left of @ leaves the product to this class

    def __init__(self, matrix: np.ndarray):
        self.matrix = matrix
        self._views: dict[Any, Any] = {}
        self._plans: dict[tuple[int, ...], tuple[Any, ...]] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return self.matrix.shape

    @property
    def T(self) -> Slices:  # noqa: N802  (as of an array)
        return self._views.get("T") or self._views.setdefault("T", Slices(self.matrix.T))

    def __getitem__(self, rows: slice) -> Slices:
        key = rows.start, rows.stop
        return self._views.get(key) or self._views.setdefault(key, Slices(self.matrix[rows]))

    def __rmatmul__(self, x: np.ndarray) -> np.ndarray:
        """The product of x (…, rows) with this."""
        return x @ self.matrix

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        """The product with x (…, K, B)."""
        return self.multiply(x)

    def multiply(self, x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The product with x (…, K, B), in `out` (…, rows, B) if that is given."""
        if x.shape not in self._plans:
            self._plans[x.shape] = self._plan(x.shape)
        sliced, x_shape, shape, rest = self._plans[x.shape]
        if sliced is None:
            return np.matmul(self.matrix, x, out=out)
        x = np.ascontiguousarray(x)  # OpenBLAS would pack a transposed one
        shaped = x if x_shape is None else x.reshape(x_shape)
        if out is not None and sliced.ndim == 3 and rest is None:
            out_in_slices = out.reshape(*x.shape[:-2], *sliced.shape[:2], x.shape[-1])
            np.matmul(sliced, shaped, out=out_in_slices)
            return out
        products = np.matmul(sliced, shaped)
        product = (products.sum(axis=-4) if sliced.ndim == 4 else products).reshape(shape)
        product = product if rest is None else np.concatenate((product, rest @ x), axis=-2)
        if out is None:
            return product
        out[...] = product
        return out

    def _plan(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """For an x of this shape the slices (n, s, K), or (pieces, n, s, K / pieces); the shape x is multiplied in, if
        that is another; that of the product; and the rows that are left over."""
        *stack, K, B = shape
        if B > MOST_THIN:
            return None, None, None, None
        if B not in self._views:
            self._views[B] = self._cut(B)
        sliced, rest = self._views[B]
        pieces, n, s, k = sliced.shape
        x_shape: tuple[int, ...] | None = (*stack, pieces, 1, k, B)
        if pieces == 1:
            sliced, x_shape = sliced[0], (*stack, 1, K, B) if stack else None
        return sliced, x_shape, (*stack, n * s, B), rest if len(rest) else None

    def _cut(self, B: int) -> tuple[np.ndarray, np.ndarray]:
        """The slices for a right-hand side of B columns, and the rows that do not fill one."""
        rows, K = self.matrix.shape
        pieces = next(
            (p for p in range(ceil(K / MOST_COLUMNS), K) if K % p == 0 and UNPACKED_LIMIT * p >= FEWEST_ROWS * K * B), 1
        )
        k = K // pieces
        s = max(1, min(MOST_ROWS, rows, UNPACKED_LIMIT // max(1, k * B)))
        s = next((d for d in range(s, s // 2, -1) if rows % d == 0), s)
        n = rows // s
        down, right = self.matrix.strides
        sliced = np.lib.stride_tricks.as_strided(
            self.matrix, (pieces, n, s, k), (k * right, s * down, down, right), writeable=False
        )
        if right >= FAR_APART:
            sliced = np.ascontiguousarray(sliced.swapaxes(2, 3)).swapaxes(2, 3)
        return sliced, self.matrix[n * s :]
