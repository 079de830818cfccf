"""Cloze as a task for the training loop: models that see different sides, on the same pieces of one text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.losses import cross_entropy
from minirnn.autograd.tensor import Tensor
from minirnn.backend import to_host
from minirnn.data.batches import num_batches, random_batches
from minirnn.errors import InputError
from minirnn.layers import Module
from minirnn.metrics import perplexity
from minirnn.models.cloze import SIDES, ClozeModel
from minirnn.training.task import Carry


class ClozeModels(Module):
    """A model for each choice of sides.

    Args:
        left, right, both: the models.
    """

    def __init__(self, left: ClozeModel, right: ClozeModel, both: ClozeModel):
        self.left, self.right, self.both = left, right, both

    def models(self) -> dict[str, ClozeModel]:
        """The models by their sides."""
        return {sides: getattr(self, sides) for sides in SIDES}


class Cloze:
    """Predict every token of a piece of text from the others.

    Args:
        model: the models, trained side by side by the sum of their losses.
        train, valid: (tokens,) ids to learn from and held out.
        batch_size, num_steps: a batch is so many pieces of so many tokens.
        rng: the generator the models draw their dropout from.

    Raises:
        InputError: a text is shorter than it must be, or a number is below 1.
    """

    loss_is_nll = valid_loss_is_nll = False
    counted, loss_unit = "tokens", "nats per token, the sum of the three models"

    def __init__(
        self,
        model: ClozeModels,
        train: np.ndarray,
        valid: np.ndarray,
        *,
        batch_size: int,
        num_steps: int,
        rng: np.random.Generator,
    ):
        self.model, self.corpus, self.rng = model, train, rng
        batch_size, num_steps = integer("batch_size", batch_size), integer("num_steps", num_steps)
        self.batch_size, self.num_steps = batch_size, num_steps
        self.num_batches = num_batches(len(train), batch_size, num_steps)
        next(self.batches(np.random.default_rng(0)))  # a text that is too short is refused before training starts
        pieces = len(valid) // num_steps
        if not pieces:
            raise InputError(f"the held-out text has {len(valid)} tokens, less than a piece of {num_steps}")
        self.valid = valid[: pieces * num_steps].reshape(pieces, num_steps).T  # (num_steps, pieces)

    def batches(self, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Pieces (num_steps, batch) of one epoch."""
        return (inputs for inputs, _ in random_batches(self.corpus, self.batch_size, self.num_steps, rng))

    def loss(self, batch: np.ndarray, carry: Carry, step: int) -> tuple[Tensor, int, Carry]:
        """The sum over the models of the mean negative log-likelihood."""
        losses = [cross_entropy(model(batch), batch) for model in self.model.models().values()]
        return ops.sum(ops.stack(losses)), batch.size, None

    def width(self, batch: np.ndarray) -> int:
        """The pieces of a batch."""
        return batch.shape[1]

    def part(self, batch: np.ndarray, at: slice) -> np.ndarray:
        """Some pieces of a batch."""
        return batch[:, at]

    def validate(self) -> dict[str, float]:
        """The loss, and for each model perplexity and accuracy of the held-out tokens."""
        row: dict[str, float] = {}
        total = 0.0
        for sides, model in self.model.models().items():
            nll, right = 0.0, 0
            for start in range(0, self.valid.shape[1], 64):
                ids = self.valid[:, start : start + 64].astype(np.int64)
                logits = model(ids)
                nll += cross_entropy(logits, ids, reduction="sum").item()
                right += int((to_host(logits.data).argmax(axis=-1) == ids).sum())
            total += nll / self.valid.size
            row[f"perplexity_{sides}"] = perplexity(nll, self.valid.size)
            row[f"accuracy_{sides}"] = right / self.valid.size
        return {"valid_loss": total, **row}
