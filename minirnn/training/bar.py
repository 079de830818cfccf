"""A bar of one line, however narrow the terminal is, with what there is room for."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

FORMATS = (
    "{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]",
    "{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]",
    "{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
)
"""From wide to narrow."""
NARROWEST = "{desc}{percentage:3.0f}%|{bar}|"
"""Where none of them fits."""
LEAST = 6
"""Columns that are left for the bar itself."""


class Bar(tqdm):
    """A bar of tqdm's that never takes more than the line of a terminal. What does not fit is left out: first the
    batches and their speed, then what was said last. Where there is no terminal all of it is there."""

    _said: Sequence[str] = ()

    def say(self, *what: str) -> None:
        """Say so beside the bar, the most important first, when it is next drawn."""
        self._said = what
        self.set_postfix_str(", ".join(what), refresh=False)

    def print_parts(self, parts: Sequence[str]) -> None:
        """Print parts of a line above the bar, as `printable` has them."""
        self.write(printable(parts))

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm draws the bar from, in the widest form that fits."""
        given = super().format_dict
        width = given["ncols"]
        if not width or not self.total:
            return given
        choices = itertools.product(range(len(self._said), -1, -1), FORMATS)
        for count, bar_format in itertools.chain(choices, [(0, NARROWEST)]):
            shown = {**given, "bar_format": bar_format, "postfix": ", ".join(self._said[:count])}
            bare = self.format_meter(**{**shown, "bar_format": bar_format.replace("{bar}", ""), "ncols": None})
            if len(bare) + LEAST <= width:
                break
        return shown


def printable(parts: Sequence[str]) -> str:
    """Parts of a line beside one another; on a terminal that is too narrow on several lines, none of them cut."""
    line = "  ".join(parts)
    if sys.stdout is None or not sys.stdout.isatty():
        return line
    width, lines = shutil.get_terminal_size().columns, [""]
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines[-1] else part
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(f"  {part}")
    return "\n".join(lines)
