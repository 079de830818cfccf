"""Losses over training, and how long sequences are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.errors import InputError
from minirnn.plots.common import add_legend, new_figure, picture, save


@picture
def plot_losses(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str | Path, unit: str = "nats per token"
) -> Path | None:
    """Draw the training and validation loss of one or more runs over their steps.

    Args:
        runs: for each name, the rows of the run's metrics file.
        path: the PNG to write.
        unit: what the losses are measured in; "" where each is in another.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    figure = new_figure()
    if figure is None:
        return None
    axes, handles = figure.subplots(), {}
    for i, (name, rows) in enumerate(runs.items()):
        prefix = f"{name}, " if len(runs) > 1 else ""
        for key, label, style in (("train_loss", "training", "--"), ("valid_loss", "held-out", "-")):
            points = [(row["step"], row[key]) for row in rows if key in row]
            if points:
                x, y = zip(*points, strict=True)
                (handles[prefix + label],) = axes.plot(x, y, style, color=f"C{i}", marker="o", markersize=3)
    axes.set_xlabel("training step (batches)")
    axes.set_ylabel(f"loss ({unit})" if unit else "loss")
    add_legend(axes, handles)
    axes.grid(alpha=0.3)
    return save(figure, path)


@picture
def plot_lengths(lengths: Mapping[str, Sequence[int]], path: str | Path) -> Path | None:
    """Draw how often each length occurs, such as the lengths of the source and the target sentences.

    Args:
        lengths: for each name, the number of tokens of each sequence.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: there are no lengths.
    """
    values = [np.asarray(numbers) for numbers in lengths.values() if len(numbers)]
    if not values:
        raise InputError("there are no lengths to draw")
    figure = new_figure()
    if figure is None:
        return None
    from matplotlib.ticker import MaxNLocator

    low, high = min(int(v.min()) for v in values), max(int(v.max()) for v in values)
    # Every bin holds the same number of lengths, or the histogram would show a comb that the data do not have.
    width = math.ceil((high - low + 1) / 40)
    edges = np.arange(low, high + width + 1, width) - 0.5
    axes, handles = figure.subplots(), {}
    for name, numbers in lengths.items():
        if len(numbers):
            *_, handles[f"{name}, mean {np.mean(numbers):.1f}"] = axes.hist(numbers, edges.tolist(), alpha=0.5)
    axes.set_xlabel("length (tokens)")
    axes.set_ylabel("sequences" if width == 1 else f"sequences in each {width} lengths")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(axes, handles)
    return save(figure, path)
