"""`minirnn cells`: each recurrent cell in a line."""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import Any

from minirnn.inspection.listing import listing

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
