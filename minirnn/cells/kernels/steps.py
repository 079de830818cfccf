"""The steps of the cells on the CPU once more, compiled by Numba. (`pip install 'minirnn[kernels]'`)

NumPy makes a step of the LSTM in some thirty calls. Each brings its arrays from the cache and takes a new one there,
and each asks for Python's lock, for which the threads of `minirnn.parallel` wait in turn. Here a step is one call: the
product with U, then one loop in which all that is elementwise happens to a number while it is at hand. Time, lengths
and the rest stay in `bptt.py`, which calls these steps instead of the cell's own.

The equations and their numbers are those of `rnn.py`, `gru.py` and `lstm.py`, and their steps are the reference: what
is returned here is the same, and what is kept is what the cell's `derivatives` make of what it keeps: at once, for they
cost little while the gates are at hand. This is the only file that imports numba.

U is cut into tiles (A, C, m, k): tile [a, c] has the rows a·m … and the columns c·k …, and is so small that OpenBLAS
multiplies it as it lies in memory (see `slices.py`). The same tiles serve both ways:

    U h   is, in its rows a·m …,   Σ_c U[a, c] h[c·k …]
    Uᵀ da is, in its rows c·k …,   Σ_a U[a, c]ᵀ da[a·m …]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401  (by which Numba multiplies matrices)
from numba import njit, types
from numba.extending import overload

from minirnn.autograd.activations import ACTIVATIONS
from minirnn.backend import Array
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import GRUCell, GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.rnn import RNNCell
from minirnn.cells.slices import UNPACKED_LIMIT

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
        a = -limit if a < -limit else (limit if a > limit else a)  # written so, nan shift nan
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
# element of W_f x_t + b_f, u[F, n] of U_f h_{t-1}. The rows of `kept` are in the cell's order. `one` and `half` have
# the precision of the arrays; 1 and 0.5 would make it float64.
I, F, G, O = range(4)
R, Z, N, Q = range(4)


@compiled
def rnn(U: Array, wx: Array, h_prev: Array) -> tuple[Array, Array]:
    """The step of `RNNCell` with tanh. Kept is ∂h/∂a."""
    size, shape, one = h_prev.size, h_prev.shape, wx.dtype.type(1)
    u, wx = product(U, 0, len(U), h_prev).reshape(size), wx.reshape(size)
    h, dh_da = np.empty_like(u), np.empty_like(u)
    for n in range(size):
        h_n = tanh(wx[n] + u[n])  # (1), (2)
        h[n], dh_da[n] = h_n, one - h_n * h_n
    return h.reshape(shape), dh_da.reshape(shape)


@compiled
def rnn_back(U: Array, dh_da: Array, dh: Array, da: Array) -> tuple[Array]:
    """Its step back, which fills da."""
    da[:], dh_prev = dh * dh_da, np.zeros_like(dh)  # (3)
    add_transposed_product(U, 0, len(U), da, dh_prev)  # (4)
    return (dh_prev,)


@compiled
def gru(U: Array, wx: Array, h_prev: Array) -> tuple[Array, Array]:
    """The step of `GRUCell`. Kept are r, z, ∂h/∂a_n, ∂h/∂a_z, s and ∂s/∂a_r."""
    size, shape, one, half = h_prev.size, h_prev.shape, wx.dtype.type(1), wx.dtype.type(0.5)
    of_n = len(U) // 3 * 2  # where the tiles of U_n begin
    wx, u, h_prev = wx.reshape((3, size)), product(U, 0, of_n, h_prev).reshape((2, size)), h_prev.reshape(size)
    h, kept = np.empty_like(h_prev), np.empty((6, size), wx.dtype)
    for n in range(size):
        r = sigmoid(wx[R, n] + u[R, n], half)  # (1)
        s = r * h_prev[n]  # s of (3)
        kept[0, n], kept[4, n], kept[5, n] = r, s, s - s * r  # (5)
    u_n = product(U, of_n, len(U), kept[4].reshape(shape)).reshape(size)
    for n in range(size):
        z = sigmoid(wx[Z, n] + u[Z, n], half)  # (2)
        new = tanh(wx[N, n] + u_n[n])  # n of (3)
        shift = z * (h_prev[n] - new)
        h[n] = new + shift  # (4)
        kept[1, n], kept[2, n], kept[3, n] = z, (one - z) * (one - new * new), shift - shift * z  # (5)
    return h.reshape(shape), kept.reshape((6 * shape[0], shape[1]))


@compiled
def gru_back(U: Array, kept: Array, dh: Array, da: Array) -> tuple[Array]:
    """Its step back, which fills da."""
    H, size, of_n = len(dh), dh.size, len(U) // 3 * 2
    kept, dh, da_of, dh_prev = kept.reshape((6, size)), dh.reshape(size), da.reshape((3, size)), np.empty_like(dh)
    ds = np.zeros_like(dh_prev)
    for n in range(size):
        da_of[Z, n], da_of[N, n] = dh[n] * kept[3, n], dh[n] * kept[2, n]  # (6)
    add_transposed_product(U, of_n, len(U), da[2 * H :], ds)  # (6)
    ds, to_h = ds.reshape(size), dh_prev.reshape(size)
    for n in range(size):
        da_of[R, n] = ds[n] * kept[5, n]  # (6)
        to_h[n] = kept[1, n] * dh[n] + kept[0, n] * ds[n]  # z * dh + r * ds of (7)
    add_transposed_product(U, 0, of_n, da[: 2 * H], dh_prev)  # the rest of (7)
    return (dh_prev,)


@compiled
def gru_after(U: Array, b_u: Array, wx: Array, h_prev: Array) -> tuple[Array, Array]:
    """The step of `GRUResetAfterCell`. Kept are r, z, ∂h/∂a_n, ∂h/∂a_z and ∂a_n/∂a_r."""
    size, shape, one, half = h_prev.size, h_prev.shape, wx.dtype.type(1), wx.dtype.type(0.5)
    u, b_u = product(U, 0, len(U), h_prev).reshape((3, size)), np.repeat(b_u, shape[1])
    wx, h_prev, kept = wx.reshape((3, size)), h_prev.reshape(size), np.empty((5, size), wx.dtype)
    h = np.empty_like(h_prev)
    for n in range(size):
        r, z = sigmoid(wx[R, n] + u[R, n], half), sigmoid(wx[Z, n] + u[Z, n], half)  # (1), (2)
        rq = r * (u[N, n] + b_u[n])  # with q of (3)
        new = tanh(wx[N, n] + rq)  # n of (3)
        shift = z * (h_prev[n] - new)
        h[n] = new + shift  # (4)
        kept[0, n], kept[1, n], kept[4, n] = r, z, rq - rq * r  # (5)
        kept[2, n], kept[3, n] = (one - z) * (one - new * new), shift - shift * z  # (5)
    return h.reshape(shape), kept.reshape((5 * shape[0], shape[1]))


@compiled
def gru_after_back(U: Array, kept: Array, dh: Array, da: Array) -> tuple[Array]:
    """Its step back, which fills da."""
    H, size, of_n = len(dh), dh.size, len(U) // 3 * 2
    kept, dh, da_of, dh_prev = kept.reshape((5, size)), dh.reshape(size), da.reshape((4, size)), np.empty_like(dh)
    to_h = dh_prev.reshape(size)
    for n in range(size):
        da_n = dh[n] * kept[2, n]  # (6)
        da_of[R, n], da_of[Z, n] = da_n * kept[4, n], dh[n] * kept[3, n]  # (6)
        da_of[N, n], da_of[Q, n] = da_n, da_n * kept[0, n]  # (6)
        to_h[n] = kept[1, n] * dh[n]  # z * dh of (7)
    add_transposed_product(U, 0, of_n, da[: 2 * H], dh_prev)  # the rest of (7)
    add_transposed_product(U, of_n, len(U), da[3 * H :], dh_prev)
    return (dh_prev,)


@compiled
def lstm(U: Array, wx: Array, h_prev: Array, c_prev: Array) -> tuple[Array, Array, Array]:
    """The step of `LSTMCell` without peepholes. Kept are ∂c/∂a_i, f, ∂c/∂a_g, ∂h/∂a_o, ∂c/∂a_f and ∂h/∂c."""
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
        kept[0, n], kept[4, n], kept[2, n] = written - written * i, remembered - remembered * f, i - written * g  # (7)
        kept[1, n], kept[3, n], kept[5, n] = f, h_n - h_n * o, o - h_n * tanh_c  # (7), (8)
    return h.reshape(shape), c.reshape(shape), kept.reshape((6 * shape[0], shape[1]))


@compiled
def lstm_back(U: Array, kept: Array, dh: Array, dc_from_future: Array, da: Array) -> tuple[Array, Array]:
    """Its step back, which fills da."""
    shape, size = dh.shape, dh.size
    kept, dc_from_future, dh_prev = kept.reshape((6, size)), dc_from_future.reshape(size), np.zeros_like(dh)
    dh, da_of, dc_prev = dh.reshape(size), da.reshape((4, size)), np.empty_like(dc_from_future)
    for n in range(size):
        da_of[O, n] = dh[n] * kept[3, n]  # (9)
        dc = dc_from_future[n] + dh[n] * kept[5, n]  # (10)
        da_of[I, n], da_of[F, n], da_of[G, n] = dc * kept[0, n], dc * kept[4, n], dc * kept[2, n]  # (11)
        dc_prev[n] = dc * kept[1, n]  # (12)
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
    """Whether there are compiled steps of the cell, as it is configured."""
    other = (isinstance(cell, RNNCell) and cell.activate is not ACTIVATIONS["tanh"]) or getattr(
        cell, "peepholes", False
    )
    return type(cell) in STEPS and not other


class Steps:
    """The steps of a cell, compiled, with its U cut into tiles. It takes the place of the cell in a loop over time.

    Args:
        cell: a cell that is known.
        w: its weights.
        B: how many sequences are walked along at once, at most.
    """

    kept_blocks = 0  # what is kept is in arrays of its own

    def __init__(self, cell: Cell, w: Weights, B: int):
        self.step, self.step_back = STEPS[type(cell)]
        self.U = tiles(w.U, B)
        self.more = (w.b_u,) if isinstance(cell, GRUResetAfterCell) else ()

    def forward(self, w: Weights, a: Array, state: State) -> tuple[State, Any]:
        """As `Cell.forward`."""
        *new, kept = self.step(self.U, *self.more, a, *state)
        return tuple(new), kept

    def derivatives(self, a: Array) -> None:
        """As `Cell.derivatives`: `forward` has kept them."""

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        return self.step_back(self.U, kept, *map(np.ascontiguousarray, dstate), da)


def tiles(U: Array, B: int) -> Array:
    """U (rows, H) as tiles (A, C, m, k), for products with B columns. No tile has rows of two gates."""
    rows, H = U.shape
    m = _divisor(H, MOST_ROWS)
    k = _divisor(H, min(MOST_COLUMNS, UNPACKED_LIMIT // (m * B)))
    return np.ascontiguousarray(U.reshape(rows // m, m, H // k, k).swapaxes(1, 2))


def _divisor(n: int, most: int) -> int:
    """The largest divisor of n up to `most`; n itself if there is none above a third of `most`."""
    return next((d for d in range(min(n, most), most // 3, -1) if n % d == 0), n)
