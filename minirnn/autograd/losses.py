"""From scores to probabilities, and from predictions to the loss: softmax, cross-entropy and other losses.

As one operation each they are steadier in floating point than composed of exp, sum and log: exp never sees a number
above 0, and the logarithm is taken of a sum that is at least 1.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from minirnn.arguments import number
from minirnn.autograd.operands import values
from minirnn.autograd.recording import record
from minirnn.autograd.sequences import check_ids
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, Ids, array_module, like
from minirnn.errors import InputError
from minirnn.keywords import explains_keywords
from minirnn.parallel import in_rows

Reduction = Literal["mean", "sum", "none"]


@explains_keywords
def log_softmax(a: Tensor, axis: int = -1) -> Tensor:
    """log(exp(a) / Σ exp(a)) along `axis`, computed as (a - m) - log Σ exp(a - m) with m = max(a).

    >>> np.round(log_softmax(Tensor([0.0, 0.0])).numpy().astype(float), 4).tolist()
    [-0.6931, -0.6931]
    """
    require_tensor(a)
    xp = array_module(a.data)
    y = xp.empty(a.shape, dtype=a.dtype)

    def normalize(y: Array, a: Array, axis: int = -1) -> None:
        xp.subtract(a, a.max(axis=axis, keepdims=True), out=y)
        y -= xp.log(xp.exp(y).sum(axis=axis, keepdims=True))

    if a.ndim > 1 and axis in (-1, a.ndim - 1):
        in_rows(normalize, y.reshape(-1, a.shape[-1]), a.data.reshape(-1, a.shape[-1]))
    else:
        normalize(y, a.data, axis)
    return record(y, (a, lambda dy: dy - xp.exp(y) * dy.sum(axis=axis, keepdims=True)))


@explains_keywords
def softmax(a: Tensor, axis: int = -1, mask: Array | None = None) -> Tensor:
    """exp(a) / Σ exp(a) along `axis`.

    Args:
        a: the scores.
        axis: the axis along which the result sums to 1.
        mask: boolean, broadcastable to `a`. Where it is false the result is exactly 0 and no gradient flows;
            a line without any true element is all 0.

        >>> softmax(Tensor([[1.0, 1.0, 5.0]]), mask=np.array([True, True, False])).numpy().tolist()
        [[0.5, 0.5, 0.0]]
    """
    require_tensor(a)
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
    logits: Tensor,
    targets: Ids,
    *,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The negative log-likelihood of `targets` under p = softmax(logits), in nats.

    With label smoothing ε the target is not one class but a mixture, 1-ε of it and ε of all classes alike (Szegedy et
    al. 2016):  loss = -(1-ε) log p_target - ε/V Σ_v log p_v.

    Args:
        logits: (…, V).
        targets: integer array (…); host ids are checked against the number of classes.
        ignore_index: positions with this target count for nothing: neither loss, nor gradient, nor the mean's
            denominator.
        reduction: "mean" over the positions that count, "sum", or "none" (shape of `targets`).
        label_smoothing: ε, in [0, 1).

    Raises:
        InputError: a shape does not fit, a target is out of range, the reduction is unknown, or ε is not in [0, 1).

        >>> logits = Tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> round(cross_entropy(logits, np.array([0, 0])).item(), 4)
        1.1269
        >>> round(cross_entropy(logits, np.array([0, -1]), ignore_index=-1).item(), 4)
        0.1269
    """
    check_reduction(reduction)
    require_tensor(logits)
    V, eps = logits.shape[-1], number("the label smoothing", label_smoothing, least=0, below=1)
    xp, z = array_module(logits.data), logits.data
    chosen, counts, weight = _chosen("logits", z, targets, ignore_index, reduction)

    # (…, V) is the largest array of a language model, so it is gone over as few times as possible: -log p_target is
    # log Σ exp(z) - z_target, and exp(z) is kept for the gradient. All z are relative to their largest.
    rows, positions = z.reshape(-1, V), chosen.reshape(-1, 1)
    z, total = xp.empty_like(rows), xp.empty((len(rows), 1), dtype=rows.dtype)
    in_rows(lambda z, rows: xp.subtract(rows, rows.max(axis=-1, keepdims=True), out=z), z, rows)
    z_target = xp.take_along_axis(z, positions, axis=-1)
    z_mean = z.mean(axis=-1, keepdims=True) if eps else 0.0
    in_rows(lambda z, total: xp.exp(z, out=z).sum(axis=-1, keepdims=True, out=total), z, total)
    e = z
    losses = (xp.log(total) - (1 - eps) * z_target - eps * z_mean).reshape(counts.shape)
    # `where` and not only the weight: 0 · inf would be nan.
    losses = xp.where(counts, losses, 0) * weight

    def by_logits(dy: Array) -> Array:
        # d loss / d logits = p - (1-ε) one_hot(target) - ε/V, at the positions that count.
        dz, scale = xp.empty_like(e), (weight * dy).reshape(-1, 1)
        in_rows(lambda dz, e, factor: xp.multiply(e, factor, out=dz), dz, e, scale / total)
        if eps:
            dz -= scale * (eps / V)
        dz[xp.arange(len(dz)), positions[:, 0]] -= (1 - eps) * scale[:, 0]
        dz = dz.reshape(logits.shape)
        return dz if ignore_index is None else xp.where(counts[..., None], dz, 0)

    return record(losses if reduction == "none" else losses.sum(), (logits, by_logits))


def nll_loss(
    log_probabilities: Tensor, targets: Ids, *, ignore_index: int | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """The negative log-likelihood of `targets` where the logarithms of the probabilities are known, in nats:
    `nll_loss(log_softmax(logits), targets)` is `cross_entropy(logits, targets)`.

    Args:
        log_probabilities: (…, V).
        targets: integer array (…); host ids are checked against the number of classes.
        ignore_index, reduction: as for `cross_entropy`.

    Raises:
        InputError: as `cross_entropy`.
    """
    check_reduction(reduction)
    require_tensor(log_probabilities)
    xp, p = array_module(log_probabilities.data), log_probabilities.data
    chosen, counts, weight = _chosen("log-probabilities", p, targets, ignore_index, reduction)
    losses = xp.where(counts, -xp.take_along_axis(p, chosen[..., None], axis=-1)[..., 0], 0) * weight

    def by_log_probabilities(dy: Array) -> Array:
        dp = xp.zeros((chosen.size, p.shape[-1]), dtype=p.dtype)
        dp[xp.arange(len(dp)), chosen.reshape(-1)] = (-weight * dy).reshape(-1)
        return dp.reshape(p.shape)

    return record(losses if reduction == "none" else losses.sum(), (log_probabilities, by_log_probabilities))


def mse_loss(predictions: Tensor, targets: Tensor | ArrayLike, *, reduction: Reduction = "mean") -> Tensor:
    """The squared error (predictions - targets)².

    Args:
        predictions: any shape.
        targets: of the same shape; an array, or a tensor, which receives a gradient too.
        reduction: "mean" over all elements, "sum", or "none" (shape of `targets`).

    Raises:
        InputError: the shapes differ, or the reduction is unknown.
    """
    x, y, weight = _pairs(predictions, targets, reduction)
    difference = x - y
    losses = difference * difference * weight
    return record(
        losses if reduction == "none" else losses.sum(),
        (predictions, lambda dy: 2 * weight * dy * difference),
        (targets, lambda dy: -2 * weight * dy * difference),
    )


def binary_cross_entropy_with_logits(
    logits: Tensor, targets: Tensor | ArrayLike, *, reduction: Reduction = "mean"
) -> Tensor:
    """The cross-entropy of yes and no, -y log p - (1-y) log(1-p) with p = σ(logits), in nats.

    Computed as max(z, 0) - z y + log(1 + e^-|z|), in which no exponential overflows and no logarithm is of 0.

    Args:
        logits: z, any shape.
        targets: y, of the same shape, from 0 for no to 1 for yes; an array, or a tensor, which receives a gradient too.
        reduction: "mean" over all elements, "sum", or "none" (shape of `targets`).

    Raises:
        InputError: the shapes differ, the reduction is unknown, or a target on the host is not from 0 to 1.
    """
    z, y, weight = _pairs(logits, targets, reduction)
    xp = array_module(z)
    if isinstance(y, np.ndarray) and y.size and not (y.min() >= 0 and y.max() <= 1):
        raise InputError(f"targets must be from 0 to 1, not from {y.min():g} to {y.max():g}")
    e = xp.exp(-xp.abs(z))
    losses = (xp.maximum(z, 0) - z * y + xp.log1p(e)) * weight
    p = xp.where(z >= 0, 1, e) / (1 + e)
    return record(
        losses if reduction == "none" else losses.sum(),
        (logits, lambda dy: weight * dy * (p - y)),
        (targets, lambda dy: -weight * dy * z),
    )


def check_reduction(reduction: Reduction) -> None:
    """Refuse what is no reduction, with an InputError."""
    if reduction not in get_args(Reduction):
        raise InputError(f"unknown reduction {reduction!r}: expected 'mean', 'sum' or 'none'")


def _chosen(
    what: str, scores: Array, targets: Ids, ignore_index: int | None, reduction: Reduction
) -> tuple[Array, Array, Array]:
    """Of targets among the V classes of scores (…, V): the class of each (0 where it is ignored), whether it counts,
    and how much its loss weighs; each (…)."""
    targets = check_ids(targets, scores.shape[-1], "target", ignore_index)
    if targets.shape != scores.shape[:-1]:
        raise InputError(f"targets of shape {targets.shape} do not fit {what} of shape {scores.shape}")
    xp, targets = array_module(scores), like(targets, scores)
    counts = xp.ones(targets.shape, dtype=bool) if ignore_index is None else targets != ignore_index
    weight = counts.astype(scores.dtype)
    if reduction == "mean":  # stays on the device: reading the count would wait for the GPU
        weight = weight / xp.maximum(weight.sum(), 1)
    return xp.where(counts, targets, 0), counts, weight


def _pairs(predictions: Tensor, targets: Tensor | ArrayLike, reduction: Reduction) -> tuple[Array, Array, float]:
    """The values of both, and how much each pair weighs."""
    check_reduction(reduction)
    require_tensor(predictions)
    x, y = values(predictions, targets)
    shape = getattr(y, "shape", ())  # a number has none
    if x.shape != shape:
        raise InputError(f"predictions of shape {x.shape} need targets of the same shape, not of {shape}")
    return x, y, 1 / max(x.size, 1) if reduction == "mean" else 1.0
