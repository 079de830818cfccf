"""Products of a few rows with a matrix that is multiplied by again and again, on the CPU, compiled by Numba.

H M, of some rows H (N, K) and a matrix M (K, L), is computed tile by tile (`registers.py`). M is packed for that: cut
into panels as wide as a tile, each of which lies in memory as the tiles read it, row by row. In a loop over time M is
made of U, the same for all steps, and is packed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from minirnn.backend import Array
from minirnn.fast.registers import ROWS, VECTOR_BYTES, VECTORS, compiled, stay_apart, tile

DEEPEST, MOST_ROWS = 512, 48
"""Of what is multiplied before the next panel's turn: of more, the cache would have lost the first when the last is
reached. The depth is along K."""

SQUARE = 16
"""Numbers of a line of the cache, in float32."""

wide_1, wide_2, wide_3, wide_4, wide_5, wide_6 = (tile(VECTORS, rows) for rows in range(1, ROWS + 1))
thin_1, thin_2, thin_3, thin_4, thin_5, thin_6 = (tile(1, rows) for rows in range(1, ROWS + 1))


class Packed(NamedTuple):
    """A matrix (K, L): panels of `VECTORS` vectors' width, then of one vector's, the last of them filled up with zeros.
    They lie one after another, and each of them row by row."""

    numbers: Array
    K: int
    L: int


@compiled
def lanes_of(array: Array) -> int:
    """How many of its numbers a vector has."""
    return VECTOR_BYTES // array.itemsize


@compiled
def room(K: int, L: int, like: Array) -> Packed:
    """A packed matrix (K, L), to be filled, from the beginning of a line of the cache on: so no vector lies in two."""
    lanes = lanes_of(like)
    size = K * (-(-L // lanes) * lanes)
    numbers = np.empty(size + 64 // like.itemsize, like.dtype)
    skipped = (-numbers.ctypes.data) % 64 // like.itemsize
    return Packed(numbers[skipped : skipped + size], K, L)


@compiled
def width_at(m: Packed, first: int) -> int:
    """The width of the panel that begins with column `first`."""
    lanes = lanes_of(m.numbers)
    return VECTORS * lanes if m.L - first >= VECTORS * lanes else lanes


@compiled
def pack(matrix: Array) -> Packed:
    """A matrix (K, L) to be multiplied by."""
    K, L = matrix.shape
    m, first = room(K, L, matrix), 0
    while first < L:
        width = width_at(m, first)
        there = min(width, L - first)
        for k in range(K):
            row = matrix[k, first : first + there]
            place = m.numbers[first * K + k * width : first * K + (k + 1) * width]
            for j in range(there):
                place[j] = row[j]
            for j in range(there, width):
                place[j] = 0
        first += width
    return m


@compiled
def pack_transposed(matrix: Array) -> Packed:
    """The transpose (K, L) of a matrix (L, K), to be multiplied by."""
    L, K = matrix.shape
    m, first = room(K, L, matrix), 0
    while first < L:
        width = width_at(m, first)
        panel = m.numbers[first * K : (first + width) * K]
        for k in range(0, K, SQUARE):  # in squares, whose numbers are near one another before and after
            for j in range(0, width, SQUARE):
                for i in range(j, min(width, j + SQUARE)):
                    for n in range(k, min(K, k + SQUARE)):
                        panel[n * width + i] = matrix[first + i, n] if first + i < L else 0
        first += width
    return m


def add_product(h: Array, at: int, m: Any, out: Array, to: int) -> None:
    """out += h m for K columns of h (N, …) from column `at` on, and the L columns of out (N, …) from column `to` on. m
    is a `Packed` (K, L), or for few rows the transpose (L, K) as it is, unpacked."""
    raise NotImplementedError("only compiled code calls this")


@overload(add_product, strict=False)
def _add_product(h: Any, at: Any, m: Any, out: Any, to: Any) -> Callable:
    if isinstance(m, types.Array):
        return lambda h, at, m, out, to: add_unpacked(h, at, m, out, to)
    return lambda h, at, m, out, to: add_packed(h, at, m, out, to)


@compiled
def add_packed(h: Array, at: int, m: Packed, out: Array, to: int) -> None:
    """`add_product` of a packed matrix."""
    stay_apart()
    for k in range(0, m.K, DEEPEST):
        for n in range(0, len(h), MOST_ROWS):
            add_block(h, n, min(len(h), n + MOST_ROWS), at + k, m, k, min(m.K, k + DEEPEST), out, 0, to)


@compiled
def add_unpacked(h: Array, at: int, m: Array, out: Array, to: int) -> None:
    """`add_product` of a matrix (L, K) as it is."""
    stay_apart()
    L, K = m.shape
    for j in range(L):
        row = m[j]
        for n in range(len(h)):
            h_n, total = h[n, at : at + K], h.dtype.type(0)
            for k in range(K):
                total += row[k] * h_n[k]
            out[n, to + j] += total


@compiled
def add_sum_of_products(d: Array, at: int, m: Packed, out: Array) -> None:
    """out (N, L) += dᵀ m, for N columns of d (K, …) from column `at` on: the sum over K of outer products."""
    stay_apart()
    together = np.empty((DEEPEST, MOST_ROWS), d.dtype)
    for k in range(0, m.K, DEEPEST):
        deep = min(m.K, k + DEEPEST)
        for n in range(0, len(out), MOST_ROWS):
            width = min(len(out), n + MOST_ROWS) - n
            for i in range(deep - k):  # what a tile reads would lie too far apart for the cache
                row, copy = d[k + i, at + n : at + n + width], together[i]
                for j in range(width):
                    copy[j] = row[j]
            add_block(together.T, 0, width, 0, m, k, deep, out, n, 0)


@compiled
def add_block(
    h: Array, n: int, end: int, at: int, m: Packed, k: int, deep: int, out: Array, shift: int, to: int
) -> None:
    """The rows n … end of h, from column `at` on, times the rows k … deep of m, added to `out` from column `to` on,
    `shift` rows further down."""
    stay_apart()
    lanes, first, groups = lanes_of(h), 0, -(-(end - n) // ROWS)
    spare = np.empty((ROWS, lanes), h.dtype)
    while first < m.L:
        width = width_at(m, first)
        start = first * m.K + k * width
        for group in range(groups):
            row, last = n + (end - n) * group // groups, n + (end - n) * (group + 1) // groups
            if m.L - first >= width:
                add_tile(h, row, last - row, at, m.numbers, start, width > lanes, deep - k, out, shift, to + first)
            else:
                spare[:] = 0
                add_tile(h, row, last - row, at, m.numbers, start, False, deep - k, spare, -row, 0)
                for i in range(row, last):
                    for j in range(m.L - first):
                        out[shift + i, to + first + j] += spare[i - row, j]
        first += width


@compiled
def add_tile(
    h: Array, row: int, rows: int, at: int, numbers: Array, start: int, wide: bool, deep: int, out: Array, shift: int,
    to: int,
) -> None:  # fmt: skip
    """One of up to 6 rows, `VECTORS` vectors wide or one."""
    if wide:
        if rows == 6:
            wide_6(h, row, at, numbers, start, deep, out, shift, to)
        elif rows == 5:
            wide_5(h, row, at, numbers, start, deep, out, shift, to)
        elif rows == 4:
            wide_4(h, row, at, numbers, start, deep, out, shift, to)
        elif rows == 3:
            wide_3(h, row, at, numbers, start, deep, out, shift, to)
        elif rows == 2:
            wide_2(h, row, at, numbers, start, deep, out, shift, to)
        else:
            wide_1(h, row, at, numbers, start, deep, out, shift, to)
    elif rows == 6:
        thin_6(h, row, at, numbers, start, deep, out, shift, to)
    elif rows == 5:
        thin_5(h, row, at, numbers, start, deep, out, shift, to)
    elif rows == 4:
        thin_4(h, row, at, numbers, start, deep, out, shift, to)
    elif rows == 3:
        thin_3(h, row, at, numbers, start, deep, out, shift, to)
    elif rows == 2:
        thin_2(h, row, at, numbers, start, deep, out, shift, to)
    else:
        thin_1(h, row, at, numbers, start, deep, out, shift, to)
