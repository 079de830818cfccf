"""A cell on a picture: each site of a row walks by itself, and sees the states of its neighbours."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from minirnn.arguments import integer
from minirnn.backend import Array, array_module
from minirnn.cells.cell import Cell, State, Weights
from minirnn.errors import InputError


class NeighbourCell(Cell):
    """Any cell, with the states of neighbouring sites among what comes in (van den Oord, Kalchbrenner & Kavukcuoglu
    2016, "Pixel recurrent neural networks", section 3).

    A row of S sites goes down a picture, a step for each row. Each site has a state of its own, so to the cell the
    sites of all pictures are a batch. What a site hands to the next step reaches the same site by U, and its neighbours
    by N: with h^s the state of site s, and δ_1, δ_2, … the offsets at which it looks for neighbours,

        (1)  a = W x_t + b + U h^s_{t-1} + N_1 h^{s+δ_1}_{t-1} + N_2 h^{s+δ_2}_{t-1} + …

    where beyond an end of the row h is 0. With U this is a convolution of the states along the row. All else, what the
    gates do and what the memory keeps, is the inner cell's. With the offsets (-1, 1) it is the step of the Row LSTM;
    along diagonals, with the offset -1, that of the Diagonal BiLSTM, see `minirnn/models/grid_drawing.py`.

    On the way back a state has been used by its own site and by its neighbours, whose gradients add:

        (2)  dh^s_{t-1} = Uᵀ da^s + N_1ᵀ da^{s-δ_1} + N_2ᵀ da^{s-δ_2} + …
        (3)  dN_k = Σ_t Σ_s da^s_t (h^{s+δ_k}_{t-1})ᵀ

    Columns: as in the inner cell, B = pictures · S, the S sites of a picture side by side. N is (rows, K·H) for K
    offsets, N_1 first.

    Args:
        inner: the cell of each site.
        sites: S.
        offsets: where a site's neighbours are, none of them 0.

    Raises:
        InputError: there are no sites, an offset is 0, not an integer, or given twice, or the cell draws random
            numbers.
    """

    def __init__(self, inner: Cell, sites: int, offsets: Sequence[int]):
        self.inner, self.sites = inner, integer("sites", sites)
        self.offsets = tuple(integer("an offset", offset, least=-(2**31)) for offset in offsets)
        if not self.offsets or 0 in self.offsets or len({*self.offsets}) < len(self.offsets):
            raise InputError(f"offsets must be different from 0 and from one another, not {self.offsets}")
        if inner.draws:
            raise InputError(f"a cell that draws random numbers has no neighbours: {type(inner).__name__}")
        self.gates, self.memory_gate, self.kinks = inner.gates, inner.memory_gate, inner.kinks
        self.num_states, self.extra_blocks, self.adds_bias = inner.num_states, inner.extra_blocks, inner.adds_bias

    def around(self, inner: Any) -> NeighbourCell:
        """The same with another inner cell, or with what stands in for it."""
        twin = copy.copy(self)
        twin.inner = inner
        return twin

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes = self.inner.weight_shapes(input_size, hidden_size)
        return {**shapes, "N": (len(self.gates) * hidden_size, len(self.offsets) * hidden_size)}

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        return self.inner.forward(w, wx + w.N @ self.seen(state[0]), state)  # (1)

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        dh_prev, *rest = self.inner.backward(w, kept, dstate, da)
        d_seen = w.N.T @ da[: len(w.b)]
        return dh_prev + self.sent_back(d_seen), *rest  # (2)

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        dN = da[: len(self.gates) * h_prev.shape[1]] @ self.seen(h_prev.T).T  # (3)
        return {**self.inner.weight_gradients(da, h_prev, kept), "N": dN}

    def seen(self, h: Array) -> Array:
        """The states (K·H, B) of each site's neighbours, of the states h (H, B)."""
        by_site = h.reshape(len(h), -1, self.sites)
        found = array_module(h).zeros((len(self.offsets), *by_site.shape), dtype=h.dtype)
        for k, (here, there) in enumerate(map(self._pairs, self.offsets)):
            found[k, :, :, here] = by_site[:, :, there]
        return found.reshape(-1, h.shape[1])

    def sent_back(self, d_seen: Array) -> Array:
        """From the gradient of `seen` (K·H, B) that of the states (H, B)."""
        by_offset = d_seen.reshape(len(self.offsets), -1, d_seen.shape[1] // self.sites, self.sites)
        dh = array_module(d_seen).zeros(by_offset.shape[1:], dtype=d_seen.dtype)
        for d_by_site, (here, there) in zip(by_offset, map(self._pairs, self.offsets), strict=True):
            dh[:, :, there] += d_by_site[:, :, here]
        return dh.reshape(-1, d_seen.shape[1])

    def _pairs(self, offset: int) -> tuple[slice, slice]:
        """The sites that have a neighbour at an offset, and these neighbours."""
        S = self.sites
        offset = max(-S, min(S, offset))
        return slice(max(0, -offset), min(S, S - offset)), slice(max(0, offset), min(S, S + offset))
