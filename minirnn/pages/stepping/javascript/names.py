"""What the names in a function stand for."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Protocol

from minirnn import backend
from minirnn.errors import InputError
from minirnn.pages.stepping.javascript.vocabulary import ARRAY_METHODS, CONSTRUCTS, LEAVES, MODULES, NUMPY, RESERVED

NOTHING = object()
"""What `Names.meant` gives for what only the run will show."""


class Untranslatable(InputError):  # noqa: N818 (as one says it: the cell is untranslatable)
    """Something has no translation; the message says what, and in which file and line it stands."""


class Surroundings(Protocol):
    """What the translation of a function asks of the program around it, and tells it."""

    def reference(self, value: Any, name: str, module: str) -> str:
        """The JavaScript for what a global name of a module stands for. Raises KeyError if there is none."""

    def literal(self, value: Any) -> str:
        """A value written out. Raises KeyError if it cannot be."""

    def attribute(self, name: str, above: bool = False) -> None:
        """Take note that an attribute is used; with `above`, also as the classes above an object's own define it."""

    def signatures(self, name: str) -> list[list[str] | None]:
        """The parameters of each method of that name that an object of the program has; None for one with `*`."""

    def has_value(self, name: str) -> bool:
        """Whether some object of the program has an attribute of that name, which is no method."""


def js_name(name: str) -> str:
    """A name of Python as one that JavaScript allows."""
    return f"{name}_" if name.rstrip("_") in RESERVED else name


def js_text(text: str) -> str:
    """A string, such that it may stand in a <script>."""
    return json.dumps(text, ensure_ascii=False).replace("</", "<\\/")


def js_list(parts: Sequence[str]) -> str:
    """An array of JavaScript, or a pattern that takes one apart."""
    return f"[{', '.join(parts)}]"


class Names:
    """The names of one function.

    Args:
        function: where names that are not the function's own are looked up.
        program: the program around it.
    """

    def __init__(self, function: FunctionType, program: Surroundings):
        self.function, self.program = function, program
        self.locals: set[str] = set()
        self.libraries: set[str] = set()  # the local names that stand for NumPy, as in xp = array_module(x)
        self.inner: list[set[str]] = []  # the names of the comprehensions around, from the outside in
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        builtin = function.__globals__["__builtins__"]
        builtin = builtin if isinstance(builtin, dict) else vars(builtin)
        self.outside = {**builtin, **function.__globals__, **{name: cell.cell_contents for name, cell in cells}}

    def refuse(self, node: ast.AST, what: str = "") -> Untranslatable:
        """The error for a construct."""
        what = what or CONSTRUCTS.get(type(node), f"`{ast.unparse(node)}`")
        where = f"{Path(self.function.__code__.co_filename).name}, line {getattr(node, 'lineno', 0)}"
        return Untranslatable(f"{where}: {what} cannot be translated")

    def expression(self, node: ast.expr) -> str:
        """One expression, by the method that is called after its kind of node."""
        write = getattr(self, f"_{type(node).__name__.lower()}", None)
        if write is None:
            raise self.refuse(node)
        return write(node)

    def is_local(self, name: str) -> bool:
        """Whether a name is the function's own, or that of a comprehension around."""
        return name in self.locals or any(name in names for names in self.inner)

    def meant(self, node: ast.AST) -> Any:
        """What an expression stands for, if it names something outside of the function: a module, a function there."""
        if isinstance(node, ast.Name) and not self.is_local(node.id):
            if node.id not in self.outside:
                raise self.refuse(node, f"`{node.id}`, which stands for nothing,")
            return self.outside[node.id]
        if isinstance(node, ast.Attribute):
            owner = self.meant(node.value)
            if isinstance(owner, ModuleType):
                if not hasattr(owner, node.attr) or node.attr not in MODULES.get(owner, {node.attr}):
                    raise self.refuse(node)
                return getattr(owner, node.attr)
        return NOTHING

    def is_library(self, node: ast.AST) -> bool:
        """Whether an expression of the run stands for NumPy: array_module(x), or xp after xp = array_module(x)."""
        if isinstance(node, ast.Name) and self.is_local(node.id):
            return node.id in self.libraries
        return isinstance(node, ast.Call) and self.meant(node.func) is backend.array_module

    def _name(self, node: ast.Name) -> str:
        value = self.meant(node)
        return js_name(node.id) if value is NOTHING else self._outside(node, value, node.id, self.function.__module__)

    def _attribute(self, node: ast.Attribute) -> str:
        value, owner = self.meant(node), self.meant(node.value)
        if value is not NOTHING:
            if owner in MODULES:
                return f"{LEAVES[owner]}.{node.attr}"
            return self._outside(node, value, node.attr, owner.__name__)
        if self.is_library(node.value):
            if node.attr not in NUMPY:
                raise self.refuse(node, f"NumPy's `{node.attr}`")
            return f"{self.expression(node.value)}.{node.attr}"
        self.program.attribute(node.attr)
        text = self.expression(node.value)
        if self.program.signatures(node.attr) or node.attr in ARRAY_METHODS:  # taken now and called later
            return f"R.bound({text}, {js_text(node.attr)})"
        return f"{text}.{node.attr}"

    def _outside(self, node: ast.expr, value: Any, name: str, module: str) -> str:
        try:
            return self.program.reference(value, name, module)
        except KeyError:
            kind = " ".join(filter(None, [type(value).__name__, getattr(value, "__name__", "")]))
            raise self.refuse(node, f"`{ast.unparse(node)}`, which is the {kind},") from None
