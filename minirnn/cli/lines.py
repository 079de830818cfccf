"""The lines of the standard input, for every command that reads them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from minirnn.cli.options import describe
from minirnn.data.parallel import plain_spaces
from minirnn.data.reading import stream_lines, unify
from minirnn.errors import InputError

STDIN = "standard input"


def read_lines(what: str, unit: str) -> Iterator[str]:
    """The lines of the standard input, as `minirnn.data.reading.stream_lines` finds them. Whoever types them is told.

    Args:
        what: what is done with them: "translate".
        unit: what a line is: "sentence".

    Raises:
        InputError: it is closed or cannot be read, or is another encoding than UTF-8 without its byte order mark.
    """
    if sys.stdin is None:
        raise InputError(f"there is nothing to {what}: give text, or lines on the standard input")
    if sys.stdin.isatty():
        print(f"one {unit} a line; Ctrl-D ends", file=sys.stderr)
    try:
        yield from stream_lines(sys.stdin.buffer, STDIN, lambda fault: print(f"note: {fault}", file=sys.stderr))
    except OSError as error:
        raise InputError(f"{STDIN}: {describe(error)}") from error


def sentence(text: str) -> str:
    """A sentence to be translated, with the line ends and the spaces that those of a file have. An argparse type."""
    return plain_spaces(unify(text))


def at_terminal() -> bool:
    """Whether a person types the lines."""
    return sys.stdin is not None and sys.stdin.isatty()
