"""Cells that normalise their pre-activations at every step (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.backend import Array, array_module, sigmoid_in_place
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import new_state, new_state_derivatives
from minirnn.cells.lstm import LSTMCell

EPSILON = 1e-5


def standardize(v: Array) -> tuple[Array, Array]:
    """Each column of v (rows, B) with mean 0 and variance 1,

        n = (v - mean v) / s,   s = sqrt(var v + ε),

    and 1 / s (1, B)."""
    centred = v - v.mean(axis=0, keepdims=True)
    inverse = 1 / array_module(v).sqrt((centred * centred).mean(axis=0, keepdims=True) + EPSILON)
    return centred * inverse, inverse


def standardize_back(dn: Array, n: Array, inverse: Array) -> Array:
    """From dn to dv: moving all of a column, or stretching it, changes nothing, so those parts of dn are taken out.

    dv = (dn - mean dn - n * mean(dn * n)) / s
    """
    return (dn - dn.mean(axis=0, keepdims=True) - n * (dn * n).mean(axis=0, keepdims=True)) * inverse


class LayerNormLSTMCell(Cell):
    """The LSTM with layer normalisation, after the paper's (20)-(22). LN(v) is `standardize`, over all 4H rows of a
    product and not gate by gate, for so the paper writes it: the gates share one scale, and keep how they differ in
    size. Each product has a gain γ, and the bias b comes after them:

        (1)  a   = γ_w * LN(W x_t) + γ_u * LN(U h_{t-1}) + b       a_i, a_f, a_g, a_o below one another
        (2)  c_t = σ(a_f) * c_{t-1} + σ(a_i) * tanh(a_g)
        (3)  m   = γ_c * LN(c_t) + b_c
        (4)  h_t = σ(a_o) * tanh(m)

    and back, where the derivatives inside (2) and (4) are those of the LSTM:

        (5)  da_o = dh * ∂h/∂a_o     dm = dh * ∂h/∂m
        (6)  dc   = dc_from_future + LN'(γ_c * dm)
        (7)  da_i = dc * ∂c/∂a_i     da_f = dc * ∂c/∂a_f     da_g = dc * ∂c/∂a_g     dc_{t-1} = dc * σ(a_f)
        (8)  d(W x) = LN'(γ_w * da)     d(U h) = LN'(γ_u * da)     dh_{t-1} = Uᵀ d(U h)
        (9)  dU = Σ_t d(U h) h_{t-1}ᵀ   dγ_w = Σ_t da * LN(W x)    dγ_u = Σ_t da * LN(U h)    db = Σ_t da
             dγ_c = Σ_t dm * LN(c)      db_c = Σ_t dm

    with LN' for `standardize_back`. Columns; W (4H, I), U (4H, H), b, gain_w and gain_u (4H,), gain_c and b_c (H,).
    """

    variants = {"lstm-layer-norm": {}}
    gates = "ifgo"
    num_states = 2
    extra_blocks = 9  # d(U h), da and dm, below d(W x)
    adds_bias = True
    initial_values = {"gain_w": 1.0, "gain_u": 1.0, "gain_c": 1.0, "b_c": 0.0}

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        rows, H = 4 * hidden_size, hidden_size
        return {**shapes, "gain_w": (rows,), "gain_u": (rows,), "gain_c": (H,), "b_c": (H,)}

    def forward(self, w: Weights, a: Array, state: State) -> tuple[State, Any]:
        h_prev, c_prev = state
        xp = array_module(a)
        norm_w, norm_u = standardize(a), standardize(w.U @ h_prev)
        a = w.gain_w[:, None] * norm_w[0] + w.gain_u[:, None] * norm_u[0] + w.b[:, None]  # (1)
        gates = a.reshape(4, *h_prev.shape)  # a_i, a_f, a_g and a_o, which become the gates in place
        i, f, g, o = gates
        sigmoid_in_place(gates[:2])  # of (2)
        remembered, tanh_m = xp.empty_like(c_prev), xp.empty_like(c_prev)
        c = LSTMCell.write_memory(i, f, g, c_prev, remembered)  # (2)
        norm_c = standardize(c)
        m = w.gain_c[:, None] * norm_c[0] + w.b_c[:, None]  # (3)
        h = LSTMCell.read_memory(o, m, tanh_m)  # (4)
        LSTMCell.memory_derivatives(i, f, g, remembered)
        LSTMCell.output_derivatives(o, tanh_m)
        dc_da, dh_da_o, dh_dm = (i, remembered, g), o, tanh_m  # which these have become
        return (h, c), (norm_w, norm_u, norm_c, dc_da, f, dh_da_o, dh_dm)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        norm_w, norm_u, norm_c, dc_da, f, dh_da_o, dh_dm = kept
        dh, dc_from_future = dstate
        da_o, dm = dh * dh_da_o, dh * dh_dm  # (5)
        dc = dc_from_future + standardize_back(w.gain_c[:, None] * dm, *norm_c)  # (6)
        concatenate = array_module(dh).concatenate
        da_gates = concatenate((*(dc * slope for slope in dc_da), da_o))  # (7)
        dwx = standardize_back(w.gain_w[:, None] * da_gates, *norm_w)  # (8)
        duh = standardize_back(w.gain_u[:, None] * da_gates, *norm_u)  # (8)
        concatenate((dwx, duh, da_gates, dm), out=da)
        return w.U.T @ duh, dc * f  # (8), (7)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H = h_prev.shape[1]
        xp = array_module(da)
        duh, da_gates, dm = da[4 * H : 8 * H], da[8 * H : 12 * H], da[12 * H :]
        n_w, n_u, n_c = (xp.concatenate([step[i][0] for step in kept], axis=1) for i in range(3))
        return {  # (9)
            "U": duh @ h_prev,
            "b": da_gates.sum(axis=1),
            "gain_w": (da_gates * n_w).sum(axis=1),
            "gain_u": (da_gates * n_u).sum(axis=1),
            "gain_c": (dm * n_c).sum(axis=1),
            "b_c": dm.sum(axis=1),
        }


class LayerNormGRUCell(Cell):
    """The GRU with layer normalisation, after the paper's (23)-(25): the reset gate works on the normalised product.
    As the paper writes it, LN goes over the 2H rows of r and z together, and over the H of the candidate.

        (1)  a_rz = γ_w * LN(W_rz x_t) + γ_u * LN(U_rz h_{t-1}) + b_rz      r = σ(a_r)   z = σ(a_z)
        (2)  a_n  = γ_w * LN(W_n x_t) + b_n + r * q,    q = γ_u * LN(U_n h_{t-1}) + b_u
        (3)  h_t  = z * h_{t-1} + (1-z) * tanh(a_n)

    (with each γ and b meaning its rows), and back, where ∂h/∂a_z and ∂h/∂a_n are those of the GRU:

        (4)  da_z = dh * ∂h/∂a_z     da_n = dh * ∂h/∂a_n     dq = da_n * r     da_r = da_n * q * r * (1-r)
        (5)  d(W x) = LN'(γ_w * da)                 with da = (da_r, da_z, da_n)
             d(U h) = LN'(γ_u * dy)                 with dy = (da_r, da_z, dq)
        (6)  dh_{t-1} = z * dh + Uᵀ d(U h)
        (7)  dU = Σ_t d(U h) h_{t-1}ᵀ   db = Σ_t da   db_u = Σ_t dq   dγ_w = Σ_t da * LN(W x)   dγ_u = Σ_t dy * LN(U h)

    Columns; W (3H, I), U (3H, H), b, gain_w and gain_u (3H,), in the order r, z, n; b_u (H,).
    """

    variants = {"gru-layer-norm": {}}
    gates = "rzn"
    extra_blocks = 7  # d(U h), da_r, da_z, da_n and dq, below d(W x)
    adds_bias = True
    initial_values = {"gain_w": 1.0, "gain_u": 1.0}

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        return {**shapes, "gain_w": (3 * hidden_size,), "gain_u": (3 * hidden_size,), "b_u": (hidden_size,)}

    @staticmethod
    def _standardize(v: Array, H: int) -> tuple[Array, tuple[Array, Array]]:
        (n_rz, s_rz), (n_n, s_n) = standardize(v[: 2 * H]), standardize(v[2 * H :])
        return array_module(v).concatenate((n_rz, n_n)), (s_rz, s_n)

    @staticmethod
    def _standardize_back(dn: Array, n: Array, inverse: tuple[Array, Array]) -> Array:
        rz = 2 * len(n) // 3
        parts = (
            standardize_back(dn[:rz], n[:rz], inverse[0]),
            standardize_back(dn[rz:], n[rz:], inverse[1]),
        )
        return array_module(dn).concatenate(parts)

    def forward(self, w: Weights, a: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        H = len(h_prev)
        norm_w, norm_u = self._standardize(a, H), self._standardize(w.U @ h_prev, H)
        y_w = w.gain_w[:, None] * norm_w[0] + w.b[:, None]
        y_u = w.gain_u[:, None] * norm_u[0]
        rz = (y_w[: 2 * H] + y_u[: 2 * H]).reshape(2, *h_prev.shape)
        sigmoid_in_place(rz)  # (1)
        r, z = rz
        q = y_u[2 * H :] + w.b_u[:, None]  # (2)
        n = y_w[2 * H :] + r * q  # a_n of (2), which becomes n in place
        shift = array_module(a).empty_like(h_prev)
        h = new_state(z, n, h_prev, shift)  # (3)
        new_state_derivatives(z, n, shift)
        dh_da_z, dh_da_n = shift, n  # which these have become
        return (h,), (norm_w, norm_u, r, q, z, dh_da_z, dh_da_n)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        norm_w, norm_u, r, q, z, dh_da_z, dh_da_n = kept
        (dh,) = dstate
        concatenate = array_module(dh).concatenate
        da_z, da_n = dh * dh_da_z, dh * dh_da_n  # (4)
        dq, da_r = da_n * r, da_n * q * r * (1 - r)  # (4)
        da_gates, dy = concatenate((da_r, da_z, da_n)), concatenate((da_r, da_z, dq))
        dwx = self._standardize_back(w.gain_w[:, None] * da_gates, *norm_w)  # (5)
        duh = self._standardize_back(w.gain_u[:, None] * dy, *norm_u)  # (5)
        dh_prev = z * dh + w.U.T @ duh  # (6)
        concatenate((dwx, duh, da_gates, dq), out=da)
        return (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        duh, da_gates, dq = da[3 * H : 6 * H], da[6 * H : 9 * H], da[9 * H :]
        dy = xp.concatenate((da_gates[: 2 * H], dq))
        n_w, n_u = (xp.concatenate([step[i][0] for step in kept], axis=1) for i in range(2))
        return {  # (7)
            "U": duh @ h_prev,
            "b": da_gates.sum(axis=1),
            "b_u": dq.sum(axis=1),
            "gain_w": (da_gates * n_w).sum(axis=1),
            "gain_u": (dy * n_u).sum(axis=1),
        }
