"""The steps of the LSTM and of the GRUs with fewer and cheaper operations, on either device.

A call of NumPy on a small array takes longer to begin than to compute, and in threads it waits for Python's lock as
well; on a GPU a launch takes longer still. So here

- what is computed stays where its operands were, and few operations ask for a new array;
- the derivatives inside a step are computed for many steps at once. They depend on nothing that comes back: in (9) of
  `lstm.py`, da_i = dc * [g * i * (1-i)], what stands in brackets is known once forward has been there. The way back
  then has one product with such a factor where the plain cell has three;
- on a GPU, neighbouring elementwise operations are one launch (`backend.fuse`).

The price is that an array has several lives: block i of an LSTM's step is W x + U h + b, then the gate, and then the
factor of da_i. The equations and their numbers are those of `lstm.py`, `lstm_variants.py` and `gru.py`, whose cells are
the reference. (In the code v * (1-i) is written v - v * i.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.backend import Array, array_module, device_of, fuse
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import GRUCell, GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.lstm_variants import LSTMVariantCell

CHUNK = {"cpu": 2**17, "gpu": 2**20}
"""Numbers of one gate in a chunk of steps: enough for a call of NumPy, or the launch of a kernel, to be worth it; on
the CPU few enough for the cache."""


class Chunk:
    """Room for what n steps keep: (n, blocks · H, B), of which the first `filled` are in use. `ready`: whether they are
    the factors of the way back already."""

    def __init__(self, array: Array):
        self.array, self.filled, self.ready = array, 0, False


class InPlaceSteps:
    """What stands in for a cell along one walk of T steps. A subclass has the steps.

    Args:
        cell: what it stands in for.
        T: how many steps are to be kept. There may be more, as where nobody knows how many there will be.
    """

    blocks = 0
    """How many arrays (H, B) a step keeps, the gates among them."""

    def __init__(self, cell: Cell, T: int):
        self.cell, self.left, self.extra_blocks, self.adds_bias = cell, T, cell.extra_blocks, cell.adds_bias
        self._chunk: Chunk | None = None

    def room(self, wx: Array, h: Array) -> tuple[Chunk, Array]:
        """The chunk of the next step, and its own part (blocks · H, B)."""
        H, B = h.shape
        if self._chunk is None or self._chunk.filled == len(self._chunk.array):
            n = max(1, min(self.left, CHUNK[device_of(wx)] // max(1, h.size)))
            self.left -= n
            self._chunk = Chunk(array_module(wx).empty((n, self.blocks * H, B), dtype=wx.dtype))
        self._chunk.filled += 1
        return self._chunk, self._chunk.array[self._chunk.filled - 1]

    def factors(self, chunk: Chunk, a: Array, H: int) -> Array:
        """The blocks (blocks, H, B) of one step, after the derivatives of its whole chunk have been computed."""
        if not chunk.ready:
            filled = chunk.array[: chunk.filled]
            self.derivatives(*filled.reshape(len(filled), self.blocks, H, a.shape[1]).swapaxes(0, 1))
            chunk.ready = True
        return a.reshape(self.blocks, H, a.shape[1])

    def derivatives(self, *blocks: Array) -> None:
        """Turn what n steps kept, each block (n, H, B), into the factors of the way back, in place."""
        raise NotImplementedError

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        """As `Cell.weight_gradients`."""
        return self.cell.weight_gradients(da, h_prev, kept)


@fuse
def sigmoid_in_place(a: Array) -> None:
    """a becomes σ(a) = (1 + tanh(a/2)) / 2."""
    a *= 0.5
    array_module(a).tanh(a, out=a)
    a *= 0.5
    a += 0.5


@fuse
def write_memory(f: Array, i: Array, g: Array, c_prev: Array, remembered: Array) -> Array:
    """c_t. On the way a_g becomes g, and `remembered` f * c_{t-1}."""
    xp = array_module(g)
    xp.tanh(g, out=g)  # (3)
    xp.multiply(f, c_prev, out=remembered)
    return remembered + i * g  # (4)


@fuse
def read_memory(o: Array, c: Array, tanh_c: Array) -> Array:
    """h_t. On the way a_o becomes o, and `tanh_c` what its name says."""
    sigmoid_in_place(o)  # (5)
    array_module(c).tanh(c, out=tanh_c)
    return o * tanh_c  # (6)


@fuse
def lstm_derivatives(i: Array, f: Array, g: Array, o: Array, remembered: Array, tanh_c: Array) -> None:
    """i, g and o become the factors of da_i, da_g and da_o, `remembered` that of da_f, `tanh_c` that of dh in dc."""
    xp, written, h = array_module(i), i * g, o * tanh_c
    xp.subtract(i, written * g, out=g)  # (11): i * (1 - g²)
    xp.subtract(written, written * i, out=i)  # (9): g * i * (1-i)
    xp.subtract(remembered, remembered * f, out=remembered)  # (10): c_{t-1} * f * (1-f)
    xp.subtract(o, h * tanh_c, out=tanh_c)  # (8): o * (1 - tanh²(c))
    xp.subtract(h, h * o, out=o)  # (7): tanh(c) * o * (1-o)


@fuse
def sum_of_product(a: Array, b: Array, c: Array) -> Array:
    """a + b * c."""
    return a + b * c


class InPlaceLSTM(InPlaceSteps):
    """The LSTM, also with peepholes, which add to (1), (2), (5), (8) and (12)."""

    blocks = 6

    def __init__(self, cell: Cell, T: int):
        super().__init__(cell, T)
        self.peepholes = isinstance(cell, LSTMVariantCell)

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        """As `Cell.forward`."""
        h_prev, c_prev = state
        H, xp = len(h_prev), array_module(wx)
        chunk, a = self.room(wx, h_prev)
        i, f, g, o, remembered, tanh_c = a.reshape(6, *h_prev.shape)
        xp.add(wx, w.U @ h_prev, out=a[: 4 * H])
        if self.peepholes:
            p_i, p_f, p_o = w.p[:, :, None]  # each (H, 1)
            i += p_i * c_prev  # (1)
            f += p_f * c_prev  # (2)
        sigmoid_in_place(a[: 2 * H])  # (1), (2)
        c = write_memory(f, i, g, c_prev, remembered)  # (3), (4)
        if self.peepholes:
            o += p_o * c  # (5)
        h = read_memory(o, c, tanh_c)  # (5), (6)
        return (h, c), (chunk, a, *((c_prev, c) if self.peepholes else ()))

    def derivatives(self, *blocks: Array) -> None:
        lstm_derivatives(*blocks)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        chunk, a, *_ = kept
        dh, dc_from_future = dstate
        of_i, f, of_g, of_o, of_f, of_dh = self.factors(chunk, a, len(dh))
        xp = array_module(dh)
        in_one_piece = xp.empty(da.shape, dtype=da.dtype)  # which da is not, and products want
        da_i, da_f, da_g, da_o = in_one_piece.reshape(4, *dh.shape)
        xp.multiply(dh, of_o, out=da_o)  # (7)
        dc = sum_of_product(dc_from_future, dh, of_dh)  # (8)
        if self.peepholes:
            p_i, p_f, p_o = w.p[:, :, None]
            dc += p_o * da_o  # (8)
        xp.multiply(dc, of_i, out=da_i)  # (9)
        xp.multiply(dc, of_f, out=da_f)  # (10)
        xp.multiply(dc, of_g, out=da_g)  # (11)
        dc_prev = dc * f  # (12)
        if self.peepholes:
            dc_prev += p_i * da_i + p_f * da_f  # (12)
        da[:] = in_one_piece
        return w.U.T @ in_one_piece, dc_prev  # (13)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        """As `Cell.weight_gradients`."""
        if self.peepholes:
            kept = [(*memories, None) for _, _, *memories in kept]  # as the cell keeps them
        return self.cell.weight_gradients(da, h_prev, kept)


@fuse
def new_state(z: Array, n: Array, h_prev: Array, stays: Array) -> Array:
    """h_t: (4) rearranged, z * h + (1-z) * n = n + z * (h - n). On the way a_n becomes n, and `stays` z * (h - n)."""
    xp = array_module(n)
    xp.tanh(n, out=n)  # (3)
    xp.subtract(h_prev, n, out=stays)
    stays *= z
    return n + stays  # (4)


@fuse
def new_state_derivatives(z: Array, n: Array, stays: Array) -> None:
    """n becomes the factor of da_n, and `stays` that of da_z."""
    xp = array_module(n)
    xp.multiply(1 - z, 1 - n * n, out=n)  # (6): (1-z) * (1 - n²)
    xp.subtract(stays, stays * z, out=stays)  # (5): (h - n) * z * (1-z)


@fuse
def sum_of_products(a: Array, b: Array, c: Array, d: Array) -> Array:
    """a * b + c * d."""
    return a * b + c * d


class InPlaceGRU(InPlaceSteps):
    """The GRU that resets before the product."""

    blocks = 6

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        """As `Cell.forward`."""
        (h_prev,) = state
        H, xp = len(h_prev), array_module(wx)
        chunk, a = self.room(wx, h_prev)
        r, z, n, stays, s, _ = a.reshape(6, *h_prev.shape)
        xp.add(wx[: 2 * H], w.U[: 2 * H] @ h_prev, out=a[: 2 * H])
        sigmoid_in_place(a[: 2 * H])  # (1), (2)
        xp.multiply(r, h_prev, out=s)  # (3)
        xp.add(wx[2 * H :], w.U[2 * H :] @ s, out=n)  # (3)
        h = new_state(z, n, h_prev, stays)  # (3), (4)
        return (h,), (chunk, a)

    def derivatives(self, *blocks: Array) -> None:
        r, z, n, stays, s, of_r = blocks
        new_state_derivatives(z, n, stays)
        array_module(s).subtract(s, s * r, out=of_r)  # (8): h_{t-1} * r * (1-r)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        (dh,) = dstate
        H, xp = len(dh), array_module(dh)
        chunk, a = kept
        r, z, of_n, of_z, _, of_r = self.factors(chunk, a, H)
        in_one_piece = xp.empty(da.shape, dtype=da.dtype)  # which da is not, and products want
        da_r, da_z, da_n = in_one_piece.reshape(3, *dh.shape)
        xp.multiply(dh, of_z, out=da_z)  # (5)
        xp.multiply(dh, of_n, out=da_n)  # (6)
        ds = w.U[2 * H :].T @ da_n  # (7)
        xp.multiply(ds, of_r, out=da_r)  # (8)
        dh_prev = sum_of_products(z, dh, r, ds)  # (9)
        dh_prev += w.U[: 2 * H].T @ in_one_piece[: 2 * H]  # (9)
        da[:] = in_one_piece
        return (dh_prev,)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        """As `Cell.weight_gradients`."""
        H = h_prev.shape[1]
        return self.cell.weight_gradients(da, h_prev, [(None, None, None, a[4 * H : 5 * H], None) for _, a in kept])


class InPlaceGRUResetAfter(InPlaceSteps):
    """The GRU that resets after the product."""

    blocks = 5

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        """As `Cell.forward`."""
        (h_prev,) = state
        H, xp, uh = len(h_prev), array_module(wx), w.U @ h_prev
        chunk, a = self.room(wx, h_prev)
        r, z, n, stays, rq = a.reshape(5, *h_prev.shape)
        xp.add(wx[: 2 * H], uh[: 2 * H], out=a[: 2 * H])
        sigmoid_in_place(a[: 2 * H])  # (1), (2)
        xp.add(uh[2 * H :], w.b_u[:, None], out=rq)  # q of (3)
        rq *= r
        xp.add(wx[2 * H :], rq, out=n)  # (3)
        h = new_state(z, n, h_prev, stays)  # (3), (4)
        return (h,), (chunk, a)

    def derivatives(self, *blocks: Array) -> None:
        r, z, n, stays, rq = blocks
        new_state_derivatives(z, n, stays)
        array_module(rq).subtract(rq, rq * r, out=rq)  # (7): q * r * (1-r)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        (dh,) = dstate
        H, xp = len(dh), array_module(dh)
        chunk, a = kept
        r, z, of_n, of_z, of_r = self.factors(chunk, a, H)
        in_one_piece = xp.empty(da.shape, dtype=da.dtype)  # which da is not, and products want
        da_r, da_z, da_n, dq = in_one_piece.reshape(4, *dh.shape)
        xp.multiply(dh, of_z, out=da_z)  # (5)
        xp.multiply(dh, of_n, out=da_n)  # (6)
        xp.multiply(da_n, of_r, out=da_r)  # (7)
        xp.multiply(da_n, r, out=dq)  # (8)
        dh_prev = sum_of_product(w.U[: 2 * H].T @ in_one_piece[: 2 * H], z, dh)  # (9)
        dh_prev += w.U[2 * H :].T @ dq  # (9)
        da[:] = in_one_piece
        return (dh_prev,)


STEPS: dict[type[Cell], type[InPlaceSteps]] = {
    LSTMCell: InPlaceLSTM,
    GRUCell: InPlaceGRU,
    GRUResetAfterCell: InPlaceGRUResetAfter,
}


def steps_of(cell: Cell) -> type[InPlaceSteps] | None:
    """What stands in for a cell; None if nothing does."""
    if type(cell) is LSTMVariantCell and vars(cell) == vars(LSTMVariantCell()):
        return InPlaceLSTM  # the one with peepholes and all gates
    return STEPS.get(type(cell))
