"""Backpropagation through time, written once for every cell (Werbos 1990).

A recurrent network is one cell applied over and over: h_t depends on x_t and on h_{t-1}. Forward we walk along the
sequence and keep what each step will need. Backward we walk the other way, and at every step the gradient of h_t has
two sources, because h_t was used twice: as the output at time t, and as the input of step t+1.

    (1)  W x_t + b                                 before the loop, for all t
    (2)  h_t from h_{t-1}                          in the loop, from t = 1 to T: the cell's forward
    (3)  dh_t = dh_from_above + dh_from_future     in the loop, from t = T to 1, and then the cell's backward
    (4)  dW = Σ_t da_t x_tᵀ     db = Σ_t da_t      after the loop
    (5)  dU = Σ_t da_t h_{t-1}ᵀ                    after the loop
    (6)  dx_t = Wᵀ da_t                            after the loop, for all t

where da_t is the gradient with respect to (1), and "above" is whatever reads the output: the loss, or the next layer.
From outside the step, any further state (the LSTM's c) has only the second source.

The same W is used at every step, so its gradient is the sum of what each step sends back. The textbook adds it up in
the loop, dW += da_t x_tᵀ. That is right, but slow: T products of thin matrices, each read and written anew. No step
waits for dW, and neither for (1), (5) and (6), so they leave the loop. With the columns da_t of all steps side by side,
and the rows x_t below one another, the sum of products is one product: [da_1 … da_T] [x_1 … x_T]ᵀ.

Truncation. Each h_t depends on all earlier ones, so the exact gradient of a long text needs every step kept, and a walk
back to the start after each new one. Truncated BPTT (Williams & Peng 1990) cuts the text into stretches of some
dozen steps, hands the state from one to the next, and detaches it (`minirnn.detach`): its value goes on, and the way
back ends there. Memory and time are then those of a stretch. What is lost: no gradient says that something should have
been remembered from before the stretch; what the state happens to hold from there is used all the same.

Outside, arrays are (time, batch, features); inside the loop they are columns, (features, batch), as in the equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from minirnn.autograd.recording import needs_grad, record_many
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, Lengths, array_module
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.checks import check_shapes
from minirnn.cells.padding import PaddingMask


class Trace(NamedTuple):
    """What the way forward leaves for the way back."""

    x: Array  # (T, B, I), in the order of the walk, 0 on padding
    hs: Array  # (T+1, B, H): h before the first step, and after each
    kept: Any  # for each step what the cell kept
    mask: PaddingMask


def unroll(
    cell: Cell,
    x: Tensor,
    weights: Mapping[str, Tensor],
    state: Sequence[Tensor],
    lengths: Lengths | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Apply `cell` along time, as one operation of the autograd core.

    Args:
        cell: the step.
        x: (T, B, I), the input sequence.
        weights: the cell's weights by name, of the shapes `cell.weight_shapes` gives.
        state: `cell.num_states` tensors (B, H), the state before the first step.
        lengths: (B,) host integers; steps at and beyond a sequence's length are padding. None: all are T.
        reverse: walk from each sequence's last real step to its first.

    Returns:
        The output (T, B, H), which is h at each step and 0 on padding, and the state (B, H) after each sequence's last
        real step.

    Raises:
        InputError: a shape, a length or the number of states does not fit.
        TypeError: something is not a Tensor, or float32 meets float64.
    """
    check_shapes(cell, x, weights, state)
    w = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
    inputs = [x, *weights.values(), *state]
    mask, initial = PaddingMask(lengths, x.data, reverse), tuple(s.data for s in state)
    output, final, trace = forward_through_time(cell, w, turned(x.data, reverse), initial, mask, needs_grad(inputs))

    def backward(d_output: Array | None, *d_final: Array | None) -> list[Array | None]:
        dx, dw, d_initial = backward_through_time(cell, w, trace, turned(d_output, reverse), d_final, x.requires_grad)
        return [turned(dx, reverse), *(dw[name] for name in weights), *d_initial]

    y, *states = record_many((turned(output, reverse), *final), inputs, backward)
    return y, tuple(states)


def turned(sequence: Any, reverse: bool) -> Any:
    """A sequence (T, …) as it is walked: if `reverse`, from its last step to its first. None stays None."""
    return sequence[::-1] if reverse and sequence is not None else sequence


def forward_through_time(
    cell: Cell, w: Weights, x: Array, state: State, mask: PaddingMask, keep: bool = True
) -> tuple[Array, State, Trace]:
    """All steps forward; shapes as for `unroll`. Without `keep` there is no way back, which saves most memory."""
    xp, (T, B, _), H = array_module(x), x.shape, w.U.shape[1]
    real_x = mask.zeroed(x)  # nothing that stands in the padding may reach a sum over time
    wx = input_products(cell, w, real_x)  # (1)
    hs, kept = xp.empty((T + 1, B, H), dtype=x.dtype), []
    hs[0] = state[0]
    columns: State = tuple(xp.ascontiguousarray(s.T) for s in state)  # each (H, B)
    for t in range(T):
        new, step_kept = cell.forward(w, wx[t], columns)  # (2)
        columns = mask.choose(t, new, columns)  # a padded step leaves the state as it is
        hs[t + 1] = columns[0].T
        if keep:
            kept.append(step_kept)
    return mask.zeroed(hs[1:]), tuple(s.T for s in columns), Trace(real_x, hs, kept, mask)


def backward_through_time(
    cell: Cell, w: Weights, trace: Trace, d_output: Array | None, d_final: Sequence[Array | None], needs_dx: bool = True
) -> tuple[Array | None, dict[str, Array], State]:
    """All steps back.

    Args:
        cell, w: as on the way forward.
        trace: what `forward_through_time` left.
        d_output, d_final: the gradients of the output (T, B, H) and of each array (B, H) of the final state; None where
            the loss does not depend on it.
        needs_dx: whether the gradient with respect to the input is wanted; it costs a product.

    Returns:
        The gradients of the input (T, B, I), None without `needs_dx`; of the weights by name; of the initial state.
    """
    mask, xp, (T, B, _), H = trace.mask, array_module(trace.x), trace.x.shape, w.U.shape[1]
    zero = xp.zeros((H, B), dtype=trace.x.dtype)
    da = xp.empty((len(w.b) + cell.extra_blocks * H, T, B), dtype=trace.x.dtype)
    from_above = None if d_output is None else mask.zeroed(d_output)
    # Behind the last step there is no further step: what the loss says about the final state stands in for what that
    # step would have sent back.
    dh_from_future, *d_memory = (zero if d is None else d.T for d in d_final)
    for t in reversed(range(T)):
        dh_from_above = zero if from_above is None else from_above[t].T
        dh = dh_from_above + dh_from_future  # (3): h_t was used twice, so two gradients add
        d_prev = cell.backward(w, trace.kept[t], (dh, *d_memory), da[:, t])
        dh_from_future, *d_memory = mask.choose(t, d_prev, (dh, *d_memory))  # a padded step only hands the state on
    dx, dw = sums_over_time(cell, w, mask.zeroed_columns(da), trace, needs_dx)  # a padded step sends nothing back
    return dx, dw, (dh_from_future.T, *(d.T for d in d_memory))


def input_products(cell: Cell, w: Weights, x: Array) -> Array:
    """(1) for all t: W x_t + b, or W x_t where the cell adds b itself, as (T, rows, B)."""
    wx = w.W @ x.transpose(0, 2, 1)
    if not cell.adds_bias:
        wx += w.b[:, None]  # in place: without a way back nothing else is as large
    return wx


def sums_over_time(cell: Cell, w: Weights, da: Array, trace: Trace, needs_dx: bool) -> tuple[Any, dict[str, Array]]:
    """(4), (5) and (6), from the da (rows + extra_blocks · H, T, B) of all steps: dx, and the gradients of weights."""
    (T, B, features), H = trace.x.shape, trace.hs.shape[2]
    side_by_side = da.reshape(len(da), T * B)  # the columns da_t in the order of the rows of x and h_{t-1}
    x, h_prev = trace.x.reshape(T * B, features), trace.hs[:-1].reshape(T * B, H)
    dw = weight_gradients(cell, side_by_side, x, h_prev, trace.kept)
    return (side_by_side[: len(w.b)].T @ w.W).reshape(T, B, features) if needs_dx else None, dw  # (6)


def weight_gradients(cell: Cell, da: Array, x: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
    """(4) and (5), by name, from the da (…, T·B), x (T·B, I) and h_{t-1} (T·B, H) of all steps. (dU is the cell's to
    make: some multiply U by something else than h_{t-1}, or have further weights.)"""
    da_gates = da[: len(da) - cell.extra_blocks * h_prev.shape[1]]
    dw = {"W": da_gates @ x, "b": da_gates.sum(axis=1)}  # (4)
    return dw | cell.weight_gradients(da, h_prev, kept)  # (5)
