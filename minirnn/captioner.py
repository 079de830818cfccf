"""A trained model together with its language: from pictures or videos to captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirnn.arguments import integer
from minirnn.data import Codec
from minirnn.data.sights import Sights
from minirnn.data.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID
from minirnn.decoding import Hypothesis, beam_search, decode, power_penalty
from minirnn.decoding.checks import LengthPenalty, check_beam, check_penalty
from minirnn.models import EncoderDecoder
from minirnn.training.sentences import sentence_step

BATCH = 64
"""Pictures that are captioned together."""


@dataclass(frozen=True)
class Caption:
    """One caption of one picture.

    Attributes:
        text: the caption.
        score: its log-probability under the search's length penalty.
        log_prob: its log-probability, in nats, `<eos>` included.
        tokens: what was written, with `<eos>` where it ended.
        attention: (len(tokens), regions or frames), where each token looked; None without attention.
        words: the caption as the words that BLEU and CIDEr compare.
    """

    text: str
    score: float
    log_prob: float
    tokens: list[str]
    attention: np.ndarray | None
    words: list[str]


class Captioner:
    """Says what is to be seen.

    Args:
        model: a trained model, in evaluation mode, whose encoder reads pictures, regions or videos.
        codec: of the captions.
        max_length: the most tokens of a caption, `<eos>` included.
    """

    def __init__(self, model: EncoderDecoder, codec: Codec, max_length: int = 50):
        self.model, self.codec, self.max_length = model, codec, integer("max_length", max_length)

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Captioner({self.codec!r} by {model})"

    def caption(
        self,
        sights: Sights,
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: LengthPenalty = power_penalty(0.0),
        allow_unknown: bool = True,
    ) -> list[list[Caption]]:
        """Caption pictures or videos.

        Args:
            sights: what to look at.
            beam_size: how many beginnings to keep; 1 is greedy search.
            n_best: how many captions of each to return, at most `beam_size`.
            length_penalty: as for `beam_search`.
            allow_unknown: whether `<unk>` may be written.

        Returns:
            For each its captions, best first.

        Raises:
            InputError: an argument is out of range, or the model gives no probabilities.
        """
        beam_size, n_best = check_beam(beam_size, n_best)
        check_penalty(length_penalty, self.max_length)
        step = sentence_step(self.model, (PAD_ID, BOS_ID) if allow_unknown else (PAD_ID, BOS_ID, UNKNOWN_ID))
        limits: dict[str, Any] = {"eos": EOS_ID, "max_length": self.max_length, "attention": self.attention}
        result: list[list[Caption]] = []
        for first in range(0, len(sights), BATCH):
            at = np.arange(first, min(first + BATCH, len(sights)))
            X, lengths = sights.batch(at)
            state, start = self.model.start(X, lengths), np.full(len(at), BOS_ID)
            found: Sequence[Sequence[Hypothesis]]
            if beam_size == 1:
                found = [[one] for one in decode(step, state, start, **limits)]
            else:
                search: dict[str, Any] = {"beam_size": beam_size, "n_best": n_best, "length_penalty": length_penalty}
                found = beam_search(step, state, start, **limits, **search)
            for row, best in enumerate(found):
                result.append([self._caption(one, None if lengths is None else lengths[row]) for one in best])
        return result

    @property
    def attention(self) -> Any:
        """From a state to where the model looked, or None if it does not attend."""
        return self.model.attention if self.model.decoder.attends else None

    def _caption(self, one: Hypothesis, length: int | None) -> Caption:
        written = [*one.tokens, *([EOS_ID] if one.finished else [])]
        return Caption(
            self.codec.decode(one.tokens),
            one.score,
            one.log_prob,
            self.codec.vocabulary.decode(written),
            None if one.attention is None else one.attention[:, :length],
            written_words(self.codec, one.tokens),
        )


def written_words(codec: Codec, ids: Sequence[int]) -> list[str]:
    """What BLEU and CIDEr compare of a caption: its words, or its characters if these are its tokens, as in Chinese."""
    return _characters(codec.decode(ids)) if codec.tokens == "char" else codec.words(ids)


def reference_words(codec: Codec, text: str) -> list[str]:
    """A reference as `written_words` has a caption."""
    if codec.tokens == "char":
        return _characters("".join(codec.cut(text)))
    return codec.reference(text)


def _characters(text: str) -> list[str]:
    return [character for character in text if not character.isspace()]
