"""Layers without time: Linear, Embedding, Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn import backend
from minirnn.autograd import functional
from minirnn.autograd.tensor import Parameter, Tensor
from minirnn.backend import Array
from minirnn.errors import InputError
from minirnn.layers.module import Module


def uniform(rng: np.random.Generator, bound: float, shape: tuple[int, ...], dtype: Any) -> Parameter:
    """A parameter drawn uniformly from [-bound, bound)."""
    return Parameter(rng.uniform(-bound, bound, shape).astype(dtype))


class Linear(Module):
    """y = x Wᵀ + b, for x (…, in_features) and y (…, out_features).

    Args:
        in_features, out_features: the lengths of the last axes.
        bias: whether there is a b.
        rng: a generator or seed for the initial weights, uniform in ±1/√in_features as in torch.nn.
        dtype: float32 or float64.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: Any = np.float32,
    ):
        rng, bound = backend.generator(rng), 1 / max(in_features, 1) ** 0.5
        self.weight = uniform(rng, bound, (out_features, in_features), dtype)
        self.bias = uniform(rng, bound, (out_features,), dtype) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in_features) to (…, out_features)."""
        return functional.linear(x, self.weight, self.bias)


class Embedding(Module):
    """A row of features for each id: ids (…) to (…, embedding_dim).

    Args:
        num_embeddings: how many ids there are.
        embedding_dim: the length of a row.
        rng: a generator or seed for the initial weights, standard normal as in torch.nn.
        dtype: float32 or float64.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: Any = np.float32,
    ):
        rows = backend.generator(rng).standard_normal((num_embeddings, embedding_dim))
        self.weight = Parameter(rows.astype(dtype))

    def forward(self, ids: Array) -> Tensor:
        """ids (…) to (…, embedding_dim). Raises InputError if a host id is out of range."""
        return functional.embedding(self.weight, ids)


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1 / (1 - p); else the identity
    (Srivastava et al. 2014).

    Args:
        p: the probability, in [0, 1).
        rng: the generator (or seed) the masks are drawn from.
    """

    def __init__(self, p: float = 0.5, *, rng: int | np.random.Generator | None = None):
        if not 0 <= p < 1:
            raise InputError(f"dropout probability {p} is not in [0, 1)")
        self.p, self.rng = p, backend.generator(rng)

    def forward(self, x: Tensor) -> Tensor:
        """x with elements dropped, of the same shape."""
        return functional.dropout(x, self.p, self.rng) if self.training else x
