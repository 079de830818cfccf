"""What is in a source file: its definitions with their docstrings, which lines stand beside which docstring, and which
equations each line names."""

from __future__ import annotations

import ast
import functools
import io
import itertools
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from minirnn.pages.equations import equations_of, numbers_in_comment
from minirnn.pages.reading.sources import Source


@dataclass(frozen=True)
class Definition:
    """A module, class or function, or an attribute and its value.

    Attributes:
        name: dotted, as "LSTMCell.forward"; "" of the module.
        kind: "module", "class", "function" or "attribute".
        first, last: its lines, with the decorators and the comments above it.
        line: the one with its name.
        doc: its docstring; None without one.
        doc_lines: where that stands.
        parameters: of a function, or of a class's constructor, their names.
    """

    name: str
    kind: str
    first: int
    last: int
    line: int
    doc: str | None = None
    doc_lines: range = range(0)
    parameters: frozenset[str] = frozenset()

    @functools.cached_property
    def equations(self) -> dict[int, str]:
        """The numbered equations of its docstring."""
        return equations_of(self.doc)


@dataclass(frozen=True)
class Section:
    """Lines of code that stand beside one docstring.

    Attributes:
        definition: the innermost one around the lines that has a docstring, or the module.
        begins: whether its docstring stands here; or the lines come behind something else inside it.
        lines: those that are not blank at the ends, nor of docstrings.
    """

    definition: Definition
    begins: bool
    lines: tuple[int, ...]


class Outline:
    """What is in a file.

    Attributes:
        lines: its lines, from 1 on.
        definitions: by name, each before those inside it.
        sections: in order; all lines of code are in one of them.
        comments: of each line that has one.
    """

    def __init__(self, source: Source):
        self.source = source
        self.lines = ["", *source.text.splitlines()]
        tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
        self.comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
        self.definitions: dict[str, Definition] = {}
        for one in self._definitions():
            self.definitions.setdefault(one.name, one)
        self.sections = list(self._sections())

    def around(self, line: int) -> list[Definition]:
        """The definitions that a line is in, the innermost first."""
        return [one for one in reversed(self.definitions.values()) if one.first <= line <= one.last]

    def owner(self, line: int) -> Definition | None:
        """The innermost definition around a line that has equations: they are what the numbers of the line mean."""
        return next((one for one in self.around(line) if one.equations), None)

    @functools.cached_property
    def imported(self) -> dict[str, tuple[ast.ImportFrom, ast.alias]]:
        """What is imported from the package, by name."""
        nodes = (node for node in ast.walk(ast.parse(self.source.text)) if isinstance(node, ast.ImportFrom))
        return {one.name: (node, one) for node in nodes if _is_ours(node) for one in node.names}

    @functools.cached_property
    def numbers(self) -> dict[int, tuple[int, ...]]:
        """The equations that each line names, of those that name any."""
        return {line: found for line, text in self.comments.items() if (found := numbers_in_comment(text))}

    @functools.cached_property
    def lines_of(self) -> dict[tuple[str, int], list[int]]:
        """The lines that name an equation, by the name of its definition and its number."""
        found: dict[tuple[str, int], list[int]] = {}
        for line, numbers in self.numbers.items():
            if owner := self.owner(line):
                for number in numbers:
                    found.setdefault((owner.name, number), []).append(line)
        return found

    def _definitions(self) -> Iterator[Definition]:
        tree = ast.parse(self.source.text)
        doc, doc_lines = _docstring(tree.body[:1])
        yield Definition("", "module", 1, len(self.lines) - 1, 1, doc, doc_lines)
        yield from self._inside(tree.body, "", attributes=True)

    def _inside(self, body: list[ast.stmt], prefix: str, attributes: bool) -> Iterator[Definition]:
        """The definitions in a body; its attributes too, if it is not that of a function."""
        for node, following in itertools.zip_longest(body, body[1:]):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                name, is_class = prefix + node.name, isinstance(node, ast.ClassDef)
                doc, doc_lines = _docstring(node.body[:1])
                first = self._with_comments(min([node.lineno, *(one.lineno for one in node.decorator_list)]))
                last, kind = node.end_lineno or node.lineno, "class" if is_class else "function"
                yield Definition(name, kind, first, last, node.lineno, doc, doc_lines, _parameters(node))
                yield from self._inside(node.body, f"{name}.", attributes=is_class)
            elif attributes and isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if isinstance(target, ast.Name):
                    doc, doc_lines = _docstring([following])
                    last = max(node.end_lineno or 0, *doc_lines[-1:], 0)
                    yield Definition(prefix + target.id, "attribute", node.lineno, last, node.lineno, doc, doc_lines)

    def _with_comments(self, first: int) -> int:
        """Where a definition that begins in line `first` begins with the comments above it, of its own indentation."""
        margin, line = _indent(self.lines[first]), first - 1
        while line and (not self.lines[line].strip() or self._is_comment(line, margin)):
            first = line if self.lines[line].strip() else first
            line -= 1
        return first

    def _is_comment(self, line: int, margin: int) -> bool:
        return self.lines[line].lstrip().startswith("#") and _indent(self.lines[line]) == margin

    def _sections(self) -> Iterator[Section]:
        documented = [one for one in self.definitions.values() if one.doc is not None or one.kind == "module"]
        beside = dict.fromkeys(range(1, len(self.lines)), documented[0])
        for one in documented:  # the outer ones first
            beside |= dict.fromkeys(range(one.first, one.last + 1), one)
        hidden = {line for one in documented for line in one.doc_lines}
        begun: set[str] = set()
        for definition, run in itertools.groupby(beside, key=lambda line: beside[line]):
            lines = self._without_blanks(line for line in run if line not in hidden)
            if lines or definition.name not in begun:
                yield Section(definition, definition.name not in begun, lines)
                begun.add(definition.name)

    def _without_blanks(self, lines: Iterator[int]) -> tuple[int, ...]:
        """Lines without the blank ones at both ends, and where a docstring has been taken out."""
        found: list[int] = []
        for line in lines:
            after_docstring = not found or found[-1] != line - 1
            if self.lines[line].strip() or not after_docstring:
                found.append(line)
        while found and not self.lines[found[-1]].strip():
            found.pop()
        return tuple(found)


def _docstring(body: list) -> tuple[str | None, range]:
    """The text of a docstring and its lines, if that is what a statement is."""
    match body:
        case [ast.Expr(value=ast.Constant(value=str(doc))) as node]:
            return doc, range(node.lineno, (node.end_lineno or node.lineno) + 1)
    return None, range(0)


def _is_ours(node: ast.ImportFrom) -> bool:
    return (node.module or "").partition(".")[0] == "minirnn"


def _parameters(node: ast.ClassDef | ast.FunctionDef) -> frozenset[str]:
    if isinstance(node, ast.ClassDef):
        makers = (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
        return frozenset().union(*map(_parameters, makers))
    arguments = node.args
    return frozenset(one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
