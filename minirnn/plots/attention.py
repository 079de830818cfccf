"""Where attention looked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn.data.vocabulary import SPECIALS
from minirnn.data.words import standing
from minirnn.errors import InputError
from minirnn.plots.common import drawable, new_figure, picture, save

UPRIGHT = 2
"""Characters that stand beside those of the next token without being turned: one, or one that is written as two."""
_INVISIBLE = {" ": "␣", "\n": "\\n", "\t": "\\t"}


class AttentionMap(NamedTuple):
    """What one attention picture shows.

    Attributes:
        weights: (len(target), len(source)), row i is how target token i looked at the source.
        source, target: the tokens.
    """

    weights: np.ndarray
    source: Sequence[str]
    target: Sequence[str]
    title: str | None = None


def plot_attention(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str], path: str | Path, title: str | None = None
) -> Path | None:
    """Draw where attention looked: a heat map with the source tokens along the top and a row for each target token.

    Args:
        weights: (len(target), len(source)), each between 0 and 1, in a NumPy array. NaN is drawn gray.
        source, target: the tokens; long ones are cut.
        path: the PNG to write.
        title: a line above the map.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: the shape of the weights is not that of the tokens, or there are no tokens.
    """
    return plot_attentions([AttentionMap(weights, source, target, title)], path)


@picture
def plot_attentions(
    items: Sequence[AttentionMap | tuple[np.ndarray, Sequence[str], Sequence[str], str | None]], path: str | Path
) -> Path | None:
    """Draw several attention maps into one picture, with one scale of colours from 0 to the largest weight.

    Args:
        items: the maps, drawn row by row in a grid that is about square.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: as `plot_attention`, or there are no maps.
    """
    maps = [AttentionMap(*item) for item in items]
    if not maps:
        raise InputError("there are no attention maps to draw")
    for item in maps:
        _check_attention(item)
    columns = math.ceil(math.sqrt(len(maps)))
    by_column = [maps[i::columns] for i in range(columns)]
    by_row = [maps[i : i + columns] for i in range(0, len(maps), columns)]
    # Inches: cells of 0.3 hold a readable token; a picture of much more than 24 would be hard to open.
    widest = sum(max(len(item.source) for item in column) for column in by_column)
    highest = sum(max(len(item.target) for item in row) for row in by_row)
    cell = min(0.3, 24 / widest, 24 / highest)
    lefts, right = _edges([[(item.target, len(item.source)) for item in column] for column in by_column], cell)
    tops, bottom = _edges([[(item.source, len(item.target)) for item in row] for row in by_row], cell)
    figure = new_figure(right, bottom, layout=None)
    if figure is None:
        return None
    largest = max(np.max(item.weights, initial=0.0, where=np.isfinite(item.weights)) for item in maps)
    for i, item in enumerate(maps):
        x, y, width, height = lefts[i % columns], tops[i // columns], cell * len(item.source), cell * len(item.target)
        axes = figure.add_axes((x / right, 1 - (y + height) / bottom, width / right, height / bottom))
        image = _draw_attention(axes, item, cell, float(largest) or 1.0)
    bar = figure.add_axes((1 + 0.1 / right, 1 - (tops[0] + 1.5) / bottom, 0.12 / right, 1.5 / bottom))
    figure.colorbar(image, cax=bar, label="attention weight")
    return save(figure, path, bbox_inches="tight")


def _check_attention(item: AttentionMap) -> None:
    expected = (len(item.target), len(item.source))
    if 0 in expected:
        raise InputError("an attention map needs at least one source token and one target token")
    if np.shape(item.weights) != expected:
        raise InputError(
            f"the attention weights have shape {np.shape(item.weights)}: expected {expected}, "
            f"a row for each target token and a column for each source token"
        )


def shown_as(token: str) -> str:
    """The token as an axis has it: seen also where it is white space, and not so long that it hides the picture."""
    token = drawable(_INVISIBLE.get(token, standing(token)))
    return token if len(token) <= 20 else token[:19] + "…"


def set_tokens(axes: Any, positions: Sequence[int] | range, tokens: Sequence[str], **style: Any) -> None:
    """Write tokens along the horizontal axis: upright where they are characters, else turned, so that they do not run
    into one another. (Among characters `<eos>` alone is turned.)"""
    labels = [shown_as(token) for token in tokens]
    # `$` is a token like any other, not the start of a formula.
    axes.set_xticks(positions, labels, parse_math=False, **style)
    upright = all(len(label) <= UPRIGHT for label, token in zip(labels, tokens, strict=True) if token not in SPECIALS)
    for written, label in zip(axes.get_xticklabels(), labels, strict=True):
        written.set_rotation(0 if upright and len(label) <= UPRIGHT else 90)


def _edges(groups: Sequence[Sequence[tuple[Sequence[str], int]]], cell: float) -> tuple[list[float], float]:
    """Where the maps of each column begin, and where the last ends, in inches; rows in the same way.

    For each column `groups` has, for each map, the tokens written before its cells and the number of its cells.
    """
    starts, position = [], 0.0
    for group in groups:
        longest = max(len(shown_as(token)) for tokens, _ in group for token in tokens)
        starts.append(position + 0.09 * longest + 0.4)
        # A map of two cells still leaves room for its title.
        position = starts[-1] + max(1.5, cell * max(size for _, size in group))
    return starts, position


def _draw_attention(axes: Any, item: AttentionMap, cell: float, largest: float) -> Any:
    """One heat map with cells of `cell` inches and colours from 0 to `largest`; returns the image."""
    from matplotlib import colormaps

    cmap = colormaps["Blues"].with_extremes(bad="0.75")
    image = axes.imshow(np.asarray(item.weights, dtype=np.float64), cmap=cmap, vmin=0, vmax=largest)
    # A label needs 0.12 inches; where cells are smaller, every second, third, … token has one.
    step = math.ceil(0.12 / cell)
    style: dict[str, Any] = {"fontsize": min(9.0, 60 * cell * step)}
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    set_tokens(axes, range(0, len(item.source), step), item.source[::step], **style)
    rows = [shown_as(token) for token in item.target[::step]]
    axes.set_yticks(range(0, len(item.target), step), rows, parse_math=False, **style)
    if step == 1:
        # Thin lines between the cells keep neighbours of equal weight apart.
        axes.set_xticks(np.arange(1, len(item.source)) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, len(item.target)) - 0.5, minor=True)
        axes.tick_params(which="minor", length=0)
        axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.spines[:].set_color("0.7")
    if item.title is not None:
        axes.set_title(drawable(item.title), fontsize=10, loc="left", parse_math=False)
    return image
