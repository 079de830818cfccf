"""`minirnn cloze`: fill the blanks of a text."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.autograd.losses import log_softmax
from minirnn.autograd.recording import no_grad
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import path
from minirnn.cli.runs import load_model, open_run
from minirnn.cli.texts import read_rules
from minirnn.cli.train.cloze import BLANK, OPTIONS, build_models, read_vocabulary
from minirnn.cli.training import read_options
from minirnn.data import UNKNOWN, detokenize, tokenize
from minirnn.data.reading import unify
from minirnn.errors import InputError


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
    run_directory = open_run(arguments)
    options, vocabulary = read_options(run_directory, "cloze", OPTIONS), read_vocabulary(run_directory)
    on_cpu, size = {**options, "device": "cpu"}, len(vocabulary)
    models = load_model(run_directory, lambda: build_models(size, on_cpu, backend.generator(0)))
    text = arguments.TEXT if options["clean"] == "none" else arguments.TEXT.lower()
    pieces = tokenize(text, options["tokens"], read_rules(run_directory))
    blanks = [t for t, piece in enumerate(pieces) if piece == BLANK]
    if not blanks:
        raise InputError(f"the text has no blank: write {BLANK} where a token is to be found")
    UnknownTokens(vocabulary).note(piece for piece in pieces if piece != BLANK)
    # Another blank is read as <unk>: nothing is known of it.
    ids = vocabulary.encode([UNKNOWN if piece == BLANK else piece for piece in pieces])
    found = {}
    for sides, model in models.models().items():
        with no_grad():
            log_probs = log_softmax(model(ids[:, None])).data[:, 0]
        log_probs[:, vocabulary.ids[UNKNOWN]] = -np.inf
        found[sides] = np.exp(log_probs)
    for t in blanks:
        pieces[t] = vocabulary.tokens[int(found["both"][t].argmax())]
    print(detokenize(pieces, options["tokens"]))
    for number, t in enumerate(blanks, 1):
        for sides, probs in found.items():
            best = np.argsort(-probs[t], kind="stable")[:3]
            shown = "  ".join(f"{vocabulary.tokens[i]!r} {probs[t][i]:.3f}" for i in best)
            print(f"  blank {number}, seeing {sides:5}  {shown}")
    return 0
