"""The source of functions, made ready for a page: each line as HTML, with the equations that it names."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from minirnn.pages.equations import comment_of, equations_of, numbers_in_comment, parse, to_html
from minirnn.pages.highlight import highlight

SYMBOL = re.compile(
    r"(?<![A-Za-zΑ-Ωα-ω_`.'])"
    r"(?:do(?=\s*[=*)])|(?!do)d?[A-Za-zσφψ]|LN)(?:_\{[^}]*\}|_[A-Za-z]+(?:_[a-z]+)*)?"
    r"(?![A-Za-zΑ-Ωα-ω_`(])"
)
"""A quantity in an equation, such as c_{t-1}, da_f or h."""


def describe(function: Any, owner: type | None = None) -> dict[str, Any]:
    """What a page shows of a function, or of a method of a class.

    Its lines with their numbers in the file, without the docstring; the loops over time; which equations each line
    names; and these equations, of its own docstring, its class's or its module's.
    """
    source, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(source))
    module = inspect.getmodule(function)
    equations: dict[int, str] = {}
    for documented in (module, owner, function):  # the nearest counts
        if documented is not None:
            equations |= equations_of(documented.__doc__)
    hidden = _docstring_lines(text)
    shown = highlight(text, named=_name_as_html)[1:]
    lines = [
        (first + i, html, line)
        for i, (html, line) in enumerate(zip(shown, text.splitlines(), strict=True))
        if i + 1 not in hidden
    ]
    named = {number: [n for n in numbers_in_comment(line) if n in equations] for number, _, line in lines}
    return {
        "name": function.__qualname__,
        "module": function.__module__,
        "file": Path(inspect.getsourcefile(function) or "").name,
        "lines": [(number, html) for number, html, _ in lines],
        "about": about(owner or module),
        "loops": _loops_over_time(text, first),
        "named": {number: numbers for number, numbers in named.items() if numbers},
        "comments": {number: to_html(words) for number, _, line in lines if (words := _words(comment_of(line)))},
        "equations": {
            number: equation_as_html(equations[number]) for numbers in named.values() for number in sorted(numbers)
        },
    }


def _words(comment: str) -> str:
    """What a comment says beside the numbers of equations."""
    return re.sub(r"^#\s*(\(\d+\)[,;:]?\s*(to|and)?\s*)*", "", comment)


def _name_as_html(name: str) -> str:
    return f'<span data-name="{name}">{name}</span>'


def about(documented: Any) -> str:
    """A docstring as HTML, without what it says of arguments."""
    shown = []
    for part in parse(getattr(documented, "__doc__", None)):
        if part.kind == "prose":
            shown.append(f"<p>{to_html(part.text)}</p>")
        elif part.kind == "block":
            shown.append(f'<div class="block">{equation_as_html(part.text)}</div>')
    return "".join(shown)


def _loops_over_time(text: str, first: int) -> list[tuple[int, int]]:
    """The first and last lines, in the file, of the loops whose variable is t."""
    loops = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.For)]
    over_time = [loop for loop in loops if isinstance(loop.target, ast.Name) and loop.target.id == "t"]
    return [(first + loop.lineno - 1, first + (loop.end_lineno or loop.lineno) - 1) for loop in over_time]


def _docstring_lines(text: str) -> range:
    """The numbers of the lines, from 1, that a function's docstring takes."""
    first = ast.parse(text).body[0].body[0]  # type: ignore[attr-defined]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return range(first.lineno, first.end_lineno + 1) if is_docstring else range(0)


def equation_as_html(text: str) -> str:
    """An equation, in which every quantity knows the name it has in the code: h_{t-1} is `h_prev` there."""
    html, end = [], 0
    for found in SYMBOL.finditer(text):
        shown = to_html(found[0])
        html.append(to_html(text[end : found.start()]))
        html.append(
            f'<span data-name="{name_in_code(found[0])}">{shown if "<i>" in shown else f"<i>{shown}</i>"}</span>'
        )
        end = found.end()
    return "".join([*html, to_html(text[end:])])


def name_in_code(symbol: str) -> str:
    """The variable that is meant by a symbol of an equation: c_{t-1} is c_prev, h_t is h, da_f is da_f."""
    base, _, low = symbol.partition("_")
    if low == "{t-1}":
        return base + "_prev"
    return base if low in ("", "t") else f"{base}_{low.strip('{}')}"
