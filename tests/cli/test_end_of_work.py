"""That work which is done ends in its report, whatever becomes of its picture, and that a picture which cannot be
written is refused before any work."""

import errno
import shutil

import pytest
from commands import refused, run
from trainings import TRAININGS

from minirnn.cli.main import GROUPS
from minirnn.cli.pictures import NOT_INSTALLED, Drawn, attempt, check_picture, draw, tell
from minirnn.errors import InputError
from minirnn.plots import common

figure = pytest.importorskip("matplotlib.figure")

LAST_LINES = {
    "lm": "more: minirnn generate r --prefix TEXT\n",
    "cloze": "more: minirnn cloze r 'the q_ick _rown'\n",
    "translate": "more: minirnn translate r 'red one' --beam 5\n      minirnn evaluate r --beam 5\n",
    "classify": "more: minirnn classify r TEXT\n",
    "caption": "/pictures/4.png\n",
    "draw": "more: minirnn draw r --samples 16 --caption TEXT\n      minirnn evaluate r\n",
    "chat": "more: minirnn chat r\n      minirnn evaluate r\n",
    "forecast": "no picture: matplotlib cannot draw: RuntimeError: first line second line\n",
}


def fail(error):
    """Something that does nothing but fail."""

    def failing(*_, **__):
        raise error

    return failing


@pytest.mark.parametrize("task", TRAININGS)
def test_a_training_ends_in_its_report_though_nothing_can_be_drawn(task, here, capsys, monkeypatch):
    monkeypatch.setattr(figure.Figure, "savefig", fail(RuntimeError("first line\n\n  second line")))
    assert run("train", task, *TRAININGS[task], "--epochs", 1, "--quiet", "--out", "r") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.count("no picture: matplotlib cannot draw: RuntimeError: first line second line\n") == 1
    assert captured.out.endswith(LAST_LINES[task])
    assert not list(here.glob("r/*.png"))


def test_lengths_that_cannot_be_drawn_are_written(here, capsys, monkeypatch):
    monkeypatch.setattr("minirnn.cli.train.translate.plot_lengths", fail(InputError("why not")))
    assert run("train", "translate", *TRAININGS["translate"], "--epochs", 1, "--quiet", "--out", "r") == 0
    out = capsys.readouterr().out
    assert "lengths, <eos> included:\nsource: 33, 3.0 tokens on average, at most 3" in out
    assert "pictures: r/loss.png, r/attention.png\n\nno picture: why not\n" in out


def test_a_picture_whose_place_is_taken_does_not_end_a_training(small_runs, here, capsys):
    shutil.copytree(small_runs / "lm", "r")
    (here / "r" / "loss.png").unlink()
    (here / "r" / "loss.png").mkdir()
    assert run("train", "lm", "--resume", "r", "--data", "text.txt", "--epochs", 2, "--quiet") == 0
    out = capsys.readouterr().out
    assert "\nno picture: r/loss.png: Is a directory\n" in out
    assert out.endswith(LAST_LINES["lm"])


def test_a_matplotlib_that_cannot_be_imported_is_no_better(small_runs, here, capsys, monkeypatch):
    broken = UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no settings")
    monkeypatch.setattr(common, "_imports", fail(broken))
    assert run("train", "cloze", *TRAININGS["cloze"], "--epochs", 1, "--quiet", "--out", "r") == 0
    assert "no picture: matplotlib cannot draw: UnicodeDecodeError: " in capsys.readouterr().out
    assert "matplotlib cannot draw: UnicodeDecodeError: " in refused(capsys, "show", "loss", small_runs / "lm")
    translate = ("translate", small_runs / "translate", "red cat", "--attention", "map.png")
    assert "matplotlib cannot draw: UnicodeDecodeError: " in refused(capsys, *translate)


SHOWN = {
    "attention": ("translate", "red cat"),
    "gates": ("lm",),
    "loss": ("lm", "translate"),
    "lengths": ("translate",),
    "neurons": ("lm",),
}


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("a\nb"), "matplotlib cannot draw: ValueError: a b"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)
def test_a_picture_that_was_asked_for_and_cannot_be_drawn_is_an_error(
    name, error, reason, small_runs, here, capsys, monkeypatch
):
    monkeypatch.setattr(figure.Figure, "savefig", fail(error))
    arguments = [small_runs / word if word in TRAININGS else word for word in SHOWN[name]]
    assert run("show", name, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.err == f"minirnn: error: {reason}\n"
    assert len(captured.out.splitlines()) > 3, "the text is worth having"


def test_a_comparison_has_its_results_and_may_lack_its_picture(here, capsys, monkeypatch):
    monkeypatch.setattr(figure.Figure, "savefig", fail(ValueError("a")))
    assert run("show", "compare", "--cells", "rnn", "--steps", 1, "--hidden", 2, "--quiet") == 0
    assert capsys.readouterr().out.endswith("\n\nno picture: matplotlib cannot draw: ValueError: a\n")
    assert (here / "compare" / "lm.csv").exists()


def test_translations_stay_alone_on_stdout_also_where_a_map_is_drawn(small_runs, here, capsys, monkeypatch):
    translate = ("translate", small_runs / "translate", "red cat", "--attention", "map.png")
    assert run(*translate) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert (here / "map.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(figure.Figure, "savefig", fail(ValueError("a")))
    assert run(*translate) == 2
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert captured.err == "minirnn: error: matplotlib cannot draw: ValueError: a\n"


ARGUMENTS = {"attention": ("no-run", "x"), "loss": ("no-run",)}


@pytest.mark.parametrize(
    "name", [m.__name__.split(".")[-1] for m in GROUPS[1][4] if not m.__name__.endswith(("compare", "bptt"))]
)
def test_where_a_picture_cannot_be_is_said_before_any_work(name, here, capsys):
    show = ("show", name, *ARGUMENTS.get(name, ()), "--out")
    assert "x.xyz: expected the name of a picture to end with .png" in refused(capsys, *show, "x.xyz")
    assert "there is no directory missing" in refused(capsys, *show, "missing/x.png")
    assert "is a directory" in refused(capsys, *show, ".")
    assert "expected a path, found ''" in refused(capsys, *show, "")


def test_a_picture_may_be_written_to_a_device(here):
    check_picture("/dev/null")
    check_picture("picture")
    with pytest.raises(InputError, match="expected the name"):
        check_picture("picture.txt")


def test_what_is_said_of_pictures(here, capsys):
    made = here / "a.png"
    assert draw(lambda path: path, made) == Drawn(made)
    assert draw(lambda: None) == Drawn(None, NOT_INSTALLED)
    assert attempt(lambda path: path, made) == Drawn(made)
    assert attempt(fail(InputError("because"))) == Drawn(None, "because")
    assert attempt(fail(FileNotFoundError(errno.ENOENT, "gone", "x"))) == Drawn(None, "x: gone")
    assert attempt(fail(MemoryError())) == Drawn(None, "matplotlib cannot draw: MemoryError:")
    with pytest.raises(KeyboardInterrupt):
        attempt(fail(KeyboardInterrupt()))
    tell(Drawn(made))
    assert capsys.readouterr().out == f"\npicture: {made}\n"
    tell(Drawn(made), Drawn(None, "x"), Drawn(made), Drawn(None, "y"), Drawn(None, "x"))
    assert capsys.readouterr().out == f"\npictures: {made}, {made}\n\nno picture: x\n\nno picture: y\n"


def test_nothing_that_varies_is_said(small_runs, here, capsys):
    (here / "same.txt").write_text("a" * 300)
    show = ("show", "neurons", small_runs / "lm", "--data", "same.txt")
    assert run(*show) == 2
    assert "nothing varies in the text" in capsys.readouterr().err
    assert run(*show, "--unit", 1) == 0
