"""Checkpoints: arrays by name and JSON in one file, which is either whole or not there.

A checkpoint is one safetensors file: arrays by name, and in its header JSON, a checksum of both, and the version of
minirnn. One file means one
rename, so that arrays and JSON can never come from different moments; and a single bit that a disk has turned, which
would be a weight like any other, is found.

The format (https://huggingface.co/docs/safetensors) is eight bytes with the length of the header, the header in JSON,
and the arrays one after another. It is written here, piece by piece: the library's writer needs the memory of all
arrays twice more, and where there is none it takes the process down. The library reads it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.version import __version__

TYPES = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "<i8": "I64", "<i4": "I32", "|u1": "U8", "|i1": "I8", "|b1": "BOOL"}
"""What safetensors calls the types of arrays that a checkpoint may have."""


def save_checkpoint(path: str | Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write arrays and JSON-able `meta` to one file, atomically."""
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
    """Read what `save_checkpoint` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is not a checkpoint, or damaged. (Without a checksum, as they were written once, it is believed.)
    """
    data = Path(path).read_bytes()
    try:
        header = _header(data)["__metadata__"]
        arrays = load(data)
        if header.get("sha256") not in (None, _checksum(arrays, header["minirnn"])):
            raise ValueError("its checksum is wrong")
        meta = json.loads(header["minirnn"])
        if not isinstance(meta, dict):
            raise TypeError("its JSON is not an object")
    except (SafetensorError, struct.error, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _no_checkpoint(path, error) from error
    return arrays, meta


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
        shapes = [entry["shape"] for name, entry in header.items() if name.startswith(f"{prefix}/")]
        if not all(type(n) is int and n >= 0 for shape in shapes for n in shape):
            raise ValueError("its shapes are no counts")
    except (KeyError, TypeError, ValueError) as error:
        raise _no_checkpoint(path, error) from error
    return sum(math.prod(shape) for shape in shapes)


def _read_header(path: str | Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        start = file.read(8)
        size = min(int.from_bytes(start, "little"), os.fstat(file.fileno()).st_size)
        try:
            header = _header(start + file.read(size))
            if not (isinstance(header, dict) and all(isinstance(entry, dict) for entry in header.values())):
                raise TypeError("its header has no object for each array")
        except (struct.error, TypeError, ValueError, RecursionError) as error:
            raise _no_checkpoint(path, error) from error
    return header


def _no_checkpoint(path: str | Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a minirnn checkpoint, or damaged ({error})")


def _header(data: bytes) -> dict[str, Any]:
    if len(data) < 8:
        raise ValueError("it is cut short")
    (size,) = struct.unpack("<Q", data[:8])
    if size > len(data) - 8:
        raise ValueError("it is cut short")
    return json.loads(data[8 : 8 + size])


def subset(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix` and a slash, without it."""
    start = prefix + "/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
