"""The recurrent cells, and time.

Start here: `rnn.py`, then `cell.py`, which says what all cells have in common, `bptt.py`, which has time, `lstm.py` and
`gru.py`, and `stepper.py`, the walk step by step.
"""

from __future__ import annotations

import importlib
import pkgutil

from minirnn.cells.bptt import unroll
from minirnn.cells.cell import Cell, MemoryGate
from minirnn.errors import InputError


def _find_variants() -> dict[str, tuple[type[Cell], dict]]:
    """The variants of every cell in this folder, so that a new file is known without being listed anywhere."""
    found: dict[str, tuple[type[Cell], dict]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for cls in vars(module).values():
            if isinstance(cls, type) and issubclass(cls, Cell) and cls.__module__ == module.__name__:
                own = {name: (cls, options) for name, options in vars(cls).get("variants", {}).items()}
                if taken := found.keys() & own.keys():
                    raise ValueError(f"{module.__name__}: the name {taken.pop()!r} belongs to another cell already")
                found |= own
    return found


VARIANTS = _find_variants()
CELL_NAMES = tuple(VARIANTS)


def make_cell(name: str | Cell) -> Cell:
    """The cell of that name, one of `CELL_NAMES`. A cell is returned as it is.

        >>> make_cell("lstm").gates
        'ifgo'

    Raises:
        InputError: there is no such cell.
    """
    if isinstance(name, Cell):
        return name
    if not isinstance(name, str) or name not in VARIANTS:
        raise InputError(f"unknown cell {name!r}: expected one of {', '.join(CELL_NAMES)}")
    cls, options = VARIANTS[name]
    return cls(**options)


__all__ = ["CELL_NAMES", "Cell", "MemoryGate", "make_cell", "unroll"]
