"""Checkpoints: arrays by name and JSON in one file, which is either whole or not there.

A checkpoint is one safetensors file: arrays by name, and in its header JSON, a checksum of both, and the version of
minirnn. One file means one
rename, so that arrays and JSON can never come from different moments; and a single bit that a disk has turned, which
would be a weight like any other, is found.

The format (https://huggingface.co/docs/safetensors) is eight bytes with the length of the header, the header in JSON,
and the arrays one after another. It is written and read here, array by array: the library of that name needs the memory
of all arrays once or twice more, and where there is none it takes the process down.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.version import __version__

TYPES = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "<i8": "I64", "<i4": "I32", "|u1": "U8", "|i1": "I8", "|b1": "BOOL"}
"""What safetensors calls the types of arrays that a checkpoint may have."""
_DTYPES = {name: np.dtype(text) for text, name in TYPES.items()}


def save_checkpoint(path: str | Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write arrays and JSON-able `meta` to one file, atomically.

    Raises:
        OSError: it cannot be written.
        InputError: an array is none, or of a type that a checkpoint cannot have.
    """
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.str not in TYPES:
            found = str(getattr(array, "dtype", type(array).__name__))
            raise InputError(f"{name}: a checkpoint has arrays of {', '.join(map(str, _DTYPES.values()))}, not {found}")
    # The widest types first, so that every array begins at a multiple of its numbers' size.
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    contiguous = {name: np.asarray(arrays[name], order="C") for name in names}
    write_atomically(path, _pieces(contiguous, json.dumps(meta)))


def _pieces(arrays: Mapping[str, np.ndarray], text: str) -> Iterator[bytes | memoryview]:
    """The file, of which no array is copied."""
    known = {"minirnn": text, "sha256": _checksum(arrays, text), "version": __version__}
    header: dict[str, Any] = {"__metadata__": known}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": TYPES[array.dtype.str], "shape": array.shape, "data_offsets": (start, end)}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    yield struct.pack("<Q", len(encoded)) + encoded
    for array in arrays.values():
        yield array.reshape(-1).view(np.uint8).data


def _checksum(arrays: Mapping[str, np.ndarray], text: str) -> str:
    """SHA-256 of the JSON and of every array with its name, type and shape."""
    found = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        found.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def load_checkpoint(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_checkpoint` wrote. It takes the memory of the arrays, once.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is not a checkpoint, or damaged. (Without a checksum, as they were written once, it is believed.)
    """
    with open(path, "rb") as file:
        try:
            header = _header(file)
            known = header.pop("__metadata__")
            arrays = _read_arrays(file, header)
            if known.get("sha256") not in (None, _checksum(arrays, known["minirnn"])):
                raise ValueError("its checksum is wrong")
            meta = json.loads(known["minirnn"])
            if not isinstance(meta, dict):
                raise TypeError("its JSON is not an object")
        except _DAMAGE as error:
            raise _no_checkpoint(path, error) from error
    return arrays, meta


_DAMAGE = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)
"""What comes of a file that is no checkpoint."""


def _read_arrays(file: BinaryIO, header: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a file that has been read up to the first of them. Before there is memory for any, all of them are
    known to be there: one after the other, up to the end of the file.

    Raises:
        ValueError: they are not.
        KeyError, TypeError: nor are they described.
    """
    start, arrays = file.tell(), {}
    end = start
    places = {name: entry["data_offsets"] for name, entry in header.items()}
    for name in sorted(places, key=places.__getitem__):
        dtype, shape = _DTYPES[header[name]["dtype"]], _shape(header[name])
        if places[name] != [end - start, end - start + math.prod(shape) * dtype.itemsize]:
            raise ValueError(f"{name} does not lie where it should")
        end = start + places[name][1]
    if end != os.fstat(file.fileno()).st_size:
        raise ValueError("it is cut short, or goes on after its end")
    for name, (first, stop) in places.items():
        arrays[name] = np.empty(_shape(header[name]), _DTYPES[header[name]["dtype"]])
        file.seek(start + first)
        if file.readinto(arrays[name].reshape(-1).view(np.uint8)) != stop - first:  # type: ignore[attr-defined]
            raise ValueError("it has become shorter")
    return arrays


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    shape = entry["shape"]
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("its shapes are no counts")
    return tuple(shape)


def read_version(path: str | Path) -> str | None:
    """The version of the minirnn that wrote a checkpoint; None of one from before that was recorded. Raises as
    `count_numbers`."""
    version = _read_header(path).get("__metadata__", {}).get("version")
    return version if isinstance(version, str) else None


def count_numbers(path: str | Path, prefix: str) -> int:
    """How many numbers the arrays have whose names begin with `prefix` and a slash, by the header alone.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is not a checkpoint, or damaged.
    """
    header = _read_header(path)
    try:
        return sum(math.prod(_shape(entry)) for name, entry in header.items() if name.startswith(f"{prefix}/"))
    except _DAMAGE as error:
        raise _no_checkpoint(path, error) from error


def _read_header(path: str | Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        try:
            return _header(file)
        except _DAMAGE as error:
            raise _no_checkpoint(path, error) from error


def _no_checkpoint(path: str | Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a minirnn checkpoint, or damaged ({error})")


def _header(file: BinaryIO) -> dict[str, Any]:
    """The header that a file begins with: an object for each array, and "__metadata__"."""
    size, left = int.from_bytes(file.read(8), "little"), os.fstat(file.fileno()).st_size - 8
    if not 0 < size <= left:
        raise ValueError("it is cut short")
    header = json.loads(file.read(size))
    if not (isinstance(header, dict) and all(isinstance(entry, dict) for entry in header.values())):
        raise TypeError("its header has no object for each array")
    return header


def subset(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix` and a slash, without it."""
    start = prefix + "/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
