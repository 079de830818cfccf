"""Language modelling as a task for the training loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd.tensor import Tensor
from minirnn.data.batches import Batch, num_batches, random_batches, sequential_batches
from minirnn.errors import InputError
from minirnn.layers import detach
from minirnn.models import LanguageModel
from minirnn.training.task import Carry

Partition = Literal["sequential", "random"]


class LanguageModeling:
    """Predict the next token of one long text, by truncated BPTT over pieces of `num_steps`.

    Args:
        model: the model.
        train: (tokens,) ids to learn from.
        valid: (tokens,) ids held out; may be empty.
        batch_size, num_steps: the shape of a batch.
        partition: "sequential" carries the state from batch to batch; "random" starts every batch from zero.
        rng: the generator the model draws its dropout from.

    Raises:
        InputError: the text is shorter than one batch, the partition is unknown, or a number is below 1.
    """

    def __init__(
        self,
        model: LanguageModel,
        train: np.ndarray,
        valid: np.ndarray,
        *,
        batch_size: int,
        num_steps: int,
        partition: Partition = "sequential",
        rng: np.random.Generator,
    ):
        if partition not in get_args(Partition):
            raise InputError(f"unknown partition {partition!r}: expected 'sequential' or 'random'")
        self.model, self.corpus, self.valid, self.rng = model, train, valid, rng
        self.batch_size, self.num_steps = integer("batch_size", batch_size), integer("num_steps", num_steps)
        self.partition, self.num_batches = partition, num_batches(len(train), batch_size, num_steps)
        next(self.batches(np.random.default_rng(0)))  # a text that is too short is refused before training starts

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """The batches of one epoch."""
        cut = sequential_batches if self.partition == "sequential" else random_batches
        return cut(self.corpus, self.batch_size, self.num_steps, rng)

    loss_is_nll = valid_loss_is_nll = True

    def loss(self, batch: Batch, carry: Carry, step: int = 0) -> tuple[Tensor, int, Carry]:
        """The mean negative log-likelihood of a batch; where the state is carried, its gradient is not."""
        inputs, targets = batch
        loss, state = self.model.loss(inputs, targets, carry)
        return loss, targets.size, detach(state) if self.partition == "sequential" else None

    def width(self, batch: Batch) -> int:
        """The columns of a batch."""
        return batch[0].shape[1]

    def part(self, batch: Batch, at: slice) -> Batch:
        """Some columns of a batch."""
        inputs, targets = batch
        return inputs[:, at], targets[:, at]

    def validate(self) -> dict[str, float]:
        """The loss per token of the held-out text: all tokens but the first, read as one sequence."""
        if len(self.valid) < 2:
            return {}
        return {"valid_loss": nll_of(self.model, self.valid) / (len(self.valid) - 1)}


PIECE = 512
"""Tokens of a text that are read at once."""


def nll_of(model: LanguageModel, ids: np.ndarray) -> float:
    """The negative log-likelihood, in nats, of all ids (tokens,) of a text but the first, read as one sequence. Without
    gradients: call it inside `no_grad`."""
    nll, state = 0.0, None
    for start in range(0, len(ids) - 1, PIECE):
        inputs = ids[start : start + PIECE + 1]
        loss, state = model.loss(inputs[:-1, None], inputs[1:, None], state, reduction="sum")
        nll += loss.item()
    return nll
