"""`minirnn classify`: what a trained classifier says of texts."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cli.lines import read_lines
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import path
from minirnn.cli.runs import open_run
from minirnn.data.reading import unify
from minirnn.runs.classify import load_classifier


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "classify",
        help="label texts with a trained classifier",
        description="Label the texts given, or else the lines of the standard input, with probabilities.",
        epilog="example: minirnn classify runs/classify-1 '([]{})' '([)]'",
    )
    parser.add_argument("RUN", type=path, help="the run directory")
    parser.add_argument("TEXT", nargs="*", type=unify, help="what to label (default: the lines of the standard input)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each text."""
    classifier = load_classifier(open_run(arguments))
    texts = arguments.TEXT or list(read_lines("label", "text"))
    UnknownTokens(classifier.vocabulary).note(token for text in texts for token in classifier.read(text))
    for text, found in zip(texts, classifier.classify(texts), strict=True):
        best = list(found.probabilities.items())[:3]
        print(text.replace("\n", " ") + "\t" + "  ".join(f"{label} {probability:.3f}" for label, probability in best))
    return 0
