"""Generated tasks for sequence-to-sequence models: small worlds where what was learnt can be told from what was seen.

Every task writes questions and the one right answer to each. A split never shares a question with another, so that a
model that answers test questions has learnt the rule. To add a task, add a function here and its line in `TASKS`;
one that is written elsewhere is a function from a generator to a question and its answer, or a `GeneratedTask`.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn.arguments import integer
from minirnn.data.parallel import Pair
from minirnn.errors import InputError, install

PATIENCE = 2000
"""After so many questions in a row that were there already, a task has no more."""

Ask = Callable[[np.random.Generator], tuple[str, str]]


class GeneratedTask(NamedTuple):
    """A task.

    Attributes:
        make: a function that returns the function that draws a question and its answer, a pair of texts; called once
            for a corpus.
        tokens: what questions and answers are cut into; see `tokenize`.
        about: a line for users.
    """

    make: Callable[[], Ask]
    tokens: str
    about: str


def _integers(rng: np.random.Generator) -> list[str]:
    return [str(n) for n in rng.integers(0, 51, rng.integers(1, 26))]


def _copy() -> Ask:
    def ask(rng: np.random.Generator) -> Pair:
        numbers = " ".join(_integers(rng))
        return Pair(numbers, numbers)

    return ask


def _reverse() -> Ask:
    def ask(rng: np.random.Generator) -> Pair:
        numbers = _integers(rng)
        return Pair(" ".join(numbers), " ".join(numbers[::-1]))

    return ask


def _addition() -> Ask:
    """Sums of numbers of one to three digits, each number of digits as often as the others, so that short sums, of
    which there are few, are not lost among the long ones."""

    def ask(rng: np.random.Generator) -> Pair:
        a, b = (int(rng.integers(0, 10 ** rng.integers(1, 4))) for _ in range(2))
        return Pair(f"{a}+{b}", str(a + b))

    return ask


LOCALES = ("en_US", "en_GB", "fr", "de", "es", "it", "nl", "pt", "sv", "pl")
FIRST_DAY, LAST_DAY = datetime.date(1970, 1, 1), datetime.date(2037, 12, 31)


def _dates() -> Ask:
    """Dates as they are written in ten places (Unicode CLDR, by way of Babel): with the month's name, or in numbers
    where the place writes the year in full and its separators say which number is the day."""
    try:
        from babel.dates import format_date
    except ImportError as error:
        raise InputError(f"the dates need babel: {install('data')}") from error
    forms = [(locale, form) for locale in LOCALES for form in ("medium", "long", "full", "d MMM y", "EEE d MMMM y")]

    def ask(rng: np.random.Generator) -> Pair:
        day = FIRST_DAY + datetime.timedelta(days=int(rng.integers((LAST_DAY - FIRST_DAY).days + 1)))
        locale, form = forms[rng.integers(len(forms))]
        written = format_date(day, form, locale=locale)
        return Pair(written if rng.random() < 0.7 else written.lower(), day.isoformat())

    return ask


TASKS: dict[str, GeneratedTask] = {
    "copy": GeneratedTask(_copy, "space", "the same numbers again"),
    "reverse": GeneratedTask(_reverse, "space", "numbers from the last to the first"),
    "addition": GeneratedTask(_addition, "char", "the sum of two numbers"),
    "dates": GeneratedTask(_dates, "char", "dates in ten languages to ISO 8601"),
}


def task_pairs(task: str | GeneratedTask, sizes: Sequence[int], seed: int = 0) -> list[list[Pair]]:
    """Splits of a task: for each size so many pairs, no question twice in any or in two of them.

    Args:
        task: a task, or the name of one of `TASKS`.
        sizes: the number of pairs of each split.
        seed: the same seed gives the same pairs.

    Raises:
        InputError: there is no such task, it has not that many questions, the sizes are no counts, or it needs a
            library that is not installed; or what it gives is no question and answer.
    """
    if not isinstance(sizes, Iterable):
        raise InputError(f"sizes must be a list, with the number of pairs of each split, not {sizes!r}")
    sizes = [integer("a size", size, least=0) for size in sizes]
    if not isinstance(task, GeneratedTask):
        if task not in TASKS:
            raise InputError(f"unknown task {task!r}: expected one of {', '.join(TASKS)}")
        task = TASKS[task]
    rng, ask, total = np.random.default_rng(seed), task.make(), sum(sizes)
    found: dict[str, Pair] = {}
    repeats = 0
    while len(found) < total:
        pair = _pair(ask(rng))
        repeats = repeats + 1 if pair.source in found else 0
        if repeats == PATIENCE:
            raise InputError(f"the task has too few questions for {total:,} different ones: found {len(found):,}")
        found[pair.source] = pair
    # What comes early is more often the frequent kind; the order is drawn anew so that all splits are alike.
    drawn = list(found.values())
    pairs = [drawn[i] for i in rng.permutation(total)]
    ends = np.cumsum([0, *sizes])
    return [pairs[a:b] for a, b in itertools.pairwise(ends)]


def _pair(drawn: Any) -> Pair:
    """A question and its answer, both of them texts with something in them."""
    if not (isinstance(drawn, tuple) and len(drawn) == 2 and all(isinstance(text, str) and text for text in drawn)):
        raise InputError(
            f"a task has to give a question and its answer, two texts that are not empty, not {drawn!r:.80}"
        )
    return Pair(*drawn)
