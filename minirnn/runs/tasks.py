"""What `minirnn train task` can be told: a generated task instead of files, and of the rest what translation can."""

from __future__ import annotations

from typing import Any

from minirnn.data.tasks import TASKS
from minirnn.runs import translation
from minirnn.runs.options import Options, number, read_options
from minirnn.runs.own import EXAMPLE, TASK, chosen_task
from minirnn.training import Run

_OF_CORPORA = (
    *("data", "source", "target", "valid-data", "valid-source", "valid-target", "swap", "max-pairs", "valid-fraction"),
    *("tokens", "clean", "min-frequency", "vocabulary", "shared-vocabulary"),
)
_DEFAULTS = {"cell": "lstm", "embedding": 16, "dropout": 0.0, "batch-size": 128, "lr": 0.002, "clip": 5.0, "epochs": 4}

OPTIONS: Options = {
    "task": (
        "reverse",
        {
            **TASK.settings(),
            "help": "; ".join(f"{name}: {task.about}" for name, task in TASKS.items())
            + f"; {EXAMPLE}: a function of your own, from a numpy.random.Generator to a question and its answer",
        },
    ),
    "examples": (20_000, {"type": number(int, 1, 1_000_001), "metavar": "N", "help": "pairs to learn from"}),
    **{
        name: (_DEFAULTS.get(name, default), settings)
        for name, (default, settings) in translation.OPTIONS.items()
        if name not in _OF_CORPORA
    },
}


def complete(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a task's run with those of a translation run that follow from them."""
    rest = {name: translation.OPTIONS[name][0] for name in _OF_CORPORA}
    return {**rest, "tokens": chosen_task(options["task"]).tokens, "clean": "none", **options}


def read_run_options(run: Run) -> dict[str, Any]:
    """The options of a translation run or a generated task's.

    Raises:
        InputError: the run is neither, or its run.json is damaged.
    """
    if run.config.get("task") == "task":
        return complete(read_options(run, "task", OPTIONS))
    return read_options(run, "translate", translation.OPTIONS)
