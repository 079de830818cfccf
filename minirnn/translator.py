"""A trained model together with its two languages: from sentences to sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minirnn.arguments import integer, number, strings
from minirnn.autograd.recording import no_grad
from minirnn.data import Codec
from minirnn.data.sequences import length_batches, pad
from minirnn.data.vocabulary import BOS_ID, EOS, EOS_ID, PAD_ID, UNKNOWN_ID
from minirnn.decoding import Hypothesis, beam_search, decode, exact_search, greedy, power_penalty
from minirnn.decoding.checks import LengthPenalty, check_beam, check_penalty
from minirnn.decoding.sampling import Choose, Step
from minirnn.errors import InputError
from minirnn.metrics import BleuDetails, bleu_details, exact_match, perplexity
from minirnn.models import EncoderDecoder
from minirnn.training.sentences import sentence_step
from minirnn.training.translation import Translation, length_limit

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
        proven: whether exact search has shown that nothing scores higher; None for other searches.
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


@dataclass(frozen=True)
class Measured:
    """How good translations are.

    Attributes:
        bleu: BLEU with its parts.
        exact_match: the share of the translations that are the reference, word for word.
        perplexity: of the references, each token given the true ones before it.
    """

    bleu: BleuDetails
    exact_match: float
    perplexity: float


class Translator:
    """Translates sentences.

    Args:
        model: a trained model, in evaluation mode.
        source, target: the codecs of its languages.
    """

    def __init__(self, model: EncoderDecoder, source: Codec, target: Codec):
        self.model, self.source, self.target = model, source, target

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Translator({self.source!r} to {self.target!r} by {model})"

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
        step: Callable[[int], Any] = lambda count: None,
    ) -> list[list[Translated]]:
        """Translate.

        Args:
            sentences: the sources.
            beam_size: how many beginnings to keep; 1 is greedy search.
            n_best: how many translations of each sentence to return, at most `beam_size`.
            length_penalty, coverage_penalty: as for `beam_search`.
            choose: draw instead of searching: what `sampler` returns.
            exact: find the best-scored of all translations, by branch and bound after a beam search of `beam_size`;
                `max_steps` limits the work on each sentence.
            allow_unknown: whether `<unk>` may be written.
            step: called with how many sentences more are translated, for a progress bar.

        Returns:
            For each sentence its translations, best first. An empty sentence has the empty translation; of a very long
            one only the first 499 tokens are read, and only the first 100,000 characters.

        Raises:
            InputError: the sentences are a single string, an argument is out of range or does not go with another, or
                the model gives no probabilities.
        """
        sentences, max_steps = strings("sentences", sentences), integer("max_steps", max_steps)
        search = self._checked(beam_size, n_best, length_penalty, coverage_penalty, choose, exact)
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
        step(len(ids) - len(full))
        next_words = sentence_step(self.model, (PAD_ID, BOS_ID) if allow_unknown else (PAD_ID, BOS_ID, UNKNOWN_ID))
        for part in length_batches([len(ids[i]) for i in full], 1 if exact else BATCH):
            at = full[part]
            found = self._find(next_words, [ids[i] for i in at], search, choose, max_steps if exact else None)
            for i, best in zip(at, found, strict=True):
                result[i] = [self._translated(ids[i], one, proven) for one, proven in best]
            step(len(at))
        return result

    def evaluate(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        beam_size: int = 1,
        length_penalty: LengthPenalty = power_penalty(0.0),
        coverage_penalty: float = 0.0,
    ) -> Measured:
        """Translate the first of each pair of sentences, and compare with the second. Arguments and errors are those of
        `translate`; and there must be a pair."""
        found = self.translate(
            [source for source, _ in pairs],
            beam_size=beam_size,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
        )
        return self.measure(pairs, [best[0].words for best in found])

    def measure(self, pairs: Sequence[tuple[str, str]], found: Sequence[Sequence[str]]) -> Measured:
        """Compare translations, each as `Translated.words`, with the second of each pair of sentences.

        Raises:
            InputError: there are none, or not as many as pairs.
        """
        references = [self.target.reference(target) for _, target in pairs]
        bleu = bleu_details(found, references)
        return Measured(bleu, exact_match(found, references), self.perplexity(pairs))

    def perplexity(self, pairs: Sequence[tuple[str, str]]) -> float:
        """The perplexity of the second of each pair of sentences, given the first."""
        sides = (
            [self.source.encode(source, MOST_TOKENS) for source, _ in pairs],
            [self.target.encode(target, MOST_TOKENS) for _, target in pairs],
        )
        task = Translation(self.model, sides, ([], []), batch_size=BATCH, rng=np.random.default_rng(0))
        with no_grad():
            return perplexity(*task.nll(*sides))

    def read(self, sentence: str) -> list[str]:
        """The tokens of a sentence that are read: of a very long one the first, as `translate` says."""
        return self.source.cut(sentence[:MOST_CHARACTERS])[: MOST_TOKENS - 1]

    def _checked(
        self,
        beam_size: int,
        n_best: int,
        length_penalty: LengthPenalty,
        coverage_penalty: float,
        choose: Choose | None,
        exact: bool,
    ) -> dict[str, Any]:
        """The options of the search, which hold for no sentences as for many. Raises as `translate`."""
        coverage_penalty = number("the coverage penalty", coverage_penalty, least=0)
        check_penalty(length_penalty, int(length_limit(np.array(MOST_TOKENS))))
        if exact and choose is not None:
            raise InputError("exact search does not draw: leave out exact or choose")
        if exact or choose is not None:
            beam_size = integer("beam_size", beam_size)
            if integer("n_best", n_best) > 1:
                raise InputError("only beam search has several translations of a sentence: leave out n_best")
        else:
            beam_size, n_best = check_beam(beam_size, n_best)
        if choose is not None and (beam_size > 1 or coverage_penalty):
            raise InputError("what is drawn is not searched for: leave out choose, or beam_size and coverage_penalty")
        if coverage_penalty and self.attention is None:
            raise InputError("a coverage penalty needs a model with attention")
        return {
            "beam_size": beam_size,
            "n_best": n_best,
            "length_penalty": length_penalty,
            "coverage_penalty": coverage_penalty,
        }

    def _find(
        self, step: Step, ids: list[np.ndarray], search: dict[str, Any], choose: Choose | None, max_steps: int | None
    ) -> list[list[tuple[Hypothesis, bool | None]]]:
        """The hypotheses for a batch of sources, best first, and whether they are proven best; `max_steps` is given for
        exact search."""
        X, lengths = pad(ids, PAD_ID)
        state, start = self.model.start(X, lengths), np.full(len(ids), BOS_ID)
        limits: dict[str, Any] = {"eos": EOS_ID, "max_length": length_limit(lengths), "attention": self.attention}
        if max_steps is not None:
            search = {**search, "source_lengths": lengths}
            del search["n_best"]
            results = exact_search(step, state, start, **limits, **search, max_steps=max_steps)
            return [[(one.hypothesis, one.proven)] for one in results]
        if choose is not None or (search["beam_size"] == 1 and not search["coverage_penalty"]):
            written = decode(step, state, start, **limits, choose=choose or greedy)
            return [[(_scored(one, search["length_penalty"]), None)] for one in written]
        best = beam_search(step, state, start, **limits, **search, source_lengths=lengths)
        return [[(one, None) for one in hypotheses] for hypotheses in best]

    @property
    def attention(self) -> Any:
        """From a state to where the model looked, or None if it does not attend."""
        return self.model.attention if self.model.decoder.attends else None

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
