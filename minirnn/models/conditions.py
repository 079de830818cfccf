"""What a picture is to be of, as one vector: a class, or what a caption says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array
from minirnn.cells import Cell
from minirnn.layers import Embedding, Module, Recurrent


class Condition(Module):
    """The base of both. A subclass sets this attribute and implements `forward`, from what is told of B pictures to
    (B, output_size)."""

    output_size: int
    """The features of the vector."""


class ClassCondition(Condition):
    """A learned vector for each class.

    Args:
        num_classes: how many there are.
        output_size: the features of the vector.
        rng, dtype: as for every layer.
    """

    def __init__(
        self,
        num_classes: int,
        output_size: int,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.embedding = Embedding(num_classes, output_size, rng=rng, dtype=dtype)
        self.output_size = self.embedding.weight.shape[1]

    def forward(self, classes: Array) -> Tensor:
        """Classes (B,) to (B, output_size). Raises InputError if one is out of range."""
        return self.embedding(classes)


class CaptionCondition(Condition):
    """The last states of a recurrent layer that has read the caption in both directions.

    Args:
        vocabulary_size, embedding_size: of the words.
        output_size: the features of the vector, an even number: half of them are of each direction.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        rng, dtype: as for every layer.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        output_size: int,
        *,
        cell: str | Cell = "gru",
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": dtype}
        self.embedding = Embedding(vocabulary_size, embedding_size, **options)
        self.recurrent = Recurrent(cell, embedding_size, max(1, output_size // 2), bidirectional=True, **options)
        self.output_size = 2 * self.recurrent.hidden_size

    def forward(self, captions: tuple[Array, Any]) -> Tensor:
        """Captions as ids (T, B) and their lengths (B,), to (B, output_size).

        Raises:
            InputError: an id or a length is out of range.
        """
        ids, lengths = captions
        _, state = self.recurrent(self.embedding(ids), lengths=lengths)
        h = state if isinstance(state, Tensor) else state[0]
        return ops.concatenate(ops.unstack(h), axis=-1)
