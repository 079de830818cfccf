"""A cell that is walked step by step, by a decoder that knows its next input only once it has the output before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from minirnn.autograd import ops
from minirnn.autograd.pending import Pending
from minirnn.autograd.recording import record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module
from minirnn.cells.bptt import input_products, weight_gradients
from minirnn.cells.cell import Cell


class Stepper:
    """A cell whose x_t is known only once h_{t-1} is: with attention, x_t depends on it.

    Every step is then an operation of its own on the tape, and the walk back along the tape is the loop of
    `bptt.backward_through_time`: it adds dh_from_above and dh_from_future where h_t was used twice. Only (4) and (5) of
    `bptt.py` still wait for the end: the steps leave what they need as the `Pending` gradient of a token that stands
    for all the weights.

    Args:
        cell: the step.
        weights: the cell's weights by name.
    """

    def __init__(self, cell: Cell, weights: Mapping[str, Tensor]):
        self.cell = cell
        self.w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})

        def backward(steps: list) -> list[Array]:
            dw = self.gradients(steps)
            return [dw[name] for name in weights]

        zero = array_module(self.w.W).zeros((), dtype=self.w.W.dtype)
        (self.token,) = record_many((zero,), list(weights.values()), backward)

    def gradients(self, steps: Sequence[tuple]) -> dict[str, Array]:
        """(4) and (5), by name, from what steps have left: of each its da, x, h_{t-1}, and what it has kept."""
        da, x, h_prev, kept = zip(*steps, strict=True)
        xp = array_module(da[0])
        rows = xp.concatenate(x), xp.concatenate(h_prev)
        return weight_gradients(self.cell, xp.concatenate(da, axis=1), *rows, kept)

    def __call__(self, x: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """One step.

        Args:
            x: (B, I).
            state: `cell.num_states` tensors (B, H).

        Returns:
            The state after the step; its first tensor is the output.

        Raises:
            TypeError: something is not a Tensor, or float32 meets float64.
        """
        require_tensor(x, *state)
        ops.values(x, *state, self.token)  # refuses a mix of float32 and float64
        w, cell = self.w, self.cell
        wx = input_products(cell, w, x.data[None])[0]  # (1) of `bptt.py`, for one step
        new, kept = cell.forward(w, wx, tuple(s.data.T for s in state))

        def backward(*dstate: Array | None) -> list[Any]:
            H, B = new[0].shape
            xp = array_module(new[0])
            zero, da = xp.zeros_like(new[0]), xp.empty((len(w.b) + cell.extra_blocks * H, B), dtype=new[0].dtype)
            d_prev = cell.backward(w, kept, tuple(zero if d is None else d.T for d in dstate), da)
            dx = da[: len(w.b)].T @ w.W if x.requires_grad else None  # (6) of `bptt.py`
            note = Pending([(da, x.data, state[0].data, kept)], lambda steps: steps, (), self)
            return [dx, note, *(d.T for d in d_prev)]

        return record_many(tuple(s.T for s in new), [x, self.token, *state], backward)
