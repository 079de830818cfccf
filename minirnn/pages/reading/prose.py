"""A docstring as HTML: paragraphs, equations below one another, and lists of arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from minirnn.pages.equations import Equation, Part, parse, pieces, to_html
from minirnn.pages.reading.linking import Links, Named, href
from minirnn.pages.reading.outline import Definition, Outline

Rows = list[list[tuple[int, str]]]
"""Lines of pieces, each with its column."""

WIDEST = 72
"""Characters of a docstring, as many as fit into a column of the page."""


class Prose:
    """The docstrings of a file as HTML, with links to what they name."""

    def __init__(self, outline: Outline, links: Links):
        self.outline, self.links = outline, links

    def docstring(self, scope: Definition) -> str:
        """All of it."""
        return "\n".join(self._part(part, scope) for part in parse(scope.doc))

    def inline(self, text: str, scope: Definition) -> str:
        """Words with formulas, names and numbers of equations in them."""
        return to_html(text, lambda name: self.code(name, scope), lambda found: self.reference(found, scope.line))

    def code(self, name: str, scope: Definition) -> str:
        """What stands in `…`: a link, if it is the name of something on the pages."""
        shown, place = f"<code>{escape(name)}</code>", self.links.place(name, self.outline, scope)
        return shown if place is None else f'<a href="{escape(place)}">{shown}</a>'

    def reference(self, found: str, line: int, ticks: bool = False) -> str:
        """The numbers of equations, as in "(4) and (5) of `bptt.py`", as links; with `ticks` the file stays in them."""
        numbers, tick, file = found.partition("`")
        file = file.rstrip("`")

        def linked(number: re.Match[str]) -> str:
            named = self.links.equation(int(number[1]), self.outline, line, file)
            return number[0] if named is None else self.number(named)

        there = self.links.file(file, self.outline) if tick else None
        shown = f"`{escape(file)}`" if ticks else f"<code>{escape(file)}</code>"
        if there is not None:
            shown = f'<a href="{href(self.outline.source, there.source)}">{shown}</a>'
        return re.sub(r"\((\d+)\)", linked, numbers) + (shown if tick else "")

    def number(self, named: Named, place: str = "") -> str:
        """The number of an equation, as a link to it, or to `place`, that tells what the equation says."""
        title = "" if place else f' title="{escape(named.text)}"'
        place = place or href(self.outline.source, named.outline.source, named.anchor)
        return f'<a class="eq" href="{place}"{self._partner(named)}{title}>({named.number})</a>'

    def _partner(self, named: Named) -> str:
        """The attribute that what lights up together shares: on one page."""
        return f' data-eq="{named.anchor}"' if named.outline is self.outline else ""

    def reminder(self, named: list[Named]) -> str:
        """Equations that stand elsewhere, beside lines that name them."""
        groups = [(one, [pieces(line) for line in one.owner.equations[one.number].split("\n")]) for one in named]
        everything = [row for _, rows in groups for row in rows]
        columns, kind = _columns(everything), "wide" if _is_wide(everything) else "aligned"
        inside = "".join(self._group(one, rows, columns, one.owner, home=False) for one, rows in groups)
        return f'<table class="equations reminder {kind}">\n{inside}</table>'

    def _part(self, part: Part, scope: Definition) -> str:
        if part.kind == "block":
            return self._block(part, scope)
        if part.kind == "fields":
            return self._fields(part.text, scope)
        return f"<p>{self.inline(part.text, scope)}</p>"

    def _block(self, part: Part, scope: Definition) -> str:
        """Equations, or a table, in columns as they stand in the docstring; a picture made of letters as it is."""
        lines = iter(part.text.split("\n"))
        groups: list[tuple[Named | None, Rows]] = []
        for entry in part.entries:
            if isinstance(entry, Equation):
                rows = [_without_number(next(lines)) for _ in entry.text.split("\n")]
                groups.append((Named(self.outline, scope, entry.number), rows))
            else:
                groups.append((None, [pieces(next(lines))]))
        everything = [row for _, rows in groups for row in rows]
        if all(re.fullmatch(r"\S( \S)*", text) for row in everything for _, text in row):
            return f"<pre>{escape(part.text)}</pre>"
        columns = _columns(everything)
        inside = "".join(self._group(named, rows, columns, scope) for named, rows in groups)
        kind = ("wide" if _is_wide(everything) else "aligned") if part.equations else "table"
        return f'<table class="equations {kind}">\n{inside}</table>'

    def _group(self, named: Named | None, rows: Rows, columns: list[int], scope: Definition, home: bool = True) -> str:
        """An equation with all its rows; at home with the links to its lines."""
        attributes, number, lines = "", "", ""
        if named is not None:
            attributes = f' id="{named.anchor}"' * home + self._partner(named)
            places = [f'<a href="#L{line}">{line}</a>' for line in named.lines]
            number = self.number(named, f"#L{named.lines[0]}" if home and named.lines else "")
            lines = f'<span class="at">{" ".join(places)}</span>' if home else ""
        written = []
        for row in rows:
            cells = "".join(self._cells(row, columns, scope))
            written.append(f'<tr><td class="number">{number}</td>{cells}<td class="lines">{lines}</td></tr>\n')
            number = lines = ""
        return f"<tbody{attributes}>\n{''.join(written)}</tbody>\n"

    def _cells(self, row: list[tuple[int, str]], columns: list[int], scope: Definition) -> Iterator[str]:
        places = [columns.index(column) for column, _ in row]
        if row and places[0]:
            yield f'<td colspan="{places[0]}"></td>'
        for (_, text), place, following in zip(row, places, [*places[1:], len(columns)], strict=True):
            kind = "words" if place and _is_words(text) else "formula"
            span = f' colspan="{following - place}"' if following - place > 1 else ""
            yield f'<td class="{kind}"{span}>{self.inline(text, scope)}</td>'

    def _fields(self, text: str, scope: Definition) -> str:
        heading, _, body = text.partition("\n")
        heading = heading.rstrip(":")
        entries = re.split(r"\n(?= {4}\S)", body)
        named = [re.match(r" {4}([\w*., ]+):\s+(.*)", entry, re.DOTALL) for entry in entries]
        if heading == "Returns" or not all(named):
            return f'<h4>{heading}</h4>\n<p class="fields">{self.inline(body.strip(), scope)}</p>'
        items = "".join(self._item(one[1], one[2], scope) for one in named if one is not None)
        return f'<h4>{heading}</h4>\n<dl class="fields">\n{items}</dl>'

    def _item(self, names: str, what: str, scope: Definition) -> str:
        shown = ", ".join(f"<code>{escape(name)}</code>" for name in names.split(", "))
        return f"<div><dt>{shown}</dt> <dd>{self.inline(what, scope)}</dd></div>\n"


def _without_number(line: str) -> list[tuple[int, str]]:
    return pieces(re.sub(r"^( *)\((\d+)\)", lambda found: " " * len(found[0]), line))


def _columns(rows: Rows) -> list[int]:
    """Where pieces begin, over all rows."""
    return sorted({column for row in rows for column, _ in row})


def _is_wide(rows: Rows) -> bool:
    """Whether formulas beside one another do not fit into a column of the page, and some have to go below others."""
    ends = (column + len(text) for row in rows for column, text in row if not _is_words(text))
    return max(ends) - min(_columns(rows)) > WIDEST


def _is_words(text: str) -> bool:
    """Whether a piece is a remark, and not a formula."""
    words = re.findall(r"(?<![\w(])[a-z]{2,}(?![\w(])", text)
    return bool(re.match(r"\(?(?!d[a-z]\b|tanh |mean )(?:[a-z]{2,}|a)(?: |$|:|,)(?! *=)", text)) or len(words) > 3
