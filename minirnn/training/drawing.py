"""Drawing pictures pixel by pixel as a task for the training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd.losses import Reduction, cross_entropy
from minirnn.autograd.tensor import Tensor
from minirnn.backend import to_host
from minirnn.data.sequences import columns, pad
from minirnn.data.vocabulary import PAD_ID
from minirnn.errors import InputError
from minirnn.models.drawing import PictureModel
from minirnn.training.task import Carry


class Told(Protocol):
    """What pictures are of."""

    def __len__(self) -> int:
        """How many pictures."""

    def batch(self, at: np.ndarray, rng: np.random.Generator | None) -> Any:
        """That of the pictures of the given numbers, as the model's condition reads it; where there are several to
        choose from, one drawn by `rng`, or the first."""


class Classes:
    """A class for each picture, (N,)."""

    def __init__(self, classes: np.ndarray):
        self.classes = classes

    def __len__(self) -> int:
        return len(self.classes)

    def batch(self, at: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """(B,)."""
        return self.classes[at]


class Captions:
    """One caption of each picture or several, as ids."""

    def __init__(self, captions: Sequence[Sequence[np.ndarray]]):
        self.captions = captions

    def __len__(self) -> int:
        return len(self.captions)

    def batch(self, at: np.ndarray, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        """(T, B) and their lengths (B,)."""
        several = [self.captions[i] for i in at]
        return pad([one[0 if rng is None else int(rng.integers(len(one)))] for one in several], PAD_ID)


class Drawn(NamedTuple):
    """Pictures (N, rows, columns) of colours, and what they are of, if the model is told that."""

    pictures: np.ndarray
    told: Told | None


class DrawingBatch(NamedTuple):
    """Pictures (B, rows, columns), and what the model's condition reads of them."""

    pictures: np.ndarray
    told: Any


class Drawing:
    """Predict the colour of each pixel from those before it.

    Args:
        model: the model.
        train, valid: what to learn from, and what is held out (may be empty).
        batch_size: pictures in a batch.
        rng: the generator the model draws its dropout from.

    Raises:
        InputError: there is nothing to learn from, or pictures and what they are of are not equally many.
    """

    loss_is_nll = valid_loss_is_nll = True
    counted, loss_unit = "pixels", "nats per pixel"

    def __init__(self, model: PictureModel, train: Drawn, valid: Drawn, *, batch_size: int, rng: np.random.Generator):
        if not len(train.pictures):
            raise InputError("there are no pictures to learn from")
        for pictures, told in (train, valid):
            if told is not None and len(told) != len(pictures):
                raise InputError(f"there are {len(pictures)} pictures, but it is told of {len(told)} what they are of")
        self.model, self.drawn, self.valid, self.rng = model, train, valid, rng
        self.batch_size = integer("batch_size", batch_size)
        self.num_batches = -(-len(train.pictures) // self.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[DrawingBatch]:
        """The batches of one epoch: every picture once."""
        order = rng.permutation(len(self.drawn.pictures))
        for first in range(0, len(order), self.batch_size):
            yield _batch(self.drawn, order[first : first + self.batch_size], rng)

    def loss(self, batch: DrawingBatch, carry: Carry, step: int) -> tuple[Tensor, int, Carry]:
        """The mean over all pixels."""
        return self._nll(batch, "mean"), batch.pictures.size, None

    def width(self, batch: DrawingBatch) -> int:
        """The pictures of a batch."""
        return len(batch.pictures)

    def part(self, batch: DrawingBatch, at: slice) -> DrawingBatch:
        """Some pictures of a batch, with what they are of."""
        pictures, told = batch.pictures[at], batch.told
        if isinstance(told, tuple):
            ids, lengths = told
            return DrawingBatch(pictures, columns(ids, lengths, at))
        return DrawingBatch(pictures, None if told is None else told[at])

    def validate(self) -> dict[str, float]:
        """Of the held-out pictures: nats per pixel, the same in bits, and nats per picture."""
        if not len(self.valid.pictures):
            return {}
        nats = self.nats(self.valid)
        per_pixel = float(nats.mean()) / self.valid.pictures[0].size
        return {"valid_loss": per_pixel, "valid_bits": per_pixel / math.log(2), "valid_nats": float(nats.mean())}

    def nats(self, drawn: Drawn) -> np.ndarray:
        """-ln p of each picture, (N,)."""
        return nats_of(self.model, drawn, self.batch_size)

    def _nll(self, batch: DrawingBatch, reduction: Reduction) -> Tensor:
        logits = self.model(batch.pictures, batch.told)
        return cross_entropy(logits, self.model.drawn(batch.pictures), reduction=reduction)


def nats_of(model: PictureModel, drawn: Drawn, batch_size: int = 64) -> np.ndarray:
    """-ln p of each picture under a model, (N,)."""
    found = [np.zeros(0)]
    for first in range(0, len(drawn.pictures), batch_size):
        pictures, told = _batch(drawn, np.arange(first, min(first + batch_size, len(drawn.pictures))), None)
        losses = cross_entropy(model(pictures, told), model.drawn(pictures), reduction="none").data
        found.append(np.asarray(to_host(losses.sum(axis=0)), np.float64))
    return np.concatenate(found)


def _batch(drawn: Drawn, at: np.ndarray, rng: np.random.Generator | None) -> DrawingBatch:
    pictures = drawn.pictures[at].astype(np.int64)
    return DrawingBatch(pictures, None if drawn.told is None else drawn.told.batch(at, rng))
