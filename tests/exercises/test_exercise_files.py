"""A learner's file, whatever is in it: one sentence says what is wrong, and nothing is lost."""

import os
import re
import textwrap
from pathlib import Path

import pytest
from commands import refused, run
from right_answers import RIGHT

import minirnn.exercises
from minirnn.errors import InputError
from minirnn.exercises import EXERCISES
from minirnn.exercises.files import check_file, start
from minirnn.pages.reading.sources import find as find_page

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BEGIN = "import numpy as np\n"
RNN = BEGIN + RIGHT["rnn-forward"][0]


@pytest.fixture
def check(tmp_path):
    def checked(source, name="answer.py", limit=10.0):
        file = tmp_path / name
        file.write_text(source, encoding="utf-8")
        report, printed = check_file(file, limit)
        assert "Traceback" not in str(report)
        checked.printed = printed
        return report

    return checked


@pytest.mark.parametrize("name", ["rnn-forward", "clipped-precision"])
def test_a_right_file_is_right(name, check):
    report = check("\ufeff" + BEGIN + "from collections import Counter\n" + RIGHT[name][0])
    assert report.right, report
    assert f"minirnn exercise solution {name}" in str(report)


def test_what_a_file_prints_is_shown_and_disturbs_nothing(check):
    report = check(
        "print('loading')\n" + RNN.replace("    return", "    print(a.shape)\n    return") + "print('x' * 10**7)\n"
    )
    assert report.right
    assert check.printed.startswith("loading\nxxx")
    assert len(check.printed) == 2001
    assert check.printed.endswith("x…")


def test_an_endless_loop_is_stopped_at_its_line(check):
    loop = "    while True:\n        try:\n            a = a + 1\n        except BaseException:\n            pass\n"
    report = check(RNN.replace("    return", f"{loop}    return"), limit=0.5)
    assert re.search(r"^line \d+: after 0\.5 seconds it was still running here", report.trouble)


def test_an_operation_without_end_is_stopped_from_outside(check, monkeypatch):
    monkeypatch.setattr("minirnn.exercises.files.GRACE", 0.1)
    report = check("x = 10 ** 10 ** 10\n" + RNN, limit=0.2)
    assert "after 0.2 seconds it was still running" in report.trouble


def test_python_that_is_ended_in_the_file(check):
    assert check("import sys\nsys.exit(0)\n" + RNN).trouble.startswith("line 2: it ends Python (sys.exit)")
    assert "Python ended (status 0)" in check("import os\nos._exit(0)\n" + RNN).trouble


def test_a_function_that_is_taken_away_again(check):
    assert "no function rnn_forward any more" in check(RNN + "\ndel rnn_forward\n").trouble


def test_the_line_of_their_file_and_the_shapes_in_it(check):
    report = check(RNN.replace("W @ x", "x @ W"))
    assert report.trouble.startswith("line 4: ValueError: matmul: ")
    assert re.search(r"\(x is \(\d, \d\), W is \(\d, \d\), U is .*\)$", report.trouble)


def test_modules_beside_the_file_can_be_imported_and_shadow_nothing(check, tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('shadow')")
    (tmp_path / "mine.py").write_text("two = 2")
    monkeypatch.chdir(tmp_path)
    assert check("import mine\n" + RNN).right


# From here on no process is started: the file is not run.


def test_what_is_not_python(check):
    assert check(RNN.replace("h_prev, W", "h_prev W")).trouble.startswith("line 3: this is not Python yet: ")
    assert check(RNN.replace("    a =", "  a =")).trouble.startswith("line 5: this is not Python yet: un")
    assert "not Python" in check(RNN + "\0").trouble


def test_a_missing_function(check):
    report = check(RNN.replace("rnn_forward", "forward"), name="rnn-forward.py")
    assert report.trouble == "there is no function rnn_forward: begin it with `def rnn_forward(x, h_prev, W, U, b):`"


def command(capsys, *arguments):
    status = run("exercise", *arguments)
    return status, capsys.readouterr().out


def test_the_list_has_a_line_for_each(capsys):
    status, out = command(capsys)
    assert status == 0
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[: len(EXERCISES)]] == [
        [str(i + 1), name] for i, name in enumerate(EXERCISES)
    ]
    assert all(len(line) < 100 for line in lines)


def test_a_file_is_begun_and_never_over_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(capsys, "start", "rnn-backward")[0] == 0
    assert "rnn_backward.py exists already" in refused(capsys, "exercise", "start", "rnn-backward")
    assert command(capsys, "start", "rnn-backward", "--out", "b.py")[0] == 0
    text = (tmp_path / "b.py").read_text(encoding="utf-8")
    assert text == (tmp_path / "rnn_backward.py").read_text(encoding="utf-8")
    status, out = command(capsys, "check", "b.py")
    assert status == 1
    assert "da has no value yet, and `...` is still there" in out
    (tmp_path / "b.py").write_text(
        text.replace("    ...\n", '    """."""\n' + RIGHT["rnn-backward"][0].split(":", 1)[1]), encoding="utf-8"
    )
    status, out = command(capsys, "check", "b.py")
    assert status == 0, out
    assert out.count("right") >= 6


@pytest.mark.parametrize("name", EXERCISES)
def test_templates_say_everything_and_solutions_are_the_engine(name, capsys):
    exercise = EXERCISES[name]
    template = exercise.template()
    compile(template, name, "exec")
    assert not set(exercise.inputs) & set(exercise.outputs)  # else what is not filled in would seem to be there
    assert max(map(len, template.splitlines())) <= 120
    assert all(f"{word}: " in template for word in (*exercise.inputs, *exercise.outputs))
    status, out = command(capsys, "solution", name)
    assert status == 0
    assert out == exercise.solution()
    assert "def " in out
    assert all(f": {source.__qualname__}\n" in out for source in exercise.sources)


def test_the_example_shows_what_is_said(tmp_path, capsys):
    source = BEGIN + RIGHT["rnn-backward"][0]
    for old, new in (("U.T @", "U @"), ("da @ h_prev.T", "da @ h.T"), ("da.sum(", "da.mean(")):
        assert old in source
        source = source.replace(old, new)
    (tmp_path / "a.py").write_text(source, encoding="utf-8")
    status, out = command(capsys, "check", tmp_path / "a.py", "--threads", 1)
    assert status == 1
    assert textwrap.indent(out, "    ") in minirnn.exercises.__doc__
    assert "lists sixteen pieces" in README
    assert len(EXERCISES) == 16


def test_wrong_arguments_get_one_line(tmp_path, capsys):
    assert "NAME" in refused(capsys, "exercise", "start", "nothing")
    assert "NAME" in refused(capsys, "exercise", "solution", "nothing")
    assert "No such file" in refused(capsys, "exercise", "check", tmp_path / "none.py")
    assert "directory" in refused(capsys, "exercise", "check", tmp_path)
    assert "no ordinary file" in refused(capsys, "exercise", "check", os.devnull)
    assert "no directory" in refused(capsys, "exercise", "start", "slopes", "--out", tmp_path / "no" / "a.py")
    for content, words in (
        (b"x = 1\n", "no function of an exercise"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"#" * 2**21, "bytes"),
    ):
        (tmp_path / "a.py").write_bytes(content)
        assert words in refused(capsys, "exercise", "check", tmp_path / "a.py")
    both = BEGIN + RIGHT["slopes"][0] + RIGHT["rnn-forward"][0]
    (tmp_path / "a.py").write_text(both, encoding="utf-8")
    assert "2 exercises" in refused(capsys, "exercise", "check", tmp_path / "a.py")
    assert os.listdir(tmp_path) == ["a.py"]


def test_what_is_handed_out_is_what_there_is():
    page = (Path(minirnn.exercises.__file__).parent / "README.md").read_text("utf-8")
    handed_out = [name for row in re.findall(r"^\| \d .*$", page, re.M) for name in re.findall(r"`([a-z-]+)`", row)]
    assert sorted(name for name in handed_out if name in EXERCISES) == sorted(EXERCISES)
    assert [name for name in handed_out if name not in EXERCISES] == []
    for name in re.findall(r"minirnn read (\w+)", page):
        assert find_page(name), name


@pytest.mark.parametrize("name", ["rnn-backward", "gru-backward", "lstm-backward", "attention-backward"])
def test_the_way_back_can_be_left_to_be_derived(name, tmp_path):
    start(EXERCISES[name], tmp_path / "plain.py")
    start(EXERCISES[name], tmp_path / "derive.py", derive=True)
    plain, derive = ((tmp_path / f"{one}.py").read_text("utf-8") for one in ("plain", "derive"))
    assert "Forward" in derive
    assert "derive it" in derive
    assert len(derive) < len(plain)
    for output in EXERCISES[name].outputs:
        assert not re.search(rf"^\s*{output}\s+=", derive, re.M), output
    with pytest.raises(InputError, match="no equations of a way back"):
        start(EXERCISES["slopes"], tmp_path / "slopes.py", derive=True)
    assert not (tmp_path / "slopes.py").exists()
