"""The page of a file, and the index of all."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html import escape

from minirnn.pages.equations import REFERENCE, expanded, to_html
from minirnn.pages.highlight import Place, highlight
from minirnn.pages.reading.linking import Links, Named, href
from minirnn.pages.reading.outline import Definition, Outline, Section
from minirnn.pages.reading.prose import LinkedProse
from minirnn.pages.reading.sources import Source

GENERATOR = '<meta name="generator" content="minirnn read">'
"""What tells a page of ours from a file of somebody else."""

DOC_LINE, CODE_LINE = 30, 19
"""How high, in pixels and on average, a line of a docstring is (prose is broken anew), and one of code."""

IN_COMMENT = re.compile(f"{REFERENCE.pattern}|`(?P<name>[^`]+)`")

SCRIPT = """
const keys = (target) => {
  const one = target.closest("[data-eq]") || target.closest(".line");
  if (!one) return [];
  return one.dataset.eq ? [one.dataset.eq] : [...one.querySelectorAll("[data-eq]")].map((a) => a.dataset.eq);
};
const show = (equation) => {
  const all = equation.closest(".doc"), there = equation.getBoundingClientRect(), seen = all.getBoundingClientRect();
  if (there.top < seen.top || there.bottom > seen.bottom) all.scrollTop += there.top - seen.top - seen.height / 3;
};
const light = (event) => {
  const lit = keys(event.target);
  for (const one of document.querySelectorAll("[data-eq]")) {
    one.classList.toggle("lit", lit.includes(one.dataset.eq));
    if (one.id && one.classList.contains("lit") && event.target.closest(".code")) show(one);
  }
};
document.addEventListener("mouseover", light);
document.addEventListener("focusin", light);
"""
"""Under the pointer, or with the focus, an equation and its lines light up together, and a line's equation comes into
sight where its docstring is too long for that. Without the script all are links."""


class Page:
    """The page of a file: docstrings on the left, and on the right the lines that stand beside them."""

    def __init__(self, outline: Outline, links: Links):
        self.outline, self.links = outline, links
        self.prose = LinkedProse(outline, links)
        self.html = highlight(outline.source.text, self._comment, dict(self._imports()))
        documented = {one.definition.name for one in outline.sections}
        self.anchors = {one.line: one.name for one in outline.definitions.values() if one.name not in documented}

    def __str__(self) -> str:
        source = self.outline.source
        heading = f"<h1><code>{escape(source.path)}</code></h1>"
        if source.cells:
            cells = " ".join(f"<code>{name}</code>" for name in source.cells)
            heading += f'\n<p class="cells">{"cell" if len(source.cells) == 1 else "cells"}: {cells}</p>'
        sections = "\n".join(self._section(one, heading * (i == 0)) for i, one in enumerate(self.outline.sections))
        body = f'{self._navigation("Pages")}\n<main id="main">\n{sections}\n</main>\n{self._navigation("Pages, again")}'
        return document(f"{source.path} · minirnn", body, posixpath.relpath(".", posixpath.dirname(source.page)))

    def _imports(self) -> Iterator[tuple[Place, str]]:
        """Where in the code something is imported that there is a page of, and where that is."""
        source = self.outline.source
        for node, one in self.outline.imported.values():
            path = (node.module or "").removeprefix("minirnn").lstrip(".").replace(".", "/")
            module, member = (self.links.outlines.get(f"{p}.py") for p in (path, f"{path}/{one.name}"))
            if module and one.name in module.definitions:
                yield (one.lineno, one.col_offset), href(source, module.source, one.name)
            elif member:
                yield (one.lineno, one.col_offset), href(source, member.source)

    def _navigation(self, label: str) -> str:
        """To the index, and to the pages before and behind this one."""
        source, order = self.outline.source, [one.source for one in self.links.outlines.values()]
        at = order.index(source)
        links = [f'<a href="{posixpath.relpath("index.html", posixpath.dirname(source.page))}">All files</a>']
        if at:
            links.insert(0, _neighbour(source, order[at - 1], "prev", "← "))
        if at + 1 < len(order):
            links.append(_neighbour(source, order[at + 1], "next", "", " →"))
        return f'<nav aria-label="{label}">{" ".join(links)}</nav>'

    def _section(self, section: Section, heading: str) -> str:
        one = section.definition
        parts = [heading] if heading else [_heading(one, section.begins)]
        if section.begins:
            parts.append(self.prose.docstring(one))
        if elsewhere := self._elsewhere(section):
            parts.append(self.prose.reminder(elsewhere))
        identity = f' id="{one.name}"' if one.name and section.begins else ""
        doc = "\n".join(part for part in parts if part)
        lines = "".join(self._line(line) for line in section.lines)
        code = f'<pre class="code">{lines}</pre>' if lines else '<div class="code"></div>'
        kind = "doc stays" if section.begins and _is_shorter(one.doc or "", len(section.lines)) else "doc"
        return f'<section class="{one.kind}"{identity}>\n<div class="{kind}">\n{doc}\n</div>\n{code}\n</section>'

    def _elsewhere(self, section: Section) -> list[Named]:
        """The equations that these lines, and the docstring beside them, name, and that stand in another docstring."""
        one = section.definition
        named = [(line, self.outline.comments[line]) for line in section.lines if line in self.outline.comments]
        if section.begins and one.doc and not one.equations:
            named.append((one.line, one.doc))
        found: dict[str, Named] = {}
        for line, text in named:
            for reference in REFERENCE.finditer(text):
                file = reference[0].partition("`")[2].rstrip("`")
                for number in expanded(reference[1]):
                    equation = self.links.equation(number, self.outline, line, file)
                    if equation and not (equation.owner is one and section.begins):
                        found[href(self.outline.source, equation.outline.source, equation.anchor)] = equation
        return sorted(found.values(), key=lambda equation: (equation.outline is not self.outline, equation.number))

    def _line(self, line: int) -> str:
        text, anchor = self.outline.lines[line], self.anchors.get(line)
        inside = f'<span id="{anchor}"></span>' * (anchor is not None) + self.html[line]
        hanging = f' style="--in:{len(text) - len(text.lstrip()) + 4}ch"' if len(text) > 40 else ""
        number = f'<a class="no" id="L{line}" href="#L{line}" tabindex="-1">{line}</a>'
        return f'<span class="line">{number}<code{hanging}>{inside}\n</code></span>'

    def _comment(self, line: int, text: str) -> str:
        """A comment as it stands, the numbers of equations and the names in it as links."""
        scope = self.outline.around(line)[0]
        html, done = "", 0
        for found in IN_COMMENT.finditer(text):
            html += escape(text[done : found.start()], quote=False) + self._link(found, line, scope)
            done = found.end()
        return html + escape(text[done:], quote=False)

    def _link(self, found: re.Match[str], line: int, scope: Definition) -> str:
        if found["name"]:
            place = self.links.place(found["name"], self.outline, scope, known=True)
            shown = escape(found[0], quote=False)
            return shown if place is None else f'<a href="{escape(place)}">{shown}</a>'
        return self.prose.reference(found[0], line, ticks=True)


def _is_shorter(doc: str, code: int) -> bool:
    """Whether a docstring is shorter on the page than so many lines of code, and has room to move beside them."""
    lines = [line for line in doc.splitlines() if line.strip()]
    return DOC_LINE * len(lines) < CODE_LINE * code


def _heading(one: Definition, begins: bool) -> str:
    """The name of what is told of; or what the lines are in the midst of."""
    shown = f"<code>{escape(one.name)}</code>"
    if not begins:
        return f'<p class="within">in <a href="#{one.name}">{shown}</a></p>' if one.name else ""
    level = 3 if "." in one.name or one.kind == "attribute" else 2
    return f'<h{level}><a href="#L{one.line}">{shown}</a></h{level}>'


def _neighbour(start: Source, end: Source, rel: str, before: str = "", behind: str = "") -> str:
    return f'<a rel="{rel}" href="{href(start, end)}">{before}<code>{escape(end.path)}</code>{behind}</a>'


def index(chapters: dict[str, tuple[Source, ...]]) -> str:
    """The page that all are found from, in the order to read them."""
    body = [
        "<h1>minirnn, to be read</h1>",
        "<p>How backpropagation through time works, in the source that computes it: on the left of each page prose and "
        "equations, on the right the code. The number of an equation leads to the lines that compute it, and the "
        'number at the end of a line, as in <code class="comment"># (3)</code>, back to the equation. The order is one '
        "to read in.</p>",
        "<p>In all equations juxtaposition, as in <i>U</i> <i>h</i>, is the matrix product, * is elementwise, σ is the "
        "logistic function, and <i>dv</i> is the gradient of the loss with respect to <i>v</i>.</p>",
    ]
    for title, sources in chapters.items():
        items = "\n".join(_entry(source) for source in sources)
        body.append(f"<h2>{escape(title)}</h2>\n<ol>\n{items}\n</ol>")
    inside = "\n".join(body)
    return document("minirnn, to be read", f'<main id="main" class="index">\n{inside}\n</main>', ".")


def _entry(source: Source) -> str:
    cells = f'<span class="cells">{" ".join(f"<code>{name}</code>" for name in source.cells)}</span>'
    link = f'<a href="{source.page}"><code>{escape(source.path)}</code></a>'
    return f"<li>{link}<span>{to_html(source.summary)}</span>{cells * bool(source.cells)}</li>"


def document(title: str, body: str, top: str) -> str:
    """A whole page; `top` leads from it to the folder of all."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{GENERATOR}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="stylesheet" href="{top}/style.css">
</head>
<body>
<a class="skip" href="#main">To the text</a>
{body}
<script>{SCRIPT}</script>
</body>
</html>
"""
