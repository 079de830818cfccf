"""The gated recurrent unit, with the reset gate before or after the recurrent product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, fuse, sigmoid_of
from minirnn.cells.cell import Cell, State, Weights


@fuse
def new_state(z: Array, a_n: Array, h_prev: Array) -> tuple[Array, ...]:
    """What both kinds share: from z and a_n the new h, and its derivatives by a_z and a_n."""
    n = array_module(a_n).tanh(a_n)  # tanh of (3)
    stays = z * (h_prev - n)
    h = n + stays  # (4), rearranged: z * h + (1-z) * n = n + z * (h - n)
    dh_da_z, dh_da_n = stays - stays * z, (1 - z) * (1 - n * n)  # (5)
    return h, dh_da_z, dh_da_n


class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014) as in the paper: the reset gate chooses what of h enters the product.

        (1)  r   = σ(a_r)      a_r = W_r x_t + U_r h_{t-1} + b_r               how much of the past the candidate sees
        (2)  z   = σ(a_z)      a_z = W_z x_t + U_z h_{t-1} + b_z               how much of the past stays
        (3)  n   = tanh(a_n)   a_n = W_n x_t + U_n s + b_n,   s = r * h_{t-1}  the candidate
        (4)  h_t = z * h_{t-1} + (1-z) * n

    With σ' = σ * (1-σ) and tanh' = 1 - tanh², the derivatives of one step, kept on the way forward, are

        (5)  ∂h/∂a_z = (h_{t-1}-n) * z * (1-z)    ∂h/∂a_n = (1-z) * (1-n²)    ∂s/∂a_r = h_{t-1} * r * (1-r)

    and the way back from dh = dL/dh_t, where h_{t-1} is reached by four roads, is

        (6)  da_z = dh * ∂h/∂a_z     da_n = dh * ∂h/∂a_n     ds = U_nᵀ da_n     da_r = ds * ∂s/∂a_r
        (7)  dh_{t-1} = z * dh + r * ds + U_rᵀ da_r + U_zᵀ da_z
        (8)  dU_r = Σ_t da_r h_{t-1}ᵀ     dU_z = Σ_t da_z h_{t-1}ᵀ     dU_n = Σ_t da_n sᵀ

    Columns: gates, s, h and their gradients (H, B); W (3H, I), U (3H, H), b (3H,), in the order r, z, n.
    """

    variants = {"gru": {}}
    gates = "rzn"

    @staticmethod
    @fuse
    def reset(r: Array, h_prev: Array) -> tuple[Array, ...]:
        """s, and its derivative by a_r."""
        s = r * h_prev  # s of (3)
        return s, s - s * r  # ∂s/∂a_r of (5)

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        H = len(h_prev)
        a_rz = wx[: 2 * H] + w.U[: 2 * H] @ h_prev
        r, z = sigmoid_of(a_rz).reshape(2, *h_prev.shape)  # (1), (2)
        s, ds_da_r = self.reset(r, h_prev)  # s of (3), ∂s/∂a_r of (5)
        a_n = wx[2 * H :] + w.U[2 * H :] @ s  # a_n of (3)
        h, dh_da_z, dh_da_n = new_state(z, a_n, h_prev)  # (3)-(5)
        return (h,), (r, z, ds_da_r, dh_da_z, dh_da_n, s)

    def backward(self, w: Weights, kept: Any, dstate: State) -> tuple[Array, State]:
        r, z, ds_da_r, dh_da_z, dh_da_n, _ = kept
        (dh,) = dstate
        H = len(dh)
        da_z, da_n = dh * dh_da_z, dh * dh_da_n  # (6)
        ds = w.U[2 * H :].T @ da_n  # (6)
        da_r = ds * ds_da_r  # (6)
        da = array_module(dh).concatenate((da_r, da_z, da_n))
        dh_prev = z * dh + r * ds + w.U[: 2 * H].T @ da[: 2 * H]  # (7)
        return da, (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        s = xp.concatenate([step_s for *_, step_s in kept], axis=1)  # (H, T·B)
        return {"U": xp.concatenate((da[: 2 * H] @ h_prev, da[2 * H :] @ s.T))}  # (8)


class GRUResetAfterCell(Cell):
    """The gated recurrent unit with the reset gate after the recurrent product, as in cuDNN and PyTorch. All of U
    h_{t-1} is then one product; the candidate has a second bias, b_u, inside the reset. (Cho et al. 2014, first
    preprint version.)

        (1)  r   = σ(a_r)      a_r = W_r x_t + U_r h_{t-1} + b_r
        (2)  z   = σ(a_z)      a_z = W_z x_t + U_z h_{t-1} + b_z
        (3)  n   = tanh(a_n)   a_n = W_n x_t + b_n + r * q,   q = U_n h_{t-1} + b_u
        (4)  h_t = z * h_{t-1} + (1-z) * n

    The derivatives of one step, kept on the way forward, are

        (5)  ∂h/∂a_z = (h_{t-1}-n) * z * (1-z)   ∂h/∂a_n = (1-z) * (1-n²)   ∂a_n/∂a_r = q * r * (1-r)   ∂a_n/∂q = r

    and the way back from dh = dL/dh_t is

        (6)  da_z = dh * ∂h/∂a_z     da_n = dh * ∂h/∂a_n     da_r = da_n * ∂a_n/∂a_r     dq = da_n * r
        (7)  dh_{t-1} = z * dh + U_rᵀ da_r + U_zᵀ da_z + U_nᵀ dq
        (8)  dU_r = Σ_t da_r h_{t-1}ᵀ     dU_z = Σ_t da_z h_{t-1}ᵀ     dU_n = Σ_t dq h_{t-1}ᵀ     db_u = Σ_t dq

    Columns: gates, q, h and their gradients (H, B); W (3H, I), U (3H, H), b (3H,), in the order r, z, n; b_u (H,).
    """

    variants = {"gru-after": {}}
    gates = "rzn"
    extra_blocks = 1  # dq, below da_r, da_z, da_n
    in_torch = True

    @staticmethod
    @fuse
    def reset(r: Array, wx_n: Array, q: Array) -> tuple[Array, ...]:
        """a_n, and its derivative by a_r."""
        rq = r * q
        return wx_n + rq, rq - rq * r  # a_n of (3), ∂a_n/∂a_r of (5)

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        return {**super().weight_shapes(input_size, hidden_size), "b_u": (hidden_size,)}

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        H = len(h_prev)
        uh = w.U @ h_prev
        r, z = sigmoid_of(wx[: 2 * H] + uh[: 2 * H]).reshape(2, *h_prev.shape)  # (1), (2)
        q = uh[2 * H :] + w.b_u[:, None]  # q of (3)
        a_n, da_n_da_r = self.reset(r, wx[2 * H :], q)  # a_n of (3), ∂a_n/∂a_r of (5)
        h, dh_da_z, dh_da_n = new_state(z, a_n, h_prev)  # (3)-(5)
        return (h,), (r, z, da_n_da_r, dh_da_z, dh_da_n)

    def backward(self, w: Weights, kept: Any, dstate: State) -> tuple[Array, State]:
        r, z, da_n_da_r, dh_da_z, dh_da_n = kept
        (dh,) = dstate
        H = len(dh)
        da_z, da_n = dh * dh_da_z, dh * dh_da_n  # (6)
        da_r, dq = da_n * da_n_da_r, da_n * r  # (6)
        da = array_module(dh).concatenate((da_r, da_z, da_n, dq))
        dh_prev = z * dh + w.U[: 2 * H].T @ da[: 2 * H] + w.U[2 * H :].T @ dq  # (7)
        return da, (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        dq = da[3 * H :]  # (H, T·B)
        return {"U": xp.concatenate((da[: 2 * H] @ h_prev, dq @ h_prev)), "b_u": dq.sum(axis=1)}  # (8)

    def weights_from_torch(self, torch_weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        b, b_hh = torch_weights["bias_ih"].copy(), torch_weights["bias_hh"]
        rz = 2 * len(b) // 3
        b[:rz] += b_hh[:rz]
        return {"W": torch_weights["weight_ih"], "U": torch_weights["weight_hh"], "b": b, "b_u": b_hh[rz:]}

    def weights_to_torch(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        b, b_u = weights["b"], weights["b_u"]
        bias_hh = np.concatenate((np.zeros_like(b[: 2 * len(b_u)]), b_u))
        return {"weight_ih": weights["W"], "weight_hh": weights["U"], "bias_ih": b, "bias_hh": bias_hh}
