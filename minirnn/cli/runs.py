"""Opening a run that a command was given."""

from __future__ import annotations

import argparse

from minirnn.cli.computing import kept_threads
from minirnn.parallel import set_num_threads
from minirnn.training import Run


def open_run(arguments: argparse.Namespace) -> Run:
    """The run that a command was given, with whose number of threads it computes unless it was told another."""
    run = Run(arguments.RUN)
    if arguments.threads is None:
        set_num_threads(kept_threads(run))
    return run
