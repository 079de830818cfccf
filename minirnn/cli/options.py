"""What the commands' options share."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

from minirnn.errors import InputError
from minirnn.runs.data import describe as describe
from minirnn.runs.options import number as number
from minirnn.runs.options import path as path

BRIEF = 8
"""A command with more options than this does not list them in its usage, but only where they are explained."""


class Formatter(argparse.HelpFormatter):
    """Help whose first line can be read, however many options there are."""

    def _format_usage(self, usage: str | None, actions: Any, groups: Any, prefix: str | None) -> str:
        arguments = [action for action in actions if not action.option_strings]
        if usage is not None or len(actions) - len(arguments) <= BRIEF:
            return super()._format_usage(usage, actions, groups, prefix)
        line = super()._format_usage(None, arguments, [], prefix)
        return line.replace(self._prog, f"{self._prog} [options]", 1)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and whose options cannot be abbreviated (an abbreviation that works
    today would be ambiguous after the next option is added)."""

    def __init__(self, **options: Any):
        super().__init__(**{"allow_abbrev": False, "formatter_class": Formatter, **options})
        self.intermixed = False  # whether options may stand between the arguments of a list
        self._inside = False  # whether argparse is in the midst of that

    def section(self, title: str) -> argparse._ArgumentGroup:
        """The options of the help under a title, to which more can be added."""
        return next((group for group in self._action_groups if group.title == title), None) or self.add_argument_group(
            title
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but what is not known is an error here: argparse hands it up, and the parser of all commands
        would send its reader to the wrong help."""
        if not self.intermixed:
            found, unknown = super().parse_known_args(args, namespace)
        else:
            found, unknown = self._parse_intermixed(args, namespace)
        if unknown and not self._inside:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def _parse_intermixed(self, args: Any, namespace: Any) -> Any:
        """Argparse on its own takes a list of arguments for ended, even for empty, where an option stands."""
        self.intermixed, self._inside = False, True  # it comes back to `parse_known_args`
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed, self._inside = True, False

    def error(self, message: str) -> NoReturn:
        """Print the message and where to find help, and exit with status 2."""
        complain(self.prog, f"{message} (see {self.prog} --help)")
        sys.exit(2)


def complain(who: str, message: str) -> None:
    """One line on stderr, also where the message quotes something with line breaks. Where stderr takes none, the exit
    status still says that something was wrong."""
    with contextlib.suppress(OSError):
        print(f"{who}: error: {message}".replace("\r", "\\r").replace("\n", "\\n"), file=sys.stderr, flush=True)


def quoted(path: str | Path) -> str:
    """A path as a shell and a command take it: with its spaces and quotes, and not as an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def quoted_text(text: str) -> str:
    """A text as a shell and a command take it: on one line, and without what would make it an option."""
    return shlex.quote(" ".join(text.split()).lstrip("-"))


def check_output(file: str) -> None:
    """See that a file can be written, before the work whose result it shall hold.

    Raises:
        InputError: it is a directory, or there is no directory for it that can be written to.
    """
    folder = Path(file).parent
    if Path(file).is_dir():
        raise InputError(f"{file} is a directory: expected a file to write")
    if Path(file).exists() and not Path(file).is_file():
        return  # a device or a pipe, which no directory has to take
    if not folder.is_dir():
        raise InputError(f"{file}: there is no directory {folder} to write it to")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{file}: the directory {folder} cannot be written to")
