"""The walk along the diagonals of pictures, sooner: without the places beside the picture.

A skewed picture is half empty: of its rows + columns - 1 places, a row fills only as many as it is long. Here a step
takes the pixels of a diagonal and no others. The states lie row by row, in each row those of all pictures of the batch,
and a row of zeros before the first. So the rows which a diagonal crosses are one stretch of columns, and the states
above them are the stretch that begins one row earlier: neither has to be gathered.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module, like
from minirnn.cells.bptt import input_products, weight_gradients
from minirnn.cells.diagonals import along_diagonals, check_diagonals
from minirnn.cells.neighbours import NeighbourCell
from minirnn.fast.walk import by_part, joined, steps_for, threads_for
from minirnn.parallel import cut


def along_diagonals_together(walks: Sequence[tuple[NeighbourCell, Tensor, Mapping[str, Tensor]]]) -> list[Tensor]:
    """What `minirnn.cells.diagonals.along_diagonals` returns for each of these arguments, sooner."""
    walkers = [_Walker(len(walks), *walk) for walk in walks]
    arrays = [joined(found, axis=2) for found in by_part(_Walker.forward, walkers)]

    def backward(*d_outputs: Array | None) -> list[Array | None]:
        given = dict(zip(walkers, d_outputs, strict=True))
        needed = [walker for walker in walkers if walker.keep and given[walker] is not None]
        found = dict(zip(needed, by_part(lambda walker, i: walker.backward(i, given[walker]), needed), strict=True))
        return [d for w in walkers for d in (w.gradients(found[w]) if w in found else [None] * len(w.inputs))]

    inputs = [tensor for walker in walkers for tensor in walker.inputs]
    return list(record_many(arrays, inputs, backward, rule=along_diagonals))


class _Trace(NamedTuple):
    """What the way forward leaves for the way back, of one part of the batch."""

    x: Array  # (pixels, B, I), in the order of the diagonals, as all that follows
    h_prev: Array  # (pixels, B, H), of the pixel to the left
    seen: Array  # (pixels, B, H), of the pixel above
    kept: list[Any]


class _Walker:
    """One walk, in parts of the batch that can be walked at the same time.

    Args:
        walks: how many there are beside one another.
        cell, x, weights: as for `along_diagonals`.
    """

    def __init__(self, walks: int, cell: NeighbourCell, x: Tensor, weights: Mapping[str, Tensor]):
        check_diagonals(cell, x, weights)
        self.cell, self.x, self.names, self.inputs = cell, x, list(weights), [x, *weights.values()]
        self.w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
        self.keep = needs_grad(self.inputs)
        R, C, B, I = x.shape
        in_a_step = x.data.reshape(C, R * B, I)  # as wide as the longest diagonal at most
        self.threads = threads_for(cell, self.w, in_a_step, walks)
        self.parts = cut(B, max(1, min(self.threads // walks, B)))
        row, column = np.divmod(np.arange(R * C), C)
        order = np.lexsort((row, row + column))
        self.order, self.place = (like(numbers, x.data) for numbers in (order, np.argsort(order)))
        first = np.maximum(0, np.arange(R + C - 1) - C + 1)
        self.steps = list(zip(first.tolist(), (np.minimum(R, np.arange(1, R + C)) - first).tolist(), strict=True))
        self.traces: list[Any] = [None] * len(self.parts)

    def forward(self, i: int) -> Array:
        """Part i of the batch as far as the last corner: (rows, columns, B, H)."""
        xp, w, (R, C, _, I), H = array_module(self.x.data), self.w, self.x.shape, self.w.U.shape[1]
        x = self.x.data[:, :, self.parts[i]].reshape(R * C, -1, I)[self.order]
        B, dtype = x.shape[1], x.dtype
        (cell,) = steps_for(self.cell.inner, x, 1, 1)  # no two steps are of one size, as a longer chunk would need
        state = [xp.zeros((H, (R + 1) * B), dtype=dtype) for _ in range(self.cell.num_states)]
        h = xp.empty((R * C, B, H), dtype=dtype)
        h_prev, seen = (xp.empty_like(h) for _ in range(2)) if self.keep else (None, None)
        wx = input_products(cell, w, x.reshape(1, R * C * B, I))[0]
        kept, done = list[Any](), 0
        for first, rows in self.steps:
            own, above = slice((first + 1) * B, (first + 1 + rows) * B), slice(first * B, (first + rows) * B)
            pixels = slice(done, done + rows)
            before = tuple(s[:, own].copy() for s in state)
            above_h = state[0][:, above]
            a = wx[:, done * B : (done + rows) * B] + w.N @ above_h
            if h_prev is not None and seen is not None:
                h_prev[pixels], seen[pixels] = (s.T.reshape(rows, B, H) for s in (before[0], above_h))
            after, step_kept = cell.forward(w, a, before)
            for s, new in zip(state, after, strict=True):
                s[:, own] = new
            h[pixels] = after[0].T.reshape(rows, B, H)
            if self.keep:
                kept.append(step_kept)
            done += rows
        if h_prev is not None and seen is not None:
            self.traces[i] = cell, _Trace(x, h_prev, seen, kept)
        return h[self.place].reshape(R, C, B, H)

    def backward(self, i: int, d_output: Any) -> tuple[Any, dict[str, Array]]:
        """Part i of the batch back: the gradients of the input and of the weights."""
        cell, trace = self.traces[i]
        xp, w, (R, C, _, I), H = array_module(self.x.data), self.w, self.x.shape, self.w.U.shape[1]
        dh = d_output[:, :, self.parts[i]].reshape(R * C, -1, H)[self.order]
        B, dtype, rows_of_a = dh.shape[1], dh.dtype, len(w.b)
        d_state = [xp.zeros((H, (R + 1) * B), dtype=dtype) for _ in range(self.cell.num_states)]
        da = xp.empty((rows_of_a + cell.extra_blocks * H, R * C * B), dtype=dtype)
        done = R * C
        for (first, rows), kept in zip(reversed(self.steps), reversed(trace.kept), strict=True):
            done -= rows
            own, above = slice((first + 1) * B, (first + 1 + rows) * B), slice(first * B, (first + rows) * B)
            from_future = [s[:, own].copy() for s in d_state]
            from_future[0] += dh[done : done + rows].reshape(rows * B, H).T
            da_here = da[:, done * B : (done + rows) * B]
            d_before = cell.backward(w, kept, tuple(from_future), da_here)
            for s, d in zip(d_state, d_before, strict=True):
                s[:, own] = d
            d_state[0][:, above] += w.N.T @ da_here[:rows_of_a]
        x, h_prev, seen = (array.reshape(R * C * B, -1) for array in trace[:3])
        dw = weight_gradients(cell, da, x, h_prev, trace.kept)
        dw["N"] = da[:rows_of_a] @ seen
        dx = (da[:rows_of_a].T @ w.W).reshape(R * C, B, I)[self.place] if self.x.requires_grad else None
        return None if dx is None else dx.reshape(R, C, B, I), dw

    def gradients(self, found: Sequence[tuple[Any, dict[str, Array]]]) -> list[Array | None]:
        """Those of the inputs, in that order, from those of the parts."""
        dxs, dws = zip(*found, strict=True)
        dw = [functools.reduce(operator.iadd, (part[name] for part in dws)) for name in self.names]
        return [joined(dxs, axis=2) if self.x.requires_grad else None, *dw]
