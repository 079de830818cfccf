"""Classification of sequences as a task for the training loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd.losses import cross_entropy
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import check_ids
from minirnn.autograd.tensor import Tensor
from minirnn.data.sequences import columns, length_batches, pad
from minirnn.errors import InputError
from minirnn.models.classifier import SequenceClassifier
from minirnn.training.task import Carry

Examples = tuple[Sequence[np.ndarray], np.ndarray]
"""Sequences of ids, each (length,), and the class of each, (examples,)."""
Batch = tuple[np.ndarray, np.ndarray, np.ndarray]
"""ids (T, B), lengths (B,), classes (B,)."""


class Classification:
    """Predict the class of each sequence.

    Args:
        model: the model.
        train, valid: what to learn from, and what is held out (may be empty).
        batch_size: sequences in a batch.
        rng: the generator the model draws its dropout from.

    Raises:
        InputError: there is nothing to learn from, a sequence is empty, there are more or fewer classes than sequences,
            a class is out of range, or the batch size is below 1.
    """

    loss_is_nll = valid_loss_is_nll = True
    counted, loss_unit = "sequences", "nats per sequence"

    def __init__(
        self,
        model: SequenceClassifier,
        train: Examples,
        valid: Examples,
        *,
        batch_size: int,
        rng: np.random.Generator,
    ):
        if not len(train[0]):
            raise InputError("there is nothing to learn from")
        for sequences, classes in (train, valid):
            if len(sequences) != len(classes):
                raise InputError(f"there are {len(sequences)} sequences, but {len(classes)} classes of them")
            if len(classes):
                check_ids(classes, model.output.weight.shape[0], "label")
            if empty := [i for i, sequence in enumerate(sequences) if not len(sequence)]:
                raise InputError(f"sequence {empty[0]} is empty: there is nothing to tell its class from")
        self.model, self.train_examples, self.valid_examples, self.rng = model, train, valid, rng
        self.batch_size = integer("batch_size", batch_size)
        self.num_batches = -(-len(train[0]) // self.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """The batches of one epoch, sequences of similar length together."""
        return batches_of(self.train_examples, self.batch_size, rng)

    def loss(self, batch: Batch, carry: Carry, step: int) -> tuple[Tensor, int, Carry]:
        """The mean negative log-likelihood of the classes."""
        ids, lengths, classes = batch
        return cross_entropy(self.model(ids, lengths), classes), len(classes), None

    def width(self, batch: Batch) -> int:
        """The sequences of a batch."""
        return len(batch[1])

    def part(self, batch: Batch, at: slice) -> Batch:
        """Some sequences of a batch."""
        ids, lengths, classes = batch
        return *columns(ids, lengths, at), classes[at]

    def validate(self) -> dict[str, float]:
        """The loss per sequence and the accuracy on what is held out."""
        sequences, classes = self.valid_examples
        if not len(sequences):
            return {}
        log_probs = predict(self.model, sequences, self.batch_size)
        nll = -log_probs[np.arange(len(classes)), classes].astype(np.float64)
        right = log_probs.argmax(axis=1) == classes
        return {"valid_loss": float(nll.mean()), "valid_accuracy": float(right.mean())}


def batches_of(examples: Examples, batch_size: int, rng: np.random.Generator | None) -> Iterator[Batch]:
    """Padded batches; without `rng` in order of length."""
    sequences, classes = examples
    for at in length_batches([len(s) for s in sequences], batch_size, rng):
        ids, lengths = pad([sequences[i] for i in at])
        yield ids, lengths, classes[at]


def predict(model: SequenceClassifier, sequences: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
    """The log-probabilities of each class for each sequence, in their order: (sequences, num_classes).

    Raises:
        InputError: there are no sequences, one is empty, or an id is out of range.
    """
    order, found = [], []
    for at in length_batches([len(s) for s in sequences], batch_size):
        with no_grad():
            found.append(model.log_probs(*pad([sequences[i] for i in at])))
        order.append(at)
    return np.concatenate(found)[np.argsort(np.concatenate(order))]
