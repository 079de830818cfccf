"""`minirnn show bidirectional`: why a language model must not read from the right."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn.cli.options import number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.progress import Progress
from minirnn.cli.texts import named_text
from minirnn.data import Vocabulary
from minirnn.errors import InputError
from minirnn.inspection.bidirectional import NextToken, perplexity_of_the_past, train, write
from minirnn.plots.bidirectional import plot_training

CONTEXT, LEAST = 50, 5_000
WHY = """\
The layer of the second model also reads from the right. Its state at t has read x_{t+1}, the very token that it is
asked for, so it only learns to pass it on: a training perplexity near 1. When it writes, nothing stands on the right
yet, and it has never learnt to do without. A second direction is for texts that are there as a whole: to classify
them, to fill blanks (`minirnn train cloze` keeps each token out of its own prediction), to encode a source."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "bidirectional",
        help="why a language model must not read from the right",
        description="Train a language model as it should be, and one whose layer reads in both directions, and see "
        "what the perplexity of the second is worth. Less than a minute.",
        epilog="example: minirnn show bidirectional --data book.txt --steps 1000",
    )
    parser.add_argument("--data", type=path, metavar="FILE", help="a text (default: the English of Python's help)")
    parser.add_argument("--steps", type=number(int, 1), default=600, metavar="N", help="training steps (default: 600)")
    parser.add_argument("--hidden", type=number(int, 1), default=96, metavar="N", help="units (default: 96)")
    parser.add_argument("--seed", type=number(int, 0), default=0, metavar="N", help="of all randomness (default: 0)")
    add_out(parser, "bidirectional.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train both, and print what they are worth."""
    check_picture(arguments.out)
    with Progress("reading the text"):
        text = named_text(arguments.data)
    if len(text) < LEAST:
        raise InputError(f"the text has {len(text):,} characters: expected at least {LEAST:,}")
    vocabulary = Vocabulary.build(text, 1)
    ids = vocabulary.encode(text)
    held_out = len(ids) // 10
    losses: dict[str, np.ndarray] = {}
    print("model           training perplexity   held-out, given the past alone")
    samples = []
    for name, both in (("left to right", False), ("both ways", True)):
        model = NextToken(len(vocabulary), arguments.hidden, bidirectional=both, rng=arguments.seed)
        with Progress(f"training {name}", arguments.steps) as doing:
            losses[name] = train(model, ids[:-held_out], steps=arguments.steps, seed=arguments.seed, done=doing.step)
        past = perplexity_of_the_past(model, ids[-held_out:], CONTEXT)
        print(f"{name:14}  {np.exp(losses[name][-20:].mean()):19.3f}   {past:30.3f}", flush=True)
        written = write(model, ids[-held_out:][:CONTEXT], 120, np.random.default_rng(arguments.seed))
        samples.append((name, "".join(vocabulary.decode(written))))
    print(f"\nafter {text[-held_out:][:CONTEXT]!r} they write:")
    for name, sample in samples:
        print(f"  {name}: {sample!r}")
    print(f"\n{WHY}")
    tell(draw(plot_training, losses, arguments.out))
    return 0
