"""Trained forecasting models together with the units of their series: from what was to what will be."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from minirnn.arguments import integer, number
from minirnn.errors import InputError
from minirnn.models.forecasting import k_steps_ahead
from minirnn.training.forecasting import SideBySide


class Forecaster:
    """Forecasts a series of numbers.

    Args:
        model: trained models, by name, side by side.
        mean, deviation: of the values they have learned from: they see (x - mean) / deviation.

    Raises:
        InputError: one of these is no finite number, or the deviation is not above 0.
    """

    def __init__(self, model: SideBySide, mean: float = 0.0, deviation: float = 1.0):
        self.model = model
        self.mean, self.deviation = number("the mean", mean), number("the deviation", deviation, above=0)

    def __repr__(self) -> str:
        models = f"{', '.join(self.model.names)}, {self.model.num_parameters(frozen=True):,} parameters in all"
        return f"Forecaster(mean {self.mean:.4g}, deviation {self.deviation:.4g}, by {models})"

    def forecast(self, series: ArrayLike, steps: int = 1, model: str = "recurrent") -> np.ndarray:
        """What follows a series: (steps,) values, each after the first from predictions before it.

        Args:
            series: (T,) numbers, in the units of those it was trained on.
            steps: how many values.
            model: which of the models, "recurrent", "mlp" or "linear".

        Raises:
            InputError: the series is shorter than what the model has to see, or is no series of finite numbers, there
                is no such model, or `steps` is below 1.
        """
        x, steps = self._scaled(series), integer("steps", steps)
        if model not in self.model.names:
            raise InputError(f"there is no model {model!r}: expected one of {', '.join(self.model.names)}")
        one = self.model.models()[model]
        if len(x) < one.warm_up:
            raise InputError(f"the {model} model has to see {one.warm_up} values, and the series has {len(x)}")
        return one.ahead(x, steps)[:, -1].astype(np.float64) * self.deviation + self.mean

    def ahead(self, series: ArrayLike, steps: int) -> dict[str, np.ndarray]:
        """What each model says of each value of a series so far ahead: by its name (steps, T), as `k_steps_ahead`
        returns it, in the units of the series. Raises as `forecast`."""
        x = self._scaled(series)
        return {
            name: k_steps_ahead(model, x, steps) * self.deviation + self.mean
            for name, model in self.model.models().items()
        }

    def _scaled(self, series: ArrayLike) -> np.ndarray:
        """The series (T,) as the models see it, in their dtype."""
        try:
            values = np.asarray(series)
            values = values if values.dtype.kind == "f" else values.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"expected a series of numbers: {error}") from error
        if values.ndim != 1:
            raise InputError(f"expected a series of shape (time,), not {values.shape}")
        with np.errstate(over="ignore"):
            x = ((values - self.mean) / self.deviation).astype(self.model.parameters()[0].dtype)
        if not np.isfinite(x).all():
            at = int(np.flatnonzero(~np.isfinite(x))[0])
            raise InputError(f"value {at + 1} of the series, {values[at]}, is not finite, or too far from the mean")
        return x
