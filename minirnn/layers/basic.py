"""Layers without time: Linear, Embedding, LayerNorm, Dropout."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer, number
from minirnn.autograd import functional
from minirnn.autograd.sequences import embedding
from minirnn.autograd.tensor import Parameter, Tensor
from minirnn.backend import Array, Ids, float_dtype
from minirnn.errors import TooManyWeightsError
from minirnn.layers.module import Module
from minirnn.layers.printing import arguments

_left: ContextVar[Callable[[int], float]] = ContextVar("_left", default=lambda numbers: math.inf)


@contextmanager
def at_most(limit: Callable[[], float]) -> Iterator[None]:
    """Let the layers that are made inside the block have so many weights, all together. Sizes that stand in a file are
    believed no further than that.

    Args:
        limit: says how many; asked when there are the first.

    Raises:
        TooManyWeightsError: there would be more; before there is room for them.
    """
    taken, most = 0, functools.cache(limit)

    def left(numbers: int) -> float:
        nonlocal taken
        taken += numbers
        return most() - taken

    token = _left.set(left)
    try:
        yield
    finally:
        _left.reset(token)


def parameter(shape: tuple[int, ...], values: Callable[[], np.ndarray], dtype: DTypeLike) -> Parameter:
    """A parameter that begins with these values. Every layer makes its weights by this, so that none has another dtype.

    Raises:
        InputError: the dtype is neither float32 nor float64.
        TooManyWeightsError: see `at_most`.
    """
    if _left.get()(math.prod(shape)) < 0:
        raise TooManyWeightsError(f"the model has more weights than expected: one of its arrays is {shape}")
    return Parameter(values().astype(float_dtype(dtype)))


def constant(value: float, shape: tuple[int, ...], dtype: DTypeLike) -> Parameter:
    """A parameter whose numbers are all the same at first."""
    return parameter(shape, lambda: np.full(shape, value), dtype)


def uniform(rng: np.random.Generator, bound: float, shape: tuple[int, ...], dtype: DTypeLike) -> Parameter:
    """A parameter drawn uniformly from [-bound, bound)."""
    return parameter(shape, lambda: rng.uniform(-bound, bound, shape), dtype)


def orthogonal(rng: np.random.Generator, shape: tuple[int, int], dtype: DTypeLike) -> Parameter:
    """Square blocks (n, n) below one another (k n, n), each drawn uniformly from the orthogonal matrices (Saxe,
    McClelland & Ganguli 2014): multiplying by one changes no length, so nothing grows or fades at the beginning."""

    def block() -> np.ndarray:
        q, r = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))
        return q * np.sign(np.diag(r))  # QR alone would prefer some signs

    return parameter(shape, lambda: np.concatenate([block() for _ in range(shape[0] // shape[1])]), dtype)


class Linear(Module):
    """y = x Wᵀ + b, for x (…, in_features) and y (…, out_features).

    Args:
        in_features, out_features: the lengths of the last axes.
        bias: whether there is a b.
        rng: a generator or seed for the initial weights, uniform in ±1/√in_features as in torch.nn.
        dtype: float32 or float64.

    Raises:
        InputError: a size is below 1 or no integer, or the dtype is another.

        >>> Linear(3, 2, rng=0)(Tensor(np.zeros((5, 4, 3), np.float32))).shape
        (5, 4, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.in_features, self.out_features = integer("in_features", in_features), integer("out_features", out_features)
        rng, bound = backend.generator(rng), 1 / self.in_features**0.5
        self.weight = uniform(rng, bound, (self.out_features, self.in_features), dtype)
        self.bias = uniform(rng, bound, (self.out_features,), dtype) if bias else None

    def extra_repr(self) -> str:
        """in_features, out_features, and whether there is no bias."""
        return arguments(self.in_features, self.out_features, bias=(self.bias is not None, True))

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

    Raises:
        InputError: a size is below 1 or no integer, or the dtype is another.

        >>> Embedding(10, 3, rng=0)(np.array([[1, 2], [3, 4]])).shape
        (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.num_embeddings = integer("num_embeddings", num_embeddings)
        self.embedding_dim = integer("embedding_dim", embedding_dim)
        rng, shape = backend.generator(rng), (self.num_embeddings, self.embedding_dim)
        self.weight = parameter(shape, lambda: rng.standard_normal(shape), dtype)

    def extra_repr(self) -> str:
        """num_embeddings, embedding_dim."""
        return arguments(self.num_embeddings, self.embedding_dim)

    def forward(self, ids: Ids) -> Tensor:
        """ids (…) to (…, embedding_dim). Raises InputError if a host id is out of range."""
        return embedding(self.weight, ids)


class LayerNorm(Module):
    """γ n + b with n = (x - mean x) / sqrt(var x + ε) over the last axis (Ba, Kiros & Hinton 2016).

    Args:
        features: the length of the last axis.
        epsilon: ε, above 0.
        dtype: float32 or float64.

    Raises:
        InputError: a number is out of its range, or the dtype is another.
    """

    def __init__(self, features: int, epsilon: float = 1e-5, *, dtype: DTypeLike = np.float32):
        self.features = integer("features", features)
        self.weight, self.bias = constant(1, (self.features,), dtype), constant(0, (self.features,), dtype)
        self.epsilon = number("epsilon", epsilon, above=0)

    def extra_repr(self) -> str:
        """features, epsilon."""
        return arguments(self.features, epsilon=(self.epsilon, 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """x (…, features) to the same shape."""
        return functional.layer_norm(x, self.weight, self.bias, self.epsilon)


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1 / (1 - p); else the identity
    (Srivastava et al. 2014).

    Args:
        p: the probability, in [0, 1).
        variational: whether a sequence (time, batch, features) has one mask for all its steps (Gal & Ghahramani 2016).
        rng: the generator (or seed) the masks are drawn from.

    Raises:
        InputError: p is not in [0, 1).
    """

    def __init__(self, p: float = 0.5, *, variational: bool = False, rng: int | np.random.Generator | None = None):
        self.p = number("the dropout probability", p, least=0, below=1)
        self.variational, self.rng = variational, backend.generator(rng)

    def extra_repr(self) -> str:
        """p, and whether it is variational."""
        return arguments(self.p, variational=(self.variational, False))

    def forward(self, x: Tensor) -> Tensor:
        """x with elements dropped, of the same shape."""
        if not self.training:
            return x
        return functional.dropout(x, self.p, self.rng, shared=0 if self.variational else None)

    def for_steps(self) -> Callable[[Tensor], Tensor]:
        """The dropout of one sequence that is walked step by step: a function of each step (batch, features). Where it
        is variational, the mask is drawn at the first step and kept."""
        if not (self.training and self.variational and self.p):
            return self
        mask: list[Array] = []

        def step(x: Tensor) -> Tensor:
            if not mask:
                mask.append(functional.dropout_mask(x.shape, self.p, self.rng, x.data))
            return functional.scale(x, mask[0])

        return step
