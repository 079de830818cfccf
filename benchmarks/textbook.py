"""Recurrent layers as most tutorials write them in NumPy: what minirnn's way of computing them is compared with.

Rows are sequences: h (B, H), and a = x W_x + h W_h + b. Nothing leaves the loop: at each step the input is multiplied,
and on the way back each step adds its part to the gradients of the weights. `per_gate=True` is the textbook's loop,
with a product for every gate; `per_gate=False` does all gates in one product and splits the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(a: Array) -> Array:
    """As the textbooks write it."""
    return 1 / (1 + np.exp(-a))


class Product:
    """v (B, K) times a matrix for each of several gates, with the gradients added up over the steps.

    Args:
        weights: (gates · H, K), the gates below one another, as in minirnn's cells.
        gates: how many.
        per_gate: whether each gate is a product of its own.
    """

    def __init__(self, weights: Array, gates: int, per_gate: bool):
        self.gates = gates
        blocks = np.split(weights, gates) if per_gate else [weights]
        self.matrices = [np.ascontiguousarray(block.T) for block in blocks]  # (K, H), or (K, gates · H)
        self.gradients = [np.zeros_like(matrix) for matrix in self.matrices]

    def forward(self, v: Array) -> list[Array]:
        """A (B, H) for each gate."""
        products = [v @ matrix for matrix in self.matrices]
        return products if len(products) == self.gates else np.split(products[0], self.gates, axis=1)

    def backward(self, v: Array, das: list[Array]) -> Array:
        """dv, from the v of this step and the gradient (B, H) of each gate's product."""
        das = das if len(self.matrices) == self.gates else [np.concatenate(das, axis=1)]
        for gradient, da in zip(self.gradients, das, strict=True):
            gradient += v.T @ da
        return sum(da @ matrix.T for da, matrix in zip(das, self.matrices, strict=True))

    def gradient(self) -> Array:
        """In the layout of the weights."""
        return np.concatenate(self.gradients, axis=1).T


class Textbook:
    """A layer of one direction, of the cell "rnn", "gru", "gru-after" or "lstm".

    Args:
        cell: its name.
        weights: W, U and b (and b_u) by name, of the shapes that minirnn's cells have.
        per_gate: see above.
    """

    def __init__(self, cell: str, weights: dict[str, Array], per_gate: bool):
        self.cell, self.per_gate, self.weights = cell, per_gate, weights
        self.gates = {"rnn": 1, "lstm": 4}.get(cell, 3)
        self.step, self.step_back = {
            "rnn": (self._rnn, self._rnn_back),
            "gru": (self._gru, self._gru_back),
            "gru-after": (self._gru_after, self._gru_after_back),
            "lstm": (self._lstm, self._lstm_back),
        }[cell]

    def forward(self, x: Array) -> Array:
        """x (T, B, I) to the output (T, B, H)."""
        W, U, b = (self.weights[name] for name in "WUb")
        H = U.shape[1]
        self.x, self.px = x, Product(W, self.gates, self.per_gate)
        split = (2 * H, H) if self.cell == "gru" else (len(U),)  # its candidate multiplies r * h
        starts = np.cumsum((0, *split))
        self.ph = [Product(U[a : a + n], n // H, self.per_gate) for a, n in zip(starts, split, strict=False)]
        self.b = np.split(b, self.gates)
        self.db = [np.zeros_like(block) for block in self.b]
        self.b_u = self.weights.get("b_u")
        self.db_u = None if self.b_u is None else np.zeros_like(self.b_u)
        zero = np.zeros((x.shape[1], H), x.dtype)
        state, self.kept, output = (zero, zero) if self.cell == "lstm" else (zero,), [], []
        for x_t in x:
            a = [product + b for product, b in zip(self.px.forward(x_t), self.b, strict=True)]
            state, kept = self.step(a, *state)
            self.kept.append(kept)
            output.append(state[0])
        return np.stack(output)

    def backward(self, dy: Array) -> tuple[Array, dict[str, Array]]:
        """dx and the gradients of the weights, from dy (T, B, H)."""
        dstate, dx = (np.zeros_like(dy[0]),) * (2 if self.cell == "lstm" else 1), np.empty_like(self.x)
        for t in reversed(range(len(dy))):
            das, dstate = self.step_back(self.kept[t], dy[t] + dstate[0], *dstate[1:])
            for db, da in zip(self.db, das, strict=True):
                db += da.sum(axis=0)
            dx[t] = self.px.backward(self.x[t], das)
        gradients = {"W": self.px.gradient(), "U": np.concatenate([p.gradient() for p in self.ph])}
        gradients["b"] = np.concatenate(self.db)
        return dx, gradients if self.db_u is None else {**gradients, "b_u": self.db_u}

    def _rnn(self, a: list[Array], h: Array) -> tuple[Any, Any]:
        new = np.tanh(a[0] + self.ph[0].forward(h)[0])
        return (new,), (h, new)

    def _rnn_back(self, kept: Any, dh: Array) -> tuple[list[Array], Any]:
        h, new = kept
        da = dh * (1 - new**2)
        return [da], (self.ph[0].backward(h, [da]),)

    def _lstm(self, a: list[Array], h: Array, c: Array) -> tuple[Any, Any]:
        a_i, a_f, a_g, a_o = (x + u for x, u in zip(a, self.ph[0].forward(h), strict=True))
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        c_new = f * c + i * g
        tanh_c = np.tanh(c_new)
        return (o * tanh_c, c_new), (h, c, i, f, g, o, tanh_c)

    def _lstm_back(self, kept: Any, dh: Array, dc: Array) -> tuple[list[Array], Any]:
        h, c, i, f, g, o, tanh_c = kept
        dc = dc + dh * o * (1 - tanh_c**2)
        das = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)]
        return das, (self.ph[0].backward(h, das), dc * f)

    def _gru(self, a: list[Array], h: Array) -> tuple[Any, Any]:
        u_r, u_z = self.ph[0].forward(h)
        r, z = sigmoid(a[0] + u_r), sigmoid(a[1] + u_z)
        n = np.tanh(a[2] + self.ph[1].forward(r * h)[0])
        return (z * h + (1 - z) * n,), (h, r, z, n)

    def _gru_back(self, kept: Any, dh: Array) -> tuple[list[Array], Any]:
        h, r, z, n = kept
        da_n, da_z = dh * (1 - z) * (1 - n**2), dh * (h - n) * z * (1 - z)
        ds = self.ph[1].backward(r * h, [da_n])
        da_r = ds * h * r * (1 - r)
        return [da_r, da_z, da_n], (dh * z + ds * r + self.ph[0].backward(h, [da_r, da_z]),)

    def _gru_after(self, a: list[Array], h: Array) -> tuple[Any, Any]:
        u_r, u_z, u_n = self.ph[0].forward(h)
        r, z, q = sigmoid(a[0] + u_r), sigmoid(a[1] + u_z), u_n + self.b_u
        n = np.tanh(a[2] + r * q)
        return (z * h + (1 - z) * n,), (h, r, z, q, n)

    def _gru_after_back(self, kept: Any, dh: Array) -> tuple[list[Array], Any]:
        h, r, z, q, n = kept
        da_n, da_z = dh * (1 - z) * (1 - n**2), dh * (h - n) * z * (1 - z)
        dq, da_r = da_n * r, da_n * q * r * (1 - r)
        self.db_u += dq.sum(axis=0)
        return [da_r, da_z, da_n], (dh * z + self.ph[0].backward(h, [da_r, da_z, dq]),)
