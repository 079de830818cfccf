"""Expressions of Python as expressions of JavaScript."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Protocol

from minirnn import backend
from minirnn.errors import InputError
from minirnn.pages.vocabulary import (
    ARRAY_METHODS,
    BINARY,
    COMPARE,
    CONSTRUCTS,
    CONTAINER_METHODS,
    GENERATOR_METHODS,
    LEAVES,
    MODULES,
    NUMPY,
    RESERVED,
    UNARY,
)

NOTHING = object()
"""What `Expressions.meant` gives for what only the run will show."""


class Untranslatable(InputError):
    """Something has no translation; the message says what, and in which file and line it stands."""


class Surroundings(Protocol):
    """What a function's translation asks of the program around it, and tells it."""

    def reference(self, value: Any, name: str, module: str) -> str:
        """A global value as JavaScript. Raises KeyError where it cannot be translated."""

    def literal(self, value: Any) -> str:
        """A value written out. Raises KeyError where it cannot be."""

    def attribute(self, name: str, above: bool = False) -> None:
        """Some object's attribute is used; with `above`, also as the classes above its own define it."""

    def methods(self, name: str) -> list[FunctionType]:
        """The methods of that name that the program's objects have."""

    def has_value(self, name: str) -> bool:
        """Whether some object of the program has such an attribute, which is no method."""


def js_name(name: str) -> str:
    """A name of Python as one that JavaScript allows."""
    return f"{name}_" if name.rstrip("_") in RESERVED else name


def js_text(text: str) -> str:
    """A string, such that it may stand in a <script>."""
    return json.dumps(text, ensure_ascii=False).replace("</", "<\\/")


def listed(parts: Sequence[str]) -> str:
    """An array of JavaScript, or a pattern to take one apart."""
    return f"[{', '.join(parts)}]"


class Expressions:
    """The expressions of one function.

    Args:
        function: where names that are not the function's own are looked up.
        program: the program around it.
    """

    def __init__(self, function: FunctionType, program: Surroundings):
        self.function, self.program = function, program
        self.locals: set[str] = set()
        self.libraries: set[str] = set()  # the local names that stand for NumPy, as in xp = array_module(x)
        self.inner: list[set[str]] = []  # the names of the comprehensions around, from the outside in
        free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        self.free = {name: cell.cell_contents for name, cell in free}

    def refuse(self, node: ast.AST, what: str = "") -> Untranslatable:
        """The error for a construct."""
        what = what or CONSTRUCTS.get(type(node), f"`{type(node).__name__}`")
        where = f"{Path(self.function.__code__.co_filename).name}, line {getattr(node, 'lineno', 0)}"
        return Untranslatable(f"{where}: {what} cannot be translated")

    def expression(self, node: ast.AST) -> str:
        """One expression."""
        write = getattr(self, f"write_{type(node).__name__.lower()}", None)
        if write is None:
            raise self.refuse(node)
        return write(node)

    # Names ------------------------------------------------------------------------------------------------------------

    def is_local(self, name: str) -> bool:
        return name in self.locals or any(name in names for names in self.inner)

    def meant(self, node: ast.AST) -> Any:
        """What an expression stands for, if it names something outside of the function: a module, a function there."""
        if isinstance(node, ast.Name) and not self.is_local(node.id):
            variables = self.function.__globals__
            builtin = variables["__builtins__"]
            builtin = builtin if isinstance(builtin, dict) else vars(builtin)
            for names in (self.free, variables, builtin):
                if node.id in names:
                    return names[node.id]
            raise self.refuse(node, f"`{node.id}`, which stands for nothing,")
        if isinstance(node, ast.Attribute):
            owner = self.meant(node.value)
            if isinstance(owner, ModuleType) and hasattr(owner, node.attr):
                if owner in MODULES and node.attr not in MODULES[owner]:
                    raise self.refuse(node, f"`{ast.unparse(node)}`")
                return getattr(owner, node.attr)
        return NOTHING

    def is_library(self, node: ast.AST) -> bool:
        """Whether an expression stands for NumPy: np, xp, or array_module(x)."""
        if isinstance(node, ast.Name) and self.is_local(node.id):
            return node.id in self.libraries
        return isinstance(node, ast.Call) and self.meant(node.func) is backend.array_module

    def write_name(self, node: ast.Name) -> str:
        value = self.meant(node)
        if value is NOTHING:
            return js_name(node.id)
        try:
            return self.program.reference(value, node.id, self.function.__module__)
        except KeyError:
            raise self.refuse(node, f"`{node.id}`, which is {_kind(value)},") from None

    def write_attribute(self, node: ast.Attribute) -> str:
        value, owner = self.meant(node), self.meant(node.value)
        if isinstance(owner, ModuleType) and owner in MODULES and value is not NOTHING:
            return f"{LEAVES[owner]}.{node.attr}"
        if value is not NOTHING:
            try:
                return self.program.reference(value, node.attr, getattr(owner, "__name__", ""))
            except KeyError:
                raise self.refuse(node, f"`{ast.unparse(node)}`, which is {_kind(value)},") from None
        if self.is_library(node.value):
            if node.attr not in NUMPY:
                raise self.refuse(node, f"NumPy's `{node.attr}`")
            return f"{self.expression(node.value)}.{node.attr}"
        self.program.attribute(node.attr)
        if self.program.methods(node.attr) or node.attr in ARRAY_METHODS:  # taken now and called later
            return f"R.bound({self.expression(node.value)}, {js_text(node.attr)})"
        return f"{self.expression(node.value)}.{node.attr}"

    # Values and containers --------------------------------------------------------------------------------------------

    def write_constant(self, node: ast.Constant) -> str:
        if node.value is Ellipsis:
            return "R.ELLIPSIS"
        if isinstance(node.value, bytes | complex):
            raise self.refuse(node, f"`{node.value!r}`")
        return self.program.literal(node.value)

    def write_tuple(self, node: ast.Tuple | ast.List) -> str:
        return listed([self.expression(part) for part in node.elts])

    write_list = write_tuple

    def write_starred(self, node: ast.Starred) -> str:
        return f"...{self.expression(node.value)}"

    def write_dict(self, node: ast.Dict) -> str:
        pairs = [
            f"...R.items({self.expression(value)})"
            if key is None
            else listed([self.expression(key), self.expression(value)])
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return f"R.dict({listed(pairs)})"

    def write_subscript(self, node: ast.Subscript) -> str:
        return f"R.get({self.expression(node.value)}, {self.expression(node.slice)})"

    def write_slice(self, node: ast.Slice) -> str:
        parts = ["null" if part is None else self.expression(part) for part in (node.lower, node.upper, node.step)]
        while parts and parts[-1] == "null":
            parts.pop()
        return f"R.slice({', '.join(parts)})"

    # Operators --------------------------------------------------------------------------------------------------------

    def write_binop(self, node: ast.BinOp) -> str:
        if type(node.op) not in BINARY:
            raise self.refuse(node, f"`{ast.unparse(node)}`")
        return f"R.{BINARY[type(node.op)]}({self.expression(node.left)}, {self.expression(node.right)})"

    def write_unaryop(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return self.condition(node)
        operand = self.expression(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return f"-{operand}"
        return f"R.{UNARY[type(node.op)]}({operand})"

    def write_compare(self, node: ast.Compare) -> str:
        if len(node.ops) == 1:
            return self._comparison(node, node.ops[0], node.left, node.comparators[0])
        if not all(type(op) in COMPARE for op in node.ops):
            raise self.refuse(node, "a chain with `in` or `is`")
        links = zip(node.ops, node.comparators, strict=True)
        rest = [f'["{COMPARE[type(op)][1]}", () => {self.expression(right)}]' for op, right in links]
        return f"R.chain({', '.join([self.expression(node.left), *rest])})"

    def _comparison(self, node: ast.Compare, op: ast.cmpop, left: ast.expr, right: ast.expr) -> str:
        a, b = self.expression(left), self.expression(right)
        if isinstance(op, ast.In | ast.NotIn):
            return f"{'!' if isinstance(op, ast.NotIn) else ''}R.contains({b}, {a})"
        if isinstance(op, ast.Is | ast.IsNot):
            if not isinstance(right, ast.Constant):
                raise self.refuse(node, "`is` with something else than None, True or False")
            return f"{a} {'===' if isinstance(op, ast.Is) else '!=='} {b}"
        return f"R.{COMPARE[type(op)][0]}({a}, {b})"

    def write_boolop(self, node: ast.BoolOp) -> str:
        *first, text = map(self.expression, node.values)
        for part in reversed(first):
            text = f"R.{'and' if isinstance(node.op, ast.And) else 'or'}({part}, () => {text})"
        return text

    def write_ifexp(self, node: ast.IfExp) -> str:
        return f"({self.condition(node.test)} ? {self.expression(node.body)} : {self.expression(node.orelse)})"

    def condition(self, node: ast.expr) -> str:
        """An expression as JavaScript's true or false, where Python asks whether something is true."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.condition(node.operand)
            return f"!{inner}" if inner.startswith("R.") and " " not in inner.partition("(")[0] else f"!({inner})"
        if isinstance(node, ast.BoolOp):
            return f"({(' && ' if isinstance(node.op, ast.And) else ' || ').join(map(self.condition, node.values))})"
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn | ast.Is | ast.IsNot):
            return self.expression(node)
        return f"R.truth({self.expression(node)})"

    # Comprehensions ---------------------------------------------------------------------------------------------------

    def write_listcomp(self, node: ast.ListComp) -> str:
        return self._comprehension(node.generators, lambda: self.expression(node.elt))

    def write_generatorexp(self, node: ast.GeneratorExp) -> str:
        return f"R.generator({self._comprehension(node.generators, lambda: self.expression(node.elt))})"

    def write_dictcomp(self, node: ast.DictComp) -> str:
        pair = lambda: listed([self.expression(node.key), self.expression(node.value)])  # noqa: E731
        return f"R.dict({self._comprehension(node.generators, pair)})"

    def _comprehension(self, generators: Sequence[ast.comprehension], element: Callable[[], str]) -> str:
        """The innermost `for` gives elements; those around it, and conditions, give lists that become one."""
        first, *others = generators
        if first.is_async:
            raise self.refuse(first.target, "`async for`")
        items = self.expression(first.iter)
        if _starred(first.target):
            items = f"R.unpacked({items}, {pattern_shape(first.target)})"
        self.inner.append({name.id for name in ast.walk(first.target) if isinstance(name, ast.Name)})
        target = self._parameter(first.target)
        body = self._comprehension(others, element) if others else element()
        if first.ifs:
            body = f"{' && '.join(map(self.condition, first.ifs))} ? {body if others else listed([body])} : []"
        self.inner.pop()
        return f"R.{'gather' if others or first.ifs else 'collect'}({items}, ({target}) => {body})"

    def _parameter(self, target: ast.expr) -> str:
        """The target of a comprehension as a parameter. A name that occurs twice, as _ may, has its last value; two
        parameters of one name JavaScript refuses."""
        last = {name.id: name for name in ast.walk(target) if isinstance(name, ast.Name)}

        def write(node: ast.expr) -> str:
            if isinstance(node, ast.Name):
                return js_name(node.id) if last[node.id] is node else ""
            if isinstance(node, ast.Tuple | ast.List):
                return listed([write(part) for part in node.elts])
            if isinstance(node, ast.Starred):
                return write(node.value)  # `unpacked` has made one value of the rest
            raise self.refuse(node, "this target of a comprehension")

        return write(target)

    # Calls ------------------------------------------------------------------------------------------------------------

    def write_call(self, node: ast.Call) -> str:
        value = self.meant(node.func)
        if value is super:
            raise self.refuse(node, "`super()` without a method")
        if value is not NOTHING:
            return self._call_of_known(node, value)
        if isinstance(node.func, ast.Attribute) and not self.is_library(node.func.value):
            return self._method_call(node, node.func)
        arguments, keywords = self._arguments(node)
        called = self.expression(node.func)
        if keywords and not isinstance(node.func, ast.Attribute):  # which function it is, only the run shows
            return f"R.apply({called}, {listed(arguments)}, {_object(keywords)})"
        return f"{called}({', '.join([*arguments, *_trailing(keywords)])})"

    def _call_of_known(self, node: ast.Call, value: Any) -> str:
        """The call of something outside of the function: translated, or one of the runtime's."""
        called, (arguments, keywords) = self.expression(node.func), self._arguments(node)
        signature = _signature(value)
        if called.startswith("R.") or signature is None:
            return f"{called}({', '.join([*arguments, *_trailing(keywords)])})"
        return f"{called}({', '.join(self._placed(node, arguments, keywords, signature))})"

    def _method_call(self, node: ast.Call, method: ast.Attribute) -> str:
        name, (arguments, keywords) = method.attr, self._arguments(node)
        if isinstance(method.value, ast.Call) and self.meant(method.value.func) is super:
            self.program.attribute(name, above=True)
            return f"super.{name}({', '.join(self._by_signature(node, name, arguments, keywords))})"
        owner = self.expression(method.value)
        if self.program.methods(name):
            self.program.attribute(name)
            arguments, keywords = self._by_signature(node, name, arguments, keywords), {}
        elif self.program.has_value(name):  # a function that an object has been given
            self.program.attribute(name)
            return (
                f"R.apply({owner}.{name}, {listed(arguments)}, {_object(keywords)})"
                if keywords
                else (f"{owner}.{name}({', '.join(arguments)})")
            )
        elif name in GENERATOR_METHODS:
            return "R.draw()"
        elif name not in ARRAY_METHODS | CONTAINER_METHODS:
            raise self.refuse(node, f"the method `.{name}`")
        arguments = [*arguments, *_trailing(keywords)]
        if name in CONTAINER_METHODS:
            return f"R.call({', '.join([owner, js_text(name), *arguments])})"
        return f"{owner}.{name}({', '.join(arguments)})"

    def _by_signature(self, node: ast.Call, name: str, arguments: list[str], keywords: dict[str, str]) -> list[str]:
        """The arguments of a method, in order. Which object's it is, only the run shows, so all must agree."""
        if not keywords:
            return arguments
        if name in ARRAY_METHODS | CONTAINER_METHODS:
            raise self.refuse(node, f"keywords for `.{name}`, which is an object's method and an array's,")
        placed = [self._placed(node, arguments, keywords, _signature(f)) for f in self.program.methods(name)]
        if any(one != placed[0] for one in placed):
            raise self.refuse(node, f"keywords for `.{name}`, whose methods differ in their arguments,")
        return placed[0]

    def _arguments(self, node: ast.Call) -> tuple[list[str], dict[str, str]]:
        """The arguments in order and those by keyword."""
        keywords: dict[str, str] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                keywords[keyword.arg] = self.expression(keyword.value)
                continue
            keys = keyword.value.keys if isinstance(keyword.value, ast.Dict) else [None]
            if not isinstance(keyword.value, ast.Dict) or not all(isinstance(key, ast.Constant) for key in keys):
                raise self.refuse(node, "`**` of something else than a dict that is written there")
            values = zip(keys, keyword.value.values, strict=True)
            keywords |= {key.value: self.expression(value) for key, value in values}  # type: ignore[union-attr]
        return [self._argument(argument, node) for argument in node.args], keywords

    def _argument(self, node: ast.expr, call: ast.Call) -> str:
        """An argument; a generator that a builtin uses up at once is as good as a list."""
        if isinstance(node, ast.GeneratorExp) and self.meant(call.func) in (tuple, list, dict, sum, max, min, any, all):
            return self._comprehension(node.generators, lambda: self.expression(node.elt))
        return self.expression(node)

    def _placed(
        self, node: ast.Call, arguments: list[str], keywords: dict[str, str], signature: list[str] | None
    ) -> list[str]:
        """Arguments in order, those by keyword put in their places; `undefined` lets the default stand."""
        if not keywords:
            return arguments
        unknown = [name for name in keywords if signature is None or name not in signature[len(arguments) :]]
        if unknown or signature is None or any(argument.startswith("...") for argument in arguments):
            raise self.refuse(node, f"the keyword `{(unknown or list(keywords))[0]}` here")
        last = max(signature.index(name) for name in keywords)
        return arguments + [keywords.get(name, "undefined") for name in signature[len(arguments) : last + 1]]


def _signature(function: Any) -> list[str] | None:
    """The parameters that a call can name, in the order they have in JavaScript, without `self`."""
    if isinstance(function, type) and hasattr(function, "_fields"):
        return list(function._fields)
    if not isinstance(function, FunctionType):
        return None
    function = inspect.unwrap(function)
    parameters = list(inspect.signature(function).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return [p.name for p in parameters if p.name != "self"]


def _kind(value: Any) -> str:
    return f"the {type(value).__name__} {getattr(value, '__name__', '')}".rstrip()


def _object(keywords: dict[str, str]) -> str:
    return f"{{{', '.join(name if name == value else f'{name}: {value}' for name, value in keywords.items())}}}"


def _trailing(keywords: dict[str, str]) -> Iterator[str]:
    """The runtime takes keywords as a last argument, an object."""
    if keywords:
        yield _object(keywords)


def _starred(target: ast.expr) -> bool:
    return any(isinstance(node, ast.Starred) for node in ast.walk(target))


def pattern_shape(target: ast.expr) -> str:
    """The pattern of a target, for `R.unpack`: 0 for one value, "*" for the rest, a list for what is taken apart."""
    if isinstance(target, ast.Starred):
        return '"*"'
    return listed([pattern_shape(part) for part in target.elts]) if isinstance(target, ast.Tuple | ast.List) else "0"
