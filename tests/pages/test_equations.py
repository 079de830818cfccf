"""The equations of docstrings, as they are read from the source and as they are written on pages."""

import ast
import html
import re
from pathlib import Path

import pytest

import minirnn
from minirnn.pages.equations import (
    RAISED,
    Equation,
    equations_of,
    numbers_in_comment,
    parse,
    pieces,
    to_html,
)
from minirnn.pages.prose import Prose

PACKAGE = Path(minirnn.__file__).parent
FILES = [
    *sorted((PACKAGE / "cells").glob("*.py")),
    *sorted((PACKAGE / "autograd").glob("*.py")),
    *sorted((PACKAGE / "decoding").glob("*.py")),
    PACKAGE / "layers" / "attention.py",
]


def docstrings(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (doc := ast.get_docstring(node, False)):
            yield doc


every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")


@every_file
def test_every_numbered_line_is_found(file):
    for doc in docstrings(file):
        assert list(equations_of(doc)) == [int(number) for number in re.findall(r"^ +\((\d+)\) ", doc, re.M)]
        found = " ".join(equations_of(doc).values())
        for line in re.findall(r"^ +\(\d+\) +(.*)$", doc, re.M):
            assert line in found


@every_file
def test_no_line_is_lost_in_the_parts(file):
    for doc in docstrings(file):
        parts = parse(doc)
        assert [line.strip() for part in parts for line in part.text.split("\n")] == [
            line.strip() for line in doc.split("\n") if line.strip()
        ]
        for part in parts:
            entries = [f"({e.number}) {e.text}" if isinstance(e, Equation) else e for e in part.entries]
            assert part.kind != "block" or " ".join(entries).split() == part.text.split()
            assert part.kind == "block" or not part.equations


def told(text):
    """A text without the marks of sub- and superscripts and without spaces."""
    text = text.replace("*Hard*", "Hard")
    raised = "".join(RAISED.get(letter, letter) for letter in text)
    return re.sub(r"[_^{}`\s]", "", raised)


@every_file
def test_no_character_is_lost_in_html(file):
    for doc in docstrings(file):
        written = to_html(doc)
        assert told(html.unescape(re.sub(r"</?(?:i|em|sub|sup|code)>", "", written))) == told(doc)
        assert not re.search(r"[_^]\{", re.sub(r"<code>.*?</code>", "", written, flags=re.S))
        for tag in ("i", "em", "sub", "sup", "code"):
            assert written.count(f"<{tag}>") == written.count(f"</{tag}>")


@every_file
def test_every_subscript_and_superscript_of_an_equation_is_set(file):
    for doc in docstrings(file):
        for text in equations_of(doc).values():
            written = to_html(text)
            assert written.count("<sub>") == len(re.findall(r"_(?!above|future)", text)), text
            assert written.count("<sup>") == len(re.findall(r"\^|[²ᵀ]", text)), text


def test_there_are_docstrings_with_equations():
    assert sum(len(equations_of(doc)) for file in FILES for doc in docstrings(file)) > 90


def test_an_equation_has_all_its_lines():
    doc = """A cell:

        (3)  s   = r * h_{t-1}
             n   = tanh(a_n)   a_n = W_n x_t + U_n s + b_n       the candidate
        (4)  h_t = z * h_{t-1} + (1-z) * n
        and no more of (4)

    (5) of the paper is prose.
    """
    assert equations_of(doc) == {
        3: "s   = r * h_{t-1}\nn   = tanh(a_n)   a_n = W_n x_t + U_n s + b_n       the candidate",
        4: "h_t = z * h_{t-1} + (1-z) * n",
    }
    assert [part.kind for part in parse(doc)] == ["prose", "block", "prose"]
    assert parse(doc)[1].entries[2].strip() == "and no more of (4)"
    assert equations_of(None) == equations_of("") == {}
    assert parse(None) == []


def test_fields_are_told_from_prose():
    doc = "Look.\n\nArgs:\n    x: (T, B, I).\n\nReturns:\n    Less.\n\nArgs: none."
    assert [part.kind for part in parse(doc)] == ["prose", "fields", "fields", "prose"]


def test_formulas_beside_one_another_are_told_apart():
    line = "  i   = σ(a_i)      a_i = W_i x_t     how much"
    assert pieces(line) == [(2, "i   = σ(a_i)"), (20, "a_i = W_i x_t"), (38, "how much")]
    assert all(line[column:].startswith(text) for column, text in pieces(line))
    assert pieces("") == []


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("        i = sigmoid(a_i)  # (1)", (1,)),
        ("    i, c = write()  # (2), (3)", (2, 3)),
        ("    i, c = write()  # (2) and (3): both", (2, 3)),
        ("    i, c = write()  # (2) to (4)", (2, 3, 4)),
        ("da_o[:] = do * o * (1 - o)  # (7): o * (1-o) is σ'(a_o)", (7,)),
        ("h, dh_da = self.activate(a)  # (2), and φ'(a)", (2,)),
        ("        return {  # (11)", (11,)),
        ("        })  # (11)", (11,)),
        ("wx = input_products(cell, w, x)  # (1) of `bptt.py`, for one step", ()),
        ("dw = sums()  # (4), (5) of `bptt.py`", ()),
        ("a = w.U @ h  # what (4) needs", ()),
        ("columns = a  # (H, T·B), in columns", ()),
        ("x = '# (3)'", ()),
        ("x = '# (3)'  # (4)", (4,)),
        ("h = f(1)", ()),
        ("", ()),
        ("def f(a, (", ()),
        ("x = 'unfinished", ()),
    ],
)
def test_the_numbers_that_a_comment_names(line, numbers):
    assert numbers_in_comment(line) == numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h_{t-1}", "<i>h</i><sub><i>t</i>-1</sub>"),
        ("a_i", "<i>a</i><sub><i>i</i></sub>"),
        ("dh_{t-1}", "<i>dh</i><sub><i>t</i>-1</sub>"),
        ("da_f", "<i>da</i><sub><i>f</i></sub>"),
        ("dγ_w", "<i>dγ</i><sub><i>w</i></sub>"),
        ("U_nᵀ da_n", "<i>U</i><sub><i>n</i></sub><sup>T</sup> <i>da</i><sub><i>n</i></sub>"),
        ("h²", "<i>h</i><sup>2</sup>"),
        ("σ'(a_o)", "σ'(<i>a</i><sub><i>o</i></sub>)"),
        ("Σ_s' exp(e_s')", "Σ<sub><i>s</i>'</sub> exp(<i>e</i><sub><i>s</i>'</sub>)"),
        ("h^s_{t-1}", "<i>h</i><sup><i>s</i></sup><sub><i>t</i>-1</sub>"),
        ("h^{s+δ_1}", "<i>h</i><sup><i>s</i>+<i>δ</i><sub>1</sub></sup>"),
        ("da^s_t", "<i>da</i><sup><i>s</i></sup><sub><i>t</i></sub>"),
        ("e_bs p_target", "<i>e</i><sub><i>bs</i></sub> <i>p</i><sub>target</sub>"),
        ("R^n", "<i>R</i><sup><i>n</i></sup>"),
        ("e^-a", "<i>e</i><sup>-<i>a</i></sup>"),
        ("tanh²(c_t)", "tanh<sup>2</sup>(<i>c</i><sub><i>t</i></sub>)"),
        ("dh_from_above + dh", "<i>dh</i><sub>from above</sub> + <i>dh</i>"),
        ("(di, do)_from_future", "(<i>di</i>, <i>do</i>)<sub>from future</sub>"),
        ("best_t(s') of best_{t-1}(s)", "best<sub><i>t</i></sub>(<i>s</i>') of best<sub><i>t</i>-1</sub>(<i>s</i>)"),
        ("max_length, n <= 3 & gain_w", "max_length, <i>n</i> &lt;= 3 &amp; gain_w"),
        ("`x_t` and `a < b`", "<code>x_t</code> and <code>a &lt; b</code>"),
        ("do = dh * tanh(m)", "<i>do</i> = <i>dh</i> * tanh(<i>m</i>)"),
        ("what gates do with a cell's c", "what gates do with a cell's <i>c</i>"),
        ("a = 1 where a > 0, else 0.01 a", "<i>a</i> = 1 where <i>a</i> &gt; 0, else 0.01 <i>a</i>"),
        ("A score, as an n-gram, e.g. a 1-d array", "A score, as an n-gram, e.g. a 1-d array"),
        ("W x_t (4H, I)", "<i>W</i> <i>x</i><sub><i>t</i></sub> (4<i>H</i>, <i>I</i>)"),
        ("4Hn + 12h in the 2nd", "4<i>Hn</i> + 12<i>h</i> in the 2nd"),
        ("*Hard* attention, r * q * s", "<em>Hard</em> attention, <i>r</i> * <i>q</i> * <i>s</i>"),
        ("__call__ and _unit", "__call__ and _unit"),
        ("(4) and (5) of `bptt.py`", "(4) and (5) of <code>bptt.py</code>"),
    ],
)
def test_mathematics_as_html(text, expected):
    assert to_html(text) == expected


def test_what_is_linked_is_the_callers_to_say():
    written = to_html("(4), (5) of `bptt.py` and `tape`", lambda name: name.upper(), lambda found: f"<{found}>")
    assert written == "<(4), (5) of `bptt.py`> and TAPE"


def test_lists_and_examples_are_told_from_prose():
    doc = "One of two:\n\n- a, which\n  is first.\n- b.\n\n    >>> one = 1\n    >>> one\n    1\n\nThe end."
    parts = parse(doc)
    assert [part.kind for part in parts] == ["prose", "list", "example", "prose"]
    assert parts[2].text == ">>> one = 1\n>>> one\n1"
    written = Prose().html(doc, None)
    assert "<li><i>a</i>, which\n  is first.</li>\n<li><i>b</i>.</li>" in written
    prompt = '<span class="prompt">&gt;&gt;&gt;</span>'
    assert f'<pre class="example">{prompt} one = <span class="number">1</span>\n{prompt} one\n1</pre>' in written


def test_an_example_of_several_lines_keeps_them():
    doc = "    >>> with what:\n    ...     pass\n    >>> '''a\n    ... b'''\n    'a<b'"
    shown = re.sub("<.*?>", "", Prose().html(doc, None))
    assert html.unescape(shown) == ">>> with what:\n...     pass\n>>> '''a\n... b'''\n'a<b'"


def test_an_exponent_in_brackets_is_one():
    assert to_html("p_n^(1/2^n)") == "<i>p</i><sub><i>n</i></sub><sup>1/2<sup><i>n</i></sup></sup>"


def test_a_heading_may_say_more():
    doc = "A decoder.\n\nArgs beside those of `Decoder`:\n    score: of the attention."
    assert [part.kind for part in parse(doc)] == ["prose", "fields"]
    assert "<h4>Args beside those of <code>Decoder</code></h4>" in Prose().html(doc, None)
    assert [part.kind for part in parse("Raises as `Tensor`, for example:\nnothing")] == ["prose"]


def test_code_is_told_from_formulas():
    doc = "As in\n\n    class One(Two):\n        three = 3\n\n    One().run(4)\n\n    h = z * n\n\nend"
    assert [part.kind for part in parse(doc)] == ["prose", "code", "code", "block", "prose"]
    assert '<pre class="example"><span class="keyword">class</span> ' in Prose().html(doc, None)
    assert [part.kind for part in parse("Of\n\n    with two of the n.g(x) that is no code\n\nend")][1] == "block"
