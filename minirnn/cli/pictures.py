"""Where a picture goes, what is said of it, and what becomes of a command whose picture cannot be drawn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from minirnn.cli.options import check_output, describe, path
from minirnn.cli.progress import Progress
from minirnn.errors import InputError, MinirnnError, install
from minirnn.plots.common import format_of, has_matplotlib

NOT_INSTALLED = f"matplotlib is not installed ({install('plot')})"


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """The option that says where the picture goes."""
    parser.add_argument("--out", type=path, default=default, metavar="PNG", help=f"the picture (default: {default})")


def check_picture(file: str) -> None:
    """See that a picture can be written, before the work that it shows.

    Raises:
        InputError: its name ends with no format that is known, or as `check_output`.
    """
    check_output(file)
    with _explained():
        if has_matplotlib():
            format_of(file)


@contextmanager
def _explained() -> Iterator[None]:
    """matplotlib raises whatever a library beneath it does, of a broken font as of a broken file of settings."""
    try:
        yield
    except (MinirnnError, OSError):
        raise
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"matplotlib cannot draw: {what}") from error


class Drawn(NamedTuple):
    """Where a picture is, or why there is none."""

    path: Path | None
    why_not: str = ""


def draw(plot: Callable[..., Path | None], *arguments: Any, what: str = "the picture") -> Drawn:
    """Draw what a command was asked for. Where matplotlib is not installed, the text that is printed stands in for it.
    Of several pictures, `what` says which this is.

    Raises:
        InputError, OSError: it cannot be drawn or written.
    """
    with _explained(), Progress(f"drawing {what}"):
        found = plot(*arguments)
    return Drawn(found, "" if found else NOT_INSTALLED)


def attempt(plot: Callable[..., Path | None], *arguments: Any, what: str = "the picture") -> Drawn:
    """Draw at the end of work that is worth more than its picture: whatever keeps it from being drawn, be it a folder
    that is gone or a library that is broken, the work is done and its report goes on."""
    try:
        return draw(plot, *arguments, what=what)
    except (MinirnnError, OSError) as error:
        return Drawn(None, describe(error))


def tell(*drawn: Drawn) -> None:
    """Say where pictures are, and why there are not more."""
    if made := [str(one.path) for one in drawn if one.path]:
        print(f"\npicture{'s' * (len(made) > 1)}: {', '.join(made)}")
    for reason in dict.fromkeys(one.why_not for one in drawn if one.why_not):
        print(f"\nno picture: {reason}")
