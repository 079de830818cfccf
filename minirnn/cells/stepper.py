"""A cell that is walked step by step, by a decoder that knows its next input only once it has the output before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from minirnn.autograd import ops
from minirnn.autograd.tape import Pending
from minirnn.autograd.tensor import Tensor, needs_grad, record_many
from minirnn.backend import Array, array_module
from minirnn.cells.bptt import pre_activations, weight_gradients
from minirnn.cells.cell import Cell


class Stepper:
    """A cell whose x_t is known only once h_{t-1} is: with attention, x_t depends on it.

    Every step is then an operation of its own on the tape, and the walk back along the tape is the loop of
    `bptt.backward_through_time`: it adds dh_from_above and dh_from_future where h_t was used twice. Only (3) of
    `bptt.py` still waits for the end: the steps leave what it needs as the `Pending` gradient of a token that stands
    for all the weights.

    Args:
        cell: the step.
        weights: the cell's weights by name.
    """

    def __init__(self, cell: Cell, weights: Mapping[str, Tensor]):
        self.cell = cell
        self.w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})

        def backward(steps: list) -> list[Array]:
            xp = array_module(self.w.W)
            da, x, h_prev, kept = zip(*steps, strict=True)
            rows = xp.concatenate(x), xp.concatenate(h_prev)
            dw = weight_gradients(cell, xp.concatenate(da, axis=1), *rows, kept)
            return [dw[name] for name in weights]

        zero = array_module(self.w.W).zeros((), dtype=self.w.W.dtype)
        (self.token,) = record_many((zero,), list(weights.values()), backward)

    def __call__(self, x: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One step.

        Args:
            x: (B, I).
            state: `cell.num_states` tensors (B, H).

        Returns:
            The state after the step; its first tensor is the output.
        """
        ops.values(x, *state, self.token)  # refuses a mix of float32 and float64
        w, cell = self.w, self.cell
        a = pre_activations(cell, w, x.data[None], cell.kept_blocks)  # (1) of `bptt.py`
        inputs = [x, self.token, *state]
        new, kept = cell.forward(w, a[0], tuple(s.data.T for s in state))
        if needs_grad(inputs):
            cell.derivatives(a)

        def backward(*dstate: Array | None) -> list[Any]:
            H, B = new[0].shape
            xp = array_module(a)
            zero, da = xp.zeros_like(new[0]), xp.empty((len(w.b) + cell.extra_blocks * H, B), dtype=a.dtype)
            d_prev = cell.backward(w, kept, tuple(zero if d is None else d.T for d in dstate), da)
            dx = da[: len(w.b)].T @ w.W if x.requires_grad else None  # (4) of `bptt.py`
            note = Pending([(da, x.data, state[0].data, kept)], lambda steps: steps, (), self)
            return [dx, note, *(d.T for d in d_prev)]

        return record_many(tuple(s.T for s in new), inputs, backward)
