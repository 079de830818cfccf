"""Cells side by side: parameters against error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from minirnn.inspection.compare import Summary
from minirnn.plots.common import new_figure, save

FAMILIES = {"rnn": ("C0", "o"), "gru": ("C1", "s"), "lstm": ("C2", "^")}


def plot_comparison(tasks: Mapping[str, Sequence[Summary]], path: str | Path) -> Path | None:
    """Draw for each task a panel: a row for each cell, best above, with the mean error and its range over the seeds;
    beside it the parameters of each.

    Args:
        tasks: the summaries by what the panel shall be called.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    most = max(len(rows) for rows in tasks.values())
    figure = new_figure(5.2 * len(tasks), 1.2 + 0.24 * most)
    if figure is None:
        return None
    panels = figure.subplots(1, len(tasks), squeeze=False)[0]
    for axes, (title, rows) in zip(panels, tasks.items(), strict=True):
        for y, row in enumerate(rows):
            color, marker = FAMILIES.get(row.cell.split("-")[0], ("C3", "D"))
            axes.plot([row.lowest, row.highest], [y, y], color=color, linewidth=2, alpha=0.5)
            axes.plot(row.mean, y, marker, color=color, markersize=5)
        labels = [f"{row.cell}  ({row.parameters / 1000:.0f}k)" for row in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("error (nats; mean and range over the seeds)")
        axes.set_title(title, fontsize=10, loc="left")
        axes.grid(axis="x", alpha=0.3)
    return save(figure, path)
