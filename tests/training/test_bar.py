"""The training bar keeps to the line of a terminal, and what is printed beside it breaks between its parts."""

import io
import os
import sys

import pytest

from minirnn.training.bar import Bar, printable

SAID = "loss 1.234", "perplexity 12.34", "13,059 tokens/s"


def drawn(width, *said, total=2346, done=2234, **options):
    bar = Bar(total=total, unit="batch", file=io.StringIO(), ncols=width, mininterval=0, **options)
    bar.start_t -= 107
    bar.n = done
    bar.say(*said)
    line = str(bar)
    bar.close()
    return line


@pytest.mark.parametrize("width", [*range(40, 121, 5), 79, 81, 200])
@pytest.mark.parametrize("said", [SAID, ("validating",), ()])
@pytest.mark.parametrize("total", [3, 2346, 10_000_000])
def test_a_bar_fits_its_line_and_says_of_itself_whole_things(width, said, total):
    line = drawn(width, *said, total=total, done=total // 2)
    assert len(line) == width
    assert any(line.rstrip("]").endswith(one) for one in said) or not said
    assert "%|" in line


def test_what_matters_most_stays_longest():
    assert "2234/2346 [01:47<" in drawn(110, *SAID)
    assert "batch/s" in drawn(130, *SAID)
    assert all(one in drawn(80, *SAID) for one in SAID)
    assert "loss 1.234" in drawn(40, *SAID)
    assert "tokens/s" not in drawn(60, *SAID)


def test_what_is_done_stays_when_even_the_times_do_not_fit():
    line = drawn(40, total=10, done=5, desc="translating held-out pairs")
    assert line.startswith("translating held-out pairs")
    assert " 50%|" in line


def test_where_there_is_no_terminal_everything_is_there():
    line = drawn(None, *SAID)
    assert "2234/2346 [01:47<" in line
    assert "batch/s, loss 1.234, perplexity 12.34, 13,059 tokens/s]" in line


PARTS = [f"a_measure_{i} {i / 7:.4g}" for i in range(9)]


def at_width(monkeypatch, columns, terminal=True):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    return printable(PARTS).split("\n")


@pytest.mark.parametrize("columns", [40, 80, 500])
def test_a_line_breaks_between_its_parts(monkeypatch, columns):
    lines = at_width(monkeypatch, columns)
    assert max(map(len, lines)) <= columns
    assert "  ".join(line.strip() for line in lines) == "  ".join(PARTS)
    assert all(line.startswith("  ") for line in lines[1:])
    assert (len(lines) == 1) == (columns == 500)


def test_a_line_that_goes_to_no_terminal_stays_one(monkeypatch):
    assert at_width(monkeypatch, 40, terminal=False) == ["  ".join(PARTS)]
    monkeypatch.setattr(sys, "stdout", None)
    assert printable(PARTS) == "  ".join(PARTS)
