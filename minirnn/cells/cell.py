"""What `bptt` needs to know of a cell, and nothing about time.

In the equations of all cells, juxtaposition (U h) is the matrix product, * is elementwise, σ is the logistic
function, and dv is the gradient of the loss L with respect to v. Inside a step everything is columns: h is (H, B),
one sequence of the batch in each column, so that U h is written as in the textbook.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minirnn.backend import Array

Weights = SimpleNamespace  # the cell's weights as arrays, by name: w.W, w.U, w.b, …
State = tuple[Array, ...]  # the arrays (H, B) carried from step to step; the first is h


class MemoryGate(NamedTuple):
    """The gate that decides how much of the memory stays from one step to the next.

    Attributes:
        letter: which of the cell's `gates` it is.
        sign: 1 if the memory stays where the gate is 1, as with the LSTM's f; -1 if it is replaced there.
        input_gate: the separate gate for writing, as the LSTM's i; "" if exactly what is given up is overwritten.
    """

    letter: str
    sign: int
    input_gate: str = ""


class Cell:
    """One step of a recurrent network, forward and backward. It holds no weights and no state: both are handed in.

    The pre-activations of the gates lie below one another: with `rows` = len(gates) · H, gate k is the rows k·H to
    (k+1)·H of W (rows, I), U (rows, H) and b (rows,).

    To add a cell, write one file in this folder with a subclass that sets `variants` and `gates` (`num_states`, if more
    than h is carried; `memory_gate` and `kinks`, if there are any) and implements `forward` and `backward`. Override
    `weight_shapes` if there are weights beside W, U and b; `weight_gradients` for those, or if U multiplies anything
    but h_{t-1}; and set `extra_blocks` if `weight_gradients` needs more than da, `adds_bias` if b is not simply added
    to W x_t. The cell is then known everywhere by the names in `variants`. One that is written elsewhere needs no
    name: a layer or a model takes the cell itself, and the command line `--cell FILE.py:NAME`.
    """

    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    """The names of the ready-made configurations, each with the arguments of the constructor."""

    gates: str = ""
    """One letter for each block of H rows of W, in order. What `forward` makes of a block it calls by that letter: so
    `minirnn show gates` finds the gates of every cell."""

    memory_gate: MemoryGate | None = None
    """The gate that keeps the memory, whose initial bias decides how long a fresh layer remembers; None without one."""

    num_states: int = 1
    """How many arrays (H, B) are carried from step to step; the first is h."""

    extra_blocks: int = 0
    """How many further blocks of H rows `backward` fills below the gates', for `weight_gradients`."""

    adds_bias: bool = False
    """Whether `forward` adds b itself, so that `wx` is W x_t alone; `weight_gradients` then gives the gradient of b."""

    initial_values: ClassVar[dict[str, float]] = {}
    """The weights that begin as a constant and not at random, by name."""

    kinks: tuple[float, ...] = ()
    """The pre-activations at which the slope jumps, if any: finite differences, which check gradients, keep away."""

    draws: bool = False
    """Whether `forward` draws random numbers in training."""

    rng: np.random.Generator | None = None
    """In training, what they are drawn from; None in evaluation. The layer sets it."""

    sites: int = 1
    """How many neighbouring columns of a batch see one another, and stay together."""

    in_torch: bool = False
    """Whether torch.nn computes the same, so that weights can be exchanged."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {' '.join(self.gates)}>"

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """The shape of every weight. W (rows, I), U (rows, H) and b (rows,) are always among them."""
        rows = len(self.gates) * hidden_size
        return {"W": (rows, input_size), "U": (rows, hidden_size), "b": (rows,)}

    def forward(self, w: Weights, wx: Array, state: State) -> tuple[State, Any]:
        """One step.

        Args:
            w: the weights.
            wx: (rows, B), the input's part of the pre-activations: W x_t + b, or W x_t where the cell `adds_bias`.
            state: the arrays (H, B) after step t-1.

        Returns:
            The state after step t, and whatever `backward` will need, which comes back to it as `kept`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """One step back.

        Args:
            w: the weights.
            kept: what `forward` returned beside the state.
            dstate: for each array of the state after step t, the gradient (H, B) that arrives from outside this step:
                for h from above and from step t+1, for any other from step t+1 alone. Paths inside the step, such as
                from h_t to c_t in the LSTM, are this method's own business.
            da: (rows + extra_blocks · H, B), to be filled: with the gradient with respect to W x_t + b and, below it,
                what `weight_gradients` needs.

        Returns:
            The gradient with respect to each array (H, B) of the state after step t-1.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def weight_gradients(self, da: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
        """The gradients of all weights but W and b (b too, where the cell `adds_bias`), by name: sums over all steps
        and sequences.

        Args:
            da: (rows + extra_blocks · H, T·B), what `backward` filled in, the B columns of each step side by side.
            h_prev: (T·B, H), the h_{t-1} that belong to the columns of da, as rows: so that da @ h_prev is the sum of
                all da_t h_{t-1}ᵀ.
            kept: what `forward` kept, for the steps in the same order (whichever that is: all is summed up).
        """
        return {"U": da @ h_prev}  # Σ_t da_t h_{t-1}ᵀ

    def weights_from_torch(self, torch_weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """This cell's weights from torch's `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`. Where only the sum of
        torch's two biases matters, b is that sum."""
        bias = torch_weights["bias_ih"] + torch_weights["bias_hh"]
        return {"W": torch_weights["weight_ih"], "U": torch_weights["weight_hh"], "b": bias}

    def weights_to_torch(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of `weights_from_torch`, with `bias_hh` = 0 where only the sum matters."""
        W, U, b = weights["W"], weights["U"], weights["b"]
        return {"weight_ih": W, "weight_hh": U, "bias_ih": b, "bias_hh": np.zeros_like(b)}
