"""`minirnn read`: the source as pages, equations on the left and the code that computes them on the right."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from minirnn.cli.options import path
from minirnn.errors import InputError
from minirnn.pages.reading.site import write
from minirnn.pages.reading.sources import find

DESCRIPTION = (
    "Write the source of the cells, the tape, attention and beam search as HTML pages: prose and equations on the "
    "left, the code on the right, and links from the number of each equation to its lines and back. What is printed is "
    "the page to open: that of NAME, or the index."
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "read",
        help="write the source as pages to read, equations beside code",
        description=DESCRIPTION,
        epilog="example: minirnn read lstm",
    )
    parser.add_argument(
        "NAME",
        nargs="?",
        type=page,
        help="whose page to name: a cell (lstm-peephole), a file (bptt) or a class (Tensor)",
    )
    parser.add_argument(
        "--out", type=path, default="minirnn-pages", metavar="DIR", help="for the pages (default: minirnn-pages)"
    )
    parser.set_defaults(run=run)


def page(name: str) -> str:
    """An argparse type: something there is a page of; gives the page's path below the folder."""
    try:
        return find(name).page
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(arguments: argparse.Namespace) -> int:
    """Write all pages, and print the path of the one to open."""
    index = write(arguments.out)
    print(Path(arguments.out) / arguments.NAME if arguments.NAME else index)
    return 0
