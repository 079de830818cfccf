"""`minirnn train task`: train an encoder-decoder model on a generated task."""

from __future__ import annotations

from typing import Any

from minirnn.cli import rewarding
from minirnn.cli.train import translate
from minirnn.cli.training import Command
from minirnn.runs.tasks import OPTIONS, complete
from minirnn.training import Run, Trainer


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    changeable = ("epochs", "patience", "device", "save-every")
    command = Command("task", OPTIONS, _begin, _reopen, _announce, translate.report, changeable, rewarding.OPTIONS)
    command.add_to(
        tasks,
        "a generated task for sequence-to-sequence models",
        "Train an encoder-decoder model on a generated task, and test it on questions that it has never seen. "
        "`minirnn translate` and `minirnn evaluate` then take the run. Without options: numbers from the last to the "
        "first, about a minute.",
        "minirnn train task --task addition --examples 45000 --decoder context --encoder backward --epochs 25",
    )


def _begin(options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
    return translate.begin(complete(options), progress)


def _reopen(run: Run, options: dict[str, Any], progress: bool) -> Trainer:
    return translate.RECIPE.reopen(run, complete(options), progress)


def _announce(trainer: Trainer, options: dict[str, Any]) -> str:
    return f"{options['task']}: {translate.announce(trainer, options)}"
