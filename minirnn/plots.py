"""Pictures, where matplotlib is installed. Nothing else imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def plot_losses(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str | Path) -> Path | None:
    """Draw the training and validation loss of one or more runs over their steps.

    Args:
        runs: for each name, the rows of the run's metrics file.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for i, (name, rows) in enumerate(runs.items()):
        prefix = f"{name}, " if len(runs) > 1 else ""
        for key, label, style in (("train_loss", "training", "--"), ("valid_loss", "held-out", "-")):
            points = [(row["step"], row[key]) for row in rows if key in row]
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(x, y, style, color=f"C{i}", marker="o", markersize=3, label=prefix + label)
    axes.set_xlabel("training step (batches)")
    axes.set_ylabel("loss (nats per token)")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    return Path(path)
