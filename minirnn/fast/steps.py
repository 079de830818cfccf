"""The steps of the cells on the CPU once more, compiled by Numba. (`pip install 'minirnn[kernels]'`)

NumPy makes a step of the LSTM in some thirty calls. Each brings its arrays from the cache and takes a new one there.
Here a step is the product with U, then one loop in which all that is elementwise happens to a number while it is at
hand. The loops over time that call these steps are in `loops.py`, compiled too.

The equations and their numbers are those of `rnn.py`, `gru.py`, `lstm.py` and `lstm_variants.py`, and their steps are
the reference. What is kept for the way back are the factors by which it multiplies: in (9) of the LSTM,
da_i = dc * [g * i * (1-i)], what stands in brackets. They cost little while the gates are at hand.

Here all is rows, (B, …), one sequence in each, as it comes from outside and as tiles multiply it. A step of the batch:

    a (B, rows)              W x_t + b, to which the step adds U h_{t-1}
    h_prev, h, c (B, H)      c is changed from c_{t-1} to c_t in place; a cell that has none ignores it
    kept (K, B, H)           K factors and whatever else the way back needs
    real (B,)                false for a sequence that is padding here: its h is handed on, and nothing is kept

and back

    d_output (B, H)          the gradient of h_t from above
    dh, dc (B, H)            from the gradient that comes from the future to that for the past, in place
    da (B, rows + …)         to be filled; 0 on padding
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from minirnn.backend import Array
from minirnn.fast.packed import add_product
from minirnn.fast.registers import compiled


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


class RNNWeights(NamedTuple):
    """Those of the RNN. On the way forward W and U stand for their transposes, which rows are multiplied by; on the way
    back for themselves."""

    W: Any
    U: Any
    b: Array


class GRUWeights(NamedTuple):
    """Those of the GRU that resets before the product: U_n multiplies something else than U_r and U_z."""

    W: Any
    U: Any  # U_r and U_z
    U_n: Any
    b: Array


class GRUResetAfterWeights(NamedTuple):
    """Those of the GRU that resets after the product. On the way back U_n multiplies something else."""

    W: Any
    U: Any  # U_r and U_z
    U_n: Any
    b: Array
    b_u: Array


class LSTMWeights(NamedTuple):
    """Those of the LSTM."""

    W: Any
    U: Any
    b: Array


class PeepholeLSTMWeights(NamedTuple):
    """Those of the LSTM with peepholes p (3, H)."""

    W: Any
    U: Any
    b: Array
    p: Array


# In the loops below u is one unit of sequence n. `one` and `half` have the precision of the arrays; 1 and 0.5 would
# make it float64. v * (1-i) is written v - v * i. Each row has a name of its own, so that the compiler sees that its
# numbers are neighbours.
I, F, G, O, OF_DH, STAYS, C_PREV, C = range(8)
R, Z, N = range(3)
GRU_R, GRU_Z, GRU_S = 3, 4, 5
BEFORE, AFTER = 6, 5
"""Arrays (B, H) that the GRUs keep."""


@compiled
def rnn(w: RNNWeights, a: Array, h_prev: Array, h: Array, c: Array, kept: Array, real: Array) -> None:
    """The step of `RNNCell`. Kept is 1 - h²."""
    H, one = h.shape[1], a.dtype.type(1)
    add_product(h_prev, 0, w.U, a, 0)
    for n in range(len(h)):
        if not real[n]:
            h[n] = h_prev[n]
            continue
        a_n, h_n, slope = a[n], h[n], kept[0, n]
        for u in range(H):
            new = tanh(a_n[u])  # (2)
            h_n[u], slope[u] = new, one - new * new


@compiled
def rnn_back(w: RNNWeights, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array) -> None:
    """Its step back."""
    H, zero = dh.shape[1], dh.dtype.type(0)
    for n in range(len(dh)):
        da_n, dh_n, above, slope = da[n], dh[n], d_output[n], kept[0, n]
        if not real[n]:
            da_n[:] = 0
            continue
        for u in range(H):
            da_n[u], dh_n[u] = (above[u] + dh_n[u]) * slope[u], zero  # (3)
    add_product(da, 0, w.U, dh, 0)  # (4)


@compiled
def gru(w: GRUWeights, a: Array, h_prev: Array, h: Array, c: Array, kept: Array, real: Array) -> None:
    """The step of `GRUCell`. Kept are the factors of da_r, da_z and da_n, and r, z and s."""
    H, one, half = h.shape[1], a.dtype.type(1), a.dtype.type(0.5)
    add_product(h_prev, 0, w.U, a, 0)
    for n in range(len(h)):
        a_r, past, of_r, kept_r, kept_s = a[n, :H], h_prev[n], kept[R, n], kept[GRU_R, n], kept[GRU_S, n]
        for u in range(H):
            r = sigmoid(a_r[u], half)  # (1)
            s = r * past[u]  # (3)
            of_r[u], kept_r[u], kept_s[u] = s - s * r, r, s  # (8)
    add_product(kept[GRU_S], 0, w.U_n, a, 2 * H)
    for n in range(len(h)):
        past, h_n, kept_s = h_prev[n], h[n], kept[GRU_S, n]
        if not real[n]:
            h_n[:], kept_s[:] = past, 0
            continue
        a_z, a_n, of_z, of_n, kept_z = a[n, H : 2 * H], a[n, 2 * H :], kept[Z, n], kept[N, n], kept[GRU_Z, n]
        for u in range(H):
            z, new = sigmoid(a_z[u], half), tanh(a_n[u])  # (2), n of (3)
            stays = z * (past[u] - new)
            h_n[u] = new + stays  # (4)
            of_z[u], of_n[u], kept_z[u] = stays - stays * z, (one - z) * (one - new * new), z  # (5), (6)


@compiled
def gru_back(w: GRUWeights, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array) -> None:
    """Its step back."""
    H = dh.shape[1]
    ds = np.zeros_like(dh)
    for n in range(len(dh)):
        if not real[n]:
            da[n] = 0
            continue
        da_z, da_n, dh_n, above = da[n, H : 2 * H], da[n, 2 * H :], dh[n], d_output[n]
        of_z, of_n = kept[Z, n], kept[N, n]
        for u in range(H):
            d = above[u] + dh_n[u]
            dh_n[u], da_z[u], da_n[u] = d, d * of_z[u], d * of_n[u]  # (5), (6)
    add_product(da, 2 * H, w.U_n, ds, 0)  # (7)
    for n in range(len(dh)):
        if not real[n]:
            continue
        da_r, dh_n, ds_n = da[n, :H], dh[n], ds[n]
        of_r, r, z = kept[R, n], kept[GRU_R, n], kept[GRU_Z, n]
        for u in range(H):
            da_r[u] = ds_n[u] * of_r[u]  # (8)
            dh_n[u] = z[u] * dh_n[u] + r[u] * ds_n[u]  # z * dh + r * ds of (9)
    add_product(da, 0, w.U, dh, 0)  # the rest of (9)


@compiled
def gru_after(w: GRUResetAfterWeights, a: Array, h_prev: Array, h: Array, c: Array, kept: Array, real: Array) -> None:
    """The step of `GRUResetAfterCell`. Kept are the factors of da_r, da_z and da_n, and r and z."""
    H, one, half = h.shape[1], a.dtype.type(1), a.dtype.type(0.5)
    q = np.empty_like(h)
    for n in range(len(h)):
        q[n] = w.b_u
    add_product(h_prev, 0, w.U, a, 0)
    add_product(h_prev, 0, w.U_n, q, 0)
    for n in range(len(h)):
        past, h_n = h_prev[n], h[n]
        if not real[n]:
            h_n[:] = past
            continue
        a_r, a_z, a_n, q_n = a[n, :H], a[n, H : 2 * H], a[n, 2 * H :], q[n]
        of_r, of_z, of_n, kept_r, kept_z = kept[R, n], kept[Z, n], kept[N, n], kept[GRU_R, n], kept[GRU_Z, n]
        for u in range(H):
            r, z = sigmoid(a_r[u], half), sigmoid(a_z[u], half)  # (1), (2)
            rq = r * q_n[u]
            new = tanh(a_n[u] + rq)  # n of (3)
            stays = z * (past[u] - new)
            h_n[u] = new + stays  # (4)
            of_r[u], of_z[u] = rq - rq * r, stays - stays * z  # (7), (5)
            of_n[u], kept_r[u], kept_z[u] = (one - z) * (one - new * new), r, z  # (6)


@compiled
def gru_after_back(
    w: GRUResetAfterWeights, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array
) -> None:
    """Its step back."""
    H = dh.shape[1]
    for n in range(len(dh)):
        if not real[n]:
            da[n] = 0
            continue
        da_r, da_z, da_n, dq = da[n, :H], da[n, H : 2 * H], da[n, 2 * H : 3 * H], da[n, 3 * H :]
        of_r, of_z, of_n, r, z = kept[R, n], kept[Z, n], kept[N, n], kept[GRU_R, n], kept[GRU_Z, n]
        dh_n, above = dh[n], d_output[n]
        for u in range(H):
            d = above[u] + dh_n[u]
            d_n = d * of_n[u]  # (6)
            da_r[u], da_z[u] = d_n * of_r[u], d * of_z[u]  # (7), (5)
            da_n[u], dq[u] = d_n, d_n * r[u]  # (8)
            dh_n[u] = z[u] * d  # z * dh of (9)
    add_product(da, 0, w.U, dh, 0)  # the rest of (9)
    add_product(da, 3 * H, w.U_n, dh, 0)


@compiled
def lstm(w: LSTMWeights, a: Array, h_prev: Array, h: Array, c: Array, kept: Array, real: Array) -> None:
    """The step of `LSTMCell`. Kept are the factors of da_i, da_f, da_g, da_o, of dh in dc, and of dc in dc_{t-1}."""
    H, half = h.shape[1], a.dtype.type(0.5)
    add_product(h_prev, 0, w.U, a, 0)
    for n in range(len(h)):
        h_n, c_n = h[n], c[n]
        if not real[n]:
            h_n[:] = h_prev[n]
            continue
        a_i, a_f, a_g, a_o = a[n, :H], a[n, H : 2 * H], a[n, 2 * H : 3 * H], a[n, 3 * H :]
        of_i, of_f, of_g, of_o = kept[I, n], kept[F, n], kept[G, n], kept[O, n]
        of_dh, stays = kept[OF_DH, n], kept[STAYS, n]
        for u in range(H):
            i, f, g, o = sigmoid(a_i[u], half), sigmoid(a_f[u], half), tanh(a_g[u]), sigmoid(a_o[u], half)  # (1) … (5)
            written, remembered = i * g, f * c_n[u]
            new = remembered + written  # (4)
            tanh_c = tanh(new)
            shown = o * tanh_c  # (6)
            h_n[u], c_n[u] = shown, new
            of_i[u], of_f[u] = written - written * i, remembered - remembered * f  # (9), (10)
            of_g[u], of_o[u] = i - written * g, shown - shown * o  # (11), (7)
            of_dh[u], stays[u] = o - shown * tanh_c, f  # (8), (12)


@compiled
def lstm_back(w: LSTMWeights, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array) -> None:
    """Its step back."""
    H, zero = dh.shape[1], dh.dtype.type(0)
    for n in range(len(dh)):
        if not real[n]:
            da[n] = 0
            continue
        da_i, da_f, da_g, da_o = da[n, :H], da[n, H : 2 * H], da[n, 2 * H : 3 * H], da[n, 3 * H :]
        of_i, of_f, of_g, of_o = kept[I, n], kept[F, n], kept[G, n], kept[O, n]
        of_dh, stays, dh_n, dc_n, above = kept[OF_DH, n], kept[STAYS, n], dh[n], dc[n], d_output[n]
        for u in range(H):
            d = above[u] + dh_n[u]
            d_c = dc_n[u] + d * of_dh[u]  # (8)
            da_o[u] = d * of_o[u]  # (7)
            da_i[u], da_f[u], da_g[u] = d_c * of_i[u], d_c * of_f[u], d_c * of_g[u]  # (9) to (11)
            dc_n[u], dh_n[u] = d_c * stays[u], zero  # (12)
    add_product(da, 0, w.U, dh, 0)  # (13)


@compiled
def peephole_lstm(
    w: PeepholeLSTMWeights, a: Array, h_prev: Array, h: Array, c: Array, kept: Array, real: Array
) -> None:
    """The step of the LSTM whose gates see the memory. Beside what `lstm` keeps, c_{t-1} and c_t are kept."""
    H, half = h.shape[1], a.dtype.type(0.5)
    add_product(h_prev, 0, w.U, a, 0)
    p_i, p_f, p_o = w.p[0], w.p[1], w.p[2]
    for n in range(len(h)):
        h_n, c_n, before, after = h[n], c[n], kept[C_PREV, n], kept[C, n]
        if not real[n]:
            h_n[:], before[:], after[:] = h_prev[n], 0, 0
            continue
        a_i, a_f, a_g, a_o = a[n, :H], a[n, H : 2 * H], a[n, 2 * H : 3 * H], a[n, 3 * H :]
        of_i, of_f, of_g, of_o = kept[I, n], kept[F, n], kept[G, n], kept[O, n]
        of_dh, stays = kept[OF_DH, n], kept[STAYS, n]
        for u in range(H):
            old = c_n[u]
            i, f = sigmoid(a_i[u] + p_i[u] * old, half), sigmoid(a_f[u] + p_f[u] * old, half)  # (1), (2)
            g = tanh(a_g[u])  # (3)
            written, remembered = i * g, f * old
            new = remembered + written  # (4)
            o, tanh_c = sigmoid(a_o[u] + p_o[u] * new, half), tanh(new)  # (5)
            shown = o * tanh_c  # (6)
            h_n[u], c_n[u], before[u], after[u] = shown, new, old, new
            of_i[u], of_f[u] = written - written * i, remembered - remembered * f  # (10), (9)
            of_g[u], of_o[u] = i - written * g, shown - shown * o  # (11), (7)
            of_dh[u], stays[u] = o - shown * tanh_c, f  # (8), (12)


@compiled
def peephole_lstm_back(
    w: PeepholeLSTMWeights, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array
) -> None:
    """Its step back."""
    H, zero = dh.shape[1], dh.dtype.type(0)
    p_i, p_f, p_o = w.p[0], w.p[1], w.p[2]
    for n in range(len(dh)):
        if not real[n]:
            da[n] = 0
            continue
        da_i, da_f, da_g, da_o = da[n, :H], da[n, H : 2 * H], da[n, 2 * H : 3 * H], da[n, 3 * H :]
        of_i, of_f, of_g, of_o = kept[I, n], kept[F, n], kept[G, n], kept[O, n]
        of_dh, stays, dh_n, dc_n, above = kept[OF_DH, n], kept[STAYS, n], dh[n], dc[n], d_output[n]
        for u in range(H):
            d = above[u] + dh_n[u]
            d_o = d * of_o[u]  # (7)
            d_c = dc_n[u] + d * of_dh[u] + p_o[u] * d_o  # (8)
            d_i, d_f = d_c * of_i[u], d_c * of_f[u]  # (10), (9)
            da_i[u], da_f[u], da_g[u], da_o[u] = d_i, d_f, d_c * of_g[u], d_o  # (11)
            dc_n[u] = d_c * stays[u] + p_i[u] * d_i + p_f[u] * d_f  # (12)
            dh_n[u] = zero
    add_product(da, 0, w.U, dh, 0)  # (13)


STEPS: dict[type, tuple[Callable, Callable]] = {
    RNNWeights: (rnn, rnn_back),
    GRUWeights: (gru, gru_back),
    GRUResetAfterWeights: (gru_after, gru_after_back),
    LSTMWeights: (lstm, lstm_back),
    PeepholeLSTMWeights: (peephole_lstm, peephole_lstm_back),
}
"""The step and the step back, by what the weights are."""


def step(w: Any, a: Array, h_prev: Array, h: Array, c: Array, kept: Array, real: Array) -> None:
    """The step that goes with the weights, for compiled code alone."""
    raise NotImplementedError("only compiled code calls this")


@overload(step, strict=False)
def _step(w: Any, a: Any, h_prev: Any, h: Any, c: Any, kept: Any, real: Any) -> Callable:
    chosen, _ = STEPS[w.instance_class]
    return lambda w, a, h_prev, h, c, kept, real: chosen(w, a, h_prev, h, c, kept, real)


def step_back(w: Any, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array) -> None:
    """The step back that goes with the weights, for compiled code alone."""
    raise NotImplementedError("only compiled code calls this")


@overload(step_back, strict=False)
def _step_back(w: Any, kept: Any, d_output: Any, dh: Any, dc: Any, da: Any, real: Any) -> Callable:
    _, chosen = STEPS[w.instance_class]
    return lambda w, kept, d_output, dh, dc, da, real: chosen(w, kept, d_output, dh, dc, da, real)
