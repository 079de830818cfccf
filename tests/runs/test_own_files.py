"""Cells, scores, tasks and optimisers from a file of the user's own: on the command line, and when a run is opened."""

import json
import warnings

import numpy as np
import pytest
from commands import printed, refused, run
from trainings import TRAININGS, write_data

import minirnn
from minirnn import Attention, Cell, InputError, MinirnnWarning, Recurrent, Run, load
from minirnn.runs.own import CELL, OPTIMIZER, SCORE, TASK, chosen_task, is_own, load_own

OWN = '''
"""What a user writes."""

import numpy as np

from minirnn import SGD, Cell, GeneratedTask, Optimizer, Score
from minirnn.layers.attention import DotScore


class Leaky(Cell):
    """h = h_prev / 2 + tanh(a) / 2"""

    gates = "h"

    def forward(self, w, wx, state):
        (h_prev,) = state
        t = np.tanh(wx + w.U @ h_prev)
        return (0.5 * h_prev + 0.5 * t,), t

    def backward(self, w, kept, dstate, da):
        (dh,) = dstate
        da[:] = 0.5 * dh * (1 - kept * kept)
        return (0.5 * dh + w.U.T @ da,)


class Halved(DotScore):
    def forward(self, query, keys, previous):
        return super().forward(query, keys, previous) * 0.5


class Sign(Optimizer):
    """p <- p - rate * sign(g)"""

    def __init__(self, parameters, learning_rate=0.01, *, momentum=0.9, weight_decay=0.0):
        self.momentum = momentum
        super().__init__(parameters, learning_rate, weight_decay=weight_decay)

    def update(self, p, g, **running):
        p -= self.learning_rate * np.sign(g)


class Needs(Cell):
    def __init__(self, size):
        self.size = size


leaky = Leaky()


def double(rng):
    """Twice a number."""
    n = int(rng.integers(1000))
    return str(n), str(2 * n)


letters = GeneratedTask(lambda: lambda rng: (" ".join(rng.choice(list("abcdefgh"), 4)), "x"), "space", "letters")
empty = lambda rng: ("", "x")
number = 3
'''
LM = ("train", "lm", *TRAININGS["lm"], "--epochs", 1, "--quiet", "--out", "r")
TRANSLATE = ("train", "translate", *TRAININGS["translate"], "--epochs", 1, "--quiet", "--out", "r")
TASK_RUN = ("train", "task", "--examples", 40, "--hidden", 4, "--embedding", 3, "--epochs", 1, "--quiet", "--out", "r")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with data and with own.py, where the test works."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.setattr("minirnn.cli.corpora.VALID_QUESTIONS", 10)
    monkeypatch.setattr("minirnn.cli.corpora.TEST_QUESTIONS", 10)
    return tmp_path / "own.py"


def test_names_in_files_are_told_from_names():
    assert all(map(is_own, ("own.py:Leaky", "../a b/own.py:x", "/own.py:X_1", "C:\\own.py:X")))
    assert not any(map(is_own, ("own.py", "own.py:", ".py:X", "own:Leaky", "own.py:a.b", "gru", "", "own.py:a b")))


def test_a_language_model_of_ones_own_cell_and_optimiser(own, capsys):
    assert run(*LM, "--cell", "own.py:Leaky", "--optimizer", "own.py:Sign") == 0
    config = Run("r").config
    assert (config["options"]["cell"], config["options"]["optimizer"]) == (f"{own}:Leaky", f"{own}:Sign")
    assert list(config["files"]) == [str(own)]
    writer = load("r")
    assert type(writer.model.recurrent.cell).__name__ == "Leaky"
    text = writer.generate("the", 20, seed=0)
    assert text + "\n" == printed("generate", "r", "--prefix", "the", "--length", 20)
    assert run("train", "lm", "--resume", "r", "--epochs", 2, "--quiet") == 0
    own.unlink()
    for command in (("generate", "r"), ("train", "lm", "--resume", "r", "--epochs", 3)):
        capsys.readouterr()
        assert refused(capsys, *command).endswith(
            f"r needs a file of your own, which its run.json names: {own}: there is no such file: "
            "put it there or beside the run, or change 'cell' in r/run.json\n"
        )
    with pytest.raises(InputError, match="r needs a file of your own"):
        load("r")


@pytest.mark.parametrize("to", ["elsewhere", "elsewhere/r"])
def test_a_file_that_was_moved_with_its_run_is_found_again(own, capsys, monkeypatch, to):
    assert run(*LM, "--cell", "own.py:Leaky") == 0
    elsewhere = own.with_name("elsewhere")
    elsewhere.mkdir()
    for name in ("r", "text.txt"):
        own.with_name(name).rename(elsewhere / name)
    moved = own.rename(own.parent / to / "own.py")
    monkeypatch.chdir("/")
    assert type(load(elsewhere / "r").model.recurrent.cell).__name__ == "Leaky"
    data = elsewhere / "text.txt"
    capsys.readouterr()
    gone = f"{own.with_name('text.txt')}: there is no such file: if it was moved, say where to with --data\n"
    assert refused(capsys, "train", "lm", "--resume", elsewhere / "r", "--epochs", 2).endswith(gone)
    assert run("train", "lm", "--resume", elsewhere / "r", "--epochs", 2, "--quiet", "--data", data) == 0
    config = Run(elsewhere / "r").config
    assert config["options"]["cell"] == f"{moved}:Leaky"
    assert list(config["files"]) == [str(moved)]
    moved.write_text(f"{OWN}\n# changed\n")
    capsys.readouterr()
    assert run("generate", elsewhere / "r", "--length", 3) == 0
    assert capsys.readouterr().err == f"note: {moved} has changed since {elsewhere / 'r'} was begun\n"


def test_another_file_of_its_name_is_not_taken_for_it(own, capsys):
    assert run(*LM, "--cell", "own.py:Leaky") == 0
    capsys.readouterr()
    own.unlink()
    (own.parent / "r" / "own.py").write_text(f"{OWN}\n# another\n")
    said = refused(capsys, "generate", "r")
    assert f"there is no such file ({own.parent / 'r' / 'own.py'} is another than the run was begun with): " in said


def test_a_cell_may_be_an_instance_and_is_that_of_every_layer(own):
    assert run(*TRANSLATE, "--cell", "own.py:leaky", "--encoder", "backward") == 0
    model = load("r").model
    assert model.encoder.recurrent.cell is model.decoder.recurrent.cell
    assert type(model.encoder.recurrent.cell).__name__ == "Leaky"


def test_a_translation_with_ones_own_score(own, capsys):
    assert run(*TRANSLATE, "--score", own.name + ":Halved", "--encoder", "backward") == 0
    translator = load("r")
    assert type(translator.model.decoder.attention.score).__name__ == "Halved"
    assert translator.translate(["one cat"])[0][0].text + "\n" == printed("translate", "r", "one cat")


def test_a_task_of_ones_own(own):
    assert run(*TASK_RUN, "--task", "own.py:double") == 0
    assert load("r", minirnn.Translator).source.tokens == "char"
    assert "test questions" in printed("evaluate", "r")
    assert run(*TASK_RUN[:-1], "s", "--task", "own.py:letters") == 0
    assert load("s").source.tokens == "space"
    assert chosen_task("own.py:double").about == "Twice a number."


def test_a_changed_file_is_noted(own, capsys):
    assert run(*LM, "--cell", "own.py:Leaky") == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load("r")
    own.write_text(OWN.replace("0.5 * h_prev + 0.5 * t", "0.25 * h_prev + 0.75 * t"))
    note = f"{own} has changed since r was begun"
    with pytest.warns(MinirnnWarning, match=note.replace(".", r"\.")):
        writer = load("r")
    h, _ = writer.model.recurrent.cell.forward(
        minirnn.cells.cell.Weights(U=np.zeros((1, 1))), np.zeros((1, 1)), (np.ones((1, 1)),)
    )
    assert h[0].item() == 0.25  # it is what the file says now
    capsys.readouterr()
    assert run("generate", "r", "--length", 3) == 0
    assert capsys.readouterr().err == f"note: {note}\n"
    config = json.loads((own.parent / "r" / "run.json").read_text())
    for files in (7, {str(own): 7}, {}, None):
        (own.parent / "r" / "run.json").write_text(json.dumps({**config, "files": files}))
        with warnings.catch_warnings(record=True):
            load("r")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--cell", "gone.py:X", "gone.py: there is no such file"),
        ("--cell", "own.py:Gone", "own.py has no 'Gone'; it has Halved, Leaky, Needs, Sign, double, "),
        ("--cell", "own.py:Needs", "own.py:Needs cannot be made: Needs.__init__() missing 1 required"),
        (
            "--cell",
            "own.py:Halved",
            "own.py:Halved is not a cell: expected a subclass of minirnn.Cell, or one of its ins",
        ),
        ("--cell", "own.py:number", "own.py:number is not a cell"),
        ("--optimizer", "own.py:Leaky", "is not an optimiser: expected a subclass of minirnn.Optimizer"),
        ("--optimizer", "own.py:Optimizer", "is not an optimiser"),
        ("--cell", "grue", "invalid choice: 'grue'"),
        ("--cell", "FILE.py:NAME", "FILE.py: there is no such file"),
        ("--cell", ".py:NAME", "invalid choice"),
        ("--cell", "syntax.py:X", "syntax.py line 2: SyntaxError: "),
        ("--cell", "fails.py:X", "fails.py line 3: ZeroDivisionError: division by zero"),
        ("--cell", "leaves.py:X", "leaves.py line 1: SystemExit: 3"),
        ("--cell", "bytes.py:X", "bytes.py"),
        ("--cell", "folder.py:X", "folder.py: Is a directory"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(option, value, message, own, capsys):
    (own.parent / "syntax.py").write_text("x = 1\nclass X(:\n")
    (own.parent / "fails.py").write_text("x = 1\n\nx / 0\n")
    (own.parent / "leaves.py").write_text("raise SystemExit(3)\n")
    (own.parent / "bytes.py").write_bytes(b"\xff\x00")
    (own.parent / "folder.py").mkdir()
    assert f"error: argument {option}: " in (said := refused(capsys, *LM, option, value))
    assert message in said
    assert not (own.parent / "r").exists()


def test_a_score_and_a_task_are_looked_at_too(own, capsys):
    assert "is not an attention score" in refused(capsys, *TRANSLATE, "--score", "own.py:Leaky")
    assert "is not an attention score" in refused(capsys, *TRANSLATE, "--score", "own.py:Score")
    assert "is not a task" in refused(capsys, *TASK_RUN, "--task", "own.py:Leaky")
    assert "is not a task" in refused(capsys, *TASK_RUN, "--task", "own.py:number")
    said = refused(capsys, *TASK_RUN, "--task", "own.py:empty")
    assert "a question and its answer, two texts that are not empty, not ('', 'x')" in said


def test_momentum_goes_to_an_optimiser_that_has_some(own, capsys):
    assert "--momentum goes with --optimizer sgd" in refused(capsys, *LM, "--momentum", 0.5)
    assert "--momentum goes with --optimizer sgd" in refused(capsys, *LM, "--momentum", 0.5, "--optimizer", "adamw")
    from minirnn import Linear
    from minirnn.cli.training import make_optimizer

    options = {"optimizer": "own.py:Sign", "momentum": 0.5, "weight-decay": None, "lr": 0.1}
    assert make_optimizer(Linear(1, 1), options).momentum == 0.5
    assert make_optimizer(Linear(1, 1), {**options, "momentum": 0.0}).momentum == 0.9  # its own default


def test_help_says_that_a_file_can_be_named(capsys):
    for command, option in (("lm", "--cell"), ("lm", "--optimizer"), ("translate", "--score"), ("task", "--task")):
        assert run("train", command, "--help") == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "FILE.py:NAME" in said[said.index(f" {option} ") :].split(" --")[1]


def test_in_python_a_cell_or_a_score_is_given_as_it_is(own):
    leaky, halved = load_own("own.py:Leaky"), load_own("own.py:Halved")
    assert leaky is load_own(f"{own}:Leaky")
    cell = leaky()
    assert minirnn.make_cell(cell) is cell
    assert Recurrent(cell, 2, 3).cell is minirnn.LanguageModel(5, 3, cell=cell).recurrent.cell is cell
    assert type(Attention(halved, 4, 4, 4).score) is halved
    for bad in ("halved", Cell, 3, None):
        with pytest.raises(InputError, match="unknown attention score"):
            Attention(bad, 4, 4, 4)
    for choice, name in ((CELL, "Leaky"), (SCORE, "Halved"), (TASK, "double"), (OPTIMIZER, "Sign")):
        assert choice.own(f"own.py:{name}") is not None


def test_ones_own_cell_and_score_pass_the_gradient_check(own):
    from minirnn import gradcheck

    cell, rng = load_own("own.py:Leaky")(), np.random.default_rng(0)
    layer = Recurrent(cell, 2, 3, rng=0, dtype=np.float64)
    gradcheck(lambda x, *weights: layer(x), {"x": rng.standard_normal((4, 2, 2)), **layer.named_parameters()})


WRONG = """
from own import Leaky


class Doubled(Leaky):
    def backward(self, w, kept, dstate, da):
        return tuple(2 * dh for dh in super().backward(w, kept, dstate, da))


class Empty(Leaky):
    def forward(self, w, wx, state):
        return state[5]
"""


def test_gradients_of_ones_own_cell_are_checked(own, capsys, monkeypatch):
    assert run("gradcheck", "own.py:Leaky") == 0
    out = capsys.readouterr().out
    assert "cell Leaky (reverse, lengths) " in out
    assert "layer Leaky (2 layers, 2 directions, lengths) " in out
    assert "\n4 right, 0 wrong" in out
    assert run("gradcheck", "own.py:leaky") == 0
    capsys.readouterr()
    monkeypatch.syspath_prepend(str(own.parent))
    own.with_name("wrong.py").write_text(WRONG)
    assert run("gradcheck", "wrong.py:Doubled") == 1
    out = capsys.readouterr().out
    assert "\n0 right, 4 wrong" in out
    assert "\ncell Doubled: gradient of " in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("own.py:number", "own.py:number is not a cell: expected a subclass of minirnn.Cell"),
        ("own.py:Lea", "own.py has no 'Lea'; it has "),
        ("nothing.py:Leaky", "nothing.py: there is no such file"),
        ("own.py:Needs", "own.py:Needs cannot be made: "),
    ],
)
def test_what_is_no_cell_is_neither_checked_nor_compared(own, capsys, text, words):
    assert refused(capsys, "gradcheck", text).startswith(f"minirnn: error: {words}")
    assert words in refused(capsys, "show", "compare", "--cells", "rnn", text)
    assert not own.with_name("compare").exists()


def test_a_cell_that_fails_in_the_check_is_blamed_by_its_line(own, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(own.parent))
    own.with_name("wrong.py").write_text(WRONG)
    assert run("gradcheck", "wrong.py:Empty") == 2
    assert "wrong.py:Empty line 12: IndexError: tuple index out of range\n" in capsys.readouterr().err
    assert "a cell of your own is FILE.py:NAME" in refused(capsys, "gradcheck", "own.py")


COMPARE = ("show", "compare", "--task", "memory", "--steps", 1, "--hidden", 2, "--quiet", "--cells", "rnn")


def test_ones_own_cell_is_compared_and_anew_when_it_has_changed(own, capsys):
    for changed, lines in ((OWN, 3), (OWN, 3), (f"{OWN}\n# another\n", 4)):
        own.write_text(changed)
        assert run(*COMPARE, "own.py:Leaky") == 0
        shown = [line[:16].strip() for line in capsys.readouterr().out.splitlines()]
        assert {"own.py:Leaky", "rnn"} <= set(shown)
        assert len(own.with_name("compare").joinpath("memory.csv").read_text().splitlines()) == lines
