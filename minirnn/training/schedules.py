"""Numbers that change as training goes on: the learning rate, and how often the decoder is fed the truth.

A learning-rate schedule is a function `factor(place, history)` of the place in the run and the rows of the validations
so far; the rate is the optimiser's own times the factor. It keeps no state, so a resumed run has the same rates.
Several schedules multiply.

A teacher-forcing schedule is a function of the number of steps done, the probability with which the decoder is fed the
true token: 1 is teacher forcing (Williams & Zipser 1989), and its fall is scheduled sampling (Bengio et al. 2015).

All raise InputError for numbers that are out of range. What they give prints as the call that made it.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from minirnn.arguments import integer, number


class HasPlace(Protocol):
    """The part of the loop's place that a schedule reads."""

    step: int
    epoch: int


History = Sequence[Mapping[str, Any]]
Schedule = Callable[[HasPlace, History], float]
TeacherForcing = Callable[[int], float]

P = ParamSpec("P")
R = TypeVar("R", bound=Callable[..., float])


class Described:
    """A function that prints as the call that made it."""

    def __init__(self, function: Callable[..., float], text: str):
        self.function, self.text = function, text

    def __call__(self, *args: Any) -> float:  # noqa: D102
        return self.function(*args)

    def __repr__(self) -> str:
        return self.text


def described(make: Callable[P, R]) -> Callable[P, R]:
    """Decorate what makes a function, so that the function prints as the call: `warmup(steps=100)`."""

    @functools.wraps(make)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        function = make(*args, **kwargs)
        given = inspect.signature(make).bind(*args, **kwargs).arguments
        return cast(R, Described(function, f"{make.__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"))

    return call


@described
def warmup(steps: int) -> Schedule:
    """From near 0 to 1 in a straight line over the first `steps` steps (Goyal et al. 2017)."""
    steps = integer("the steps of the warm-up", steps)
    return lambda place, history: min(1.0, (place.step + 1) / steps)


@described
def step_decay(epochs: int, factor: float) -> Schedule:
    """Times `factor` after every `epochs` epochs."""
    epochs, factor = integer("the epochs between decays", epochs), _decay(factor)
    return lambda place, history: factor ** (place.epoch // epochs)


@described
def cosine(steps: int) -> Schedule:
    """From 1 to 0 over `steps` steps, along half a wave (Loshchilov & Hutter 2017)."""
    steps = integer("the steps of the decay", steps)
    return lambda place, history: 0.5 * (1 + math.cos(math.pi * min(place.step / steps, 1.0)))


@described
def plateau(factor: float, patience: int, monitor: str = "valid_loss") -> Schedule:
    """Times `factor` whenever `monitor` had no new best for `patience` validations, which then count anew."""
    factor, patience = _decay(factor), integer("the patience", patience)

    def scale(place: HasPlace, history: History) -> float:
        best, waiting, falls = math.inf, 0, 0
        for row in history:
            score = badness(row, monitor)
            waiting = 0 if score < best else waiting + 1
            best = min(best, score)
            if waiting == patience:
                waiting, falls = 0, falls + 1
        return factor**falls

    return scale


@described
def product(schedules: Sequence[Schedule]) -> Schedule:
    """All schedules at once."""
    schedules = tuple(schedules)
    return lambda place, history: math.prod(schedule(place, history) for schedule in schedules)


def badness(row: Mapping[str, Any], monitor: str) -> float:
    """What is monitored in a row of the history, as a number that is better the lower it is: BLEU and rewards get a
    minus sign. A run without held-out data is judged by its training loss."""
    value = row.get(monitor, row.get("valid_loss", row["train_loss"]))
    return -float(value) if monitor in row and monitor.endswith(("bleu", "reward")) else float(value)


def waited(history: History, monitor: str) -> int:
    """How many validations ago the best of them was."""
    scores = [badness(row, monitor) for row in history]
    return len(scores) - 1 - scores.index(min(scores)) if scores else 0


@described
def constant_forcing(ratio: float) -> TeacherForcing:
    """Always the same ratio."""
    ratio = _ratio(ratio)
    return lambda step: ratio


@described
def linear_forcing(steps: float, least: float = 0.0) -> TeacherForcing:
    """ε_i = max(least, 1 - i / steps)."""
    steps, least = _decay_steps(steps), _ratio(least)
    return lambda step: max(least, 1 - step / steps)


@described
def exponential_forcing(steps: float, least: float = 0.0) -> TeacherForcing:
    """ε_i = k^i with k = exp(-1 / steps), so that after `steps` steps it is 1/e; at least `least`."""
    steps, least = _decay_steps(steps), _ratio(least)
    return lambda step: max(least, math.exp(-step / steps))


@described
def inverse_sigmoid_forcing(steps: float, least: float = 0.0) -> TeacherForcing:
    """ε_i = k / (k + exp(i / k)), at least `least`, where k is such that ε is 1/2 after `steps`: k ln k = steps."""
    steps, least = _decay_steps(steps), _ratio(least)
    k = 1.0 + steps
    for _ in range(100):  # Newton's method for k ln k = steps
        k -= (k * math.log(k) - steps) / (math.log(k) + 1)
    return lambda step: max(least, k / (k + math.exp(min(step / k, 700.0))))


FORCING: dict[str, Callable[..., TeacherForcing]] = {
    "linear": linear_forcing,
    "exponential": exponential_forcing,
    "inverse-sigmoid": inverse_sigmoid_forcing,
}
"""The decays of scheduled sampling by name; each takes `steps` and `least`."""


def _decay(factor: float) -> float:
    return number("the learning rate's factor", factor, above=0, below=1)


def _ratio(ratio: float) -> float:
    return number("the teacher forcing ratio", ratio, least=0, most=1)


def _decay_steps(steps: float) -> float:
    return number("the steps of the decay", steps, above=0)
