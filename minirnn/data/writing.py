"""Files that are either whole or not there, and only where they are meant to be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
"""A link that somebody laid where a file of ours goes would lead us to write into a file of theirs."""


def write_atomically(path: str | Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a file so that a reader, or a crash at any moment, finds the old content or the new, never a part.

    A link is replaced and not followed; but what is there and no file, such as /dev/stdout, is written to.

    Args:
        path: where to.
        data: all of it; or its pieces, of which only one need be in memory at a time.

    Raises:
        OSError: it cannot be written; names `path`.
    """
    path = Path(path)
    pieces = [data] if isinstance(data, bytes) else data
    try:
        if _is_stream(path):
            with path.open("wb") as file:
                file.writelines(pieces)
        else:
            _replace(path, pieces)
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk does not say which file was too much, and others name the temporary one.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_stream(path: Path) -> bool:
    """Whether a path is that of a device or a pipe, which no file can take the place of. A link to one is followed only
    where the system itself lays them, as it does for /dev/stdout."""
    if path.parent in (Path("/dev"), Path("/dev/fd")) or path.match("/proc/*/fd/*"):
        return True
    return not path.is_symlink() and path.exists() and not path.is_file()


def _replace(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(FileNotFoundError):  # of a killed process with our number; or a link in wait for us
        temporary.unlink()
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o666)
    try:
        with open(handle, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def open_in_place(path: Path, flags: int) -> BinaryIO:
    """A file that is opened for writing where it lies, made if there is none.

    Raises:
        OSError: it cannot be opened, or a link lies there.
    """
    return open(os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS | flags, 0o666), "r+b")
