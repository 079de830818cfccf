"""Activation functions: of arrays, giving the value and its slope, and as operations on tensors.

What they are, with φ' beside φ (at a kink, the slope of its flatter side, as in torch):

    sigmoid      1 / (1 + e^-a)                 φ (1 - φ)
    tanh         tanh a                         1 - φ²
    relu         max(a, 0)                      1 for a > 0, else 0
    relu6        min(max(a, 0), 6)              1 for 0 < a < 6, else 0          (Krizhevsky 2010)
    leaky-relu   a for a > 0, else 0.01 a       1 for a > 0, else 0.01           (Maas, Hannun & Ng 2013)
    elu          a for a > 0, else e^a - 1      1 for a > 0, else e^a            (Clevert et al. 2016)
    prelu        a for a > 0, else p a          1 for a > 0, else p, learned     (He et al. 2015)
    rrelu        as prelu, p drawn from [1/8, 1/3) for every element in training, its mean else   (Xu et al. 2015)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, fuse, like
from minirnn.backend import sigmoid as logistic

LEAK = 0.01
RRELU_LOWER, RRELU_UPPER = 1 / 8, 1 / 3


@fuse
def sigmoid_and_slope(a: Array) -> tuple[Array, Array]:
    """σ(a) and σ'(a)."""
    y = logistic(a)
    return y, y - y * y


@fuse
def tanh_and_slope(a: Array) -> tuple[Array, Array]:
    """tanh(a) and its derivative 1 - tanh²(a)."""
    y = array_module(a).tanh(a)
    return y, 1 - y * y


@fuse
def relu_and_slope(a: Array) -> tuple[Array, Array]:
    """max(a, 0) and its derivative: 1 where a > 0, else 0."""
    return array_module(a).maximum(a, 0), (a > 0).astype(a.dtype)


@fuse
def relu6_and_slope(a: Array) -> tuple[Array, Array]:
    """min(max(a, 0), 6) and its derivative: 1 where 0 < a < 6, else 0."""
    xp = array_module(a)
    return xp.minimum(xp.maximum(a, 0), 6), ((a > 0) & (a < 6)).astype(a.dtype)


@fuse
def leaky_relu_and_slope(a: Array) -> tuple[Array, Array]:
    """a where a > 0, else 0.01 a; and 1 or 0.01."""
    on = (a > 0).astype(a.dtype)
    slope = on + LEAK * (1 - on)
    return a * slope, slope


@fuse
def elu_and_slope(a: Array) -> tuple[Array, Array]:
    """a where a > 0, else e^a - 1; and 1 or e^a."""
    xp = array_module(a)
    below = xp.expm1(xp.minimum(a, 0))  # the minimum: e^a would overflow where it is not wanted
    return xp.maximum(a, 0) + below, below + 1


ACTIVATIONS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "sigmoid": sigmoid_and_slope,
    "tanh": tanh_and_slope,
    "relu": relu_and_slope,
    "relu6": relu6_and_slope,
    "leaky-relu": leaky_relu_and_slope,
    "elu": elu_and_slope,
}
"""Those that have nothing to learn or to draw, by name."""

KINKS: dict[str, tuple[float, ...]] = {"relu": (0.0,), "relu6": (0.0, 6.0), "leaky-relu": (0.0,), "elu": (0.0,)}
"""Where φ' jumps (or φ'', as of elu), if anywhere: finite differences across it follow neither side."""


def _apply(activate: Callable[[Array], tuple[Array, Array]], a: Tensor, rule: Callable) -> Tensor:
    y, slope = activate(ops.value(a))
    return record(y, (a, lambda dy: dy * slope), rule=rule)


def relu6(a: Tensor) -> Tensor:
    """min(max(a, 0), 6)."""
    return _apply(relu6_and_slope, a, relu6)


def leaky_relu(a: Tensor) -> Tensor:
    """a where a > 0, else 0.01 a."""
    return _apply(leaky_relu_and_slope, a, leaky_relu)


def elu(a: Tensor) -> Tensor:
    """a where a > 0, else e^a - 1."""
    return _apply(elu_and_slope, a, elu)


def prelu(a: Tensor, slope: Tensor) -> Tensor:
    """a where a > 0, else p a.

    Args:
        a: of any shape.
        slope: p, broadcastable to `a`; it is learned.
    """
    require_tensor(a)
    x, p = ops.values(a, slope)
    xp = array_module(x)
    below = xp.minimum(x, 0)
    return record(
        xp.maximum(x, 0) + p * below,
        (a, lambda dy: xp.where(x > 0, dy, dy * p)),
        (slope, lambda dy: dy * below),
    )


def rrelu(a: Tensor, rng: np.random.Generator | None) -> Tensor:
    """a where a > 0, else p a, with a p for every element drawn uniformly from [1/8, 1/3).

    Args:
        a: of any shape.
        rng: what p is drawn from; None, for evaluation, takes the mean of the bounds instead.
    """
    return prelu(a, Tensor(rrelu_slopes(ops.value(a), rng)))


def rrelu_slopes(reference: Array, rng: np.random.Generator | None) -> Array:
    """The p of `rrelu` for an array like `reference`."""
    if rng is None:
        mean = (RRELU_LOWER + RRELU_UPPER) / 2
        return array_module(reference).full((), mean, dtype=reference.dtype)
    drawn = rng.random(reference.shape, dtype=np.float32).astype(reference.dtype)
    return like(RRELU_LOWER + (RRELU_UPPER - RRELU_LOWER) * drawn, reference)
