"""Points at which finite differences can follow a cell.

Where a slope jumps, as relu's at 0, a difference that reaches across gives neither slope. A cell that normalises has no
kink, but where the values of a column are all but equal, their small spread turns a small nudge into a large step. A
case at such a point fails although its gradient is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

from minirnn.cells import Cell
from minirnn.cells.cell import State

CLEARANCE = 0.03
"""How far from a kink every pre-activation must be: a nudge by 0.001, as in finite differences, grows on its way."""

SPREAD = 0.08
"""The least standard deviation of what is normalised."""

MOST_DRAWS = 1000
"""Points to try: of most cells every second or third is good."""

Point = TypeVar("Point")


def clear_of_kinks(cell: Cell, draw: Callable[[], Point], run: Callable[[Point], object]) -> Point:
    """The first of the points that `draw` gives at which every step of the cell has its margin.

    Args:
        cell: the cell.
        draw: draws a point, another one with each call.
        run: makes the steps at a point, with this very cell.

    Raises:
        RuntimeError: there is none among the first thousand.
    """
    if not cell.kinks and not cell.adds_bias:
        return draw()
    for _ in range(MOST_DRAWS):
        point = draw()
        with watched(cell) as margins:
            run(point)
        if min(margins) >= 1:
            return point
    raise RuntimeError(f"none of {MOST_DRAWS} points keeps {type(cell).__name__} clear of its kinks")


@contextmanager
def watched(cell: Cell) -> Iterator[list[float]]:
    """Note the margin of every step that the cell makes inside the block."""
    margins: list[float] = []
    forward = cell.forward

    def noting(w, wx, state):  # type: ignore[no-untyped-def]
        new, kept = forward(w, wx, state)
        margins.append(margin(cell, wx, w.U @ state[0], new))
        return new, kept

    cell.forward = noting  # type: ignore[method-assign]
    try:
        yield margins
    finally:
        del cell.forward


def margin(cell: Cell, wx: np.ndarray, uh: np.ndarray, new: State) -> float:
    """Of one step with the products W x (rows, B) and U h (rows, B), how far its pre-activations are from the nearest
    kink, or, where the cell normalises (and so adds b itself), the smallest spread of what it normalises: in multiples
    of what is needed.

    A product with 0 stays 0 whatever the weights are: what is padding, and the U h of the first step, do not count.
    """
    if cell.kinks:
        return min(float(abs(wx + uh - kink).min()) for kink in cell.kinks) / CLEARANCE
    H, B = new[0].shape
    blocks = np.concatenate([array.reshape(-1, H, B) for array in (wx, uh, *new[1:])])
    spread = blocks.std(axis=1)[blocks.any(axis=1)]
    return float(spread.min(initial=np.inf)) / SPREAD
