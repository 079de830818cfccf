"""The bytes of a file, plain or gzipped, a piece at a time."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from minirnn.errors import InputError

MOST_UNPACKED, MOST_SWELLING = 2**24, 50
"""Bytes that any gzip file may hold, and how many times its own size."""


def byte_pieces(path: str | Path, size: int, step: Callable[[int], object]) -> Iterator[bytes]:
    """What a file holds, unpacked if it is gzipped. It may be a pipe, which is read once.

    Args:
        path: the file.
        size: of a piece, in bytes; the last may be smaller.
        step: told how many bytes of the file itself have been read since it was told last.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is a gzip file that is damaged or holds fifty times its size.
    """
    with open(path, "rb") as file:
        piece = file.read(max(size, 4))  # of which the first bytes say what the file is
        if piece.startswith(b"\x1f\x8b"):
            yield from _unpacked(file if file.seekable() else io.BytesIO(piece + file.read()), path, size, step)
            return
        while piece:
            step(len(piece))
            yield piece
            piece = file.read(size)


def _unpacked(file: BinaryIO, path: str | Path, size: int, step: Callable[[int], object]) -> Iterator[bytes]:
    """What a gzip file holds. Text is packed to a third or a tenth; what swells far beyond was made to do so."""
    packed, unpacked, told = file.seek(0, io.SEEK_END), 0, 0
    file.seek(0)
    most = max(MOST_UNPACKED, MOST_SWELLING * packed)
    try:
        with gzip.open(file) as opened:
            while piece := opened.read(max(size, 4)):
                unpacked += len(piece)
                if unpacked > most:
                    raise InputError(
                        f"{path}: its {packed:,} bytes hold more than {most:,}: unpack it first, if that is meant"
                    )
                step(file.tell() - told)
                told = file.tell()
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file: {error}") from error
