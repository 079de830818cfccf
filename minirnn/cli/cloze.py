"""`minirnn cloze`: fill the blanks of a text."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.blanks import BLANK
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import path
from minirnn.cli.runs import open_run
from minirnn.data.reading import unify
from minirnn.runs.cloze import load_blank_filler


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "cloze",
        help="fill the blanks of a text",
        description=f"Fill every {BLANK} of a text with the most probable token, and say how sure each model is.",
        epilog=f"example: minirnn cloze runs/cloze-1 'The stat{BLANK}ment is tr{BLANK}e.'",
    )
    parser.add_argument("RUN", type=path, help="a run of `train cloze`")
    parser.add_argument("TEXT", type=unify, help=f"a text with blanks, each a {BLANK}; by word, with spaces around it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the filled text, and the three best for every blank by what is seen."""
    filler = load_blank_filler(open_run(arguments))
    filled = filler.fill(arguments.TEXT)
    UnknownTokens(filler.vocabulary).note(piece for piece in filler.cut(arguments.TEXT) if piece != BLANK)
    print(filled.text)
    for number, guesses in enumerate(filled.blanks, 1):
        for sides, best in guesses.items():
            shown = "  ".join(f"{token!r} {probability:.3f}" for token, probability in best)
            print(f"  blank {number}, seeing {sides:5}  {shown}")
    return 0
