"""The simple recurrent network."""

from __future__ import annotations

from typing import Any

from minirnn.backend import Array, array_module, fuse
from minirnn.cells.cell import Cell, State, Weights
from minirnn.errors import InputError


@fuse
def tanh_and_slope(a: Array) -> tuple[Array, Array]:
    """tanh(a) and its derivative 1 - tanh²(a)."""
    h = array_module(a).tanh(a)
    return h, 1 - h * h


@fuse
def relu_and_slope(a: Array) -> tuple[Array, Array]:
    """max(a, 0) and its derivative: 1 where a > 0, else 0."""
    on = (a > 0).astype(a.dtype)
    return a * on, on


class RNNCell(Cell):
    """The simple recurrent network (Elman 1990), with φ = tanh or relu:

        (1)  a   = W x_t + U h_{t-1} + b
        (2)  h_t = φ(a)

    and back, from dh = dL/dh_t:

        (3)  da       = dh * φ'(a)
        (4)  dh_{t-1} = Uᵀ da

    Columns: x_t (I, B); h, a, dh and da (H, B); W (H, I), U (H, H), b (H,). The argument `wx` is W x_t + b, made for
    all t beforehand; what `forward` returns second comes back to `backward` as `kept`. The gradients of W, U, b and x
    are the same for every cell: (3) and (4) of `bptt.py`.

    Args:
        nonlinearity: "tanh" or "relu".
    """

    variants = {"rnn": {}, "rnn-relu": {"nonlinearity": "relu"}}
    gates = "h"
    in_torch = True

    def __init__(self, nonlinearity: str = "tanh"):
        if nonlinearity not in ("tanh", "relu"):
            raise InputError(f"unknown nonlinearity {nonlinearity!r}: expected 'tanh' or 'relu'")
        self.activate = tanh_and_slope if nonlinearity == "tanh" else relu_and_slope

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        a = wx + w.U @ h_prev  # (1)
        h, dh_da = self.activate(a)  # (2), and φ'(a)
        return (h,), dh_da

    def backward(self, w: Weights, kept: Any, dstate: State) -> tuple[Array, State]:
        dh_da, (dh,) = kept, dstate
        da = dh * dh_da  # (3)
        dh_prev = w.U.T @ da  # (4)
        return da, (dh_prev,)
