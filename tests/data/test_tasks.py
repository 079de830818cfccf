"""Generated tasks: that the answers are right, that no question is in two splits, and the command from end to end."""

import datetime
import sys

import pytest
from commands import refused, run

from minirnn import InputError, Pair, Run
from minirnn.cli import corpora
from minirnn.data.tasks import TASKS, GeneratedTask, task_pairs

ENGLISH = ("%b %d, %Y", "%B %d, %Y", "%A, %B %d, %Y", "%d %B %Y", "%A %d %B %Y", "%a %d %B %Y", "%d %b %Y", "%d.%m.%Y")


@pytest.mark.parametrize("name", TASKS)
def test_splits_are_disjoint_seeded_and_of_the_size_asked_for(name):
    splits = task_pairs(name, (300, 50, 100), seed=3)
    assert [len(split) for split in splits] == [300, 50, 100]
    assert len({pair.source for split in splits for pair in split}) == 450
    assert splits == task_pairs(name, (300, 50, 100), seed=3)
    assert splits != task_pairs(name, (300, 50, 100), seed=4)


def test_the_answers_are_right():
    for source, target in task_pairs("copy", (200,))[0]:
        assert source == target
    lengths = set()
    for source, target in task_pairs("reverse", (2000,))[0]:
        numbers = [int(n) for n in source.split()]
        assert [int(n) for n in target.split()] == list(reversed(numbers))
        assert all(0 <= n <= 50 for n in numbers)
        lengths.add(len(numbers))
    assert lengths == set(range(1, 26))
    for source, target in task_pairs("addition", (2000,))[0]:
        a, b = source.split("+")
        assert int(a) + int(b) == int(target)
        assert all(len(n) <= 3 and str(int(n)) == n for n in (a, b))


def test_dates_are_read_back_by_another_reader():
    pytest.importorskip("babel")
    understood = 0
    for source, target in task_pairs("dates", (4000,))[0]:
        day = datetime.date.fromisoformat(target)
        assert 1970 <= day.year <= 2037
        assert str(day.year) in source
        assert str(day.day) in source
        for form in ENGLISH:  # strptime knows English alone, and numbers
            try:
                found = datetime.datetime.strptime(source, form).date()
            except ValueError:
                continue
            assert found == day
            understood += 1
            break
    assert understood > 500


def test_dates_without_babel_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel.dates", None)
    with pytest.raises(InputError, match=r"pip install 'minirnn\[data\]'"):
        task_pairs("dates", (1,))


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="unknown task 'sort'"):
        task_pairs("sort", (1,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "coin", GeneratedTask(lambda: lambda rng: Pair(str(rng.integers(2)), "x"), "char", ""))
        assert {pair.source for pair in task_pairs("coin", (2,))[0]} == {"0", "1"}
        with pytest.raises(InputError, match="too few questions for 3"):
            task_pairs("coin", (2, 1))


@pytest.fixture(scope="module", autouse=True)
def few_questions():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "VALID_QUESTIONS", 40)
        patch.setattr(corpora, "TEST_QUESTIONS", 100)
        yield


SMALL = ("--examples", 300, "--hidden", 8, "--batch-size", 64, "--quiet")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("task") / "run"
    return folder, run("train", "task", "--task", "addition", *SMALL, "--epochs", 1, "--out", folder)


def test_training_tests_on_unseen_questions(trained, capsys):
    folder, _ = trained
    assert Run(folder).config["task"] == "task"
    assert (folder / "attention.png").exists()
    assert run("evaluate", folder, "--max-pairs", 20) == 0
    assert "20 test questions, greedy" in capsys.readouterr().out
    assert run("translate", folder, "12+3") == 0
    assert set(capsys.readouterr().out.strip()) <= set("0123456789 ")


@pytest.mark.slow
def test_a_resumed_task_ends_as_one_that_was_not_interrupted(tmp_path):
    options = ("train", "task", "--task", "reverse", *SMALL)
    run(*options, "--epochs", 2, "--out", tmp_path / "whole")
    run(*options, "--epochs", 1, "--out", tmp_path / "half")
    run("train", "task", "--resume", tmp_path / "half", "--epochs", 2, "--quiet")
    for name, array in Run(tmp_path / "whole").model_state("last").items():
        assert (array == Run(tmp_path / "half").model_state("last")[name]).all()


def test_bad_input_is_one_line(trained, tmp_path, capsys):
    folder, _ = trained
    assert "invalid choice: 'sort'" in refused(capsys, "train", "task", "--task", "sort")
    assert "is a run of 'task', not of 'translate'" in refused(capsys, "train", "translate", "--resume", folder)
    assert "--task cannot change on --resume" in refused(capsys, "train", "task", "--resume", folder, "--task", "copy")
    assert "--score goes with" in refused(capsys, "train", "task", "--decoder", "context", "--score", "dot", *SMALL)
