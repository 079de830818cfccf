"""What stands above the cell on the page of a backward pass: a text, letter by letter, forward and back.

The step is a cell's own, and the loops over time are those of `cells/bptt.py`. From h_t the next letter is told:

    (1)  v_t = V h_t + b_V                      a score for every letter
    (2)  p_t = exp(v_t) / Σ exp(v_t)            softmax: the probability of every letter
    (3)  L_t = -log p_t[target]                 the loss of step t: nothing if the target was certain
    (4)  L   = Σ_t L_t

and back, with y_t for the target as a vector, 1 at its letter and 0 elsewhere:

    (5)  dv_t = p_t - y_t                       as d(-log p[k]) / dv_j = p_j - (1 if j is k)
    (6)  dh_t = Vᵀ dv_t                         what `bptt.py` calls dh_from_above
    (7)  dV = Σ_t dv_t h_tᵀ     db_V = Σ_t dv_t

With I inputs, H units, K letters and a batch of B sequences: columns, h_t (H, B), v_t, p_t, y_t (K, B), V (K, H).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.backend import Array
from minirnn.cells.bptt import Trace, backward_through_time, forward_through_time
from minirnn.cells.cell import Cell, State, Weights


def through_time(
    cell: Cell, mask: Any, w: Weights, out: Weights, x: Array, y: Array, state: State
) -> tuple[dict[str, Any], Trace, Array]:
    """Forward, the loss at every step, and back.

    Args:
        cell: the step.
        mask: a `NoPadding`.
        w, out: the weights of the cell; V (K, H) and b_V (K,).
        x: (T, B, I), the inputs.
        y: (T, B, K), the targets.
        state: arrays (B, H), the state before the first step.

    Returns:
        L, its parts (T, B), and the gradients by what they are of; what the cell's way forward left; dL/dh_t from above
        (T, B, H).
    """
    hs, _, trace = forward_through_time(cell, w, x, state, mask)
    p, losses = read_out_all(out, hs, y)  # (1) to (3)
    L = losses.sum()  # (4)
    d_hs, dV, db_V = read_out_all_back(out, hs, p, y)  # (5) to (7)
    dx, dw, d_state = backward_through_time(cell, w, trace, d_hs, [None for _ in state])
    gradients = {**dw, "V": dV, "b_V": db_V, "x": dx, "state": d_state}
    return {"L": L, "losses": losses, "gradients": gradients}, trace, d_hs


def read_out_all(out: Weights, hs: Array, y: Array) -> tuple[Array, Array]:
    """(1) to (3) for all t, from the h_t (T, B, H): the probabilities (T, B, K), and the losses (T, B)."""
    p, losses = np.empty_like(y), np.empty_like(y[:, :, 0])
    for t in range(len(hs)):
        p[t], losses[t] = read_out(out, hs[t].T, y[t].T)
    return p, losses


def read_out_all_back(out: Weights, hs: Array, p: Array, y: Array) -> tuple[Array, Array, Array]:
    """(5) to (7): dL/dh_t from above (T, B, H), dV and db_V."""
    d_hs, dV, db_V = np.empty_like(hs), np.zeros_like(out.V), np.zeros_like(out.b_V)
    for t in reversed(range(len(hs))):
        d_hs[t], dV_t, db_V_t = read_out_back(out, hs[t].T, p[t].T, y[t].T)
        dV += dV_t  # (7)
        db_V += db_V_t  # (7)
    return d_hs, dV, db_V


def read_out(out: Weights, h: Array, y: Array) -> tuple[Array, Array]:
    """(1) to (3): the probabilities, as a row (B, K) for each sequence, and the loss (B,)."""
    v = out.V @ h + out.b_V[:, None]  # (1)
    e = np.exp(v - v.max(axis=0))  # (2); less the largest, so that nothing overflows: (2) is the same
    p = e / e.sum(axis=0)  # (2)
    loss = -np.log((p * y).sum(axis=0))  # (3): y chooses the target's probability
    return p.T, loss


def read_out_back(out: Weights, h: Array, p: Array, y: Array) -> tuple[Array, Array, Array]:
    """(5) to (7): dL_t/dh_t as rows (B, H), and what step t adds to dV and db_V."""
    dv = p - y  # (5)
    dh = out.V.T @ dv  # (6)
    dV_t = dv @ h.T  # (7)
    db_V_t = dv.sum(axis=1)  # (7)
    return dh.T, dV_t, db_V_t


def stretch(trace: Trace, first: int, end: int) -> Trace:
    """What was left by the steps from `first` to before `end`."""
    return Trace(trace.x[first:end], trace.hs[first : end + 1], trace.kept[first:end], trace.mask)


def contributions(cell: Cell, w: Weights, trace: Trace, d_hs: Array) -> list[list[dict[str, Array]]]:
    """The triangle: for loss t and step k ≤ t the gradients of the weights that L_t sends through step k.

    All of them together are the gradient: dU = Σ_t Σ_{k≤t} of (t, k). L_t goes back to step k and no further in a walk
    over the steps k to t; what step k has added is the difference to the walk that ends at k+1.

    Returns:
        A list for each t, of the steps 0 to t.
    """
    triangle = []
    for t in range(len(d_hs)):
        row = []
        so_far: dict[str, Array] = {}
        for k in reversed(range(t + 1)):
            only_last = np.zeros_like(d_hs[k : t + 1])
            only_last[t - k] = d_hs[t]
            nothing = [None for _ in range(cell.num_states)]
            _, dw, _ = backward_through_time(cell, w, stretch(trace, k, t + 1), only_last, nothing)
            row.append({name: d - so_far[name] if so_far else d for name, d in dw.items()})
            so_far = dw
        triangle.append([row[t - k] for k in range(t + 1)])
    return triangle


def reach(cell: Cell, w: Weights, trace: Trace, which: int) -> Array:
    """How much of a change of the state before step k is left after the last step: for each k the root mean square of
    the singular values of ∂s_T/∂s_k, s being array `which` of the state. Where it is 1, changes keep their size; its
    fall or growth with the distance is what vanishing and exploding gradients are.

    Returns:
        (T,).
    """
    T, H, B = len(trace.kept), w.U.shape[1], trace.x.shape[1]
    squares = np.zeros(T)
    for unit in range(H):
        dstate: State = tuple(np.zeros((H, B)) for _ in range(cell.num_states))
        dstate[which][unit] = 1
        for t in reversed(range(T)):
            da = np.empty((len(w.b) + cell.extra_blocks * H, B))
            dstate = cell.backward(w, trace.kept[t], dstate, da)
            squares[t] += (dstate[which] * dstate[which]).sum()
    return np.sqrt(squares / H / B)
