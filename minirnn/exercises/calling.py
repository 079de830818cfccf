"""Calling a learner's function, and saying in a sentence what went wrong where it gives nothing to compare."""

from __future__ import annotations

import copy
import inspect
import linecache
import re
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from minirnn.exercises.exercise import Exercise, Problem

MOST_NUMBERS = 10**5
"""In an output. Those of the exercises have a few hundred."""


class AnswerError(Exception):
    """The learner's code gives nothing to compare; the message is the sentence that says why."""


def call(exercise: Exercise, function: Callable[..., Any], problem: Problem) -> dict[str, Any]:
    """The outputs of a learner's function by name: arrays, or what to say of something that is none.

    Raises:
        AnswerError: the function cannot be called, fails, changes its inputs, or does not return as many values.
    """
    name, wanted, inputs = exercise.function, ", ".join(exercise.inputs), copy.deepcopy(problem.inputs)
    if not callable(function):
        raise AnswerError(f"{name} is {_kind(function)} and no function")
    try:
        inspect.signature(function).bind(*inputs.values())
    except TypeError:
        raise AnswerError(f"{name} must take {len(inputs)} arguments: {name}({wanted})") from None
    except ValueError:  # one of those written in C, which do not say
        pass
    file = inspect.unwrap(function).__code__.co_filename if hasattr(function, "__code__") else ""
    try:
        with np.errstate(all="ignore"):
            returned = function(*inputs.values())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise AnswerError(describe(error, file)) from None
    for argument, before in problem.inputs.items():
        if not _unchanged(before, inputs[argument]):
            raise AnswerError(
                f"{name} changes its argument {argument} in place, which others still need: make a new array, as in "
                f"`{argument} = {argument} * …` and not `{argument} *= …`"
            )
    return _outputs(exercise, returned)


def _outputs(exercise: Exercise, returned: Any) -> dict[str, Any]:
    names = list(exercise.outputs)
    wanted = ", ".join(names)
    if returned is None:
        raise AnswerError(f"{exercise.function} returns None: end it with `return {wanted}`")
    if returned is ...:
        raise AnswerError(f"{exercise.function} returns `...`: put your own lines in its place")
    values = [returned] if len(names) == 1 else returned
    if not isinstance(values, (tuple, list)):
        raise AnswerError(
            f"{exercise.function} returns {_kind(returned)}, and {len(names)} values belong there: {wanted}"
        )
    if len(values) != len(names):
        count = f"{len(values)} value{'s' * (len(values) != 1)}"
        raise AnswerError(f"{exercise.function} returns {count}, and {len(names)} belong there: {wanted}")
    return {name: _array(value) for name, value in zip(names, values, strict=True)}


def _array(value: Any) -> Any:
    """As an array of numbers; what to say, where it is none."""
    if value is ...:
        return "it is still `...`: put your own lines in its place"
    if value is None or isinstance(value, (str, bytes, dict, set)) or callable(value):
        return f"it is {_kind(value)}, and an array belongs here"
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return "it is a list of rows of different lengths, and an array belongs here"
    if array.dtype.kind == "c":
        return "it holds complex numbers where real ones belong"
    if array.dtype.kind not in "fiub":
        return f"it is {_kind(value)} that does not hold numbers"
    if array.size > MOST_NUMBERS:
        return f"its shape is {array.shape}, which is far too large"
    return array.astype(float) if array.dtype.itemsize > 8 else array


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = {"ndarray": "array", "str": "string", "function": "function"}.get(type(value).__name__, type(value).__name__)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _unchanged(before: Any, after: Any) -> bool:
    return bool(np.array_equal(np.asarray(before), np.asarray(after)))


def describe(error: BaseException, file: str) -> str:
    """What a learner's code failed with, at which of its own lines; and the shapes of the arrays in that line where
    they do not fit together."""
    if isinstance(error, SyntaxError):
        other = "" if error.filename in (file, "<unknown>", None) else f"{error.filename}, "  # what their file imports
        return f"{other}line {error.lineno}: this is not Python yet: {error.msg}"
    frame, number = last_own(error.__traceback__, file)
    where = f"line {number}: " if number else ""
    line = linecache.getline(file, number).strip() if number else ""
    if isinstance(error, SystemExit):
        return f"{where}it ends Python (sys.exit) before there is anything to compare: leave that line out"
    if isinstance(error, EOFError):
        return f"{where}it asks for input, and there is nobody to answer: use the arguments only"
    if isinstance(error, RecursionError):
        return f"{where}the function calls itself without end"
    if isinstance(error, MemoryError):
        return f"{where}it asks for more memory than there is"
    if isinstance(error, (NameError, UnboundLocalError)) and error.name and _unfilled(frame):
        return f"{where}{error.name} has no value yet, and `...` is still there: put your own lines in its place"
    message = " ".join(str(error).split())
    shapes = _shapes(line, frame) if isinstance(error, (ValueError, IndexError)) and frame else ""
    return f"{where}{type(error).__name__}: {message}{shapes}".removesuffix(": ")


def last_own(trace: TracebackType | None, file: str) -> tuple[FrameType | None, int]:
    """Of a traceback the deepest place that lies in a file, as frame and line."""
    frame, number = None, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            frame, number = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    return frame, number


def _unfilled(frame: FrameType | None) -> bool:
    """Whether a function still holds a line of its own that is `...`."""
    if frame is None:
        return False
    try:
        source = inspect.getsource(frame)
    except (OSError, TypeError):
        return False
    return re.search(r"^\s*\.\.\.\s*(#.*)?$", source, re.M) is not None


def _shapes(line: str, frame: FrameType) -> str:
    names = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", line))
    known = {**frame.f_globals, **frame.f_locals}
    arrays = [f"{name} is {known[name].shape}" for name in names if isinstance(known.get(name), np.ndarray)]
    return f" ({', '.join(arrays)})" if arrays else ""
