"""The simple recurrent network with something else than tanh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.autograd.activations import ACTIVATIONS, KINKS, rrelu_slopes
from minirnn.backend import Array, array_module
from minirnn.cells.cell import Cell, State, Weights
from minirnn.errors import InputError


class ActivatedRNNCell(Cell):
    """The simple recurrent network with another activation φ than tanh:

        (1)  a   = W x_t + U h_{t-1} + b
        (2)  h_t = φ(a)

        name             what it is
        rnn-relu         an RNN with max(a, 0) instead of tanh(a)
        rnn-relu6        an RNN with min(max(a, 0), 6) instead of tanh(a)
        rnn-leaky-relu   an RNN with a, and 0.01 a below 0, instead of tanh(a)
        rnn-elu          an RNN with a, and exp(a) - 1 below 0, instead of tanh(a)
        rnn-sigmoid      an RNN with σ(a) instead of tanh(a)

    and back, from dh = dL/dh_t:

        (3)  da       = dh * φ'(a)
        (4)  dh_{t-1} = Uᵀ da

    Columns as for `RNNCell`.

    Args:
        nonlinearity: one of `ACTIVATIONS`, such as "relu".

    Raises:
        InputError: there is no such activation.
    """

    variants = {
        "rnn-relu": {"nonlinearity": "relu"},
        "rnn-relu6": {"nonlinearity": "relu6"},
        "rnn-leaky-relu": {"nonlinearity": "leaky-relu"},
        "rnn-elu": {"nonlinearity": "elu"},
        "rnn-sigmoid": {"nonlinearity": "sigmoid"},
    }
    gates = "h"

    def __init__(self, nonlinearity: str):
        if nonlinearity not in ACTIVATIONS:
            raise InputError(f"unknown nonlinearity {nonlinearity!r}: expected one of {', '.join(ACTIVATIONS)}")
        self.activate = ACTIVATIONS[nonlinearity]
        self.kinks = KINKS.get(nonlinearity, ())
        self.in_torch = nonlinearity == "relu"

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        a = wx + w.U @ h_prev  # (1)
        h, dh_da = self.activate(a)  # (2), and φ'(a)
        return (h,), dh_da

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        dh_da, (dh,) = kept, dstate
        da[:] = dh * dh_da  # (3)
        dh_prev = w.U.T @ da  # (4)
        return (dh_prev,)


class RampRNNCell(Cell):
    """The simple recurrent network with a ramp whose slope p below 0 is learned, one for each unit (PReLU, He et al.
    2015), or drawn at every step of training (RReLU, Xu et al. 2015):

        (1)  a   = W x_t + U h_{t-1} + b
        (2)  h_t = max(a, 0) + p * min(a, 0)

        name        what it is
        rnn-prelu   an RNN with a, and p a below 0, instead of tanh(a): p is learned for each unit
        rnn-rrelu   an RNN with a, and p a below 0, instead of tanh(a): in training p is drawn at every step

    and back, from dh = dL/dh_t:

        (3)  da = dh * φ'(a),   φ'(a) = 1 where a > 0, else p
        (4)  dh_{t-1} = Uᵀ da
        (5)  dp = Σ_t dh * min(a, 0)

    Columns as for `RNNCell`; the learned p is the weight `slope` (H,).

    Args:
        learned: whether p is learned, else drawn.
    """

    variants = {"rnn-prelu": {"learned": True}, "rnn-rrelu": {"learned": False}}
    gates = "h"
    kinks = (0.0,)
    initial_values = {"slope": 0.25}

    def __init__(self, learned: bool):
        self.learned = learned
        self.draws = not learned
        self.extra_blocks = 1 if learned else 0  # dh * min(a, 0), below da

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        return {**shapes, "slope": (hidden_size,)} if self.learned else shapes

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        (h_prev,) = state
        xp = array_module(wx)
        a = wx + w.U @ h_prev  # (1)
        p = w.slope[:, None] if self.learned else rrelu_slopes(a, self.rng)
        below = xp.minimum(a, 0)
        h = xp.maximum(a, 0) + p * below  # (2)
        dh_da = xp.where(a > 0, 1, p)  # (3): φ'(a), which the way back will need
        return (h,), (dh_da, below)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        (dh_da, below), (dh,) = kept, dstate
        H = len(dh)
        da[:H] = dh * dh_da  # (3)
        if self.learned:
            da[H:] = dh * below  # (5), before the sum
        dh_prev = w.U.T @ da[:H]  # (4)
        return (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        H = h_prev.shape[1]
        gradients = super().weight_gradients(da[:H], h_prev, kept)
        return {**gradients, "slope": da[H:].sum(axis=1)} if self.learned else gradients  # (5)
