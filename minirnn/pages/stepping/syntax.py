"""What recording and translation must agree on: which statements are told of, and which names they bind."""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Iterator
from types import CodeType

Function = ast.FunctionDef | ast.AsyncFunctionDef

_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Assert, ast.Delete)


def is_told(statement: ast.AST) -> bool:
    """Whether a finished statement makes an event. `pass`, imports and definitions make none, nor does a constant that
    stands by itself, such as a docstring, for which Python runs nothing."""
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None
    return isinstance(statement, _SIMPLE)


def bound_names(statement: ast.AST) -> list[str]:
    """The names that a statement, or the header of a `for`, gives a value to or changes, in their order."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For):
        targets = [statement.target]
    else:
        targets = []
    return list(dict.fromkeys(name for target in targets for name in _names(target)))


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred | ast.Subscript):  # hs[t + 1] = …: what changes is hs
        yield from _names(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _names(part)


@functools.lru_cache(maxsize=64)
def _functions(filename: str, lines: tuple[str, ...]) -> dict[tuple[str, int], Function]:
    """The functions of a source, each by its name and the line its code begins at: that of its first decorator."""
    found: dict[tuple[str, int], Function] = {}
    for node in ast.walk(ast.parse("".join(lines), filename)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name, first] = node
    return found


def function_of(code: CodeType) -> Function | None:
    """The definition of the function whose code this is; None if its source is not to be had."""
    lines = tuple(linecache.getlines(code.co_filename))
    return _functions(code.co_filename, lines).get((code.co_name, code.co_firstlineno))
