"""Products of matrices on the CPU in the tiles of `registers.py`, in the place of NumPy's, compiled by Numba.

A block at a time of the matrix that is multiplied by is packed, and multiplies all rows while it is in the cache
(Goto & van de Geijn 2008). In a search, where the same weights multiply a few rows at every step, they are packed whole
and kept: see `minirnn.standing`.
"""

from __future__ import annotations

import numpy as np

from minirnn.backend import Array
from minirnn.fast.packed import (
    DEEPEST,
    MOST_ROWS,
    Packed,
    add_block,
    copy_columns,
    fill,
    fill_transposed,
    lanes_of,
    pack_transposed,
    room,
)
from minirnn.fast.registers import VECTOR_BYTES, VECTORS, compiled, stay_apart
from minirnn.parallel import by_numpy, cut, in_parallel
from minirnn.standing import prepared, they_stand

WIDE = 512
"""Columns of a block."""

FEWEST_ROWS, FEWEST_IN_ROWS = 16, 64
"""Rows that b multiplies, below which it is not worth packing where it lies in columns, and where it lies in rows: then
a BLAS leaves it as it is."""


@compiled
def multiply(a: Array, b: Array, start: int, stop: int, out: Array) -> None:
    """The columns `start` to `stop` of out (N, L) = a (N, K) b (K, L)."""
    block = room_of_a_block(len(b), stop - start, b)
    for k in range(0, len(b), DEEPEST):
        for first in range(start, stop, WIDE):
            m = fill(block, b[k : k + DEEPEST, first : min(stop, first + WIDE)])
            write_block(a, k, m, 0, m.K, out, first, k == 0)


@compiled
def multiply_transposed(a: Array, b: Array, start: int, stop: int, out: Array) -> None:
    """The columns `start` to `stop` of out (N, L) = a (N, K) bᵀ for b (L, K), whose rows are each in one piece."""
    K = b.shape[1]
    block = room_of_a_block(K, stop - start, b)
    for k in range(0, K, DEEPEST):
        for first in range(start, stop, WIDE):
            m = fill_transposed(block, b[first : min(stop, first + WIDE), k : k + DEEPEST])
            write_block(a, k, m, 0, m.K, out, first, k == 0)


@compiled
def multiply_packed(a: Array, m: Packed, start: int, stop: int, out: Array) -> None:
    """The columns `start` to `stop` of out (N, L) = a (N, K) m (K, L); `start` is where a panel begins."""
    columns = Packed(m.numbers[start * m.K :], m.K, stop - start, 0)
    for k in range(0, m.K, DEEPEST):
        write_block(a, k, columns, k, min(m.K, k + DEEPEST), out, start, k == 0)


@compiled
def multiply_columns(d: Array, b: Array, start: int, stop: int, out: Array) -> None:
    """The rows `start` to `stop` of out (N, L) = dᵀ b for d (K, N) and b (K, L), a sum of outer products."""
    K, L = b.shape
    block = room(min(K, DEEPEST), L, b)
    together = np.empty((MOST_ROWS, DEEPEST + lanes_of(d)), d.dtype)
    for k in range(0, K, DEEPEST):
        m = fill(block, b[k : k + DEEPEST])
        for n in range(start, stop, MOST_ROWS):
            width = min(stop, n + MOST_ROWS) - n
            copy_columns(d, k, k + m.K, n, width, together)
            add_block(together, 0, width, 0, m, 0, m.K, out, n, 0, k == 0)


@compiled
def room_of_a_block(K: int, L: int, like: Array) -> Array:
    """Room for any block of a matrix (K, L)."""
    return room(min(K, DEEPEST), min(L, WIDE), like)


@compiled
def write_block(a: Array, at: int, m: Packed, k: int, deep: int, out: Array, to: int, fresh: bool) -> None:
    """Columns of `a` from `at` on times the rows k … deep of m, added to the columns of `out` from `to` on; if `fresh`,
    written there."""
    stay_apart()
    for n in range(0, len(a), MOST_ROWS):
        add_block(a, n, min(len(a), n + MOST_ROWS), at, m, k, deep, out, 0, to, fresh)


def in_tiles(a: Array, b: Array, parts: int, is_weight: bool) -> Array:
    """`parallel.by_numpy`, sooner."""
    panel = VECTORS * VECTOR_BYTES // a.itemsize  # columns
    if not alike(a, b):
        return by_numpy(a, b, parts, is_weight)
    (N, K), L = a.shape, b.shape[1]
    in_rows = b.strides[1] == b.itemsize
    if a.flags.carray and (FEWEST_IN_ROWS if in_rows else FEWEST_ROWS) <= N and parts * panel <= L:
        columns = [slice(part.start * panel, min(part.stop * panel, L)) for part in cut(-(-L // panel), parts)]
        out = np.empty((N, L), a.dtype)
        if is_weight and not in_rows and they_stand():
            m = prepared(lambda: pack_transposed(b.T), "packed", [b])
            in_parallel(lambda part: multiply_packed(a, m, part.start, part.stop, out), columns)
        elif in_rows:
            in_parallel(lambda part: multiply(a, b, part.start, part.stop, out), columns)
        else:
            in_parallel(lambda part: multiply_transposed(a, b.T, part.start, part.stop, out), columns)
        return out
    if a.T.flags.carray and in_rows and K >= FEWEST_IN_ROWS and parts * MOST_ROWS <= N and panel <= L:
        out = np.empty((N, L), a.dtype)
        in_parallel(lambda part: multiply_columns(a.T, b, part.start, part.stop, out), cut(N, parts))
        return out
    return by_numpy(a, b, parts, is_weight)


def alike(a: Array, b: Array) -> bool:
    """Whether they are of numbers of one kind, fit together, and b lies in rows or in columns."""
    return (
        a.dtype == b.dtype
        and a.dtype.char in "fd"
        and a.shape[1] == len(b) > 0
        and b.flags.aligned
        and b.itemsize in b.strides
        and min(b.strides) > 0
    )
