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
    fill,
    fill_transposed,
    pack_transposed,
    room,
)
from minirnn.fast.registers import VECTOR_BYTES, VECTORS, compiled, stay_apart
from minirnn.parallel import by_numpy, cut, in_parallel
from minirnn.standing import prepared, they_stand

WIDE = 512
"""Columns of a block."""

FEWEST_ROWS, FEWEST_IN_ROWS = 16, 64
"""Rows of `a` that b multiplies, below which it is not worth packing where it lies in columns, and where it lies in
rows: then a BLAS leaves it as it is."""


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
    if not fits(a, b) or b.shape[1] < parts * panel:
        return by_numpy(a, b, parts, is_weight)
    L, transposed = b.shape[1], b.strides[1] != b.itemsize
    out = np.empty((len(a), L), a.dtype)
    columns = [slice(part.start * panel, min(part.stop * panel, L)) for part in cut(-(-L // panel), parts)]
    if is_weight and transposed and they_stand():
        m = prepared(lambda: pack_transposed(b.T), "packed", [b])
        in_parallel(lambda part: multiply_packed(a, m, part.start, part.stop, out), columns)
    elif transposed:
        in_parallel(lambda part: multiply_transposed(a, b.T, part.start, part.stop, out), columns)
    else:
        in_parallel(lambda part: multiply(a, b, part.start, part.stop, out), columns)
    return out


def fits(a: Array, b: Array) -> bool:
    """Whether a b can be computed here: `a` in one piece, b in rows or columns, of numbers of one kind, and enough."""
    return (
        a.dtype == b.dtype
        and a.dtype.char in "fd"
        and a.shape[1] == len(b) > 0
        and len(a) >= (FEWEST_IN_ROWS if b.strides[1] == b.itemsize else FEWEST_ROWS)
        and a.flags.carray
        and b.flags.aligned
        and b.itemsize in b.strides
        and min(b.strides) > 0
    )
