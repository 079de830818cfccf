"""What tasks have in common in which sentences are written: translation, captions, conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minirnn.autograd.losses import Reduction, cross_entropy
from minirnn.autograd.sequences import pack
from minirnn.autograd.tensor import Tensor
from minirnn.data.vocabulary import BOS_ID, PAD_ID
from minirnn.decoding.sampling import Step
from minirnn.errors import InputError
from minirnn.models import EncoderDecoder
from minirnn.models.decoders import DecoderState
from minirnn.training.task import sum_of

if TYPE_CHECKING:
    from minirnn.training.rewards import Asked, Rewards
    from minirnn.training.task import Carry


REWARDED = "held-out: nats per token; training: a loss with the gradient of the reward"
"""What the losses of a training on rewards are measured in."""
NEVER = (PAD_ID, BOS_ID)
"""No sentence contains these."""


class SentenceTask:
    """A task whose model writes sentences. It learns by cross-entropy, word by word, or on rewards of whole sentences.

    A subclass sets the attributes, and implements `likelihood`, `sizes`, `width`, `part` and `asked`.
    """

    model: EncoderDecoder
    rng: np.random.Generator
    to_words: Callable[[Sequence[int]], list[str]]
    """From ids that the model wrote to words."""
    rewards: Rewards | None = None
    loss_is_nll = True
    valid_loss_is_nll = True
    counted, loss_unit = "tokens", "nats per token"

    def likelihood(self, batch: Any, step: int) -> dict[str, Tensor]:
        """The cross-entropy, "tokens", and perhaps a penalty; each by the name of what it is the mean over."""
        raise NotImplementedError(f"{type(self).__name__} does not define likelihood")

    def sizes(self, batch: Any) -> dict[str, int]:
        """How many "tokens" a batch has, how many "sources" to write for, and whatever else `likelihood` names."""
        raise NotImplementedError(f"{type(self).__name__} does not define sizes")

    def width(self, batch: Any) -> int:
        """The sources of a batch, by which it can be divided."""
        return self.sizes(batch)["sources"]

    def part(self, batch: Any, at: slice) -> Any:
        """Some sources of a batch, with the sentences to them."""
        raise NotImplementedError(f"{type(self).__name__} does not define part")

    def cross_entropy(self, batch: Any, step: int) -> tuple[Tensor, int]:
        """The mean loss over the tokens of a batch, and how many they are."""
        return sum_of(self.likelihood(batch, step).values()), self.sizes(batch)["tokens"]

    def asked(self, batch: Any) -> Asked:
        """What sentences are to be written for, to be rewarded."""
        raise NotImplementedError(f"{type(self).__name__} does not define asked")

    def train_on(self, rewards: Rewards) -> None:
        """From now on, learn on rewards."""
        self.rewards, self.loss_is_nll, self.loss_unit = rewards, False, REWARDED

    def loss(self, batch: Any, carry: Carry, step: int) -> tuple[Tensor, int, Carry]:
        """The mean over the real tokens of a batch; or, on rewards, what has the gradient that is wanted."""
        means, tokens = self.means(batch, step)
        return sum_of(means.values()), tokens, None

    def means(self, batch: Any, step: int) -> tuple[dict[str, Tensor], int]:
        """What the loss is the sum of, each by what it is the mean over; and the tokens, on rewards those drawn."""
        if self.rewards is None:
            return self.likelihood(batch, step), self.sizes(batch)["tokens"]
        self.model.eval()  # without dropout: see `minirnn.training.rewards`
        try:
            loss, tokens = self.rewards.loss(self.model, self.asked(batch), self.rng)
        finally:
            self.model.train()
        share = self.rewards.share
        if not share:
            return {"sources": loss}, tokens
        likely = {name: share * mean for name, mean in self.likelihood(batch, step).items()}
        return {**likely, "sources": (1 - share) * loss}, tokens

    @property
    def kept(self) -> dict[str, float]:
        """Numbers that go on from step to step: part of the checkpoint."""
        return {} if self.rewards is None else self.rewards.kept

    def doing(self) -> list[str]:
        """What is to be told beside the loss."""
        return [] if self.rewards is None else [f"reward {self.rewards.so_far()['reward']:.3f}"]

    def rewarded(
        self, tokens: Sequence[tuple[int, ...]], references: Sequence[Sequence[Sequence[str]]], limits: Any
    ) -> dict[str, float]:
        """For a row of the metrics: the mean reward of what was written to held-out sources, each of at most so many
        tokens (n,), and what the samples were like since the last call. Nothing without rewards."""
        if self.rewards is None:
            return {}
        return self.rewards.measures(tokens, references, limits)


def sentence_step(model: EncoderDecoder, forbidden: Sequence[int] = NEVER) -> Step:
    """The model's step without the tokens that no sentence contains.

    Raises:
        InputError: in the step, that the model gives no probabilities.
    """

    def step(tokens: np.ndarray, state: DecoderState) -> tuple[np.ndarray, DecoderState]:
        log_probs, state = model.step(tokens, state)
        if np.isnan(log_probs.max()):
            raise InputError("the model gives no probabilities: its training went wrong")
        log_probs[:, list(forbidden)] = -np.inf
        return log_probs, state

    return step


def numbers_as_words(ids: Sequence[int]) -> list[str]:
    """The ids themselves as words, where nobody has said what they stand for."""
    return [str(i) for i in ids]


def references_of(
    Y: np.ndarray, lengths: np.ndarray, to_words: Callable[[Sequence[int]], list[str]]
) -> list[list[list[str]]]:
    """Targets Y (T, B) of these lengths, with `<eos>`, as the one reference of each, in words."""
    return [[to_words(Y[: length - 1, b].tolist())] for b, length in enumerate(lengths)]


def shift_right(Y: np.ndarray) -> np.ndarray:
    """The decoder's inputs for targets (T, B): `<bos>`, then each token but the last."""
    return np.concatenate([np.full_like(Y[:1], BOS_ID), Y[:-1]])


def sentence_loss(
    model: EncoderDecoder,
    features: Tensor,
    Y: np.ndarray,
    lengths: np.ndarray,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of targets Y (T, B) over their real tokens alone: padding is dropped before the output layer,
    the costliest of all."""
    real = np.arange(len(Y))[:, None] < lengths
    logits = model.decoder.logits(pack(features, lengths))
    return cross_entropy(logits, Y[real], reduction=reduction, label_smoothing=label_smoothing)
