"""A walk along time, sooner: in threads, with products and steps that stand in for the plain ones."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module, device_of
from minirnn.cells import bptt, stepper
from minirnn.cells.bptt import Trace, turned
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.checks import check_lengths, check_shapes
from minirnn.cells.padding import PaddingMask
from minirnn.fast import cuda, fused, in_place, kernels, slices
from minirnn.parallel import in_parallel, multiplies_unpacked, num_threads

FEWEST_COLUMNS = 8
"""Sequences below which another thread is not worth having: products with fewer columns are slow."""

MOST_PARTS = 3
"""Threads beyond which parts whose steps are interpreted wait for Python's lock longer than they compute, so that the
BLAS with all threads, on the whole batch, is the better use of them."""

FEWEST_MULTIPLICATIONS = {False: 600_000, True: 250_000}
"""Multiplications by the U of one gate, in one step of one part, below which threads wait for Python's lock longer than
they compute: where steps are interpreted, and where they are compiled. (More gates are more products, but also more of
what needs the lock.)"""


def unroll(
    cell: Cell,
    x: Tensor,
    weights: Mapping[str, Tensor],
    state: Sequence[Tensor],
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `minirnn.cells.bptt.unroll`, sooner.

    The sequences of a batch know nothing of one another until their gradients are added up. So where it pays, each
    thread of the CPU takes a part of the batch through all of it by itself.
    """
    check_shapes(cell, x, weights, state)
    inputs = [x, *weights.values(), *state]
    keep, arrays = needs_grad(inputs), SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
    parts = divide(cell, arrays, x.data)
    walk, *steps = stand_in(cell, arrays, x.data, len(parts), x.shape[0] if keep else 1)
    one_thread_each = len(parts) > 1 or num_threads() == 1
    w = slices.for_steps(arrays) if x.shape[0] > 1 and one_thread_each else arrays
    if lengths is not None:
        lengths = np.asarray(lengths)
        check_lengths(lengths, x.shape[0], x.shape[1])  # all together: parts of them would be named as if they were all

    def forward(i: int) -> tuple[Array, State, Trace]:
        x_part, initial = x.data[:, parts[i]], tuple(s.data[parts[i]] for s in state)
        mask = PaddingMask(None if lengths is None else lengths[parts[i]], x_part, reverse)
        return walk.forward_through_time(steps[i], w, turned(x_part, reverse), initial, mask, keep)

    outputs, finals, traces = zip(*in_parallel(forward, range(len(parts))), strict=True)

    def backward(d_output: Array | None, *d_final: Array | None) -> list[Array | None]:
        def walk_back(i: int) -> tuple[Array | None, dict[str, Array], State]:
            d_out = None if d_output is None else turned(d_output[:, parts[i]], reverse)
            d_ends = [None if d is None else d[parts[i]] for d in d_final]
            return walk.backward_through_time(steps[i], w, traces[i], d_out, d_ends, x.requires_grad)

        dxs, dws, d_initials = zip(*in_parallel(walk_back, range(len(parts))), strict=True)
        dw = {name: functools.reduce(operator.iadd, (part[name] for part in dws)) for name in weights}
        d_initial = (joined(arrays, axis=0) for arrays in zip(*d_initials, strict=True))
        return [turned(joined(dxs, axis=1) if x.requires_grad else None, reverse), *dw.values(), *d_initial]

    final = (joined(arrays, axis=0) for arrays in zip(*finals, strict=True))
    y, *states = record_many((turned(joined(outputs, axis=1), reverse), *final), inputs, backward)
    return y, tuple(states)


class Stepper(stepper.Stepper):
    """As `minirnn.cells.stepper.Stepper`, sooner."""

    def __init__(self, cell: Cell, weights: Mapping[str, Tensor]):
        w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
        super().__init__(steps_for(cell, w, w.W, 1, 1)[0], weights)


def stand_in(cell: Cell, w: Weights, x: Array, parts: int, T: int) -> tuple[Any, ...]:
    """What walks along time, with the two functions of `bptt`, and for each part of the batch what makes the steps, of
    which T are to be kept. (For an empty batch there are no kernels to launch.)"""
    if x.shape[1] and device_of(x) == "gpu" and kernels.wanted("gpu") and cuda.knows(cell):
        return cuda, cell
    return bptt, *steps_for(cell, w, x, parts, T)


def steps_for(cell: Cell, w: Weights, x: Array, parts: int, T: int) -> list[Any]:
    """For each part of the batch what makes its steps: the cell, or what stands in for it, with the same methods."""
    if kernels.compiles(cell, x):
        return [kernels.compiled(cell, w)] * parts
    in_place_steps = in_place.steps_of(cell)
    if in_place_steps is not None:
        return [in_place_steps(cell, T) for _ in range(parts)]
    if device_of(x) == "gpu" and type(cell) in fused.STEPS:
        return [fused.STEPS[type(cell)](cell)] * parts
    return [cell] * parts


def divide(cell: Cell, w: Weights, x: Array) -> list[slice]:
    """The batch of x (T, B, I) as a part for each thread.

    It stays whole on a GPU; for steps so small, or threads so many, that the BLAS with all of them is the better use;
    where that BLAS would pack U for every part; and for a cell that draws random numbers, whose order threads would
    decide.
    """
    B, H = x.shape[1], w.U.shape[1]
    threads = min(num_threads(), B // FEWEST_COLUMNS) if array_module(x) is np else 1
    compiled = kernels.compiles(cell, x)
    fewest = FEWEST_MULTIPLICATIONS[compiled]
    if num_threads() > MOST_PARTS and not compiled:
        threads = 1
    while threads > 1 and threads * fewest > H * H * B:
        threads -= 1
    if threads < 2 or not multiplies_unpacked() or cell.rng is not None:
        return [slice(0, B)]
    bounds = [B * i // threads for i in range(threads + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds)]


def joined(parts: Sequence[Array], axis: int) -> Array:
    """The arrays of all parts of a batch, side by side along their batch axis."""
    return parts[0] if len(parts) == 1 else array_module(parts[0]).concatenate(parts, axis=axis)
