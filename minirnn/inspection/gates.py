"""What the gates of a recurrent layer do: how open each is at every step, and what happens when they stand still.

A cell calls the activation of each of its gates by the gate's letter, as its equations do. So the gates of any cell,
also of one that was added today, are the variables of these names in its `forward`, and are taken from there while it
runs: there is no second set of equations that could say something else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, SimpleNamespace
from typing import Any

import numpy as np

from minirnn.autograd.recording import no_grad
from minirnn.autograd.tensor import Tensor
from minirnn.backend import float_dtype, to_host
from minirnn.cells import Cell
from minirnn.cells.bptt import input_products
from minirnn.errors import InputError
from minirnn.layers import Recurrent

NAMES = {"i": "input gate i", "f": "forget gate f", "o": "output gate o", "r": "reset gate r", "z": "update gate z"}


def gates(layer: Recurrent, x: np.ndarray) -> dict[str, np.ndarray]:
    """What each block of rows of W becomes at every step, gates and candidates, in the layer that reads x: the first of
    a deep one.

    Args:
        layer: of any cell, from left to right.
        x: (T, B, I).

    Returns:
        (T, B, H) by the letters of `cell.gates`: of a GRU r, z, n, of an LSTM i, f, g, o. `opening` finds the gates
        among them.

    Raises:
        InputError: the layer reads in another direction, x has another shape or dtype, or the `forward` of the cell has
            no variable of a gate's name.
    """
    x = np.asarray(x)
    if layer.num_directions > 1 or layer.reverse:
        raise InputError("gates are shown of layers that read from left to right, not of another direction")
    if x.ndim != 3 or not len(x) or x.shape[2] != layer.input_size:
        raise InputError(
            f"expected an x of shape (time, batch, features), with {layer.input_size} features and at least one step, "
            f"not {x.shape}"
        )
    cell, H = layer.cell, layer.hidden_size
    dtype = float_dtype(x.dtype)
    own = {name.removesuffix("_l0"): p.data for name, p in layer.named_parameters().items() if name.endswith("_l0")}
    w = SimpleNamespace(**{name: to_host(data).astype(dtype) for name, data in own.items()})
    state = (np.zeros((H, x.shape[1]), dtype),) * cell.num_states
    found: dict[str, list[np.ndarray]] = {letter: [] for letter in cell.gates}
    for wx in input_products(cell, w, x):
        with _variables_of(cell) as variables:
            state, _ = cell.forward(w, wx, state)
        for letter, steps in found.items():
            if getattr(variables.get(letter), "shape", None) != state[0].shape:
                raise InputError(
                    f"{type(cell).__name__}.forward has no variable {letter} of shape (hidden_size, batch): give the "
                    f"activation of its gate {letter!r} that name, as the other cells do"
                )
            steps.append(variables[letter].T)
    return {letter: np.stack(steps) for letter, steps in found.items()}


def opening(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those of `gates` that are gates: between 0, shut, and 1, open, at every step. The others are candidates, of what
    is to be written, or the new state itself, which is called h."""
    return {letter: v for letter, v in found.items() if letter != "h" and v.min() >= 0 and v.max() <= 1}


@contextmanager
def _variables_of(cell: Cell) -> Iterator[dict[str, Any]]:
    """The variables that `forward` of the cell has at its end, when it has been called inside the block: of its class,
    and of those from which that inherits and which it calls."""
    found: dict[str, Any] = {}

    def on_event(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_name == "forward" and frame.f_locals.get("self") is cell:
            found.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        yield found
    finally:
        sys.setprofile(before)


def saturation(gate: np.ndarray, low: float = 0.1, high: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """For each unit the part of all steps in which its gate is nearly closed, and nearly open (Karpathy, Johnson &
    Fei-Fei 2015): from (T, B, H) two arrays (H,)."""
    return (gate < low).mean(axis=(0, 1)), (gate > high).mean(axis=(0, 1))


def extreme_cases(seed: int = 0) -> dict[str, float]:
    """Gates that biases of ±1000 hold open or shut, and what follows: for each case the largest difference from what it
    should be, in float64, where 0 is as it should be."""
    rng = np.random.default_rng(seed)
    x, other, h0 = rng.standard_normal((8, 3, 4)), rng.standard_normal((8, 3, 4)), rng.standard_normal((1, 3, 5))

    def gru(r: float, z: float) -> Recurrent:
        layer = Recurrent("gru", 4, 5, rng=seed, dtype=np.float64)
        layer.b_l0.data[:5], layer.b_l0.data[5:10] = r, z  # type: ignore[attr-defined]
        return layer

    def lstm(i: float, f: float) -> Recurrent:
        layer = Recurrent("lstm", 4, 5, rng=seed, dtype=np.float64)
        layer.b_l0.data[:5], layer.b_l0.data[5:10] = i, f  # type: ignore[attr-defined]
        return layer

    def run(layer: Recurrent, x: np.ndarray, *state: np.ndarray) -> Any:
        with no_grad():
            tensors = tuple(Tensor(s) for s in state)
            output, final = layer(Tensor(x), tensors if len(tensors) > 1 else tensors[0])
        return output.data, final[1].data if isinstance(final, tuple) else final.data

    plain, candidate = Recurrent("rnn", 4, 5, rng=seed, dtype=np.float64), gru(1000, -1000)
    plain.load_state_dict({name: value[10:] for name, value in candidate.state_dict().items()})
    shut, blind = gru(0, 1000), gru(-1000, -1000)
    keeps, forgets = lstm(-1000, 1000), lstm(0, -1000)
    far = h0 + 1
    return {
        "GRU, z = 0 and r = 1: a plain RNN": _apart(run(candidate, x, h0)[0], run(plain, x, h0)[0]),
        "GRU, z = 1: the input is ignored, h stays": _apart(run(shut, x, h0)[0], np.repeat(h0, 8, axis=0)),
        "GRU, z = 0 and r = 0: h_{t-1} is ignored": _apart(run(blind, x, h0)[0], run(blind, x, far)[0]),
        "LSTM, f = 1 and i = 0: the memory stays": _apart(run(keeps, other, h0, h0)[1], h0),
        "LSTM, f = 0: c_{t-1} is ignored": _apart(run(forgets, x[:1], h0, h0)[1], run(forgets, x[:1], h0, far)[1]),
    }


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(abs(a - b).max())
