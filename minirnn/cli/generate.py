"""`minirnn generate`: let a trained language model write on."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn import backend
from minirnn.cli.computing import add_device
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import number, path
from minirnn.cli.progress import Progress
from minirnn.cli.runs import open_run
from minirnn.data.reading import unify
from minirnn.decoding import greedy, sampler
from minirnn.runs.lm import load_writer


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "generate",
        help="let a trained language model write",
        description="Continue a text with a trained language model.",
        epilog="example: minirnn generate runs/lm-1 --prefix 'The statement' --temperature 0.7 --top-p 0.9",
    )
    parser.add_argument("RUN", type=path, help="the run directory")
    text, chosen = parser.section("text"), parser.section("how tokens are chosen")
    text.add_argument(
        "--prefix", type=unify, metavar="TEXT", help="the text to continue (default: how the training text begins)"
    )
    text.add_argument("--length", type=number(int, 1), default=300, metavar="N", help="tokens to write (default: 300)")
    text.add_argument("--samples", type=number(int, 1), default=1, metavar="N", help="how many times (default: 1)")
    chosen.add_argument("--greedy", action="store_true", help="always take the most probable token")
    chosen.add_argument(
        "--temperature", type=number(float, above=0), default=0.8, metavar="X", help="below 1: safer (default: 0.8)"
    )
    chosen.add_argument("--top-k", type=number(int, 1), metavar="K", help="draw from the K most probable tokens only")
    chosen.add_argument(
        "--top-p", type=number(float, above=0), metavar="P", help="draw from the most probable that sum to P only"
    )
    chosen.add_argument("--seed", type=number(int, 0), default=0, metavar="N", help="of the draws (default: 0)")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the prefix and its continuations."""
    run_directory = open_run(arguments)
    writer = load_writer(run_directory, arguments.checkpoint, arguments.device)
    prefix = writer.prefix if arguments.prefix is None else arguments.prefix
    UnknownTokens(writer.vocabulary).note(writer.cut(prefix))
    for k in range(arguments.samples):
        rng = backend.generator(arguments.seed + k)
        draw = sampler(rng, arguments.temperature, arguments.top_k, arguments.top_p)
        with Progress("writing"):
            text = writer.generate(prefix, arguments.length, choose=greedy if arguments.greedy else draw)
        print(f"\n---\n\n{text}" if k else text)
    return 0
