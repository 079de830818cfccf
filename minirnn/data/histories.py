"""What a dialogue's model reads: to every answer the turns before it, each turn of a batch once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer
from minirnn.data.sequences import columns, length_batches, pad
from minirnn.data.strangers import Strangers
from minirnn.data.vocabulary import EOS_ID, PAD_ID, UNKNOWN_ID
from minirnn.errors import InputError


class Histories(NamedTuple):
    """What M answers look back on.

    The turns are laid down once, and an answer's history is made of their numbers, so that a turn to which several
    answers look back is read once. Beside that stand all words of each history in one line, for models that read or
    look at words: of every word its number in its turn, the turn, and the turn's place in the history.

    Attributes:
        words: (T, N), the turns as ids, padded; each ends with `<eos>`.
        word_lengths: (N,) of how many words they are.
        turns: (S, M) the numbers of the turns in each history, from the oldest to the latest, padded with 0.
        lengths: (M,) of how many turns each is, at least 1.
        word_at, turn_at, place_at: (L, M) of each word of a history, padded with 0.
        num_words: (M,) how many words each has.
    """

    words: np.ndarray
    word_lengths: np.ndarray
    turns: np.ndarray
    lengths: np.ndarray
    word_at: np.ndarray
    turn_at: np.ndarray
    place_at: np.ndarray
    num_words: np.ndarray

    @property
    def own(self) -> np.ndarray:
        """(S, M): 1 where the one who is to answer has spoken, and 0 where the other has. (They take turns.)"""
        places = np.arange(len(self.turns))[:, None]
        return (self.lengths - places) % 2 == 0

    def part(self, at: slice) -> Histories:
        """Those of some of the answers, with the turns to which these look back, and no others."""
        turns, lengths = columns(self.turns, self.lengths, at)
        real = np.arange(len(turns))[:, None] < lengths
        used = np.unique(turns[real])
        words, word_lengths = self.words[:, used], self.word_lengths[used]
        word_at, num_words = columns(self.word_at, self.num_words, at)
        turn_at, place_at = (columns(one, self.num_words, at)[0] for one in (self.turn_at, self.place_at))
        real_words = np.arange(len(word_at))[:, None] < num_words
        return Histories(
            words[: word_lengths.max()],
            word_lengths,
            np.where(real, np.searchsorted(used, turns), 0),
            lengths,
            word_at,
            np.where(real_words, np.searchsorted(used, turn_at), 0),
            place_at,
            num_words,
        )


def histories(turns: Sequence[np.ndarray], of_each: Sequence[Sequence[int]]) -> Histories:
    """The histories of some answers.

    Args:
        turns: the ids of each turn.
        of_each: for each answer the numbers of its turns, from the oldest to the latest.

    Raises:
        InputError: a history, or a turn, is empty.
    """
    if not len(of_each) or not all(len(one) for one in of_each) or not all(len(turn) for turn in turns):
        raise InputError("a history needs a turn at least, and a turn a word")
    words, word_lengths = pad(turns, PAD_ID)
    numbers, lengths = pad([np.asarray(one) for one in of_each], 0)
    lines = []
    for one in of_each:
        sizes = word_lengths[list(one)]
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        lines.append(
            np.stack([np.arange(sizes.sum()) - starts, np.repeat(one, sizes), np.repeat(np.arange(len(one)), sizes)])
        )
    word_at, turn_at, place_at = (pad([line[k] for line in lines], 0)[0] for k in range(3))
    num_words = np.array([line.shape[1] for line in lines])
    return Histories(words, word_lengths, numbers, lengths, word_at, turn_at, place_at, num_words)


class AnswerBatch(NamedTuple):
    """Histories, and the answers (T, M) to them with their lengths (M,)."""

    histories: Histories
    Y: np.ndarray
    Y_lengths: np.ndarray


class Talk:
    """Conversations, and which of their turns are answers.

    Args:
        conversations: of each the turns as ids that end with `<eos>`.
        answers: (conversation, turn) of each answer; None: every turn but the first of each.
        most_turns: how far back an answer looks.
        strangers: what ids are that the vocabulary does not have; None: there are none.

    Raises:
        InputError: an answer is the first turn of its conversation, or a number is out of its range.
    """

    def __init__(
        self,
        conversations: Sequence[Sequence[np.ndarray]],
        answers: Sequence[tuple[int, int]] | None = None,
        most_turns: int = 10,
        strangers: Strangers | None = None,
    ):
        self.conversations, self.most_turns = conversations, integer("most_turns", most_turns)
        self.strangers = strangers
        every = [(c, i) for c, turns in enumerate(conversations) for i in range(1, len(turns))]
        self.answers = every if answers is None else list(answers)
        for c, i in self.answers:
            if not 1 <= i < len(conversations[c]):
                raise InputError(f"turn {i} of conversation {c} is no answer: it has nothing before it, or is none")

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self.answers)

    def batch(self, at: Sequence[int], history: str = "true", rng: np.random.Generator | None = None) -> AnswerBatch:
        """Some answers.

        Args:
            at: their numbers.
            history: what they look back on: "true"; "shuffled", the history of another answer, as long as there is
                another conversation; or "empty", a turn without a word.
            rng: if given, it draws which words are strangers.
        """
        asked = [self.answers[i] for i in at]
        seen = asked if history != "shuffled" else [self.answers[self._elsewhere(i)] for i in at]
        number: dict[tuple[int, int], int] = {}
        of_each = []
        for c, i in seen:
            places = [(-1, 0)] if history == "empty" else [(c, j) for j in range(max(0, i - self.most_turns), i)]
            of_each.append([number.setdefault(place, len(number)) for place in places])
        turns = [np.array([EOS_ID]) if c < 0 else self.conversations[c][j] for c, j in number]
        Y = [self.conversations[c][i] for c, i in asked]
        if self.strangers is not None:
            turns, Y = self._settle(self.strangers, list(number), turns, of_each, asked, Y, rng)
        return AnswerBatch(histories(turns, of_each), *pad(Y, PAD_ID))

    @staticmethod
    def _settle(
        strangers: Strangers,
        places: list[tuple[int, int]],
        turns: list[np.ndarray],
        of_each: list[list[int]],
        asked: list[tuple[int, int]],
        Y: list[np.ndarray],
        rng: np.random.Generator | None,
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Turns and answers with placeholders for strangers, the same in all of a conversation. An answer can only name
        those that its own history has named."""
        of_conversation: dict[int, list[np.ndarray]] = {}
        for (c, _), turn in zip(places, turns, strict=True):
            of_conversation.setdefault(c, []).append(turn)
        becomes = {c: strangers.settle(np.concatenate(of_c), rng) for c, of_c in of_conversation.items()}
        answers = []
        for (c, _), y, heard in zip(asked, Y, of_each, strict=True):
            told = np.concatenate([turns[k] for k in heard if places[k][0] == c] or [y[:0]])
            known = np.where(y < strangers.first, y, UNKNOWN_ID)
            named = np.isin(y, told)
            answers.append(np.where(named, becomes[c][np.where(named, y, EOS_ID)], known) if named.any() else known)
        return [becomes[c][turn] for (c, _), turn in zip(places, turns, strict=True)], answers

    def _elsewhere(self, i: int) -> int:
        """An answer of another conversation: the first one from half of all answers further on; else that one."""
        half = i + len(self) // 2
        others = (j % len(self) for j in range(half, half + len(self)))
        return next((j for j in others if self.answers[j][0] != self.answers[i][0]), half % len(self))

    def batches(self, size: int, rng: np.random.Generator, together: bool = True) -> Iterator[AnswerBatch]:
        """All answers once, in an order that `rng` draws.

        Args:
            size: answers in a batch.
            together: whether the answers of a conversation stay together, so that they share its turns; else those with
                about as many words before them are put together, so that little is padding.
        """
        if not together:
            for at in length_batches(self._sizes(), size, rng):
                yield self.batch(at.tolist(), rng=rng)
            return
        by_conversation: dict[int, list[int]] = {}
        for i, (c, _) in enumerate(self.answers):
            by_conversation.setdefault(c, []).append(i)
        groups = list(by_conversation.values())
        line = [i for at in rng.permutation(len(groups)) for i in groups[at]]
        for first in range(0, len(line), size):
            yield self.batch(line[first : first + size], rng=rng)

    def _sizes(self) -> np.ndarray:
        """(N, 2): of each answer the words before it, and its own."""
        ends = [np.cumsum([0, *map(len, turns)]) for turns in self.conversations]
        before = [ends[c][i] - ends[c][max(0, i - self.most_turns)] for c, i in self.answers]
        return np.stack([before, [len(self.conversations[c][i]) for c, i in self.answers]], axis=1)
