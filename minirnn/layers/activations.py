"""Activation functions as modules."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer, number
from minirnn.autograd import activations, ops
from minirnn.autograd.tensor import Tensor
from minirnn.layers.basic import constant
from minirnn.layers.module import Module


class Sigmoid(Module):
    """1 / (1 + e^-a), elementwise."""

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return ops.sigmoid(a)


class Tanh(Module):
    """The hyperbolic tangent, elementwise."""

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return ops.tanh(a)


class ReLU(Module):
    """max(a, 0), elementwise."""

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return ops.relu(a)


class ReLU6(Module):
    """min(max(a, 0), 6), elementwise (Krizhevsky 2010)."""

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return activations.relu6(a)


class LeakyReLU(Module):
    """a where a > 0, else 0.01 a (Maas, Hannun & Ng 2013)."""

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return activations.leaky_relu(a)


class ELU(Module):
    """a where a > 0, else e^a - 1 (Clevert, Unterthiner & Hochreiter 2016)."""

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return activations.elu(a)


class PReLU(Module):
    """a where a > 0, else p a, with a p that is learned (He et al. 2015).

    Args:
        num_parameters: 1 for all features together, or as many as the last axis has features.
        init: the first value of p.
        dtype: float32 or float64.

    Raises:
        InputError: `num_parameters` is below 1, `init` is not finite, or the dtype is another.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: DTypeLike = np.float32):
        size = integer("num_parameters", num_parameters)
        self.weight = constant(number("init", init), (size,), dtype)

    def extra_repr(self) -> str:
        """num_parameters, where there is more than one."""
        return f"{self.weight.size}" if self.weight.size > 1 else ""

    def forward(self, a: Tensor) -> Tensor:
        """(…, features) to the same shape."""
        return activations.prelu(a, self.weight)


class RReLU(Module):
    """a where a > 0, else p a: in training with a p for every element, drawn uniformly from [1/8, 1/3); else with the
    mean of the two (Xu et al. 2015).

    Args:
        rng: the generator (or seed) that p is drawn from.
    """

    def __init__(self, *, rng: int | np.random.Generator | None = None):
        self.rng = backend.generator(rng)

    def forward(self, a: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return activations.rrelu(a, self.rng if self.training else None)
