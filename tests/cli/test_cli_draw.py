"""Pictures drawn from the command line: pictures as users bring them, what is kept of them, and what is refused."""

import json
import math
import re
import shlex
import shutil

import numpy as np
import pytest
from commands import refused, run
from PIL import Image
from trainings import TRAININGS, write_data

from minirnn import load_checkpoint
from minirnn.artist import BLANK
from minirnn.cli.drawn import _shuffled, by_place, true_of
from minirnn.data import sketches
from minirnn.models.drawing import ORDERS, order_of
from minirnn.plots import common
from minirnn.training.drawing import Captions, Classes

SIZE, SQUARE = 4, 4
QUICK = ("--hidden", 4, "--epochs", 1, "--quiet")
WINDOW = ("--window", 3)
CAPTIONED = TRAININGS["draw"]


def stripes(count=20):
    """Pictures of 4 by 4, black and white: a stripe that lies or stands, somewhere; and which of both."""
    x, y = np.zeros((count, SIZE, SIZE), np.uint8), np.arange(count) % 2
    for i in range(count):
        x[(i, i // 2 % SIZE) if y[i] else (i, slice(None), i // 2 % SIZE)] = 255
    return x, y


def write_all(folder):
    write_data(folder)
    x, y = stripes()
    np.savez(folder / "plain.npz", x=x)
    np.savez(folder / "classed.npz", x=x, y=np.array(["standing", "lying"])[y])
    for i, one in enumerate(x):
        (folder / "sorted" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(folder / "sorted" / "ab"[i % 2] / f"{i}.png")
    Image.fromarray(x[3]).save(folder / "lying.png")


@pytest.fixture(autouse=True)
def without_matplotlib(monkeypatch):
    """What it draws takes longer than all the rest."""
    monkeypatch.setattr(common, "has_matplotlib", lambda: False)


@pytest.fixture
def here(tmp_path, monkeypatch):
    write_all(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run that is told captions, one that is told classes, and one that is told nothing."""
    folder = tmp_path_factory.mktemp("drawing")
    write_all(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common, "has_matplotlib", lambda: False)
        patch.chdir(folder)
        assert run("train", "draw", *CAPTIONED, "--epochs", 1, "--quiet", "--out", "captioned") == 0
        given = ("--images", "classed.npz", "--condition", "class", *WINDOW)
        assert run("train", "draw", *given, *QUICK, "--model", "row", "--out", "classed") == 0
        given = ("--images", "plain.npz", "--binarize", 0.5, "--model", "raster")
        assert run("train", "draw", *given, *QUICK, "--out", "plain") == 0
    return folder


@pytest.fixture
def there(runs, monkeypatch):
    monkeypatch.chdir(runs)
    return runs


def frames(folder, count, size=SIZE):
    """The pixels (stages, count, size, size, 3) of frames."""
    columns, found = math.ceil(math.sqrt(count)), []
    for file in sorted(folder.iterdir()):
        pixels = np.asarray(Image.open(file))
        rows = math.ceil(count / columns)
        assert pixels.shape == (SQUARE * (rows * (size + 1) + 1), SQUARE * (columns * (size + 1) + 1), 3)
        places = [(1 + i // columns * (size + 1), 1 + i % columns * (size + 1)) for i in range(count)]
        small = pixels[::SQUARE, ::SQUARE]
        np.testing.assert_array_equal(small.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1), pixels)
        found.append([small[top : top + size, left : left + size] for top, left in places])
    return np.array(found)


def drawn(to, *options, count=3):
    """What the command draws: `frames`."""
    assert run("draw", *options, "--samples", count, "--out", to / "d.png") == 0
    return frames(to / "d-frames", count)


@pytest.mark.parametrize(
    ("model", "order"), [("diagonal", "rows"), ("row", "rows"), *(("raster", order) for order in ORDERS)]
)
def test_every_model_completes_in_its_order_what_is_kept(model, order, here, capsys):
    options = ("--order", order) if model == "raster" else WINDOW
    given = ("--images", "plain.npz", "--model", model, "--features", 3, *options)
    assert run("train", "draw", *given, *QUICK, "--out", "r") == 0
    assert f"lstm, {model}{f', {order}' if model == 'raster' else ''}, " in capsys.readouterr().out
    places, whole = order_of(order, SIZE, SIZE), np.asarray(Image.open("lying.png").convert("RGB")).reshape(16, 3)
    for keep, kept in [((), 8), (("--keep", 0.25), 4), (("--keep", 0), 0), (("--keep", 1), 16)]:
        found = drawn(here, "r", "--complete", "lying.png", "--frames", 4, *keep).reshape(4, 3, 16, 3)[:, :, places]
        assert (found[:, :, :kept] == whole[places[:kept]]).all()
        for stage, done in enumerate(np.linspace(kept, 16, 5)[1:].round().astype(int)):
            assert (found[stage, :, :done] == found[-1, :, :done]).all()
            assert (found[stage, :, done:] == BLANK).all()
            assert not (found[stage, :, :done] == BLANK).any()


def test_a_drawing_and_its_frames_are_where_they_are_said_to_be(there, tmp_path, capsys, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(there)
    assert run("draw", "plain") == 0
    assert capsys.readouterr().out == "\npictures: plain/drawings.png, plain/drawings-frames\n"
    assert frames(there / "plain" / "drawings-frames", 16).shape == (8, 16, SIZE, SIZE, 3)
    assert Image.open(there / "plain" / "drawings.png").size > (500, 500)
    assert run("draw", "plain", "--complete", "lying.png", "--samples", 1, "--frames", 1) == 0
    assert capsys.readouterr().out == "\npictures: plain/completions.png, plain/completions-frames\n"
    assert frames(there / "plain" / "completions-frames", 1).shape[0] == 1
    assert run("draw", "plain", "--samples", 1, "--frames", 0, "--out", tmp_path / "none.png") == 0
    assert [file.name for file in tmp_path.iterdir()] == ["none.png"]
    assert run("draw", "plain", "--samples", 1, "--out", "/dev/null") == 0


def test_frames_take_the_place_of_earlier_ones_and_of_nothing_else(there, tmp_path, capsys):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "00.png").write_text("mine")
    found = drawn(tmp_path, "plain", "--frames", 101)
    blank = (found == BLANK).sum(axis=(1, 2, 3, 4))
    assert len(blank) == 16  # one for each pixel: there are no more
    assert (np.diff(blank) <= 0).all()  # their names sort in the order in which they came about
    assert len(drawn(tmp_path, "plain", "--frames", 2)) == 2
    assert (tmp_path / "d" / "00.png").read_text() == "mine"
    (tmp_path / "e-frames").touch()
    capsys.readouterr()
    assert "e-frames is a file" in refused(capsys, "draw", "plain", "--out", tmp_path / "e.png")
    assert run("draw", "plain", "--frames", 0, "--out", tmp_path / "e.png") == 0


def test_the_same_seed_draws_the_same(there, tmp_path):
    found = [drawn(tmp_path, "plain", "--seed", seed)[-1] for seed in (1, 1, 2)]
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()
    surest = [drawn(tmp_path, "plain", "--temperature", 0, "--seed", seed)[-1] for seed in (1, 2)]
    assert (surest[0] == surest[1]).all()
    assert (surest[0] == surest[0][:1]).all()
    assert (found[0] != found[0][:1]).any()


def test_what_is_to_be_drawn_is_said(there, tmp_path, capsys):
    to = ("--out", tmp_path / "d.png", "--frames", 0, "--samples", 3)
    assert run("draw", "classed", *to) == 0
    assert capsys.readouterr().out.startswith("1: lying\n2: standing\n\n")
    assert run("draw", "classed", "--class", "standing", *to) == 0
    assert capsys.readouterr().out.startswith("1: standing\n\n")
    assert run("draw", "captioned", "--caption", "A red stripe", *to) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("1: A red stripe\n\n")
    assert captured.err == ""
    for caption, words in (("a huge stripe", "1 word"), ("two huge stripes", "3 words")):
        assert run("draw", "captioned", "--caption", caption, *to) == 0
        assert capsys.readouterr().err == f"minirnn: of the caption {words} never occurred in training\n"


def test_what_a_model_is_told_decides_what_it_draws(here):
    given = ("--images", "classed.npz", "--condition", "class", "--hidden", 24)
    learning = ("--lr", 0.01, "--warmup", 0, "--batch-size", 4, "--epochs", 20)
    assert run("train", "draw", *given, *learning, "--quiet", "--out", "r") == 0
    for name in ("standing", "lying"):
        whole = drawn(here, "r", "--class", name, "--temperature", 0.5, "--frames", 1, count=64)[-1, ..., 0]
        stripes_of = {"standing": whole == whole[:, :1], "lying": whole == whole[:, :, :1]}
        for other, stripe in stripes_of.items():
            share = (stripe.all(axis=(1, 2)) & whole.any(axis=(1, 2))).mean()
            assert share > 0.4 if other == name else share < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--captions", "captions.tsv"), "--captions goes with --images"),
        (("--size", 8), "--size goes with --images"),
        (("--images", "plain.npz", "--built-in", "digits"), "--built-in goes without --images"),
        (("--images", "plain.npz", "--examples", 5), "--examples goes with the built-in sketches"),
        (("--built-in", "digits", "--examples", 5), "--examples goes with the built-in sketches"),
        (("--test-every", 3), "--test-every goes with"),
        (("--images", "plain.npz", "--levels", 4, "--palette", 4), "--levels goes without --palette"),
        (("--images", "plain.npz", "--palette", 4, "--binarize", "random"), "--palette goes without --binarize"),
        (("--levels", 4), "sketches have eleven colours"),
        (("--images", "plain.npz", "--condition", "caption"), "--condition caption goes with --captions"),
        (("--condition", "class"), "--condition class goes with"),
        (("--images", "pictures", "--captions", "captions.tsv", "--condition", "class"), "--condition class goes with"),
        (("--order", "columns"), "--order goes with --model raster"),
        (("--model", "raster", "--window", 3), "--window goes with --model diagonal or row"),
        (("--window", 4), "--window must be odd"),
        (("--images", "plain.npz", "--told", 4), "--told goes with --condition"),
        (("--images", "plain.npz", "--captions", "captions.tsv"), "--captions goes with a folder"),
        (("--images", "plain.npz", "--condition", "class"), "these pictures have no classes"),
        (("--images", "pictures", "--captions", "more.tsv"), "more.tsv: there is no 99.png in pictures"),
        (("--images", "pictures", "--captions", "fewer.tsv"), "fewer.tsv: there is no caption of 1.png"),
        (("--images", "pictures", "--captions", "empty.tsv"), "empty.tsv"),
        (("--images", "two"), "two: expected at least 3 pictures, found 2"),
        (("--images", "nowhere"), "nowhere"),
        (("--images", "captions.tsv"), "expected a folder of pictures or an .npz file"),
        (("--images", "plain.npz", "--size", 3), "a size that divides 4, not 3"),
        (("--images", "black"), "expected pictures of 2 colours or more"),
        (("--images", "sorted", "--size", 1), "expected a whole number at least 2"),
        (("--images", "plain.npz", "--binarize", 0), "expected a number above 0 and at most 1, or random"),
        (("--images", "plain.npz", "--levels", 257), "below 257"),
        (("--cell", "rnn-rrelu", "--images", "plain.npz"), "draws random numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_go_together_leaves_nothing_behind(options, message, here, capsys):
    (here / "more.tsv").write_text((here / "captions.tsv").read_text() + "99.png\tx\n")
    (here / "fewer.tsv").write_text("0.png\tx\n")
    (here / "empty.tsv").write_text("\n")
    for name, count in (("two", 2), ("black", 5)):
        (here / name).mkdir()
        for i in range(count):
            Image.new("RGB", (4, 4), (0, 0, 0) if name == "black" else (i, 9, 9)).save(here / name / f"{i}.png")
    assert message in refused(capsys, "train", "draw", *options, *QUICK)
    assert not (here / "runs").exists()


def test_what_cannot_be_drawn_or_measured_is_one_line(there, tmp_path, capsys):
    whole = (there / "lying.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-12])
    (tmp_path / "text.png").write_text("a picture")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    to = ("--out", tmp_path / "d.png")
    for arguments, message in [
        (("plain", "--keep", 0.5), "--keep goes with --complete"),
        (("plain", "--caption", "a"), "--caption goes with a model that is told captions, and plain is none"),
        (("classed", "--caption", "a"), "--caption goes with a model that is told captions, and classed is none"),
        (("captioned", "--class", "a"), "--class goes with a model that is told classes, and captioned is none"),
        (("classed", "--class", "tilted"), "there is no class 'tilted': expected one of lying, standing"),
        (("classed", "--class", ""), "there is no class ''"),
        (("captioned",), "captioned is told captions: say with --caption"),
        (("captioned", "--caption", " "), "--caption is empty"),
        (("plain", "--complete", tmp_path / "cut.png"), "damaged picture"),
        (("plain", "--complete", tmp_path / "text.png"), "expected a PNG"),
        (("plain", "--complete", tmp_path / "huge.png"), "at most 50,000,000 pixels"),
        (("plain", "--complete", tmp_path / "none.png"), "No such file"),
        (("plain", "--complete", tmp_path), "directory"),
        (("plain", "--complete", "plain.npz"), "plain.npz"),
        (("plain", "--complete", "lying.png", "--keep", 1.5), "--keep"),
        (("plain", "--keep", "nan", "--complete", "lying.png"), "--keep"),
        (("plain", "--temperature", "-1"), "--temperature"),
        (("plain", "--samples", 257), "--samples"),
        (("plain", "--checkpoint", "first"), "--checkpoint"),
        (("pictures",), "pictures is not a run directory"),
    ]:
        assert message in refused(capsys, "draw", *arguments, *to)
    assert "x.xyz: expected the name of a picture" in refused(capsys, "draw", "plain", "--out", tmp_path / "x.xyz")
    assert "there is no directory" in refused(capsys, "draw", "plain", "--out", tmp_path / "no" / "x.png")
    assert {file.name for file in tmp_path.iterdir()} == {"cut.png", "text.png", "huge.png"}
    for option in ("--data", "--source", "--target", "--images", "--features", "--captions"):
        assert f"{option} goes with a translation or a caption" in refused(capsys, "evaluate", "plain", option, "x")
    for options in (("--beam", 2), ("--max-pairs", 1), ("--exact",), ("--length-penalty", 1), ("--output", "x")):
        assert f"{options[0]} goes with a translation or a caption" in refused(capsys, "evaluate", "plain", *options)


@pytest.mark.parametrize(
    "options",
    [
        ("--images", "plain.npz", "--binarize", "random", "--model", "row", "--layers", 2, "--features", 3, *WINDOW),
        ("--images", "sorted", "--size", 4, "--levels", 3, "--condition", "class", "--model", "raster", "--layers", 2),
        CAPTIONED,
    ],
    ids=["row", "raster", "diagonal"],
)
def test_a_run_that_was_interrupted_comes_to_the_same_end(options, here):
    shared = (*options, "--hidden", 4, "--constant", "--dropout", 0.1, "--seed", 3, "--batch-size", 5, "--quiet")
    assert run("train", "draw", *shared, "--epochs", 2, "--out", "whole") == 0
    assert run("train", "draw", *shared, "--epochs", 1, "--out", "parts") == 0
    assert run("train", "draw", "--resume", "parts", "--epochs", 2, "--quiet") == 0
    whole, parts = (load_checkpoint(here / name / "last.safetensors")[0] for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)
    learned = [json.loads((here / name / "run.json").read_text()) for name in ("whole", "parts")]
    assert len({json.dumps([one[key] for key in ("colours", "classes", "codec", "sha256")]) for one in learned}) == 1


def test_a_run_goes_on_only_with_its_own_pictures(here, capsys):
    assert run("train", "draw", "--images", "plain.npz", *WINDOW, *QUICK, "--out", "r") == 0
    shutil.copy("plain.npz", "same.npz")
    capsys.readouterr()
    resume = ("train", "draw", "--resume", "r", "--epochs", 2, "--quiet")
    assert "classed.npz: these are not the pictures that r was" in refused(capsys, *resume, "--images", "classed.npz")
    assert "--model cannot change on --resume" in refused(capsys, *resume, "--model", "row")
    assert run(*resume, "--images", "same.npz") == 0
    x, _ = stripes()
    x[0, 0, 0] ^= 1
    np.savez("same.npz", x=x)
    capsys.readouterr()
    assert "what was held out cannot be read again: " in refused(capsys, "evaluate", "r")
    assert run("draw", "r", "--samples", 1) == 0


def test_evaluate_says_what_pictures_cost_beside_models_that_count(there, capsys):
    for name, told in (("plain", None), ("classed", "classes"), ("captioned", "captions")):
        assert run("evaluate", name) == 0
        out = capsys.readouterr().out
        assert out.startswith("4 test pictures of 4 x 4, ")
        costs = [[float(n) for n in found] for found in re.findall(r"([0-9.]+) nats a picture[, ]+([0-9.]+) bits", out)]
        assert len(costs) == 6
        for nats, bits in costs:
            assert bits == pytest.approx(nats / 16 / math.log(2), abs=1e-4)
        more = 100 * (costs[0][0] / min(nats for nats, _ in costs[1:]) - 1)
        assert float(re.search(r"the model needs ([0-9.]+) % more", out)[1]) == pytest.approx(more, rel=0.01)
        assert [*re.findall("told of other pictures' ([a-z]+): ", out), None][0] == told


def test_what_a_place_by_itself_costs():
    pictures, test = np.array([[[0, 1]], [[0, 0]], [[0, 1]]]), np.array([[[0, 1]], [[1, 0]]])
    expected = -(math.log(4 / 5) + math.log(3 / 5) + math.log(1 / 5) + math.log(2 / 5)) / 2
    assert by_place(pictures, test, 2) == pytest.approx(expected)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_of_what_is_shuffled_nobody_keeps_their_own(count):
    classes = _shuffled(Classes(np.arange(count))).classes
    captions = _shuffled(Captions([[i] for i in range(count)])).captions
    for found in (classes, np.array(captions)[:, 0]):
        assert sorted(found) == list(range(count))
        assert (found != np.arange(count)).all()


def test_damaged_settings_of_a_run_are_one_line(there, tmp_path, capsys):
    for name in ("plain", "classed", "captioned"):
        shutil.copytree(name, tmp_path / name)
    black_and_white = {"kind": "palette", "colours": [[0, 0, 0], [9, 9, 9]]}
    for name, key, value, message in [
        ("plain", "colours", None, "damaged"),
        ("plain", "colours", {"kind": "binary", "threshold": 2}, "damaged"),
        ("plain", "colours", {"kind": "grey", "levels": "2"}, "damaged"),
        ("plain", "colours", {"kind": "grey", "levels": 3}, "does not fit its run.json"),
        ("plain", "colours", {**black_and_white, "colours": [[0, 0, 0]] * 2}, "damaged"),
        ("plain", "colours", {**black_and_white, "colours": [[0, 0, 256], [0, 0, 0]]}, "damaged"),
        ("plain", "pixels", 5, "does not fit its run.json"),
        ("plain", "pixels", True, "damaged"),
        ("plain", "pixels", 4.0, "damaged"),
        ("plain", "pixels", 10**9, "damaged"),
        ("plain", "pixels", 1024, "damaged"),
        ("plain", "codec", {}, "damaged"),
        ("classed", "classes", ["lying", "lying"], "damaged"),
        ("classed", "classes", [], "damaged"),
        ("classed", "classes", "ab", "damaged"),
        ("classed", "classes", None, "does not fit its run.json"),
        ("classed", "classes", ["a", "b", "c"], "does not fit its run.json"),
        ("captioned", "codec", None, "does not fit its run.json"),
        ("captioned", "classes", ["a", "b"], "damaged: ValueError('it has both classes and captions')"),
    ]:
        config = json.loads((there / name / "run.json").read_text())
        (tmp_path / name / "run.json").write_text(json.dumps({**config, key: value}))
        for command in (("draw", tmp_path / name), ("evaluate", tmp_path / name)):
            assert message in refused(capsys, *command), (key, value)
        resume = ("train", "draw", "--resume", tmp_path / name, "--epochs", 2, "--quiet")
        assert run(*resume) == 2, (key, value)
        err = capsys.readouterr().err
        assert err.count("\n") == 1, (key, value, err)


def test_pictures_of_any_shape_are_brought_to_a_size(here, capsys):
    (here / "mixed").mkdir()
    for i, size in enumerate([(1, 1), (1, 9), (30, 2), (8, 8), (3, 5), (100, 4)]):
        Image.new("RGB", size, (40 * i, 0, 0)).save(here / "mixed" / f"{i}.png")
    Image.new("L", (5, 2), 200).save(here / "mixed" / "grey.gif")
    given = ("--images", "mixed", "--size", 3, "--test-every", 2, *WINDOW)
    assert run("train", "draw", *given, *QUICK, "--out", "r") == 0
    assert "2 pictures of 3 x 3 to learn from, 2 held out, 3 to test with" in capsys.readouterr().out
    assert run("draw", "r", "--complete", here / "mixed" / "1.png", "--samples", 1) == 0
    assert frames(here / "r" / "completions-frames", 1, 3).shape[0] == 8


def test_subfolders_are_classes_and_what_is_proposed_can_be_pasted(here, capsys):
    (here / "sorted" / "a").rename(here / "sorted" / "-it's")
    given = ("--images", "sorted", "--size", 4, "--condition", "class", *WINDOW)
    assert run("train", "draw", *given, *QUICK, "--out", "r") == 0
    out = capsys.readouterr().out
    assert "told classes" in out
    (command,) = re.findall("minirnn (draw .*)", out)
    assert run(*shlex.split(command)) == 0
    assert capsys.readouterr().out.startswith("1: -it's\n")


def test_the_built_in_sketches_train_draw_and_are_judged(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split in ("valid", "test"):
        monkeypatch.setitem(sketches.SPLITS, split, 20)
    assert run("train", "draw", "--examples", 40, *WINDOW, *QUICK, "--out", "r") == 0
    out = capsys.readouterr().out
    assert "40 pictures of 16 x 16 to learn from, 20 held out, 20 to test with, a palette of 11 colours" in out
    assert "--caption 'a small red ring above a blue star'" in out
    assert "true 0.0 %" in out
    assert run("draw", "r", "--samples", 3, "--frames", 1) == 0
    captions = [one.captions[0] for one in sketches.sketches("test", 3)]
    assert capsys.readouterr().out.startswith("".join(f"{i + 1}: {text}\n" for i, text in enumerate(captions)))
    assert frames(tmp_path / "r" / "drawings-frames", 3, 16).shape[0] == 1


def test_captions_are_true_of_their_own_sketches():
    found = sketches.sketches("test", 50)
    pictures, captions = np.stack([one.picture for one in found]), [one.captions[0] for one in found]
    assert true_of(pictures, captions).all()
    assert true_of(pictures, captions[1:] + captions[:1]).mean() < 0.1
    assert not true_of(np.full_like(pictures, sketches.BACKGROUND), captions).any()


@pytest.mark.parametrize("options", [(), ("--condition", "class", "--binarize", 0.3), ("--palette", 5)])
def test_the_built_in_digits_train_and_draw(options, tmp_path, capsys, monkeypatch):
    datasets = pytest.importorskip("sklearn.datasets")
    monkeypatch.chdir(tmp_path)
    whole = datasets.load_digits()
    few = {"images": whole.images[:40], "target": whole.target[:40]}
    monkeypatch.setattr(datasets, "load_digits", lambda: type(whole)(**few))
    given = ("--built-in", "digits", *WINDOW, "--model", "row", *options)
    assert run("train", "draw", *given, *QUICK, "--out", "r") == 0
    out = capsys.readouterr().out
    assert "26 pictures of 8 x 8 to learn from, 6 held out, 8 to test with" in out
    assert ("17 levels of grey" in out) == (not options)
    assert run("draw", "r", "--samples", 2, "--frames", 1) == 0
    assert capsys.readouterr().out.startswith("1: 0\n2: 1\n" if "class" in options else "\n")
    assert frames(tmp_path / "r" / "drawings-frames", 2, 8).shape[0] == 1
