"""Parallel text: sentences and their translations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from minirnn.data.reading import read_text, split_lines
from minirnn.errors import InputError

_SPACES = "\u00a0\u2009\u202f"


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


class Pairs(list[Pair]):
    """The pairs of a corpus. `dropped` counts those left out because one side was empty."""

    def __init__(self, pairs: Iterable[Pair] = (), dropped: int = 0):
        super().__init__(pairs)
        self.dropped = dropped


def read_pairs(path: str | Path, max_pairs: int | None = None) -> Pairs:
    """The pairs of one tab-separated file: source, tab, target, and perhaps more columns, which are ignored.

    What ends a line, and what is white space inside one, `minirnn.data.reading` says. Blank lines are skipped, and
    no-break spaces become plain ones.

    Args:
        path: a text file, plain or gzipped.
        max_pairs: take the first so many only.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it cannot be read as text, a line has no tab, or no pair is left.
    """
    fields = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) < 2:
            raise InputError(f"{path} line {number}: expected 2 tab-separated fields, found 1")
        fields.append((columns[0], columns[1]))
    return _pairs(fields, max_pairs, str(path))


def read_aligned(source_path: str | Path, target_path: str | Path, max_pairs: int | None = None) -> Pairs:
    """The pairs of two files, where line i of one is the translation of line i of the other.

    Args and raises: as `read_pairs`; InputError also if the files differ in their number of lines.
    """
    sources, targets = _lines(source_path), _lines(target_path)
    if len(sources) != len(targets):
        raise InputError(
            f"{source_path} has {len(sources)} lines and {target_path} has {len(targets)}: "
            "expected as many, each the translation of the same line of the other"
        )
    return _pairs(zip(sources, targets, strict=True), max_pairs, f"{source_path} and {target_path}")


def plain_spaces(text: str) -> str:
    """The text with plain spaces for no-break and thin ones, which French puts before ! ? ; : and », and others leave
    out: to a model that tells characters apart they would be three more."""
    for space in _SPACES:
        text = text.replace(space, " ")
    return text


def _lines(path: str | Path) -> list[str]:
    return split_lines(plain_spaces(read_text(path)))


def _pairs(fields: Iterable[tuple[str, str]], max_pairs: int | None, where: str) -> Pairs:
    if max_pairs is not None and max_pairs < 1:
        raise InputError(f"max_pairs must be at least 1, found {max_pairs}")
    pairs = Pairs()
    for source, target in fields:
        pair = Pair(source.strip(), target.strip())
        if not (pair.source and pair.target):
            pairs.dropped += 1
            continue
        pairs.append(pair)
        if len(pairs) == max_pairs:
            break
    if not pairs:
        raise InputError(f"{where}: expected pairs of sentences, found none with two sides")
    return pairs
