"""Captions of pictures and videos as a task for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer, number
from minirnn.autograd.tensor import Tensor
from minirnn.data.sequences import columns, pad
from minirnn.data.sights import Sights
from minirnn.data.vocabulary import BOS_ID, EOS_ID, PAD_ID
from minirnn.decoding import decode
from minirnn.errors import InputError
from minirnn.metrics import corpus_bleu
from minirnn.metrics.corpus import of_each
from minirnn.models import EncoderDecoder
from minirnn.training.hard_attention import hard_loss, is_hard
from minirnn.training.rewards import Asked
from minirnn.training.sentences import (
    SentenceTask,
    numbers_as_words,
    references_of,
    sentence_loss,
    sentence_step,
    shift_right,
)
from minirnn.training.translation import attention_regularizer


class Captioned(NamedTuple):
    """Pictures or videos, and of each one caption or several, as ids that end with `<eos>`."""

    sights: Sights
    captions: Sequence[Sequence[np.ndarray]]


class CaptionBatch(NamedTuple):
    """What the encoder reads and its lengths; and captions Y (T, B) with theirs, each of the picture `rows` (B,)."""

    X: np.ndarray
    X_lengths: np.ndarray | None
    rows: np.ndarray
    Y: np.ndarray
    Y_lengths: np.ndarray


class Captioning(SentenceTask):
    """Predict each token of a caption from the picture and the tokens before it. A picture is encoded once for several
    captions of it.

    Args:
        model: the model.
        train, valid: what to learn from, and what is held out (may be empty).
        batch_size: pictures in a batch.
        rng: the generator the model draws its dropout from.
        captions_per_picture: how many captions of a picture, drawn anew in each epoch, are learned from.
        max_length: the most tokens of a caption that is written, `<eos>` included.
        references: of each held-out picture the captions as words; without them there is no BLEU.
        to_words: from ids that the model wrote to words.
        label_smoothing: ε of the cross-entropy.
        attention_penalty, attention_target: λ and τ of `attention_regularizer`.
        judge: more measures of the held-out captions, from what was written for each.

    Raises:
        InputError: there is nothing to learn from, a picture has no caption, pictures, captions and references are not
            equally many, a number is out of its range, or the penalty does not fit the model.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        train: Captioned,
        valid: Captioned,
        *,
        batch_size: int,
        rng: np.random.Generator,
        captions_per_picture: int = 2,
        max_length: int = 50,
        references: Sequence[Sequence[Sequence[str]]] | None = None,
        to_words: Callable[[Sequence[int]], list[str]] = numbers_as_words,
        label_smoothing: float = 0.0,
        attention_penalty: float = 0.0,
        attention_target: float | None = None,
        judge: Callable[[list[tuple[int, ...]]], dict[str, float]] | None = None,
    ):
        if not len(train.sights):
            raise InputError("there are no pictures to learn from")
        for sights, captions in (train, valid):
            if len(sights) != len(captions):
                raise InputError(f"there are {len(sights)} pictures, but {len(captions)} lists of captions")
            if empty := [i for i, of_one in enumerate(captions) if not len(of_one)]:
                raise InputError(f"picture {empty[0]} has no caption")
        if references is not None and len(references) != len(valid.sights):
            raise InputError(f"there are references of {len(references)} pictures, but {len(valid.sights)} held out")
        if attention_penalty and not model.decoder.attends:
            raise InputError("the attention penalty needs a decoder with attention")
        if attention_penalty and is_hard(model):
            raise InputError("the attention penalty is of weights, and hard attention has none")
        self.model, self.train_captioned, self.valid_captioned, self.rng = model, train, valid, rng
        self.batch_size, self.max_length = integer("batch_size", batch_size), integer("max_length", max_length)
        self.captions_per_picture = integer("captions_per_picture", captions_per_picture)
        self.references, self.to_words, self.judge = references, to_words, judge
        self.label_smoothing = number("label_smoothing", label_smoothing, least=0, below=1)
        self.attention_penalty = number("attention_penalty", attention_penalty, least=0)
        self.attention_target = None if attention_target is None else number("attention_target", attention_target)
        self.num_batches = -(-len(train.sights) // self.batch_size)
        self.loss_is_nll = label_smoothing == 0 and attention_penalty == 0

    def batches(self, rng: np.random.Generator) -> Iterator[CaptionBatch]:
        """The batches of one epoch: every picture once, with so many of its captions."""
        yield from batches_of(self.train_captioned, self.batch_size, rng, self.captions_per_picture)

    def likelihood(self, batch: CaptionBatch, step: int) -> dict[str, Tensor]:
        """The mean over the real tokens of the captions, and the attention's penalty, which is one over captions."""
        X, X_lengths, rows, Y, Y_lengths = batch
        if is_hard(self.model):
            read = partial(self.model, X, X_lengths, shift_right(Y), rows=rows)
            return {"tokens": hard_loss(self.model, read, Y, Y_lengths, self.label_smoothing)}
        decoded = self.model(X, X_lengths, shift_right(Y), rows=rows)
        smoothing = self.label_smoothing
        means = {"tokens": sentence_loss(self.model, decoded.features, Y, Y_lengths, label_smoothing=smoothing)}
        if self.attention_penalty and decoded.attention is not None:
            S = decoded.attention.shape[2]
            regions = np.full(len(rows), S) if X_lengths is None else X_lengths[rows]
            uneven = attention_regularizer(decoded.attention, regions, Y_lengths, self.attention_target)
            means["sentences"] = self.attention_penalty * uneven
        return means

    def sizes(self, batch: CaptionBatch) -> dict[str, int]:
        """The real tokens, the captions, which are sentences, and the pictures, of which each has a caption."""
        return {
            "tokens": int(batch.Y_lengths.sum()),
            "sentences": len(batch.rows),
            "sources": int(batch.rows.max()) + 1,
        }

    def part(self, batch: CaptionBatch, at: slice) -> CaptionBatch:
        """Some pictures of a batch, with their captions."""
        X, X_lengths, rows, Y, Y_lengths = batch
        captions = slice(*np.searchsorted(rows, (at.start, at.stop)).tolist())  # those of a picture are side by side
        X, lengths = (X[at], None) if X_lengths is None else columns(X, X_lengths, at)
        return CaptionBatch(X, lengths, rows[captions] - at.start, *columns(Y, Y_lengths, captions))

    def asked(self, batch: CaptionBatch) -> Asked:
        """Each picture, with those captions of it that are in the batch."""
        X, X_lengths, rows, Y, Y_lengths = batch
        captions = references_of(Y, Y_lengths, self.to_words)
        pictures = int(rows.max()) + 1
        of_each = [[captions[k][0] for k in np.flatnonzero(rows == i)] for i in range(pictures)]
        return Asked(X, X_lengths, of_each, np.full(pictures, self.max_length))

    def validate(self) -> dict[str, float]:
        """Of the held-out pictures: loss per token of all their captions (teacher-forced), and of captions that were
        written greedily, word for word by the model itself, BLEU."""
        if not len(self.valid_captioned.sights):
            return {}
        nll, tokens = self.nll(self.valid_captioned)
        row = {"valid_loss": nll / tokens}
        if self.references is not None and np.isfinite(nll):  # a search needs probabilities
            written = self.greedy(self.valid_captioned.sights)
            row |= self.rewarded(
                written, [[list(one) for one in of_one] for of_one in self.references], self.max_length
            )
            with of_each():
                row["valid_bleu"] = corpus_bleu([self.to_words(ids) for ids in written], self.references)
            row |= self.judge(written) if self.judge else {}
        return row

    def nll(self, captioned: Captioned, order: np.ndarray | None = None) -> tuple[float, int]:
        """The summed negative log-likelihood of all captions, in nats, and how many tokens they have. With `order`
        (pictures,) the captions of picture i are told of picture order[i]: a model that looks must be surprised."""
        nll, tokens = 0.0, 0
        for X, X_lengths, rows, Y, Y_lengths in batches_of(captioned, self.batch_size, None, None, order):
            decoded = self.model(X, X_lengths, shift_right(Y), rows=rows)
            nll += sentence_loss(self.model, decoded.features, Y, Y_lengths, reduction="sum").item()
            tokens += int(Y_lengths.sum())
        return nll, tokens

    def greedy(self, sights: Sights) -> list[tuple[int, ...]]:
        """A greedy caption of each picture."""
        written: list[tuple[int, ...]] = []
        for first in range(0, len(sights), self.batch_size):
            at = np.arange(first, min(first + self.batch_size, len(sights)))
            state, start = self.model.start(*sights.batch(at)), np.full(len(at), BOS_ID)
            step = sentence_step(self.model)
            written += [one.tokens for one in decode(step, state, start, eos=EOS_ID, max_length=self.max_length)]
        return written


def batches_of(
    captioned: Captioned,
    batch_size: int,
    rng: np.random.Generator | None,
    captions_per_picture: int | None,
    order: np.ndarray | None = None,
) -> Iterator[CaptionBatch]:
    """Pictures with captions, in batches of so many pictures.

    Args:
        captioned: the pictures and captions.
        batch_size: pictures in a batch; one may be smaller.
        rng: draws the order of the pictures and which captions; None: their own order, and the first ones.
        captions_per_picture: of each picture at most so many captions; None: all.
        order: which picture stands in for each.
    """
    sights, captions = captioned
    order = np.arange(len(sights)) if order is None else order
    shuffled = np.arange(len(sights)) if rng is None else rng.permutation(len(sights))
    for first in range(0, len(shuffled), batch_size):
        at = shuffled[first : first + batch_size]
        rows, chosen = list[int](), list[np.ndarray]()
        for row, i in enumerate(at):
            of_one = captions[i]
            drawn = range(len(of_one)) if rng is None else rng.permutation(len(of_one))
            for j in drawn[:captions_per_picture]:
                rows.append(row)
                chosen.append(of_one[j])
        yield CaptionBatch(*sights.batch(order[at]), np.array(rows), *pad(chosen, PAD_ID))
