"""Forecasts of a series, and how their errors grow with the distance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.plots.common import add_legend, drawable, new_figure, picture, save


@picture
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
        errors: for each model the root mean squared error of 1, 2, … steps ahead; that of this name is drawn boldly.
        noise: the error of a perfect model, if known.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    figure = new_figure(12, 4.2)
    if figure is None:
        return None
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    lines = {"the series": left.plot(series, color="0.8", linewidth=0.8)[0]}
    for k, values in predictions.items():
        (lines[f"{k} step{'s' * (k > 1)} ahead"],) = left.plot(values, linewidth=1)
    left.axvline(num_train, color="0.4", linestyle=":", linewidth=1)
    title = f"predictions of the {drawable(name)}; learnt left of the dotted line"
    left.set_title(title, loc="left", fontsize=10, parse_math=False)
    left.set_xlabel("time step")
    left.set_ylabel("value")
    models: dict[str, Any] = {}
    for (label, values), style in zip(errors.items(), ("-", "--", "-.", ":", (0, (5, 1, 1, 1))), strict=False):
        bold = 2.2 if label == name else 1.2
        (models[label],) = right.plot(np.arange(1, len(values) + 1), values, linestyle=style, linewidth=bold)
    if noise is not None:
        models["the noise alone"] = right.axhline(noise, color="0.5", linewidth=1)
    right.set_title("error on held-out values", loc="left", fontsize=10)
    right.set_xlabel("steps ahead")
    right.set_ylabel("root mean squared error (units of the series)")
    for axes, handles in ((left, lines), (right, models)):
        axes.grid(alpha=0.3)
        add_legend(axes, handles, fontsize=8)
    return save(figure, path)
