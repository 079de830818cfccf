"""Losses of a language model that should be trusted and of one that should not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minirnn.plots.common import add_legend, new_figure, picture, save


@picture
def plot_training(losses: Mapping[str, np.ndarray], path: str | Path) -> Path | None:
    """Draw training losses (steps,) by name, at least one each, in perplexity on a logarithmic axis, smoothed over 20
    steps.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    figure = new_figure()
    if figure is None:
        return None
    axes, handles = figure.subplots(), {}
    for (name, values), style in zip(losses.items(), ("-", "--"), strict=False):
        window = min(20, len(values))
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        (handles[name],) = axes.semilogy(np.arange(window, len(values) + 1), np.exp(smooth), style)
    axes.set_xlabel("training step")
    axes.set_ylabel("training perplexity")
    add_legend(axes, handles)
    axes.grid(alpha=0.3, which="both")
    return save(figure, path)
