"""The equations of a docstring, the lines that carry their numbers, and both as HTML.

A docstring holds numbered equations in an indented block, with words or a second formula beside some of them:

    (3)  c_t = f * c_{t-1} + i * g        the memory

and the line of code that computes one names it at the beginning of its comment: `c = f * c_prev + i * g  # (3)`.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

FIELDS = ("Args", "Returns", "Yields", "Raises", "Attributes")
"""The headings under which a docstring lists names with what they are."""

HEADING = re.compile(rf"(?:{'|'.join(FIELDS)})\b.*:\n {{4}}")

NUMBERED = re.compile(r" *\((\d+)\) +(?=\S)")
GAP = re.compile(r" {3,}(?![ =≈])")  # and not the padding that puts the = of two lines below one another
NUMBERS = r"(?<![\w'])\(\d+\)(?:(?:,?\s+and\s+|,\s+|\s+to\s+|-)\(\d+\))*"
ELSEWHERE = r"(?:\s+of\s+`[^`]+`)?"
REFERENCE = re.compile(f"({NUMBERS}){ELSEWHERE}")
"""One or several numbers of equations, as "(2), (3)" or "(4) to (6)", and the file they are in, if it is another."""


@dataclass(frozen=True)
class Equation:
    """A numbered equation: all its lines, without the number and what the block is indented by."""

    number: int
    text: str


@dataclass(frozen=True)
class Part:
    """A piece of a docstring between blank lines.

    Attributes:
        kind: "prose", a paragraph; "list", paragraphs that each begin with a dash; "block", indented lines: equations,
            a table, a picture; "code", indented lines of Python; "example", what one types into Python and what comes
            out; or "fields", a heading such as `Args` with the names below it.
        text: its lines, as they stand in the dedented docstring.
        entries: of a block, in order, its equations, and its other lines as they are.
    """

    kind: str
    text: str
    entries: tuple[Equation | str, ...] = ()

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The numbered ones among the entries."""
        return tuple(entry for entry in self.entries if isinstance(entry, Equation))


def parse(doc: str | None) -> list[Part]:
    """The parts of a docstring, in order; those of None are none."""
    parts = []
    for text in re.split(r"\n(?:[ \t]*\n)+", inspect.cleandoc(doc)) if doc and doc.strip() else []:
        first = text.partition("\n")[0]
        if first.lstrip().startswith(">>> "):
            parts.append(Part("example", inspect.cleandoc(text)))
        elif first.startswith(" ") and _is_code(text):
            parts.append(Part("code", textwrap.dedent(text)))
        elif first.startswith(" "):
            parts.append(Part("block", text, tuple(_entries(text))))
        elif HEADING.match(text):
            parts.append(Part("fields", text))
        else:
            parts.append(Part("list" if first.startswith("- ") else "prose", text))
    return parts


CODE = re.compile(r"^ *(?:class|def|from|import|with) |[\w)]\.[a-z_]+\(", re.MULTILINE)
"""What is in code and in no formula, although many a formula is Python too."""


def _is_code(text: str) -> bool:
    """Whether a block is a piece of a program."""
    if not CODE.search(text):
        return False
    try:
        ast.parse(textwrap.dedent(text))
    except SyntaxError:
        return False
    return True


def _entries(text: str) -> Iterator[Equation | str]:
    """The lines of a block, those of an equation together: the numbered one, and those below that are indented more."""
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        if not (numbered := NUMBERED.match(line)):
            yield line
            continue
        margin, more = line.index("("), []
        while lines and _indent(lines[0]) > margin:
            more.append(lines.pop(0))
        column = min([numbered.end(), *map(_indent, more)])
        first = line[numbered.end() :].rjust(len(line) - column)  # keeps what stands below what
        yield Equation(int(numbered[1]), "\n".join([first, *(one[column:] for one in more)]))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def equations_of(doc: str | None) -> dict[int, str]:
    """The text of each numbered equation of a docstring, by its number."""
    return {one.number: one.text for part in parse(doc) for one in part.equations}


def pieces(line: str) -> list[tuple[int, str]]:
    """What stands beside one another in a line, 3 or more spaces apart: of each piece its column, and its text."""
    found, start = [], _indent(line)
    for gap in GAP.finditer(line, start):
        found.append((start, line[start : gap.start()]))
        start = gap.end()
    return [*found, (start, line[start:])] if line[start:].strip() else found


def numbers_in_comment(line: str) -> tuple[int, ...]:
    """The equations of its own docstring that a line of code names: the numbers at the beginning of its comment, as
    in `# (2), (3)` or `# (3): h_t was used twice`. "(1) of `bptt.py`" is an equation of another docstring, and does not
    count."""
    found = REFERENCE.match(comment_of(line)[1:].lstrip())
    return () if found is None or found[0] != found[1] else tuple(expanded(found[1]))


def comment_of(line: str) -> str:
    """The comment of a line of code, with its #; "" if it has none. (A # in a string begins none.)"""
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip() + "\n").readline):
            if token.type == tokenize.COMMENT:
                return token.string
    except (tokenize.TokenError, SyntaxError):
        pass  # of several lines that are one statement, one by itself is none: there the brackets do not match
    return ""


def expanded(numbers: str) -> list[int]:
    """The numbers in "(2), (3)", "(2) and (3)" or "(2) to (4)", which are 2, 3 and 4."""
    found: list[int] = []
    for joint, number in re.findall(r"(\s+to\s+|-)?\((\d+)\)", numbers):
        found.extend(range(found[-1] + 1 if joint and found else int(number), int(number) + 1))
    return found


LETTER = "A-Za-zÀ-ɏΑ-Ωα-ω"
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿᵀ", "0123456789-+nT", strict=True))
UPRIGHT = frozenset("σΣ")
TOKEN = re.compile(
    rf"""
    (?P<code>`[^`]+`)
    | (?P<reference>{NUMBERS}{ELSEWHERE})
    | (?P<plain>\d-d\b | [ei]\.[eg]\. | (?<![{LETTER}0-9_])(?!d?[{LETTER}]_)[{LETTER}][{LETTER}0-9]*_[{LETTER}0-9_]+)
    | (?<![\w)*])\*(?P<stressed>[a-zA-Z]{{3,}})\*(?!\w)
    | (?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)
    | (?P<word>[{LETTER}][{LETTER}0-9]*)
    | (?<=[{LETTER}0-9)\]}}|'ᵀ])
      (?P<script>[_^]\{{[^{{}}]*\}} | \^\([^()]*\)
        | \^-?[{LETTER}0-9]+ | _[{LETTER}0-9]+(?:_[{LETTER}0-9]+)*(?:'(?!\w))?)
    | (?P<raised>[{"".join(RAISED)}]+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
"""What mathematics in words is made of. `plain` is what looks like it and is not, such as `max_length`: a subscript has
one letter before it, or d and one."""


def to_html(
    text: str,
    code: Callable[[str], str] = lambda name: f"<code>{escape(name)}</code>",
    reference: Callable[[str], str] | None = None,
) -> str:
    """A formula, or words with formulas in them, as HTML: symbols in italics, functions and words upright, sub- and
    superscripts where they belong.

    Args:
        text: such as "c_t = f * c_{t-1}", or "where h² is small, see `bptt.py`".
        code: from what stands in `…` to its HTML.
        reference: from what `REFERENCE` finds to its HTML.
    """

    def html_of(token: re.Match[str]) -> str:
        found = token[0]
        match token.lastgroup:
            case "code":
                return code(found[1:-1])
            case "reference":
                return (reference or _plain_reference)(found)
            case "plain":
                base, _, low = found.partition("_")
                function = len(low) == 1 and text[token.end() :].startswith("(")  # best_t(s)
                return f"{escape(base)}<sub><i>{low}</i></sub>" if function else escape(found)
            case "stressed":
                return f"<em>{escape(found[1:-1])}</em>"
            case "word":
                italic = found not in UPRIGHT and _is_symbol(found, text[: token.start()], text[token.end() :])
                return f"<i>{found}</i>" if italic else escape(found, quote=False)
            case "script":
                tag = "sub" if found[0] == "_" else "sup"
                low = found[2:-1] if found[1] in "{(" else found[1:].replace("_", " ")
                inside = f"<i>{low}</i>" if re.fullmatch("[a-z]{1,3}", low) else to_html(low)  # b and s in e_bs
                return f"<{tag}>{inside}</{tag}>"
            case "raised":
                return f"<sup>{''.join(RAISED[one] for one in found)}</sup>"
        return escape(found, quote=False)

    return TOKEN.sub(html_of, text)


def _plain_reference(found: str) -> str:
    numbers, tick, file = found.partition("`")
    return f"{numbers}<code>{escape(file[:-1])}</code>" if tick else numbers


VARIABLE_BEFORE = re.compile(r"\s{2,}|\s*(?:$|[^\w\s(`\"]|[_ᵀ²]|(?:for|where|else|is|and|below)\b)")
"""What follows an a that is a variable: an article has a word behind it."""


def _is_symbol(word: str, before: str, after: str) -> bool:
    """Whether a word between others is a symbol: one letter, or that with a d before it, and not English; or two after
    a number, as in 4Hn."""
    after_number = before[-1:].isdigit() and word[0].isupper()
    if len(word) > 2 or (len(word) == 2 and not (word[0] == "d" or after_number)):
        return False
    if before.endswith(("'", '"')) or re.match(r"-[a-z]{2}", after):  # the s of "its cell's", the n of "n-gram"
        return False
    if word in ("a", "A"):
        return bool(VARIABLE_BEFORE.match(after))
    if word == "do":
        return bool(re.match(r"\s*[=*_)]|,? (?:and )?d\w\b", after) or re.search(r"[=*(]\s*$", before))
    return True
