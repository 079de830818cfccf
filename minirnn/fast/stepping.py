"""A cell that is walked step by step, each step compiled."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.pending import Pending
from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array
from minirnn.parallel import FEWEST_MULTIPLICATIONS, cut, in_parallel, worthwhile

UNKNOWN_STEPS = 10
"""How many steps are expected of a walk of which nobody knows how long it will be."""


class Left(NamedTuple):
    """What a part of the batch leaves of a step back, for the gradients of the weights."""

    da: Array
    x: Array
    h_prev: Array
    kept: Array


class CompiledStepper:
    """As `minirnn.cells.stepper.Stepper`, for a cell with a compiled loop: each step is that loop, one step long, of
    each part of the batch in a thread of its own, where that pays.

    Args:
        loop: the `loops.Loop` of the cell.
        weights: the cell's weights by name.
    """

    def __init__(self, loop: Any, weights: Mapping[str, Tensor]):
        self.loop = loop

        def backward(steps: list[Left]) -> list[Array]:
            threads = self._threads(sum(len(left.da) for left in steps))
            steps.sort(key=lambda left: len(left.x))  # alike beside alike, to be one array
            shares = in_parallel(self._shares, [steps[part] for part in cut(len(steps), threads)], threads)
            total = loop.weight_gradients(list(itertools.chain(*shares)), threads)
            return [total[name] for name in weights]

        zero = np.zeros((), dtype=loop.w.W.dtype)
        (self.token,) = record_many((zero,), list(weights.values()), backward)

    def _threads(self, rows: int) -> int:
        return worthwhile(rows * (self.loop.w.W.size + self.loop.w.U.size), FEWEST_MULTIPLICATIONS)

    def _shares(self, steps: list[Left]) -> list[Any]:
        """One share for all steps of parts of one size."""
        shares = []
        for _, alike in itertools.groupby(steps, lambda left: len(left.x)):
            *sequences, kept = zip(*alike, strict=True)
            some = np.concatenate(kept) if self.loop.known.looks else kept[0]
            shares.append(self.loop.share(*map(np.concatenate, sequences), some))
        return shares

    def __call__(self, x: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One step, from x (B, I) and the state's tensors (B, H) to the next."""
        require_tensor(x, *state)
        ops.values(x, *state, self.token)  # refuses a mix of float32 and float64
        loop, inputs, B = self.loop, [x, self.token, *state], len(x.data)
        keep, threads, before = needs_grad(inputs), self._threads(B), [s.data for s in state]
        parts, real = cut(B, min(threads, max(1, B))), np.ones((1, B), bool)
        loop.forward_weights  # noqa: B018  (made once, and not by each thread)

        def step(part: slice) -> tuple[tuple[Array, ...], Array]:
            _, new, kept = loop.forward(x.data[None, part], [s[part] for s in before], real[:, part], keep)
            return new, kept

        def step_back(i: int, d_new: Sequence[Array | None]) -> tuple[Any, ...]:
            part, kept = parts[i], found[i][1]
            da, d_prev = loop.backward(kept, None, [None if d is None else d[part] for d in d_new], real[:, part])
            dx = loop.input_gradient(da) if x.requires_grad else None
            return dx, Left(da, x.data[part], before[0][part], kept), d_prev

        def backward(*d_new: Array | None) -> list[Any]:
            loop.backward_weights  # noqa: B018
            dxs, left, d_prevs = zip(*each(lambda i: step_back(i, d_new), range(len(parts))), strict=True)
            dx = joined(dxs) if x.requires_grad else None
            return [dx, Pending(list(left), lambda steps: steps, (), self), *map(joined, zip(*d_prevs, strict=True))]

        found = each(step, parts)
        return record_many(tuple(map(joined, zip(*(new for new, _ in found), strict=True))), inputs, backward)


def each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """`in_parallel`, and for one item no detour: that is a tenth of a step of one small sequence."""
    return [function(items[0])] if len(items) == 1 else in_parallel(function, items, len(items))


def joined(parts: Sequence[Array]) -> Array:
    """The rows of all parts of a batch."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
