"""Tokens and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from minirnn.arguments import integer
from minirnn.errors import InputError

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"

SPECIALS = (PAD, BOS, EOS, UNKNOWN)
PAD_ID, BOS_ID, EOS_ID, UNKNOWN_ID = range(len(SPECIALS))
"""The first tokens, ids 0 to 3, of a vocabulary of sentences: padding, beginning, end, and any token not known."""


SHOWN = 8
"""Tokens of a vocabulary that are printed."""


class Vocabulary:
    """A one-to-one map between tokens and the ids 0 … size-1.

    Args:
        tokens: every token once, in the order of the ids.

    Raises:
        InputError: no tokens, or one that occurs twice.

        >>> vocabulary = Vocabulary.build("to be or not to be".split())
        >>> vocabulary.tokens
        ['<unk>', 'be', 'to', 'not', 'or']
        >>> vocabulary.encode(["be", "happy"]).tolist()
        [1, 0]
        >>> vocabulary.decode([2, 1])
        ['to', 'be']
    """

    def __init__(self, tokens: Sequence[str]):
        self.tokens = list(tokens)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        if not self.tokens:
            raise InputError("a vocabulary needs at least one token")
        if len(self.ids) != len(self.tokens):
            twice = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise InputError(f"the token {twice!r} is in the vocabulary twice")

    @classmethod
    def build(
        cls, tokens: Iterable[str] | Mapping[str, int], min_frequency: int = 1, specials: Sequence[str] = (UNKNOWN,)
    ) -> Vocabulary:
        """The vocabulary of a text.

        Args:
            tokens: the text; or for each of its tokens how often it comes.
            min_frequency: rarer tokens are left out, and so become `<unk>`.
            specials: tokens that come first, whatever their frequency.

        The rest are in order of falling frequency, ties in alphabetical order.
        """
        counts = Counter(tokens)
        min_frequency = integer("min_frequency", min_frequency)
        frequent = [token for token, n in counts.items() if n >= min_frequency and token not in specials]
        return cls([*specials, *sorted(frequent, key=lambda token: (-counts[token], token))])

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        more = ", …" if len(self) > SHOWN else ""
        return f"Vocabulary({len(self):,} tokens: {', '.join(map(repr, self.tokens[:SHOWN]))}{more})"

    def __contains__(self, token: str) -> bool:
        return token in self.ids

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """The ids of the tokens; `<unk>`'s for a token that is not known.

        Raises:
            InputError: a token is not known and there is no `<unk>`.
        """
        tokens, get, unknown = list(tokens), self.ids.get, self.ids.get(UNKNOWN)
        if unknown is None and (strangers := [token for token in tokens if token not in self.ids]):
            raise InputError(f"the token {strangers[0]!r} is not in the vocabulary, which has no {UNKNOWN}")
        return np.fromiter([get(token, unknown) for token in tokens], np.int64, len(tokens))

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of the ids.

        Raises:
            InputError: an id is out of range.
        """
        ids = list(ids)
        if wrong := [i for i in ids if not 0 <= i < len(self.tokens)]:
            raise InputError(f"id {wrong[0]} is out of range: expected 0 to {len(self.tokens) - 1}")
        return [self.tokens[i] for i in ids]
