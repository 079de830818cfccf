"""A program: all that some functions reach, and the names it has in JavaScript."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from minirnn.pages.stepping.javascript.calls import signature
from minirnn.pages.stepping.javascript.names import Untranslatable, js_list, js_name, js_text
from minirnn.pages.stepping.javascript.statements import INDENT, Statements
from minirnn.pages.stepping.javascript.vocabulary import LEAVES, NUMPY

Methods = dict[str, FunctionType]


class Program:
    """What has been reached so far.

    Writing one function down shows what else is reached, and that may change how the calls in others are written: so
    all is written again until nothing new turns up.

    Args:
        entries: the functions to begin with.
        objects: the objects that will be handed to them, by name.
        follow: whether the function with this code is recorded.
    """

    def __init__(
        self, entries: Sequence[FunctionType], objects: Mapping[str, object], follow: Callable[[CodeType], bool]
    ):
        self.entries, self.objects, self.follow = entries, objects, follow
        self.names: dict[Any, str] = {}  # of functions, classes, constants and objects
        self.functions: dict[FunctionType, None] = dict.fromkeys(entries)
        self.tuples: dict[type, None] = {}
        self.constants: dict[tuple[str, str], Any] = {}
        self.attributes: set[str] = set()
        self.above: set[str] = set()  # those that are reached by super()
        self.instances: list[Any] = list(objects.values())
        for name, instance in objects.items():
            self._named(("object", id(instance)), name)
        for entry in entries:
            self._named(entry, entry.__name__)

    def source(self) -> str:
        """The program as a script."""
        before = None
        while before != (before := self._reached()):
            body = [*self._functions(), *self._classes(), *self._objects()]
        entries = ", ".join(self.names[entry] for entry in self.entries)
        objects = ", ".join(f"{js_text(name)}: {self._object_name(o)}" for name, o in self.objects.items())
        result = f"{INDENT}return {{functions: {{{entries}}}, objects: {{{objects}}}}};"
        lines = ['"use strict";', "const program = (R) => {", *self._tuples(), *self._constants(), *body, result, "};"]
        return "\n".join([*lines, 'if (typeof module !== "undefined") module.exports = program;', ""])

    def recorded(self) -> list[FunctionType]:
        """The functions that are recorded."""
        methods = (method for used in self._used_methods().values() for method in used.values())
        return [function for function in (*self.functions, *methods) if self.follow(function.__code__)]

    def _reached(self) -> tuple[int, ...]:
        return tuple(map(len, (self.names, self.attributes, self.above, self.instances)))

    # What functions ask: see `names.Surroundings` ---------------------------------------------------------------------

    def reference(self, value: Any, name: str, module: str) -> str:
        """The JavaScript for what a global name of a module stands for. Raises KeyError if there is none."""
        if callable(value) or inspect.ismodule(value):
            return self._reference_to_code(value)
        if not isinstance(value, _DATA):
            raise KeyError(type(value).__name__)
        text = self.literal(value)
        if value is None or isinstance(value, bool):
            return text
        self.constants[module, name] = value
        return self._named((module, name), name)

    def _reference_to_code(self, value: Any) -> str:
        if value in LEAVES:
            return LEAVES[value]
        name = getattr(value, "__name__", "")
        if name in NUMPY and getattr(np, name) is value:
            return f"R.xp.{name}"
        if isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields"):
            self.tuples[value] = None
            return self._named(value, value.__name__)
        function = inspect.unwrap(value) if callable(value) else value
        if not isinstance(function, FunctionType) or function.__module__.partition(".")[0] == "numpy":
            raise KeyError(type(value).__name__)
        self.functions[function] = None
        return self._named(function, function.__name__)

    def literal(self, value: Any) -> str:
        """A value written out. Raises KeyError if it cannot be."""
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, str):
            return js_text(value)
        if isinstance(value, np.ndarray | np.generic):
            return f"R.xp.array({self.literal(value.tolist())})"
        if isinstance(value, int | float):
            return repr(value) if math.isfinite(value) else _NOT_FINITE[repr(value)]
        if isinstance(value, tuple | list):
            items = [self.literal(item) for item in value]
            return f"{self._reference_to_code(type(value))}({', '.join(items)})" if _is_named(value) else js_list(items)
        if isinstance(value, dict):
            return f"R.dict({js_list([self.literal(pair) for pair in value.items()])})"
        if isinstance(value, SimpleNamespace):
            return f"{{{', '.join(f'{name}: {self.literal(item)}' for name, item in vars(value).items())}}}"
        if isinstance(value, FunctionType | type):
            return self._reference_to_code(value)
        if type(value).__module__.partition(".")[0] in ("builtins", "numpy"):
            raise KeyError(type(value).__name__)
        return self._object_name(value)

    def attribute(self, name: str, above: bool = False) -> None:
        """Take note that an attribute is used; with `above`, also as the classes above an object's own define it."""
        self.attributes.add(name)
        if above:
            self.above.add(name)

    def signatures(self, name: str) -> list[list[str] | None]:
        """The parameters of each method of that name that an object of the program has; None for one with `*`."""
        found = []
        for cls in self._all_classes():
            if method := _method(vars(cls).get(name)):
                parameters = signature(method)
                found.append(parameters[1:] if parameters and _is_bound(cls, name) else parameters)
        return found

    def has_value(self, name: str) -> bool:
        """Whether some object of the program has an attribute of that name, which is no method."""
        return any(name in getattr(instance, "__dict__", ()) for instance in self.instances)

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

    # Functions and constants ------------------------------------------------------------------------------------------

    def _functions(self) -> Iterator[str]:
        for function in sorted(self.functions, key=lambda f: (f.__module__, f.__code__.co_firstlineno)):
            name = self._named(function, function.__name__)
            writer = Statements(function, self, self.follow(function.__code__))
            yield from writer.written(f"function {name}", INDENT)
            yield f"{INDENT}{name}.params = {js_list([js_text(parameter) for parameter in writer.parameters])};"

    def _tuples(self) -> Iterator[str]:
        for cls in self.tuples:
            fields: Any = cls
            defaults = ", ".join(f"{name}: {self.literal(value)}" for name, value in fields._field_defaults.items())
            arguments = [
                js_list([js_text(name) for name in fields._fields]),
                *([f"{{{defaults}}}"] if defaults else []),
            ]
            yield f"{INDENT}const {self.names[cls]} = R.namedtuple({', '.join(arguments)});"

    def _constants(self) -> Iterator[str]:
        for key, value in self.constants.items():
            yield f"{INDENT}const {self.names[key]} = {self.literal(value)};"

    # Classes and objects ----------------------------------------------------------------------------------------------

    def _all_classes(self) -> list[type]:
        """The classes of objects, each after those above it."""
        return list(dict.fromkeys(cls for o in self.instances for cls in reversed(type(o).__mro__[:-1])))

    def _used_methods(self) -> dict[type, Methods]:
        """The classes, each with those of its methods that are used: such as an object has, or super() reaches."""
        used: dict[type, Methods] = {cls: {} for cls in self._all_classes()}
        for cls in dict.fromkeys(map(type, self.instances)):
            for name in sorted(self.attributes):
                owners = [owner for owner in cls.__mro__ if name in vars(owner)]
                for owner in owners if name in self.above else owners[:1]:
                    if method := _method(vars(owner)[name]):
                        used[owner][name] = method
        return used

    def _classes(self) -> Iterator[str]:
        for cls, methods in self._used_methods().items():
            above = self._above(cls)
            name = self._named(cls, cls.__name__)
            yield f"{INDENT}class {name}{f' extends {self.names[above]}' if above else ''} {{"
            for method, function in sorted(methods.items(), key=lambda item: item[1].__code__.co_firstlineno):
                recorded = self.follow(function.__code__)
                yield from Statements(function, self, recorded, _is_bound(cls, method)).written(method, INDENT * 2)
            yield f"{INDENT}}}"

    def _above(self, cls: type) -> type | None:
        """The class above: the next in which Python looks a method up."""
        orders = [type(instance).__mro__ for instance in self.instances if isinstance(instance, cls)]
        above = {order[order.index(cls) + 1] for order in orders}
        if len(above) > 1:
            raise Untranslatable(f"{cls.__module__}: what is above {cls.__name__} differs from object to object")
        return next(iter(above - {object}), None)

    def _objects(self) -> Iterator[str]:
        fields = []
        for instance in self.instances:  # which grows where an object has another as an attribute
            name = self._object_name(instance)
            yield f"{INDENT}const {name} = new {self._named(type(instance), type(instance).__name__)}();"
            values = ", ".join(f"{field}: {text}" for field, text in self._fields(instance))
            fields.append(f"{INDENT}Object.assign({name}, {{{values}}});")
        yield from fields

    def _fields(self, instance: Any) -> Iterator[tuple[str, str]]:
        """The attributes of an object that are read somewhere, its own and those of its class."""
        for name in sorted(self.attributes):
            held = inspect.getattr_static(instance, name, _MISSING)
            if held is _MISSING or (name not in getattr(instance, "__dict__", ()) and _method(held)):
                continue
            try:
                if isinstance(held, property | classmethod):
                    raise KeyError(type(held).__name__)
                yield name, self.literal(getattr(instance, name))
            except KeyError as kind:
                owner = f"{type(instance).__module__}: the attribute `{name}` of {type(instance).__name__}"
                raise Untranslatable(f"{owner}, a {kind.args[0]}, cannot be translated") from None


_MISSING = object()
_NOT_FINITE = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
_DATA = (type(None), bool, int, float, str, tuple, list, dict, np.ndarray, np.generic)


def _method(held: Any) -> FunctionType | None:
    """The function of a method, from what its class holds; None for what is no method."""
    function = held.__func__ if isinstance(held, staticmethod) else held
    return inspect.unwrap(function) if isinstance(function, FunctionType) else None


def _is_bound(cls: type, method: str) -> bool:
    return not isinstance(vars(cls)[method], staticmethod)


def _is_named(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")
