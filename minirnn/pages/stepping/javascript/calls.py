"""Calls: of functions and methods that are translated, and of those the runtime has."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from minirnn.pages.stepping.javascript.expressions import Expressions
from minirnn.pages.stepping.javascript.names import NOTHING, js_list, js_text
from minirnn.pages.stepping.javascript.vocabulary import (
    ARRAY_METHODS,
    BUILTIN_KEYWORDS,
    CONTAINER_METHODS,
    GENERATOR_METHODS,
    KEYWORDS,
)

Keywords = dict[str, str]


class Calls(Expressions):
    """The calls in one function.

    In JavaScript arguments go by their order alone. Where it is known which function is called, those by keyword are
    put in their places; the runtime's own functions take them as a last argument, an object.
    """

    def _call(self, node: ast.Call) -> str:
        value = self.meant(node.func)
        if value is not NOTHING:
            return self._call_outside(node, value)
        if isinstance(node.func, ast.Attribute) and not self.is_library(node.func.value):
            return self._call_method(node, node.func)
        called, (arguments, keywords) = self.expression(node.func), self._arguments(node)
        if isinstance(node.func, ast.Attribute):
            self._check(node, keywords, KEYWORDS.get(node.func.attr))
        if keywords and not isinstance(node.func, ast.Attribute):  # a local name: the run shows which function it is
            return f"R.apply({called}, {js_list(arguments)}, {_object(keywords)})"
        return f"{called}({', '.join([*arguments, *_trailing(keywords)])})"

    def _call_outside(self, node: ast.Call, value: Any) -> str:
        """The call of something outside of the function: translated, or one of the runtime's."""
        called, (arguments, keywords) = self.expression(node.func), self._arguments(node)
        if called.startswith("R."):
            name = called.rpartition(".")[2]
            self._check(node, keywords, (BUILTIN_KEYWORDS if called == f"R.{name}" else KEYWORDS).get(name))
            return f"{called}({', '.join([*arguments, *_trailing(keywords)])})"
        return f"{called}({', '.join(self._placed(node, arguments, keywords, signature(value)))})"

    def _call_method(self, node: ast.Call, method: ast.Attribute) -> str:
        name, (arguments, keywords) = method.attr, self._arguments(node)
        if isinstance(method.value, ast.Call) and self.meant(method.value.func) is super:
            self.program.attribute(name, above=True)
            return f"super.{name}({', '.join(self._by_signature(node, name, arguments, keywords))})"
        owner = self.expression(method.value)
        if self.program.signatures(name):
            self.program.attribute(name)
            arguments, keywords = self._by_signature(node, name, arguments, keywords), {}
        elif self.program.has_value(name):  # a function that an object has been given
            self.program.attribute(name)
            return f"R.apply({owner}.{name}, {js_list(arguments)}, {_object(keywords)})"
        elif name in GENERATOR_METHODS:  # see there: an error, should the run come here
            return "R.draw()"
        elif name not in ARRAY_METHODS | CONTAINER_METHODS:
            raise self.refuse(node, f"the method `.{name}`")
        else:
            self._check(node, keywords, KEYWORDS.get(name))
        arguments = [*arguments, *_trailing(keywords)]
        if name in CONTAINER_METHODS:
            return f"R.call({', '.join([owner, js_text(name), *arguments])})"
        return f"{owner}.{name}({', '.join(arguments)})"

    def _by_signature(self, node: ast.Call, name: str, arguments: list[str], keywords: Keywords) -> list[str]:
        """The arguments of a method, in order. Which object's it is, only the run shows, so all must agree."""
        if not keywords:
            return arguments
        if name in ARRAY_METHODS | CONTAINER_METHODS:
            raise self.refuse(node, f"keywords for `.{name}`, which is an object's method and an array's,")
        placed = [self._placed(node, arguments, keywords, one) for one in self.program.signatures(name)]
        if any(one != placed[0] for one in placed):
            raise self.refuse(node, f"keywords for `.{name}`, whose methods differ in their arguments,")
        return placed[0]

    def _placed(
        self, node: ast.Call, arguments: list[str], keywords: Keywords, parameters: list[str] | None
    ) -> list[str]:
        """Arguments in order, those by keyword put in their places; `undefined` lets the default stand."""
        if not keywords:
            return arguments
        left = [] if parameters is None else parameters[len(arguments) :]
        unplaced = [name for name in keywords if name not in left]
        if unplaced or any(argument.startswith("...") for argument in arguments):
            raise self.refuse(node, f"the keyword `{(unplaced or list(keywords))[0]}` of `{ast.unparse(node.func)}`")
        last = max(left.index(name) for name in keywords)
        return arguments + [keywords.get(name, "undefined") for name in left[: last + 1]]

    def _check(self, node: ast.Call, keywords: Keywords, known: frozenset[str] | None) -> None:
        """Refuse keywords that a function of the runtime does not have."""
        for name in keywords:
            if name not in (known or ()):
                raise self.refuse(node, f"the keyword `{name}` of `{ast.unparse(node.func)}`")

    def _arguments(self, node: ast.Call) -> tuple[list[str], Keywords]:
        """The arguments in order and those by keyword."""
        at_once = self.meant(node.func) in (tuple, list, dict, sum, max, min)  # use a generator up
        arguments = [self.iterated(a) if at_once else self.expression(a) for a in node.args]
        keywords: Keywords = {}
        for keyword in node.keywords:
            pairs = [(keyword.arg, keyword.value)] if keyword.arg else self._written_dict(node, keyword.value)
            keywords |= {name: self.expression(value) for name, value in pairs}
        return arguments, keywords

    def _written_dict(self, node: ast.Call, value: ast.expr) -> list[tuple[str, ast.expr]]:
        """The keywords in `**{"axis": 1}`."""
        if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
            return [(key.value, item) for key, item in zip(value.keys, value.values, strict=True)]  # type: ignore
        raise self.refuse(node, f"`**{ast.unparse(value)}`")


def signature(function: Any) -> list[str] | None:
    """The parameters that a call can name, in the order they have in JavaScript; None where there is a `*`."""
    if isinstance(function, type) and hasattr(function, "_fields"):
        return list(function._fields)
    if not isinstance(function, FunctionType):
        return None
    parameters = inspect.signature(inspect.unwrap(function)).parameters.values()
    return None if any(p.kind is p.VAR_POSITIONAL for p in parameters) else [p.name for p in parameters]


def _object(keywords: Keywords) -> str:
    return f"{{{', '.join(name if name == value else f'{name}: {value}' for name, value in keywords.items())}}}"


def _trailing(keywords: Keywords) -> Iterator[str]:
    if keywords:
        yield _object(keywords)
