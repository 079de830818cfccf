"""`minirnn show neurons`: a text coloured by what a hidden unit does, and the units that track something."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn.cli.options import check_output, number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.reader import ADVICE, FEW, add_text, of_run, small
from minirnn.cli.runs import open_run
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.inspection.neurons import Tracker, activations, as_html, trackers
from minirnn.plots.neurons import plot_neurons
from minirnn.plots.text import one_column

SHADES = "▁▂▃▄▅▆▇█"
BEST = 5
"""Properties whose units are shown."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "neurons",
        help="a text coloured by a hidden unit, and the units that track something",
        description="Let a trained language model read a text, and find the hidden units that follow something in it: "
        "quotes, brackets, the position in the line, …. Without a run, a small model is trained first.",
        epilog="example: minirnn show neurons runs/lm-1 --data book.txt --html neurons.html",
    )
    parser.add_argument("RUN", nargs="?", type=path, help="a run of `train lm`")
    add_text(parser)
    parser.add_argument(
        "--unit", type=number(int, 0), metavar="N", help="this unit alone (default: those that track most)"
    )
    parser.add_argument("--html", type=path, default="neurons.html", metavar="FILE", help="(default: neurons.html)")
    add_out(parser, "neurons.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the units and what they track, and write the page and the picture."""
    check_picture(arguments.out)
    check_output(arguments.html)
    reader = of_run(open_run(arguments)) if arguments.RUN else small("lstm")
    pieces, read = reader.read(arguments)
    one_is_given = arguments.unit is not None
    if len(pieces) < FEW and not one_is_given:
        raise InputError(f"{read}: correlations need at least {FEW}; {ADVICE}, or see one unit with --unit")
    h = activations(reader.model.recurrent, reader.inputs(pieces))
    if one_is_given and arguments.unit >= h.shape[1]:
        raise InputError(f"--unit {arguments.unit}: the model has the units 0 to {h.shape[1] - 1}")
    print(read + (f": too few for correlations, which need {FEW}" if len(pieces) < FEW else "\n"))
    found = _find(h, pieces, one_is_given) if len(pieces) >= FEW else []
    units = {one.unit: f"unit {one.unit}: {one.what} ({one.correlation:+.2f})" for one in reversed(found[:BEST])}
    units = dict(reversed(units.items())) if not one_is_given else {arguments.unit: f"unit {arguments.unit}"}
    rows = [(title, h[:, unit]) for unit, title in units.items()]
    for title, values in rows:
        print(f"\n{title}")
        print("  " + "".join(one_column(piece, "↵") for piece in pieces[:100]))
        largest = abs(values).max() or 1.0
        print("  " + "".join(SHADES[min(int(4 + 4 * v / largest), 7)] for v in values[:100]))
    write_atomically(arguments.html, as_html(pieces, rows).encode())
    print(f"\npage: {arguments.html}")
    tell(draw(plot_neurons, rows, pieces, arguments.out))
    return 0


def _find(h: np.ndarray, pieces: list[str], one_is_given: bool) -> list[Tracker]:
    """Print what units track, and return those that track something more closely than chance.

    Raises:
        InputError: there are none, and none is given.
    """
    every = trackers(h, pieces)
    found = [one for one in every if abs(one.correlation) > one.chance]
    print(f"for each property the unit of {h.shape[1]} that follows it most closely, and, by chance, how closely one")
    print("follows it where it is moved to another place in the text:\n")
    print("correlation  chance  unit  property")
    for one in found:
        print(f"{one.correlation:11.2f}  {one.chance:6.2f}  {one.unit:4}  {one.what}")
    if rest := [one.what for one in every if one not in found]:
        print(f"no closer than chance: {', '.join(rest)}")
    if not every and not one_is_given:
        raise InputError("nothing varies in the text: give another with --data, or one unit with --unit")
    if not found and not one_is_given:
        raise InputError("no unit follows anything more closely than chance: give a longer text, or one unit (--unit)")
    return found
