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
from minirnn.fast.registers import ROWS, VECTOR_BYTES, VECTORS, compiled, copy, stay_apart, tile, transpose_square

DEEPEST, MOST_ROWS = 1024, 48
"""Of what is multiplied before the next panel's turn: of more, the cache would have lost the first when the last is
reached. The depth is along K."""

NEAR = 1024 if VECTORS * VECTOR_BYTES >= 256 else 0
"""Bytes from row to row up to which it does not matter that what a tile reads is not in one piece. Rows further apart
push one another out of the cache; and so do rows of which a tile reads one line only, at any distance."""

wide_1, wide_2, wide_3, wide_4, wide_5, wide_6 = (tile(VECTORS, rows) for rows in range(1, ROWS + 1))
thin_1, thin_2, thin_3, thin_4, thin_5, thin_6 = (tile(1, rows) for rows in range(1, ROWS + 1))
copy_wide, copy_thin = copy(VECTORS), copy(1)


class Packed(NamedTuple):
    """A matrix (K, L) as tiles read it: panels of `VECTORS` vectors' width, then of one vector's, the last of them
    filled up with zeros, one after another, and each of them row by row. Or, where `stride` is not 0, as it always was,
    with rows that begin `stride` numbers apart."""

    numbers: Array
    K: int
    L: int
    stride: int


@compiled
def lanes_of(array: Array) -> int:
    """How many of its numbers a vector has."""
    return VECTOR_BYTES // array.itemsize


@compiled
def address(array: Array) -> np.intp:
    """Where its first number is."""
    return np.intp(array.ctypes.data)


@compiled
def room(K: int, L: int, like: Array) -> Array:
    """Room for a packed matrix (K, L), from the beginning of a line of the cache on: so no vector lies in two."""
    lanes = lanes_of(like)
    columns = -(-L // lanes) * lanes
    numbers = np.empty(K * columns + 64 // like.itemsize, like.dtype)
    skipped = (-numbers.ctypes.data) % 64 // like.itemsize
    return numbers[skipped : skipped + K * columns]


@compiled
def width_at(m: Packed, first: int) -> int:
    """The width of the panel that begins with column `first`."""
    lanes = lanes_of(m.numbers)
    return VECTORS * lanes if m.L - first >= VECTORS * lanes else lanes


@compiled
def pack(matrix: Array) -> Packed:
    """A matrix (K, L) to be multiplied by. One whose rows are near one another, and made of whole vectors, is left as
    it is."""
    K, L = matrix.shape
    if L % lanes_of(matrix) == 0 and L * matrix.itemsize <= NEAR:
        return Packed(matrix.reshape(K * L), K, L, L)
    return fill(room(K, L, matrix), matrix)


@compiled
def fill(numbers: Array, matrix: Array) -> Packed:
    """Pack a matrix (K, L), whose rows are each in one piece, in a room, or at the beginning of one that is larger."""
    K, L = matrix.shape
    m, first, lanes, each = Packed(numbers, K, L, 0), 0, lanes_of(matrix), matrix.itemsize
    while first < L:
        width = width_at(m, first)
        source, target = address(matrix) + first * each, address(numbers) + first * K * each
        if L - first < width:
            for k in range(K):
                for j in range(width):
                    numbers[first * K + k * width + j] = matrix[k, first + j] if first + j < L else 0
        elif width > lanes:
            copy_wide(matrix.dtype.type(0), source, matrix.strides[0], target, K)
        else:
            copy_thin(matrix.dtype.type(0), source, matrix.strides[0], target, K)
        first += width
    return m


@compiled
def pack_transposed(matrix: Array) -> Packed:
    """The transpose (K, L) of a matrix (L, K), to be multiplied by."""
    L, K = matrix.shape
    return fill_transposed(room(K, L, matrix), matrix)


@compiled
def fill_transposed(numbers: Array, matrix: Array) -> Packed:
    """Pack the transpose (K, L) of a matrix (L, K), whose rows are each in one piece, in a room."""
    L, K = matrix.shape
    m, first, lanes, to_next = Packed(numbers, K, L, 0), 0, lanes_of(matrix), matrix.strides[0] // matrix.itemsize
    while first < L:
        width = width_at(m, first)
        for j in range(first, first + width, lanes):
            whole = K - K % lanes if j + lanes <= L else 0  # as far as squares reach
            for k in range(0, whole, lanes):
                transpose_square(matrix, j * to_next + k, to_next, numbers, first * K + k * width + j - first, width)
            for k in range(whole, K):
                for i in range(j, j + lanes):
                    numbers[first * K + k * width + i - first] = matrix[i, k] if i < L else 0
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
            add_block(h, n, min(len(h), n + MOST_ROWS), at + k, m, k, min(m.K, k + DEEPEST), out, 0, to, False)


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
def two_sums_of_products(
    d: Array, at: int, m: Packed, out: Array, at_other: int, other: Packed, out_other: Array, fresh: bool
) -> None:
    """out (N, L) += dᵀ m for N columns of d (K, …) from column `at` on, the sum over K of outer products; and the same
    of another matrix, for N columns from `at_other` on. If `fresh`, nothing is in `out` and `out_other` yet."""
    stay_apart()
    together = np.empty((MOST_ROWS, DEEPEST + lanes_of(d)), d.dtype)
    if fresh and m.K == 0:  # the sum of nothing
        out[:], out_other[:] = 0, 0
    for k in range(0, m.K, DEEPEST):
        deep = min(m.K, k + DEEPEST)
        for n in range(0, len(out), MOST_ROWS):
            width = min(len(out), n + MOST_ROWS) - n
            copy_columns(d, k, deep, at + n, width, together)
            add_block(together, 0, width, 0, m, k, deep, out, n, 0, fresh and k == 0)
            if at_other != at:
                copy_columns(d, k, deep, at_other + n, width, together)
            add_block(together, 0, width, 0, other, k, deep, out_other, n, 0, fresh and k == 0)


@compiled
def copy_columns(d: Array, k: int, deep: int, at: int, width: int, together: Array) -> None:
    """Bring the rows k … deep of some columns together, as rows: a tile reads down the columns, where they lie far
    apart. (The rows of `together` are a little longer than they need be. At a distance of 4096 bytes they would push
    one another out of the cache.)"""
    lanes, to_next, long = lanes_of(d), d.strides[0] // d.itemsize, together.shape[1]
    whole, down = width - width % lanes, (deep - k) - (deep - k) % lanes  # as far as squares reach
    for i in range(0, down, lanes):
        for j in range(0, whole, lanes):
            transpose_square(d, (k + i) * to_next + at + j, to_next, together, j * long + i, long)
    for i in range(deep - k):
        for j in range(whole if i < down else 0, width):
            together[j, i] = d[k + i, at + j]


@compiled
def add_block(
    h: Array, n: int, end: int, at: int, m: Packed, k: int, deep: int, out: Array, shift: int, to: int, fresh: bool
) -> None:
    """The rows n … end of h, from column `at` on, times the rows k … deep of m, added to `out` from column `to` on,
    `shift` rows further down; if `fresh`, not added but written there."""
    stay_apart()
    lanes, first, groups = lanes_of(h), 0, -(-(end - n) // ROWS)
    spare, each = np.empty((ROWS, lanes), h.dtype), h.itemsize
    (h_row, h_k), out_row, in_spare = h.strides, out.strides[0], address(spare)
    in_h, in_m, in_out = address(h) + at * h_k, address(m.numbers), address(out) + shift * out_row + to * each
    while first < m.L:
        width = width_at(m, first)
        stride = m.stride or width
        start = in_m + each * (k * stride + (first if m.stride else first * m.K))
        for group in range(groups):
            row, last = n + (end - n) * group // groups, n + (end - n) * (group + 1) // groups
            whole = m.L - first >= width
            place, to_next = (in_out + row * out_row + first * each, out_row) if whole else (in_spare, lanes * each)
            add_tile(
                h.dtype.type(0), width > lanes, last - row, in_h + row * h_row, h_row, h_k, start, stride * each,
                deep - k, place, to_next, fresh or not whole,
            )  # fmt: skip
            if not whole:
                for i in range(row, last):
                    for j in range(m.L - first):
                        old = 0 if fresh else out[shift + i, to + first + j]
                        out[shift + i, to + first + j] = old + spare[i - row, j]
        first += width


@compiled
def add_tile(
    like: float, wide: bool, rows: int, h: int, h_row: int, h_k: int, m: int, m_k: int, deep: int, out: int,
    out_row: int, fresh: bool,
) -> None:  # fmt: skip
    """One of up to 6 rows, `VECTORS` vectors wide or one."""
    if wide:
        if rows == 6:
            wide_6(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
        elif rows == 5:
            wide_5(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
        elif rows == 4:
            wide_4(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
        elif rows == 3:
            wide_3(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
        elif rows == 2:
            wide_2(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
        else:
            wide_1(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
    elif rows == 6:
        thin_6(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
    elif rows == 5:
        thin_5(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
    elif rows == 4:
        thin_4(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
    elif rows == 3:
        thin_3(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
    elif rows == 2:
        thin_2(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
    else:
        thin_1(like, h, h_row, h_k, m, m_k, deep, out, out_row, fresh)
