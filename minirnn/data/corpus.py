"""One long text as numbers, which need not fit the memory, and of which no more than a piece is ever text."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from minirnn.data.numbering import numbering
from minirnn.data.vocabulary import Vocabulary
from minirnn.data.words import RULES

IN_MEMORY = 2**24
"""Bytes of numbers that are kept in memory; more go to a file."""


class Corpus:
    """The tokens of a text, and what tells it from others.

    Args:
        pieces: of the text, in their order, simplified.
        tokens, rules: as for `tokenize`.
        most: tokens that are counted and kept; None for all. The text is read to its end nevertheless.

    Raises:
        InputError: `tokens` is unknown, or as the pieces.

    Attributes:
        sha256: of all the text.
        counts: how often each token comes that comes at all.
    """

    def __init__(self, pieces: Iterable[str], tokens: str, rules: int = RULES, most: int | None = None):
        self._numbering = numbering(tokens, rules)
        self._parts: list[np.ndarray] = []
        self._text, self._length, self._most = hashlib.sha256(), 0, most
        self._file, counts = Scratch(), np.zeros(0, np.int64)
        self._widths: list[tuple[np.dtype, int]] = []
        pieces = self._digested(pieces)
        for piece in self._numbering.whole(pieces):
            numbers = self._numbering.number(piece)[: None if most is None else most - self._length]
            counts = _added(counts, np.bincount(numbers))
            narrow = numbers.astype(smallest_type(len(counts)))
            self._widths.append((narrow.dtype, len(narrow)))
            self._file.write(narrow)
            self._length += len(numbers)
            if self._length == most:
                break
        for _ in pieces:  # the rest tells it from others too
            pass
        self._tokens = self._numbering.tokens
        self.sha256 = self._text.hexdigest()
        self.counts = {token: n for token, n in zip(self._tokens, counts.tolist(), strict=False) if n}

    def _digested(self, pieces: Iterable[str]) -> Iterator[str]:
        for piece in pieces:
            self._text.update(piece.encode())
            yield piece

    def __len__(self) -> int:
        return self._length

    def _numbers(self) -> Iterator[np.ndarray]:
        """All of the numbers, piece by piece."""
        self._file.rewind()
        for dtype, count in self._widths:
            yield self._file.read(dtype, count)

    def tokens(self, start: int, stop: int) -> list[str]:
        """The tokens `start` to `stop`, as text."""
        found, begun = list[str](), 0
        for numbers in self._numbers():
            part = numbers[max(start - begun, 0) : max(stop - begun, 0)]
            found += [self._tokens[i] for i in part.tolist()]
            begun += len(numbers)
            if begun >= stop:
                break
        return found

    def encode(self, vocabulary: Vocabulary) -> Stored:
        """The ids of all tokens, as `Vocabulary.encode` has them, in the smallest type that holds the vocabulary."""
        ids, file, sha256 = vocabulary.encode(self._tokens), Scratch(), hashlib.sha256()
        table = ids.astype(smallest_type(len(vocabulary)))
        for numbers in self._numbers():
            part = table[numbers]
            sha256.update(part.data)
            file.write(part)
        return Stored(file, table.dtype, len(self), sha256.hexdigest())


class Scratch:
    """A file of numbers that nobody else sees, and of which nothing is left when the process ends, however it does: in
    memory as long as it is small, else in the working directory, where runs are, or where temporary files go."""

    def __init__(self) -> None:
        self._file: BinaryIO = io.BytesIO()

    def write(self, numbers: np.ndarray) -> None:
        """Add some numbers."""
        self._file.write(numbers.data)
        if isinstance(self._file, io.BytesIO) and self._file.tell() > IN_MEMORY:
            file = _temporary_file()
            file.write(self._file.getbuffer())
            self._file = file

    @property
    def in_memory(self) -> bool:
        """Whether there is no file on the disk."""
        return isinstance(self._file, io.BytesIO)

    def rewind(self) -> None:
        """Read from the beginning."""
        self._file.seek(0)

    def read(self, dtype: np.dtype, count: int) -> np.ndarray:
        """The next numbers, fewer at the end."""
        return np.frombuffer(self._file.read(count * dtype.itemsize), dtype)

    def array(self, dtype: np.dtype, count: int) -> np.ndarray:
        """All of the numbers: (count,), read from the file as they are used."""
        if isinstance(self._file, io.BytesIO):
            return np.frombuffer(self._file.getvalue(), dtype)
        self._file.flush()
        return np.asarray(np.memmap(self._file, dtype, "r", shape=(count,)))


@dataclass(frozen=True)
class Stored:
    """The ids of a text.

    Attributes:
        file: holds them.
        dtype, count: their type, and how many they are.
        sha256: of the ids.
    """

    file: Scratch
    dtype: np.dtype
    count: int
    sha256: str

    @property
    def ids(self) -> np.ndarray:
        """(tokens,) unsigned integers, which may not be written to."""
        return self.file.array(self.dtype, self.count)


def smallest_type(size: int) -> np.dtype:
    """The smallest unsigned integers that hold the ids of so many tokens."""
    return np.min_scalar_type(max(size - 1, 0))


def _added(counts: np.ndarray, more: np.ndarray) -> np.ndarray:
    """The sum of two rows of counts, of which one may be shorter."""
    if len(counts) < len(more):
        counts, more = more, counts
    counts = counts.copy()
    counts[: len(more)] += more
    return counts


def _temporary_file() -> BinaryIO:
    try:
        return tempfile.TemporaryFile(dir=os.curdir)
    except OSError:  # somebody else's directory, or one that is for reading only
        return tempfile.TemporaryFile()
