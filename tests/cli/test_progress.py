"""Work that takes longer than a moment says what it is, on stderr; what is done sooner, or quietly, does not."""

import io
import re
import threading
from types import SimpleNamespace

import pytest
from commands import run
from trainings import TRAININGS

from minirnn.cli import progress as module
from minirnn.cli.progress import Progress, progress


@pytest.fixture
def at_once(monkeypatch):
    """As if no work were done in a moment."""
    monkeypatch.setattr(module, "AFTER", 0.0)
    start = threading.Timer.start

    def started(self):
        start(self)
        self.join()

    monkeypatch.setattr(threading.Timer, "start", started)


def test_what_is_done_in_a_moment_is_not_mentioned(monkeypatch, capsys):
    monkeypatch.setattr(module, "AFTER", 60.0)
    with Progress("reading") as doing:
        doing.now("learning")
        doing.step()
    with Progress("translating", 10) as doing:
        doing.step(10)
    assert capsys.readouterr() == ("", "")
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and not thread.daemon]


def test_the_line_is_there_while_the_work_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(module, "AFTER", 0.01)
    said = threading.Event()
    monkeypatch.setattr("sys.stderr", type("Told", (io.StringIO,), {"flush": lambda self: said.set()})())
    with Progress("reading"):
        assert said.wait(10)


def test_each_thing_that_is_done_is_said_in_turn(at_once, capsys):
    with Progress("reading") as doing:
        doing.now("learning")
        doing.now("making ready")
    assert capsys.readouterr().err == "reading …\nlearning …\nmaking ready …\n"


def test_what_is_done_later_is_said_if_it_is_that_which_takes_long(monkeypatch, capsys):
    monkeypatch.setattr(module, "AFTER", 60.0)
    with Progress("reading") as doing:
        doing.now("learning")
        doing._timer.cancel()
        doing._timer.finished.clear()
        doing._show()
    assert capsys.readouterr().err == "learning …\n"


def test_a_bar_counts_also_what_was_done_before_it_appeared(monkeypatch, capsys):
    monkeypatch.setattr(module, "AFTER", 60.0)
    with Progress("translating", 10, unit="sentence") as doing:
        doing.step(3)
        doing._show()
        assert doing._bar.n == 3
        doing.step(7)
        assert doing._bar.n == 10
    assert "translating" in capsys.readouterr().err


def test_bytes_are_counted_in_large_units(at_once, capsys):
    with Progress("reading", 4_000_000, unit="B") as doing:
        doing.step(4_000_000)
    assert "4.00M/4.00M" in capsys.readouterr().err


def test_nothing_is_shown_where_it_is_not_wanted(at_once, capsys):
    with progress(False), Progress("reading") as doing:
        doing.now("learning")
    with Progress("writing"):
        pass
    assert capsys.readouterr().err == "writing …\n"


@pytest.mark.parametrize("task", TRAININGS)
def test_every_training_says_what_it_does_before_its_first_step(task, here, capsys, at_once):
    assert run("train", task, *TRAININGS[task], "--epochs", 1, "--out", "r") == 0
    said = capsys.readouterr().err
    assert said.startswith("reading the data …\n")
    assert "\nlearning the vocabulary" in said
    assert "making the model and its data ready …\n" in said
    drawing = re.findall(r"^drawing .*", said, re.M)
    assert len(drawing) == len(set(drawing)) >= 1, "of several pictures each is said to be another"
    assert run("train", task, *TRAININGS[task], "--epochs", 1, "--out", "q", "--quiet") == 0
    assert "…" not in capsys.readouterr().err


SAID = {
    ("evaluate", "translate"): [
        "reading the pairs …",
        "reading the run …",
        "translating: ",
        "measuring the perplexity …",
    ],
    ("evaluate", "caption"): ["captioning 2 held-out pictures …"],
    ("evaluate", "draw"): ["measuring 4 test pictures …", "counting colours, to compare with …"],
    ("evaluate", "chat"): ["counting n-grams, to compare with …", "answers …"],
    ("show", "lengths", "translate"): ["reading the pairs …", "cutting into tokens: "],
    ("show", "gates", "lm"): ["reading the data of the run …"],
    ("generate", "lm"): ["writing …"],
    ("translate", "translate", "red cat"): ["translating …"],
}


@pytest.mark.parametrize("command", SAID)
def test_commands_that_may_take_long_say_what_they_do(command, small_runs, here, capsys, at_once):
    assert run(*(small_runs / word if word in TRAININGS and i else word for i, word in enumerate(command))) == 0
    said = capsys.readouterr().err
    for line in SAID[command]:
        assert line in said


@pytest.mark.parametrize(("age", "expected"), [(0.0, 0.4), (0.25, 0.15), (0.35, 0.1), (60.0, 0.1)])
def test_the_time_in_which_a_process_was_loaded_counts_for_its_first_work(age, expected, monkeypatch):
    monkeypatch.setattr(module, "AFTER", 0.4)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setattr(module, "_silent_since", 1000.0 - age)
    assert Progress("reading")._timer.interval == pytest.approx(expected)
    assert Progress("learning")._timer.interval == 0.4
