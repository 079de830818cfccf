"""The command `minirnn` from its first moment: outside of the package, whose import takes most of a command's start."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

AFTER, LINE = 0.35, b"loading minirnn ..."
"""Seconds that loading takes without a word, and the word."""


def main() -> NoReturn:
    """Run the command line; Ctrl-C ends it without a traceback also while it is loaded, and in its last moments."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # and not ignored, as after `nohup`
    if heeded:
        signal.signal(signal.SIGINT, _leave)
    with _loading():
        from minirnn.cli.main import main as run

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    finally:
        if heeded:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Inside the block somebody who sits before a terminal is told, as soon as that takes longer than a moment, what
    there is to wait for; and nothing of it stays."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    said = threading.Event()

    def say() -> None:
        said.set()
        os.write(2, LINE)

    timer = threading.Timer(AFTER, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if said.is_set():
            timer.join()
            os.write(2, b"\r" + b" " * len(LINE) + b"\r")


def _leave(*_: Any) -> NoReturn:
    """Nothing has been begun that would have to be ended; and an exception in the middle of an import may come out as
    another."""
    os.write(2, b"\nminirnn: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
