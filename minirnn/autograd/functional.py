"""Operations that neural networks are made of: softmax, cross-entropy, the linear map, embedding, dropout.

Each could be composed from `ops`; as one operation it is steadier in floating point and quicker.
"""

from __future__ import annotations

import numpy as np

from minirnn import backend
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor, record
from minirnn.backend import Array, array_module, like
from minirnn.errors import InputError


def log_softmax(a: Tensor, axis: int = -1) -> Tensor:
    """log(exp(a) / Σ exp(a)) along `axis`, computed as (a - m) - log Σ exp(a - m) with m = max(a)."""
    xp = array_module(a.data)
    shifted = a.data - a.data.max(axis=axis, keepdims=True)
    y = shifted - xp.log(xp.exp(shifted).sum(axis=axis, keepdims=True))
    return record(y, (a, lambda dy: dy - xp.exp(y) * dy.sum(axis=axis, keepdims=True)))


def softmax(a: Tensor, axis: int = -1, mask: Array | None = None) -> Tensor:
    """exp(a) / Σ exp(a) along `axis`.

    Args:
        a: the scores.
        axis: the axis along which the result sums to 1.
        mask: boolean, broadcastable to `a`. Where it is false the result is exactly 0 and no gradient flows;
            a line without any true element is all 0.
    """
    xp = array_module(a.data)
    if mask is None:
        e = xp.exp(a.data - a.data.max(axis=axis, keepdims=True))
        y = e / e.sum(axis=axis, keepdims=True)
    else:
        mask = like(mask, a.data).astype(bool)
        lowest = float(np.finfo(a.dtype).min)
        kept = xp.where(mask, a.data, lowest)
        e = xp.exp(kept - kept.max(axis=axis, keepdims=True)) * mask
        total = e.sum(axis=axis, keepdims=True)
        y = e / xp.where(total > 0, total, 1)
    return record(y, (a, lambda dy: y * (dy - (dy * y).sum(axis=axis, keepdims=True))))


def cross_entropy(
    logits: Tensor, targets: Array, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Tensor:
    """The negative log-likelihood of `targets` under softmax(logits), in nats.

    Args:
        logits: (…, classes).
        targets: integer array (…); host ids are checked against the number of classes.
        ignore_index: positions with this target count for nothing: neither loss, nor gradient, nor the mean's
            denominator.
        reduction: "mean" over the positions that count, "sum", or "none" (shape of `targets`).

    Raises:
        InputError: a shape does not fit, a target is out of range, or the reduction is unknown.
    """
    if reduction not in ("mean", "sum", "none"):
        raise InputError(f"unknown reduction {reduction!r}: expected 'mean', 'sum' or 'none'")
    targets = check_ids(targets, logits.shape[-1], "target", ignore_index)
    if targets.shape != logits.shape[:-1]:
        raise InputError(f"targets of shape {targets.shape} do not fit logits of shape {logits.shape}")
    xp, z = array_module(logits.data), logits.data
    targets = like(targets, z)
    counts = xp.ones(targets.shape, dtype=bool) if ignore_index is None else targets != ignore_index
    chosen = xp.where(counts, targets, 0)[..., None]
    weight = counts.astype(z.dtype)
    if reduction == "mean":  # stays on the device: reading the count would wait for the GPU
        weight = weight / xp.maximum(weight.sum(), 1)

    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - xp.log(xp.exp(z).sum(axis=-1, keepdims=True))
    # `where` and not only the weight: 0 · inf would be nan.
    losses = xp.where(counts, -xp.take_along_axis(log_p, chosen, axis=-1)[..., 0], 0) * weight

    def by_logits(dy: Array) -> Array:
        # d loss / d logits = softmax - one_hot(target), at the positions that count.
        one_hot = chosen == xp.arange(z.shape[-1])
        return xp.where(counts[..., None], xp.exp(log_p) - one_hot, 0) * (weight * dy)[..., None]

    return record(losses if reduction == "none" else losses.sum(), (logits, by_logits))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x (…, in), W (out, in) and b (out,), as one product over all the leading axes.

    Raises:
        TypeError: x is not a Tensor, or float32 meets float64.
    """
    require_tensor(x)
    ops.values(x, weight, *([] if bias is None else [bias]))  # refuses a mix of float32 and float64
    rows, W = x.data.reshape(-1, x.shape[-1]), weight.data
    y = (rows @ W.T).reshape(*x.shape[:-1], len(W))
    if bias is not None:
        y += bias.data

    def as_rows(dy: Array) -> Array:
        return dy.reshape(-1, len(W))

    return record(
        y,
        (x, lambda dy: (as_rows(dy) @ W).reshape(x.shape)),
        (weight, lambda dy: as_rows(dy).T @ rows),
        (bias, lambda dy: as_rows(dy).sum(axis=0)),
    )


def require_tensor(x: Tensor) -> None:
    """Refuse a plain array where a Tensor is needed.

    Raises:
        TypeError: says how to make one.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"expected a Tensor, not {type(x).__name__}: wrap it, as Tensor(x)")


def check_ids(ids: Array, size: int, what: str = "id", ignore_index: int | None = None) -> Array:
    """Ids as an integer array, refused if one is outside 0 … size-1. Ids already on a GPU are trusted: looking would
    wait for it.

    Raises:
        InputError: names the first bad id. (NumPy would take -1 for the last row, and CuPy wraps any id.)
    """
    if isinstance(ids, (list, tuple, int)):
        ids = np.asarray(ids)
    if not isinstance(ids, np.ndarray):
        return ids
    if ids.dtype.kind not in "iu":
        raise InputError(f"{what}s must be integers, not {ids.dtype}")
    bad = (ids < 0) | (ids >= size)
    if ignore_index is not None:
        bad &= ids != ignore_index
    if bad.any():
        raise InputError(f"{what} {ids[bad][0]} is out of range: expected 0 to {size - 1}")
    return ids


def embedding(weight: Tensor, ids: Array) -> Tensor:
    """The rows of `weight` (entries, features) that the integer array `ids` (…) names: (…, features).

    Raises:
        InputError: a host id is out of range.
    """
    ids = like(check_ids(ids, weight.shape[0]), weight.data)

    def by_weight(dy: Array) -> Array:
        dw = array_module(dy).zeros(weight.shape, dtype=weight.dtype)
        backend.scatter_add(dw, ids.reshape(-1), dy.reshape(-1, weight.shape[1]))
        return dw

    return record(weight.data[ids], (weight, by_weight))


def one_hot(ids: Array, size: int, reference: Array) -> Tensor:
    """A constant (…, size), 1 at each id and 0 elsewhere, in the dtype and on the device of `reference`.

    Raises:
        InputError: a host id is out of range.
    """
    xp, ids = array_module(reference), like(check_ids(ids, size), reference)
    return Tensor((ids[..., None] == xp.arange(size)).astype(reference.dtype))


def dropout(a: Tensor, p: float, rng: np.random.Generator) -> Tensor:
    """Zero each element with probability `p` and multiply the others by 1 / (1 - p), so that the expectation
    stays (Srivastava et al. 2014).

    Raises:
        InputError: `p` is not in [0, 1).
    """
    if not 0 <= p < 1:
        raise InputError(f"dropout probability {p} is not in [0, 1)")
    if p == 0:
        return a
    kept = rng.random(a.shape, dtype=np.float32) >= p
    scale = like(kept.astype(a.dtype) / (1 - float(p)), a.data)
    return record(a.data * scale, (a, lambda dy: dy * scale))
