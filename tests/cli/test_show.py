"""`minirnn show`: that the text says what the numbers say, with and without matplotlib, and bad input."""

import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import CELL_NAMES, InputError
from minirnn.cli.show.attention import as_text
from minirnn.inspection.compare import (
    DELAY,
    LESSON,
    Result,
    compare,
    count_trainings,
    lesson,
    read_results,
    remember_batches,
    starts,
    summarize,
    train_once,
)

SMALL = ("--examples", 200, "--hidden", 8, "--batch-size", 50, "--epochs", 2, "--quiet")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    from minirnn.cli import corpora

    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "VALID_QUESTIONS", 40)
        patch.setattr(corpora, "TEST_QUESTIONS", 40)
        run("train", "task", "--task", "copy", *SMALL, "--out", folder / "attends")
        run("train", "task", "--task", "copy", "--decoder", "handover", *SMALL, "--out", folder / "blind")
        yield folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_attention_is_shown_as_text_and_picture(runs, here, capsys):
    assert run("show", "attention", runs / "attends", "3 5 8") == 0
    out = capsys.readouterr().out
    assert "3 5 8 <eos>" in out
    assert "picture: attention.png" in out
    assert (here / "attention.png").exists()
    weights = np.array([[0.05, 0.95], [0.55, 0.45]])
    lines = as_text(weights, ["a", "b"], ["x", "y"]).splitlines()
    assert "|  @@|" in lines[0]
    assert "most: 'b', 0.95" in lines[0]
    assert "most: 'a', 0.55" in lines[1]


def test_loss_curves_of_several_runs(runs, here, capsys):
    assert run("show", "loss", runs / "attends", runs / "blind", "--out", "curves.png") == 0
    out = capsys.readouterr().out
    for name in ("attends", "blind"):
        assert f"{runs / name}, training" in out
        assert f"{runs / name}, held-out" in out
    assert (here / "curves.png").exists()


def test_lengths_of_a_run_and_of_a_file(runs, here, capsys):
    assert run("show", "lengths", runs / "attends") == 0
    assert "200 pairs" in capsys.readouterr().out
    (here / "pairs.tsv").write_text("a b\tc\na\tc d e f\n")
    assert run("show", "lengths", "--data", "pairs.tsv") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines if line and line[0].isdigit()][1:] != []


def test_without_matplotlib_there_is_still_the_text(runs, here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for command in (("attention", runs / "attends", "3 5"), ("loss", runs / "blind"), ("lengths", runs / "blind")):
        assert run("show", *command) == 0
        out = capsys.readouterr().out
        assert "no picture: matplotlib is not installed" in out
        assert len(out.splitlines()) > 5
    assert run("show", "compare", "--cells", "rnn", "--steps", 1, "--hidden", 2, "--quiet") == 0
    assert "rnn" in capsys.readouterr().out
    assert not list(here.glob("**/*.png"))


def test_bad_input_is_one_line(runs, here, capsys):
    assert "does not attend" in refused(capsys, "show", "attention", runs / "blind", "3")
    assert "nothing to translate" in refused(capsys, "show", "attention", runs / "attends", " ")
    assert "not a run directory" in refused(capsys, "show", "loss", here)
    assert "no directory" in refused(capsys, "show", "loss", runs / "blind", "--out", "a/b.png")
    assert "has its own corpus" in refused(capsys, "show", "lengths", runs / "blind", "--tokens", "char")
    assert "No such file" in refused(capsys, "show", "lengths", "--data", "missing.tsv")
    assert "invalid choice: 'lstn'" in refused(capsys, "show", "compare", "--cells", "lstn")
    (here / "file").write_text("")
    assert "is not a directory" in refused(capsys, "show", "compare", "--out", "file")
    (here / "compare").mkdir()
    (here / "compare" / "lm.csv").write_text("nonsense\n")
    assert "line 1: expected the columns" in refused(capsys, "show", "compare", "--cells", "rnn", "--quiet")


def test_the_comparison_keeps_what_it_has(tmp_path):
    table, trained = tmp_path / "table.csv", []
    settings = {"hidden": 4, "steps": 2, "step": trained.append}
    first = compare(table, "memory", ["rnn", "lstm-nfg"], 2, **settings)
    assert len(first) == 4
    before = table.read_bytes()
    again = compare(table, "memory", ["rnn", "lstm-nfg"], 2, **settings)
    assert table.read_bytes() == before
    assert [r[:7] for r in again] == [r[:7] for r in first]
    assert read_results(table) == sorted(again, key=lambda r: (r.seed, ["rnn", "lstm-nfg"].index(r.cell)))
    more = compare(table, "memory", ["rnn", "gru"], 2, **settings)
    assert table.read_bytes().startswith(before)
    assert [(r.cell, r.chrono) for r in more] == [("rnn", None)] * 2 + [("gru", None), ("gru", DELAY)] * 2
    assert len(trained) == 4 + 4 + count_trainings(["rnn", "gru"], 2) == 14
    assert read_results(table)[-1] == more[-1]
    assert more[-1].error != more[-2].error


def results(errors, chrono=None):
    return [Result("memory", c, chrono, seed, 4, 2, 10, e) for c, own in errors.items() for seed, e in enumerate(own)]


def test_a_summary_is_the_mean_and_the_range_with_what_diverged_last():
    found = summarize(results({"a": (1.0, 4.0), "b": (2.0, 2.5), "c": (0.5, float("nan"))}))
    assert [row.cell for row in found] == ["b", "a", "c"]
    assert (found[1].mean, found[1].lowest, found[1].highest) == (2.5, 1.0, 4.0)


def test_the_two_starts_of_a_cell_stand_together_in_the_order_of_the_better():
    plain = results({"a": (3.0, 3.0), "b": (2.0, 2.0), "c": (1.5, 1.5)})
    found = summarize(plain + results({"a": (1.0, 1.0), "b": (float("nan"),) * 2}, chrono=9))
    assert [row.name for row in found] == ["a", "a, chrono 9", "c", "b", "b, chrono 9"]
    assert [row.mean for row in found[:3]] == [3.0, 1.0, 1.5]


def test_only_cells_with_a_gate_that_keeps_are_compared_twice():
    assert starts("rnn") == starts("lstm-nfg") == (None,)
    assert starts("lstm") == starts("gru-after") == starts("lstm-cifg") == (None, DELAY)


def test_the_lesson_is_drawn_where_the_numbers_bear_it_out():
    chance, learnt = (2.08, 2.08), (0.0, 0.01)
    plain = results({"lstm": chance, "gru": chance, "rnn": learnt, "lstm-layer-norm": learnt})
    assert lesson(summarize(plain + results({"lstm": learnt, "gru": learnt}, chrono=40))) == LESSON
    for other in ({}, {"lstm": chance, "gru": chance}, {"lstm-layer-norm": learnt}, {"lstm": (float("nan"),) * 2}):
        assert lesson(summarize(plain + results(other, chrono=40))) == ""


def test_the_command_names_both_starts(here, capsys):
    assert run("show", "compare", "--task", "memory", "--cells", "gru", "rnn", "--steps", 1, "--hidden", 2) == 0
    shown = capsys.readouterr()
    names = {line[:16].strip() for line in shown.out.splitlines()}
    assert {"gru", f"gru, chrono {DELAY}", "rnn"} <= names
    assert "3/3" in shown.err
    assert "the best cell first" in shown.out
    errors = {line[:16].strip(): float(line[30:35]) for line in shown.out.splitlines() if " to " in line[35:50]}
    better = {
        cell: min(error for name, error in errors.items() if name.split(",")[0] == cell) for cell in ("gru", "rnn")
    }
    assert next(iter(errors)).split(",")[0] == min(better, key=better.get)
    assert LESSON not in shown.out, "after one step nothing can be seen"


def test_the_same_seed_gives_the_same_result_and_every_cell_can_be_compared():
    a, b = (train_once("memory", "gru", 3, hidden=4, steps=3) for _ in range(2))
    assert a == b
    assert a != train_once("memory", "gru", 4, hidden=4, steps=3)
    assert a.error != train_once("memory", "gru", 3, chrono=9, hidden=4, steps=3).error
    for cell in CELL_NAMES:
        for chrono in starts(cell):
            assert np.isfinite(train_once("memory", cell, 0, chrono=chrono, hidden=3, steps=1).error)
    with pytest.raises(InputError, match="unknown task 'sort'"):
        train_once("sort", "gru", 0, hidden=2, steps=1)


def test_what_is_to_be_remembered_stands_at_the_first_step_alone():
    x, answers = next(remember_batches(np.random.default_rng(0), 500))
    ids = x.data.argmax(axis=-1)
    np.testing.assert_array_equal(ids[0], answers)
    assert set(answers) == set(range(8))
    assert ids[1:].min() == 8
    assert x.shape == (41, 500, 16)
