"""Checking a function, and the page that a learner reads afterwards."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minirnn.errors import InputError
from minirnn.exercises.calling import AnswerError, call
from minirnn.exercises.catalogue import EXERCISES, find
from minirnn.exercises.diagnosis import Values, diagnose
from minirnn.exercises.exercise import Exercise

SEEDS = (0, 1, 2, 3, 4, 5)
"""The draws that a function must be right in."""


@dataclass(frozen=True)
class Report:
    """What a check has found.

    Attributes:
        exercise: its name.
        wrong: for each output what is wrong with it; "" where nothing is.
        trouble: why there was nothing to compare; "" where there was.
    """

    exercise: str
    wrong: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    @property
    def right(self) -> bool:
        """Whether all of it is right."""
        return not self.trouble and not any(self.wrong.values())

    def __str__(self) -> str:
        exercise = EXERCISES[self.exercise]
        lines = [f"{exercise.name}: {exercise.title}", ""]
        width = max(map(len, exercise.outputs))
        if self.trouble:
            lines += [*_wrapped("  ", self.trouble)]
        for name, sentence in self.wrong.items():
            lines += _wrapped(f"  {name:{width}}  ", f"wrong: {sentence}" if sentence else "right")
        if self.right:
            lines += ["", _congratulation(exercise)]
        return "\n".join(lines)

    __repr__ = __str__  # so that a notebook shows it


def check(function: Callable[..., Any], name: str | None = None) -> Report:
    """Check a function that solves an exercise, as `minirnn exercise check` does with a file.

    Args:
        function: called as the exercise says. It runs in this process, without a time limit.
        name: of the exercise; None: it is the function's own, with "-" for "_".

    Returns:
        A report, to be printed.

    Raises:
        InputError: there is no such exercise.
    """
    if name is None:
        name = getattr(function, "__name__", "").replace("_", "-")
        if name not in EXERCISES:
            known = ", ".join(one.function for one in EXERCISES.values())
            raise InputError(f"no exercise is called {name!r}: expected a function by one of the names {known}")
    exercise = find(name)
    problems = [exercise.draw(seed) for seed in SEEDS]
    try:
        results = [call(exercise, function, problem) for problem in problems]
    except AnswerError as trouble:
        return Report(exercise.name, trouble=str(trouble))
    return judge(exercise, results)


def judge(exercise: Exercise, results: Sequence[Values]) -> Report:
    """The report on a function's outputs, given for each of `SEEDS`."""
    with np.errstate(all="ignore"):
        return Report(exercise.name, diagnose(exercise, [exercise.draw(seed) for seed in SEEDS], results))


def _wrapped(begin: str, text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=begin, subsequent_indent=" " * len(begin)) or [begin.rstrip()]


def _congratulation(exercise: Exercise) -> str:
    names = list(EXERCISES)
    following = names[names.index(exercise.name) + 1 :]
    onward = f"Next: minirnn exercise start {following[0]}" if following else "That was the last one."
    return f"All right. How minirnn does it: minirnn exercise solution {exercise.name}\n{onward}"
