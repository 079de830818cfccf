"""Small pictures side by side, their pixels as squares."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minirnn.errors import InputError
from minirnn.plots.common import drawable, new_figure, picture, save

MOST_DRAWN = 300
_LINE, _MOST_LINES = 22, 4


@picture
def plot_drawings(
    pictures: np.ndarray, path: str | Path, titles: Sequence[str] | None = None, columns: int | None = None
) -> Path | None:
    """Draw pictures in rows.

    Args:
        pictures: (N, height, width, 3), uint8; at most 300 are drawn.
        path: the PNG to write.
        titles: one above each.
        columns: how many in a row; None: about as many as rows.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: there is nothing to draw, or pictures and titles are not equally many.
    """
    if pictures.ndim != 4 or pictures.shape[3] != 3 or not pictures.size:
        raise InputError(f"expected pictures (N, height, width, 3) to draw, not an array of shape {pictures.shape}")
    if titles is not None and len(titles) != len(pictures):
        raise InputError(f"there are {len(pictures)} pictures, but {len(titles)} titles")
    pictures = pictures[:MOST_DRAWN]
    columns = columns or min(len(pictures), 8 if titles else math.ceil(math.sqrt(len(pictures)) * 1.4))
    rows = math.ceil(len(pictures) / columns)
    lines = [_wrapped(title) for title in titles[: len(pictures)]] if titles else []
    above = 0.14 * max((line.count("\n") + 1 for line in lines), default=0)
    figure = new_figure(1.25 * columns, (1.25 + above) * rows)
    if figure is None:
        return None
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    for i, (place, one) in enumerate(zip(axes, pictures, strict=False)):
        place.imshow(one, interpolation="nearest")
        if lines:
            place.set_title(lines[i], fontsize=7, parse_math=False)
    return save(figure, path)


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.wrap(drawable(title), _LINE, max_lines=_MOST_LINES, placeholder=" …"))


def sheet(pictures: np.ndarray, columns: int, enlarge: int, margin: int = 1) -> np.ndarray:
    """Pictures (N, height, width, 3) in rows, as one array of pixels: each pixel a square of `enlarge`, white between.

    Raises:
        InputError: there is none.
    """
    if pictures.ndim != 4 or not pictures.size:
        raise InputError(f"expected pictures (N, height, width, 3), not an array of shape {pictures.shape}")
    N, height, width, _ = pictures.shape
    rows = math.ceil(N / columns)
    found = np.full((rows * (height + margin) + margin, columns * (width + margin) + margin, 3), 255, np.uint8)
    for i, one in enumerate(pictures):
        top, left = (margin + at * (n + margin) for at, n in zip(divmod(i, columns), (height, width), strict=True))
        found[top : top + height, left : left + width] = one
    return found.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
