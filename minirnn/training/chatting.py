"""Answers in a dialogue as a task for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd.losses import Reduction
from minirnn.autograd.tensor import Tensor
from minirnn.backend import to_host
from minirnn.data.histories import AnswerBatch, Talk
from minirnn.data.sequences import columns
from minirnn.data.vocabulary import BOS_ID, EOS_ID
from minirnn.decoding import decode
from minirnn.errors import InputError
from minirnn.models import EncoderDecoder
from minirnn.models.history_encoders import HistoryEncoder
from minirnn.training.rewards import Asked
from minirnn.training.sentences import (
    SentenceTask,
    numbers_as_words,
    references_of,
    sentence_loss,
    sentence_step,
    shift_right,
)


class Chatting(SentenceTask):
    """Predict each token of an answer from the turns before it and the tokens before it.

    Args:
        model: the model, whose encoder reads histories.
        train, valid: what to learn from, and what is held out (may have no answers).
        batch_size: answers in a batch.
        rng: the generator the model draws its dropout from.
        max_length: the most tokens of an answer that is written, `<eos>` included.
        judge: measures of the held-out answers, from what was written for each.
        to_words: from ids to words, for rewards.

    Raises:
        InputError: there is nothing to learn from, the encoder reads no histories, or a number is out of its range.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        train: Talk,
        valid: Talk,
        *,
        batch_size: int,
        rng: np.random.Generator,
        max_length: int = 50,
        judge: Callable[[list[tuple[int, ...]]], dict[str, float]] | None = None,
        to_words: Callable[[Sequence[int]], list[str]] = numbers_as_words,
    ):
        if not len(train):
            raise InputError("there are no answers to learn from")
        if not isinstance(model.encoder, HistoryEncoder):
            raise InputError(f"a {type(model.encoder).__name__} reads no histories: take a HistoryEncoder")
        self.model, self.talk, self.valid, self.rng, self.judge = model, train, valid, rng, judge
        self.to_words = to_words
        self.together = model.encoder.reads_turns
        self.batch_size, self.max_length = integer("batch_size", batch_size), integer("max_length", max_length)
        self.num_batches = -(-len(train) // self.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[AnswerBatch]:
        """The batches of one epoch: every answer once."""
        yield from self.talk.batches(self.batch_size, rng, together=self.together)

    def likelihood(self, batch: AnswerBatch, step: int) -> dict[str, Tensor]:
        """The mean over the real tokens of the answers."""
        return {"tokens": _loss(self.model, batch, "mean")}

    def sizes(self, batch: AnswerBatch) -> dict[str, int]:
        """The real tokens of the answers, and the histories."""
        return {"tokens": int(batch.Y_lengths.sum()), "sources": len(batch.Y_lengths)}

    def part(self, batch: AnswerBatch, at: slice) -> AnswerBatch:
        """Some answers of a batch, with the turns that they look back on."""
        return AnswerBatch(batch.histories.part(at), *columns(batch.Y, batch.Y_lengths, at))

    def asked(self, batch: AnswerBatch) -> Asked:
        """Each history, with the answer that was given."""
        references = references_of(batch.Y, batch.Y_lengths, self.to_words)
        return Asked(batch.histories, None, references, np.full(len(batch.Y_lengths), self.max_length))

    def validate(self) -> dict[str, float]:
        """Of the held-out answers: loss per token (teacher-forced), and what the judge says of those that were written
        greedily."""
        if not len(self.valid):
            return {}
        nats, tokens = self.nats(self.valid)
        row = {"valid_loss": float(nats.sum() / tokens.sum())}
        if (self.judge or self.rewards) and np.isfinite(nats).all():  # a search needs probabilities
            found = self.greedy(self.valid)
            row |= self.judge(found) if self.judge else {}
            answers = [self.valid.conversations[c][i] for c, i in self.valid.answers]
            row |= self.rewarded(found, [[self.to_words(ids[:-1].tolist())] for ids in answers], self.max_length)
        return row

    def nats(self, talk: Talk, history: str = "true") -> tuple[np.ndarray, np.ndarray]:
        """For each answer its negative log-likelihood in nats, and how many tokens it has. With another history, see
        `Talk.batch`: a model that remembers must be surprised."""
        return nats_of(self.model, talk, self.batch_size, history)

    def greedy(self, talk: Talk) -> list[tuple[int, ...]]:
        """A greedy answer to each history."""
        written: list[tuple[int, ...]] = []
        for first in range(0, len(talk), self.batch_size):
            batch = talk.batch(range(first, min(first + self.batch_size, len(talk))))
            state, start = self.model.start(batch.histories, None), np.full(len(batch.Y_lengths), BOS_ID)
            step = sentence_step(self.model)
            written += [one.tokens for one in decode(step, state, start, eos=EOS_ID, max_length=self.max_length)]
        return written


def nats_of(
    model: EncoderDecoder, talk: Talk, batch_size: int = 64, history: str = "true"
) -> tuple[np.ndarray, np.ndarray]:
    """For each answer its negative log-likelihood in nats under a model, and how many tokens it has; see `Talk.batch`
    for the history."""
    found = [np.zeros(0)]
    for first in range(0, len(talk), batch_size):
        batch = talk.batch(range(first, min(first + batch_size, len(talk))), history)
        real = np.arange(len(batch.Y))[:, None] < batch.Y_lengths
        losses = np.zeros(real.shape)
        losses[real] = to_host(_loss(model, batch, "none").data)
        found.append(losses.sum(axis=0))
    return np.concatenate(found), np.array([len(talk.conversations[c][i]) for c, i in talk.answers])


def _loss(model: EncoderDecoder, batch: AnswerBatch, reduction: Reduction) -> Tensor:
    decoded = model(batch.histories, None, shift_right(batch.Y))
    return sentence_loss(model, decoded.features, batch.Y, batch.Y_lengths, reduction=reduction)
