"""A run directory: everything one training leaves behind, and all that is needed to go on or to use the model.

run.json            what was trained, on what, and how (written once, at the start)
last.safetensors    the model, the optimiser and the place in the run, to resume from
best.safetensors    the model with the lowest validation loss so far
metrics.jsonl       a line for each validation
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.errors import InputError
from minirnn.training.checkpoint import load_checkpoint, save_checkpoint, subset, write_atomically

FORMAT = 1


class Run:
    """An existing run directory.

    Raises:
        InputError: the directory is not one, or its run.json is damaged.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        config_file = self.path / "run.json"
        if not config_file.is_file():
            what = "there is no run.json in it" if self.path.is_dir() else "there is no such directory"
            raise InputError(f"{self.path} is not a run directory: {what}")
        try:
            config = json.loads(config_file.read_text(encoding="utf-8"))
            found = config["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{config_file}: damaged: {error}") from error
        if found != FORMAT:
            raise InputError(f"{config_file}: expected format {FORMAT}, found {found!r}")
        self.config: dict[str, Any] = config

    @classmethod
    def create(cls, path: str | Path, config: dict[str, Any]) -> Run:
        """Make a new run directory.

        Raises:
            InputError: there is a run in it already; nothing of it is touched.
        """
        path = Path(path)
        if path.exists() and (not path.is_dir() or (path / "run.json").exists()):
            raise InputError(f"{path} exists already: choose another --out, or continue it with --resume {path}")
        path.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": FORMAT, **config}, indent=1, ensure_ascii=False)
        write_atomically(path / "run.json", text.encode())
        return cls(path)

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
            InputError: there is no checkpoint, or it is damaged.
        """
        path = self.best if which == "best" and self.best.exists() else self.last
        if not path.exists():
            raise InputError(f"{self.path} has no checkpoint yet: let its training run a little longer")
        return subset(load_checkpoint(path)[0], "model")

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of the metrics file; a last line that a crash cut short is left out."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        whole_lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        try:
            return [json.loads(line) for line in whole_lines]
        except ValueError as error:
            raise InputError(f"{path}: damaged: {error}") from error

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a line to the metrics file."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace the metrics file."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def save_best(self, model: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Replace the best checkpoint."""
        save_checkpoint(self.best, {f"model/{name}": array for name, array in model.items()}, meta)
