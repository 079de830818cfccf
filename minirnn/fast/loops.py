"""The whole loop over time on the CPU, compiled by Numba: forward in one call, and back in another.

It stands in for `forward_through_time` and `backward_through_time` of `bptt.py`, whose equations have their numbers
here too. What is between two products is then no call of NumPy, for which a thread would wait for Python's lock, but a
few instructions; and the products are those of `packed.py`, in tiles that stay in registers.

The steps are in `steps.py`, where the names of arrays are explained. All arrays are rows here, (T, B, …), as outside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn.backend import Array
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import GRUCell, GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.lstm_variants import LSTMVariantCell
from minirnn.cells.padding import PaddingMask
from minirnn.cells.rnn import RNNCell
from minirnn.fast import steps
from minirnn.fast.packed import add_product, pack, pack_transposed, two_sums_of_products
from minirnn.fast.registers import compiled
from minirnn.fast.steps import C_PREV, GRU_S, C, step, step_back
from minirnn.parallel import cut, in_parallel, worthwhile

AT_ONCE = 64
"""Rows of W x_t + b that are computed before the steps that need them: few enough to be in the cache then."""

FEWEST_PACKED = 1 << 16
"""Numbers of the weights, for each square of the number of threads, below which one thread packs them all."""

FEWEST_ROWS = 6
"""Rows that a matrix is multiplied by in all, below which it is not worth packing."""


@compiled
def walk(w: Any, x: Array, hs: Array, c: Array, kept: Array, real: Array) -> None:
    """All steps forward.

    Args:
        w: the weights of `steps.py`.
        x: (T, B, I), finite on padding.
        hs: (T+1, B, H), of which the first is given and the others are filled in.
        c: (B, H), the memory, which is changed; of a cell without one, anything.
        kept: (T, K, B, H), to be filled; or (1, K, B, H), to be used again and again, where nothing need be kept.
        real: (T, B), which steps are no padding.
    """
    T, B, features = x.shape
    some = max(1, min(T, AT_ONCE // max(1, B)))
    a = np.empty((some * B, len(w.b)), x.dtype)
    for first in range(0, T, some):
        last = min(T, first + some)
        for row in a:
            row[:] = w.b
        add_product(x[first:last].reshape(((last - first) * B, features)), 0, w.W, a, 0)  # (1)
        for t in range(first, last):
            step_a = a[(t - first) * B : (t - first + 1) * B]
            step(w, step_a, hs[t], hs[t + 1], c, kept[t if len(kept) > 1 else 0], real[t])  # (2)


@compiled
def walk_back(w: Any, kept: Array, d_output: Array, dh: Array, dc: Array, da: Array, real: Array) -> None:
    """All steps back.

    Args:
        w, kept, real: as for `walk`.
        d_output: (T, B, H), the gradient of the output, finite on padding.
        dh, dc: (B, H), from the gradients of the final state to those of the initial state.
        da: (T, B, …), to be filled.
    """
    before = np.empty_like(dh)
    for t in range(len(kept) - 1, -1, -1):
        padded = not real[t].all()
        if padded:
            before[:] = dh
        step_back(w, kept[t], d_output[t], dh, dc, da[t], real[t])  # (3)
        if padded:  # a padded step only hands the state on; 0 times what is not finite would not be 0
            for n in range(len(dh)):
                if not real[t, n]:
                    dh[n] = before[n]


@compiled
def column_sums(da: Array, at: int, columns: int) -> Array:
    """The sums of so many columns of da (T·B, …), from `at` on."""
    total = np.zeros(columns, da.dtype)
    for i in range(len(da)):
        row = da[i, at : at + columns]
        for j in range(columns):
            total[j] += row[j]
    return total


# The gradients of the weights take two functions for each cell. The first makes of a part of the batch what the second
# needs, and the sums of all that is small. The second adds up some rows of dW and dU.


@compiled
def share_of_one_product(w: Any, da: Array, x: Array, h_prev: Array, kept: Array) -> tuple[Any, ...]:
    """x, h_{t-1}, and db."""
    return pack(x), pack(h_prev), column_sums(da, 0, len(w.b))


@compiled
def share_of_peephole_lstm(w: Any, da: Array, x: Array, h_prev: Array, kept: Array) -> tuple[Any, ...]:
    """The same, and dp."""
    (T, _, B, H), dp = kept.shape, np.zeros((3, h_prev.shape[1]), da.dtype)
    for t in range(T):
        for n in range(B):
            da_i, da_f, da_o = da[t * B + n, :H], da[t * B + n, H : 2 * H], da[t * B + n, 3 * H :]
            before, after = kept[t, C_PREV, n], kept[t, C, n]
            dp_i, dp_f, dp_o = dp[0], dp[1], dp[2]
            for u in range(H):  # (15) of `lstm_variants.py`
                dp_i[u] += da_i[u] * before[u]
                dp_f[u] += da_f[u] * before[u]
                dp_o[u] += da_o[u] * after[u]
    return pack(x), pack(h_prev), column_sums(da, 0, len(w.b)), dp


@compiled
def share_of_gru(w: Any, da: Array, x: Array, h_prev: Array, kept: Array) -> tuple[Any, ...]:
    """x, h_{t-1}, s, and db."""
    T, _, B, H = kept.shape
    s = np.ascontiguousarray(kept[:, GRU_S]).reshape((T * B, H))
    return pack(x), pack(h_prev), pack(s), column_sums(da, 0, 3 * H)


@compiled
def share_of_gru_after(w: Any, da: Array, x: Array, h_prev: Array, kept: Array) -> tuple[Any, ...]:
    """x, h_{t-1}, db and db_u."""
    H = h_prev.shape[1]
    return pack(x), pack(h_prev), column_sums(da, 0, 3 * H), column_sums(da, 3 * H, H)


@compiled
def rows_of_one_product(
    da: Array, share: tuple[Any, ...], dW: Array, dU: Array, first: int, last: int, fresh: bool
) -> None:
    """What a part of the batch adds to the rows `first` to `last` of dW and dU, or, if `fresh`, is to write there."""
    two_sums_of_products(da, first, share[0], dW[first:last], first, share[1], dU[first:last], fresh)


@compiled
def rows_of_gru(da: Array, share: tuple[Any, ...], dW: Array, dU: Array, first: int, last: int, fresh: bool) -> None:
    """The same: U_n has met s instead of h_{t-1}, (10) of `gru.py`."""
    to = min(max(first, len(dU) // 3 * 2), last)  # where its rows begin
    two_sums_of_products(da, first, share[0], dW[first:to], first, share[1], dU[first:to], fresh)
    two_sums_of_products(da, to, share[0], dW[to:last], to, share[2], dU[to:last], fresh)


@compiled
def rows_of_gru_after(
    da: Array, share: tuple[Any, ...], dW: Array, dU: Array, first: int, last: int, fresh: bool
) -> None:
    """The same: U_n has sent dq instead of da_n, (10) of the other GRU."""
    H = len(dU) // 3
    to = min(max(first, 2 * H), last)
    two_sums_of_products(da, first, share[0], dW[first:to], first, share[1], dU[first:to], fresh)
    two_sums_of_products(da, to, share[0], dW[to:last], to + H, share[1], dU[to:last], fresh)


class Compiled(NamedTuple):
    """What is to be known of a cell: its weights, how many arrays (B, H) a step keeps, and the two functions that make
    the gradients of the weights. What the first makes ends with those of the weights named; and it may look at what
    steps have kept."""

    weights: Any
    kept: int
    share: Any
    rows: Any
    names: tuple[str, ...] = ("b",)
    looks: bool = False


KNOWN: dict[type[Cell], Compiled] = {
    RNNCell: Compiled(steps.RNNWeights, 1, share_of_one_product, rows_of_one_product),
    GRUCell: Compiled(steps.GRUWeights, steps.BEFORE, share_of_gru, rows_of_gru, looks=True),
    GRUResetAfterCell: Compiled(
        steps.GRUResetAfterWeights, steps.AFTER, share_of_gru_after, rows_of_gru_after, ("b", "b_u")
    ),
    LSTMCell: Compiled(steps.LSTMWeights, 6, share_of_one_product, rows_of_one_product),
    LSTMVariantCell: Compiled(
        steps.PeepholeLSTMWeights, 8, share_of_peephole_lstm, rows_of_one_product, ("b", "p"), True
    ),
}


def knows(cell: Cell) -> bool:
    """Whether there are compiled loops for the cell; of the variants of the LSTM for the one with all gates."""
    return type(cell) in KNOWN and (type(cell) is not LSTMVariantCell or vars(cell) == vars(LSTMVariantCell()))


class Loop:
    """The loop of a cell with its weights.

    Args:
        cell: a cell that is known.
        w: its weights.
        rows: how many rows, in all steps together, they will be multiplied by in one thread.
    """

    def __init__(self, cell: Cell, w: Weights, rows: int):
        self.cell, self.w, self.rows, self.known = cell, w, rows, KNOWN[type(cell)]

    @functools.cached_property
    def forward_weights(self) -> Any:
        """The weights for the way forward, W and U transposed."""
        return self._weights(pack_transposed if self.rows >= FEWEST_ROWS else lambda matrix: matrix)

    @functools.cached_property
    def backward_weights(self) -> Any:
        """The weights for the way back."""
        return self._weights(pack)

    def _weights(self, prepare: Callable[[Array], Any]) -> Any:
        w, kind, gates = self.w, self.known.weights, 2 * self.w.U.shape[1]
        matrices = [w.W, w.U[:gates], w.U[gates:]] if "U_n" in kind._fields else [w.W, w.U]
        prepared = in_parallel(prepare, matrices, worthwhile(w.W.size + w.U.size, FEWEST_PACKED))
        return kind(*prepared, *(getattr(w, name) for name in kind._fields[len(prepared) :]))

    def forward(self, x: Array, state: State, real: Array, keep: bool) -> tuple[Array, State, Array]:
        """All steps forward.

        Args:
            x: (T, B, I), finite on padding.
            state: arrays (B, H), before the first step.
            real: (T, B), which steps are no padding.
            keep: whether there is a way back.

        Returns:
            hs (T+1, B, H), the state after the last step, and what is kept.
        """
        (T, B, _), H = x.shape, self.w.U.shape[1]
        hs = np.empty((T + 1, B, H), x.dtype)
        hs[0] = state[0]
        c = np.array(state[-1], order="C")
        kept = np.empty((T if keep else 1, self.known.kept, B, H), x.dtype)
        walk(self.forward_weights, np.ascontiguousarray(x), hs, c, kept, real)
        return hs, (hs[T], c)[: self.cell.num_states], kept

    def backward(
        self, kept: Array, d_output: Array | None, d_final: Sequence[Array | None], real: Array
    ) -> tuple[Array, State]:
        """All steps back: da (T·B, …), and the gradients of the initial state."""
        T, _, B, H = kept.shape
        da = np.empty((T, B, len(self.w.b) + self.cell.extra_blocks * H), kept.dtype)
        above = np.zeros((T, B, H), kept.dtype) if d_output is None else np.ascontiguousarray(d_output)
        ends = [np.zeros((B, H), kept.dtype) if d is None else np.array(d, order="C") for d in d_final]
        walk_back(self.backward_weights, kept, above, ends[0], ends[-1], da, real)
        return da.reshape(T * B, da.shape[2]), tuple(ends)

    def share(self, da: Array, x: Array, h_prev: Array, kept: Array) -> tuple[Any, ...]:
        """What a part of the batch gives to `weight_gradients`, from its da (T·B, …), x (T·B, I), h_{t-1} (T·B, H) and
        what its steps have kept."""
        return da, self.known.share(self.backward_weights, da, x, h_prev, kept)

    def weight_gradients(self, shares: Sequence[tuple[Any, ...]], threads: int) -> dict[str, Array]:
        """(4) and (5), by name, from the shares of all parts; each of the threads takes some rows of them."""
        dW, dU = np.empty_like(self.w.W), np.empty_like(self.w.U)

        def add_up(part: slice) -> None:
            for i, (da, share) in enumerate(shares):
                self.known.rows(da, share, dW, dU, part.start, part.stop, i == 0)

        in_parallel(add_up, cut(len(dW), threads), threads)
        others = zip(*(share[-len(self.known.names) :] for _, share in shares), strict=True)
        found = {name: functools.reduce(np.add, parts) for name, parts in zip(self.known.names, others, strict=True)}
        return {"W": dW, "U": dU, **found}

    def input_gradient(self, da: Array) -> Array:
        """(6): dx (T·B, I)."""
        dx = np.zeros((len(da), self.w.W.shape[1]), da.dtype)
        add_columns(da, self.backward_weights.W, dx)
        return dx


@compiled
def add_columns(da: Array, m: Any, out: Array) -> None:
    """`add_product` from the first column to the first."""
    add_product(da, 0, m, out, 0)


class LoopTrace(NamedTuple):
    """What the way forward leaves for the way back."""

    x: Array  # (T, B, I), in the order of the walk, 0 on padding
    hs: Array  # (T+1, B, H): h before the first step, and after each
    kept: Array
    mask: PaddingMask
    real: Array


def forward_through_time(
    loop: Loop, w: Weights, x: Array, state: State, mask: PaddingMask, keep: bool = True
) -> tuple[Array, State, Any]:
    """As `bptt.forward_through_time`, of a loop in the place of its cell."""
    real_x = np.ascontiguousarray(mask.zeroed(x))
    real = mask.real_columns[:, 0] if any(mask.padded) else np.ones(x.shape[:2], bool)
    real = np.ascontiguousarray(real)
    hs, final, kept = loop.forward(real_x, state, real, keep)
    return mask.zeroed(hs[1:]), final, LoopTrace(real_x, hs, kept, mask, real)


def backward_through_time(
    loop: Loop, w: Weights, trace: Any, d_output: Array | None, d_final: Sequence[Array | None], needs_dx: bool = True
) -> tuple[Array | None, tuple[Any, ...], State]:
    """As `bptt.backward_through_time`, but for the gradients of the weights: in their place is the part's share."""
    (T, B, features), H = trace.x.shape, trace.hs.shape[2]
    above = None if d_output is None else trace.mask.zeroed(d_output)
    da, d_initial = loop.backward(trace.kept, above, d_final, trace.real)
    share = loop.share(da, trace.x.reshape(T * B, features), trace.hs[:-1].reshape(T * B, H), trace.kept)
    return loop.input_gradient(da).reshape(T, B, features) if needs_dx else None, share, d_initial
