"""Whether attention looks where it should, and whether it moves.

A map of attention is compared with the box of the thing that a word names, which generated scenes know (of photographs
people have drawn them: Liu et al. 2017). Two numbers: the mass inside the box, and whether the greatest weight is
inside (the pointing game; Zhang et al. 2016). Beside them stands what a map that looks everywhere alike would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minirnn.data.shapes import Box


class Inside(NamedTuple):
    """Of a map and a box: the share of the map's mass in it, whether its maximum is in it, and the box's share of the
    picture."""

    mass: float
    greatest: bool
    uniform: float


def inside(weights: np.ndarray, grid: tuple[int, int], box: Box, canvas: int) -> Inside:
    """Compare a map with a box.

    Args:
        weights: (rows · columns,), the attention weights, row by row; each is spread evenly over its region.
        grid: how the regions lie, (rows, columns).
        box: (top, left, bottom, right), in pixels.
        canvas: pixels of the picture, down and across.
    """
    rows, columns = grid
    top, left, bottom, right = box
    down, across = _overlap(rows, top, bottom, canvas), _overlap(columns, left, right, canvas)
    mass = float(down @ np.asarray(weights).reshape(grid) @ across)
    row, column = divmod(int(np.argmax(weights)), columns)
    y, x = (row + 0.5) * canvas / rows, (column + 0.5) * canvas / columns
    return Inside(mass, top <= y <= bottom and left <= x <= right, (bottom - top) * (right - left) / canvas**2)


def _overlap(parts: int, begin: int, end: int, canvas: int) -> np.ndarray:
    """How much of each of so many equal parts of a side lies between two pixels, (parts,)."""
    edges = np.arange(parts + 1) * canvas / parts
    covered = np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin)
    return np.clip(covered, 0, None) * parts / canvas


class Movement(NamedTuple):
    """Of the maps of a sentence: their mean entropy in nats (0: one place; log L: all places alike), and the mean total
    variation between one and the next (0: the same map; 1: nothing in common)."""

    entropy: float
    variation: float


def movement(attention: Sequence[np.ndarray]) -> Movement:
    """How sharp maps are and how much they change.

    Args:
        attention: of each sentence (steps, L), a map for each word.
    """
    entropies = [-(w * np.log(np.maximum(w, 1e-30))).sum(axis=1).mean() for w in attention if len(w)]
    changes = [0.5 * abs(np.diff(w, axis=0)).sum(axis=1).mean() for w in attention if len(w) > 1]
    return Movement(float(np.mean(entropies or [0.0])), float(np.mean(changes or [0.0])))
