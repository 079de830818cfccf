"""`minirnn show neurons`: a text coloured by what a hidden unit does, and the units that track something."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cli.options import check_output, number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.reader import of_run, small
from minirnn.cli.runs import open_run
from minirnn.data import read_text
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.inspection.neurons import activations, as_html, trackers
from minirnn.plots.neurons import plot_neurons
from minirnn.plots.text import one_column

SHADES = "▁▂▃▄▅▆▇█"
MOST, BEST = 2_000, 5


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
    parser.add_argument(
        "--data", type=path, metavar="FILE", help=f"the text to read, at most {MOST:,} characters of it"
    )
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
    text = read_text(arguments.data)[:MOST] if arguments.data else None
    reader = of_run(open_run(arguments)) if arguments.RUN else small("lstm")
    pieces = reader.cut(reader.text if text is None else text)
    h = activations(reader.model.recurrent, reader.inputs(pieces))
    if arguments.unit is not None and arguments.unit >= h.shape[1]:
        raise InputError(f"--unit {arguments.unit}: the model has the units 0 to {h.shape[1] - 1}")
    found = trackers(h, pieces)
    print(f"{len(pieces):,} tokens read; for each property the unit of {h.shape[1]} that follows it most closely:\n")
    print("correlation  unit  property")
    for one in found:
        print(f"{one.correlation:11.2f}  {one.unit:4}  {one.what}")
    if not found and arguments.unit is None:
        raise InputError("nothing varies in the text: give another with --data, or one unit with --unit")
    units = {one.unit: f"unit {one.unit}: {one.what} ({one.correlation:+.2f})" for one in reversed(found[:BEST])}
    units = dict(reversed(units.items())) if arguments.unit is None else {arguments.unit: f"unit {arguments.unit}"}
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
