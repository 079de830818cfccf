"""What the page of attention computes: at every step one look at all source positions, forward and back.

The engine's own operations (`autograd/attention.py`, `layers/attention.py`) do the same for whole batches, and hand
gradients on by the tape; here is what they compute, for one sentence. A source position s has the vector v_s (the
encoder's output), and a step t asks with a query q (the decoder's h_t). With the general score (Luong, Pham & Manning
2015):

    (1)  k_s = W v_s                            the keys, once for all steps
    (2)  e_s = k_sᵀ q                           how well position s fits the query
    (3)  α_s = exp(e_s) / Σ_u exp(e_u)          the weights
    (4)  c   = Σ_s α_s v_s                      the context
    (5)  r   = O c + b_O                        a score for every letter
    (6)  p   = exp(r) / Σ exp(r)                and its probability
    (7)  L_t = -log p[target]       L = Σ_t L_t

and back, with y for the target as a vector:

    (8)  dr  = p - y
    (9)  dc  = Oᵀ dr                            dO = Σ_t dr cᵀ      db_O = Σ_t dr
    (10) dα_s = v_sᵀ dc                         the first road to v_s, as a value:  dv_s = Σ_t α_s dc
    (11) de_s = α_s * (dα_s - Σ_u α_u dα_u)     all weights depend on all scores, as they sum to 1
    (12) dq  = Σ_s de_s k_s                     dk_s = Σ_t de_s q
    (13) dW  = Σ_s dk_s v_sᵀ                    the second road to v_s, as a key:  dv_s = Wᵀ dk_s

With S positions of E features, T queries of Q and K letters: memory (S, E), keys (S, Q), queries (T, Q), W (Q, E),
O (K, E).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.backend import Array
from minirnn.cells.cell import Weights


def attend(w: Weights, memory: Array, queries: Array, y: Array) -> dict[str, Any]:
    """All steps forward, and back.

    Args:
        w: W, O and b_O.
        memory: (S, E), a v_s in each row.
        queries: (T, Q), a query in each row.
        y: (T, K), the targets.

    Returns:
        L, its parts (T,), and the gradients by what they are of.
    """
    keys = memory @ w.W.T  # (1)
    kept, losses = [], np.empty_like(y[:, 0])
    for t in range(len(queries)):
        losses[t], kept_t = look(w, keys, memory, queries[t], y[t])
        kept.append(kept_t)
    L = losses.sum()  # (7)
    dO, db_O = np.zeros_like(w.O), np.zeros_like(w.b_O)
    d_queries = np.empty_like(queries)
    d_values, d_keys = np.zeros_like(memory), np.zeros_like(keys)
    for t in reversed(range(len(queries))):
        dO_t, db_O_t, d_values_t, d_keys_t, dq = look_back(w, keys, memory, queries[t], y[t], kept[t])
        d_queries[t] = dq
        dO += dO_t  # (9)
        db_O += db_O_t  # (9)
        d_values += d_values_t  # (10): all steps have looked at the same v_s
        d_keys += d_keys_t  # (12)
    dW = d_keys.T @ memory  # (13)
    d_memory = d_values + d_keys @ w.W  # (13): v_s was used twice, as a value and as a key
    gradients = {"W": dW, "O": dO, "b_O": db_O, "memory": d_memory, "queries": d_queries}
    return {"L": L, "losses": losses, "gradients": gradients}


def look(w: Weights, keys: Array, memory: Array, q: Array, y: Array) -> tuple[Array, tuple[Array, ...]]:
    """One step forward: its loss, and what the way back needs."""
    e = keys @ q  # (2)
    exp_e = np.exp(e - e.max())  # (3); less the largest, so that nothing overflows: (3) is the same
    alpha = exp_e / exp_e.sum()  # (3)
    c = alpha @ memory  # (4)
    r = w.O @ c + w.b_O  # (5)
    exp_r = np.exp(r - r.max())  # (6)
    p = exp_r / exp_r.sum()  # (6)
    loss = -np.log((p * y).sum())  # (7)
    return loss, (alpha, c, p)


def look_back(w: Weights, keys: Array, memory: Array, q: Array, y: Array, kept: tuple[Array, ...]) -> tuple[Array, ...]:
    """One step back: what it adds to dO, db_O, the gradients of the values and of the keys; and dq."""
    alpha, c, p = kept
    dr = p - y  # (8)
    dc = w.O.T @ dr  # (9)
    dO = np.outer(dr, c)  # (9)
    d_alpha = memory @ dc  # (10)
    d_values = np.outer(alpha, dc)  # (10)
    de = alpha * (d_alpha - (alpha * d_alpha).sum())  # (11)
    dq = de @ keys  # (12)
    d_keys = np.outer(de, q)  # (12)
    return dO, dr, d_values, d_keys, dq
