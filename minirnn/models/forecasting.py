"""Forecasting a series of numbers: from a window of the last few, or from a latent state.

A Markov model takes the next value to depend on the last τ alone, x_t = f(x_{t-τ}, …, x_{t-1}): an autoregressive model
(Box & Jenkins 1970) where f is linear. A recurrent network sums up all the past in a state instead,
h_t = g(x_t, h_{t-1}), and predicts from that. Either is fed its own predictions to look further ahead than one step,
and with them its errors.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.recording import no_grad
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import like, to_host
from minirnn.cells import Cell
from minirnn.errors import InputError
from minirnn.layers import Linear, Module, Recurrent


class ForecastingModel(Protocol):
    """What can be asked of all forecasting models."""

    warm_up: int
    """The values that a model needs before it can predict."""

    def __call__(self, x: Tensor) -> Tensor:
        """x (T, B) to the predictions of what follows x[warm_up - 1], …, x[T - 1]: (T - warm_up + 1, B)."""
        ...

    def ahead(self, x: np.ndarray, steps: int) -> np.ndarray:
        """What `k_steps_ahead` returns, for a single series (T,)."""
        ...


class WindowForecaster(Module):
    """x_t = f(x_{t-τ}, …, x_{t-1}), with f linear or a network with one hidden layer.

    Args:
        window: τ.
        hidden_size: the tanh units between; None for a linear f.
        rng, dtype: as for every layer.

    Raises:
        InputError: a number or the dtype is out of its range.
    """

    def __init__(
        self,
        window: int,
        hidden_size: int | None = None,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.warm_up, rng = integer("window", window), backend.generator(rng)
        size = self.warm_up if hidden_size is None else integer("hidden_size", hidden_size)
        self.hidden = None if hidden_size is None else Linear(self.warm_up, size, rng=rng, dtype=dtype)
        self.output = Linear(size, 1, rng=rng, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """x (T, B), the oldest first, to the predictions of what follows each window: (T - τ + 1, B).

        Raises:
            InputError: x has another number of axes, or fewer than τ steps.
        """
        _check_series(x, self.warm_up)
        T = x.shape[0]
        windows = ops.stack([x[i : T - self.warm_up + 1 + i] for i in range(self.warm_up)], axis=-1)
        return self._f(windows)

    def _f(self, windows: Tensor) -> Tensor:
        features = windows if self.hidden is None else ops.tanh(self.hidden(windows))
        return self.output(features)[..., 0]

    def ahead(self, x: np.ndarray, steps: int) -> np.ndarray:
        """All windows of the series go ahead together, each with its own predictions: (steps, T - τ + 1)."""
        windows = np.lib.stride_tricks.sliding_window_view(x, self.warm_up).copy()
        predictions = []
        with no_grad():
            for _ in range(steps):
                y = to_host(self._f(Tensor(like(windows, self.output.weight.data))).data)
                predictions.append(y)
                windows = np.concatenate((windows[:, 1:], y[:, None]), axis=1)
        return np.stack(predictions)


class RecurrentForecaster(Module):
    """h_t = g(x_t, h_{t-1}) and x_{t+1} = w h_t + b.

    Args:
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        hidden_size: H.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: a number or the dtype is out of its range, or as `Recurrent`.
    """

    warm_up = 1

    def __init__(
        self,
        cell: str | Cell,
        hidden_size: int,
        *,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        rng = backend.generator(rng)
        self.recurrent = Recurrent(cell, 1, hidden_size, forget_bias=forget_bias, chrono=chrono, rng=rng, dtype=dtype)
        self.output = Linear(self.recurrent.hidden_size, 1, rng=rng, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """x (T, B) to the predictions of what follows each: (T, B). Raises InputError if x has no steps, or another
        number of axes."""
        _check_series(x, self.warm_up)
        h, _ = self.recurrent(x[..., None])
        return self.output(h)[..., 0]

    def ahead(self, x: np.ndarray, steps: int) -> np.ndarray:
        """The state after each value becomes a sequence of a batch, and they go ahead together: (steps, T)."""
        with no_grad():
            values = Tensor(like(x, self.output.weight.data)[:, None, None])  # (T, 1, 1)
            stepper, states = self.recurrent.stepper(values, None), []
            for t in range(len(x)):
                stepper(values[t])
                states.append(stepper.states[0])
            batch = tuple(ops.concatenate(arrays) for arrays in zip(*states, strict=True))  # each (T, H)
            predictions = [self.output(batch[0])]  # each (T, 1)
            stepper.states = [batch]
            for _ in range(steps - 1):
                predictions.append(self.output(stepper(predictions[-1])))
            return to_host(ops.concatenate(predictions, axis=1).data).T


def _check_series(x: Tensor, fewest: int) -> None:
    require_tensor(x)
    if x.ndim != 2 or len(x) < fewest:
        raise InputError(f"expected series of shape (time, batch) with time >= {fewest}, not {x.shape}")


def k_steps_ahead(model: ForecastingModel, x: np.ndarray, steps: int) -> np.ndarray:
    """What a model says of each of the next values, given the true ones up to now and its own predictions after.

    Args:
        model: the model.
        x: (T,) the series, in the dtype of the model.
        steps: how far ahead.

    Returns:
        (steps, T): element [k-1, t] predicts x[t], given the true values up to x[t-k]; nan where there are too few.

    Raises:
        InputError: `steps` is below 1, or the series is shorter than the model's warm-up.
        TypeError: the series has another dtype.
    """
    steps = integer("steps", steps)
    if np.ndim(x) != 1 or len(x) < model.warm_up:
        raise InputError(f"expected a series of at least {model.warm_up} values, not one of shape {np.shape(x)}")
    found = model.ahead(x, steps)  # column j was made after x[j + warm_up - 1]
    result = np.full((steps, len(x)), np.nan)
    for k in range(1, steps + 1):
        first = model.warm_up - 1 + k
        result[k - 1, first:] = found[k - 1, : max(0, len(x) - first)]
    return result
