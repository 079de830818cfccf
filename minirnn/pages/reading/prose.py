"""The docstrings of a file as HTML, with links to what they name."""

from __future__ import annotations

import re
from html import escape

from minirnn.pages.equations import pieces
from minirnn.pages.prose import Prose, Rows, columns_of, is_wide
from minirnn.pages.reading.linking import Links, Named, href
from minirnn.pages.reading.outline import Definition, Outline


class LinkedProse(Prose[Definition]):
    """The docstrings of a file as HTML, with links to what they name."""

    def __init__(self, outline: Outline, links: Links):
        self.outline, self.links = outline, links

    def docstring(self, scope: Definition) -> str:
        """All of that of a definition."""
        return self.html(scope.doc, scope)

    def code(self, name: str, scope: Definition) -> str:
        """What stands in `…`: a link, if it is the name of something on the pages."""
        shown, place = super().code(name, scope), self.links.place(name, self.outline, scope)
        return shown if place is None else f'<a href="{escape(place)}">{shown}</a>'

    def numbers(self, found: str, scope: Definition) -> str:
        """The numbers of equations as links."""
        return self.reference(found, scope.line)

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
        columns, kind = columns_of(everything), "wide" if is_wide(everything) else "aligned"
        inside = "".join(self._group(one, rows, columns, one.owner, home=False) for one, rows in groups)
        return f'<table class="equations reminder {kind}">\n{inside}</table>'

    def equation(self, number: int | None, rows: Rows, columns: list[int], scope: Definition) -> str:
        """An equation of the page, with the links to its lines."""
        return self._group(None if number is None else Named(self.outline, scope, number), rows, columns, scope)

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
            cells = "".join(self.cells(row, columns, scope))
            written.append(f'<tr><td class="number">{number}</td>{cells}<td class="lines">{lines}</td></tr>\n')
            number = lines = ""
        return f"<tbody{attributes}>\n{''.join(written)}</tbody>\n"
