"""What each cell is, in a line, from what its own file says."""

from __future__ import annotations

import inspect
import math
import re
from typing import NamedTuple

from minirnn.cells import CELL_NAMES, VARIANTS, make_cell


class About(NamedTuple):
    """A cell in a line.

    Attributes:
        name: by which it is asked for.
        gates: the letters of its blocks, in the order of the rows of W.
        parameters: of a layer with H inputs and H units, as a multiple of H², to which smaller terms come.
        what: what it is.
    """

    name: str
    gates: str
    parameters: int
    what: str


def about(name: str) -> About:
    """What the docstring of a cell says of one of its `variants`: the row that a table there has for it; else its first
    sentence, with the arguments of the variant.

    Raises:
        InputError: there is no such cell.
    """
    cell = make_cell(name)
    cls, options = VARIANTS[name]
    text = inspect.getdoc(cls) or ""
    row = re.search(rf"^\s+{re.escape(name)}  +(\S.*?)(?:  |$)", text, re.MULTILINE)
    arguments = ", ".join(map(_argument, options.items())) if not row and len(cls.variants) > 1 else ""
    what = row[1].strip() if row else _first_sentence(text)
    big = 1000  # where terms of H are small beside those of H²
    shapes = cell.weight_shapes(big, big).values()
    squares = round(sum(map(math.prod, shapes)) / big**2)
    return About(name, cell.gates, squares, f"{what} ({arguments})" if arguments else what)


def listing() -> list[About]:
    """All cells, those of a family together: by the first part of their names."""
    order = {family: i for i, family in enumerate(dict.fromkeys(("rnn", "gru", "lstm", *map(_family, CELL_NAMES))))}
    return [about(name) for name in sorted(CELL_NAMES, key=lambda name: (order[_family(name)], "-" in name))]


def _family(name: str) -> str:
    return name.split("-")[0]


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"\.\s+(?=[A-Z])", paragraph)[0].rstrip(".:")


def _argument(item: tuple[str, object]) -> str:
    name, value = item[0].replace("_", " "), item[1]
    return name if value is True else f"not {name}" if value is False else f"{name}: {value}"
