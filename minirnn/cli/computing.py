"""What every command can be told about how to compute: with compiled kernels, and with how many threads."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from minirnn.cli.options import number
from minirnn.errors import InputError, TooManyWeightsError
from minirnn.layers import Module
from minirnn.layers.basic import at_most
from minirnn.parallel import FEWEST_OF_A_STEP, set_num_threads, worthwhile
from minirnn.training import Run

MOST_THREADS = 1024
SPARE_WEIGHTS = 1_000_000
AnyModule = TypeVar("AnyModule", bound=Module)


def add_options(parser: argparse.ArgumentParser, default: Any = argparse.SUPPRESS) -> None:
    """Add the options, which may stand before the command and after it."""
    parser.add_argument(
        "--kernels",
        action=argparse.BooleanOptionalAction,
        default=default,
        help="compute with compiled kernels where there are any (default: on a GPU, and in a training that is resumed "
        "as it began)",
    )
    parser.add_argument(
        "--threads",
        type=number(int, 1, MOST_THREADS + 1),
        default=default,
        metavar="N",
        help="compute with N threads on the CPU (default: those of the run; at its beginning as many as pay for the "
        "size of the model, up to one for each core)",
    )


def open_run(arguments: argparse.Namespace) -> Run:
    """The run that a command was given, with whose number of threads it computes unless it was told another."""
    run = Run(arguments.RUN)
    if arguments.threads is None:
        set_num_threads(kept_threads(run))
    return run


@contextmanager
def believed(run: Run, checkpoint: str) -> Iterator[None]:
    """Let a model be made inside the block as the run.json describes it, as long as the checkpoint has the weights for
    it. (A few more are made and not used, as for embeddings that share those of the output.)

    Raises:
        InputError: the checkpoint has far fewer.
    """

    def limit() -> float:
        weights = run.num_weights(checkpoint)
        return math.inf if weights is None else 2 * weights + SPARE_WEIGHTS

    try:
        with at_most(limit):
            yield
    except TooManyWeightsError as error:
        message = f"damaged: its {checkpoint} checkpoint has {run.num_weights(checkpoint):,} weights, but {error}"
        raise InputError(f"{run.path / 'run.json'}: {message}") from error


def load_model(run: Run, build: Callable[[], AnyModule], checkpoint: str = "best") -> AnyModule:
    """The trained model of a run, ready to be used.

    Args:
        run: has the weights.
        build: makes the model that its run.json describes.
        checkpoint: "best" or "last".

    Raises:
        InputError: there is no checkpoint, it is damaged, or it is that of another model.
    """
    with believed(run, checkpoint):
        model = build()
    state = run.model_state(checkpoint)
    try:
        model.load_state_dict(state)
    except InputError as error:
        raise InputError(f"{run.path}: the {checkpoint} checkpoint does not fit its run.json: {error}") from error
    model.eval()
    return model


def kept_threads(run: Run) -> int | None:
    """The number of threads of a run; None if it is older than they are kept.

    Raises:
        InputError: it is no number of threads.
    """
    threads = run.config.get("threads")
    if threads is not None and not (type(threads) is int and 1 <= threads <= MOST_THREADS):
        raise InputError(f"{run.path / 'run.json'}: damaged: threads is {threads!r}")
    return threads


def threads_for_training(num_parameters: int, batch_size: int) -> int:
    """How many of the threads pay for a model of this size."""
    return worthwhile(num_parameters * batch_size, FEWEST_OF_A_STEP)


def in_words(threads: int) -> str:
    """ "1 thread", "2 threads", …"""
    return f"{threads} thread{'s' * (threads != 1)}"
