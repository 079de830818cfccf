"""Cells, and the walk along time, as a program of JavaScript.

A page that computes with its own engine would have to be believed. So there is none: the functions that Python runs
are read as syntax trees and written down again, one statement for one, in JavaScript, on top of `assets/numbers.js`,
which has arrays as NumPy has them. What is translated is what cells are written in: assignments, `if`, `for`, calls,
and expressions of arrays. All else is refused by name, file and line.

A program holds all that its first functions reach: functions by their global names, constants of modules, the classes
of objects with the methods that are called somewhere, and the attributes of objects that are read somewhere. Which
object a call reaches, only the run shows; so a method is translated for every object that has it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from minirnn.pages.expressions import Untranslatable, js_name, js_text, listed
from minirnn.pages.statements import INDENT, Statements
from minirnn.pages.syntax import function_of
from minirnn.pages.vocabulary import LEAVES, NUMPY

__all__ = ["TranslatedFunction", "Translation", "Untranslatable", "translate"]


class TranslatedFunction(NamedTuple):
    """A function that the program records, and where it stands."""

    name: str  # qualified, as "LSTMCell.forward"
    module: str
    file: str
    first: int  # the line of its `def`
    last: int


class Translation(NamedTuple):
    """A program.

    Attributes:
        source: a script that defines `program`, for `numbers.run`.
        functions: those that are recorded, in the order of their modules and lines.
    """

    source: str
    functions: tuple[TranslatedFunction, ...]


def translate(
    functions: Sequence[Callable], objects: Mapping[str, object], follow: Callable[[CodeType], bool]
) -> Translation:
    """Translate functions, and all that they reach.

    Args:
        functions: those that the page will call.
        objects: those it will hand to them, such as the cell, by the names it will have for them.
        follow: whether the function with this code is recorded, as for `recording.record`.

    Raises:
        Untranslatable: something has no translation; says what, and where it stands.
    """
    program = _Program([inspect.unwrap(function) for function in functions], objects, follow)
    return program.translation()


class _Program:
    """What has been reached so far, and the names it has in JavaScript.

    Writing one thing down shows what else is reached, which changes how calls are written: so all is written again
    until nothing new turns up.
    """

    def __init__(self, entries: Sequence[Any], objects: Mapping[str, object], follow: Callable[[CodeType], bool]):
        self.entries, self.objects, self.follow = entries, objects, follow
        self.names: dict[Any, str] = {}  # of functions, classes, constants and objects
        self.functions: dict[FunctionType, None] = dict.fromkeys(entries)
        self.tuples: dict[type, None] = {}
        self.constants: dict[tuple[str, str], Any] = {}
        self.attributes: set[str] = set()
        self.above: set[str] = set()  # methods that are called by super()
        self.instances: list[Any] = []
        for name, instance in objects.items():
            self._named(("object", id(instance)), name)
            self.instances.append(instance)
        for entry in entries:
            self._named(entry, entry.__name__)

    def translation(self) -> Translation:
        before = None
        while before != (before := self._reached()):
            parts = [*self._written_functions(), *self._written_classes(), *self._written_objects()]
        head = [*self._written_tuples(), *self._written_constants()]
        entries = ", ".join(self.names[entry] for entry in self.entries)
        objects = ", ".join(f"{js_text(name)}: {self._object_name(o)}" for name, o in self.objects.items())
        tail = [f"{INDENT}return {{functions: {{{entries}}}, objects: {{{objects}}}}};"]
        body = "\n".join([*head, *parts, *tail])
        export = 'if (typeof module !== "undefined") module.exports = program;'
        return Translation(f'"use strict";\nconst program = (R) => {{\n{body}\n}};\n{export}\n', self._recorded())

    def _reached(self) -> tuple[int, ...]:
        return tuple(map(len, (self.names, self.attributes, self.above, self.instances)))

    def _recorded(self) -> tuple[TranslatedFunction, ...]:
        found = []
        for function in (
            *self.functions,
            *(method for methods in self._classes().values() for method in methods.values()),
        ):
            node, code = function_of(function.__code__), function.__code__
            if self.follow(code) and node is not None:
                place = code.co_filename, node.lineno, node.end_lineno or node.lineno
                found.append(TranslatedFunction(code.co_qualname, function.__module__, *place))
        return tuple(sorted(found, key=lambda f: (f.module, f.first)))

    # What functions ask -----------------------------------------------------------------------------------------------

    def reference(self, value: Any, name: str, module: str) -> str:
        """The JavaScript for what a global name stands for."""
        if _hashable(value) and value in LEAVES and not isinstance(value, bool | int | float):
            return LEAVES[value]
        if isinstance(value, np.ufunc) and value.__name__ in NUMPY:
            return f"R.xp.{value.__name__}"
        if isinstance(value, FunctionType):
            if value.__module__.partition(".")[0] == "numpy" or value.__name__.startswith("<"):
                raise KeyError(name)
            function = inspect.unwrap(value)
            self.functions[function] = None
            return self._named(function, function.__name__)
        if isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields"):
            self.tuples[value] = None
            return self._named(value, value.__name__)
        if value is None or isinstance(value, bool):
            return self.literal(value)
        self.literal(value)  # refuses what cannot be written
        self.constants[module, name] = value
        return self._named((module, name), name)

    def literal(self, value: Any) -> str:
        """A value as it is written in JavaScript."""
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, str):
            return js_text(value)
        if isinstance(value, np.ndarray | np.generic):
            return f"R.xp.array({self.literal(value.tolist())})"
        if isinstance(value, int | float):
            return (
                repr(value)
                if math.isfinite(value)
                else {"inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), "NaN")
            )
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return f"{self.reference(type(value), type(value).__name__, '')}({', '.join(map(self.literal, value))})"
        if isinstance(value, tuple | list):
            return listed([self.literal(item) for item in value])
        if isinstance(value, dict):
            return f"R.dict({listed([listed([self.literal(k), self.literal(v)]) for k, v in value.items()])})"
        if isinstance(value, SimpleNamespace):
            return f"{{{', '.join(f'{k}: {self.literal(v)}' for k, v in vars(value).items())}}}"
        if isinstance(value, FunctionType) or (isinstance(value, type) and value in LEAVES):
            return self.reference(value, value.__name__, value.__module__)
        if type(value) in (np.dtype, type) or type(value).__module__.partition(".")[0] in ("builtins", "numpy"):
            raise KeyError(type(value).__name__)
        return self._object_name(value)

    def attribute(self, name: str, above: bool = False) -> None:
        """Some object's attribute of that name is used."""
        self.attributes.add(name)
        if above:
            self.above.add(name)

    def methods(self, name: str) -> list[FunctionType]:
        """The methods of that name that objects have."""
        found = [_method(vars(cls)[name]) for cls in self._all_classes() if name in vars(cls)]
        return [method for method in found if method is not None]

    def has_value(self, name: str) -> bool:
        """Whether some object has an attribute of that name, which is no method."""
        return not self.methods(name) and any(hasattr(instance, name) for instance in self.instances)

    # Names ------------------------------------------------------------------------------------------------------------

    def _named(self, key: Any, wanted: str) -> str:
        """The name of something in JavaScript: the one it has in Python, if that is free."""
        if key not in self.names:
            name, number = js_name(wanted), 1
            while name in self.names.values():
                number += 1
                name = f"{wanted}_{number}"
            self.names[key] = name
        return self.names[key]

    def _object_name(self, instance: Any) -> str:
        if not any(instance is known for known in self.instances):
            self.instances.append(instance)
        return self._named(("object", id(instance)), type(instance).__name__.lower())

    # Classes and objects ----------------------------------------------------------------------------------------------

    def _all_classes(self) -> list[type]:
        """The classes of objects, each after those above it."""
        chains = [reversed(type(instance).__mro__[:-1]) for instance in self.instances]
        return list(dict.fromkeys(cls for chain in chains for cls in chain))

    def _classes(self) -> dict[type, dict[str, FunctionType]]:
        """The classes, each with those of its methods that are used: such as an object has, or super() reaches."""
        used: dict[type, dict[str, FunctionType]] = {cls: {} for cls in self._all_classes()}
        for cls in dict.fromkeys(map(type, self.instances)):
            for name in sorted(self.attributes):
                owners = [owner for owner in cls.__mro__ if name in vars(owner) and owner in used]
                for owner in owners if name in self.above else owners[:1]:
                    if method := _method(vars(owner)[name]):
                        used[owner][name] = method
        return used

    def _written_classes(self) -> list[str]:
        lines: list[str] = []
        for cls, methods in self._classes().items():
            name, base = self._named(cls, cls.__name__), self._base(cls)
            lines.append(f"{INDENT}class {name}{f' extends {self.names[base]}' if base else ''} {{")
            for method in sorted(methods, key=lambda m: methods[m].__code__.co_firstlineno):
                bound = not isinstance(vars(cls)[method], staticmethod)
                writer = Statements(methods[method], self, self.follow(methods[method].__code__), method=bound)
                lines += writer.written(method, INDENT * 2)
            lines.append(f"{INDENT}}}")
        return lines

    def _base(self, cls: type) -> type | None:
        """The class above: the next in the order in which Python looks methods up."""
        above = {type(o).__mro__[type(o).__mro__.index(cls) + 1] for o in self.instances if isinstance(o, cls)}
        if len(above) > 1:
            raise Untranslatable(f"{cls.__module__}: the classes above {cls.__name__} differ from object to object")
        return next((base for base in above if base is not object), None)

    def _written_objects(self) -> list[str]:
        """The objects, those that others have as attributes first."""
        written: dict[str, str] = {}
        pending = list(self.instances)
        while pending:
            instance = pending.pop(0)
            name = self._object_name(instance)
            values = ", ".join(f"{field}: {text}" for field, text in self._fields(instance))
            made = f"Object.assign(new {self._named(type(instance), type(instance).__name__)}(), {{{values}}})"
            written[name] = f"{INDENT}const {name} = {made};"
            pending += [one for one in self.instances[len(written) + len(pending) :]]
        return list(reversed(written.values()))

    def _fields(self, instance: Any) -> list[tuple[str, str]]:
        found = []
        for name in sorted(self.attributes):
            static = inspect.getattr_static(instance, name, _MISSING)
            if static is _MISSING or (name not in vars(instance) and _method(static) is not None):
                continue
            try:
                if isinstance(static, property | classmethod):
                    raise KeyError(type(static).__name__)
                found.append((name, self.literal(getattr(instance, name))))
            except KeyError as kind:
                owner = type(instance)
                raise Untranslatable(
                    f"{owner.__module__}: the attribute `{name}` of {owner.__name__} cannot be translated, "
                    f"being a {kind.args[0]}"
                ) from None
        return found

    # Functions and constants ------------------------------------------------------------------------------------------

    def _written_functions(self) -> list[str]:
        lines: list[str] = []
        for function in sorted(self.functions, key=lambda f: (f.__module__, f.__code__.co_firstlineno)):
            name = self._named(function, function.__name__)
            writer = Statements(function, self, self.follow(function.__code__))
            lines += writer.written(f"function {name}", INDENT)
            lines.append(f"{INDENT}{name}.params = {listed([js_text(p) for p in writer.parameters])};")
        return lines

    def _written_tuples(self) -> list[str]:
        lines = []
        for cls in self.tuples:
            defaults = ", ".join(f"{k}: {self.literal(v)}" for k, v in cls._field_defaults.items())  # type: ignore[attr-defined]
            fields = listed([js_text(field) for field in cls._fields])  # type: ignore[attr-defined]
            lines.append(
                f"{INDENT}const {self.names[cls]} = R.namedtuple({fields}{f', {{{defaults}}}' if defaults else ''});"
            )
        return lines

    def _written_constants(self) -> list[str]:
        return [f"{INDENT}const {self.names[key]} = {self.literal(value)};" for key, value in self.constants.items()]


_MISSING = object()


def _method(value: Any) -> FunctionType | None:
    """The function of a method, as it stands in its class; None for what is no method."""
    function = value.__func__ if isinstance(value, staticmethod) else value
    return inspect.unwrap(function) if isinstance(function, FunctionType) else None


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
