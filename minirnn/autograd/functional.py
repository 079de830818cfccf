"""Operations that neural networks are made of, under one name as in `torch.nn.functional`.

Here are the linear map, dropout and layer normalisation; softmax and cross-entropy come from `losses.py`, embeddings
and padding from `sequences.py`, attention from `attention.py`. Each could be composed from `ops`; as one operation it
is steadier in floating point and quicker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minirnn.arguments import number
from minirnn.autograd import ops
from minirnn.autograd.attention import additive_scores, dot_scores, weighted_sum
from minirnn.autograd.convolution import avg_pool2d, conv2d, max_pool2d
from minirnn.autograd.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    mse_loss,
    nll_loss,
    softmax,
)
from minirnn.autograd.ops import relu, sigmoid, tanh
from minirnn.autograd.pending import pending_product
from minirnn.autograd.recording import record
from minirnn.autograd.sequences import check_ids, embedding, one_hot, pack, sum_by_id
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, like
from minirnn.errors import InputError
from minirnn.parallel import in_rows, product

__all__ = [
    "additive_scores",
    "avg_pool2d",
    "binary_cross_entropy_with_logits",
    "check_ids",
    "conv2d",
    "cross_entropy",
    "dot_scores",
    "dropout",
    "dropout_mask",
    "embedding",
    "layer_norm",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pack",
    "relu",
    "require_tensor",
    "scale",
    "sigmoid",
    "softmax",
    "sum_by_id",
    "tanh",
    "weighted_sum",
]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x (…, in), W (out, in) and b (out,), as one product over all the leading axes.

    Raises:
        TypeError: x is not a Tensor, or float32 meets float64.
        InputError: x has not as many features as W expects.
    """
    require_tensor(x, weight)
    ops.values(x, weight, *([] if bias is None else [bias]))  # refuses a mix of float32 and float64
    if x.shape[-1:] != weight.shape[1:]:
        found = x.shape[-1] if x.ndim else "none"
        raise InputError(
            f"expected {weight.shape[1]} features on the last axis, found {found}: the input has shape {x.shape}, "
            f"the weight {weight.shape}"
        )
    rows, W = x.data.reshape(-1, x.shape[-1]), weight.data
    y = product(rows, W.T, is_weight=True)
    if bias is not None:
        b = bias.data
        in_rows(lambda y: array_module(y).add(y, b, out=y), y)
    y = y.reshape(*x.shape[:-1], len(W))

    def as_rows(dy: Array) -> Array:
        return dy.reshape(-1, len(W))

    return record(
        y,
        (x, lambda dy: product(as_rows(dy), W).reshape(x.shape)),
        (weight, lambda dy: pending_product(as_rows(dy), rows)),
        (bias, lambda dy: as_rows(dy).sum(axis=0)),
    )


def dropout(a: Tensor, p: float, rng: np.random.Generator, *, shared: int | None = None) -> Tensor:
    """Zero each element with probability `p` and multiply the others by 1 / (1 - p), so that the expectation
    stays (Srivastava et al. 2014).

    Args:
        a: any shape.
        p: the probability, in [0, 1).
        rng: what the mask is drawn from.
        shared: an axis along which the mask is one and the same, such as time.

    Raises:
        InputError: `p` is not in [0, 1).
    """
    p = number("the dropout probability", p, least=0, below=1)
    require_tensor(a)
    if p == 0:
        return a
    shape = [1 if shared is not None and axis == shared % a.ndim else n for axis, n in enumerate(a.shape)]
    return scale(a, dropout_mask(shape, p, rng, a.data))


def dropout_mask(shape: Sequence[int], p: float, rng: np.random.Generator, reference: Array) -> Array:
    """0 with probability p, else 1 / (1 - p), in the dtype and on the device of `reference`."""
    kept = rng.random(tuple(shape), dtype=np.float32) >= p
    return like(kept.astype(reference.dtype) / (1 - float(p)), reference)


def scale(a: Tensor, factors: Array) -> Tensor:
    """a times a constant array, broadcast."""
    require_tensor(a)
    factors = like(factors, a.data)
    return record(a.data * factors, (a, lambda dy: dy * factors))


def layer_norm(a: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    """γ n + b with n = (a - mean a) / sqrt(var a + ε) over the last axis (Ba, Kiros & Hinton 2016).

    Args:
        a: (…, features).
        gain, bias: γ and b, (features,).
        epsilon: ε, at least 0.

    Raises:
        InputError: ε is no such number.
    """
    require_tensor(a)
    epsilon = number("epsilon", epsilon, least=0)
    x, gamma, b = ops.values(a, gain, bias)
    xp = array_module(x)
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + epsilon)
    n = centred * inverse

    def by_a(dy: Array) -> Array:
        # Moving all of a, or stretching it, changes nothing, so those parts of dn are taken out.
        dn = dy * gamma
        return (dn - dn.mean(axis=-1, keepdims=True) - n * (dn * n).mean(axis=-1, keepdims=True)) * inverse

    return record(gamma * n + b, (a, by_a), (gain, lambda dy: dy * n), (bias, lambda dy: dy))
