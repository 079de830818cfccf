"""How long a layer remembers before it has learned anything: the first biases of the gates that keep its memory.

A memory that a gate f multiplies at every step is f^t of itself after t steps. Where f begins near 1/2, as it does with
small random weights, a thousandth of it is left after ten steps, and as little of the gradient on its way back
(equation (12) of `LSTMCell`): what matters for longer has nothing from which it could be learned. A bias b lets f begin
at σ(b).

Which gate keeps the memory, and in which direction, the cell says itself: `Cell.memory_gate`.
"""

from __future__ import annotations

import numpy as np

from minirnn.arguments import integer, number
from minirnn.cells import Cell
from minirnn.errors import InputError


def check_first_memory(cell: Cell, forget_bias: float | None, chrono: int | None) -> tuple[float | None, int | None]:
    """The options of `set_first_memory`, which must go with each other and with the cell.

    Raises:
        InputError: both are given, one is out of its range, or the cell has no gate that keeps its memory.
    """
    if forget_bias is None and chrono is None:
        return None, None
    name = "chrono" if forget_bias is None else "forget_bias"
    if forget_bias is not None and chrono is not None:
        raise InputError("forget_bias and chrono both set the first bias of the same gate: give one of them")
    if cell.memory_gate is None:
        raise InputError(
            f"{name} needs a cell with a gate that keeps its memory, an LSTM with a forget gate or a GRU: "
            f"{type(cell).__name__} with these options has none"
        )
    if chrono is None:
        return number("forget_bias", forget_bias), None
    return None, integer("chrono", chrono, least=3)  # U(1, 1), of a T of 2, would give every unit the same f = 1/2


def set_first_memory(
    b: np.ndarray, cell: Cell, forget_bias: float | None, chrono: int | None, rng: np.random.Generator
) -> None:
    """Set the biases of the gates that keep the memory and write to it; the others stay as they are.

    With f for the gate that keeps and i for an input gate of its own, per unit:

        forget_bias:    b_f = forget_bias
        chrono = T:     b_f = log u,  b_i = -b_f     with u from U(1, T-1)

    (Tallec & Ollivier 2018, "Can recurrent neural networks warp time?"). With b_f = log u the gate begins at
    f = u / (1+u), and f^t has fallen to about 1/e after 1+u steps: the units forget after times spread from 2 to T.
    With b_i = -b_f what is written at a step begins at i = 1-f, so that c stays an average and does not grow with u.

    In a GRU z is f and 1-z the i, so b_z = log u. (The paper writes its gated network as h_t = g * n + (1-g) * h_{t-1},
    which points the other way: its b_g is the -log u.) Where the gates are coupled, f = 1-i, it is b_i = -log u, and
    -forget_bias: 1 - σ(-b) = σ(b).

    Args:
        b: (rows,), the biases of the cell, changed in place.
        cell: whose they are.
        forget_bias, chrono: one of them, or none; see `check_first_memory`.
        rng: what chrono draws from.
    """
    gate, hidden_size = cell.memory_gate, len(b) // len(cell.gates)
    if gate is None:
        return

    def rows(letter: str) -> slice:
        at = cell.gates.index(letter) * hidden_size
        return slice(at, at + hidden_size)

    if forget_bias is not None:
        b[rows(gate.letter)] = gate.sign * forget_bias
    if chrono is not None:
        keep = np.log(rng.uniform(1, chrono - 1, hidden_size))
        b[rows(gate.letter)] = gate.sign * keep
        if gate.input_gate:
            b[rows(gate.input_gate)] = -keep
