"""Downloads: the textbook's data sets, checked and kept in a cache."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from minirnn.errors import MinirnnError

BASE_URL = "http://d2l-data.s3-accelerate.amazonaws.com/"


class Dataset(NamedTuple):
    """A file on the server, and the text in it."""

    file: str
    sha1: str
    member: str | None
    """Which member of the zip archive is the text; None where the file itself is."""
    task: str
    """The task of `minirnn train` that it is for."""


DATASETS = {
    "fra-eng": Dataset("fra-eng.zip", "94646ad1522d915e7b0f9296181140edcf86a4f5", "fra-eng/fra.txt", "translate"),
    "time-machine": Dataset("timemachine.txt", "090b5e7e70c295757f55df93cb0a180b9691891a", None, "lm"),
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
    store = pooch.create(path=cache, base_url=base_url, registry={dataset.file: f"sha1:{dataset.sha1}"})
    file = _download(pooch, store, dataset.file)
    return _extract(file, dataset.member) if dataset.member else file


def _download(pooch: Any, store: Any, file: str) -> Path:
    """pooch writes to a temporary file and renames it once its checksum is right."""
    from requests import RequestException  # what pooch downloads with
    from tqdm import tqdm

    # disable=None: no bar where stderr is not a terminal; total: pooch sets it, but takes a bar without one for none
    progress = tqdm(desc=file, total=1, unit="B", unit_scale=True, disable=None, leave=False)
    try:
        return Path(store.fetch(file, downloader=pooch.HTTPDownloader(progressbar=progress, chunk_size=2**16)))
    except RequestException as error:
        response = error.response
        reason = f"no answer ({type(error).__name__})"
        if response is not None:
            reason = f"the server says {response.status_code} {response.reason}"
        raise MinirnnError(f"cannot download {store.get_url(file)}: {reason}") from error
    except ValueError as error:  # the checksum, or an address that is none
        raise MinirnnError(f"cannot download {store.get_url(file)}: {str(error).splitlines()[0]}") from error
    finally:
        progress.close()


def _extract(archive: Path, member: str) -> Path:
    """A member of a zip archive, beside it. It is written again if its checksum is not the archive's."""
    path = archive.parent / member
    with zipfile.ZipFile(archive) as files:
        if path.is_file() and zlib.crc32(path.read_bytes()) == files.getinfo(member).CRC:
            return path
        data = files.read(member)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise MinirnnError("downloads need pooch: pip install 'minirnn[data]'") from error
    pooch.get_logger().setLevel("ERROR")  # what it does, the progress bar says
    return pooch
