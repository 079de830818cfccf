"""Functions of Python as functions of JavaScript, statement by statement."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from types import FunctionType

from minirnn import backend
from minirnn.pages.stepping.javascript.calls import Calls
from minirnn.pages.stepping.javascript.expressions import pattern_shape
from minirnn.pages.stepping.javascript.names import NOTHING, Surroundings, Untranslatable, js_list, js_name, js_text
from minirnn.pages.stepping.javascript.vocabulary import IN_PLACE
from minirnn.pages.stepping.syntax import bound_names, function_of, is_told

INDENT = "  "


class Statements(Calls):
    """The translation of one function.

    Args:
        function: what to translate.
        program: the program around it.
        recorded: whether each finished statement is told to the recorder.
        method: whether it is called on an object, which is `this` in JavaScript.
    """

    def __init__(self, function: FunctionType, program: Surroundings, recorded: bool, method: bool = False):
        super().__init__(function, program)
        node = function_of(function.__code__)
        if node is None or isinstance(node, ast.AsyncFunctionDef):
            raise self.refuse(ast.Name("", lineno=function.__code__.co_firstlineno), f"`{function.__name__}`")
        self.node, self.recorded = node, recorded
        self.parameters, self.rest = self._parameters(node)
        self.this = self.parameters.pop(0) if method else ""
        assigned = list(_assigned(node.body))
        self.locals = {*self.parameters, *filter(None, (self.rest, self.this)), *assigned}
        known = {*self.parameters, self.rest, self.this}
        self.declared = [js_name(name) for name in dict.fromkeys(assigned) if name not in known]
        self.libraries = set(self._library_names())

    def _parameters(self, node: ast.FunctionDef) -> tuple[list[str], str]:
        arguments = node.args
        if arguments.kwarg or (arguments.vararg and arguments.kwonlyargs):
            raise self.refuse(node, "a function with `**` or with parameters behind `*`")
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return names, arguments.vararg.arg if arguments.vararg else ""

    def _library_names(self) -> Iterator[str]:
        """The names that are given array_module(x), alone or in a tuple."""
        for node in ast.walk(self.node):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=False))
                for name, value in pairs:
                    called = isinstance(value, ast.Call) and self.meant(value.func) is backend.array_module
                    if isinstance(name, ast.Name) and called:
                        yield name.id

    # The function -----------------------------------------------------------------------------------------------------

    def written(self, heading: str, indent: str) -> list[str]:
        """The lines of the function; `heading` is what comes before its parameters."""
        code = self.function.__code__
        lines = [f"{indent}{heading}({', '.join(self._written_parameters())}) {{"]
        inside = indent + INDENT
        if any(isinstance(name, ast.Name) and name.id == self.this for name in ast.walk(self.node)):
            lines.append(f"{inside}const {js_name(self.this)} = this;")
        if self.declared:
            lines.append(f"{inside}let {', '.join(self.declared)};")
        if self.recorded:
            names = ", ".join(map(js_text, (code.co_qualname, self.function.__module__)))
            parameters = [*self.parameters, *filter(None, [self.rest])]
            lines.append(f"{inside}R.enter({names}, {self.node.lineno}, {_values(parameters)});")
        lines += self.block(self.node.body, inside)
        if not isinstance(self.node.body[-1], ast.Return | ast.Raise):
            lines.append(f"{inside}{'return R.leave();' if self.recorded else 'return null;'}")
        return [*lines, f"{indent}}}"]

    def _written_parameters(self) -> Iterator[str]:
        defaults = {name: p.default for name, p in inspect.signature(self.function).parameters.items()}
        for name in self.parameters:
            try:
                default = "" if defaults[name] is inspect.Parameter.empty else self.program.literal(defaults[name])
            except KeyError:
                raise self.refuse(self.node, f"the default of `{name}`") from None
            yield f"{js_name(name)} = {default}" if default else js_name(name)
        if self.rest:
            yield f"...{js_name(self.rest)}"

    # Statements -------------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt], indent: str) -> list[str]:
        """The lines of statements, each simple one followed by a word to the recorder."""
        return [line for statement in statements for line in self.statement(statement, indent)]

    def statement(self, node: ast.stmt, indent: str) -> list[str]:
        """The lines of one statement."""
        if isinstance(node, ast.If):
            return self._if(node, indent, "if")
        if isinstance(node, ast.For):
            return self._for(node, indent)
        text = self._simple(node)
        if self.recorded and is_told(node) and not isinstance(node, ast.Return | ast.Raise):
            names = [name for name in bound_names(node) if name in self.locals]
            text += f" R.at({node.lineno}, {_values(names)});"
        return [indent + text] if text else []

    def _simple(self, node: ast.stmt) -> str:
        if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            return ""
        if isinstance(node, ast.AnnAssign) and node.value is None:
            return ""
        if isinstance(node, ast.Expr):
            return f"{self.expression(node.value)};"
        if isinstance(node, ast.Return):
            return self._return(node)
        if isinstance(node, ast.Raise):
            return self._raise(node)
        if isinstance(node, ast.Assign):
            return self._assign(node.targets, node.value)
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            return self._assign([node.target], node.value)
        if isinstance(node, ast.AugAssign):
            return self._aug_assign(node)
        raise self.refuse(node)

    def _if(self, node: ast.If, indent: str, word: str) -> list[str]:
        lines = [f"{indent}{word} ({self.condition(node.test)}) {{", *self.block(node.body, indent + INDENT)]
        if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            return [*lines, *self._if(node.orelse[0], indent, "} else if")]
        if node.orelse:
            lines += [f"{indent}}} else {{", *self.block(node.orelse, indent + INDENT)]
        return [*lines, f"{indent}}}"]

    def _for(self, node: ast.For, indent: str) -> list[str]:
        if node.orelse:
            raise self.refuse(node, "`else` of a `for`")
        items = self.expression(node.iter)
        if not isinstance(node.target, ast.Name):
            items = f"R.unpacked({items}, {pattern_shape(node.target)})"
        lines = [f"{indent}for ({self._target(node.target)} of {items}) {{"]
        if self.recorded:
            lines.append(f"{indent}{INDENT}R.at({node.lineno}, {_values(bound_names(node))});")
        return [*lines, *self.block(node.body, indent + INDENT), f"{indent}}}"]

    def _return(self, node: ast.Return) -> str:
        value = None if node.value is None else self.expression(node.value)
        if not self.recorded:
            return f"return {value or 'null'};"
        return f"return R.done({', '.join(filter(None, [str(node.lineno), value]))});"

    def _raise(self, node: ast.Raise) -> str:
        """An exception is thrown as an error with its message."""
        if node.exc is None:
            raise self.refuse(node, "`raise` without an exception")
        call = node.exc if isinstance(node.exc, ast.Call) else ast.Call(node.exc, [], [])
        message = " + ".join(self._message(part) for part in call.args[:1]) or '""'
        parts = f"{js_text(ast.unparse(call.func))}, {message}"
        return f"throw R.raise({node.lineno}, {parts});" if self.recorded else f"throw R.raised({parts});"

    def _message(self, node: ast.expr) -> str:
        """The text of an exception, which may be an f-string. How a value is written there is left to JavaScript, and
        what cannot be translated left out: a check that never fails is no reason to refuse a cell."""
        if isinstance(node, ast.JoinedStr):
            return " + ".join(map(self._message, node.values)) or '""'
        if isinstance(node, ast.Constant):
            return self.expression(node)
        try:
            return f"R.text({self.expression(node.value if isinstance(node, ast.FormattedValue) else node)})"
        except Untranslatable:
            return js_text("…")

    # Assignments ------------------------------------------------------------------------------------------------------

    def _assign(self, targets: Sequence[ast.expr], value: ast.expr) -> str:
        taken_apart = len(targets) == 1 and isinstance(targets[0], ast.Tuple | ast.List)
        text = self.iterated(value) if taken_apart else self.expression(value)
        if len(targets) == 1:
            return self._stored(targets[0], text, value)
        if all(isinstance(target, ast.Name) for target in targets):
            return f"{' = '.join(self._target(target) for target in targets)} = {text};"
        stored = " ".join(self._stored(target, "value$") for target in targets)
        return f"{{ const value$ = {text}; {stored} }}"

    def _stored(self, target: ast.expr, text: str, value: ast.expr | None = None) -> str:
        """The statement that gives a target the value `text`, which is the translation of `value`."""
        if isinstance(target, ast.Subscript):
            return f"R.set({self.expression(target.value)}, {self.expression(target.slice)}, {text});"
        if isinstance(target, ast.Tuple | ast.List) and not _goes_with(target, value):
            plain = all(isinstance(part, ast.Name | ast.Subscript | ast.Attribute) for part in target.elts)
            text = f"R.unpack({text}, {len(target.elts) if plain else pattern_shape(target)})"
        return f"{self._target(target)} = {text};"

    def _target(self, target: ast.expr) -> str:
        if isinstance(target, ast.Name):
            return js_name(target.id)
        if isinstance(target, ast.Tuple | ast.List):
            return js_list([self._target(part) for part in target.elts])
        if isinstance(target, ast.Starred):
            return self._target(target.value)  # `unpack` has made one value of the rest
        if isinstance(target, ast.Subscript):
            return f"R.place({self.expression(target.value)}, {self.expression(target.slice)}).value"
        if isinstance(target, ast.Attribute) and self.meant(target) is NOTHING:
            return f"{self.expression(target.value)}.{target.attr}"
        raise self.refuse(target)

    def _aug_assign(self, node: ast.AugAssign) -> str:
        if type(node.op) not in IN_PLACE:
            raise self.refuse(node)
        target, op, value = node.target, js_text(IN_PLACE[type(node.op)]), self.expression(node.value)
        if isinstance(target, ast.Subscript):
            return f"R.update({self.expression(target.value)}, {self.expression(target.slice)}, {op}, {value});"
        return f"{self._target(target)} = R.inplace({op}, {self._target(target)}, {value});"


def _goes_with(target: ast.Tuple | ast.List, value: ast.expr | None) -> bool:
    """Whether a target is taken apart as its value is written: a, b = c, d."""
    if not isinstance(value, ast.Tuple) or len(value.elts) != len(target.elts):
        return False
    nested = any(isinstance(part, ast.Tuple | ast.List) for part in target.elts)
    return not nested and not any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))


def _values(names: Sequence[str]) -> str:
    """An object of names and their values, as JavaScript."""
    return f"{{{', '.join(name if js_name(name) == name else f'{name}: {js_name(name)}' for name in names)}}}"


def _assigned(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that statements give a value to; those of comprehensions are their own."""
    for statement in statements:
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        for target in filter(None, targets):
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        for block in ("body", "orelse"):
            yield from _assigned(getattr(statement, block, []))
