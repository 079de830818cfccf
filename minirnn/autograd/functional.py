"""Operations that neural networks are made of: softmax, cross-entropy, the linear map, embedding, dropout, attention.

Each could be composed from `ops`; as one operation it is steadier in floating point and quicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.autograd import ops
from minirnn.autograd.tape import Pending, pending_product
from minirnn.autograd.tensor import Tensor, record, record_many
from minirnn.backend import Array, array_module, like
from minirnn.errors import InputError
from minirnn.parallel import product


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
    """
    if reduction not in ("mean", "sum", "none"):
        raise InputError(f"unknown reduction {reduction!r}: expected 'mean', 'sum' or 'none'")
    if not 0 <= label_smoothing < 1:
        raise InputError(f"label smoothing {label_smoothing} is not in [0, 1)")
    V, eps = logits.shape[-1], float(label_smoothing)
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


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x (…, in), W (out, in) and b (out,), as one product over all the leading axes.

    Raises:
        TypeError: x is not a Tensor, or float32 meets float64.
    """
    require_tensor(x)
    ops.values(x, weight, *([] if bias is None else [bias]))  # refuses a mix of float32 and float64
    rows, W = x.data.reshape(-1, x.shape[-1]), weight.data
    y = product(rows, W.T).reshape(*x.shape[:-1], len(W))
    if bias is not None:
        y += bias.data

    def as_rows(dy: Array) -> Array:
        return dy.reshape(-1, len(W))

    return record(
        y,
        (x, lambda dy: product(as_rows(dy), W).reshape(x.shape)),
        (weight, lambda dy: pending_product(as_rows(dy), rows)),
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


def pack(x: Tensor, lengths: Any) -> Tensor:
    """The real steps of padded sequences, without the padding: (T, B, features) to (Σ lengths, features), time by time.

    Args:
        x: (T, B, features).
        lengths: (B,) host integers, each 0 … T.

    Raises:
        InputError: a length is missing or out of range.
    """
    T, B, features = x.shape
    lengths = np.asarray(lengths)
    if lengths.shape != (B,) or (B and not 0 <= lengths.min() <= lengths.max() <= T):
        raise InputError(f"expected {B} lengths between 0 and {T}, not {lengths}")
    real = like(np.flatnonzero(np.arange(T)[:, None] < lengths), x.data)

    def by_x(dy: Array) -> Array:
        dx = array_module(dy).zeros((T * B, features), dtype=x.dtype)
        dx[real] = dy
        return dx.reshape(T, B, features)

    return record(x.data.reshape(T * B, features)[real], (x, by_x))


def one_hot(ids: Array, size: int, reference: Array) -> Tensor:
    """A constant (…, size), 1 at each id and 0 elsewhere, in the dtype and on the device of `reference`.

    Raises:
        InputError: a host id is out of range.
    """
    xp, ids = array_module(reference), like(check_ids(ids, size), reference)
    return Tensor((ids[..., None] == xp.arange(size)).astype(reference.dtype))


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
    if not 0 <= p < 1:
        raise InputError(f"dropout probability {p} is not in [0, 1)")
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
    factors = like(factors, a.data)
    return record(a.data * factors, (a, lambda dy: dy * factors))


def layer_norm(a: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    """γ n + b with n = (a - mean a) / sqrt(var a + ε) over the last axis (Ba, Kiros & Hinton 2016).

    Args:
        a: (…, features).
        gain, bias: γ and b, (features,).
        epsilon: ε.
    """
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


def additive_scores(query: Tensor, keys: Tensor, w: Tensor) -> Tensor:
    """e_bs = wᵀ tanh(q_b + k_bs), the additive attention score after its projections (Bahdanau et al. 2015).

    Args:
        query: (B, A).
        keys: (B, S, A).
        w: (A,).

    Returns:
        (B, S).
    """
    xp = array_module(keys.data)
    ops.values(query, keys, w)
    t = xp.tanh(keys.data + query.data[:, None, :])
    vector = w.data

    def backward(de: Array | None) -> list[Array | None]:
        # With a = q + k and t = tanh(a): da = de w (1 - t²), dk = da, and dq is the sum of da over all keys it has met.
        assert de is not None
        da = t * t
        xp.subtract(1, da, out=da)
        da *= vector
        da *= de[..., None]
        return [da.sum(axis=1), da, t.reshape(-1, t.shape[-1]).T @ de.reshape(-1)]

    return record_many((t @ vector,), [query, keys, w], backward)[0]


def dot_scores(query: Tensor, keys: Tensor) -> Tensor:
    """e_bs = q_bᵀ k_bs for queries (B, A) and keys (B, S, A): (B, S).

    Back: dq_b = Σ_s de_bs k_bs and dk_bs = de_bs q_b. Gradients of keys that are used again and again
    are collected and summed in one product.
    """
    q, k = ops.values(query, keys)
    return record(
        (k @ q[:, :, None])[..., 0],
        (query, lambda de: (de[:, None, :] @ k)[:, 0]),
        (keys, lambda de: _pending_outer(de, q)),
    )


def weighted_sum(weights: Tensor, values: Tensor) -> Tensor:
    """c_b = Σ_s α_bs v_bs for weights (B, S) and values (B, S, E): (B, E). Back: dα_bs = v_bsᵀ dc_b and
    dv_bs = α_bs dc_b."""
    alpha, v = ops.values(weights, values)
    return record(
        (alpha[:, None, :] @ v)[:, 0],
        (weights, lambda dc: (v @ dc[:, :, None])[..., 0]),
        (values, lambda dc: _pending_outer(alpha, dc)),
    )


def _pending_outer(a: Array, b: Array) -> Pending:
    """For each row of the batch the outer product of a (B, n) and b (B, m), as a sum still to be made: (B, n, m)."""

    def total(parts: list) -> Array:
        xp = array_module(parts[0][0])
        return xp.stack([a for a, _ in parts], axis=2) @ xp.stack([b for _, b in parts], axis=1)

    return Pending([(a, b)], total, (*a.shape, b.shape[1]), "outer")
