"""The page of one backward pass: a run of the engine on a small network, line by line, with all its numbers."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from string import Template
from types import CodeType, SimpleNamespace
from typing import Any

import numpy as np

from minirnn.pages.stepping.functions import describe
from minirnn.pages.stepping.recording import Event, encode, encode_argument, record
from minirnn.pages.stepping.translation import Untranslatable, translate

EPSILON = 1e-5
"""By how much a number is changed for its finite difference."""
DIGITS = 10
"""To how many the recorded numbers are written where the page computes them itself, and only compares."""
SCRIPTS = ("model.js", "views.js", "unrolled.js", "attention.js", "panels.js", "quiz.js", "editor.js", "main.js")
"""The page's own, in the order in which they are put together."""


@dataclass(frozen=True)
class Lesson:
    """What a page is made from.

    Attributes:
        title, lead: its heading, and what stands below it.
        entry: the function that is run and recorded. It returns "L", the loss, and "gradients" by name in a dict, alone
            or first in a tuple.
        objects: what it is handed that is no number, by the names of its parameters.
        numbers: its further arguments, arrays in namespaces and tuples, which a reader may change.
        beside: functions that the page calls with what `entry` has returned.
        followed: the source files whose lines are shown.
        facts: what the page needs to know beside these.
        unchangeable: for a cell that cannot be translated, what the page would compute.
    """

    title: str
    lead: str
    entry: Callable[..., Any]
    objects: Mapping[str, Any]
    numbers: Mapping[str, Any]
    beside: tuple[Callable[..., Any], ...]
    followed: frozenset[str]
    facts: Mapping[str, Any]
    unchangeable: Callable[[Any], Mapping[str, Any]] = field(default=lambda result: {})

    def follows(self, code: CodeType) -> bool:
        """Whether the lines of a function are shown."""
        return code.co_filename in self.followed

    def run(self) -> Any:
        """What `entry` returns."""
        return self.entry(**self.objects, **self.numbers)


def page(lesson: Lesson) -> str:
    """The page as HTML, with all it needs inside."""
    parameters = inspect.signature(lesson.entry).parameters
    given = {**lesson.objects, **lesson.numbers}
    result, events = record(lesson.entry, [given[name] for name in parameters], lesson.follows)
    try:
        program, why = translate([lesson.entry, *lesson.beside], lesson.objects, lesson.follows).source, ""
    except Untranslatable as reason:
        program, why = "", str(reason)
    data = {
        **lesson.facts,
        "entry": lesson.entry.__name__,
        "args": {name: encode_argument(value, lesson.objects) for name, value in given.items()},
        **described(events),
        **packed(events, DIGITS if program else 17),
        "digits": DIGITS,
        "why": why,
        "gradients": encode(measured(result)["gradients"]),
    }
    if not program:
        data |= {"differences": differences(lesson), **lesson.unchangeable(result)}
    return assembled(lesson, data, program)


def measured(result: Any) -> dict[str, Any]:
    """L and the gradients, of what a lesson's `entry` returns."""
    return result[0] if isinstance(result, tuple) else result


def packed(events: Iterable[Event], digits: int) -> dict[str, Any]:
    """The events in little space: each array stands once, among the arrays, and elsewhere as "#" and its number there.
    (The same numbers have many names: what one step calls h, the next calls h_prev.)"""
    arrays: dict[str, int] = {}

    def pack(value: Any) -> Any:
        match value:
            case {"s": shape, "d": numbers}:
                short = [float(f"{v:.{digits}g}") if isinstance(v, float) else v for v in numbers]
                return f"#{arrays.setdefault(json.dumps({'s': shape, 'd': short}), len(arrays))}"
            case {"q": items}:
                return {"q": [pack(item) for item in items]}
            case {"m": items}:
                return {"m": {name: pack(item) for name, item in items.items()}}
        return value

    lines = [[e.module, e.function, e.line, e.depth, {k: pack(v) for k, v in e.values.items()}] for e in events]
    names = list(dict.fromkeys((module, function) for module, function, *_ in lines))
    return {
        "events": [[names.index((module, function)), *rest] for module, function, *rest in lines],
        "arrays": [json.loads(array) for array in arrays],
    }


def described(events: Iterable[Event]) -> dict[str, Any]:
    """What is shown of the functions, and apart from them, each once, the docstrings above them."""
    functions = [describe(*found) for found in functions_of(events)]
    docs = list(dict.fromkeys(one["about"] for one in functions))
    return {"functions": [one | {"about": docs.index(one["about"])} for one in functions], "docs": docs}


def functions_of(events: Iterable[Event]) -> list[tuple[Any, type | None]]:
    """The functions in which something happened, in order, each with the class it is a method of."""
    found: dict[tuple[str, str], tuple[Any, type | None]] = {}
    for event in events:
        if (event.module, event.function) not in found:
            value, owner = sys.modules[event.module], None
            for name in event.function.split("."):
                value, owner = inspect.getattr_static(value, name), value
            function = value.__func__ if isinstance(value, staticmethod) else value
            found[event.module, event.function] = function, owner if isinstance(owner, type) else None
    return list(found.values())


def differences(lesson: Lesson) -> dict[str, list[float]]:
    """For every number a reader may choose, by array, the finite difference of L."""
    found = {}
    for name, array in arrays_of(lesson.numbers):
        found[name] = [_slope(lesson, array, place) for place in np.ndindex(array.shape)]
    return found


def arrays_of(numbers: Mapping[str, Any]) -> Iterable[tuple[str, np.ndarray]]:
    """All arrays among the arguments, by name; those of a tuple are numbered."""
    for name, value in numbers.items():
        if isinstance(value, SimpleNamespace):
            yield from vars(value).items()
        elif isinstance(value, tuple):
            yield from ((f"{name} {i}", array) for i, array in enumerate(value))
        else:
            yield name, value


def _slope(lesson: Lesson, array: np.ndarray, place: tuple[int, ...]) -> float:
    before, losses = array[place], []
    for change in (EPSILON, -EPSILON):
        array[place] = before + change
        losses.append(float(measured(lesson.run())["L"]))
    array[place] = before
    return (losses[0] - losses[1]) / (2 * EPSILON)


def assembled(lesson: Lesson, data: Mapping[str, Any], program: str) -> str:
    """The HTML from its pieces. (In a script, "</" would end it: in JSON and in strings "<\\/" means the same.)"""
    assets = files("minirnn.pages.stepping") / "assets"
    own = "".join((assets / name).read_text("utf-8") for name in SCRIPTS)
    translated = [(assets / "numbers.js").read_text("utf-8"), program] if program else []
    return Template((assets / "page.html").read_text("utf-8")).substitute(
        title=escape(lesson.title),
        lead=escape(lesson.lead),
        style=(assets / "page.css").read_text("utf-8"),
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/"),
        script="".join([*translated, own]),
    )
