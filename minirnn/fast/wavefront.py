"""The layers of a deep network side by side, for a batch too small to be divided.

Of the layer below, a step of a layer needs only the same step. So while one thread walks through some steps of a layer,
another can walk through those before in the layer above. In stretches of time, numbered from left to right, of which
those in one column happen at once:

    layer 2           1   2   3   4
    layer 1       1   2   3   4
    layer 0   1   2   3   4

On the way back it is the same from the other end. (Appleyard, Kočiský & Blunsom 2016 do this on a GPU.) The walks are
those of `loops.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, Lengths
from minirnn.cells.cell import Cell
from minirnn.cells.checks import check_shapes
from minirnn.cells.padding import PaddingMask
from minirnn.fast import kernels
from minirnn.fast.walk import FEWEST_OF_A_WALK, FEWEST_ROWS, made_for_the_tape
from minirnn.parallel import cut, in_parallel, num_threads, worthwhile

OF_A_STRETCH = 3_000_000
"""Multiplications that could be done while the threads wait for one another between two stretches."""

Layer = tuple[Mapping[str, Tensor], Sequence[Tensor]]


def layers_pay(cell: Cell, x: Tensor, layers: int, hidden_size: int) -> bool:
    """Whether to walk layers side by side, for an x (T, B, I)."""
    if layers < 2 or x.ndim != 3 or not 0 < x.shape[1] < 2 * FEWEST_ROWS or not kernels.compiles(cell, x.data):
        return False
    return worthwhile(layers * x.shape[0] * x.shape[1] * hidden_size**2, FEWEST_OF_A_WALK) > 1


def unroll_layers(
    cell: Cell, x: Tensor, layers: Sequence[Layer], lengths: Lengths | None = None
) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
    """As `bptt.unroll` for one layer after the other, each with its weights and its initial state.

    Returns:
        The output of the last layer (T, B, H), and the final state of each.
    """
    deep = _Layers(cell, x, layers, lengths)
    deep.run(deep.forward, range(len(layers)), deep.stretches)

    def backward(*gradients: Array | None) -> list[Any]:
        deep.begin_back(gradients[0], gradients[1:])
        deep.run(deep.backward, range(len(layers))[::-1], deep.stretches[::-1])
        return deep.gradients()

    states = [state for _, state in layers]
    tensors = iter(record_many(deep.outcome(), deep.inputs, backward, rule=unroll_layers))
    return next(tensors), [tuple(next(tensors) for _ in state) for state in states]


class _Layers:
    """The arrays of all layers, and what one thread does of them at a time."""

    def __init__(self, cell: Cell, x: Tensor, layers: Sequence[Layer], lengths: Lengths | None):
        check_shapes(cell, x, *layers[0])
        (T, B, _), H = x.shape, layers[0][0]["U"].shape[1]
        self.mask = mask = PaddingMask(lengths, x.data)
        self.real = np.ascontiguousarray(mask.real_columns[:, 0]) if any(mask.padded) else np.ones((T, B), bool)
        self.x, self.inputs = x, [x, *(tensor for w, state in layers for tensor in (*w.values(), *state))]
        self.keep, self.names = needs_grad(self.inputs), list(layers[0][0])
        self.hs = [np.empty((T + 1, B, H), x.dtype) for _ in layers]
        for below, (w, state) in zip(self.hs, layers[1:], strict=False):
            check_shapes(cell, Tensor(below[1:]), w, state)
        self.loops: list[Any] = []
        for w, _ in layers:
            self.code, loop = kernels.compiled(cell, SimpleNamespace(**{n: t.data for n, t in w.items()}), T * B)
            self.loops.append(loop)
        # What a layer says on padding is the state before it: finite, and no step of the next one looks at it.
        self.xs = [np.ascontiguousarray(mask.zeroed(x.data)), *(hs[1:] for hs in self.hs[:-1])]
        self.c = [np.array(state[-1].data, order="C") for _, state in layers]
        for hs, (_, state) in zip(self.hs, layers, strict=True):
            hs[0] = state[0].data
        self.kept = [np.empty((T if self.keep else 1, self.loops[0].known.kept, B, H), x.dtype) for _ in layers]
        multiplications = T * B * sum(loop.w.W.size + loop.w.U.size for loop in self.loops)
        self.stretches = cut(T, max(1, min(T, math.isqrt(multiplications // OF_A_STRETCH))))
        in_parallel(lambda loop: loop.forward_weights, self.loops)

    def run(self, act: Callable[[int, slice], None], layers: Sequence[int], stretches: Sequence[slice]) -> None:
        """Do this with all layers and stretches, each when the one before in both orders is done."""
        for sum_of_both in range(len(layers) + len(stretches) - 1):
            places = [(i, sum_of_both - i) for i in range(len(layers)) if 0 <= sum_of_both - i < len(stretches)]
            in_parallel(lambda place: act(layers[place[0]], stretches[place[1]]), places)

    def forward(self, layer: int, at: slice) -> None:
        """A stretch of a layer forward."""
        hs, kept = self.hs[layer][at.start : at.stop + 1], self.kept[layer]
        w, kept = self.loops[layer].forward_weights, kept[at] if self.keep else kept
        self.code.walk(w, self.xs[layer][at], hs, self.c[layer], kept, self.real[at])

    def outcome(self) -> list[Array]:
        """The output, and the final state of each layer."""
        for loop in self.loops:
            vars(loop).pop("forward_weights")  # as large as the weights, and done with
        states = [(hs[-1], c)[: self.loops[0].cell.num_states] for hs, c in zip(self.hs, self.c, strict=True)]
        return [self.mask.zeroed(self.hs[-1][1:]), *(array for state in states for array in state)]

    def begin_back(self, d_output: Array | None, d_final: Sequence[Array | None]) -> None:
        """Make room, for the gradients of the output and of the final states of all layers."""
        (T, B, H), n = self.hs[0][1:].shape, self.loops[0].cell.num_states
        zero = np.zeros((B, H), self.x.dtype)
        ends = [zero if d is None else d for d in d_final]
        self.dh, self.dc = ([np.array(d, order="C") for d in ends[i::n]] for i in (0, n - 1))
        rows = len(self.loops[0].w.b) + self.loops[0].cell.extra_blocks * H
        self.da = [np.empty((T, B, rows), self.x.dtype) for _ in self.loops]
        self.above = [np.zeros((T, B, H), self.x.dtype) for _ in self.loops]
        if d_output is not None:
            self.above[-1] = np.ascontiguousarray(self.mask.zeroed(d_output))
        in_parallel(lambda loop: loop.backward_weights, self.loops)

    def backward(self, layer: int, at: slice) -> None:
        """A stretch of a layer back, as far as the gradient of what the layer below has said in it."""
        w, da = self.loops[layer].backward_weights, self.da[layer][at]
        ends = self.dh[layer], self.dc[layer]
        self.code.walk_back(w, self.kept[layer][at], self.above[layer][at], *ends, da, self.real[at])
        if layer > 0:
            below = self.above[layer - 1][at]
            self.code.add_columns(flat(da), w.W, flat(below))

    def gradients(self) -> list[Any]:
        """Those of the inputs, in their order."""

        def share(i: int) -> Any:
            return self.loops[i].share(flat(self.da[i]), flat(self.xs[i]), flat(self.hs[i][:-1]), self.kept[i])

        shares = in_parallel(share, range(len(self.loops)))
        dx = self.loops[0].input_gradient(flat(self.da[0])).reshape(self.x.shape) if self.x.requires_grad else None
        found = [made_for_the_tape(dx)]
        for i, loop in enumerate(self.loops):
            dw = loop.weight_gradients([shares[i]], num_threads())
            d_initial = (self.dh[i], self.dc[i])[: loop.cell.num_states]
            found += [*(made_for_the_tape(dw[name]) for name in self.names), *d_initial]
        return found


def flat(sequence: Array) -> Array:
    """(T, B, …) as (T·B, …)."""
    return sequence.reshape(-1, sequence.shape[2])
