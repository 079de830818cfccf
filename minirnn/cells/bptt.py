"""Backpropagation through time, written once for every cell (Werbos 1990).

A recurrent network is one cell applied over and over: h_t depends on x_t and on h_{t-1}. Forward we walk along the
sequence and keep what each step will need. Backward we walk the other way, and at every step the gradient of h_t has
two sources, because h_t was used twice: as the output at time t, and as the input of step t+1.

    (1)  W x_t + b                                                        before the loop, for many t at once
    (2)  dh_t = dh_from_above + dh_from_future                            in the loop, from t = T to 1
    (3)  dW = Σ_t da_t x_tᵀ     db = Σ_t da_t     dU = Σ_t da_t h_{t-1}ᵀ      after the loop
    (4)  dx_t = Wᵀ da_t                                                   after the loop, for all t

where a_t is the sum of (1) and U h_{t-1}, which the cell adds, so that da_t is the gradient by both. The same W is used
at every step, so its gradient is the sum of what each step sends back. (dU is made by `Cell.weight_gradients`, because
some cells multiply U by something else than h_{t-1}.) Any further state (the LSTM's c) has only the second source.

What waits for no other step leaves the loop: (1), (3) and (4) become large products, and the derivatives inside the
steps are computed for a chunk of steps at once, as soon as forward has walked through it.

Outside, arrays are (time, batch, features). Inside the loop they are (features, batch), so that a step reads like its
equation.

The sequences of a batch know nothing of one another until their gradients are added up in (3). So where it pays, each
thread of the CPU takes a part of the batch through all of this by itself.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor, needs_grad, record_many
from minirnn.backend import Array, array_module, device_of, like
from minirnn.cells import kernels, slices
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.kernels import cuda
from minirnn.errors import InputError
from minirnn.parallel import in_parallel, multiplies_unpacked, num_threads

FEWEST_COLUMNS = 8
"""Sequences below which another thread is not worth having: products with fewer columns are slow."""

CHUNK = {"cpu": 2**18, "gpu": 2**20}
"""Numbers of one gate in a chunk of steps: enough for a call of NumPy, or the launch of a kernel, to be worth it; on
the CPU few enough for the cache."""

MOST_PARTS = 3
"""Threads beyond which parts whose steps are interpreted wait for Python's lock longer than they compute, so that the
BLAS with all threads, on the whole batch, is the better use of them."""

FEWEST_MULTIPLICATIONS = {False: 600_000, True: 250_000}
"""Multiplications by the U of one gate, in one step of one part, below which threads wait for Python's lock longer than
they compute: where steps are interpreted, and where they are compiled. (More gates are more products, but also more of
what needs the lock.)"""


class Trace(NamedTuple):
    """What the way forward leaves for the way back."""

    x: Array  # (T, B, I)
    h_prev: Array  # (T, B, H): the h that went into each step
    kept: Any  # for each t, what the cell kept: a list, or one array from the kernels of `cuda`
    mask: PaddingMask | None
    order: Sequence[int]  # the times in the order they were visited


class PaddingMask:
    """Which steps of which sequences are real, for sequences of different lengths in one batch.

    Args:
        lengths: (B,) host integers, each 0 … T.
        x: the sequences (T, B, …), on the device that the masks will be used on.
    """

    def __init__(self, lengths: np.ndarray, x: Array):
        T = x.shape[0]
        self.first_padded = int(lengths.min(initial=T))  # before it nothing is padding and nothing needs masking
        real = np.arange(T)[:, None] < lengths
        self.lengths = like(lengths.astype(np.int32), x)
        self.columns = like(real[:, None, :], x)  # (T, 1, B), for arrays (features, B)
        self.rows = like(real[:, :, None], x)  # (T, B, 1), for sequences (T, B, features)

    def choose(self, t: int, real: Sequence[Array], padded: Sequence[Any]) -> tuple[Array, ...]:
        """For each pair: the first (features, B) where step t is real, the second where it is padding."""
        if t < self.first_padded:
            return tuple(real)
        xp = array_module(self.columns)
        return tuple(xp.where(self.columns[t], a, b) for a, b in zip(real, padded, strict=True))


def check_lengths(lengths: np.ndarray, T: int, batch: int) -> None:
    """Refuse lengths that are not one integer 0 … T for each sequence of a batch."""
    if lengths.shape != (batch,) or lengths.dtype.kind not in "iu":
        raise InputError(f"lengths must be {batch} integers, one for each sequence, not {lengths!r}")
    if batch and (lengths.min() < 0 or lengths.max() > T):
        raise InputError(f"lengths must be between 0 and {T} steps, not {lengths.min()} to {lengths.max()}")


def unroll(
    cell: Cell,
    x: Tensor,
    weights: Mapping[str, Tensor],
    state: Sequence[Tensor],
    lengths: Any = None,
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
        step. A padded step leaves the state as it is, so the state never comes from padding.

    Raises:
        InputError: a shape, a length or the number of states does not fit.
        TypeError: something is not a Tensor, or float32 meets float64.
    """
    ops.values(x, *weights.values(), *state)  # refuses a mix of float32 and float64
    if x.ndim != 3 or x.shape[0] == 0:
        raise InputError(f"expected an input of shape (time, batch, features) with time > 0, not {x.shape}")
    if x.shape[2] != weights["W"].shape[1]:
        raise InputError(f"the input has {x.shape[2]} features, the layer expects {weights['W'].shape[1]}")
    expected = [(x.shape[1], weights["U"].shape[1])] * cell.num_states
    if [s.shape for s in state] != expected:
        raise InputError(f"the state must have the shapes (batch, hidden) = {expected}, not {[s.shape for s in state]}")

    inputs = [x, *weights.values(), *state]
    keep = needs_grad(inputs)
    plain = SimpleNamespace(**{name: tensor.data for name, tensor in weights.items()})
    parts = divide(cell, plain, x.data)
    w = plain if len(parts) == 1 and num_threads() > 1 else slices.for_steps(plain, x.shape[0])
    step = kernels.compiled(cell, plain, x.data, parts)
    lengths = None if lengths is None else np.asarray(lengths)
    if lengths is not None:
        check_lengths(lengths, x.shape[0], x.shape[1])

    def walk(part: slice) -> tuple[Array, State, Trace]:
        x_part, initial = x.data[:, part], tuple(s.data[part] for s in state)
        mask = None if lengths is None else PaddingMask(lengths[part], x_part)
        return forward_through_time(cell, step, w, x_part, initial, mask, reverse, keep)

    outputs, finals, traces = zip(*in_parallel(walk, parts), strict=True)

    def backward(d_output: Array | None, *d_final: Array | None) -> list[Array | None]:
        def walk_back(i: int) -> tuple[Array | None, dict[str, Array], State]:
            d_out = None if d_output is None else d_output[:, parts[i]]
            d_ends = [None if d is None else d[parts[i]] for d in d_final]
            return backward_through_time(cell, step, w, traces[i], d_out, d_ends, x.requires_grad)

        dxs, dws, d_initials = zip(*in_parallel(walk_back, range(len(parts))), strict=True)
        dw = {name: functools.reduce(operator.iadd, (part[name] for part in dws)) for name in weights}
        d_initial = (joined(arrays, axis=0) for arrays in zip(*d_initials, strict=True))
        return [joined(dxs, axis=1) if x.requires_grad else None, *dw.values(), *d_initial]

    final = (joined(arrays, axis=0) for arrays in zip(*finals, strict=True))
    result = record_many((joined(outputs, axis=1), *final), inputs, backward)
    return result[0], result[1:]


def divide(cell: Cell, w: Weights, x: Array) -> list[slice]:
    """The batch of x (T, B, I) as a part for each thread.

    It stays whole on a GPU; for steps so small, or threads so many, that the BLAS with all of them is the better use;
    where that BLAS would pack U for every part; and for a cell that draws random numbers, whose order threads would
    decide.
    """
    B, H = x.shape[1], w.U.shape[1]
    threads = min(num_threads(), B // FEWEST_COLUMNS) if array_module(x) is np else 1
    compiled = kernels.compiles(cell, x)
    fewest = FEWEST_MULTIPLICATIONS[compiled]
    if num_threads() > MOST_PARTS and not compiled:
        threads = 1
    while threads > 1 and threads * fewest > H * H * B:
        threads -= 1
    if threads < 2 or not multiplies_unpacked() or cell.rng is not None:
        return [slice(0, B)]
    bounds = [B * i // threads for i in range(threads + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(bounds)]


def joined(parts: Sequence[Array], axis: int) -> Array:
    """The arrays of all parts of a batch, side by side along their batch axis."""
    return parts[0] if len(parts) == 1 else array_module(parts[0]).concatenate(parts, axis=axis)


def forward_through_time(
    cell: Cell,
    step: Any,
    w: Weights,
    x: Array,
    state: State,
    mask: PaddingMask | None,
    reverse: bool,
    keep: bool = True,
) -> tuple[Array, State, Trace]:
    """All steps forward; shapes as for `unroll`, on plain arrays. `step` makes them: the cell, or what stands in for it
    (`kernels.compiled`). Without `keep` there is no way back, which saves most of the memory."""
    xp = array_module(x)
    T, B, _ = x.shape
    order = range(T - 1, -1, -1) if reverse else range(T)
    if mask is not None:
        x = xp.where(mask.rows, x, 0)  # 0 · nan would be nan: not even that may come out of the padding
    # hs holds h before and after every step: step t reads hs[t + before] and writes hs[t + after].
    before, after = (1, 0) if reverse else (0, 1)
    hs = xp.empty((T + 1, B, w.U.shape[1]), dtype=x.dtype)
    hs[order[0] + before] = state[0]
    kept: Any = [None] * T

    columns: State = tuple(xp.ascontiguousarray(s.T) for s in state)  # each (H, B)
    if cuda.applies(cell, x):
        lengths = None if mask is None else mask.lengths
        columns, kept = cuda.forward(cell, w, x, columns, lengths, hs, reverse)
    else:
        for times in chunks(order, columns[0]):
            span = slice(min(times), max(times) + 1)
            a = pre_activations(cell, w, x[span], step.kept_blocks)  # (1)
            for t in times:
                new, step_kept = step.forward(w, a[t - span.start], columns)
                if keep:
                    kept[t] = step_kept
                columns = new if mask is None else mask.choose(t, new, columns)
                hs[t + after] = columns[0].T
            if keep:
                step.derivatives(a)

    output, h_prev = hs[after : T + after], hs[before : T + before]
    if mask is not None:
        output = xp.where(mask.rows, output, 0)
    return output, tuple(s.T for s in columns), Trace(x, h_prev, kept, mask, order)


def pre_activations(cell: Cell, w: Weights, x: Array, kept_blocks: int = 0) -> Array:
    """(1) for n steps x (n, B, I): W x + b, or W x where the cell adds b itself, and below it room for `kept_blocks`
    blocks of H rows: (n, rows + kept_blocks · H, B)."""
    xp, (n, B, _), (rows, H) = array_module(x), x.shape, w.U.shape
    a = xp.empty((n, rows + kept_blocks * H, B), dtype=x.dtype)
    wx = a[:, :rows]
    multiply = w.W.multiply if isinstance(w.W, slices.Slices) else functools.partial(xp.matmul, w.W)
    multiply(x.transpose(0, 2, 1), out=wx)
    if not cell.adds_bias:
        wx += w.b[:, None]
    return a


def backward_through_time(
    cell: Cell,
    step: Any,
    w: Weights,
    trace: Trace,
    d_output: Array | None,
    d_final: Sequence[Array | None],
    needs_dx: bool = True,
) -> tuple[Array | None, dict[str, Array], State]:
    """All steps back.

    Args:
        cell: what is walked along the sequence.
        step: what makes its steps, as in `forward_through_time`.
        w: its weights.
        trace: what `forward_through_time` left.
        d_output: (T, B, H), the gradient with respect to the output; None if the loss does not depend on it.
        d_final: the same for each array (B, H) of the final state.
        needs_dx: whether the gradient with respect to the input is wanted; it costs a product.

    Returns:
        The gradient with respect to the input (T, B, I), None without `needs_dx`; those of the weights, by name; and
        those of the arrays (B, H) of the initial state.
    """
    x, h_prev, kept, mask, order = trace
    xp = array_module(x)
    T, B, _ = x.shape
    H = h_prev.shape[2]
    rows = len(w.b)
    da = xp.empty((rows + cell.extra_blocks * H, T, B), dtype=x.dtype)
    if mask is not None and d_output is not None:
        d_output = xp.where(mask.rows, d_output, 0)

    # Behind the last step there is no further step: what the loss says about the final state stands in for what that
    # step would have sent back.
    zero = xp.zeros((H, B), dtype=x.dtype)
    dh_from_future, *d_memory = (zero if d is None else d.T for d in d_final)
    if isinstance(kept, list):
        for times in reversed(chunks(order, zero)):
            span = slice(min(times), max(times) + 1)
            chunk_da = xp.empty((len(times), len(da), B), dtype=x.dtype)
            for t in reversed(times):
                dh_from_above = zero if d_output is None else d_output[t].T
                dh = dh_from_above + dh_from_future  # (2)
                d_prev = step.backward(w, kept[t], (dh, *d_memory), chunk_da[t - span.start])
                if mask is not None:
                    d_prev = mask.choose(t, d_prev, (dh, *d_memory))  # a padded step only hands the state on
                dh_from_future, *d_memory = d_prev
            if mask is not None and span.stop > mask.first_padded:
                chunk_da = xp.where(mask.columns[span], chunk_da, 0)
            da[:, span] = chunk_da.transpose(1, 0, 2)
            del chunk_da  # its memory is for the next chunk, and then for the products
    else:
        lengths = None if mask is None else mask.lengths
        d_final = (dh_from_future, *d_memory)
        dh_from_future, *d_memory = cuda.backward(cell, w, kept, d_output, d_final, lengths, da, order[0] > 0)

    da = da.reshape(len(da), T * B)  # the columns in the order of the rows of x and h_prev below
    dw = weight_gradients(cell, da, x.reshape(T * B, x.shape[2]), h_prev.reshape(T * B, H), kept)
    dx = (da[:rows].T @ w.W).reshape(x.shape) if needs_dx else None  # (4)
    return dx, dw, (dh_from_future.T, *(d.T for d in d_memory))


def chunks(order: Sequence[int], h: Array) -> list[Sequence[int]]:
    """The times of `order` in chunks of CHUNK numbers, where each step has as many as h (H, B)."""
    n = max(1, CHUNK[device_of(h)] // max(1, h.size))
    return [order[i : i + n] for i in range(0, len(order), n)]


def weight_gradients(cell: Cell, da: Array, x: Array, h_prev: Array, kept: Sequence[Any]) -> dict[str, Array]:
    """(3) for all weights of a cell, by name, from the da (…, T·B), x (T·B, I) and h_{t-1} (T·B, H) of all steps."""
    da_gates = da[: len(da) - cell.extra_blocks * h_prev.shape[1]]
    dw = {"W": da_gates @ x, "b": da_gates.sum(axis=1)}
    return dw | cell.weight_gradients(da, h_prev, kept)
