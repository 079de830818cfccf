"""Units that track something are found, and the page holds the text it was made of."""

import html
import re
import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import InputError
from minirnn.inspection.neurons import PROPERTIES, as_html, trackers

TEXT = list('He said "go (to\nthe 2 [old] Houses)" and `left`.\nThen, "no".\n') * 5


def test_every_property_is_found_where_a_unit_is_that_property(rng):
    noise = rng.standard_normal((len(TEXT), 4))
    for what, measure in PROPERTIES.items():
        value = measure(TEXT)
        assert value.std() > 0, what
        for sign in (1, -1):
            h = np.column_stack((noise[:, :2], sign * 3 * value + 7, noise[:, 2:]))
            (found,) = [one for one in trackers(h, TEXT) if one.what == what]
            assert found.unit == 2
            assert found.correlation == pytest.approx(sign)


def test_the_properties_say_what_their_names_say():
    where = lambda what, text: "".join(str(int(v)) for v in PROPERTIES[what](list(text)))
    assert where("inside double quotes", 'a"b"c') == "01100"
    assert where("inside parentheses", "a(b(c))d)") == "011221000"
    assert where("position in the line", "ab\ncd") == "12012"
    assert where("position in the word", "ab cd") == "12012"
    assert where("a capital letter", "aBc") == "010"
    assert where("punctuation", "a, b.") == "01001"
    assert where("punctuation", "e\u0301-_") == "0011"


def test_units_that_never_change_and_properties_that_do_not_occur_are_no_trouble():
    h = np.zeros((6, 2))
    h[:, 1] = [1, -1, 1, -1, 1, -1]
    found = trackers(h, list("a a a "))
    assert {one.what for one in found} >= {"a space", "a vowel"}
    assert "a digit" not in {one.what for one in found}
    assert all(one.unit == 1 for one in found if abs(one.correlation) > 0.9)


def test_a_finding_stands_above_chance_and_in_a_short_text_nothing_does(rng):
    """Noise comes near to everything where it has only 20 steps to come near to, and to nothing where it has many."""
    where = lambda T: next(
        one for one in trackers(rng.standard_normal((T, 100)), ("ab c" * T)[:T]) if "vow" in one.what
    )
    text = rng.permuted(list("aab c") * 400).tolist()
    assert where(20).chance > 0.5
    noise = rng.standard_normal((len(text), 100))
    noise[:, 7] += PROPERTIES["a vowel"](text)
    (found,) = [one for one in trackers(noise, text) if one.what == "a vowel"]
    assert found.unit == 7
    assert found.chance < 0.15 < 0.3 < found.correlation


def test_there_are_activations_of_every_token():
    for wrong in (np.zeros((5, 2)), np.zeros((7, 2)), np.zeros(6)):
        with pytest.raises(InputError, match=r"expected the activations \(T, H\) of 6 tokens, not "):
            trackers(wrong, list("a a a "))


def test_the_page_has_the_text_escaped():
    text = list("<b> & \"x'\n")
    page = as_html(text, [("unit <0>", np.linspace(-1, 1, len(text)))])
    spans = re.findall(r"<span style='background:rgba\(([^)]*)\)'>(.*?)</span>", page, re.S)
    assert html.unescape("".join(body for _, body in spans)).replace("↵", "") == "".join(text)
    assert spans[0][0] == "220,60,50,1.00"
    assert spans[-1][0] == "50,100,220,1.00"
    assert "unit &lt;0&gt;" in page
    assert ">◌\u0301</span>" in as_html("e\u0301", [("unit", np.zeros(2))])


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("".join(TEXT) * 10)
    small = ("--hidden", 6, "--embedding", 3, "--batch-size", 4, "--steps", 8, "--epochs", 1, "--quiet")
    assert run("train", "lm", "--data", "text.txt", "--cell", "lstm", *small, "--out", "lm") == 0
    capsys.readouterr()
    assert run("show", "neurons", "lm", "--data", "text.txt") == 0
    shown = capsys.readouterr().out
    assert "position in the line" in shown
    assert "2,000 tokens read, of text.txt" in shown
    assert (tmp_path / "neurons.png").exists()
    assert "He said" in html.unescape(re.sub("<[^>]*>", "", (tmp_path / "neurons.html").read_text(encoding="utf-8")))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "neurons", "lm", "--unit", 3, "--html", "one.html") == 0
    out = capsys.readouterr().out
    assert "no picture" in out
    assert out.count("\nunit ") == 1
    assert re.search(r"\ncorrelation  chance  unit  property\n", shown)
    assert run("show", "neurons", "lm", "--unit", 3, "--text", "a short text") == 0
    out = capsys.readouterr().out
    assert "12 tokens read, of the text: too few for correlations, which need 200" in out
    assert "correlation  " not in out
    message = refused(capsys, "show", "neurons", "lm", "--text", "a short text")
    assert "correlations need at least 200; give a text with --text or --data, or see one unit with --unit" in message
    assert "has the units 0 to 5" in refused(capsys, "show", "neurons", "lm", "--unit", 6)
    assert "not a run directory" in refused(capsys, "show", "neurons", "nowhere")
    assert "No such file" in refused(capsys, "show", "neurons", "lm", "--data", "missing")
