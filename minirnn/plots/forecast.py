"""Forecasts of a series, and how their errors grow with the distance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minirnn.plots.common import new_figure, save


def plot_forecast(
    series: np.ndarray,
    num_train: int,
    predictions: Mapping[int, np.ndarray],
    name: str,
    errors: Mapping[str, np.ndarray],
    noise: float | None,
    path: str | Path,
) -> Path | None:
    """Draw two panels: a model's predictions so many steps ahead over the series, and the errors of all models by
    distance.

    Args:
        series: (T,).
        num_train: where the values to learn from end.
        predictions: (T,) by how many steps ahead.
        name: of the model that made them.
        errors: for each model the root mean squared error of 1, 2, … steps ahead.
        noise: the error of a perfect model, if known.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    figure = new_figure(12, 4.2)
    if figure is None:
        return None
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.plot(series, color="0.8", linewidth=0.8, label="the series")
    for k, values in predictions.items():
        left.plot(values, linewidth=1, label=f"{k} step{'s' * (k > 1)} ahead")
    left.axvline(num_train, color="0.4", linestyle=":", linewidth=1)
    left.set_title(f"predictions of the {name} model; learnt left of the dotted line", loc="left", fontsize=10)
    left.set_xlabel("time step")
    left.set_ylabel("value")
    for (label, values), style in zip(errors.items(), ("-", "--", "-.", ":", (0, (5, 1, 1, 1))), strict=False):
        right.plot(np.arange(1, len(values) + 1), values, linestyle=style, label=label)
    if noise is not None:
        right.axhline(noise, color="0.5", linewidth=1, label="the noise alone")
    right.set_title("error on held-out values", loc="left", fontsize=10)
    right.set_xlabel("steps ahead")
    right.set_ylabel("root mean squared error (units of the series)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    return save(figure, path)
