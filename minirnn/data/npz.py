"""Arrays of .npz files.

They come from anywhere: nothing is unpickled, and no memory is taken for what a header promises and the file does not
hold.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from minirnn.arguments import shown
from minirnn.data.refusing import refusing
from minirnn.errors import InputError

MOST_SWELLING = 200
"""How many times its packed size a large array may be."""


@contextmanager
def open_npz(path: str | Path, most_unpacked: int) -> Iterator[Arrays]:
    """The arrays of a file. Whatever NumPy says of damaged ones while it is open becomes one line.

    Args:
        path: an .npz file, packed or not.
        most_unpacked: bytes that any packed array may hold.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is no such file, or damaged.
    """
    with open(path, "rb") as file, refusing(path, "damaged .npz file"), zipfile.ZipFile(file) as archive:
        yield Arrays(path, archive, os.fstat(file.fileno()).st_size, most_unpacked)


class Arrays:
    """The arrays of an .npz file, each of which is looked at before it is read."""

    def __init__(self, path: str | Path, archive: zipfile.ZipFile, size: int, most_unpacked: int):
        self.path, self._archive, self._size, self._most_unpacked = path, archive, size, most_unpacked

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._archive.namelist()

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Shape and type of an array that the file holds in full.

        Raises:
            InputError: there is none, or it is damaged, or swells, or would have to be unpickled.
        """
        if name not in self:
            found = shown([entry.removesuffix(".npy") for entry in self._archive.namelist()])
            raise InputError(f"{self.path}: expected an array `{name}` among {found}")
        entry = self._archive.getinfo(f"{name}.npy")
        if entry.compress_size > self._size:
            raise InputError(f"{self.path}: damaged .npz file: `{name}` is larger than the file")
        if entry.file_size > max(self._most_unpacked, MOST_SWELLING * entry.compress_size):
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
        return shape, dtype

    def read(self, name: str) -> np.ndarray:
        """An array whose header has been read."""
        with self._archive.open(f"{name}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)


def described(shape: tuple[int, ...], dtype: np.dtype) -> str:
    """What an array is, in a few words."""
    kinds = {"f": "floats", "i": "integers", "u": "integers", "U": "strings", "S": "bytes", "b": "truth values"}
    return f"{kinds.get(dtype.kind, 'others')} of shape {shape}"
