"""The pages: nothing of the source is lost or told twice, every number leads to its partner, and no link is dead."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from reading import Found, dead_links, disagreements, told

import minirnn
from minirnn.pages.equations import NUMBERS, expanded
from minirnn.pages.reading.linking import Links
from minirnn.pages.reading.outline import Outline
from minirnn.pages.reading.page import Page
from minirnn.pages.reading.site import build
from minirnn.pages.reading.sources import Source, sources

PATHS = [source.path for source in sources()]
LSTM = next(source for source in sources() if source.path == "cells/lstm.py")


@pytest.fixture
def outline(request, outlines):
    return outlines[PATHS.index(request.param)]


@pytest.fixture
def found(outline, site):
    return Found(site[outline.source.page])


every_file = pytest.mark.parametrize("outline", PATHS, indirect=True)


def test_whole_rooms_are_there_each_file_once():
    package = Path(minirnn.__file__).parent
    rooms = {f"{room}/{file.name}" for room in ("cells", "autograd") for file in (package / room).glob("*.py")}
    assert rooms | {"layers/attention.py", "decoding/beam.py", "decoding/hypotheses.py"} <= {*PATHS}
    assert len({*PATHS}) == len(PATHS)
    assert [Path(path).stem for path in PATHS[:6]] == ["rnn", "cell", "bptt", "lstm", "gru", "stepper"]


@every_file
def test_every_equation_has_a_line_and_every_number_its_equation(outline):
    assert not list(disagreements(outline))


def test_there_are_many_equations(outlines):
    assert sum(len(outline.lines_of) for outline in outlines) > 90


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("i = sigmoid(a_i)  # (1)", "i = sigmoid(a_i)", "no line names (1) of LSTMCell"),
        ("dh_prev = w.U.T @ da  # (13)", "dh_prev = w.U.T @ da  # (14)", "no line names (13) of LSTMCell"),
        ("dh_prev = w.U.T @ da  # (13)", "dh_prev = w.U.T @ da  # (13), (14)", "line 72: there is no (14)"),
        ("        (6)  h_t = o", "             h_t = o", "line 55: there is no (6)"),
        ("from typing import Any", "from typing import Any  # (1)", "line 5: there is no (1)"),
        ("# a_i, a_f, a_g and a_o below", "# as (22) has them, below", "line 47: there is no (22)"),
    ],
)
def test_a_number_that_is_missing_or_wrong_is_found(old, new, wrong):
    assert LSTM.text.count(old) == 1
    assert wrong in "\n".join(disagreements(Outline(replace(LSTM, text=LSTM.text.replace(old, new)))))


def test_every_equation_of_another_file_is_there(outlines):
    links, named = Links(outlines), 0
    for outline in outlines:
        texts = [*outline.comments.items(), *((one.line, one.doc or "") for one in outline.definitions.values())]
        for line, text in texts:
            for found in re.finditer(f"{NUMBERS}\\s+of\\s+`([^`]+)`", text):
                for number in expanded(found[0]):
                    assert links.equation(number, outline, line, found[1]), (outline.source.path, line, found[0])
                    named += 1
    assert named >= 4


@every_file
def test_a_page_is_well_formed(found):
    assert not found.troubles


def test_tags_that_do_not_fit_are_found():
    assert Found("<p><b></p></b>").troubles
    assert Found("<p>").troubles
    assert Found("<p id=a></p><p id=a></p>").troubles
    assert not Found("<p id=a><meta charset=utf-8></p>").troubles


def test_no_link_is_dead(site):
    assert not dead_links(site)
    assert sum(len(Found(text).links) for text in site.values()) > 1000


def test_a_dead_link_is_found(site):
    page = site["cells/rnn.html"]
    for old, new in (('href="#eq-RNNCell-3"', 'href="#eq-RNNCell-9"'), ('"cell.html"', '"sell.html"')):
        assert old in page
        assert dead_links({**site, "cells/rnn.html": page.replace(old, new)})


@every_file
def test_every_line_of_code_stands_once_and_no_docstring_beside_itself(outline, found):
    hidden = {line for one in outline.definitions.values() for line in one.doc_lines}
    lines = {i: text for i, text in enumerate(outline.lines) if text.strip() and i not in hidden}
    shown = [(line, text.removesuffix("\n")) for line, text in found.code if text.strip()]
    assert shown == list(lines.items())
    assert all(re.match(r'\s*r?"""|.*"""$', outline.lines[line]) for one in outline.definitions.values()
               for line in (*one.doc_lines[:1], *one.doc_lines[-1:]))  # fmt: skip


@every_file
def test_no_word_of_a_docstring_is_lost(outline, found):
    docs = [told(doc) for doc in found.docs]
    for one, doc in zip(outline.sections, docs, strict=True):
        if one.begins and one.definition.doc:
            assert told(one.definition.doc) in doc
    assert sum(one.begins for one in outline.sections) == len(
        [one for one in outline.definitions.values() if one.doc or not one.name]
    )


@every_file
def test_an_equation_and_its_lines_lead_to_one_another(outline, site):
    page = site[outline.source.page]
    for (name, number), lines in outline.lines_of.items():
        anchor = f"eq-{name}-{number}" if name else f"eq-{number}"
        home = re.search(rf'<tbody id="{re.escape(anchor)}".*?</tbody>', page, re.S)[0]
        assert re.findall(r'href="#L(\d+)"', home) == [str(lines[0]), *map(str, lines)]
        for line in lines:
            shown = re.search(rf'id="L{line}".*', page)[0]
            assert f'href="#{anchor}" data-eq="{anchor}"' in shown


def test_equations_of_elsewhere_stand_beside_the_lines_that_name_them(site):
    inside = re.search(
        r'<section class="function" id="backward_through_time">.*?</section>', site["cells/bptt.html"], re.S
    )[0]
    reminder = re.search(r'<table class="equations reminder.*?</table>', inside, re.S)[0]
    assert 'href="#eq-3" data-eq="eq-3"' in reminder
    assert "from above" in reminder
    stepper = site["cells/stepper.html"]
    assert stepper.count('href="bptt.html#eq-6"') == 2  # the line's, and the one beside it
    assert 'href="bptt.html#eq-4"' in stepper


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("cells/rnn.html", '<a href="bptt.html"><code>bptt.py</code></a>'),
        ("cells/rnn.html", '<a href="#RNNCell.forward"><code>forward</code></a>'),
        ("cells/rnn_activations.html", '<a href="rnn.html#RNNCell"><code>RNNCell</code></a>'),
        ("cells/layer_norm.html", '<a href="#standardize_back"><code>standardize_back</code></a>'),
        ("cells/stepper.html", '<a href="../autograd/pending.html#Pending"><code>Pending</code></a>'),
        ("cells/stepper.html", '<a href="bptt.html#backward_through_time"><code>bptt.backward_through_time</code></a>'),
        ("autograd/functional.html", '<a href="attention.html"><code>attention.py</code></a>'),
        ("autograd/tensor.html", '<a href="ops.html"><code>ops.py</code></a>'),
        ("cells/lstm.html", '<a href="cell.html#MemoryGate">MemoryGate</a>'),
    ],
)
def test_names_lead_to_their_places(page, link, site):
    assert link in site[page]


def test_a_parameter_is_no_link_and_neither_is_what_is_elsewhere(site):
    assert "<code>select</code> <dd>" not in site["decoding/beam.html"]
    assert "<code>minirnn.detach</code>" in site["cells/bptt.html"]
    assert not re.search(r"<a [^>]*><code>minirnn/models/[^<]*</code></a>", site["cells/neighbours.html"])
    assert "# `where` and not only the weight" in site["autograd/losses.html"]  # NumPy's, not that of ops.py
    assert "Apply <code>cell</code> along time" in site["cells/bptt.html"]


def test_what_html_would_take_for_its_own_is_escaped():
    text = '"""Of `a < b & c`, <eos> & x_t < 1."""\n\nif 1 < 2 & 3:  # <b> & `q`\n    s = "<i>&amp;"\n'
    source = Source("cells/odd.py", text)
    page = str(Page(Outline(source), Links([Outline(source)])))
    found = Found(page)
    assert not found.troubles
    assert "".join(line for _, line in found.code) == text.partition("\n\n")[2]
    assert "Of a < b & c, <eos> & xt < 1." in found.docs[0]


def test_a_string_of_several_lines_keeps_them():
    text = '"""A file."""\n\nx = f"""one {1 + 1!r}\n  <two> {"three"}\n\n"""\ny = r"\\d"\n'
    source = Source("cells/odd.py", text)
    found = Found(str(Page(Outline(source), Links([Outline(source)]))))
    assert "".join(line for _, line in found.code) == text.partition("\n\n")[2]


def test_the_index_has_every_page_in_order_with_its_first_line(site):
    found = Found(site["index.html"])
    assert not found.troubles
    assert [link for link, _ in found.links if link.endswith(".html")] == [source.page for source in sources()]
    assert "Backpropagation through time, written once for every cell (Werbos 1990)." in site["index.html"]


def test_a_walk_from_page_to_page_sees_them_all(site):
    page, seen = "cells/rnn.html", []
    while page:
        seen.append(page)
        following = {link for link, given in Found(site[page]).links if given.get("rel") == "next"}
        page = str((Path("/") / page).parent.joinpath(following.pop()).resolve().relative_to("/")) if following else ""
    assert seen == [source.page for source in sources()]


def test_the_same_source_gives_the_same_bytes_soon(site):
    begun = time.perf_counter()
    assert build() == site
    assert time.perf_counter() - begun < 20
    assert not re.search(r"20\d\d-\d\d-\d\d|/tmp/|/home/", "".join(site.values()))


def test_pages_need_nothing_but_what_is_in_the_folder(site):
    assert not re.search(r"(?:src|href)=\"(?:https?:|//)|@import|url\(", "".join(site.values()))
