"""Features of the regions of pictures, as another network saw them.

They come from anywhere, so whatever is wrong with a file is found here and said in one line, and how much memory it
takes is known before it is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from minirnn.data.npz import Arrays, described, open_npz
from minirnn.errors import InputError

MOST_UNPACKED = 2**26
"""Bytes that any packed array may hold, if it swells much."""


class Features(NamedTuple):
    """What another network made of pictures.

    Attributes:
        values: (pictures, regions, size), float32.
        names: of the pictures.
        grid: rows and columns, if the regions are those of a grid, row by row.
    """

    values: np.ndarray
    names: list[str]
    grid: tuple[int, int] | None


def read_features(path: str | Path) -> Features:
    """An .npz file with the array `features` (N, L, D) and, if you like, `names` (N,) and `grid` (2,).

    Without `names` the pictures are called "0", "1" and so on. Nothing is unpickled, and no memory is taken for what
    a header promises and the file does not hold.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is not like that, or damaged; names what.
    """
    with open_npz(path, MOST_UNPACKED) as arrays:
        shape, dtype = arrays.header("features")
        if len(shape) != 3 or 0 in shape or dtype.kind not in "fiu":
            found = described(shape, dtype)
            raise InputError(f"{path}: features must be numbers (pictures, regions, size), not {found}")
        count, regions, _ = shape
        names = _names(arrays, count)
        grid = _grid(arrays, regions)
        with np.errstate(over="ignore"):  # what is too large for float32 is found as infinite
            values = np.ascontiguousarray(arrays.read("features"), np.float32)
    whole = np.isfinite(values).all(axis=(1, 2))
    if not whole.all():
        row = int(whole.argmin())
        raise InputError(f"{path}: features must be finite in float32, those of {names[row]!r} (row {row}) are not")
    return Features(values, names, grid)


def _names(arrays: Arrays, count: int) -> list[str]:
    if "names" not in arrays:
        return [str(i) for i in range(count)]
    shape, dtype = arrays.header("names")
    if shape != (count,) or dtype.kind != "U":
        raise InputError(f"{arrays.path}: names must be {count:,} strings, not {described(shape, dtype)}")
    names, seen = arrays.read("names").tolist(), set[str]()
    for name in names:
        if name in seen:
            raise InputError(f"{arrays.path}: names must be different, {name[:40]!r} is there twice")
        seen.add(name)
    return names


def _grid(arrays: Arrays, regions: int) -> tuple[int, int] | None:
    if "grid" not in arrays:
        return None
    shape, dtype = arrays.header("grid")
    if shape != (2,) or dtype.kind not in "iu":
        raise InputError(f"{arrays.path}: grid must be two integers, rows and columns, not {described(shape, dtype)}")
    rows, columns = arrays.read("grid").tolist()
    if rows < 1 or columns < 1 or rows * columns != regions:
        raise InputError(f"{arrays.path}: grid must have {regions} regions, not {rows} x {columns}")
    return rows, columns
