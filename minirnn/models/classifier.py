"""Classifying whole sequences: one label for each."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.losses import log_softmax
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Ids, Lengths, like
from minirnn.cells import Cell
from minirnn.cells.checks import lengths_or_all
from minirnn.errors import InputError
from minirnn.layers import Dropout, Embedding, Linear, Module, Recurrent

Pooling = Literal["last", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class SequenceClassifier(Module):
    """Token ids in, a score for each class out. Read from both sides (Schuster & Paliwal 1997), a sequence is summed up
    by what each direction knows at its end.

        h = recurrent(embedding(x))     s = last or mean of h     logits = W s + b

    Args:
        vocabulary_size, num_classes: how many different tokens and classes.
        hidden_size: the units of each direction.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        num_layers: how many recurrent layers.
        bidirectional: whether they also read from the right.
        pooling: "last", the state after each sequence's last real step (of the right-to-left direction, after its
            first), or "mean" of the outputs over the real steps.
        embedding_size: the features of an embedding.
        dropout: on the embedding, between the layers and before the output.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: the pooling is unknown, or a number or the dtype is out of its range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        hidden_size: int,
        *,
        cell: str | Cell = "gru",
        num_layers: int = 1,
        bidirectional: bool = True,
        pooling: Pooling = "last",
        embedding_size: int = 32,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        if pooling not in POOLINGS:
            raise InputError(f"unknown pooling {pooling!r}: expected one of {', '.join(POOLINGS)}")
        vocabulary_size = integer("vocabulary_size", vocabulary_size)
        self.num_classes = num_classes = integer("num_classes", num_classes)
        embedding_size = integer("embedding_size", embedding_size)
        rng = backend.generator(rng)
        common: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.pooling = pooling
        self.embedding = Embedding(vocabulary_size, embedding_size, **common)
        self.recurrent = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            forget_bias=forget_bias,
            chrono=chrono,
            **common,
        )
        self.dropout = Dropout(dropout, rng=rng)
        width = self.recurrent.hidden_size * self.recurrent.num_directions
        self.output = Linear(width, num_classes, **common)

    def forward(self, ids: Ids, lengths: Lengths | None) -> Tensor:
        """Score every class.

        Args:
            ids: (T, B), padded.
            lengths: (B,) host integers, each at least 1: what is padding changes nothing. None: all are T.

        Returns:
            The logits (B, num_classes).

        Raises:
            InputError: a shape does not fit, or an id or a length is out of range.
        """
        x = self.embedding(ids)
        if x.ndim != 3:
            raise InputError(f"expected ids of shape (time, batch), not {x.shape[:-1]}")
        T, B, _ = x.shape
        lengths = lengths_or_all(lengths, T, B, least=1)
        output, state = self.recurrent(self.dropout(x), None, lengths)
        if self.pooling == "mean":
            weight = like((1 / lengths).astype(output.dtype), output.data)
            summary = ops.sum(output, axis=0) * weight[:, None]  # the output is 0 on padding
        else:
            h = state[0] if isinstance(state, tuple) else state  # (layers · directions, B, H)
            directions = ops.unstack(h)[-self.recurrent.num_directions :]
            summary = ops.concatenate(directions, axis=-1)
        return self.output(self.dropout(summary))

    def log_probs(self, ids: Ids, lengths: Lengths | None) -> np.ndarray:
        """The log-probabilities (B, num_classes), on the host; arguments as for `forward`."""
        return backend.to_host(log_softmax(self(ids, lengths)).data)
