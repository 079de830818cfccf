"""What every command can be told about how to compute: with compiled kernels, and with how many threads."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn import backend
from minirnn.cli.options import Parser, number
from minirnn.cli.sections import COMPUTING
from minirnn.errors import InputError
from minirnn.training import Run

MOST_THREADS = 1024


def add_device(parser: Parser) -> None:
    """Add the option of commands that can compute on a GPU."""
    parser.section(COMPUTING).add_argument(
        "--device", choices=backend.DEVICES, default="cpu", help="where to compute (default: cpu)"
    )


def add_options(parser: Parser, default: Any = argparse.SUPPRESS) -> None:
    """Add the options, which may stand before the command and after it."""
    section = parser.section(COMPUTING)
    section.add_argument(
        "--kernels",
        action=argparse.BooleanOptionalAction,
        default=default,
        help="compute with compiled kernels where there are any (default: on a GPU, and in a training that is resumed "
        "as it began)",
    )
    section.add_argument(
        "--threads",
        type=number(int, 1, MOST_THREADS + 1),
        default=default,
        metavar="N",
        help="compute with N threads on the CPU (default: those of the run; at its beginning as many as pay for the "
        "size of the model, up to one for each core)",
    )


def kept_threads(run: Run) -> int | None:
    """The number of threads of a run; None if it is older than they are kept.

    Raises:
        InputError: it is no number of threads.
    """
    threads = run.config.get("threads")
    if threads is not None and not (type(threads) is int and 1 <= threads <= MOST_THREADS):
        raise InputError(f"{run.path / 'run.json'}: damaged: threads is {threads!r}")
    return threads


def in_words(threads: int) -> str:
    """ "1 thread", "2 threads", …"""
    return f"{threads} thread{'s' * (threads != 1)}"
