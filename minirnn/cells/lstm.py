"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.backend import Array, array_module, fuse, sigmoid, sigmoid_of
from minirnn.cells.cell import Cell, State, Weights


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers, Schmidhuber & Cummins 2000)
    and, if asked for, peepholes (Gers & Schmidhuber 2000): the gates see the memory c through a weight per unit.

        (1)  i   = σ(a_i)      a_i = W_i x_t + U_i h_{t-1} + b_i  [+ p_i * c_{t-1}]      how much to write
        (2)  f   = σ(a_f)      a_f = W_f x_t + U_f h_{t-1} + b_f  [+ p_f * c_{t-1}]      how much to keep
        (3)  g   = tanh(a_g)   a_g = W_g x_t + U_g h_{t-1} + b_g                         what to write
        (4)  c_t = f * c_{t-1} + i * g                                                   the memory
        (5)  o   = σ(a_o)      a_o = W_o x_t + U_o h_{t-1} + b_o  [+ p_o * c_t]          how much to show
        (6)  h_t = o * tanh(c_t)

    With σ' = σ * (1-σ) and tanh' = 1 - tanh², the derivatives of one step, kept on the way forward, are

        (7)  ∂c/∂a_i = g * i * (1-i)   ∂c/∂a_f = c_{t-1} * f * (1-f)   ∂c/∂a_g = i * (1-g²)   ∂c/∂c_{t-1} = f
        (8)  ∂h/∂a_o = tanh(c_t) * o * (1-o)                           ∂h/∂c = o * (1 - tanh²(c_t))

    (each with the other pre-activations held fixed; in the code v * (1-i) is v - v * i, for which NumPy need not turn a
    number into an array). The way back, from dh = dL/dh_t and from dc_from_future, which step t+1 handed back, is the
    chain rule through them:

        (9)   da_o = dh * ∂h/∂a_o
        (10)  dc   = dc_from_future + dh * ∂h/∂c  [+ p_o * da_o]
        (11)  da_i = dc * ∂c/∂a_i     da_f = dc * ∂c/∂a_f     da_g = dc * ∂c/∂a_g
        (12)  dc_{t-1} = dc * ∂c/∂c_{t-1}  [+ p_i * da_i + p_f * da_f]
        (13)  dh_{t-1} = Uᵀ da
        (14)  dU = Σ_t da h_{t-1}ᵀ   [dp_i = Σ_t da_i * c_{t-1}    dp_f = Σ_t da_f * c_{t-1}    dp_o = Σ_t da_o * c_t]

    Along c the gradient is multiplied by f at each step, not by a matrix: where f stays near 1, it survives.

    Columns: gates, c, h and their gradients (H, B); W (4H, I), U (4H, H), b (4H,), in the order i, f, g, o.

    Args:
        peepholes: whether the terms in brackets are there. Their weights p (3, H) are p_i, p_f, p_o.
    """

    variants = {"lstm": {}, "lstm-peephole": {"peepholes": True}}
    gates = "ifgo"
    num_states = 2

    def __init__(self, peepholes: bool = False):
        self.peepholes = peepholes
        self.in_torch = not peepholes

    @staticmethod
    @fuse
    def write_memory(i: Array, f: Array, a_g: Array, c_prev: Array) -> tuple[Array, ...]:
        """The new memory, and its derivatives by a_i, a_f and a_g."""
        g = array_module(a_g).tanh(a_g)  # (3)
        written, remembered = i * g, f * c_prev
        c = remembered + written  # (4)
        dc_da_i, dc_da_f, dc_da_g = written - written * i, remembered - remembered * f, i - written * g  # (7)
        return c, dc_da_i, dc_da_f, dc_da_g

    @staticmethod
    @fuse
    def read_memory(a_o: Array, c: Array) -> tuple[Array, ...]:
        """The new h, and its derivatives by a_o and c."""
        o, tanh_c = sigmoid(a_o), array_module(c).tanh(c)  # (5)
        h = o * tanh_c  # (6)
        dh_da_o, dh_dc = h - h * o, o - h * tanh_c  # (8)
        return h, dh_da_o, dh_dc

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        return {**shapes, "p": (3, hidden_size)} if self.peepholes else shapes

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        h_prev, c_prev = state
        a = wx + w.U @ h_prev  # a_i, a_f, a_g and a_o, without peepholes
        a = a.reshape(4, *h_prev.shape)
        a_if, a_g, a_o = a[:2], a[2], a[3]
        if self.peepholes:
            p = w.p[:, :, None]  # p_i, p_f and p_o, each (H, 1)
            a_if = a_if + p[:2] * c_prev  # [ ] of (1), (2)
        i, f = sigmoid_of(a_if)  # (1), (2)
        c, dc_da_i, dc_da_f, dc_da_g = self.write_memory(i, f, a_g, c_prev)  # (3), (4), (7)
        if self.peepholes:
            a_o = a_o + p[2] * c  # [ ] of (5)
        h, dh_da_o, dh_dc = self.read_memory(a_o, c)  # (5), (6), (8)
        memories = (c_prev, c) if self.peepholes else ()
        return (h, c), (dc_da_i, dc_da_f, dc_da_g, f, dh_da_o, dh_dc, *memories)

    def backward(self, w: Weights, kept: Any, dstate: State) -> tuple[Array, State]:
        dc_da_i, dc_da_f, dc_da_g, f, dh_da_o, dh_dc, *_ = kept
        dh, dc_from_future = dstate
        da_o = dh * dh_da_o  # (9)
        dc = dc_from_future + dh * dh_dc  # (10)
        if self.peepholes:
            p_i, p_f, p_o = w.p[:, :, None]
            dc = dc + p_o * da_o  # [ ] of (10)
        da_i, da_f, da_g = dc * dc_da_i, dc * dc_da_f, dc * dc_da_g  # (11)
        dc_prev = dc * f  # (12)
        if self.peepholes:
            dc_prev = dc_prev + p_i * da_i + p_f * da_f  # [ ] of (12)
        da = array_module(dh).concatenate((da_i, da_f, da_g, da_o))
        dh_prev = w.U.T @ da  # (13)
        return da, (dh_prev, dc_prev)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        gradients = {"U": da @ h_prev}  # (14)
        if self.peepholes:
            xp = array_module(da)
            c_prev = xp.stack([step_c_prev for *_, step_c_prev, _ in kept], axis=1)  # (H, T, B)
            c = xp.stack([step_c for *_, step_c in kept], axis=1)
            da_i, da_f, _, da_o = da.reshape(4, *c.shape)
            products = (da_i * c_prev, da_f * c_prev, da_o * c)  # [ ] of (14), before the sum
            gradients["p"] = xp.stack([product.sum(axis=(1, 2)) for product in products])
        return gradients
