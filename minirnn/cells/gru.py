"""The gated recurrent unit, with the reset gate before or after the recurrent product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, sigmoid, tanh
from minirnn.cells.cell import Cell, MemoryGate, State, Weights


class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014) as in the paper: the reset gate chooses what of h enters the product.

        (1)  r   = σ(a_r)      a_r = W_r x_t + U_r h_{t-1} + b_r               how much of the past the candidate sees
        (2)  z   = σ(a_z)      a_z = W_z x_t + U_z h_{t-1} + b_z               how much of the past stays
        (3)  s   = r * h_{t-1}
             n   = tanh(a_n)   a_n = W_n x_t + U_n s + b_n                     the candidate
        (4)  h_t = z * h_{t-1} + (1-z) * n

    z = 1 keeps the past and z = 0 replaces it by the candidate, as in PyTorch; other texts (such as Chung et al. 2014)
    call z what is 1-z here. The way back, from dh = dL/dh_t, where h_{t-1} is reached by four roads:

        (5)  dz = dh * (h_{t-1} - n)       da_z = dz * z * (1-z)
        (6)  dn = dh * (1-z)               da_n = dn * (1 - n²)
        (7)  ds = U_nᵀ da_n
        (8)  dr = ds * h_{t-1}             da_r = dr * r * (1-r)
        (9)  dh_{t-1} = z * dh + r * ds + U_rᵀ da_r + U_zᵀ da_z
        (10) dU_r = Σ_t da_r h_{t-1}ᵀ      dU_z = Σ_t da_z h_{t-1}ᵀ      dU_n = Σ_t da_n sᵀ

    Columns: gates, s, h and their gradients (H, B); W (3H, I), U (3H, H), b (3H,), in the order r, z, n. The sums over
    all t that make dW, db and dx are in `bptt.py`, as for every cell.
    """

    variants = {"gru": {}}
    gates = "rzn"
    memory_gate = MemoryGate("z", sign=1)  # (4): z = 1 keeps h, and 1-z writes

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        H = len(h_prev)
        a_r, a_z = (wx[: 2 * H] + w.U[: 2 * H] @ h_prev).reshape(2, *h_prev.shape)
        r = sigmoid(a_r)  # (1)
        z = sigmoid(a_z)  # (2)
        s = r * h_prev  # (3)
        a_n = wx[2 * H :] + w.U[2 * H :] @ s  # (3)
        n = tanh(a_n)  # (3)
        h = z * h_prev + (1 - z) * n  # (4)
        return (h,), (r, z, n, s, h_prev)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        r, z, n, _, h_prev = kept
        (dh,) = dstate
        H = len(dh)
        da_r, da_z, da_n = da.reshape(3, *dh.shape)  # to be filled; da is all of them below one another
        dz = dh * (h_prev - n)  # (5)
        da_z[:] = dz * z * (1 - z)  # (5): z * (1-z) is σ'(a_z), expressed through z = σ(a_z)
        dn = dh * (1 - z)  # (6)
        da_n[:] = dn * (1 - n * n)  # (6)
        ds = w.U[2 * H :].T @ da_n  # (7)
        dr = ds * h_prev  # (8)
        da_r[:] = dr * r * (1 - r)  # (8)
        dh_prev = z * dh + r * ds + w.U[: 2 * H].T @ da[: 2 * H]  # (9): four roads, of which the last product has two
        return (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        s_of_all = xp.concatenate([s for _, _, _, s, _ in kept], axis=1)  # (H, T·B), in columns; h_prev is in rows
        return {"U": xp.concatenate((da[: 2 * H] @ h_prev, da[2 * H :] @ s_of_all.T))}  # (10)


class GRUResetAfterCell(Cell):
    """The gated recurrent unit with the reset gate after the recurrent product, as in cuDNN and PyTorch. Before the
    product, r decides for each unit of h whether the candidates of all units see it; after it, r decides for each
    candidate how much of its own sum over the past it takes. All of U h_{t-1} is then one product, and need not wait
    for r; the candidate has a second bias, b_u, inside the reset. (Cho et al. 2014, first preprint version.)

        (1)  r   = σ(a_r)      a_r = W_r x_t + U_r h_{t-1} + b_r
        (2)  z   = σ(a_z)      a_z = W_z x_t + U_z h_{t-1} + b_z
        (3)  n   = tanh(a_n)   a_n = W_n x_t + b_n + r * q,   q = U_n h_{t-1} + b_u
        (4)  h_t = z * h_{t-1} + (1-z) * n

    The way back, from dh = dL/dh_t:

        (5)  dz = dh * (h_{t-1} - n)       da_z = dz * z * (1-z)
        (6)  dn = dh * (1-z)               da_n = dn * (1 - n²)
        (7)  dr = da_n * q                 da_r = dr * r * (1-r)
        (8)  dq = da_n * r
        (9)  dh_{t-1} = z * dh + U_rᵀ da_r + U_zᵀ da_z + U_nᵀ dq
        (10) dU_r = Σ_t da_r h_{t-1}ᵀ      dU_z = Σ_t da_z h_{t-1}ᵀ      dU_n = Σ_t dq h_{t-1}ᵀ      db_u = Σ_t dq

    Columns: gates, q, h and their gradients (H, B); W (3H, I), U (3H, H), b (3H,), in the order r, z, n; b_u (H,).
    """

    variants = {"gru-after": {}}
    gates = "rzn"
    memory_gate = MemoryGate("z", sign=1)  # (4): z = 1 keeps h, and 1-z writes
    extra_blocks = 1  # dq, below da_r, da_z, da_n
    in_torch = True

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        return {**super().weight_shapes(input_size, hidden_size), "b_u": (hidden_size,)}

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        wx_r, wx_z, wx_n = wx.reshape(3, *h_prev.shape)
        uh_r, uh_z, uh_n = (w.U @ h_prev).reshape(3, *h_prev.shape)
        r = sigmoid(wx_r + uh_r)  # (1)
        z = sigmoid(wx_z + uh_z)  # (2)
        q = uh_n + w.b_u[:, None]  # (3)
        n = tanh(wx_n + r * q)  # (3)
        h = z * h_prev + (1 - z) * n  # (4)
        return (h,), (r, z, n, q, h_prev)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        r, z, n, q, h_prev = kept
        (dh,) = dstate
        H = len(dh)
        da_r, da_z, da_n, dq = da.reshape(4, *dh.shape)  # to be filled; da is all of them below one another
        dz = dh * (h_prev - n)  # (5)
        da_z[:] = dz * z * (1 - z)  # (5): z * (1-z) is σ'(a_z), expressed through z = σ(a_z)
        dn = dh * (1 - z)  # (6)
        da_n[:] = dn * (1 - n * n)  # (6)
        dr = da_n * q  # (7)
        da_r[:] = dr * r * (1 - r)  # (7)
        dq[:] = da_n * r  # (8)
        dh_prev = z * dh + w.U[: 2 * H].T @ da[: 2 * H] + w.U[2 * H :].T @ dq  # (9)
        return (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        dq = da[3 * H :]  # (H, T·B)
        return {"U": xp.concatenate((da[: 2 * H] @ h_prev, dq @ h_prev)), "b_u": dq.sum(axis=1)}  # (10)

    def weights_from_torch(self, torch_weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        b, b_hh = torch_weights["bias_ih"].copy(), torch_weights["bias_hh"]
        rz = 2 * len(b) // 3
        b[:rz] += b_hh[:rz]
        return {"W": torch_weights["weight_ih"], "U": torch_weights["weight_hh"], "b": b, "b_u": b_hh[rz:]}

    def weights_to_torch(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        b, b_u = weights["b"], weights["b_u"]
        bias_hh = np.concatenate((np.zeros_like(b[: 2 * len(b_u)]), b_u))
        return {"weight_ih": weights["W"], "weight_hh": weights["U"], "bias_ih": b, "bias_hh": bias_hh}
