"""From scores to probabilities, and from probabilities to the loss: softmax and cross-entropy.

As one operation each they are steadier in floating point than composed of exp, sum and log: exp never sees a number
above 0, and the logarithm is taken of a sum that is at least 1.
"""

from __future__ import annotations

import numpy as np

from minirnn.arguments import number
from minirnn.autograd.recording import record
from minirnn.autograd.sequences import check_ids
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, like
from minirnn.errors import InputError


def log_softmax(a: Tensor, axis: int = -1) -> Tensor:
    """log(exp(a) / Σ exp(a)) along `axis`, computed as (a - m) - log Σ exp(a - m) with m = max(a).

    >>> np.round(log_softmax(Tensor([0.0, 0.0])).numpy().astype(float), 4).tolist()
    [-0.6931, -0.6931]
    """
    require_tensor(a)
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
    targets: Array,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
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
    if reduction not in ("mean", "sum", "none"):
        raise InputError(f"unknown reduction {reduction!r}: expected 'mean', 'sum' or 'none'")
    require_tensor(logits)
    V, eps = logits.shape[-1], number("the label smoothing", label_smoothing, least=0, below=1)
    targets = check_ids(targets, V, "target", ignore_index)
    if targets.shape != logits.shape[:-1]:
        raise InputError(f"targets of shape {targets.shape} do not fit logits of shape {logits.shape}")
    xp, z = array_module(logits.data), logits.data
    targets = like(targets, z)
    counts = xp.ones(targets.shape, dtype=bool) if ignore_index is None else targets != ignore_index
    chosen = xp.where(counts, targets, 0)
    weight = counts.astype(z.dtype)
    if reduction == "mean":  # stays on the device: reading the count would wait for the GPU
        weight = weight / xp.maximum(weight.sum(), 1)

    # (…, V) is the largest array of a language model, so it is gone over as few times as possible: -log p_target is
    # log Σ exp(z) - z_target, and exp(z) is kept for the gradient. All z are relative to their largest.
    z = z - z.max(axis=-1, keepdims=True)
    z_target = xp.take_along_axis(z, chosen[..., None], axis=-1)[..., 0]
    z_mean = z.mean(axis=-1) if eps else 0.0
    e = xp.exp(z, out=z)
    total = e.sum(axis=-1)
    losses = xp.log(total) - (1 - eps) * z_target - eps * z_mean
    # `where` and not only the weight: 0 · inf would be nan.
    losses = xp.where(counts, losses, 0) * weight

    def by_logits(dy: Array) -> Array:
        # d loss / d logits = p - (1-ε) one_hot(target) - ε/V, at the positions that count.
        scale = weight * dy
        dz = (e * (scale / total)[..., None]).reshape(-1, V)
        scale = scale.reshape(-1)
        if eps:
            dz -= (scale * (eps / V))[:, None]
        dz[xp.arange(len(dz)), chosen.reshape(-1)] -= (1 - eps) * scale
        dz = dz.reshape(logits.shape)
        return dz if ignore_index is None else xp.where(counts[..., None], dz, 0)

    return record(losses if reduction == "none" else losses.sum(), (logits, by_logits))
