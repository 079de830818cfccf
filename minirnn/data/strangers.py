"""Words that no vocabulary has, and how they can be spoken of all the same.

Known words have ids. All others would be `<unk>`: not to be told apart, and not to be said. But a conversation has only
a few of them, so a vocabulary keeps *placeholders* for them at its end, and in every conversation each stranger takes
one (after Hermann et al. 2015, who let names be "entity 1", "entity 2"). What stands for it is then known from the
conversation alone, and a model that can point at it can say it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from minirnn.arguments import integer, number
from minirnn.data.codec import Codec
from minirnn.data.vocabulary import SPECIALS, Vocabulary


def with_placeholders(codec: Codec, count: int) -> Codec:
    """The codec with so many placeholders at the end of its vocabulary."""
    return _with_last(codec, len(codec.vocabulary), [f"<word:{k + 1}>" for k in range(count)])


def acquainted(codec: Codec, count: int, turns: Sequence[str], max_length: int | None = None) -> Codec:
    """The codec of one conversation: its strangers stand where placeholders stood, and can be read and written.

    Args:
        codec: ends with placeholders.
        count: how many.
        turns: of the conversation; with more strangers than placeholders the latest turns' come first.
        max_length: turns are cut to so many tokens, `<eos>` included.
    """
    first = len(codec.vocabulary) - count
    kept = _strangers(codec, reversed(turns), max_length)[:count]
    return _with_last(codec, first, kept + codec.vocabulary.tokens[first + len(kept) :]) if kept else codec


def encode_conversation(
    codec: Codec, count: int, turns: Sequence[str], max_length: int | None = None
) -> list[np.ndarray]:
    """The ids of turns. The strangers of the conversation, however many there are, go on from where the placeholders
    begin, in the order in which they come: `Strangers.settle` makes placeholders of them. Without placeholders they are
    `<unk>`."""
    found = _strangers(codec, turns, max_length)
    all_known = _with_last(codec, len(codec.vocabulary) - count, found) if found and count else codec
    return [all_known.encode(turn, max_length) for turn in turns]


def _strangers(codec: Codec, turns: Iterable[str], max_length: int | None) -> list[str]:
    """The tokens of turns, as far as they are read, that are not in the vocabulary."""
    most = None if max_length is None else max_length - 1
    tokens = dict.fromkeys(token for turn in turns for token in codec.cut(turn)[:most])
    return [token for token in tokens if token not in codec.vocabulary]


def _with_last(codec: Codec, first: int, last: list[str]) -> Codec:
    vocabulary = Vocabulary(codec.vocabulary.tokens[:first] + last)
    return Codec(codec.tokens, codec.clean, vocabulary, codec.subwords, codec.spacing, codec.rules)


class Strangers:
    """What strangers are to a model.

    Args:
        first: the id of the first placeholder; what `encode_conversation` numbers from there on are strangers.
        count: how many placeholders there are. In a conversation with more strangers each is taken again, in turn: by
            then the one who had it has long been spoken of.
        hidden: while learning, the probability of a known word to be a stranger in a conversation: where all words are
            known, nothing would be learned of strangers. It is rare words that are unknown, so that these are of the
            second half of the vocabulary, which is sorted by frequency.

    Raises:
        InputError: a number is out of its range.
    """

    def __init__(self, first: int, count: int, hidden: float = 0.0):
        self.first, self.count = integer("first", first), integer("count", count)
        self.hidden = number("hidden", hidden, least=0, below=1)

    def settle(self, ids: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Which id each id of a conversation becomes: (of all ids,).

        Args:
            ids: (any number,), those that are said, in their order.
            rng: if given, known words are hidden, behind placeholders that no stranger has, and which placeholder is
                whose is drawn.
        """
        becomes = np.arange(max(self.first + self.count, int(ids.max(initial=0)) + 1))
        places = np.arange(self.count) if rng is None else rng.permutation(self.count)
        becomes[self.first :] = self.first + places[(becomes[self.first :] - self.first) % self.count]
        if rng is not None:
            told = np.array(list(dict.fromkeys(ids.tolist())), dtype=int)
            rare = told[(told >= max(len(SPECIALS), self.first // 2)) & (told < self.first)]
            hidden = rare[rng.random(len(rare)) < self.hidden]
            free = np.setdiff1d(self.first + np.arange(self.count), becomes[told[told >= self.first]])
            for word, place in zip(hidden, rng.permutation(free), strict=False):
                becomes[word] = place
        return becomes
