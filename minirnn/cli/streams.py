"""What becomes of a text on its way to the terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

_CONTROLS = [*range(32), *range(127, 160)]
_HARMLESS = {n: f"\\x{n:02x}" for n in _CONTROLS if chr(n) not in "\t\n"}


def mend_streams() -> None:
    """Let whatever is written to stdout and stderr be taken: nowhere where they are closed, as by `2>&-`, and by its
    number what the terminal has no character for."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (it stays open)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def harmless_streams() -> Iterator[None]:
    """Inside the block no control character reaches a terminal, but is written by its number. In a text of somebody
    else's, in a token or a file name, such sequences could move the cursor, change the title of the window, or make the
    terminal type. Output to a file or a program is what it is; messages on stderr, meant for people, never hold any.
    """
    out = Harmless(sys.stdout, _HARMLESS) if sys.stdout.isatty() else sys.stdout
    without_return = {n: text for n, text in _HARMLESS.items() if chr(n) != "\r"}  # by which progress bars go back
    with redirect_stdout(out), redirect_stderr(Harmless(sys.stderr, without_return)):
        yield


@contextmanager
def silent(really: bool = True) -> Iterator[None]:
    """Inside the block nothing is written to stdout and stderr."""
    if not really:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


class Harmless:
    """A stream without control characters.

    Args:
        stream: what it writes to.
        by_number: what is written for each of them.
    """

    def __init__(self, stream: Any, by_number: dict[int, str]):
        self._stream, self._by_number = stream, by_number

    def write(self, text: str) -> int:
        """As of the stream."""
        return self._stream.write(text if text.isprintable() else text.translate(self._by_number))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
