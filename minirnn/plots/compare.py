"""Cells from best to worst, with their errors and how many parameters they have."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from minirnn.errors import InputError
from minirnn.inspection.compare import Summary
from minirnn.plots.common import drawable, new_figure, picture, save

FAMILIES = {"rnn": ("C0", "o"), "gru": ("C1", "s"), "lstm": ("C2", "^")}
ROW, GAP = 0.16, 0.5  # inches for a row, and rows between two cells


@picture
def plot_comparison(tasks: Mapping[str, Sequence[Summary]], path: str | Path, caption: str = "") -> Path | None:
    """Draw for each task a panel with the cells in the order of the summaries, and their parameters: for each start a
    row with the mean error and its range over the seeds, hollow where the gates begin like all other weights, and
    filled with `chrono`.

    Args:
        tasks: the summaries by what the panel shall be called.
        path: the PNG to write.
        caption: what is to be seen, above the panels.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: there are no tasks.
    """
    if not tasks:
        raise InputError("there are no tasks to draw")
    most = max(len(rows) + GAP * len({row.cell for row in rows}) for rows in tasks.values())
    width = 5.2 * len(tasks)
    figure = new_figure(width, 1.8 + ROW * most)
    if figure is None:
        return None
    if caption:
        wrapped = "\n".join(textwrap.wrap(drawable(caption), int(11 * width)))
        figure.suptitle(wrapped, fontsize=11, parse_math=False)
    panels = figure.subplots(1, len(tasks), squeeze=False)[0]
    for axes, (title, rows) in zip(panels, tasks.items(), strict=True):
        _draw_cells(axes, rows)
        axes.set_xlabel("error (nats; mean and range over the seeds)\nthe best cell first, with its parameters")
        axes.set_title(drawable(title), fontsize=10, loc="left", parse_math=False)
    _explain_marks(figure, {row.chrono for rows in tasks.values() for row in rows}, columns=len(tasks))
    return save(figure, path)


def _draw_cells(axes: Any, rows: Sequence[Summary]) -> None:
    """A band for each cell, and in it its rows, joined by a thin line: what the start alone changes."""
    ticks, labels, y = [], [], 0.0
    for i, (cell, group) in enumerate(groupby(rows, key=lambda row: row.cell)):
        own = list(group)
        color, marker = FAMILIES.get(cell.split("-")[0], ("C3", "D"))
        heights = [y + k for k in range(len(own))]
        axes.plot([row.mean for row in own], heights, color="0.6", linewidth=0.8, zorder=1)
        for row, height in zip(own, heights, strict=True):
            inside = "white" if row.chrono is None else color
            axes.plot([row.lowest, row.highest], [height, height], color=color, linewidth=2, alpha=0.5, zorder=2)
            axes.plot(row.mean, height, marker, color=color, markerfacecolor=inside, markersize=5, zorder=3)
        if i % 2:
            axes.axhspan(heights[0] - (1 + GAP) / 2, heights[-1] + (1 + GAP) / 2, color="0.95", zorder=0)
        ticks.append((heights[0] + heights[-1]) / 2)
        labels.append(f"{drawable(cell)}  ({own[0].parameters / 1000:.0f}k)")
        y = heights[-1] + 1 + GAP
    axes.set_yticks(ticks, labels, fontsize=8, parse_math=False)
    axes.set_ylim(y - (1 + GAP) / 2, -(1 + GAP) / 2)  # the first row above
    axes.grid(axis="x", alpha=0.3)


def _explain_marks(figure: Any, starts: set[int | None], columns: int) -> None:
    """The legend, below everything."""
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"color": "0.3", "marker": "o", "linestyle": "none", "markersize": 5}
    marks = [Line2D([], [], markerfacecolor="white", label="gates begin like all other weights", **style)]
    marks += [
        Line2D([], [], label=f"gates begin such that up to {time} steps are kept (chrono)", **style)
        for time in sorted(start for start in starts if start is not None)
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
