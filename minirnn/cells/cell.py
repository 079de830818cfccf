"""What `bptt` needs to know of a cell, and nothing about time."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from minirnn.backend import Array

Weights = SimpleNamespace  # the cell's weights as arrays, by name: w.W, w.U, w.b, …
State = tuple[Array, ...]


class Cell:
    """One step of a recurrent network, forward and backward. It holds no weights and no state: both are handed in.

    Inside a step everything is columns: the state is (H, B), one sequence of the batch in each column, and a
    product is written as in the textbook, U h. Pre-activations of the gates lie below one another, so that gate k
    is the rows k·H to (k+1)·H of W, U and b.

    To add a cell, write one file in this folder with a subclass that sets `variants` and `gates` and implements
    `forward` and `backward`; where its weights differ from W, U and b, also `weight_shapes` and
    `weight_gradients`. It is then known everywhere by the names in `variants`.
    """

    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    """The names of the ready-made configurations, each with the arguments of the constructor."""

    gates: ClassVar[str] = ""
    """One letter for each block of H rows of W, in order."""

    num_states: ClassVar[int] = 1
    """How many arrays (H, B) are carried from step to step; the first is h."""

    extra_rows: int = 0
    """How many further blocks of H rows `backward` returns below the gates', for `weight_gradients`."""

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """The shape of every weight. W (rows, I), b (rows,) and U (rows, H) are always among them."""
        rows = len(self.gates) * hidden_size
        return {"W": (rows, input_size), "U": (rows, hidden_size), "b": (rows,)}

    def forward(self, w: Weights, p: Array, state: State) -> tuple[State, Any]:
        """One step.

        Args:
            w: the weights.
            p: (rows, B), the input's part of the pre-activations, W x_t + b; may be overwritten.
            state: the arrays (H, B) after step t-1.

        Returns:
            The state after step t, and whatever `backward` will need.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, w: Weights, kept: Any, dstate: State) -> tuple[Array, State]:
        """One step back.

        Args:
            w: the weights.
            kept: what `forward` kept.
            dstate: the gradient of the loss with respect to the state after step t.

        Returns:
            da (rows + extra rows, B), the gradient with respect to p and, below it, what `weight_gradients`
            needs; and the gradient with respect to the state after step t-1.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        """The gradients of all weights but W and b, summed over time and batch.

        Args:
            da: (rows + extra rows, T·B), what `backward` returned, one column for each step and sequence.
            h_prev: (T·B, H), the h_{t-1} that belong to the columns, as rows.
            kept: what `forward` kept, for t = 0 … T-1.
        """
        return {"U": da @ h_prev}

    in_torch: bool = False
    """Whether torch.nn computes the same, so that weights can be exchanged."""

    def weights_from_torch(self, torch_weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """This cell's weights from torch's `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`. Where only the sum of
        torch's two biases matters, b is that sum."""
        bias = torch_weights["bias_ih"] + torch_weights["bias_hh"]
        return {"W": torch_weights["weight_ih"], "U": torch_weights["weight_hh"], "b": bias}

    def weights_to_torch(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of `weights_from_torch`, with `bias_hh` = 0 where only the sum matters."""
        W, U, b = weights["W"], weights["U"], weights["b"]
        return {"weight_ih": W, "weight_hh": U, "bias_ih": b, "bias_hh": np.zeros_like(b)}
