"""The recurrent cells on the command line: `minirnn cells`, the options of every `minirnn train` command about its
cell, and what models are told of them."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

from minirnn.cells import CELL_NAMES
from minirnn.cli.options import number
from minirnn.cli.training import Options
from minirnn.inspection.listing import listing

CELL_HELP = "the recurrent cell: `minirnn cells` explains each"
NARROWEST = 40
"""Columns for what is said of a cell, in a terminal that has fewer."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "cells",
        help="the recurrent cells that a model can have",
        description="Say of each recurrent cell what it is, from the docstring above its equations in minirnn/cells/: "
        "its gates and candidates by their letters, and how many weights a layer of H units with H inputs has.",
        epilog="example: minirnn train lm --cell lstm-coupled",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each cell, a few where it is long."""
    cells = listing()
    width = max(len(one.name) for one in cells)
    before = width + 18
    columns = max(shutil.get_terminal_size().columns - before, NARROWEST)
    print(f"{'name':{width}}  blocks  weights  what it is")
    for one in cells:
        first, *rest = textwrap.wrap(one.what, columns)
        weights = f"{one.parameters}H²"
        print(f"{one.name:{width}}  {one.gates:6}  {weights:7}  {first}")
        for line in rest:
            print(" " * before + line)
    return 0


def cell_options(default: str) -> Options:
    """Which cell, and how long its memory lasts before it has learned anything."""
    return {
        "cell": (
            default,
            {"choices": CELL_NAMES, "metavar": "CELL", "help": "the recurrent cell: `minirnn cells` explains each"},
        ),
        "forget-bias": (
            None,
            {
                "type": number(float, -100, 100),
                "metavar": "X",
                "help": "the first bias of the gate that keeps the memory, an LSTM's f or a GRU's z: 1 or more to "
                "remember from the beginning",
            },
        ),
        "chrono": (
            None,
            {
                "type": number(int, 3),
                "metavar": "T",
                "help": "instead, the longest time in steps to be remembered: that bias is drawn for each unit as log "
                "U(1, T-1), which needs a T of at least 3",
            },
        ),
    }


def cell_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, as every model takes it."""
    return {"cell": options["cell"], "forget_bias": options["forget-bias"], "chrono": options["chrono"]}
