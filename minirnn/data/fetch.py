"""Downloads: the textbook's data sets, checked and kept in a cache."""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

from minirnn.data.writing import write_atomically
from minirnn.errors import MinirnnError, install

BASE_URL = "https://d2l-data.s3-accelerate.amazonaws.com/"
PIECE = 2**16
SILENCE = 30
"""Seconds without a byte after which a server is given up."""
LEAST_SPEED, PATIENCE = 10_000, 60
"""A download may take so many seconds, and more as for its bytes at that speed a second."""


class Dataset(NamedTuple):
    """A file on the server, and the text in it."""

    file: str
    size: int
    """Its bytes; a server that sends more sends something else."""
    sha256: str
    member: str | None
    """Which member of the zip archive is the text; None where the file itself is."""
    task: str
    """The task of `minirnn train` that it is for."""


DATASETS = {
    "fra-eng": Dataset(
        "fra-eng.zip",
        3_420_152,
        "fa96382b2c8b609e1662654c1e6e6baeb8d30b3bf63dfb4a5a261cc36347df13",
        "fra-eng/fra.txt",
        "translate",
    ),
    "time-machine": Dataset(
        "timemachine.txt",
        178_979,
        "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
        None,
        "lm",
    ),
}


def fetch_dataset(name: str, folder: str | Path | None = None) -> Path:
    """The path of a data set's text, downloaded if it is not there yet or damaged.

    Args:
        name: "fra-eng", pairs of English and French sentences, or "time-machine", a novel by H. G. Wells.
        folder: where to; by default `$MINIRNN_CACHE`, else the user's cache folder. `$MINIRNN_MIRROR` is the address to
            download from instead of the textbook's.

    Raises:
        MinirnnError: no such data set; no pooch; the server does not answer, or sends something else than it should.
        OSError: the folder cannot be written.
    """
    if name not in DATASETS:
        raise MinirnnError(f"unknown data set {name!r}: expected one of {', '.join(DATASETS)}")
    dataset = DATASETS[name]
    pooch = _pooch()
    base_url = os.environ.get("MINIRNN_MIRROR") or BASE_URL
    cache = Path(folder or os.environ.get("MINIRNN_CACHE") or pooch.os_cache("minirnn"))
    try:
        cache = cache.expanduser()
    except RuntimeError as error:  # ~somebody, who has none
        raise MinirnnError(f"{cache}: there is no such home directory") from error
    store = pooch.create(path=cache, base_url=base_url, registry={dataset.file: f"sha256:{dataset.sha256}"})
    file = _download(store, dataset)
    return _extract(file, dataset.member) if dataset.member else file


def _download(store: Any, dataset: Dataset) -> Path:
    """pooch writes to a temporary file and renames it once its checksum is right."""
    url = store.get_url(dataset.file)

    def transfer(_: str, path: str, __: Any) -> None:
        from tqdm import tqdm

        size = 0
        # disable=None: no bar where stderr is not a terminal
        bar = tqdm(desc=dataset.file, total=dataset.size, unit="B", unit_scale=True, disable=None, leave=False)
        with (
            bar,
            open(path, "wb") as file,
            contextlib.closing(_pieces(url, PATIENCE + dataset.size / LEAST_SPEED)) as pieces,
        ):
            for piece in pieces:
                size += len(piece)
                if size > dataset.size:
                    raise ValueError(f"the server sends more than its {dataset.size:,} bytes")
                file.write(piece)
                bar.update(len(piece))

    try:
        return Path(store.fetch(dataset.file, downloader=transfer))
    except urllib.error.HTTPError as error:
        raise MinirnnError(f"cannot download {url}: the server says {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
        raise MinirnnError(f"cannot download {url}: no answer ({said})") from error
    except ValueError as error:  # the checksum, or an address that is none
        raise MinirnnError(f"cannot download {url}: {str(error).splitlines()[0]}") from error


def _pieces(url: str, seconds: float) -> Generator[bytes, None, None]:
    """What a server sends, as it comes. It is read in a thread that can be left behind: while a byte comes now and
    then, none of the system's own limits of time runs out.

    Raises:
        TimeoutError: it takes longer than so many seconds, all in all.
        OSError, http.client.HTTPException, ValueError: as `urllib.request.urlopen`; ValueError also for an address of
            another kind.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError("expected an address that begins with https:// or http://")
    arrived: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    enough, until = threading.Event(), time.monotonic() + seconds

    def read() -> None:
        try:
            with urllib.request.urlopen(url, timeout=SILENCE) as response:
                while (piece := response.read1(PIECE)) and not enough.is_set():
                    arrived.put(piece)
            arrived.put(b"")
        except Exception as error:
            arrived.put(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        while True:
            try:
                piece = arrived.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"it takes longer than {seconds:.0f} s") from None
            if isinstance(piece, Exception):
                raise piece
            if not piece:
                return
            yield piece
    finally:
        enough.set()


def _extract(archive: Path, member: str) -> Path:
    """A member of a zip archive, beside it. It is written again if its checksum is not the archive's."""
    path = archive.parent / member
    with zipfile.ZipFile(archive) as files:
        if path.is_file() and zlib.crc32(path.read_bytes()) == files.getinfo(member).CRC:
            return path
        data = files.read(member)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, data)
    return path


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise MinirnnError(f"downloads need pooch: {install('data')}") from error
    pooch.get_logger().setLevel("ERROR")  # what it does, the progress bar says
    return pooch
