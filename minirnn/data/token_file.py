"""The ids of a long text in a file, so that a run that goes on need not cut the text again.

The file is laid out as safetensors are (https://huggingface.co/docs/safetensors): eight bytes with the length of the
header, the header in JSON, and the ids, which are mapped into memory and not read. In the header stand a checksum of
the ids, and what they are the ids of.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn.data.corpus import Stored
from minirnn.data.writing import write_atomically

TYPES: dict[str, np.dtype] = {"U8": np.dtype(np.uint8), "U16": np.dtype(np.uint16), "U32": np.dtype(np.uint32)}
"""The types of ids, by what safetensors calls them."""
PIECE, LONGEST_HEADER = 2**22, 2**16
"""Ids that are copied at once, and bytes that a header may have."""


class Source(NamedTuple):
    """What tells, without reading it, that a file has not changed: where it is, its size, and when it was changed."""

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: str) -> Source | None:
        """Of a file; None of what is none, or can be read only once."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return cls(os.path.realpath(path), found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def write_tokens(path: Path, stored: Stored, about: Mapping[str, Any]) -> None:
    """Write ids and JSON-able words about them to a file, atomically."""
    write_atomically(path, _pieces(stored, about))


def _pieces(stored: Stored, about: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    name = next(name for name, dtype in TYPES.items() if dtype == stored.dtype)
    size = stored.count * stored.dtype.itemsize
    text = json.dumps(about)
    known = {"about": text, "ids": stored.sha256, "sha256": _checksum(text, stored.sha256)}
    tokens = {"dtype": name, "shape": [stored.count], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": known, "tokens": tokens}).encode()
    header += b" " * (-len(header) % 8)
    yield struct.pack("<Q", len(header)) + header
    stored.file.rewind()
    for start in range(0, stored.count, PIECE):
        yield stored.file.read(stored.dtype, min(PIECE, stored.count - start)).data


def read_about(path: Path) -> dict[str, Any]:
    """What is said about the ids of a file; nothing if there is no such file, or it is damaged. The ids may be."""
    try:
        with open(path, "rb") as file:
            known = _header(file.read(LONGEST_HEADER))[0]["__metadata__"]
        if known["sha256"] != _checksum(known["about"], known["ids"]):
            return {}
        about = json.loads(known["about"])
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return {}
    return about if isinstance(about, dict) else {}


def read_tokens(path: Path, step: Callable[[int], object] = lambda count: None) -> np.ndarray | None:
    """The ids of a file: (tokens,) unsigned integers, mapped into memory; None if it is damaged.

    Args:
        path: the file.
        step: told how many bytes more have been looked at.
    """
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            header, start = _header(file.read(LONGEST_HEADER))
            dtype, (count,) = TYPES[header["tokens"]["dtype"]], header["tokens"]["shape"]
            if os.fstat(file.fileno()).st_size != start + count * dtype.itemsize:
                return None
            file.seek(start)
            while piece := file.read(PIECE):
                found.update(piece)
                step(len(piece))
            if found.hexdigest() != header["__metadata__"]["ids"]:
                return None
            return np.asarray(np.memmap(file, dtype, "r", offset=start, shape=(count,)))
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _checksum(about: str, ids: str) -> str:
    return hashlib.sha256(f"{about}\n{ids}".encode()).hexdigest()


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header that a file begins with, and where it ends."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), 8 + size
