"""A trained model together with its two languages: from sentences to sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minirnn.data import Codec
from minirnn.data.sequences import length_batches, pad
from minirnn.data.vocabulary import EOS
from minirnn.decoding import Hypothesis, beam_search, decode, exact_search, greedy, power_penalty
from minirnn.decoding.hypotheses import LengthPenalty
from minirnn.decoding.sampling import Choose
from minirnn.errors import InputError
from minirnn.models import EncoderDecoder
from minirnn.models.decoders import DecoderState
from minirnn.training.translation import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID, length_limit

BATCH = 64
"""Sentences that are translated together."""

MOST_TOKENS = 500
"""A longer source is cut: no model remembers so much, and one endless line must not stop the others."""

MOST_CHARACTERS = 100_000
"""Nor is more of it cut into tokens, which for subwords takes sixty times the memory of the text."""


@dataclass(frozen=True)
class Translated:
    """One translation of one sentence.

    Attributes:
        text: the translation.
        score: its log-probability under the search's penalties.
        log_prob: its log-probability, in nats, `<eos>` included.
        source, target: the tokens that were read and written, each with `<eos>` where it ended.
        attention: (len(target), len(source)), where each written token looked; None without attention.
        proven: whether exact search has shown that nothing is more probable; None for other searches.
        words: the translation as the words that BLEU compares.
    """

    text: str
    score: float
    log_prob: float
    source: list[str]
    target: list[str]
    attention: np.ndarray | None
    words: list[str]
    proven: bool | None = None


class Translator:
    """Translates sentences.

    Args:
        model: a trained model, in evaluation mode.
        source, target: the codecs of its languages.
    """

    def __init__(self, model: EncoderDecoder, source: Codec, target: Codec):
        self.model, self.source, self.target = model, source, target

    def translate(
        self,
        sentences: Sequence[str],
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: LengthPenalty = power_penalty(0.0),
        coverage_penalty: float = 0.0,
        choose: Choose | None = None,
        exact: bool = False,
        max_steps: int = 20_000,
        allow_unknown: bool = True,
    ) -> list[list[Translated]]:
        """Translate.

        Args:
            sentences: the sources.
            beam_size: how many beginnings to keep; 1 is greedy search.
            n_best: how many translations of each sentence to return, at most `beam_size`.
            length_penalty, coverage_penalty: as for `beam_search`.
            choose: draw instead of searching: what `sampler` returns.
            exact: find the best of all translations, by branch and bound; `max_steps` limits the work on each sentence.
            allow_unknown: whether `<unk>` may be written.

        Returns:
            For each sentence its translations, best first. An empty sentence has the empty translation; of a very long
            one only the first 499 tokens are read, and only the first 100,000 characters.

        Raises:
            InputError: an argument is out of range, or the model gives no probabilities.
        """
        if coverage_penalty and self.attention is None:
            raise InputError("a coverage penalty needs a model with attention")
        ids = [self.source.encode(sentence[:MOST_CHARACTERS], MOST_TOKENS) for sentence in sentences]
        result: list[list[Translated]] = [[] for _ in ids]
        if not ids:
            return result
        for i, sentence in enumerate(ids):
            if len(sentence) == 1:
                result[i] = [Translated("", 0.0, 0.0, [EOS], [EOS], None, [], True if exact else None)]
        full = np.flatnonzero([len(sentence) > 1 for sentence in ids])
        if not len(full):
            return result
        for part in length_batches([len(ids[i]) for i in full], 1 if exact else BATCH):
            at = full[part]
            X, lengths = pad([ids[i] for i in at], PAD_ID)
            state, start = self.model.start(X, lengths), np.full(len(at), BOS_ID)
            step = self._step(allow_unknown)
            limits: dict[str, Any] = {"eos": EOS_ID, "max_length": length_limit(lengths)}
            proven: list[bool | None] = [None] * len(at)
            if exact:
                found = exact_search(step, state, start, **limits, length_penalty=length_penalty, max_steps=max_steps)
                hypotheses, proven = [[one.hypothesis] for one in found], [one.proven for one in found]
            elif choose is not None or (beam_size == n_best == 1 and not coverage_penalty):
                found_one = decode(step, state, start, **limits, choose=choose or greedy, attention=self.attention)
                hypotheses = [[_scored(one, length_penalty)] for one in found_one]
            else:
                hypotheses = beam_search(
                    step,
                    state,
                    start,
                    **limits,
                    beam_size=beam_size,
                    n_best=n_best,
                    length_penalty=length_penalty,
                    coverage_penalty=coverage_penalty,
                    attention=self.attention,
                    source_lengths=lengths,
                )
            for i, best, is_proven in zip(at, hypotheses, proven, strict=True):
                result[i] = [self._translated(ids[i], one, is_proven) for one in best]
        return result

    @property
    def attention(self) -> Any:
        """From a state to where the model looked, or None if it does not attend."""
        return self.model.attention if hasattr(self.model.decoder, "attention") else None

    def _step(self, allow_unknown: bool) -> Any:
        """The model's step, without the tokens that no sentence contains."""
        forbidden = [PAD_ID, BOS_ID] if allow_unknown else [PAD_ID, BOS_ID, UNKNOWN_ID]

        def step(tokens: np.ndarray, state: DecoderState) -> tuple[np.ndarray, DecoderState]:
            log_probs, state = self.model.step(tokens, state)
            if np.isnan(log_probs).any():
                raise InputError("the model gives no probabilities: its training went wrong")
            log_probs[:, forbidden] = -np.inf
            return log_probs, state

        return step

    def _translated(self, source: np.ndarray, hypothesis: Hypothesis, proven: bool | None) -> Translated:
        written = [*hypothesis.tokens, *([EOS_ID] if hypothesis.finished else [])]
        attention = hypothesis.attention
        return Translated(
            self.target.decode(hypothesis.tokens),
            hypothesis.score,
            hypothesis.log_prob,
            self.source.vocabulary.decode(source.tolist()),
            self.target.vocabulary.decode(written),
            None if attention is None else attention[:, : len(source)],
            self.target.words(hypothesis.tokens),
            proven,
        )


def _scored(one: Hypothesis, length_penalty: LengthPenalty) -> Hypothesis:
    """With the score that beam search would give it: greedy search and drawing know no penalties."""
    return replace(one, score=one.log_prob / length_penalty(len(one.tokens) + one.finished))
