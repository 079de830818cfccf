"""Features of the regions of pictures, as another network saw them.

They come from anywhere, so whatever is wrong with a file is found here and said in one line, and how much memory it
takes is known before it is taken.
"""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minirnn.arguments import shown
from minirnn.data.refusing import refusing
from minirnn.errors import InputError

MOST_UNPACKED, MOST_SWELLING = 2**26, 200
"""Bytes that any packed array may hold, and how many times its packed size."""


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
    with open(path, "rb") as file, refusing(path, "damaged .npz file"), zipfile.ZipFile(file) as archive:
        arrays = _Arrays(path, archive, os.fstat(file.fileno()).st_size)
        shape, kind = arrays.header("features")
        if len(shape) != 3 or 0 in shape or kind not in "fiu":
            raise InputError(f"{path}: features must be numbers (pictures, regions, size), not {_of(shape, kind)}")
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


class _Arrays:
    """The arrays of an .npz file, each of which is looked at before it is read."""

    def __init__(self, path: str | Path, archive: zipfile.ZipFile, size: int):
        self.path, self._archive, self._size = path, archive, size

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._archive.namelist()

    def header(self, name: str) -> tuple[tuple[int, ...], str]:
        """Shape and kind (NumPy's letter) of an array that the file holds in full."""
        if name not in self:
            found = shown([entry.removesuffix(".npy") for entry in self._archive.namelist()])
            raise InputError(f"{self.path}: expected an array `{name}` among {found}")
        entry = self._archive.getinfo(f"{name}.npy")
        if entry.compress_size > self._size:
            raise InputError(f"{self.path}: damaged .npz file: `{name}` is larger than the file")
        if entry.file_size > max(MOST_UNPACKED, MOST_SWELLING * entry.compress_size):
            raise InputError(
                f"{self.path}: the {entry.compress_size:,} bytes of `{name}` hold {entry.file_size:,}: "
                "save it with numpy.savez, if that is meant"
            )
        with self._archive.open(entry) as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            if version not in read:  # 3.0 is for tables whose columns have names
                raise InputError(f"{self.path}: `{name}` must be a plain array, not of the format {version}")
            shape, _, dtype = read[version](member)
            held = entry.file_size - member.tell()
        if dtype.hasobject:
            raise InputError(f"{self.path}: `{name}` must be numbers or strings, not pickled objects")
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != held:
            raise InputError(
                f"{self.path}: damaged .npz file: `{name}` has shape {shape} of {dtype.itemsize} bytes each, "
                f"and the file holds {held:,} bytes of it"
            )
        return shape, dtype.kind

    def read(self, name: str) -> np.ndarray:
        """An array whose header has been read."""
        with self._archive.open(f"{name}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)


def _names(arrays: _Arrays, count: int) -> list[str]:
    if "names" not in arrays:
        return [str(i) for i in range(count)]
    shape, kind = arrays.header("names")
    if shape != (count,) or kind != "U":
        raise InputError(f"{arrays.path}: names must be {count:,} strings, not {_of(shape, kind)}")
    names, seen = arrays.read("names").tolist(), set[str]()
    for name in names:
        if name in seen:
            raise InputError(f"{arrays.path}: names must be different, {name[:40]!r} is there twice")
        seen.add(name)
    return names


def _grid(arrays: _Arrays, regions: int) -> tuple[int, int] | None:
    if "grid" not in arrays:
        return None
    shape, kind = arrays.header("grid")
    if shape != (2,) or kind not in "iu":
        raise InputError(f"{arrays.path}: grid must be two integers, rows and columns, not {_of(shape, kind)}")
    rows, columns = arrays.read("grid").tolist()
    if rows < 1 or columns < 1 or rows * columns != regions:
        raise InputError(f"{arrays.path}: grid must have {regions} regions, not {rows} x {columns}")
    return rows, columns


def _of(shape: tuple[int, ...], kind: str) -> str:
    kinds = {"f": "floats", "i": "integers", "u": "integers", "U": "strings", "S": "bytes", "b": "truth values"}
    return f"{kinds.get(kind, 'others')} of shape {shape}"
