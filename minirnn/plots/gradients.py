"""How far back gradients reach, with and without clipping and truncation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.plots.common import add_legend, new_figure, picture, save


@picture
def plot_gradients(
    by_cell: Mapping[str, np.ndarray],
    truncated: Mapping[str, np.ndarray],
    training: Mapping[str, np.ndarray],
    clip: float,
    path: str | Path,
) -> Path | None:
    """Draw three panels: ‖dL/dh_t‖ against t by cell; full beside truncated; the weights' gradient over training.

    Args:
        by_cell: norms (T,) by the name of the curve.
        truncated: the same, of one cell; zeros, which a logarithmic axis has no place for, end a curve.
        training: norms (steps,) by the name of the curve.
        clip: the clipping norm, drawn as a line.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    figure = new_figure(13, 4.2)
    if figure is None:
        return None
    cells, cut, steps = figure.subplots(1, 3)
    _norms(cells, by_cell, "what reaches step t, by cell")
    _norms(cut, truncated, "full and truncated BPTT")
    handles: dict[str, Any] = {}
    for (name, norms), style in zip(training.items(), ("-", "--"), strict=False):
        (handles[name],) = steps.semilogy(np.arange(1, len(norms) + 1), norms, style)
    handles[f"clipping norm {clip:g}"] = steps.axhline(clip, color="0.5", linewidth=1, linestyle=":")
    steps.set_title("a relu RNN in training, clipped and not", loc="left", fontsize=10)
    steps.set_xlabel("training step")
    steps.set_ylabel("norm of the weights' gradient, before clipping")
    steps.grid(alpha=0.3)
    add_legend(steps, handles, fontsize=8)
    return save(figure, path)


def _norms(axes: Any, curves: Mapping[str, np.ndarray], title: str) -> None:
    styles = ("-", "--", "-.", ":", (0, (6, 2)), (0, (5, 1, 1, 1, 1, 1)))
    handles: dict[str, Any] = {}
    for i, (name, norms) in enumerate(curves.items()):
        shown = np.where(norms > 0, norms, np.nan)
        (handles[name],) = axes.semilogy(np.arange(1, len(norms) + 1), shown, linestyle=styles[i % len(styles)])
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("time step t (the loss is at the last)")
    axes.set_ylabel("‖dL/dh$_t$‖")
    axes.grid(alpha=0.3)
    add_legend(axes, handles, fontsize=8)
