"""`minirnn show bptt`: a page of one backward pass, line by line, with all its numbers."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cells import CELL_NAMES
from minirnn.cli.options import check_output, number, path
from minirnn.data.reading import unify
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.pages.stepping.backward_pass import page
from minirnn.pages.stepping.lessons import MOST_LETTERS, MOST_UNITS, attention, recurrent
from minirnn.runs.cells import CELL_HELP


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "bptt",
        help="a page to go through a backward pass line by line",
        description="Write one HTML file that shows a run of the engine on a small network: forward and backward, the "
        "equations, the lines of the source and all their numbers, which can be changed. It needs no network: open it "
        "in a browser.",
        epilog="example: minirnn show bptt --cell gru --text hello --out gru.html",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--cell",
        choices=CELL_NAMES,
        metavar="CELL",
        help=f"{CELL_HELP} (default: lstm)",
    )
    what.add_argument("--attention", action="store_true", help="attention instead of a recurrent cell")
    parser.add_argument(
        "--text", type=unify, default="hello", help=f"what is read, 2 to {MOST_LETTERS} letters (default: hello)"
    )
    parser.add_argument(
        "--hidden", type=number(int, 1), default=3, metavar="N", help=f"units, 1 to {MOST_UNITS} (default: 3)"
    )
    parser.add_argument("--seed", type=number(int, 0), default=0, metavar="N", help="of the weights (default: 0)")
    parser.add_argument("--out", type=path, default="bptt.html", metavar="FILE", help="(default: bptt.html)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and say where."""
    if not arguments.out.endswith((".html", ".htm")):
        raise InputError(f"{arguments.out}: expected a name that ends in .html, as browsers know pages by it")
    check_output(arguments.out)
    small = arguments.text, arguments.hidden, arguments.seed
    lesson = attention(*small) if arguments.attention else recurrent(arguments.cell or "lstm", *small)
    written = page(lesson).encode()
    write_atomically(arguments.out, written)
    print(f"{arguments.out}: {lesson.title} ({len(written) / 1000:.0f} kB); open it in a browser")
    return 0
