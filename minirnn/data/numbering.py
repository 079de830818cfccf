"""The tokens of a long text as numbers, piece by piece, each cut once.

A number says when a token first came, more or less: only when all of the text is known is there a vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from minirnn.data.text import tokenize
from minirnn.data.words import LONGEST, compose, cut

MOST = 1 << 18
"""How many different pieces of text between white space are remembered."""
_BREAK = "\0"
"""Stands for a line break among what is between white space. No text has it: see `minirnn.data.reading`."""


class CharacterNumbers:
    """Numbers of characters: a character is looked up by its code point, all those of a piece at once."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self._numbers = np.full(0x110000, -1, np.int32)

    def whole(self, pieces: Iterable[str]) -> Iterable[str]:
        """The pieces, cut anew where no token can lie on both sides."""
        return pieces

    def number(self, piece: str) -> np.ndarray:
        """The numbers of the tokens of a piece: (tokens,) int32."""
        if piece.isascii():
            codes = np.frombuffer(piece.encode("ascii"), np.uint8)
        else:
            codes = np.frombuffer(piece.encode("utf-32-le"), np.dtype("<u4"))
        numbers = self._numbers[codes]
        if len(unknown := np.unique(codes[numbers < 0])):
            self._numbers[unknown] = np.arange(len(self.tokens), len(self.tokens) + len(unknown))
            self.tokens += map(chr, unknown)
            numbers = self._numbers[codes]
        return numbers


class _Numbers(dict[str, int]):
    """The number of each token, a new one for a new token."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


class SpacedNumbers:
    """Numbers of tokens without white space in them: of "space", or of "word" by the rules of a version."""

    def __init__(self, tokens: str, rules: int):
        self._kind, self._rules = tokens, rules
        self._numbers = _Numbers()

    @property
    def tokens(self) -> list[str]:
        """The different tokens, in the order of their numbers."""
        return list(self._numbers)

    def whole(self, pieces: Iterable[str]) -> Iterator[str]:
        """The pieces, cut anew after white space, which no token and no composed letter has in it. What has none is one
        piece, however long it is."""
        rest = ""
        for piece in pieces:
            text = rest + piece
            rest = "" if text[-1:].isspace() else text.rsplit(None, 1)[-1] if text else ""
            if len(rest) < len(text):
                yield text[: len(text) - len(rest)]
        if rest:
            yield rest

    def number(self, piece: str) -> np.ndarray:
        """The numbers of the tokens of a piece: (tokens,) int32."""
        return np.fromiter(map(self._numbers.__getitem__, tokenize(piece, self._kind, self._rules)), np.int32)


class WordNumbers(SpacedNumbers):
    """Numbers of words. What stands between white space comes again and again, and so do the numbers of its words:
    they are remembered together."""

    def __init__(self, rules: int):
        super().__init__("word", rules)
        self._chunks = _Chunks(self._numbers)

    def number(self, piece: str) -> np.ndarray:
        """The numbers of the tokens of a piece: (tokens,) int32."""
        if self._rules == 1 or _BREAK in piece:
            return super().number(piece)
        chunks = compose(piece).replace("\n", f" {_BREAK} ").split()
        return np.fromiter(chain.from_iterable(map(self._chunks.__getitem__, chunks)), np.int32)


class _Chunks(dict[str, tuple[int, ...]]):
    """The numbers of the words of what stands between white space."""

    def __init__(self, numbers: _Numbers):
        self._numbers = numbers

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        words = ("\n",) if chunk == _BREAK else cut(chunk)
        numbers = tuple(map(self._numbers.__getitem__, words))
        if len(chunk) <= LONGEST and len(self) < MOST:
            self[chunk] = numbers
        return numbers


def numbering(tokens: str, rules: int) -> CharacterNumbers | SpacedNumbers:
    """What numbers the tokens that `tokenize` cuts, with the same arguments and errors."""
    if tokens == "char":
        return CharacterNumbers()
    tokenize("", tokens, rules)  # which refuses what it does not know
    return WordNumbers(rules) if tokens == "word" else SpacedNumbers(tokens, rules)
