"""Cells that normalise their pre-activations at every step (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.backend import Array, array_module, sigmoid, tanh
from minirnn.cells.cell import Cell, MemoryGate, State, Weights

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
        (2)  i = σ(a_i)     f = σ(a_f)     g = tanh(a_g)     o = σ(a_o)
        (3)  c_t = f * c_{t-1} + i * g
        (4)  m   = γ_c * LN(c_t) + b_c
        (5)  h_t = o * tanh(m)

    and back, where (2) and (3) are those of the LSTM:

        (6)  do = dh * tanh(m)       dm = dh * o * (1 - tanh²(m))
        (7)  dc = dc_from_future + LN'(γ_c * dm)
        (8)  di = dc * g             df = dc * c_{t-1}       dg = dc * i       dc_{t-1} = dc * f
        (9)  da_i = di * i * (1-i)   da_f = df * f * (1-f)   da_g = dg * (1 - g²)   da_o = do * o * (1-o)
        (10) d(W x) = LN'(γ_w * da)     d(U h) = LN'(γ_u * da)     dh_{t-1} = Uᵀ d(U h)
        (11) dU = Σ_t d(U h) h_{t-1}ᵀ   dγ_w = Σ_t da * LN(W x)    dγ_u = Σ_t da * LN(U h)    db = Σ_t da
             dγ_c = Σ_t dm * LN(c)      db_c = Σ_t dm

    with LN' for `standardize_back`. Columns; W (4H, I), U (4H, H), b, gain_w and gain_u (4H,), gain_c and b_c (H,).
    """

    variants = {"lstm-layer-norm": {}}
    gates = "ifgo"
    memory_gate = MemoryGate("f", sign=1, input_gate="i")  # (3): f = 1 keeps c
    num_states = 2
    extra_blocks = 9  # d(U h), da and dm, below d(W x)
    adds_bias = True
    initial_values = {"gain_w": 1.0, "gain_u": 1.0, "gain_c": 1.0, "b_c": 0.0}

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        rows, H = 4 * hidden_size, hidden_size
        return {**shapes, "gain_w": (rows,), "gain_u": (rows,), "gain_c": (H,), "b_c": (H,)}

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        h_prev, c_prev = state
        norm_w, norm_u = standardize(wx), standardize(w.U @ h_prev)
        a = w.gain_w[:, None] * norm_w[0] + w.gain_u[:, None] * norm_u[0] + w.b[:, None]  # (1)
        a_i, a_f, a_g, a_o = a.reshape(4, *h_prev.shape)
        i, f, g, o, c = self.write(a_i, a_f, a_g, a_o, c_prev)  # (2), (3)
        norm_c = standardize(c)
        m = w.gain_c[:, None] * norm_c[0] + w.b_c[:, None]  # (4)
        tanh_m, h = self.read(o, m)  # (5)
        return (h, c), (norm_w, norm_u, norm_c, i, f, g, o, tanh_m, c_prev)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        norm_w, norm_u, norm_c, i, f, g, o, tanh_m, c_prev = kept
        dh, dc_from_future = dstate
        do, dm = self.read_back(dh, o, tanh_m)  # (6)
        dc = dc_from_future + standardize_back(w.gain_c[:, None] * dm, *norm_c)  # (7)
        *da_ifgo, dc_prev = self.write_back(dc, do, i, f, g, o, c_prev)  # (8), (9)
        concatenate = array_module(dh).concatenate
        da_gates = concatenate(da_ifgo)
        dwx = standardize_back(w.gain_w[:, None] * da_gates, *norm_w)  # (10)
        duh = standardize_back(w.gain_u[:, None] * da_gates, *norm_u)  # (10)
        dh_prev = w.U.T @ duh  # (10)
        concatenate((dwx, duh, da_gates, dm), out=da)
        return dh_prev, dc_prev

    @staticmethod
    def write(a_i: Array, a_f: Array, a_g: Array, a_o: Array, c_prev: Array) -> tuple[Array, ...]:
        """(2) and (3): i, f, g, o and c_t."""
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)  # (2)
        return i, f, g, o, f * c_prev + i * g  # (3)

    @staticmethod
    def read(o: Array, m: Array) -> tuple[Array, Array]:
        """(5): tanh(m) and h_t."""
        tanh_m = tanh(m)
        return tanh_m, o * tanh_m  # (5)

    @staticmethod
    def read_back(dh: Array, o: Array, tanh_m: Array) -> tuple[Array, Array]:
        """(6): do and dm."""
        return dh * tanh_m, dh * o * (1 - tanh_m * tanh_m)  # (6)

    @staticmethod
    def write_back(dc: Array, do: Array, i: Array, f: Array, g: Array, o: Array, c_prev: Array) -> tuple[Array, ...]:
        """(8) and (9): da_i, da_f, da_g, da_o and dc_{t-1}."""
        di, df, dg, dc_prev = dc * g, dc * c_prev, dc * i, dc * f  # (8)
        return di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o), dc_prev  # (9)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H = h_prev.shape[1]
        xp = array_module(da)
        duh, da_gates, dm = da[4 * H : 8 * H], da[8 * H : 12 * H], da[12 * H :]
        n_w, n_u, n_c = (xp.concatenate([step[i][0] for step in kept], axis=1) for i in range(3))
        return {  # (11)
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

    (with each γ and b meaning its rows), and back, as in the GRU, with n = tanh(a_n):

        (4)  dz = dh * (h_{t-1} - n)   da_z = dz * z * (1-z)     dn = dh * (1-z)   da_n = dn * (1 - n²)
        (5)  dr = da_n * q             da_r = dr * r * (1-r)     dq = da_n * r
        (6)  d(W x) = LN'(γ_w * da)                 with da = (da_r, da_z, da_n)
             d(U h) = LN'(γ_u * dy)                 with dy = (da_r, da_z, dq)
        (7)  dh_{t-1} = z * dh + Uᵀ d(U h)
        (8)  dU = Σ_t d(U h) h_{t-1}ᵀ   db = Σ_t da   db_u = Σ_t dq   dγ_w = Σ_t da * LN(W x)   dγ_u = Σ_t dy * LN(U h)

    Columns; W (3H, I), U (3H, H), b, gain_w and gain_u (3H,), in the order r, z, n; b_u (H,).
    """

    variants = {"gru-layer-norm": {}}
    gates = "rzn"
    memory_gate = MemoryGate("z", sign=1)  # (3): z = 1 keeps h, and 1-z writes
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

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        norm_w = self._standardize(wx, len(h_prev))
        norm_u = self._standardize(w.U @ h_prev, len(h_prev))
        x_r, x_z, x_n = (w.gain_w[:, None] * norm_w[0] + w.b[:, None]).reshape(3, *h_prev.shape)
        u_r, u_z, u_n = (w.gain_u[:, None] * norm_u[0]).reshape(3, *h_prev.shape)
        r, z, n, q, h = self.choose(x_r, x_z, x_n, u_r, u_z, u_n, w.b_u[:, None], h_prev)  # (1), (2), (3)
        return (h,), (norm_w, norm_u, r, z, n, q, h_prev)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        norm_w, norm_u, r, z, n, q, h_prev = kept
        (dh,) = dstate
        da_r, da_z, da_n, dq = self.choose_back(dh, r, z, n, q, h_prev)  # (4), (5)
        concatenate = array_module(dh).concatenate
        da_gates, dy = concatenate((da_r, da_z, da_n)), concatenate((da_r, da_z, dq))
        dwx = self._standardize_back(w.gain_w[:, None] * da_gates, *norm_w)  # (6)
        duh = self._standardize_back(w.gain_u[:, None] * dy, *norm_u)  # (6)
        dh_prev = z * dh + w.U.T @ duh  # (7)
        concatenate((dwx, duh, da_gates, dq), out=da)
        return (dh_prev,)

    @staticmethod
    def choose(
        x_r: Array, x_z: Array, x_n: Array, u_r: Array, u_z: Array, u_n: Array, b_u: Array, h_prev: Array
    ) -> tuple[Array, ...]:
        """(1) to (3), from both normalised products: r, z, n, q and h_t."""
        r, z = sigmoid(x_r + u_r), sigmoid(x_z + u_z)  # (1)
        q = u_n + b_u  # (2)
        n = tanh(x_n + r * q)  # (2), (3)
        return r, z, n, q, z * h_prev + (1 - z) * n  # (3)

    @staticmethod
    def choose_back(dh: Array, r: Array, z: Array, n: Array, q: Array, h_prev: Array) -> tuple[Array, ...]:
        """(4) and (5): da_r, da_z, da_n and dq."""
        dz, dn = dh * (h_prev - n), dh * (1 - z)  # (4)
        da_z, da_n = dz * z * (1 - z), dn * (1 - n * n)  # (4)
        dr, dq = da_n * q, da_n * r  # (5)
        return dr * r * (1 - r), da_z, da_n, dq  # (5)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        duh, da_gates, dq = da[3 * H : 6 * H], da[6 * H : 9 * H], da[9 * H :]
        dy = xp.concatenate((da_gates[: 2 * H], dq))
        n_w, n_u = (xp.concatenate([step[i][0] for step in kept], axis=1) for i in range(2))
        return {  # (8)
            "U": duh @ h_prev,
            "b": da_gates.sum(axis=1),
            "b_u": dq.sum(axis=1),
            "gain_w": (da_gates * n_w).sum(axis=1),
            "gain_u": (dy * n_u).sum(axis=1),
        }
