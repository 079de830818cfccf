"""Cells, and the walk along time, as a program of JavaScript.

A page that computed with an engine of its own would have to be believed. So there is none: the functions that Python
runs are read as syntax trees and written down again, one statement for one, in JavaScript, on top of
`assets/numbers.js`, which has arrays as NumPy has them. What is translated is what cells are written in: assignments,
`if`, `for`, calls, and expressions of arrays. All else is refused, with its file and line.

A program holds all that its first functions reach: functions by their global names, constants of modules, the classes
of objects with the methods that are called somewhere, and the attributes of objects that are read somewhere. Which
object a call reaches, only the run shows; so a method is translated for every object that has it.

Every statement is told to a recorder when it is done, so that a run in JavaScript has the events that
`recording.record` finds in Python:

    translation = translate([step], {"cell": cell}, follow)
    result, events = record(step, [cell, w, x], follow)
    args = [encode_argument(arg, {"cell": cell}) for arg in (cell, w, x)]

and in a page, behind the scripts numbers.js and translation.source:

    const {result, events, error} = numbers.run(program, "step", args);
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from minirnn.pages.stepping.javascript.names import Untranslatable
from minirnn.pages.stepping.javascript.program import Program
from minirnn.pages.stepping.syntax import function_of

__all__ = ["TranslatedFunction", "Translation", "Untranslatable", "translate"]


class TranslatedFunction(NamedTuple):
    """A function that a program records, and where it stands.

    Attributes:
        name: its qualified name, as `LSTMCell.forward`.
        module, file: where it is.
        first, last: its lines there, from `def` on.
    """

    name: str
    module: str
    file: str
    first: int
    last: int


class Translation(NamedTuple):
    """A program.

    Attributes:
        source: a script that defines `program`, which `numbers.run` runs.
        functions: those that are recorded, in the order of their modules and lines.
    """

    source: str
    functions: tuple[TranslatedFunction, ...]


def translate(
    functions: Sequence[Callable], objects: Mapping[str, object], follow: Callable[[CodeType], bool]
) -> Translation:
    """Translate functions and all that they reach.

    Args:
        functions: those that will be called.
        objects: those that will be handed to them, such as the cell, by the names they will have there.
        follow: whether the function with this code is recorded, as for `recording.record`.

    Raises:
        Untranslatable: something has no translation; says what, and where it stands.
    """
    entries: list[Any] = [inspect.unwrap(function) for function in functions]
    program = Program(entries, objects, follow)
    source = program.source()
    found = [_described(function) for function in program.recorded()]
    return Translation(source, tuple(sorted(found, key=lambda f: (f.module, f.first))))


def _described(function: Any) -> TranslatedFunction:
    code, node = function.__code__, function_of(function.__code__)
    first, last = (node.lineno, node.end_lineno or node.lineno) if node else (code.co_firstlineno,) * 2
    return TranslatedFunction(code.co_qualname, function.__module__, code.co_filename, first, last)
