"""`minirnn show lengths`: how long the sentences of a corpus are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from minirnn.cli.corpora import load_corpora
from minirnn.cli.options import number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.progress import Progress
from minirnn.cli.runs import open_run
from minirnn.data import Codec, Pair, length_histogram
from minirnn.data.codec import SENTENCE_TOKENS
from minirnn.errors import InputError
from minirnn.plots import plot_lengths
from minirnn.runs.tasks import read_run_options
from minirnn.runs.translation import OPTIONS, build_codecs
from minirnn.runs.translators import read_codecs


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "lengths",
        help="how long the sentences of a corpus are",
        description="Draw how often each length occurs among the training sentences of a run, or of a corpus; without "
        "either, of the built-in English-French grammar.",
        epilog="example: minirnn show lengths --data fra.txt --tokens char",
    )
    parser.add_argument("RUN", nargs="?", type=path, help="a run of `train translate` or `train task`")
    parser.add_argument("--data", type=path, metavar="FILE", help="instead: tab-separated pairs")
    parser.add_argument("--source", type=path, metavar="FILE", help="instead: sentences, one a line (also .gz)")
    parser.add_argument("--target", type=path, metavar="FILE", help="and their translations, line by line")
    parser.add_argument("--tokens", choices=SENTENCE_TOKENS, help="what sentences are cut into (default: word)")
    parser.add_argument("--max-pairs", type=number(int, 1), metavar="N", help="the first N pairs only")
    add_out(parser, "lengths.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the histogram, and draw it."""
    check_picture(arguments.out)
    own = {
        name: getattr(arguments, name.replace("-", "_")) for name in ("data", "source", "target", "tokens", "max-pairs")
    }
    given = {name: value for name, value in own.items() if value is not None}
    if arguments.RUN and given:
        raise InputError(f"a run has its own corpus: leave out --{next(iter(given))}, or the run")
    with Progress("reading the pairs") as doing:
        if arguments.RUN:
            run_directory = open_run(arguments)
            options = read_run_options(run_directory)
            pairs, codecs = load_corpora(options).train, read_codecs(run_directory)
        else:
            options = {**{name: default for name, (default, _) in OPTIONS.items()}, **given}
            pairs = load_corpora({**options, "valid-fraction": 0.0}).train
            doing.now("learning a vocabulary")
            codecs = build_codecs(pairs, options)
    lengths = _lengths(pairs, codecs)
    print(f"{len(pairs):,} pairs; lengths in tokens, <eos> included:\n{length_histogram(lengths)}")
    tell(draw(plot_lengths, lengths, arguments.out))
    return 0


def _lengths(pairs: Sequence[Pair], codecs: tuple[Codec, Codec]) -> dict[str, list[int]]:
    """How many tokens each sentence has, by side."""
    found: dict[str, list[int]] = {"source": [], "target": []}
    with Progress("cutting into tokens", len(pairs), unit="pair") as doing:
        for pair in pairs:
            for numbers, codec, text in zip(found.values(), codecs, pair, strict=True):
                numbers.append(len(codec.encode(text)))
            doing.step()
    return found
