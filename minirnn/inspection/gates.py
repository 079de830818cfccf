"""What the gates of a recurrent layer do: how open each is at every step, and what happens when they stand still.

The gates are recomputed from the inputs and outputs of the layer by the equations of the cell, which is tested by
putting h together from them again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.autograd.recording import no_grad
from minirnn.autograd.tensor import Tensor
from minirnn.backend import sigmoid, to_host
from minirnn.cells.gru import GRUCell, GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.lstm_variants import LSTMVariantCell
from minirnn.errors import InputError
from minirnn.layers import Recurrent

NAMES = {"i": "input gate i", "f": "forget gate f", "o": "output gate o", "r": "reset gate r", "z": "update gate z"}


def gates(layer: Recurrent, x: np.ndarray) -> dict[str, np.ndarray]:
    """The activations of the gates of the layer that reads x, the first of a deep one.

    Args:
        layer: of the cell "gru", "gru-after", "lstm" or "lstm-peephole", from left to right; on the CPU.
        x: (T, B, I).

    Returns:
        (T, B, H) by the letter of the gate: r, z, n, or i, f, g, o; n and g are the candidates, between -1 and 1.

    Raises:
        InputError: the gates of this cell or direction are not known here, or x has another shape or dtype.
    """
    x = np.asarray(x)
    kind = type(layer.cell)
    peephole = kind is LSTMVariantCell and vars(layer.cell) == vars(LSTMVariantCell())
    known = kind in (GRUCell, GRUResetAfterCell, LSTMCell) or peephole
    if not known or layer.num_directions > 1 or layer.reverse:
        raise InputError(
            "gates are shown of gru, gru-after, lstm and lstm-peephole that read from left to right, not of "
            f"{kind.__name__.removesuffix('Cell')} or another direction"
        )
    w = {name: to_host(p.data) for name, p in layer.named_parameters().items()}
    with no_grad():
        single = Recurrent(layer.cell, layer.input_size, layer.hidden_size, rng=0, dtype=x.dtype)
        single.load_state_dict({name: w[name] for name in single.named_parameters()})
        h = single(Tensor(x))[0].data
    h_prev = np.concatenate((np.zeros_like(h[:1]), h[:-1]))
    wx = x @ w["W_l0"].T + w["b_l0"]
    return (_lstm if "i" in layer.cell.gates else _gru)(wx, h_prev, w)


def _gru(wx: np.ndarray, h_prev: np.ndarray, w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    wx_r, wx_z, wx_n = np.split(wx, 3, axis=-1)
    U_r, U_z, U_n = np.split(w["U_l0"], 3)
    r, z = sigmoid(wx_r + h_prev @ U_r.T), sigmoid(wx_z + h_prev @ U_z.T)
    recurrent = r * (h_prev @ U_n.T + w["b_u_l0"]) if "b_u_l0" in w else (r * h_prev) @ U_n.T
    return {"r": r, "z": z, "n": np.tanh(wx_n + recurrent)}


def _lstm(wx: np.ndarray, h_prev: np.ndarray, w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    a_i, a_f, a_g, a_o = np.split(wx + h_prev @ w["U_l0"].T, 4, axis=-1)
    p_i, p_f, p_o = w.get("p_l0", np.zeros((3, 1), wx.dtype))
    g = np.tanh(a_g)
    c, steps = np.zeros_like(g[0]), []
    for t in range(len(wx)):
        i, f = sigmoid(a_i[t] + p_i * c), sigmoid(a_f[t] + p_f * c)
        c = f * c + i * g[t]
        steps.append((i, f, sigmoid(a_o[t] + p_o * c)))
    i_all, f_all, o_all = (np.stack(gate) for gate in zip(*steps, strict=True))
    return {"i": i_all, "f": f_all, "g": g, "o": o_all}


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
