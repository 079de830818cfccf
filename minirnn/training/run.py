"""A run directory: everything one training leaves behind, and all that is needed to go on or to use the model.

run.json            what is trained, on what, and how, and the version of minirnn that began it
last.safetensors    the model, the optimiser and the place in the run, to resume from
best.safetensors    the model with the lowest validation loss so far
metrics.jsonl       a line for each validation
tokens.safetensors  the ids of a long text that a language model learns from, so that it need not be cut again
.lock               held by the process that trains the run
"""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

import numpy as np

from minirnn.data.writing import open_in_place, write_atomically
from minirnn.errors import InputError
from minirnn.training.checkpoint import count_numbers, load_checkpoint, save_checkpoint, subset
from minirnn.training.rows import check_rows
from minirnn.version import __version__, is_newer

FORMAT = 1
WRITTEN = ("run.json", "last.safetensors", "best.safetensors", "metrics.jsonl", "tokens.safetensors")
"""The files that are replaced as a whole, by way of a temporary one."""


def _to_json(config: Mapping[str, Any]) -> bytes:
    return json.dumps({"format": FORMAT, **config}, indent=1).encode()


class Run:
    """An existing run directory.

    Raises:
        InputError: the directory is not one, or its run.json is damaged.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        config_file = self.path / "run.json"
        if not config_file.is_file():
            missing = "it is a file" if self.path.exists() else "there is no such directory"
            what = "there is no run.json in it" if self.path.is_dir() else missing
            raise InputError(f"{self.path} is not a run directory: {what}")
        try:
            config = json.loads(config_file.read_text(encoding="utf-8"))
            found = config["format"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(f"{config_file}: damaged: {error}") from error
        self.config: dict[str, Any] = config
        if found != FORMAT:
            raise InputError(f"{config_file}: expected format {FORMAT}, found {found!r}{self._newer()}")
        self._place: tuple[int, int] | None = None  # the directory while it is locked

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def create(cls, path: str | Path, config: Mapping[str, Any]) -> Run:
        """Make a new run directory.

        Raises:
            InputError: the path exists and is not an empty directory, or another process is making it; nothing of it is
                touched.
        """
        path, data = Path(path), _to_json({"minirnn": __version__, **config})
        taken = f"{path} exists already: choose another directory, or resume the run if it is one"
        if path.exists() and not (path.is_dir() and _is_empty(path)):
            raise InputError(taken)
        path.mkdir(parents=True, exist_ok=True)
        with _locked(path, "beginning"):
            if not _is_empty(path):  # another process was quicker
                raise InputError(taken)
            _remove_temporaries(path)
            write_atomically(path / "run.json", data)
        return cls(path)

    @classmethod
    def create_numbered(cls, stem: str | Path, config: Mapping[str, Any]) -> Run:
        """Make a new run directory called stem-1, or the next number that is free."""
        for number in itertools.count(1):
            path = Path(f"{stem}-{number}")
            try:
                path.mkdir(parents=True)  # whoever makes the directory has the number, also in a race
            except FileExistsError:
                continue
            return cls.create(path, config)
        raise AssertionError("unreachable")

    @property
    def version(self) -> str | None:
        """The version of the minirnn that began the run; None of one from before that was recorded."""
        version = self.config.get("minirnn")
        return version if isinstance(version, str) else None

    def damaged(self, what: object) -> InputError:
        """The error that its run.json cannot be used, to be raised: damaged, or made by a later minirnn."""
        how = "cannot be read here" if is_newer(self.version) else "damaged"
        return InputError(f"{self.path / 'run.json'}: {how}: {what}{self._newer()}")

    def _newer(self) -> str:
        if not is_newer(self.version):
            return ""
        return f" (minirnn {self.version} made the run, and this is {__version__}: update minirnn)"

    def update(self, config: Mapping[str, Any]) -> None:
        """Change parts of the configuration, also in run.json."""
        self._check_place()
        self.config |= config
        write_atomically(self.path / "run.json", _to_json(self.config))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training this run inside the block (where the system has file locks).

        Raises:
            InputError: another process is training it.
        """
        with _locked(self.path, "training") as place:
            self._place = place
            try:
                yield
            finally:
                self._place = None

    def _check_place(self) -> None:
        """See that the directory is still the one that is locked.

        Raises:
            InputError: it has been removed or moved; where another has been made in its place, it is not ours.
        """
        if self._place is not None and _identity(self.path) != self._place:
            what = "is another directory now" if self.path.exists() else "is gone"
            raise InputError(f"{self.path} {what}: the training that went on in it has nowhere to go on")

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest validation loss."""
        return self.path / "best.safetensors"

    def _checkpoint(self, which: str) -> Path:
        if which not in ("best", "last"):
            raise InputError(f"unknown checkpoint {which!r}: expected 'best' or 'last'")
        return self.best if which == "best" and self.best.exists() else self.last

    def model_state(self, which: str = "best") -> dict[str, np.ndarray]:
        """The parameters in the best or last checkpoint; of the last if there is no best yet.

        Raises:
            InputError: there is no checkpoint, or none of this name; it is damaged or from before the first step; or
                the best is gone.
        """
        path = self._checkpoint(which)
        if not path.exists():
            raise InputError(f"{self.path} has no checkpoint yet: let its training run a little longer")
        arrays, meta = load_checkpoint(path)
        if meta.get("step") == 0 and path == self.last:
            raise InputError(f"{self.path} has not been trained yet: let its training run a little longer")
        if which == "best" and path == self.last and meta.get("best", math.inf) != math.inf:
            raise InputError(
                f"{self.best} is missing, the weights with the best measure: copy {self.last} there to use the last"
            )
        return subset(arrays, "model")

    def num_weights(self, which: str = "best") -> int | None:
        """How many numbers the model in the best or last checkpoint has, without reading them; None without a
        checkpoint.

        Raises:
            InputError: it is damaged, or there is none of this name.
        """
        path = self._checkpoint(which)
        return count_numbers(path, "model") if path.exists() else None

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of the metrics file; a last line that a crash cut short is left out.

        Raises:
            InputError: the file is damaged.
        """
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        try:
            text = path.read_text(encoding="utf-8")
            lines = text.split("\n")[:-1]
            rows = [json.loads(line) for line in lines]
            check_rows(rows)
        except ValueError as error:
            raise InputError(f"{path}: damaged: {error}") from error
        return rows

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a line to the metrics file, on the disk when this returns."""
        self._check_place()
        with open_in_place(self.path / "metrics.jsonl", os.O_APPEND) as file:
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace the metrics file."""
        self._check_place()
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def remove_temporaries(self) -> None:
        """Remove what a killed process left half written."""
        _remove_temporaries(self.path)

    def save_last(self, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Replace the checkpoint to resume from."""
        self._check_place()
        save_checkpoint(self.last, arrays, meta)

    def save_best(self, model: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Replace the best checkpoint."""
        self._check_place()
        save_checkpoint(self.best, {f"model/{name}": array for name, array in model.items()}, meta)


def _temporaries(path: Path) -> list[Path]:
    return [file for name in WRITTEN for file in path.glob(f".{name}.*.tmp")]


def _remove_temporaries(path: Path) -> None:
    for file in _temporaries(path):
        file.unlink()


def _is_empty(path: Path) -> bool:
    """Whether nothing is in a directory but what a process left that was killed when it had just made it."""
    return not set(path.iterdir()).difference(_temporaries(path), [path / ".lock"])


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _locked(path: Path, doing: str) -> Iterator[tuple[int, int] | None]:
    """Hold the lock of a run directory; gives the directory's identity."""
    try:
        file = open_in_place(path / ".lock", 0)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(f"{path / '.lock'} is a link: remove it") from error
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(f"{path}: another process is {doing} this run") from error
        yield _identity(path)
