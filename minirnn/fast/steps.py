"""The steps of the cells on the CPU once more, compiled by Numba. (`pip install 'minirnn[kernels]'`)

NumPy makes a step of the LSTM in some thirty calls. Each brings its arrays from the cache and takes a new one there,
and each asks for Python's lock, for which the threads of `minirnn.parallel` wait in turn. Here a step is one call: the
product with U, then one loop in which all that is elementwise happens to a number while it is at hand. Time, lengths
and the rest stay in `bptt.py`, which calls these steps instead of the cell's own.

The equations and their numbers are those of `rnn.py`, `gru.py` and `lstm.py`, and their steps are the reference. What
is kept for the way back are the factors by which it multiplies: in (9) of the LSTM, da_i = dc * [g * i * (1-i)], what
stands in brackets. They cost little while the gates are at hand. This is the only file that imports numba.

U is cut into tiles (A, C, m, k): tile [a, c] has the rows a·m … and the columns c·k …, and is so small that OpenBLAS
multiplies it as it lies in memory (see `slices.py`). The same tiles serve both ways:

    U h   is, in its rows a·m …,   Σ_c U[a, c] h[c·k …]
    Uᵀ da is, in its rows c·k …,   Σ_a U[a, c]ᵀ da[a·m …]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401  (by which Numba multiplies matrices)
from numba import njit, types
from numba.extending import overload

from minirnn.backend import Array
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import GRUCell, GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.rnn import RNNCell
from minirnn.fast.slices import UNPACKED_LIMIT

MOST_ROWS, MOST_COLUMNS = 128, 256
"""Of a tile."""

compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "arcp", "nsz"})
"""Sums may be reordered and products be fused with them, but nan and inf stay what they are."""


def tanh(a: float) -> float:
    """tanh in the precision of a, for compiled code alone."""
    raise NotImplementedError("only compiled code calls this")


@overload(tanh, strict=False)
def _tanh(a: Any) -> Callable:
    """In float64 the C library's tanh, a call for each number. In float32 a ratio of polynomials, which is computed for
    16 numbers at once. It is fitted to tanh on [0, 8] for the smallest relative error: below 4e-7, with rounding."""
    if a != types.float32:
        return lambda a: math.tanh(a)
    limit, one = np.float32(8), np.float32(1)
    p1, p2, p3, p4 = (np.float32(p) for p in (0.134444961, 3.57159581e-3, 2.1894624e-5, 1.52303608e-8))
    q1, q2, q3, q4 = (np.float32(q) for q in (0.467778235, 2.61644346e-2, 3.41128834e-4, 8.52242431e-7))

    def ratio(a: Any) -> Any:
        a = -limit if a < -limit else (limit if a > limit else a)  # written so, nan stays nan
        s = a * a
        return a * (one + s * (p1 + s * (p2 + s * (p3 + s * p4)))) / (one + s * (q1 + s * (q2 + s * (q3 + s * q4))))

    return ratio


@compiled
def sigmoid(a: float, half: float) -> float:
    """σ(a), with 1/2 in the precision of a."""
    return half + half * tanh(half * a)


@compiled
def product(U: Array, first: int, last: int, h: Array) -> Array:
    """U h for the tiles' rows `first` to `last`: ((last-first)·m, B)."""
    _, C, m, k = U.shape
    uh, part = np.empty(((last - first) * m, h.shape[1]), h.dtype), np.empty((m, h.shape[1]), h.dtype)
    for a in range(first, last):
        rows = uh[(a - first) * m : (a - first + 1) * m]
        np.dot(U[a, 0], h[:k], rows)
        for c in range(1, C):
            np.dot(U[a, c], h[c * k : (c + 1) * k], part)
            rows += part
    return uh


@compiled
def add_transposed_product(U: Array, first: int, last: int, da: Array, dh_prev: Array) -> None:
    """dh_prev += Uᵀ da for the tiles' rows `first` to `last` of U, with da ((last-first)·m, B)."""
    _, C, m, k = U.shape
    part = np.empty((k, da.shape[1]), da.dtype)
    for c in range(C):
        rows = dh_prev[c * k : (c + 1) * k]
        for a in range(first, last):
            np.dot(U[a, c].T, da[(a - first) * m : (a - first + 1) * m], part)
            rows += part


# In the loops below n is one unit in one sequence, and a row of an array has all of them, for one gate: wx[F, n] is an
# element of W_f x_t + b_f, u[F, n] of U_f h_{t-1}. `one` and `half` have the precision of the arrays; 1 and 0.5 would
# make it float64. v * (1-i) is written v - v * i.
I, F, G, O = range(4)
R, Z, N, Q = range(4)


@compiled
def rnn(U: Array, wx: Array, h_prev: Array) -> tuple[Array, Array]:
    """The step of `RNNCell`. Kept is 1 - h²."""
    size, shape, one = h_prev.size, h_prev.shape, wx.dtype.type(1)
    u, wx = product(U, 0, len(U), h_prev).reshape(size), wx.reshape(size)
    h, kept = np.empty_like(u), np.empty_like(u)
    for n in range(size):
        h_n = tanh(wx[n] + u[n])  # (1), (2)
        h[n], kept[n] = h_n, one - h_n * h_n
    return h.reshape(shape), kept.reshape(shape)


@compiled
def rnn_back(U: Array, kept: Array, dh: Array, da: Array) -> tuple[Array]:
    """Its step back, which fills da."""
    da[:], dh_prev = dh * kept, np.zeros_like(dh)  # (3)
    add_transposed_product(U, 0, len(U), da, dh_prev)  # (4)
    return (dh_prev,)


@compiled
def gru(U: Array, wx: Array, h_prev: Array) -> tuple[Array, Array]:
    """The step of `GRUCell`. Kept are the factors of da_r, da_z and da_n, and r, z and s."""
    size, shape, one, half = h_prev.size, h_prev.shape, wx.dtype.type(1), wx.dtype.type(0.5)
    of_n = len(U) // 3 * 2  # where the tiles of U_n begin
    wx, u, h_prev = wx.reshape((3, size)), product(U, 0, of_n, h_prev).reshape((2, size)), h_prev.reshape(size)
    h, kept = np.empty_like(h_prev), np.empty((6, size), wx.dtype)
    for n in range(size):
        r = sigmoid(wx[R, n] + u[R, n], half)  # (1)
        s = r * h_prev[n]  # (3)
        kept[R, n], kept[3, n], kept[5, n] = s - s * r, r, s  # (8)
    u_n = product(U, of_n, len(U), kept[5].reshape(shape)).reshape(size)
    for n in range(size):
        z = sigmoid(wx[Z, n] + u[Z, n], half)  # (2)
        new = tanh(wx[N, n] + u_n[n])  # n of (3)
        stays = z * (h_prev[n] - new)
        h[n] = new + stays  # (4)
        kept[Z, n], kept[N, n], kept[4, n] = stays - stays * z, (one - z) * (one - new * new), z  # (5), (6)
    return h.reshape(shape), kept.reshape((6 * shape[0], shape[1]))


@compiled
def gru_back(U: Array, kept: Array, dh: Array, da: Array) -> tuple[Array]:
    """Its step back, which fills da."""
    H, size, of_n = len(dh), dh.size, len(U) // 3 * 2
    kept, dh, da_of, dh_prev = kept.reshape((6, size)), dh.reshape(size), da.reshape((3, size)), np.empty_like(dh)
    ds = np.zeros_like(dh_prev)
    for n in range(size):
        da_of[Z, n], da_of[N, n] = dh[n] * kept[Z, n], dh[n] * kept[N, n]  # (5), (6)
    add_transposed_product(U, of_n, len(U), da[2 * H :], ds)  # (7)
    ds, to_h = ds.reshape(size), dh_prev.reshape(size)
    for n in range(size):
        da_of[R, n] = ds[n] * kept[R, n]  # (8)
        to_h[n] = kept[4, n] * dh[n] + kept[3, n] * ds[n]  # z * dh + r * ds of (9)
    add_transposed_product(U, 0, of_n, da[: 2 * H], dh_prev)  # the rest of (9)
    return (dh_prev,)


@compiled
def gru_after(U: Array, b_u: Array, wx: Array, h_prev: Array) -> tuple[Array, Array]:
    """The step of `GRUResetAfterCell`. Kept are the factors of da_r, da_z and da_n, and r and z."""
    size, shape, one, half = h_prev.size, h_prev.shape, wx.dtype.type(1), wx.dtype.type(0.5)
    u, b_u = product(U, 0, len(U), h_prev).reshape((3, size)), np.repeat(b_u, shape[1])
    wx, h_prev, kept = wx.reshape((3, size)), h_prev.reshape(size), np.empty((5, size), wx.dtype)
    h = np.empty_like(h_prev)
    for n in range(size):
        r, z = sigmoid(wx[R, n] + u[R, n], half), sigmoid(wx[Z, n] + u[Z, n], half)  # (1), (2)
        rq = r * (u[N, n] + b_u[n])  # with q of (3)
        new = tanh(wx[N, n] + rq)  # n of (3)
        stays = z * (h_prev[n] - new)
        h[n] = new + stays  # (4)
        kept[R, n], kept[Z, n] = rq - rq * r, stays - stays * z  # (7), (5)
        kept[N, n], kept[3, n], kept[4, n] = (one - z) * (one - new * new), r, z  # (6)
    return h.reshape(shape), kept.reshape((5 * shape[0], shape[1]))


@compiled
def gru_after_back(U: Array, kept: Array, dh: Array, da: Array) -> tuple[Array]:
    """Its step back, which fills da."""
    H, size, of_n = len(dh), dh.size, len(U) // 3 * 2
    kept, dh, da_of, dh_prev = kept.reshape((5, size)), dh.reshape(size), da.reshape((4, size)), np.empty_like(dh)
    to_h = dh_prev.reshape(size)
    for n in range(size):
        da_n = dh[n] * kept[N, n]  # (6)
        da_of[R, n], da_of[Z, n] = da_n * kept[R, n], dh[n] * kept[Z, n]  # (7), (5)
        da_of[N, n], da_of[Q, n] = da_n, da_n * kept[3, n]  # (8)
        to_h[n] = kept[4, n] * dh[n]  # z * dh of (9)
    add_transposed_product(U, 0, of_n, da[: 2 * H], dh_prev)  # the rest of (9)
    add_transposed_product(U, of_n, len(U), da[3 * H :], dh_prev)
    return (dh_prev,)


@compiled
def lstm(U: Array, wx: Array, h_prev: Array, c_prev: Array) -> tuple[Array, Array, Array]:
    """The step of `LSTMCell`. Kept are the factors of da_i, da_f, da_g, da_o, of dh in dc, and of dc in dc_{t-1}."""
    size, shape, half = h_prev.size, h_prev.shape, wx.dtype.type(0.5)
    u, wx, c_prev = product(U, 0, len(U), h_prev).reshape((4, size)), wx.reshape((4, size)), c_prev.reshape(size)
    h, c, kept = np.empty_like(c_prev), np.empty_like(c_prev), np.empty((6, size), wx.dtype)
    for n in range(size):
        i, f = sigmoid(wx[I, n] + u[I, n], half), sigmoid(wx[F, n] + u[F, n], half)  # (1), (2)
        g, o = tanh(wx[G, n] + u[G, n]), sigmoid(wx[O, n] + u[O, n], half)  # (3), (5)
        written, remembered = i * g, f * c_prev[n]
        c_n = remembered + written  # (4)
        tanh_c = tanh(c_n)
        h_n = o * tanh_c  # (6)
        h[n], c[n] = h_n, c_n
        kept[I, n], kept[F, n] = written - written * i, remembered - remembered * f  # (9), (10)
        kept[G, n], kept[O, n] = i - written * g, h_n - h_n * o  # (11), (7)
        kept[4, n], kept[5, n] = o - h_n * tanh_c, f  # (8), (12)
    return h.reshape(shape), c.reshape(shape), kept.reshape((6 * shape[0], shape[1]))


@compiled
def lstm_back(U: Array, kept: Array, dh: Array, dc_from_future: Array, da: Array) -> tuple[Array, Array]:
    """Its step back, which fills da."""
    shape, size = dh.shape, dh.size
    kept, dc_from_future, dh_prev = kept.reshape((6, size)), dc_from_future.reshape(size), np.zeros_like(dh)
    dh, da_of, dc_prev = dh.reshape(size), da.reshape((4, size)), np.empty_like(dc_from_future)
    for n in range(size):
        da_of[O, n] = dh[n] * kept[O, n]  # (7)
        dc = dc_from_future[n] + dh[n] * kept[4, n]  # (8)
        da_of[I, n], da_of[F, n], da_of[G, n] = dc * kept[I, n], dc * kept[F, n], dc * kept[G, n]  # (9) to (11)
        dc_prev[n] = dc * kept[5, n]  # (12)
    add_transposed_product(U, 0, len(U), da, dh_prev)  # (13)
    return dh_prev, dc_prev.reshape(shape)


STEPS: dict[type[Cell], tuple[Callable, Callable]] = {
    RNNCell: (rnn, rnn_back),
    GRUCell: (gru, gru_back),
    GRUResetAfterCell: (gru_after, gru_after_back),
    LSTMCell: (lstm, lstm_back),
}
"""Of each cell that is known the step and the step back."""


def knows(cell: Cell) -> bool:
    """Whether there are compiled steps of the cell."""
    return type(cell) in STEPS


class Steps:
    """The steps of a cell, compiled, with its U cut into tiles. It takes the place of the cell in a loop over time.

    Args:
        cell: a cell that is known.
        w: its weights.
    """

    def __init__(self, cell: Cell, w: Weights):
        self.cell, self.U, self.extra_blocks, self.adds_bias = cell, w.U, cell.extra_blocks, cell.adds_bias
        self.step, self.step_back = STEPS[type(cell)]
        self.more = (w.b_u,) if isinstance(cell, GRUResetAfterCell) else ()
        self._tiles: dict[int, Array] = {}

    def tiles(self, B: int) -> Array:
        """U in tiles for products with B columns."""
        if B not in self._tiles:
            self._tiles[B] = tiles(self.U, B)
        return self._tiles[B]

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        """As `Cell.forward`."""
        *new, kept = self.step(self.tiles(wx.shape[1]), *self.more, wx, *map(np.ascontiguousarray, state))
        return tuple(new), kept

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        filled = np.empty(da.shape, da.dtype)
        d_prev = self.step_back(self.tiles(da.shape[1]), kept, *map(np.ascontiguousarray, dstate), filled)
        da[:] = filled
        return d_prev

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        """As `Cell.weight_gradients`."""
        if isinstance(self.cell, GRUCell):  # whose s is kept elsewhere
            H = h_prev.shape[1]
            kept = [(None, None, None, step[5 * H :], None) for step in kept]
        return self.cell.weight_gradients(da, h_prev, kept)


def tiles(U: Array, B: int) -> Array:
    """U (rows, H) as tiles (A, C, m, k), for products with B columns. No tile has rows of two gates."""
    rows, H = U.shape
    m = _divisor(H, MOST_ROWS)
    k = _divisor(H, min(MOST_COLUMNS, UNPACKED_LIMIT // (m * max(B, 1))))
    return np.ascontiguousarray(U.reshape(rows // m, m, H // k, k).swapaxes(1, 2))


def _divisor(n: int, most: int) -> int:
    """The largest divisor of n up to `most`; n itself if there is none above a third of `most`."""
    return next((d for d in range(min(n, most), most // 3, -1) if n % d == 0), n)
