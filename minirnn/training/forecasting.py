"""Forecasting as a task for the training loop: several models side by side, on the same pieces of one series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import array_module, like
from minirnn.errors import InputError
from minirnn.layers import Module
from minirnn.models.forecasting import ForecastingModel
from minirnn.training.task import Carry


class SideBySide(Module):
    """Several models that have nothing to do with each other. Each is an attribute under its name."""

    def __init__(self, models: Mapping[str, Any]):
        self.names = tuple(models)
        for name, model in models.items():
            setattr(self, name, model)

    def models(self) -> dict[str, ForecastingModel]:
        """The models by name."""
        return {name: getattr(self, name) for name in self.names}


class Forecasting:
    """Predict the next value of a series, each model by its mean squared error.

    Args:
        model: the models.
        series: (T,), in the dtype of the models.
        num_train: how many values, from the first, are to learn from; the others are held out.
        batch_size, num_steps: a batch is so many pieces, drawn anywhere, of so many predictions.
        rng: the generator of the models' own randomness.

    Raises:
        InputError: the series is too short for its pieces, or not finite, or nothing is held out; or a number is out of
            its range.
    """

    loss_is_nll = valid_loss_is_nll = False
    counted, loss_unit = "values", "squared error, the sum of the models"

    def __init__(
        self,
        model: SideBySide,
        series: np.ndarray,
        num_train: int,
        *,
        batch_size: int,
        num_steps: int,
        rng: np.random.Generator,
    ):
        num_train, num_steps = integer("num_train", num_train), integer("num_steps", num_steps)
        batch_size, warm_up = integer("batch_size", batch_size), max(one.warm_up for one in model.models().values())
        if np.ndim(series) != 1:
            raise InputError(f"expected a series (T,), not {np.shape(series)}")
        if not np.isfinite(series).all():
            raise InputError(f"value {int(np.flatnonzero(~np.isfinite(series))[0]) + 1} of the series is not finite")
        if num_train < num_steps + warm_up or len(series) <= num_train:
            raise InputError(
                f"a series of {len(series)} values, {num_train} of them to learn from, is too short for pieces of "
                f"{num_steps} predictions after {warm_up}: shorten the pieces or the window"
            )
        self.model, self.series, self.num_train, self.rng = model, series, num_train, rng
        self.batch_size, self.length = batch_size, num_steps + warm_up
        self.num_batches = max(1, num_train // (batch_size * num_steps))

    def batches(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Pieces (length, batch) of the values to learn from."""
        for _ in range(self.num_batches):
            starts = rng.integers(0, self.num_train - self.length + 1, self.batch_size)
            yield self.series[starts + np.arange(self.length)[:, None]]

    def loss(self, batch: np.ndarray, carry: Carry, step: int) -> tuple[Tensor, int, Carry]:
        """The sum over the models of their mean squared errors."""
        values = like(batch, self.model.parameters()[0].data)
        errors = [self._error(model, values, model.warm_up) for model in self.model.models().values()]
        return ops.sum(ops.stack(errors)), batch.size, None

    @staticmethod
    def _error(model: ForecastingModel, values: Any, first: int) -> Tensor:
        """The mean squared error of the predictions of values[first], values[first + 1], …."""
        missed = model(Tensor(values[:-1]))[first - model.warm_up :] - array_module(values).asarray(values[first:])
        return ops.mean(missed * missed)

    def width(self, batch: np.ndarray) -> int:
        """The pieces of a batch."""
        return batch.shape[1]

    def part(self, batch: np.ndarray, at: slice) -> np.ndarray:
        """Some pieces of a batch."""
        return batch[:, at]

    def validate(self) -> dict[str, float]:
        """The loss on the held-out values, one step ahead, and each model's root mean squared error."""
        values = like(self.series[:, None], self.model.parameters()[0].data)
        found = {name: self._error(model, values, self.num_train).item() for name, model in self.model.models().items()}
        return {"valid_loss": sum(found.values())} | {f"rmse_{name}": error**0.5 for name, error in found.items()}
