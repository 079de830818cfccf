"""`minirnn show gates`: what the gates of a language model do along a text."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn.cells import CELL_NAMES, make_cell
from minirnn.cli.options import path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.reader import FEW, add_text, of_run, small
from minirnn.cli.runs import open_run
from minirnn.errors import InputError
from minirnn.inspection.gates import NAMES, extreme_cases, gates, opening, saturation
from minirnn.plots.gates import plot_gates
from minirnn.plots.text import one_column

LINE, LINES = 80, 3
"""Tokens in a line of the text that is shown, and how many lines there are."""
GATED = tuple(name for name in CELL_NAMES if len(make_cell(name).gates) > 1)
"""The cells that have gates: what a cell without them has is its new state alone."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "gates",
        help="gate activations along a text, and how saturated they are",
        description="Show how open the gates of a trained language model are at every character of a text. Without a "
        "run, a small one is trained first, in some seconds. Also: what happens when gates are held open or shut.",
        epilog="example: minirnn show gates runs/lm-1 --text 'The statement is true.'",
    )
    parser.add_argument("RUN", nargs="?", type=path, help="a run of `train lm`")
    add_text(parser)
    parser.add_argument(
        "--cell",
        choices=GATED,
        metavar="CELL",
        help="without a run: which, of those with gates; `minirnn cells` explains each (default: gru)",
    )
    add_out(parser, "gates.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the gates and their saturation, and draw them."""
    check_picture(arguments.out)
    if arguments.RUN and arguments.cell:
        raise InputError("--cell goes without a run, which has its own")
    reader = of_run(open_run(arguments)) if arguments.RUN else small(arguments.cell or "gru")
    pieces, read = reader.read(arguments)
    found = opening(gates(reader.model.recurrent, reader.inputs(pieces)))
    if not found:
        raise InputError(f"the cell of {arguments.RUN} has no gates: nothing in it goes from 0, shut, to 1, open")
    found = {name: gate[:, 0] for name, gate in found.items()}
    print(f"{read}\n")
    _print_gates(found, pieces)
    print("\nheld open or shut by biases of ±1000 (difference from what it should be):")
    for name, difference in extreme_cases().items():
        print(f"  {name:44} {difference:.1e}")
    tell(draw(plot_gates, {title(name): gate for name, gate in found.items()}, pieces, arguments.out))
    return 0


def title(letter: str) -> str:
    """What a gate is called."""
    return NAMES.get(letter, f"gate {letter}")


def _print_gates(found: dict[str, np.ndarray], pieces: list[str]) -> None:
    """For each token the mean of every gate in tenths, and the saturation of the gates over the whole text."""
    print("mean activation of each gate, in tenths (0 shut, 9 open):")
    for start in range(0, min(len(pieces), LINES * LINE), LINE):
        stretch = slice(start, start + LINE)
        print("\n      " + "".join(one_column(piece) for piece in pieces[stretch]))
        for name, gate in found.items():
            print(f"   {name}  " + "".join(str(min(int(10 * v), 9)) for v in gate[stretch].mean(axis=1)))
    if len(pieces) > LINES * LINE:
        print(f"      … and {len(pieces) - LINES * LINE:,} tokens more, which count below")
    print("\nsaturation: part of all steps and units with the gate below 0.1, and above 0.9; units that always are")
    if len(pieces) < FEW:
        print(f"(of {len(pieces)} steps, which are few: with a longer text these numbers will be others)")
    for name, gate in found.items():
        shut, opened = saturation(gate[:, None])
        print(
            f"  {title(name):14}  below {shut.mean():.3f}  above {opened.mean():.3f}  "
            f"always: {int((shut == 1).sum())} shut, {int((opened == 1).sum())} open of {len(shut)}"
        )
