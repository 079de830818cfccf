"""The simple recurrent network."""

from __future__ import annotations

from typing import Any

from minirnn.backend import Array, tanh
from minirnn.cells.cell import Cell, State, Weights


class RNNCell(Cell):
    """The simple recurrent network (Elman 1990):

        (1)  a   = W x_t + U h_{t-1} + b
        (2)  h_t = tanh(a)

    and back, from dh = dL/dh_t:

        (3)  da       = dh * (1 - h²)           as tanh' = 1 - tanh²
        (4)  dh_{t-1} = Uᵀ da                   what this step sends back: step t-1 adds what comes from above

    Why the transpose: unit j of h_{t-1} has reached every a_i, through U_ij, so its gradient is a sum over all these
    roads, Σ_i U_ij da_i. And U_ij has met h_{t-1}[j] on the way to a_i, so step t adds da_i h_{t-1}[j] to its gradient:
    for all i and j that is the outer product da h_{t-1}ᵀ.

    With I inputs, H units and a batch of B sequences, everything is columns: x_t (I, B); h, a, dh and da (H, B);
    W (H, I), U (H, H), b (H,). The argument `wx` of `forward` is W x_t + b, made for all t beforehand; what `forward`
    returns second comes back to `backward` as `kept`; `da` is an array that `backward` is to fill. The gradients of W,
    U, b and x are sums over all t, which `bptt.py` makes from da.
    """

    variants = {"rnn": {}}
    gates = "h"
    in_torch = True

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        a = wx + w.U @ h_prev  # (1)
        h = tanh(a)  # (2)
        return (h,), h

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        h, (dh,) = kept, dstate
        da[:] = dh * (1 - h * h)  # (3)
        dh_prev = w.U.T @ da  # (4)
        return (dh_prev,)
