"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.backend import Array, array_module, fuse, sigmoid_in_place
from minirnn.cells.cell import Cell, State, Weights, blocks


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers, Schmidhuber & Cummins 2000)
    and, if asked for, peepholes (Gers & Schmidhuber 2000): the gates see the memory c through a weight per unit.

        (1)  i   = σ(a_i)      a_i = W_i x_t + U_i h_{t-1} + b_i  [+ p_i * c_{t-1}]      how much to write
        (2)  f   = σ(a_f)      a_f = W_f x_t + U_f h_{t-1} + b_f  [+ p_f * c_{t-1}]      how much to keep
        (3)  g   = tanh(a_g)   a_g = W_g x_t + U_g h_{t-1} + b_g                         what to write
        (4)  c_t = f * c_{t-1} + i * g                                                   the memory
        (5)  o   = σ(a_o)      a_o = W_o x_t + U_o h_{t-1} + b_o  [+ p_o * c_t]          how much to show
        (6)  h_t = o * tanh(c_t)

    With σ' = σ * (1-σ) and tanh' = 1 - tanh², the derivatives of one step are

        (7)  ∂c/∂a_i = g * i * (1-i)   ∂c/∂a_f = c_{t-1} * f * (1-f)   ∂c/∂a_g = i * (1-g²)   ∂c/∂c_{t-1} = f
        (8)  ∂h/∂a_o = tanh(c_t) * o * (1-o)                           ∂h/∂c = o * (1 - tanh²(c_t))

    each with the other pre-activations held fixed. They wait for no other step, and are computed for many at once. (In
    the code v * (1-i), with v = g * i, is v - v * i.) The way back, from dh = dL/dh_t and from dc_from_future, which
    step t+1 handed back, is the chain rule through them:

        (9)   da_o = dh * ∂h/∂a_o
        (10)  dc   = dc_from_future + dh * ∂h/∂c  [+ p_o * da_o]
        (11)  da_i = dc * ∂c/∂a_i     da_f = dc * ∂c/∂a_f     da_g = dc * ∂c/∂a_g
        (12)  dc_{t-1} = dc * ∂c/∂c_{t-1}  [+ p_i * da_i + p_f * da_f]
        (13)  dh_{t-1} = Uᵀ da
        (14)  dU = Σ_t da h_{t-1}ᵀ   [dp_i = Σ_t da_i * c_{t-1}    dp_f = Σ_t da_f * c_{t-1}    dp_o = Σ_t da_o * c_t]

    Straight along c the gradient is multiplied by f at each step, not by a matrix: where f stays near 1, it survives.

    Columns: gates, c, h and their gradients (H, B); W (4H, I), U (4H, H), b (4H,), in the order i, f, g, o.

    Args:
        peepholes: whether the terms in brackets are there. Their weights p (3, H) are p_i, p_f, p_o.
    """

    variants = {"lstm": {}, "lstm-peephole": {"peepholes": True}}
    gates = "ifgo"
    num_states = 2
    kept_blocks = 2  # f * c_{t-1}, which becomes ∂c/∂a_f, and tanh(c_t), which becomes ∂h/∂c

    def __init__(self, peepholes: bool = False):
        self.peepholes = peepholes
        self.in_torch = not peepholes

    @staticmethod
    @fuse
    def write_memory(i: Array, f: Array, g: Array, c_prev: Array, remembered: Array) -> Array:
        """c_t. On the way a_g becomes g, in place, and `remembered` f * c_{t-1}."""
        xp = array_module(g)
        xp.tanh(g, out=g)  # (3)
        xp.multiply(f, c_prev, out=remembered)
        return remembered + i * g  # (4)

    @staticmethod
    @fuse
    def read_memory(o: Array, c: Array, tanh_c: Array) -> Array:
        """h_t. On the way a_o becomes o, in place, and `tanh_c` what its name says."""
        sigmoid_in_place(o)  # (5)
        array_module(c).tanh(c, out=tanh_c)
        return o * tanh_c  # (6)

    @staticmethod
    @fuse
    def memory_derivatives(i: Array, f: Array, g: Array, remembered: Array) -> None:
        """In place, g becomes ∂c/∂a_g, i ∂c/∂a_i, and `remembered` ∂c/∂a_f. f stays: it is ∂c/∂c_{t-1}."""
        xp, written = array_module(i), i * g
        xp.subtract(i, written * g, out=g)  # (7): i * (1-g²), while i is still i
        xp.subtract(written, written * i, out=i)  # (7)
        xp.subtract(remembered, remembered * f, out=remembered)  # (7)

    @staticmethod
    @fuse
    def output_derivatives(o: Array, tanh_c: Array) -> None:
        """In place, `tanh_c` becomes ∂h/∂c, and o ∂h/∂a_o."""
        xp, h = array_module(o), o * tanh_c
        xp.subtract(o, h * tanh_c, out=tanh_c)  # (8): o * (1 - tanh²(c)), while o is still o
        xp.subtract(h, h * o, out=o)  # (8)

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = super().weight_shapes(input_size, hidden_size)
        return {**shapes, "p": (3, hidden_size)} if self.peepholes else shapes

    def forward(self, w: Weights, a: Array, state: State) -> tuple[State, Any]:
        h_prev, c_prev = state
        H = len(h_prev)
        i, f, g, o, remembered, tanh_c = a.reshape(6, *h_prev.shape)  # the gates are a_i … a_o until σ or tanh
        a_ifgo, a_if = a[: 4 * H], a[: 2 * H]
        a_ifgo += w.U @ h_prev  # of (1), (2), (3), (5)
        if self.peepholes:
            p_i, p_f, p_o = w.p[:, :, None]  # each (H, 1)
            i += p_i * c_prev  # [ ] of (1)
            f += p_f * c_prev  # [ ] of (2)
        sigmoid_in_place(a_if)  # (1), (2)
        c = self.write_memory(i, f, g, c_prev, remembered)  # (3), (4)
        if self.peepholes:
            o += p_o * c  # [ ] of (5)
        h = self.read_memory(o, c, tanh_c)  # (5), (6)
        return (h, c), (a, c_prev, c) if self.peepholes else (a,)

    def derivatives(self, a: Array) -> None:
        i, f, g, o, remembered, tanh_c = blocks(a, 6)
        self.memory_derivatives(i, f, g, remembered)  # (7)
        self.output_derivatives(o, tanh_c)  # (8)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        a, *_ = kept
        dh, dc_from_future = dstate
        dc_da_i, f, dc_da_g, dh_da_o, dc_da_f, dh_dc = a.reshape(6, *dh.shape)  # each where `derivatives` left it
        xp = array_module(dh)
        da_i, da_f, da_g, da_o = da.reshape(4, *dh.shape)
        xp.multiply(dh, dh_da_o, out=da_o)  # (9)
        dc = dc_from_future + dh * dh_dc  # (10)
        if self.peepholes:
            p_i, p_f, p_o = w.p[:, :, None]
            dc += p_o * da_o  # [ ] of (10)
        xp.multiply(dc, dc_da_i, out=da_i)  # (11)
        xp.multiply(dc, dc_da_f, out=da_f)  # (11)
        xp.multiply(dc, dc_da_g, out=da_g)  # (11)
        dc_prev = dc * f  # (12)
        if self.peepholes:
            dc_prev += p_i * da_i + p_f * da_f  # [ ] of (12)
        dh_prev = w.U.T @ da  # (13)
        return dh_prev, dc_prev

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        gradients = {"U": da @ h_prev}  # (14)
        if self.peepholes:
            xp = array_module(da)
            c_prev = xp.stack([step_c_prev for _, step_c_prev, _ in kept], axis=1)  # (H, T, B)
            c = xp.stack([step_c for _, _, step_c in kept], axis=1)
            da_i, da_f, _, da_o = da.reshape(4, *c.shape)
            products = (da_i * c_prev, da_f * c_prev, da_o * c)  # [ ] of (14), before the sum
            gradients["p"] = xp.stack([product.sum(axis=(1, 2)) for product in products])
        return gradients
