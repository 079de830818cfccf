"""Expressions of Python as expressions of JavaScript."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from minirnn.pages.stepping.javascript.names import Names, js_list, js_name
from minirnn.pages.stepping.javascript.vocabulary import BINARY, COMPARE, UNARY


class Expressions(Names):
    """The expressions of one function."""

    # Values and containers --------------------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> str:
        if node.value is Ellipsis:
            return "R.ELLIPSIS"
        if isinstance(node.value, bytes | complex):
            raise self.refuse(node)
        return self.program.literal(node.value)

    def _tuple(self, node: ast.Tuple | ast.List) -> str:
        return js_list([self.expression(part) for part in node.elts])

    _list = _tuple

    def _starred(self, node: ast.Starred) -> str:
        return f"...{self.iterated(node.value)}"

    def iterated(self, node: ast.expr) -> str:
        """An expression that is walked along to its end at once: instead of a generator, a list will do."""
        return self._listcomp(node) if isinstance(node, ast.GeneratorExp) else self.expression(node)

    def _dict(self, node: ast.Dict) -> str:
        pairs = [
            f"...R.items({self.expression(value)})"
            if key is None
            else js_list([self.expression(key), self.expression(value)])
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return f"R.dict({js_list(pairs)})"

    def _subscript(self, node: ast.Subscript) -> str:
        return f"R.get({self.expression(node.value)}, {self.expression(node.slice)})"

    def _slice(self, node: ast.Slice) -> str:
        parts = ["null" if part is None else self.expression(part) for part in (node.lower, node.upper, node.step)]
        while parts and parts[-1] == "null":
            parts.pop()
        return f"R.slice({', '.join(parts)})"

    # Operators --------------------------------------------------------------------------------------------------------

    def _binop(self, node: ast.BinOp) -> str:
        if type(node.op) not in BINARY:
            raise self.refuse(node)
        return f"R.{BINARY[type(node.op)]}({self.expression(node.left)}, {self.expression(node.right)})"

    def _unaryop(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return self.condition(node)
        operand = self.expression(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return f"-{operand}"
        return f"R.{UNARY[type(node.op)]}({operand})"

    def _compare(self, node: ast.Compare) -> str:
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

    def _boolop(self, node: ast.BoolOp) -> str:
        *first, text = map(self.expression, node.values)
        for part in reversed(first):
            text = f"R.{'and' if isinstance(node.op, ast.And) else 'or'}({part}, () => {text})"
        return text

    def _ifexp(self, node: ast.IfExp) -> str:
        return f"({self.condition(node.test)} ? {self.expression(node.body)} : {self.expression(node.orelse)})"

    def condition(self, node: ast.expr) -> str:
        """An expression as JavaScript's true or false, where Python asks whether something is true."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self._part(node.operand)}"
        if isinstance(node, ast.BoolOp):
            return (" && " if isinstance(node.op, ast.And) else " || ").join(map(self._part, node.values))
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn | ast.Is | ast.IsNot):
            return self.expression(node)
        return f"R.truth({self.expression(node)})"

    def _part(self, node: ast.expr) -> str:
        """A condition within another one."""
        text = self.condition(node)
        return text if text.startswith(("R.", "!")) and not isinstance(node, ast.BoolOp) else f"({text})"

    # Comprehensions ---------------------------------------------------------------------------------------------------

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> str:
        return self._comprehension(node.generators, lambda: self.expression(node.elt))

    def _generatorexp(self, node: ast.GeneratorExp) -> str:
        return self._comprehension(node.generators, lambda: self.expression(node.elt), ("each", "eachOf"))

    def _dictcomp(self, node: ast.DictComp) -> str:
        def pair() -> str:
            return js_list([self.expression(node.key), self.expression(node.value)])

        return f"R.dict({self._comprehension(node.generators, pair)})"

    def _comprehension(
        self,
        generators: Sequence[ast.comprehension],
        element: Callable[[], str],
        words: tuple[str, str] = ("collect", "gather"),
    ) -> str:
        """The innermost `for` gives elements; those around it, and conditions, give lists that become one. By other
        words, each element is made only when it is asked for."""
        first, *others = generators
        if first.is_async:
            raise self.refuse(first.target, "`async for`")
        items = self.expression(first.iter)
        if _starred(first.target):
            items = f"R.unpacked({items}, {pattern_shape(first.target)})"
        self.inner.append({name.id for name in ast.walk(first.target) if isinstance(name, ast.Name)})
        target = self._parameter(first.target)
        body = self._comprehension(others, element, words) if others else element()
        if first.ifs:
            body = f"{' && '.join(map(self._part, first.ifs))} ? {body if others else js_list([body])} : []"
        self.inner.pop()
        return f"R.{words[bool(others or first.ifs)]}({items}, ({target}) => {body})"

    def _parameter(self, target: ast.expr) -> str:
        """The target of a comprehension as a parameter. A name that occurs twice, as _ may, has its last value; two
        parameters of one name JavaScript refuses."""
        last = {name.id: name for name in ast.walk(target) if isinstance(name, ast.Name)}

        def write(node: ast.expr) -> str:
            if isinstance(node, ast.Name):
                return js_name(node.id) if last[node.id] is node else ""
            if isinstance(node, ast.Tuple | ast.List):
                return js_list([write(part) for part in node.elts])
            if isinstance(node, ast.Starred):
                return write(node.value)  # `unpacked` has made one value of the rest
            raise self.refuse(node, "this target of a comprehension")

        return write(target)


def _starred(target: ast.expr) -> bool:
    return any(isinstance(node, ast.Starred) for node in ast.walk(target))


def pattern_shape(target: ast.expr) -> str:
    """The pattern of a target, for `R.unpack`: 0 for one value, "*" for the rest, a list for what is taken apart."""
    if isinstance(target, ast.Starred):
        return '"*"'
    return js_list([pattern_shape(part) for part in target.elts]) if isinstance(target, ast.Tuple | ast.List) else "0"
