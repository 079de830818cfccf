"""Hidden units along a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minirnn.errors import InputError
from minirnn.plots.attention import set_tokens
from minirnn.plots.common import drawable, new_figure, picture, save


@picture
def plot_neurons(rows: Sequence[tuple[str, np.ndarray]], text: Sequence[str], path: str | Path) -> Path | None:
    """Draw the activation of some units over the characters of a text, at most the first 100.

    Args:
        rows: a title and the activations (T,) of each unit.
        text: the T tokens.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: there are no units.
    """
    if not rows:
        raise InputError("there are no units to draw")
    figure = new_figure(12, 1.5 * len(rows) + 0.5)
    if figure is None:
        return None
    shown = min(len(text), 100)
    for (title, values), axes in zip(rows, figure.subplots(len(rows), 1, squeeze=False)[:, 0], strict=True):
        part = values[:shown]
        axes.bar(range(shown), part, width=0.9, color=np.where(part > 0, "C0", "C3"))
        set_tokens(axes, range(shown), text[:shown], fontsize=7)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.6, shown - 0.4)
        axes.set_ylabel("activation")
        axes.set_title(drawable(title), loc="left", fontsize=10, parse_math=False)
    axes.set_xlabel("token of the text")
    return save(figure, path)
