"""Charts of characters, for terminals and where there is no matplotlib."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence

from minirnn.errors import InputError

MARKS = "*o+x#@%&"


def bars(values: Mapping[str, float], width: int = 50, form: str = "{:.3g}") -> str:
    """A line for each value, its bar as long as the value is large.

    Args:
        values: numbers by label; what is not finite or below 0 has no bar.
        width: the characters of the longest bar.
        form: how numbers are written.
    """
    if not values:
        raise InputError("there are no values to draw")
    length = {name: value if 0 <= value < math.inf else 0.0 for name, value in values.items()}
    largest = max(length.values()) or 1.0
    label = max(len(name) for name in values)
    numbers = {name: form.format(value) for name, value in values.items()}
    number = max(len(text) for text in numbers.values())
    return "\n".join(
        f"{name:>{label}}  {numbers[name]:>{number}}  {'#' * round(width * (value / largest))}".rstrip()
        for name, value in length.items()
    )


def chart(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    width: int = 72,
    height: int = 18,
    *,
    log: bool = False,
    x_label: str = "",
    y_label: str = "",
) -> str:
    """Several curves in one frame, each with a mark of its own; where two meet, the later is seen.

    Args:
        curves: the points (x, y) of each curve, by name; points that are not finite are left out.
        width, height: of the frame inside, in characters.
        log: whether the vertical axis is logarithmic; points at or below 0 are then left out.
        x_label, y_label: what the axes are.

    Raises:
        InputError: there is no point to draw.
    """
    drawn = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)]
        for name, points in curves.items()
    }
    xs = [x for points in drawn.values() for x, _ in points]
    ys = [y for points in drawn.values() for _, y in points]
    if not xs:
        raise InputError("there are no points to draw")
    low, high, left, right = min(ys), max(ys), min(xs), max(xs)
    scale = math.log10 if log else float
    grid = [[" "] * width for _ in range(height)]
    for i, points in enumerate(drawn.values()):
        for x, y in points:
            column = round((width - 1) * _share(x, left, right))
            row = round((height - 1) * _share(scale(y), scale(high), scale(low)))
            grid[row][column] = MARKS[i % len(MARKS)]
    written = {0: f"{high:.3g}", height - 1: f"{low:.3g}"}
    margin = max(len(text) for text in written.values())
    lines = [f"{y_label}{' (logarithmic)' if log else ''}"] if y_label else []
    for row, cells in enumerate(grid):
        lines.append(f"{written.get(row, ''):>{margin}} |{''.join(cells)}".rstrip())
    lines.append(" " * margin + " +" + "-" * width)
    ends = f"{left:g}", f"{right:g}"
    lines.append(" " * (margin + 2) + ends[0] + x_label.center(width - len(ends[0]) - len(ends[1])) + ends[1])
    lines += [f"{' ' * (margin + 2)}{MARKS[i % len(MARKS)]} {name}" for i, name in enumerate(drawn)]
    return "\n".join(lines)


def one_column(token: str, otherwise: str = "·") -> str:
    """What stands for a token where each has one column of a terminal: its first character, or `otherwise` for a
    character that has none, that has two, or that would be drawn onto the one before it."""
    first = token[:1]
    fits = first.isprintable() and unicodedata.category(first)[0] != "M" if first else False
    return first if fits and unicodedata.east_asian_width(first) not in "WF" else otherwise


def _share(value: float, start: float, end: float) -> float:
    """How much of the way from the start to the end a value is, 0 where they are the same. Halves, of which the largest
    numbers have a difference too."""
    return (value / 2 - start / 2) / ((end / 2 - start / 2) or 1.0)
