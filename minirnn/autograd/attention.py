"""What attention is made of: the scores of queries and keys, and the weighted sum of values.

Keys and values are the same at every step of a decoder, so their gradients are sums over the steps: `Pending`, until
the walk back has come to what computed them.
"""

from __future__ import annotations

from minirnn.autograd import ops
from minirnn.autograd.pending import Pending
from minirnn.autograd.recording import record, record_many
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module
from minirnn.parallel import in_rows, product


def additive_scores(query: Tensor, keys: Tensor, w: Tensor) -> Tensor:
    """e_bs = wᵀ tanh(q_b + k_bs), the additive attention score after its projections (Bahdanau et al. 2015).

    Args:
        query: (B, A).
        keys: (B, S, A).
        w: (A,).

    Returns:
        (B, S).
    """
    require_tensor(query, keys, w)
    ops.values(query, keys, w)  # refuses a mix of float32 and float64
    xp, q, k, vector = array_module(keys.data), query.data, keys.data, w.data
    t, e = xp.empty(k.shape, dtype=k.dtype), xp.empty(k.shape[:2], dtype=k.dtype)

    def scores(t: Array, e: Array, k: Array, q: Array) -> None:
        xp.tanh(xp.add(k, q[:, None, :], out=t), out=t)
        e[:] = product(t, vector)

    def backward(de: Array | None) -> list[Array | None]:
        # With a = q + k and t = tanh(a): da = de w (1 - t²), dk = da, and dq is the sum of da over all keys it has met.
        assert de is not None
        da, dq = xp.empty_like(t), xp.empty_like(q)

        def derivatives(da: Array, dq: Array, t: Array, de: Array) -> None:
            xp.subtract(1, xp.multiply(t, t, out=da), out=da)
            da *= vector
            da *= de[..., None]
            da.sum(axis=1, out=dq)

        in_rows(derivatives, da, dq, t, de)
        return [dq, da, product(t.reshape(-1, t.shape[-1]).T, de.reshape(-1))]

    in_rows(scores, t, e, k, q)
    return record_many((e,), [query, keys, w], backward)[0]


def dot_scores(query: Tensor, keys: Tensor) -> Tensor:
    """e_bs = q_bᵀ k_bs for queries (B, A) and keys (B, S, A): (B, S).

    Back: dq_b = Σ_s de_bs k_bs and dk_bs = de_bs q_b. Gradients of keys that are used again and again
    are collected and summed in one product.
    """
    require_tensor(query, keys)
    q, k = ops.values(query, keys)
    return record(
        product(k, q[:, :, None])[..., 0],
        (query, lambda de: product(de[:, None, :], k)[:, 0]),
        (keys, lambda de: _pending_outer(de, q)),
    )


def weighted_sum(weights: Tensor, values: Tensor) -> Tensor:
    """c_b = Σ_s α_bs v_bs for weights (B, S) and values (B, S, E): (B, E). Back: dα_bs = v_bsᵀ dc_b and
    dv_bs = α_bs dc_b."""
    require_tensor(weights, values)
    alpha, v = ops.values(weights, values)
    return record(
        product(alpha[:, None, :], v)[:, 0],
        (weights, lambda dc: product(v, dc[:, :, None])[..., 0]),
        (values, lambda dc: _pending_outer(alpha, dc)),
    )


def pointed(weights: Tensor, at: Array) -> Tensor:
    """1 at the positions `at` (B,), drawn with the probabilities `weights` (B, S), and 0 elsewhere: (B, S).

    A choice has no gradient by what it was drawn with. What goes back in its place is that of its log-probability,
    where it was made: dα_bs = dz_bs / α_bs at s = at_b. Summed with the advantages of the choices as factors, that is
    the estimate of REINFORCE (Williams 1992).
    """
    require_tensor(weights)
    xp, alpha = array_module(weights.data), weights.data
    z = (xp.arange(alpha.shape[1]) == at[:, None]).astype(alpha.dtype)
    return record(z, (weights, lambda dz: z * dz / xp.where(z > 0, alpha, 1)))


def _pending_outer(a: Array, b: Array) -> Pending:
    """For each row of the batch the outer product of a (B, n) and b (B, m), as a sum still to be made: (B, n, m)."""

    def total(parts: list) -> Array:
        xp = array_module(parts[0][0])
        return product(xp.stack([a for a, _ in parts], axis=2), xp.stack([b for _, b in parts], axis=1))

    return Pending([(a, b)], total, (*a.shape, b.shape[1]), "outer")
