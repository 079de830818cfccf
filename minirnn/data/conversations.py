"""Conversations of one's own, from a file: what people say to each other, in turns.

They come from anywhere, so whatever is wrong with a file is found here and said in one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minirnn.arguments import integer, shown
from minirnn.data import drawable
from minirnn.data.reading import read_text, split_lines, unify
from minirnn.errors import InputError

LEAST_TURNS, MOST_TURNS = 2, 10_000
"""Of a conversation."""
MOST_LETTERS = 100_000
"""Characters of a turn."""
MOST_LINE = 2**20
"""Characters of a line of JSON, which is a whole conversation: read, it can take thirty times the room."""
SUFFIXES = (".jsonl", ".jsonl.gz")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_JSON = re.compile(r'\s*\[\s*"')


def read_conversations(path: str | Path, most: int | None = None) -> list[list[str]]:
    r"""The conversations of a file, plain or gzipped, each a list of turns.

    **JSON lines**: every line is a list of strings, `["Hello!", "How are you?"]`. Blank lines are skipped. A file is
    read so if its name ends in .jsonl or .jsonl.gz, or if its first line that is not blank begins with `["`.

    **Plain text**: every other file. A line is a turn, and one or more blank lines are between two conversations.

    Line breaks in a turn, which JSON can write as `\n`, become spaces, and what stands around a turn is left out. What
    ends a line, and which encodings there are, `minirnn.data.reading` says.

    Args:
        path: of the file.
        most: take the first so many only; what follows is not looked at.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is no text, or a line is not like that; a conversation has fewer than 2 turns or more than
            10,000, a turn is blank or has more than 100,000 characters, or a line of JSON more than 2**20. Names the
            line.
    """
    most = None if most is None else integer("most", most)
    lines = split_lines(read_text(path))
    is_json = str(path).lower().endswith(SUFFIXES) or _JSON.match(next(line for line in lines if line.strip()))
    found = []
    for number, turns in (_json_lists if is_json else _paragraphs)(path, lines):
        if not LEAST_TURNS <= len(turns) <= MOST_TURNS:
            raise InputError(
                f"{path} line {number}: expected a conversation of {LEAST_TURNS} to {MOST_TURNS:,} turns, "
                f"found {len(turns):,}"
            )
        found.append(turns)
        if len(found) == most:
            break
    return found


def split(n: int, every: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of n conversations are to train with, to validate with and to test with: numbers, ascending, none twice;
    one of so many to test with, see `drawable.split`.

    Args:
        n: how many there are, at least 3.
        every: at least 2.

    Raises:
        InputError: a number is out of its range.
    """
    return drawable.split(integer("the number of conversations", n, 3), every)


def _json_lists(path: str | Path, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, as lists of turns, with their numbers."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        if len(line) > MOST_LINE:
            raise InputError(f"{where}: expected at most {MOST_LINE:,} characters, found {len(line):,}")
        try:
            turns = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: expected a JSON list: {error.msg} at character {error.pos + 1:,}") from error
        except (RecursionError, ValueError) as error:  # nested too deep, and a number of too many digits
            raise InputError(f"{where}: expected a JSON list of strings, found {shown(line)}") from error
        if not isinstance(turns, list):
            raise InputError(f"{where}: expected a JSON list of strings, found {shown(line)}")
        yield number, [_turn(turn, f"{where} turn {i}") for i, turn in enumerate(turns, 1)]


def _turn(turn: object, where: str) -> str:
    """A turn as it is written in JSON, in one line."""
    if not isinstance(turn, str):
        raise InputError(f"{where}: expected a string, found {type(turn).__name__}")
    if strange := _NO_TEXT.search(turn):
        raise InputError(f"{where}: expected text, found the character {strange[0]!a}")
    return _checked(unify(turn).replace("\n", " ").strip(), where)


def _checked(turn: str, where: str) -> str:
    if not 0 < len(turn) <= MOST_LETTERS:
        raise InputError(f"{where}: expected 1 to {MOST_LETTERS:,} characters, found {len(turn):,}")
    return turn


def _paragraphs(path: str | Path, lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines between blank ones, with the number of the first."""
    turns: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            turns.append(_checked(line.strip(), f"{path} line {number}"))
        elif turns:
            yield number - len(turns), turns
            turns = []
