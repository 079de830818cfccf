"""A walk along time, sooner: in threads, with products and steps that stand in for the plain ones."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.autograd.pending import Pending
from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, Lengths, array_module, device_of
from minirnn.cells import bptt, stepper
from minirnn.cells.bptt import Trace, turned
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.checks import check_lengths, check_shapes
from minirnn.cells.neighbours import NeighbourCell
from minirnn.cells.padding import PaddingMask
from minirnn.fast import cuda, fused, in_place, kernels, slices
from minirnn.fast.in_threads import InThreads, in_threads
from minirnn.parallel import FEWEST_MULTIPLICATIONS as FEWEST_OF_A_PRODUCT
from minirnn.parallel import cut, in_parallel, one_thread_each, worthwhile

FEWEST_COLUMNS = 8
"""Sequences below which another thread is not worth having: products with fewer columns are slow."""

FEWEST_MULTIPLICATIONS = 300_000
"""Multiplications by the U of one gate, in one step of the whole batch, for each square of the number of threads, below
which they wait for Python's lock longer than they compute. (More gates are more products, but also more of what needs
the lock.)"""

FEWEST_ROWS, FEWEST_OF_A_WALK = 2, 2_000_000
"""The same where the whole walk is compiled: sequences for each thread, and multiplications by U in all steps together,
for each square of the number of threads, below which they take longer to begin than to compute."""


def unroll(
    cell: Cell,
    x: Tensor,
    weights: Mapping[str, Tensor],
    state: Sequence[Tensor],
    lengths: Lengths | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `minirnn.cells.bptt.unroll`, sooner."""
    return unroll_together([(cell, x, weights, state, lengths, reverse)])[0]


def unroll_together(walks: Sequence[tuple[Any, ...]]) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
    """What `unroll` returns for each of these arguments, none of which needs what comes of another: those of the two
    directions of a layer.

    Nor do the sequences of a batch know anything of one another until their gradients are added up. So where it pays,
    each thread of the CPU takes one direction, or a part of the batch, through all of it by itself.
    """
    walkers = [_Walker(len(walks), *walk) for walk in walks]
    for walker in walkers:
        walker.prepare("forward_weights")
    outcomes = [walker.arrive(found) for walker, found in zip(walkers, by_part(_Walker.forward, walkers), strict=True)]

    def backward(*gradients: Array | None) -> list[Array | None]:
        given = iter(gradients)
        d_outcome = {walker: [next(given) for _ in range(1 + len(walker.state))] for walker in walkers}
        needed = [w for w in walkers if w.keep and any(d is not None for d in d_outcome[w])]
        for walker in needed:
            walker.dx = walker.room(walker.x.shape) if walker.x.requires_grad else None
            walker.prepare("backward_weights")
        found = iter(by_part(lambda walker, i: walker.backward(i, *d_outcome[walker]), needed))
        return [d for w in walkers for d in (w.gradients(next(found)) if w in needed else [None] * len(w.inputs))]

    inputs = [tensor for walker in walkers for tensor in walker.inputs]
    tensors = iter(record_many([array for outcome in outcomes for array in outcome], inputs, backward, rule=unroll))
    return [(next(tensors), tuple(next(tensors) for _ in walker.state)) for walker in walkers]


def by_part(act: Callable[[Any, int], Any], walkers: Sequence[Any]) -> list[list[Any]]:
    """For each of the walkers what it brings back from each part of its batch."""
    pieces = [(walker, i) for walker in walkers for i in range(len(walker.parts))]
    if walkers and device_of(walkers[0].x.data) == "cpu":
        found = iter(in_parallel(lambda piece: act(*piece), pieces, walkers[0].threads))
    else:
        found = iter([act(*piece) for piece in pieces])
    return [[next(found) for _ in walker.parts] for walker in walkers]


class _Walker:
    """A walk along time, in parts of the batch that can be walked at the same time.

    Args:
        walks: how many there are beside one another.
        cell, x, weights, state, lengths, reverse: as for `unroll`.
    """

    def __init__(
        self,
        walks: int,
        cell: Cell,
        x: Tensor,
        weights: Mapping[str, Tensor],
        state: Sequence[Tensor],
        lengths: Lengths | None = None,
        reverse: bool = False,
    ):
        check_shapes(cell, x, weights, state)
        T, B, _ = x.shape
        if lengths is not None:
            lengths = np.asarray(lengths)
            check_lengths(lengths, T, B)  # all together: parts of them would be named as if they were all
        w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
        self.x, self.state, self.lengths, self.reverse, self.names = x, state, lengths, reverse, list(weights)
        self.inputs = [x, *weights.values(), *state]
        self.keep, self.threads = needs_grad(self.inputs), threads_for(cell, w, x.data, walks)
        self.parts = divide(
            B, self.threads // walks, cell, FEWEST_ROWS if kernels.compiles(cell, x.data) else FEWEST_COLUMNS
        )
        self.walk, *self.steps = stand_in(cell, w, x.data, len(self.parts), self.keep)
        self.w = slices.for_steps(w, B // len(self.parts)) if T > 1 and self.walk is bptt else w
        self.traces: tuple[Trace, ...] = ()
        self.output = self.room((T, B, w.U.shape[1]))
        self.dx: Any = None

    def room(self, shape: tuple[int, ...]) -> Array | None:
        """Where the parts of the batch come together, each put there by who has computed it; None for one part."""
        return array_module(self.x.data).empty(shape, dtype=self.x.dtype) if len(self.parts) > 1 else None

    def prepare(self, weights: str) -> None:
        """Let a compiled loop prepare its weights, before the threads ask for them and wait for one another."""
        getattr(self.steps[0], weights, None)

    def forward(self, i: int) -> tuple[Array, State, Trace]:
        """Part i of the batch as far as its last step: the output, the final state, and what the way back needs."""
        part = self.parts[i]
        x, initial = self.x.data[:, part], tuple(s.data[part] for s in self.state)
        mask = PaddingMask(None if self.lengths is None else self.lengths[part], x, self.reverse)
        output, final, trace = self.walk.forward_through_time(
            self.steps[i], self.w, turned(x, self.reverse), initial, mask, self.keep
        )
        return put(turned(output, self.reverse), self.output, part), final, trace

    def arrive(self, found: Sequence[tuple[Array, State, Trace]]) -> list[Array]:
        """The output and the final state of the whole batch, from those of its parts."""
        outputs, finals, self.traces = zip(*found, strict=True)
        final = (joined(arrays, axis=0) for arrays in zip(*finals, strict=True))
        self.output = None
        vars(self.steps[0]).pop("forward_weights", None)  # of a compiled loop: as large as the weights, and done with
        return [outputs[0], *final]

    def backward(self, i: int, d_output: Array | None, *d_final: Array | None) -> tuple[Any, Any, State]:
        """Part i of the batch back: the gradients of the input, the weights and the initial state; where the walk is a
        compiled loop, what it contributes to those of the weights."""
        part = self.parts[i]
        d_out = None if d_output is None else turned(d_output[:, part], self.reverse)
        d_ends = [None if d is None else d[part] for d in d_final]
        trace, needs_dx = self.traces[i], self.x.requires_grad
        dx, dw, d_initial = self.walk.backward_through_time(self.steps[i], self.w, trace, d_out, d_ends, needs_dx)
        return put(turned(dx, self.reverse), self.dx, part), dw, d_initial

    def gradients(self, found: Sequence[tuple[Any, Any, State]]) -> list[Array | None]:
        """Those of the inputs, in that order, from those of the parts."""
        dxs, dws, d_initials = zip(*found, strict=True)
        if self.walk in (bptt, cuda):
            dw = {name: functools.reduce(operator.iadd, (part[name] for part in dws)) for name in self.names}
        else:
            dw = self.steps[0].weight_gradients(dws, self.threads)
        d_initial = (joined(arrays, axis=0) for arrays in zip(*d_initials, strict=True))
        dx, self.dx = dxs[0] if self.x.requires_grad else None, None
        return [*map(made_for_the_tape, (dx, *map(dw.get, self.names))), *d_initial]


def put(part: Any, whole: Any, at: slice) -> Any:
    """A part of a batch in its place (T, B, …) among the others; by itself, where it is all of it, or nothing."""
    if part is None or whole is None:
        return part
    whole[:, at] = part
    return whole


def made_for_the_tape(gradient: Any) -> Any:
    """A gradient that nobody else holds, as one that need not be copied to be kept."""
    if gradient is None:
        return None
    return Pending([gradient], lambda parts: functools.reduce(operator.add, parts), gradient.shape, "made for the tape")


class Stepper(stepper.Stepper):
    """As `minirnn.cells.stepper.Stepper`, sooner."""

    def __new__(cls, cell: Cell, weights: Mapping[str, Tensor]) -> Any:
        W = weights["W"].data
        if cell.rng is None and kernels.compiles(cell, W):
            return kernels.compiled_stepper(cell, weights)
        return super().__new__(cls)

    def __init__(self, cell: Cell, weights: Mapping[str, Tensor]):
        super().__init__(steps_for(cell, weights["W"].data, 1, 1)[0], weights)
        self.w = in_threads(self.w)

    def __call__(self, x: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        with one_thread_each():
            return super().__call__(x, state)

    def gradients(self, steps: Sequence[tuple]) -> dict[str, Array]:
        """As there; on the CPU each thread adds up some of the steps."""
        if not isinstance(self.w.U, InThreads):
            return super().gradients(steps)
        rows = sum(len(x) for _, x, *_ in steps)
        threads = worthwhile(rows * (self.w.W.size + self.w.U.size), FEWEST_OF_A_PRODUCT)
        parts = [steps[part] for part in cut(len(steps), min(threads, len(steps)))]
        found = in_parallel(super().gradients, parts, threads)
        return {name: functools.reduce(operator.iadd, (part[name] for part in found)) for name in found[0]}


def stand_in(cell: Cell, w: Weights, x: Array, parts: int, keep: bool) -> tuple[Any, ...]:
    """What walks along time, with the two functions of `bptt`, and for each part of the batch what it takes in the
    place of the cell. (For an empty batch there are no kernels to launch.)"""
    T, B, _ = x.shape
    if B and device_of(x) == "gpu" and kernels.wanted("gpu") and cuda.knows(cell):
        return cuda, cell
    if kernels.compiles(cell, x):
        loops, loop = kernels.compiled(cell, w, T * B // parts)
        return loops, *[loop] * parts
    return bptt, *steps_for(cell, x, parts, T if keep else 1)


def steps_for(cell: Cell, x: Array, parts: int, T: int) -> list[Any]:
    """For each part of the batch what makes its steps, of which T are to be kept: the cell, or what stands in for it,
    with the same methods."""
    if isinstance(cell, NeighbourCell):
        return [cell.around(inner) for inner in steps_for(cell.inner, x, parts, T)]
    in_place_steps = in_place.steps_of(cell)
    if in_place_steps is not None:
        return [in_place_steps(cell, T) for _ in range(parts)]
    if device_of(x) == "gpu" and type(cell) in fused.STEPS:
        return [fused.STEPS[type(cell)](cell)] * parts
    return [cell] * parts


def divide(B: int, threads: int, cell: Cell, fewest: int = FEWEST_COLUMNS) -> list[slice]:
    """The sequences of a batch, a part of at least so many for each of the threads that walk along it. Neighbours stay
    together."""
    together = cell.sites
    parts = cut(B // together, max(1, min(threads, B // together, B // fewest)))
    return [slice(together * part.start, together * part.stop) for part in parts]


def threads_for(cell: Cell, w: Weights, x: Array, walks: int) -> int:
    """How many threads pay for so many walks along an x like this (T, B, I).

    One on a GPU, and for a cell that draws random numbers, whose order threads would decide.
    """
    if array_module(x) is not np or cell.rng is not None:
        return 1
    if kernels.compiles(cell, x):
        return worthwhile(walks * x.shape[0] * x.shape[1] * w.U.size, FEWEST_OF_A_WALK)
    seen = 1 + len(cell.offsets) if isinstance(cell, NeighbourCell) else 1
    multiplications = walks * seen * w.U.shape[1] ** 2 * x.shape[1]
    return worthwhile(multiplications, FEWEST_MULTIPLICATIONS)


def joined(parts: Sequence[Array], axis: int) -> Array:
    """The arrays of all parts of a batch, side by side along their batch axis."""
    return parts[0] if len(parts) == 1 else array_module(parts[0]).concatenate(parts, axis=axis)
