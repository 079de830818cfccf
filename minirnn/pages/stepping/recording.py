"""Real code, run as it is, and the values of its variables after every line.

Python tells a trace function of every instruction before it is executed, and every instruction knows the place in the
source it was compiled from. The innermost statement at that place is the one that is being executed; it is finished
when an instruction of another one comes, or the function ends. (Python also tells of lines; but how often it tells of
the lines of a statement that has several, and of a loop on one line, differs from version to version.)
"""

from __future__ import annotations

import ast
import contextlib
import dis
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, FrameType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from minirnn.pages.stepping.syntax import bound_names, function_of, is_told

CO_GENERATOR_LIKE = 0x20 | 0x80 | 0x200  # generators and coroutines stop in the middle and go on: they are not followed


Statements = list[tuple[ast.AST | None, bool]]
"""For each instruction the innermost statement it was compiled from, and whether it stores the item of a `for`."""


class Event(NamedTuple):
    """A function was entered, a statement was finished, or a `for` took its next item.

    Attributes:
        function: its qualified name, as `LSTMCell.forward`.
        module: the module it is in.
        file: the file it is in.
        line: the first line of the statement in that file; of a function, that of its `def`.
        t: the time step: the value of the integer `t` of the innermost function that has one; None if none has. (It
            counts from an event that gives it: a `t` from a `with` or a `:=` is not seen.)
        depth: how many recorded functions are being executed: 1 in the function that was called first.
        values: the arguments, or what the statement gave values to, by name, as `encode` gives them; and after these,
            what was told of before and has changed since, as an array does that another function fills; and as "return"
            what is returned.
    """

    function: str
    module: str
    file: str
    line: int
    t: int | None
    depth: int
    values: dict[str, Any]


def record(function: Callable, args: Sequence[Any], follow: Callable[[CodeType], bool]) -> tuple[Any, list[Event]]:
    """Call a function and record what happens in it and in the functions it calls.

    Args:
        function: what to call.
        args: its arguments.
        follow: whether the function with this code is recorded. Comprehensions, lambdas and generators never are.

    Returns:
        What the function returned, and the events in the order they happened.
    """
    tracer, before = _Tracer(follow), sys.gettrace()
    with _visible_emptiness():
        # Python 3.12 tells of instructions only if some frame had asked for them before the trace function was set.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(tracer.on_call)
        try:
            result = function(*args)
        finally:
            sys.settrace(before)
    return result, tracer.events


@contextlib.contextmanager
def _visible_emptiness() -> Iterator[None]:
    """`np.empty` leaves in an array whatever was in its memory before: numbers that mean nothing, others at each run.
    Inside, and in this thread, it gives nan, so that one sees what has not been filled yet."""
    plain, thread = {name: getattr(np, name) for name in ("empty", "empty_like")}, threading.get_ident()

    def visible(make: Callable) -> Callable:
        def made(*args: Any, **options: Any) -> np.ndarray:
            array = make(*args, **options)
            if threading.get_ident() == thread:
                array.fill(np.nan if array.dtype.kind == "f" else 0)
            return array

        return made

    try:
        for name, make in plain.items():
            setattr(np, name, visible(make))
        yield
    finally:
        for name, make in plain.items():
            setattr(np, name, make)


class _Frame:
    """A recorded function that is being executed."""

    def __init__(self, frame: FrameType, statements: Statements):
        self.frame, self.statements = frame, statements
        self.statement: ast.AST | None = None  # which one is being executed
        self.entry = -1  # where in the code it began
        self.stored = False  # of a `for`: whether it has taken an item
        self.failed = False  # whether an exception came out of it
        self.returned: ast.Return | None = None
        self.t: int | None = None
        self.told: dict[str, Any] = {}  # the names that were told of, and the values they had


class _Tracer:
    """The trace function, and what it has recorded."""

    def __init__(self, follow: Callable[[CodeType], bool]):
        self.follow = follow
        self.events: list[Event] = []
        self.stack: list[_Frame] = []
        self.statements: dict[CodeType, Statements] = {}

    def on_call(self, frame: FrameType, kind: str, argument: Any) -> Callable | None:
        """Called by Python when a function is entered: says who is told of what happens in it."""
        code = frame.f_code
        if code.co_name.startswith("<") or code.co_flags & CO_GENERATOR_LIKE or not self.follow(code):
            return None
        # In this order: from 3.13 on a frame that is not yet traced forgets that it is to be traced by instructions.
        frame.f_trace, frame.f_trace_lines, frame.f_trace_opcodes = self.on_event, False, True
        node = function_of(code)
        if code not in self.statements:
            self.statements[code] = _statements(code, node)
        self.stack.append(_Frame(frame, self.statements[code]))
        self.emit(node.lineno if node else code.co_firstlineno, _parameters(code))
        return self.on_event

    def on_event(self, frame: FrameType, kind: str, argument: Any) -> Callable:
        """Called by Python before every instruction, and at exceptions and returns."""
        at = self.stack[-1]
        if kind == "opcode":
            self.on_instruction(at, frame.f_lasti)
        elif kind == "exception":
            self.on_exception(at, argument[0])
        elif kind == "return":
            self.finish(at)
            if at.returned and not at.failed:
                self.emit(at.returned.lineno, ())
                if is_encodable(argument):
                    self.events[-1].values["return"] = encode(argument)
            self.stack.pop()
        return self.on_event

    def on_instruction(self, at: _Frame, offset: int) -> None:
        """Take note of the statement an instruction belongs to; one of another statement finishes that before."""
        statement, in_target = at.statements[offset // 2]
        if statement is None:  # an instruction that no place in the source stands for
            return
        # The first: in a `while True:` of one statement, nothing else need be executed in between.
        begins_anew = offset == at.entry or (at.stored and not in_target)
        if statement is not at.statement or begins_anew:
            self.finish(at)
            at.statement, at.entry, at.stored, at.failed = statement, offset, False, False
        at.stored = at.stored or in_target

    def on_exception(self, at: _Frame, kind: type[BaseException]) -> None:
        """A statement out of which an exception comes does not finish, unless that is what it was to do."""
        instruction = dis.opname[at.frame.f_code.co_code[at.frame.f_lasti]]
        if instruction == "RAISE_VARARGS" and not at.failed:
            self.finish(at)
        at.failed = at.failed or not (instruction == "FOR_ITER" and issubclass(kind, StopIteration))

    def finish(self, at: _Frame) -> None:
        """The statement is finished: tell of it, if it is one to tell of."""
        statement, at.statement = at.statement, None
        if statement is None or at.failed:
            return
        if isinstance(statement, ast.Return):
            at.returned = statement  # and only told when the function is left: a `finally` or `with` may come before
        elif at.stored if isinstance(statement, ast.For) else is_told(statement):
            self.emit(statement.lineno, bound_names(statement))  # type: ignore[attr-defined]

    def emit(self, line: int, names: Sequence[str]) -> None:
        """Tell of a line of the innermost function and of the values that some of its names have now."""
        at = self.stack[-1]
        code, variables = at.frame.f_code, at.frame.f_locals
        own = {name: variables[name] for name in names if name in variables}
        if "t" in own:
            at.t = own["t"] if isinstance(own["t"], int) and not isinstance(own["t"], bool) else None
        values = {name: encode(value) for name, value in own.items() if is_encodable(value)}
        for name in at.told:
            if name not in own and is_encodable(variables.get(name)):  # it may have been filled by a call, or a view
                values[name] = encode(variables[name])
        values = {name: value for name, value in values.items() if name in own or value != at.told[name]}
        at.told |= values
        t = next((outer.t for outer in reversed(self.stack) if outer.t is not None), None)
        module = at.frame.f_globals.get("__name__", "")
        self.events.append(Event(code.co_qualname, module, code.co_filename, line, t, len(self.stack), values))


def _parameters(code: CodeType) -> tuple[str, ...]:
    flags = (code.co_flags & 0x04 != 0) + (code.co_flags & 0x08 != 0)  # *args, **kwargs
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + flags]


def _statements(code: CodeType, function: ast.AST | None) -> Statements:
    inside = (
        [] if function is None else [n for n in ast.walk(function) if isinstance(n, ast.stmt) and n is not function]
    )
    inside.sort(key=_length)
    found: Statements = []
    for line, end_line, column, end_column in code.co_positions():
        if line is None or column is None or end_line is None or end_column is None:
            found.append((None, False))
            continue
        place = (line, column), (end_line, end_column)
        statement = next((node for node in inside if _spans(node, place)), None)
        found.append((statement, isinstance(statement, ast.For) and _spans(statement.target, place)))
    return found


def _spans(node: Any, place: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    return (node.lineno, node.col_offset) <= place[0] and place[1] <= (node.end_lineno, node.end_col_offset)


def _length(node: Any) -> tuple[int, int]:
    """For sorting statements from the inside out: of two at the same place, one is inside the other."""
    return node.end_lineno - node.lineno, node.end_col_offset - node.col_offset


def is_encodable(value: Any) -> bool:
    """Whether a value consists of numbers: a number, an array, a tuple, list or dict (with names) of such, or a
    namespace of arrays, such as the weights."""
    if isinstance(value, SimpleNamespace):
        return bool(vars(value)) and all(isinstance(item, np.ndarray) for item in vars(value).values())
    if isinstance(value, tuple | list):
        return all(map(is_encodable, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_encodable(item) for key, item in value.items())
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "fiub"
    return isinstance(value, int | float)


def encode(value: Any) -> Any:
    """An encodable value as JSON: numbers, {"s": shape, "d": numbers} for an array, {"q": […]} for a tuple or list and
    {"m": {…}} for a dict or a namespace; for nan null, for ±infinity "inf" and "-inf"."""
    if isinstance(value, SimpleNamespace):
        return encode(vars(value))
    if isinstance(value, tuple | list):
        return {"q": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"m": {key: encode(item) for key, item in value.items()}}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return {"s": list(array.shape), "d": [_number(v) for v in array.astype(float).ravel().tolist()]}
    return _number(value)


def encode_argument(value: Any, objects: Mapping[str, object]) -> Any:
    """An argument of a translated function as JSON: beside what `encode` gives, {"n": {…}} for a namespace such as the
    weights, {"t": …} for a string, {"o": name} for one of `objects`, and {"o": null} for None."""
    for name, known in objects.items():
        if value is known:
            return {"o": name}
    if value is None:
        return {"o": None}
    if isinstance(value, str):
        return {"t": value}
    if isinstance(value, tuple | list):
        return {"q": [encode_argument(item, objects) for item in value]}
    if isinstance(value, dict):
        return {"m": {key: encode_argument(item, objects) for key, item in value.items()}}
    if isinstance(value, SimpleNamespace):
        return {"n": {name: encode_argument(item, objects) for name, item in vars(value).items()}}
    if not is_encodable(value):
        raise TypeError(f"no argument for a translated function: {type(value).__name__}")
    return encode(value)


def _number(v: float) -> Any:
    if v != v:
        return None
    return int(v) if isinstance(v, bool) else {np.inf: "inf", -np.inf: "-inf"}.get(v, v)
