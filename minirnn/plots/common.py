"""What all pictures share. Only functions in this folder import matplotlib, and only when called."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any


def new_figure(width: float = 6, height: float = 4) -> Any:
    """A matplotlib figure of that many inches, laid out without overlaps; None if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Any, path: str | Path, bbox_inches: str | None = None) -> Path:
    """Write the figure as a PNG that is sharp in print. Returns the path."""
    with warnings.catch_warnings():
        # A character that the font lacks becomes a box; the picture is still worth having.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(path, dpi=150, bbox_inches=bbox_inches)
    return Path(path)
