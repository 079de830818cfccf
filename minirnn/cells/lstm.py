"""Long short-term memory."""

from __future__ import annotations

from typing import Any

from minirnn.backend import Array, sigmoid, tanh
from minirnn.cells.cell import Cell, MemoryGate, State, Weights


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers, Schmidhuber & Cummins 2000):

        (1)  i   = σ(a_i)      a_i = W_i x_t + U_i h_{t-1} + b_i      how much to write
        (2)  f   = σ(a_f)      a_f = W_f x_t + U_f h_{t-1} + b_f      how much to keep
        (3)  g   = tanh(a_g)   a_g = W_g x_t + U_g h_{t-1} + b_g      what to write
        (4)  c_t = f * c_{t-1} + i * g                                the memory
        (5)  o   = σ(a_o)      a_o = W_o x_t + U_o h_{t-1} + b_o      how much to show
        (6)  h_t = o * tanh(c_t)

    The way back, from dh = dL/dh_t and from dc_from_future, which step t+1 handed back, is the chain rule from the last
    line to the first. Each gate has a gradient of its own, and then one of its pre-activation:

        (7)   do = dh * tanh(c_t)                         da_o = do * o * (1-o)
        (8)   dc = dc_from_future + dh * o * (1 - tanh²(c_t))
        (9)   di = dc * g                                 da_i = di * i * (1-i)
        (10)  df = dc * c_{t-1}                           da_f = df * f * (1-f)
        (11)  dg = dc * i                                 da_g = dg * (1 - g²)
        (12)  dc_{t-1} = dc * f
        (13)  dh_{t-1} = Uᵀ da

    Straight along c the gradient is multiplied by f at each step (12), not by a matrix: where f stays near 1, it
    survives. Along h it is multiplied by U, as in every RNN.

    Columns: gates, c, h and their gradients (H, B); W (4H, I), U (4H, H), b (4H,), in the order i, f, g, o. The sums
    over all t that make dW, dU, db and dx are in `bptt.py`, as for every cell.
    """

    variants = {"lstm": {}}
    gates = "ifgo"
    memory_gate = MemoryGate("f", sign=1, input_gate="i")  # (4): f = 1 keeps c
    num_states = 2
    in_torch = True

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        h_prev, c_prev = state
        a = wx + w.U @ h_prev  # a_i, a_f, a_g and a_o below one another
        a_i, a_f, a_g, a_o = a.reshape(4, *h_prev.shape)
        i = sigmoid(a_i)  # (1)
        f = sigmoid(a_f)  # (2)
        g = tanh(a_g)  # (3)
        c = f * c_prev + i * g  # (4)
        o = sigmoid(a_o)  # (5)
        tanh_c = tanh(c)  # c is a sum over time and may be large: tanh brings what is shown back between -1 and 1
        h = o * tanh_c  # (6)
        return (h, c), (i, f, g, o, tanh_c, c_prev)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        i, f, g, o, tanh_c, c_prev = kept
        dh, dc_from_future = dstate
        da_i, da_f, da_g, da_o = da.reshape(4, *dh.shape)  # to be filled; da is all of them below one another
        do = dh * tanh_c  # (7)
        da_o[:] = do * o * (1 - o)  # (7): o * (1-o) is σ'(a_o), expressed through o = σ(a_o)
        dc = dc_from_future + dh * o * (1 - tanh_c * tanh_c)  # (8): c_t was used twice, by step t+1 and by h_t
        di = dc * g  # (9)
        da_i[:] = di * i * (1 - i)  # (9)
        df = dc * c_prev  # (10)
        da_f[:] = df * f * (1 - f)  # (10)
        dg = dc * i  # (11)
        da_g[:] = dg * (1 - g * g)  # (11)
        dc_prev = dc * f  # (12)
        dh_prev = w.U.T @ da  # (13)
        return dh_prev, dc_prev
