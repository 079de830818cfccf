"""A docstring as HTML: paragraphs, equations below one another, examples, and lists of arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Generic, TypeVar

from minirnn.pages.equations import Equation, Part, parse, pieces, to_html
from minirnn.pages.highlight import highlight

Rows = list[list[tuple[int, str]]]
"""Lines of pieces, each with its column."""

Scope = TypeVar("Scope")
"""What a subclass needs to know of where a docstring stands."""

WIDEST = 72
"""Characters of a docstring, as many as fit into a column of the page."""


class Prose(Generic[Scope]):
    """Docstrings as HTML. Where names and the numbers of equations lead, a subclass says: here they are no links."""

    def code(self, name: str, scope: Scope) -> str:
        """What stands in `…`."""
        return f"<code>{escape(name)}</code>"

    def numbers(self, found: str, scope: Scope) -> str:
        """The numbers of equations, as in "(4) and (5) of `bptt.py`"."""
        words, tick, file = found.partition("`")
        return words + (f"<code>{escape(file.rstrip('`'))}</code>" if tick else "")

    def equation(self, number: int | None, rows: Rows, columns: list[int], scope: Scope) -> str:
        """An equation with all its rows, or, without a number, a line of a table."""
        written = []
        for i, row in enumerate(rows):
            shown = f"({number})" if number is not None and not i else ""
            cells = "".join(self.cells(row, columns, scope))
            written.append(f'<tr><td class="number">{shown}</td>{cells}</tr>\n')
        return f"<tbody>\n{''.join(written)}</tbody>\n"

    def html(self, doc: str | None, scope: Scope) -> str:
        """A whole docstring."""
        return "\n".join(self._part(part, scope) for part in parse(doc))

    def inline(self, text: str, scope: Scope) -> str:
        """Words with formulas, names and numbers of equations in them."""
        return to_html(text, lambda name: self.code(name, scope), lambda found: self.numbers(found, scope))

    def _part(self, part: Part, scope: Scope) -> str:
        match part.kind:
            case "block":
                return self._block(part, scope)
            case "fields":
                return self._fields(part.text, scope)
            case "example":
                return f'<pre class="example">{example(part.text)}</pre>'
            case "code":
                return '<pre class="example">' + "\n".join(highlight(part.text)[1:]) + "</pre>"
            case "list":
                items = re.split(r"^- +", part.text, flags=re.MULTILINE)[1:]
                return "<ul>\n" + "".join(f"<li>{self.inline(item.strip(), scope)}</li>\n" for item in items) + "</ul>"
        return f"<p>{self.inline(part.text, scope)}</p>"

    def _block(self, part: Part, scope: Scope) -> str:
        """Equations, or a table, in columns as they stand in the docstring; a picture made of letters as it is."""
        lines = iter(part.text.split("\n"))
        groups: list[tuple[int | None, Rows]] = []
        for entry in part.entries:
            if isinstance(entry, Equation):
                groups.append((entry.number, [_without_number(next(lines)) for _ in entry.text.split("\n")]))
            else:
                groups.append((None, [pieces(next(lines))]))
        everything = [row for _, rows in groups for row in rows]
        if all(re.fullmatch(r"\S( \S)*", text) for row in everything for _, text in row):
            return f"<pre>{escape(part.text)}</pre>"
        columns = columns_of(everything)
        inside = "".join(self.equation(number, rows, columns, scope) for number, rows in groups)
        kind = ("wide" if is_wide(everything) else "aligned") if part.equations else "table"
        return f'<table class="equations {kind}">\n{inside}</table>'

    def cells(self, row: list[tuple[int, str]], columns: list[int], scope: Scope) -> Iterator[str]:
        """The cells of a row of a table with these columns."""
        places = [columns.index(column) for column, _ in row]
        if row and places[0]:
            yield f'<td colspan="{places[0]}"></td>'
        for (_, text), place, following in zip(row, places, [*places[1:], len(columns)], strict=True):
            kind = "words" if place and _is_words(text) else "formula"
            span = f' colspan="{following - place}"' if following - place > 1 else ""
            yield f'<td class="{kind}"{span}>{self.inline(text, scope)}</td>'

    def _fields(self, text: str, scope: Scope) -> str:
        heading, _, body = text.partition("\n")
        heading = heading.rstrip(":")
        entries = re.split(r"\n(?= {4}\S)", body)
        named = [re.match(r" {4}([\w*., ]+):\s+(.*)", entry, re.DOTALL) for entry in entries]
        if heading in ("Returns", "Yields") or not all(named):
            return f'<h4>{heading}</h4>\n<p class="fields">{self.inline(body.strip(), scope)}</p>'
        items = "".join(self._item(one[1], one[2], scope) for one in named if one is not None)
        return f'<h4>{self.inline(heading, scope)}</h4>\n<dl class="fields">\n{items}</dl>'

    def _item(self, names: str, what: str, scope: Scope) -> str:
        shown = ", ".join(f"<code>{escape(name)}</code>" for name in names.split(", "))
        return f"<div><dt>{shown}</dt> <dd>{self.inline(what, scope)}</dd></div>\n"


def example(text: str) -> str:
    """What one types into Python and what comes out, as HTML."""
    typed = re.compile(r"(>>>|\.\.\.)(?: (.*))?$")
    found = [typed.match(line) for line in text.split("\n")]
    source = iter(highlight("\n".join(one[2] or "" for one in found if one))[1:])
    shown = []
    for one, line in zip(found, text.split("\n"), strict=True):
        shown.append(f'<span class="prompt">{escape(one[1])}</span> {next(source)}' if one else escape(line))
    return "\n".join(shown)


def _without_number(line: str) -> list[tuple[int, str]]:
    return pieces(re.sub(r"^( *)\((\d+)\)", lambda found: " " * len(found[0]), line))


def columns_of(rows: Rows) -> list[int]:
    """Where pieces begin, over all rows."""
    return sorted({column for row in rows for column, _ in row})


def is_wide(rows: Rows) -> bool:
    """Whether formulas beside one another do not fit into a column of the page, and some have to go below others."""
    ends = (column + len(text) for row in rows for column, text in row if not _is_words(text))
    return max(ends) - min(columns_of(rows)) > WIDEST


def _is_words(text: str) -> bool:
    """Whether a piece is a remark, and not a formula."""
    words = re.findall(r"(?<![\w(])[a-z]{2,}(?![\w(])", text)
    return bool(re.match(r"\(?(?!d[a-z]\b|tanh |mean )(?:[a-z]{2,}|a)(?: |$|:|,)(?! *=)", text)) or len(words) > 3
