"""A trained model together with its language: from pictures or videos to captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.arguments import integer
from minirnn.data import Codec
from minirnn.data.features import read_features
from minirnn.data.pictures import Preprocessing, read_frames, read_picture
from minirnn.data.sights import Sights, sights_of
from minirnn.data.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID
from minirnn.decoding import Hypothesis, beam_search, decode, power_penalty
from minirnn.decoding.checks import LengthPenalty, check_beam, check_penalty
from minirnn.errors import InputError
from minirnn.models import EncoderDecoder, VideoEncoder
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
        look: how pictures are made ready for the encoder, which `read` needs; None where it reads features.
        shape: (regions, features), which such features must have.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        codec: Codec,
        max_length: int = 50,
        look: Preprocessing | None = None,
        shape: tuple[int, int] | None = None,
    ):
        self.model, self.codec, self.max_length = model, codec, integer("max_length", max_length)
        self.look, self.shape = look, shape

    def read(self, file: str | Path) -> tuple[list[str], Any]:
        """What is in a file, or a folder of frames, as the model has learned to look at it: names, and as many
        pictures (N, size, size, 3), a list of videos, or features (N, regions, features).

        Raises:
            OSError, InputError: the file cannot be read, or is not of the kind that the model was trained on.
        """
        if self.look is None:
            values, names, _ = read_features(file)
            check_features(self.shape, values, file)
            return list(names), values
        if not isinstance(self.model.encoder, VideoEncoder):
            return [str(file)], read_picture(file, self.look.size)[np.newaxis]
        if not Path(file).is_dir():
            raise InputError(f"{file}: expected a folder with the frames of a video, as the run learned from")
        return [str(file)], [read_frames(file, self.look.size)]

    def _sights(self, files: Sequence[str | Path]) -> Sights:
        seen = [self.read(file)[1] for file in files]
        if self.look is not None and isinstance(self.model.encoder, VideoEncoder):
            return sights_of([frames for videos in seen for frames in videos], self.look)
        if not seen:
            raise InputError("expected at least one file to caption")
        return sights_of(np.concatenate(seen), self.look)

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Captioner({self.codec!r} by {model})"

    def caption(
        self,
        sights: Sights | Sequence[str | Path],
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: LengthPenalty = power_penalty(0.0),
        allow_unknown: bool = True,
    ) -> list[list[Caption]]:
        """Caption pictures or videos.

        Args:
            sights: what to look at, as files or folders that `read` takes, or already read.
            beam_size: how many beginnings to keep; 1 is greedy search.
            n_best: how many captions of each to return, at most `beam_size`.
            length_penalty: as for `beam_search`.
            allow_unknown: whether `<unk>` may be written.

        Returns:
            For each its captions, best first.

        Raises:
            OSError, InputError: a file cannot be read, an argument is out of range, or the model gives no
                probabilities.
        """
        beam_size, n_best = check_beam(beam_size, n_best)
        if isinstance(sights, (str, Path)):
            raise InputError(f"expected a list of files, not one: write [{str(sights)!r}]")
        if isinstance(sights, Sequence):
            sights = self._sights(sights)
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


def check_features(shape: tuple[int, int] | None, seen: np.ndarray, file: str | Path | None) -> None:
    """See that features are of the shape (regions, features) that a model has learned from; None: of any.

    Raises:
        InputError: they are not.
    """
    if shape and seen.shape[1:] != shape:
        L, D = shape
        raise InputError(f"{file}: expected {L} regions of {D} features each, as the run learned from, found "
                         f"{seen.shape[1]} of {seen.shape[2]}")  # fmt: skip


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
