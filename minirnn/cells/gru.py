"""The gated recurrent unit, with the reset gate before or after the recurrent product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, fuse, sigmoid_in_place
from minirnn.cells.cell import Cell, State, Weights, blocks


@fuse
def new_state(z: Array, n: Array, h_prev: Array, shift: Array) -> Array:
    """h_t, as both kinds have it: (4) rearranged, z * h + (1-z) * n = n + z * (h - n). On the way a_n becomes n, in
    place, and `shift` z * (h_{t-1} - n)."""
    xp = array_module(n)
    xp.tanh(n, out=n)  # tanh of (3)
    xp.subtract(h_prev, n, out=shift)
    shift *= z
    return n + shift  # (4)


@fuse
def new_state_derivatives(z: Array, n: Array, shift: Array) -> None:
    """In place, n becomes ∂h/∂a_n, and `shift` ∂h/∂a_z. (In the code v * (1-z) is v - v * z.)"""
    xp = array_module(n)
    xp.multiply(1 - z, 1 - n * n, out=n)  # (5)
    xp.subtract(shift, shift * z, out=shift)  # (5)


class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014) as in the paper: the reset gate chooses what of h enters the product.

        (1)  r   = σ(a_r)      a_r = W_r x_t + U_r h_{t-1} + b_r               how much of the past the candidate sees
        (2)  z   = σ(a_z)      a_z = W_z x_t + U_z h_{t-1} + b_z               how much of the past shift
        (3)  n   = tanh(a_n)   a_n = W_n x_t + U_n s + b_n,   s = r * h_{t-1}  the candidate
        (4)  h_t = z * h_{t-1} + (1-z) * n

    With σ' = σ * (1-σ) and tanh' = 1 - tanh², the derivatives of one step, computed for many steps at once, are

        (5)  ∂h/∂a_z = (h_{t-1}-n) * z * (1-z)    ∂h/∂a_n = (1-z) * (1-n²)    ∂s/∂a_r = h_{t-1} * r * (1-r)

    and the way back from dh = dL/dh_t, where h_{t-1} is reached by four roads, is

        (6)  da_z = dh * ∂h/∂a_z     da_n = dh * ∂h/∂a_n     ds = U_nᵀ da_n     da_r = ds * ∂s/∂a_r
        (7)  dh_{t-1} = z * dh + r * ds + U_rᵀ da_r + U_zᵀ da_z
        (8)  dU_r = Σ_t da_r h_{t-1}ᵀ     dU_z = Σ_t da_z h_{t-1}ᵀ     dU_n = Σ_t da_n sᵀ

    Columns: gates, s, h and their gradients (H, B); W (3H, I), U (3H, H), b (3H,), in the order r, z, n.
    """

    variants = {"gru": {}}
    gates = "rzn"
    kept_blocks = 3  # z * (h_{t-1} - n), which becomes ∂h/∂a_z; s, for (8); and room for ∂s/∂a_r

    def forward(self, w: Weights, a: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        H = len(h_prev)
        r, z, n, shift, s, _ = a.reshape(6, *h_prev.shape)  # the gates are a_r, a_z and a_n until σ or tanh
        a_rz = a[: 2 * H]
        a_rz += w.U[: 2 * H] @ h_prev  # of (1), (2)
        sigmoid_in_place(a_rz)  # (1), (2)
        array_module(a).multiply(r, h_prev, out=s)  # s of (3)
        n += w.U[2 * H :] @ s  # a_n of (3)
        h = new_state(z, n, h_prev, shift)  # (3), (4)
        return (h,), a

    def derivatives(self, a: Array) -> None:
        r, z, n, shift, s, ds_da_r = blocks(a, 6)
        new_state_derivatives(z, n, shift)  # (5)
        array_module(a).subtract(s, s * r, out=ds_da_r)  # (5)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        (dh,) = dstate
        r, z, dh_da_n, dh_da_z, _, ds_da_r = kept.reshape(6, *dh.shape)
        H, xp = len(dh), array_module(dh)
        da_r, da_z, da_n = da.reshape(3, *dh.shape)
        xp.multiply(dh, dh_da_z, out=da_z)  # (6)
        xp.multiply(dh, dh_da_n, out=da_n)  # (6)
        ds = w.U[2 * H :].T @ da_n  # (6)
        xp.multiply(ds, ds_da_r, out=da_r)  # (6)
        dh_prev = z * dh + r * ds + w.U[: 2 * H].T @ da[: 2 * H]  # (7)
        return (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H, xp = h_prev.shape[1], array_module(da)
        s = xp.concatenate([a[4 * H : 5 * H] for a in kept], axis=1)  # (H, T·B)
        return {"U": xp.concatenate((da[: 2 * H] @ h_prev, da[2 * H :] @ s.T))}  # (8)


class GRUResetAfterCell(Cell):
    """The gated recurrent unit with the reset gate after the recurrent product, as in cuDNN and PyTorch. All of U
    h_{t-1} is then one product; the candidate has a second bias, b_u, inside the reset. (Cho et al. 2014, first
    preprint version.)

        (1)  r   = σ(a_r)      a_r = W_r x_t + U_r h_{t-1} + b_r
        (2)  z   = σ(a_z)      a_z = W_z x_t + U_z h_{t-1} + b_z
        (3)  n   = tanh(a_n)   a_n = W_n x_t + b_n + r * q,   q = U_n h_{t-1} + b_u
        (4)  h_t = z * h_{t-1} + (1-z) * n

    The derivatives of one step, computed for many steps at once, are

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
    kept_blocks = 2  # z * (h_{t-1} - n), which becomes ∂h/∂a_z, and r * q, which becomes ∂a_n/∂a_r
    in_torch = True

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        return {**super().weight_shapes(input_size, hidden_size), "b_u": (hidden_size,)}

    def forward(self, w: Weights, a: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        H = len(h_prev)
        r, z, n, shift, rq = a.reshape(5, *h_prev.shape)  # the gates are a_r, a_z and a_n until σ or tanh
        a_rz, uh = a[: 2 * H], w.U @ h_prev
        a_rz += uh[: 2 * H]  # of (1), (2)
        sigmoid_in_place(a_rz)  # (1), (2)
        array_module(a).add(uh[2 * H :], w.b_u[:, None], out=rq)  # q of (3)
        rq *= r
        n += rq  # a_n of (3)
        h = new_state(z, n, h_prev, shift)  # (3), (4)
        return (h,), a

    def derivatives(self, a: Array) -> None:
        r, z, n, shift, rq = blocks(a, 5)
        new_state_derivatives(z, n, shift)  # (5)
        array_module(a).subtract(rq, rq * r, out=rq)  # (5)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        (dh,) = dstate
        r, z, dh_da_n, dh_da_z, da_n_da_r = kept.reshape(5, *dh.shape)
        H, xp = len(dh), array_module(dh)
        da_r, da_z, da_n, dq = da.reshape(4, *dh.shape)
        xp.multiply(dh, dh_da_z, out=da_z)  # (6)
        xp.multiply(dh, dh_da_n, out=da_n)  # (6)
        xp.multiply(da_n, da_n_da_r, out=da_r)  # (6)
        xp.multiply(da_n, r, out=dq)  # (6)
        dh_prev = z * dh + w.U[: 2 * H].T @ da[: 2 * H] + w.U[2 * H :].T @ dq  # (7)
        return (dh_prev,)

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
