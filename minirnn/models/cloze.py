"""Filling a blank from what stands on both sides of it (Taylor 1953; Mousa & Schuller 2017)."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module
from minirnn.cells import Cell
from minirnn.errors import InputError
from minirnn.layers import Dropout, Embedding, Linear, Module, Recurrent

Sides = Literal["left", "right", "both"]
SIDES: tuple[Sides, ...] = get_args(Sides)


class ClozeModel(Module):
    """Every token from those around it, and never from itself:

        l_t = left-to-right(x)_t    r_t = right-to-left(x)_t    logits_t = W (l_{t-1}, r_{t+1}) + b

    At the ends, where one side is empty, its state is 0. A bidirectional layer predicting from (l_t, r_t) would have
    the answer among its inputs.

    Args:
        vocabulary_size: V.
        hidden_size: the units of each direction.
        sides: "left" (a language model), "right" or "both".
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        embedding_size: the features of the embedding.
        dropout: on the embedding and before the output.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: the sides are unknown, or a number or the dtype is out of its range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        *,
        sides: Sides = "both",
        cell: str | Cell = "gru",
        embedding_size: int = 32,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        if sides not in SIDES:
            raise InputError(f"unknown sides {sides!r}: expected one of {', '.join(SIDES)}")
        vocabulary_size = integer("vocabulary_size", vocabulary_size)
        embedding_size, hidden_size = integer("embedding_size", embedding_size), integer("hidden_size", hidden_size)
        common: dict[str, Any] = {"rng": backend.generator(rng), "dtype": dtype}
        self.embedding = Embedding(vocabulary_size, embedding_size, **common)
        self.dropout = Dropout(dropout, rng=common["rng"])
        sizes = (cell, embedding_size, hidden_size)
        of_layer: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono, **common}
        self.left = Recurrent(*sizes, **of_layer) if sides != "right" else None
        self.right = Recurrent(*sizes, reverse=True, **of_layer) if sides != "left" else None
        self.output = Linear(hidden_size * (1 + (sides == "both")), vocabulary_size, **common)

    def forward(self, ids: Array) -> Tensor:
        """ids (T, B) to the logits (T, B, V) of every token, given the others."""
        x = self.dropout(self.embedding(ids))
        contexts = []
        if self.left is not None:
            h, _ = self.left(x)
            contexts.append(ops.concatenate([_zeros_like(h[:1]), h[:-1]]))
        if self.right is not None:
            h, _ = self.right(x)
            contexts.append(ops.concatenate([h[1:], _zeros_like(h[:1])]))
        context = contexts[0] if len(contexts) == 1 else ops.concatenate(contexts, axis=-1)
        return self.output(self.dropout(context))


def _zeros_like(x: Tensor) -> Tensor:
    return Tensor(array_module(x.data).zeros_like(x.data))
