"""`minirnn classify`: what a trained classifier says of texts."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.lines import read_lines
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import path
from minirnn.cli.runs import load_model, open_run
from minirnn.cli.train.classify import OPTIONS, build_model, encode, read_learned, tokens_of
from minirnn.cli.training import read_options
from minirnn.data.reading import unify
from minirnn.training.classification import predict


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
    run_directory = open_run(arguments)
    options, learned = read_options(run_directory, "classify", OPTIONS), read_learned(run_directory)
    model = load_model(run_directory, lambda: build_model(learned, {**options, "device": "cpu"}, backend.generator(0)))
    texts = arguments.TEXT or list(read_lines("label", "text"))
    if not texts:
        return 0
    unknown = UnknownTokens(learned.vocabulary)
    unknown.note(token for text in texts for token in tokens_of(text, learned, options))
    probs = np.exp(predict(model, encode(texts, learned, options)))
    for text, row in zip(texts, probs, strict=True):
        best = np.argsort(-row, kind="stable")[:3]
        print(text.replace("\n", " ") + "\t" + "  ".join(f"{learned.labels[i]} {row[i]:.3f}" for i in best))
    return 0
