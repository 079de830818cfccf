"""A trained model of dialogues together with its language: from what was said to an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirnn.arguments import integer, number
from minirnn.data import Codec
from minirnn.data.histories import Histories, histories
from minirnn.data.strangers import acquainted
from minirnn.data.vocabulary import BOS_ID, EOS_ID, UNKNOWN_ID
from minirnn.decoding import Hypothesis, beam_search, decode, greedy, power_penalty
from minirnn.decoding.sampling import Choose, Step
from minirnn.errors import InputError
from minirnn.models import EncoderDecoder
from minirnn.models.decoders import DecoderState
from minirnn.reranking import Reranker
from minirnn.training.sentences import NEVER, sentence_step

BATCH = 64
"""Histories that are answered together."""


@dataclass(frozen=True)
class Answer:
    """One answer to one history.

    Attributes:
        text: the answer.
        log_prob: its log-probability, in nats, `<eos>` included.
        tokens: what was written, with `<eos>` where it ended.
        turns: (len(tokens), turns of the history) how much each token looked at each turn; None without attention.
        words: for each turn its tokens and (len(tokens), tokens of the turn) how much each was looked at; None where
            the model looks at no words.
    """

    text: str
    log_prob: float
    tokens: list[str]
    turns: np.ndarray | None
    words: list[tuple[list[str], np.ndarray]] | None


class Partner:
    """Answers.

    Args:
        model: a trained model, in evaluation mode, whose encoder reads histories.
        codec: of the turns.
        turns: how many turns of a history it looks back on.
        max_length: the most tokens of an answer, `<eos>` included.
        cut: longer turns are cut to so many tokens when they are read; None: they are not.
        placeholders: with how many of them the codec ends, see `minirnn.data.strangers`.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        codec: Codec,
        turns: int,
        max_length: int = 50,
        cut: int | None = None,
        placeholders: int = 0,
    ):
        self.model, self.codec, self.cut, self.placeholders = model, codec, cut, placeholders
        self.turns, self.max_length = integer("turns", turns), integer("max_length", max_length)

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Partner({self.codec!r}, {self.turns} turns, by {model})"

    def answer(
        self,
        said: Sequence[Sequence[str]],
        *,
        beam_size: int = 1,
        choose: Choose = greedy,
        anti_lm: float = 0.0,
        anti_steps: int = 5,
        allow_unknown: bool = True,
        reranker: Reranker | None = None,
    ) -> list[Answer]:
        """Answer.

        Args:
            said: of each conversation the turns so far, at least one; of a longer one the latest count.
            beam_size: how many beginnings to keep; 1 takes token by token what `choose` chooses.
            choose: `greedy`, or what `sampler` returns.
            anti_lm: λ: what is written maximises log p(answer | history) - λ log p(answer), where the second is that
                of the same model with an empty history: against answers that fit everything (Li et al. 2016).
            anti_steps: the first tokens, to which that applies; of all it would make no sentences.
            allow_unknown: whether `<unk>` may be written.
            reranker: chooses among what a beam has found.

        Raises:
            InputError: a conversation has no turn yet, an argument is out of its range, the model gives no
                probabilities, or there is nothing to choose among.
        """
        beam_size, anti_lm = integer("beam_size", beam_size), number("anti_lm", anti_lm, least=0)
        if beam_size > 1 and choose is not greedy:
            raise InputError("a beam chooses by itself: leave out sampling, or take a beam of 1")
        if reranker is not None and beam_size == 1:
            raise InputError("a reranker chooses among answers: take a beam of more than 1")
        forbidden = NEVER if allow_unknown else (*NEVER, UNKNOWN_ID)
        found: list[Answer] = []
        for first in range(0, len(said), BATCH):
            some = said[first : first + BATCH]
            codecs = [self.codec_of(conversation) for conversation in some]
            source = self.source(some, codecs)
            count = len(source.lengths)
            state: Any = self.model.start(source, None)
            step, attention = sentence_step(self.model, forbidden), self.attention
            if self.placeholders:
                step = _without(step, [self._untaken(codec) for codec in codecs])
            if anti_lm:
                nothing = self.model.start(histories([np.array([EOS_ID])], [[0]] * count), None)
                step, state = _anti_lm(step, anti_lm, integer("anti_steps", anti_steps)), _Both(state, nothing, 0)
                attention = None if attention is None else lambda both: EncoderDecoder.attention(both.true)
            limits: dict[str, Any] = {"eos": EOS_ID, "max_length": self.max_length, "attention": attention}
            start = np.full(count, BOS_ID)
            if beam_size == 1:
                found_of_each = [[one] for one in decode(step, state, start, choose=choose, **limits)]
            else:
                limits |= {"length_penalty": power_penalty(0.6), "n_best": beam_size if reranker else 1}
                found_of_each = beam_search(step, state, start, beam_size=beam_size, **limits)
            for m, hypotheses in enumerate(found_of_each):
                best = 0
                if reranker is not None:
                    answers = [(codecs[m].decode(one.tokens), one.log_prob) for one in hypotheses]
                    best = reranker.best(some[m][-1], answers)
                found.append(self._answer(hypotheses[best], source, m, codecs[m]))
        return found

    def codec_of(self, conversation: Sequence[str]) -> Codec:
        """The codec of a conversation, which knows its unknown words where there are placeholders for them."""
        if not self.placeholders:
            return self.codec
        return acquainted(self.codec, self.placeholders, conversation[-self.turns :], self.cut)

    def _untaken(self, codec: Codec) -> np.ndarray:
        """The ids of the placeholders that stand for nothing in a conversation."""
        tokens, first = self.codec.vocabulary.tokens, len(self.codec.vocabulary) - self.placeholders
        return np.array([i for i in range(first, len(tokens)) if codec.vocabulary.tokens[i] == tokens[i]], dtype=int)

    def source(self, said: Sequence[Sequence[str]], codecs: Sequence[Codec]) -> Histories:
        """What the encoder reads of conversations, each with its codec.

        Raises:
            InputError: one has no turn yet.
        """
        turns, of_each = list[np.ndarray](), list[range]()
        for conversation, codec in zip(said, codecs, strict=True):
            latest = conversation[-self.turns :]
            of_each.append(range(len(turns), len(turns) + len(latest)))
            turns += [codec.encode(text, self.cut) for text in latest]
        return histories(turns, of_each)

    @property
    def attention(self) -> Any:
        """From a state to where the model looked, or None if it does not attend."""
        return self.model.attention if self.model.decoder.attends else None

    def _answer(self, one: Hypothesis, source: Histories, m: int, codec: Codec) -> Answer:
        written = [*one.tokens, *([EOS_ID] if one.finished else [])]
        turns, words = None, None
        if one.attention is not None:
            weights = one.attention[:, : source.num_words[m]]
            place, S = source.place_at[: source.num_words[m], m], source.lengths[m]
            turns = np.stack([weights[:, place == s].sum(axis=1) for s in range(S)], axis=1)
            ids = source.words[source.word_at[:, m], source.turn_at[:, m]][: source.num_words[m]]
            words = [(codec.vocabulary.decode(ids[place == s].tolist()), weights[:, place == s]) for s in range(S)]
        text = codec.decode(one.tokens)
        return Answer(text, one.log_prob, codec.vocabulary.decode(written), turns, words)


def _without(step: Step, forbidden: Sequence[np.ndarray]) -> Step:
    """A step that never writes some ids, which are others for each sentence."""

    def without(tokens: np.ndarray, state: DecoderState) -> tuple[np.ndarray, DecoderState]:
        log_probs, state = step(tokens, state)
        assert state.memory is not None
        for row, sentence in enumerate(state.memory.sentence):
            log_probs[row, forbidden[sentence]] = -np.inf
        return log_probs, state

    return without


@dataclass
class _Both:
    """Where a model is with a history and without, after so many steps."""

    true: DecoderState
    nothing: DecoderState
    steps: int

    def select(self, rows: np.ndarray) -> _Both:
        """The state of the given rows of the batch."""
        return _Both(self.true.select(rows), self.nothing.select(rows), self.steps)


def _anti_lm(step: Step, weight: float, steps: int) -> Step:
    """A step whose probabilities are in proportion to p(token | history) / p(token)^weight, for the first steps."""

    def both(tokens: np.ndarray, state: _Both) -> tuple[np.ndarray, _Both]:
        log_probs, true = step(tokens, state.true)
        without, nothing = step(tokens, state.nothing)
        if state.steps < steps:
            possible = np.isfinite(log_probs)
            log_probs[possible] -= weight * without[possible]
            log_probs -= np.logaddexp.reduce(log_probs, axis=-1, keepdims=True)
        return log_probs, _Both(true, nothing, state.steps + 1)

    return both
