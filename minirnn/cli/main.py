"""The entry point: finds the command, and turns wrong input into one line and exit status 2."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from minirnn import __version__, use_kernels
from minirnn.cli import (
    caption,
    cells,
    chat,
    classify,
    cloze,
    computing,
    draw,
    evaluate,
    exercise,
    fetch,
    generate,
    gradcheck,
    read,
    show,
    train,
    translate,
)
from minirnn.cli.options import Parser, complain, describe
from minirnn.cli.streams import harmless_streams, mend_streams, silent
from minirnn.errors import MinirnnError, MinirnnWarning
from minirnn.parallel import one_thread_each, set_num_threads
from minirnn.training.ranks import launched

COMMANDS: tuple[Any, ...] = (
    translate,
    evaluate,
    generate,
    classify,
    caption,
    draw,
    chat,
    cloze,
    fetch,
    cells,
    gradcheck,
    read,
    exercise,
)
TRAIN = (
    "Train a model. Under mpiexec, as in `mpiexec -n 4 minirnn train lm`, several processes share every batch, also on "
    "several machines, and make together the steps that one would make."
)
GROUPS: tuple[tuple[str, str, str, str, tuple[Any, ...]], ...] = (
    ("train", "TASK", "train a model", TRAIN, train.COMMANDS),
    ("show", "PICTURE", "see what a network does", "Draw a picture, and write it as text.", show.COMMANDS),
)


def build_parser() -> Parser:
    """The parser of all commands. Each stores its function as `run`."""
    parser = Parser(prog="minirnn", description="Recurrent networks from scratch, on NumPy and CuPy.")
    computing.add_options(parser, None)
    parser.add_argument("--version", action="version", version=f"minirnn {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for name, metavar, help_line, description, members in GROUPS:
        group = commands.add_parser(name, help=help_line, description=description)
        choices = group.add_subparsers(title=metavar.lower() + "s", metavar=metavar, required=True, parser_class=Parser)
        for member in members:
            member.add_parser(choices)
        for choice in choices.choices.values():
            computing.add_options(choice)
    for member in COMMANDS:
        member.add_parser(commands)
    for name in set(commands.choices).difference(name for name, *_ in GROUPS):
        computing.add_options(commands.choices[name])
    return parser


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 if all went well, 2 for wrong input, 130 after Ctrl-C or SIGTERM."""
    mend_streams()
    with harmless_streams():
        _run(arguments)


def _run(arguments: Sequence[str] | None) -> NoReturn:
    try:
        try:
            _heed_sigterm()
            with silent(launched()[0] > 0):  # what is wrong with a command is said once, also under `mpiexec`
                options = build_parser().parse_args(arguments)
            use_kernels(options.kernels, compiling=_compiling)
            set_num_threads(options.threads)
            # What is not finite is found and named by the training loop.
            with one_thread_each(), np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.showwarning = _note
                status = options.run(options)
        finally:
            sys.stdout.flush()  # here, where a failure can still be reported
        sys.exit(status)
    except BrokenPipeError:  # the reader of our output has gone, as in `minirnn generate … | head`
        _drop_output()
        sys.exit(1)
    except (MinirnnError, OSError) as error:
        complain("minirnn", describe(error))
        _drop_output()
        sys.exit(2)
    except MemoryError as error:
        complain("minirnn", f"not enough memory{f': {error}' * bool(str(error))}")
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nminirnn: interrupted", file=sys.stderr)
        sys.exit(130)


def _note(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
    """A warning of minirnn's own is for the user, not for a programmer: a line without the place in the source."""
    own = issubclass(category, MinirnnWarning)
    text = f"note: {message}" if own else warnings.formatwarning(message, category, filename, lineno).rstrip()
    print(text, file=sys.stderr)


def _compiling() -> None:
    """Kernels are compiled at their first use."""
    text = "compiling kernels, which takes some ten seconds for each cell; they are kept on disk for the next time"
    print(f"note: {text}", file=sys.stderr)


def _heed_sigterm() -> None:
    """Let SIGTERM, which `kill`, a batch queue or a computer that is shut down sends, end a command as Ctrl-C does: a
    training then says how to go on."""
    if threading.current_thread() is threading.main_thread():  # no other may set a handler
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _drop_output() -> None:
    """Send what is still buffered for stdout nowhere, so that the interpreter does not fail over it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
