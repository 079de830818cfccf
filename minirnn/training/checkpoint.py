"""Files that are either whole or not there.

A checkpoint is one safetensors file: arrays by name, and in its header JSON and a checksum of both. One file means one
rename, so that arrays and JSON can never come from different moments; and a single bit that a disk has turned, which
would be a weight like any other, is found.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from minirnn.errors import InputError


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash at any moment, finds the old content or the new, never a part. What is
    there and no file, such as /dev/stdout, is written to and not replaced."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk does not say which file was too much, and others name the temporary one.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def save_checkpoint(path: str | Path, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write arrays and JSON-able `meta` to one file, atomically."""
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(meta)
    write_atomically(path, save(contiguous, metadata={"minirnn": text, "sha256": _checksum(contiguous, text)}))


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
        arrays = load(data)
        header_size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + header_size])["__metadata__"]
        if header.get("sha256") not in (None, _checksum(arrays, header["minirnn"])):
            raise ValueError("its checksum is wrong")
        meta = json.loads(header["minirnn"])
        if not isinstance(meta, dict):
            raise TypeError("its JSON is not an object")
    except (SafetensorError, struct.error, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a minirnn checkpoint, or damaged ({error})") from error
    return arrays, meta


def subset(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix` and a slash, without it."""
    start = prefix + "/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
