"""Training on rewards, for the tasks whose models write sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minirnn.errors import InputError
from minirnn.runs.rewarding import OPTIONS
from minirnn.training.rewards import Rewards, named_reward
from minirnn.training.sentences import SentenceTask


def check(options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: it says which.
    """
    needs = {name: (options["reward"], "--reward") for name in OPTIONS if name != "reward"}
    if options["reward"]:
        risk = options["estimator"] == "risk"
        needs |= {"baseline": (not risk, "--estimator reinforce"), "sharpness": (risk, "--estimator risk")}
    for name, (company, what) in needs.items():
        if options[name] != OPTIONS[name][0] and not company:
            raise InputError(f"--{name} goes with {what}")


def train_on(
    task: SentenceTask,
    options: dict[str, Any],
    references: Callable[[], Sequence[Sequence[Sequence[str]]]],
    held_out: int,
) -> dict[str, Any]:
    """Put a task on the rewards that the options name, if they do. Returns what the trainer is to be told for that.

    Args:
        task: knows how ids become words.
        options: of the command.
        references: of all training examples, as words.
        held_out: how many examples are.

    Raises:
        InputError: options do not go together, the samples or the examples are too few, or nothing is held out.
    """
    check(options)
    if not options["reward"]:
        return {}
    if not held_out:
        raise InputError("--reward needs examples that are held out: by them it is seen whether it has done any good")
    reward = named_reward(options["reward"], references() if options["reward"] == "cider" else ())
    chosen = {name: options[name] for name in ("estimator", "baseline", "samples", "sharpness", "control")}
    task.train_on(Rewards(reward, task.to_words, cross_entropy=options["cross-entropy"], **chosen))
    return {"monitor": "valid_reward"}
