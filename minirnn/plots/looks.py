"""Where a model looked in a picture, or at which frames of a video, while it wrote each word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn.errors import InputError
from minirnn.plots.attention import shown_as
from minirnn.plots.common import drawable, new_figure, picture, save

MOST_WORDS, MOST_LOOKS = 40, 16
"""Words of a caption, and captions, that are drawn."""


class Look(NamedTuple):
    """A picture or a video, and where was looked at it.

    Attributes:
        seen: (height, width, 3) or (frames, height, width, 3), uint8; None where only its regions are known.
        weights: (words, regions or frames).
        words: what was written.
        grid: of the regions, (rows, columns); None for a video, and where it is not known.
    """

    seen: np.ndarray | None
    weights: np.ndarray
    words: Sequence[str]
    grid: tuple[int, int] | None


@picture
def plot_looks(looks: Sequence[Look], path: str | Path) -> Path | None:
    """Draw where was looked: of a picture a copy for every word, brighter where the weight is higher; of a video a row
    of frames, and below it for every word a row of weights. All have one scale, from 0 to the largest weight.

    Args:
        looks: what was seen and said; at most 16 are drawn, and 40 words of each.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: there is nothing to draw, or weights do not fit the words or the grid.
    """
    looks = [one._replace(weights=one.weights[:MOST_WORDS], words=one.words[:MOST_WORDS]) for one in looks[:MOST_LOOKS]]
    for one in looks:
        _check(one)
    if not looks:
        raise InputError("there are no maps to draw")
    largest = max(float(one.weights.max()) for one in looks) or 1.0
    rows = [_rows(one) for one in looks]
    wide = max(row[1] for row in rows)
    figure = new_figure(wide, sum(row[0] for row in rows), layout="constrained")
    if figure is None:
        return None
    parts = figure.subfigures(len(looks), 1, height_ratios=[row[0] for row in rows], squeeze=False)[:, 0]
    for part, one in zip(parts, looks, strict=True):
        (_draw_grid if one.grid else _draw_strip)(part, one, largest)
    return save(figure, path)


def _check(one: Look) -> None:
    if np.ndim(one.weights) != 2 or len(one.words) != len(one.weights) or not np.size(one.weights):
        raise InputError(f"expected a row of weights for each of {len(one.words)} words, not {np.shape(one.weights)}")
    if one.grid and one.grid[0] * one.grid[1] != one.weights.shape[1]:
        raise InputError(f"{one.weights.shape[1]} regions do not lie in a grid of {one.grid[0]} by {one.grid[1]}")


def _columns(one: Look) -> int:
    return min(8, len(one.words) + 1)


def _rows(one: Look) -> tuple[float, float]:
    """Inches down and across."""
    if one.grid:
        return 1.35 * math.ceil((len(one.words) + 1) / _columns(one)), 9.0
    return 1.0 + 0.22 * len(one.words), 9.0


def _draw_grid(part: Any, one: Look, largest: float) -> None:
    """The picture, and a copy of it for each word: dark where the weight is 0, as it is where it is the largest."""
    assert one.grid is not None
    columns = _columns(one)
    axes = part.subplots(math.ceil((len(one.words) + 1) / columns), columns, squeeze=False).ravel()
    height, width = one.seen.shape[:2] if one.seen is not None else (8 * one.grid[0], 8 * one.grid[1])
    shown = np.full((height, width, 3), 255) if one.seen is None else one.seen
    for place in axes:
        place.set_axis_off()
    axes[0].imshow(shown)
    for place, word, weights in zip(axes[1:], one.words, one.weights, strict=False):
        # Every region's weight over just the pixels that are its own.
        at = [np.arange(n) * parts // n for n, parts in zip((height, width), one.grid, strict=True)]
        bright = weights.reshape(one.grid)[np.ix_(*at)] / largest
        place.imshow((shown * (0.3 + 0.7 * np.clip(bright, 0, 1))[:, :, None]).astype(np.uint8))
        place.set_title(shown_as(word), fontsize=9, parse_math=False)


def _draw_strip(part: Any, one: Look, largest: float) -> None:
    """The frames side by side, and under each how much every word looked at it."""
    parts = one.weights.shape[1]
    if one.seen is not None and one.seen.ndim == 4:
        top, below = part.subplots(2, 1, height_ratios=[1.0, 0.3 * len(one.words)])
        top.imshow(np.concatenate(list(one.seen), axis=1), aspect="auto")
        top.set_axis_off()
    else:
        below = part.subplots()
    below.imshow(one.weights, cmap="Blues", vmin=0, vmax=largest, aspect="auto")
    below.set_yticks(range(len(one.words)), [shown_as(word) for word in one.words], fontsize=8, parse_math=False)
    shown = range(0, parts, max(1, parts // 16))
    below.set_xticks(shown, [i + 1 for i in shown])  # people count from 1
    below.set_xlabel(drawable("frame" if one.seen is not None else "region"), fontsize=8)
    below.tick_params(length=0, labelsize=8)
