"""A cell that is walked step by step, each step compiled."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.pending import Pending
from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array
from minirnn.parallel import FEWEST_MULTIPLICATIONS, worthwhile

UNKNOWN_STEPS = 10
"""How many steps are expected of a walk of which nobody knows how long it will be."""


class CompiledStepper:
    """As `minirnn.cells.stepper.Stepper`, for a cell with a compiled loop: each step is that loop, one step long.

    Args:
        loop: the `loops.Loop` of the cell.
        weights: the cell's weights by name.
    """

    def __init__(self, loop: Any, weights: Mapping[str, Tensor]):
        self.loop = loop

        def backward(steps: list) -> list[Array]:
            shares = []
            for _, alike in itertools.groupby(steps, lambda step: step[1].shape):
                shares.append(loop.share(*(np.concatenate(arrays) for arrays in zip(*alike, strict=True))))
            rows = sum(len(da) for da, _ in shares)
            total = loop.weight_gradients(shares, worthwhile(rows * loop.w.U.size, FEWEST_MULTIPLICATIONS))
            return [total[name] for name in weights]

        zero = np.zeros((), dtype=loop.w.W.dtype)
        (self.token,) = record_many((zero,), list(weights.values()), backward)

    def __call__(self, x: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One step, from x (B, I) and the state's tensors (B, H) to the next."""
        require_tensor(x, *state)
        ops.values(x, *state, self.token)  # refuses a mix of float32 and float64
        loop, inputs = self.loop, [x, self.token, *state]
        real = np.ones((1, len(x.data)), bool)
        before = tuple(s.data for s in state)
        _, new, kept = loop.forward(x.data[None], before, real, needs_grad(inputs))

        def backward(*dstate: Array | None) -> list[Any]:
            da, d_prev = loop.backward(kept, None, dstate, real)
            dx = loop.input_gradient(da) if x.requires_grad else None
            return [dx, Pending([(da, x.data, before[0], kept)], lambda steps: steps, (), self), *d_prev]

        return record_many(new, inputs, backward)
