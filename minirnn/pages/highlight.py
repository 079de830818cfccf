"""Python source as HTML, line by line, with its keywords, strings, comments, numbers and new names marked."""

from __future__ import annotations

import io
import keyword
import token
import tokenize
from collections.abc import Callable, Iterator, Mapping
from html import escape
from types import MappingProxyType

F_START, F_END = (getattr(token, f"FSTRING_{part}", -1) for part in ("START", "END"))
"""From Python 3.12 on an f-string is many tokens; here it is one, as it was before."""

KINDS = {tokenize.STRING: "string", tokenize.COMMENT: "comment", tokenize.NUMBER: "number"}

Place = tuple[int, int]


def highlight(
    text: str,
    comment: Callable[[int, str], str] | None = None,
    links: Mapping[Place, str] = MappingProxyType({}),
    named: Callable[[str], str] | None = None,
) -> list[str]:
    """The lines of a source as HTML, from 1 on: the first is empty.

    Args:
        text: of a whole file.
        comment: from the number of a line and the text of its comment to what stands inside the comment's mark.
        links: the addresses of names that are links, by the line and the column where each begins.
        named: from any other name, which is no keyword, to its HTML.
    """
    lines = text.splitlines()
    done, upto = [""] * (len(lines) + 1), [0] * (len(lines) + 1)  # of each line its HTML so far, and up to which column

    def fill(row: int, column: int) -> None:
        done[row] += escape(lines[row - 1][upto[row] : column], quote=False)
        upto[row] = column

    for (row, column), (last_row, last_column), kind in _marks(text, links, named is not None):
        for line in range(row, last_row + 1):
            start, end = column if line == row else 0, last_column if line == last_row else len(lines[line - 1])
            fill(line, start)
            found = lines[line - 1][start:end]
            inside = comment(line, found) if comment and kind == "comment" else escape(found, quote=False)
            if kind == "name" and named:
                done[line] += named(found)
            elif kind == "link":
                done[line] += f'<a href="{escape(links[row, column])}">{inside}</a>'
            else:
                done[line] += f'<span class="{kind}">{inside}</span>' if found else ""
            upto[line] = end
    for row in range(1, len(done)):
        fill(row, len(lines[row - 1]))
    return done


def _marks(text: str, links: Mapping[Place, str], names: bool) -> Iterator[tuple[Place, Place, str]]:
    """What is marked: from where, up to where, and as what."""
    depth, begun, before = 0, (0, 0), ""
    for one in tokenize.generate_tokens(io.StringIO(text).readline):
        if one.type == F_START:
            depth, begun = depth + 1, begun if depth else one.start
        elif one.type == F_END:
            depth -= 1
            if not depth:
                yield begun, one.end, "string"
        elif depth:
            continue
        elif one.start in links:
            yield one.start, one.end, "link"
        elif kind := KINDS.get(one.type) or _kind_of_name(one, before):
            yield one.start, one.end, kind
        elif names and one.type == tokenize.NAME:
            yield one.start, one.end, "name"
        before = one.string


def _kind_of_name(one: tokenize.TokenInfo, before: str) -> str:
    if one.type == tokenize.OP and one.string == "@" and not one.line[: one.start[1]].strip():
        return "decorator"
    if one.type != tokenize.NAME:
        return ""
    if keyword.iskeyword(one.string):
        return "keyword"
    return "defined" if before in ("def", "class") else ""
