"""Estimates of a reward's gradient around the exact one, and what rewards did in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.inspection.rewards import Estimates, History, measures_of
from minirnn.plots.common import add_legend, drawable, new_figure, picture, save

LARGEST = 4000.0
"""The area, in points squared, of a dot with all the probability."""
SHOWN = 0.98
"""Of the probability, how much the axes have room for."""
HEIGHT = 4.0
"""Of a panel, in inches."""
COLUMNS = 3
TOGETHER = {"train_reward": "reward", "valid_reward": "reward"}
"""Measures that share a panel, and its title."""
TITLES = {
    "valid_loss": "held-out loss (nats per token)",
    "valid_bleu": "held-out BLEU",
    "train_length": "length of the samples (tokens)",
    "train_entropy": "entropy of a choice (nats)",
}


@picture
def plot_estimates(
    found: Mapping[str, Estimates], exact: np.ndarray, axes: np.ndarray, path: str | Path
) -> Path | None:
    """Draw a panel for each estimator: a dot for every set of samples, as large as the set is probable.

    Args:
        found: by the title of the panel.
        exact: (P,) ∇J, drawn as a cross; a unit of the axes is its length.
        axes: (2, P) the directions to look along, for the first estimator; see `axes_of`.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    unit = float(np.linalg.norm(exact))
    dots = {name: one.g @ axes.T / unit for name, one in found.items()}
    low, high = _room(list(dots.values()), [one.p for one in found.values()])
    across, up = high - low
    width = float(np.clip(HEIGHT * across / up, 1.6, 5.0))  # a unit is as long upwards as across
    figure = new_figure(width * len(found) + 0.7, HEIGHT + 1.4)
    if figure is None:
        return None
    panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (name, one) in zip(panels, found.items(), strict=True):
        x, y = dots[name].T
        panel.axhline(0, color="0.85", linewidth=0.8, zorder=0)
        panel.axvline(0, color="0.85", linewidth=0.8, zorder=0)
        panel.scatter(x, y, s=LARGEST * one.p, color="C0", alpha=0.4, linewidths=0)
        (cross,) = panel.plot(*(exact @ axes.T / unit), "x", color="C3", markersize=11, markeredgewidth=2.5)
        (ring,) = panel.plot(*(one.mean @ axes.T / unit), "o", color="k", fillstyle="none", markersize=15)
        panel.set_aspect("equal")
        panel.set_title(drawable(name), fontsize=10, parse_math=False)
        panel.set_xlim(low[0], high[0])
        panel.set_ylim(low[1], high[1])
    panels[0].set_ylabel("across it, where the first panel is widest")
    figure.supxlabel("along the exact gradient (1 is its length)", fontsize=10)
    handles = [panels[0].scatter([], [], s=60, color="C0", alpha=0.45), cross, ring]
    labels = ["estimates, larger where more probable", "exact gradient", "mean of the estimates"]
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return save(figure, path)


def _room(dots: Sequence[np.ndarray], p: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The limits (2,) and (2,) between which most of every estimator's dots (sets, 2) are, along either axis."""
    ends = []
    for points, weights in zip(dots, p, strict=True):
        for axis in range(2):
            order = np.argsort(points[:, axis])
            until = np.cumsum(weights[order])
            at = np.searchsorted(until, [(1 - SHOWN) / 2, (1 + SHOWN) / 2]).clip(max=len(order) - 1)
            ends.append(points[order[at], axis])
    pairs = np.array(ends).reshape(len(dots), 2, 2)  # estimator, axis, end
    low, high = pairs[..., 0].min(axis=0), pairs[..., 1].max(axis=0)
    margin = 0.08 * (high - low)
    return low - margin, high + margin


@picture
def plot_history(history: History, path: str | Path) -> Path | None:
    """Draw every measure over the epochs of a run on rewards, behind those of the run that it began with.

    Args:
        history: see there.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    panels: dict[str, list[str]] = {}
    for name in measures_of([*history.before, *history.rows]):
        panels.setdefault(TOGETHER.get(name, TITLES.get(name, name.replace("_", " "))), []).append(name)
    lines = -(-len(panels) // COLUMNS)
    figure = new_figure(3.9 * min(COLUMNS, len(panels)), 2.7 * lines + 0.4)
    if figure is None:
        return None
    from matplotlib.ticker import MaxNLocator

    all_axes = figure.subplots(lines, min(COLUMNS, len(panels)), squeeze=False).reshape(-1)
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, names) in zip(all_axes, panels.items(), strict=False):
        handles: dict[str, Any] = {}
        for i, name in enumerate(names):
            before = [(row["epoch"], row[name]) for row in history.before if name in row]
            begun = [point for point in before if point[0] == history.begun]
            after = [(history.begun + row["epoch"], row[name]) for row in history.rows if name in row]
            axes.plot(*zip(*before, strict=True), "o-", color="0.6", markersize=3) if before else None
            if after:
                label = {"train": "samples", "valid": "greedy, held-out"}[name.split("_")[0]]
                (handles[label],) = axes.plot(*zip(*begun, *after, strict=True), "o-", color=f"C{i}", markersize=3)
        if history.before:
            axes.axvline(history.begun, color="0.5", linewidth=1, linestyle=":")
        axes.set_title(drawable(title), loc="left", fontsize=10, parse_math=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if len(names) > 1:
            add_legend(axes, handles, fontsize=8)
    where = "epoch (grey: before; dotted: from here on rewards)" if history.before else "epoch"
    figure.supxlabel(where, fontsize=10)
    return save(figure, path)
