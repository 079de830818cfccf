"""A run directory: everything one training leaves behind, and all that is needed to go on or to use the model.

run.json            what is trained, on what, and how
last.safetensors    the model, the optimiser and the place in the run, to resume from
best.safetensors    the model with the lowest validation loss so far
metrics.jsonl       a line for each validation
.lock               held by the process that trains the run
"""

from __future__ import annotations

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

from minirnn.errors import InputError
from minirnn.training.checkpoint import load_checkpoint, save_checkpoint, subset, write_atomically

FORMAT = 1


def check_rows(rows: Any) -> None:
    """Refuse what is no history of a training: rows with numbers, among them epoch, step and train_loss.

    Raises:
        ValueError: it is none.
    """
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise ValueError("expected an object in every line")
    for row in rows:
        if not all(type(row.get(name)) is int for name in ("epoch", "step")) or "train_loss" not in row:
            raise ValueError("expected epoch, step and train_loss in every line")
        if strange := [name for name, value in row.items() if type(value) not in (int, float)]:
            raise ValueError(f"expected numbers, but {strange[0]} is {row[strange[0]]!r}")


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
        if found != FORMAT:
            raise InputError(f"{config_file}: expected format {FORMAT}, found {found!r}")
        self.config: dict[str, Any] = config

    @classmethod
    def create(cls, path: str | Path, config: Mapping[str, Any]) -> Run:
        """Make a new run directory.

        Raises:
            InputError: the path exists and is not an empty directory; nothing of it is touched.
        """
        path, data = Path(path), _to_json(config)
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise InputError(f"{path} exists already: choose another directory, or resume the run if it is one")
        path.mkdir(parents=True, exist_ok=True)
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

    def update(self, config: Mapping[str, Any]) -> None:
        """Change parts of the configuration, also in run.json."""
        self.config |= config
        write_atomically(self.path / "run.json", _to_json(self.config))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training this run inside the block (where the system has file locks).

        Raises:
            InputError: another process is training it.
        """
        with open(self.path / ".lock", "w") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise InputError(f"{self.path}: another process is training this run") from error
            yield

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest validation loss."""
        return self.path / "best.safetensors"

    def model_state(self, which: str = "best") -> dict[str, np.ndarray]:
        """The parameters in the best or last checkpoint; of the last if there is no best yet.

        Raises:
            InputError: there is no checkpoint, it is damaged, or the best is gone.
        """
        path = self.best if which == "best" and self.best.exists() else self.last
        if not path.exists():
            raise InputError(f"{self.path} has no checkpoint yet: let its training run a little longer")
        arrays, meta = load_checkpoint(path)
        if which == "best" and path == self.last and meta.get("best", math.inf) != math.inf:
            raise InputError(
                f"{self.best} is missing, the weights with the best measure: copy {self.last} there to use the last"
            )
        return subset(arrays, "model")

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
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace the metrics file."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def remove_temporaries(self) -> None:
        """Remove what a killed process left half written."""
        for name in ("run.json", "last.safetensors", "best.safetensors", "metrics.jsonl"):
            for path in self.path.glob(f".{name}.*.tmp"):
                path.unlink()

    def save_best(self, model: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Replace the best checkpoint."""
        save_checkpoint(self.best, {f"model/{name}": array for name, array in model.items()}, meta)
