"""Captions from the command line: pictures, videos and features as users bring them, and what is wrong with them."""

import json
import shutil

import numpy as np
import pytest
from commands import refused, run
from PIL import Image
from trainings import TRAININGS, write_pictures

from minirnn import EncoderDecoder, HandoverDecoder, PictureEncoder, load_checkpoint
from minirnn.cli.captioned import is_true
from minirnn.cli.collected import load, part_of
from minirnn.cli.train.caption import _weights_used
from minirnn.data import moving as moving_module
from minirnn.data import scenes as scenes_module
from minirnn.data.moving import moving
from minirnn.data.scenes import scenes
from minirnn.runs.captions import load_captioner
from minirnn.training import Run

QUICK = ("--hidden", 6, "--epochs", 1, "--quiet")
WITH_PICTURES = TRAININGS["caption"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run on pictures, one on features and one on videos."""
    folder = tmp_path_factory.mktemp("captions")
    write_pictures(folder / "pictures", folder / "captions.tsv")
    rng = np.random.default_rng(0)
    features = rng.standard_normal((20, 6, 5)).astype(np.float32)
    names = [f"{i}.png" for i in range(20)]
    np.savez(folder / "features.npz", features=features, names=names, grid=[2, 3])
    (folder / "videos").mkdir()
    lines = []
    for i in range(20):
        (folder / "videos" / f"v{i}").mkdir()
        for t in range(2 + i % 3):
            shutil.copy(folder / "pictures" / f"{(i + t) % 20}.png", folder / "videos" / f"v{i}" / f"frame-{t}.png")
        lines.append(f"v{i}\ta stripe moves\n")
    (folder / "videos.tsv").write_text("".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert (
            run("train", "caption", *WITH_PICTURES, "--epochs", 12, "--lr", 0.02, "--quiet", "--out", "pictured") == 0
        )
        given = ("--features", "features.npz", "--captions", "captions.tsv")
        assert run("train", "caption", *given, *QUICK, "--out", "featured") == 0
        given = ("--video", "--images", "videos", "--captions", "videos.tsv", "--size", 8)
        assert run("train", "caption", *given, *QUICK, "--filters", 2, "--out", "filmed") == 0
    return folder


@pytest.fixture
def there(runs, monkeypatch):
    monkeypatch.chdir(runs)
    return runs


def test_a_run_leaves_pictures_and_says_what_it_learned(there, capsys):
    assert {"looks.png", "loss.png", "best.safetensors"} <= {file.name for file in (there / "pictured").iterdir()}
    assert run("evaluate", "pictured") == 0
    told = capsys.readouterr().out
    for word in ("BLEU-1 to -4", "CIDEr-D", "length ratio", "perplexity", "shuffled", "distinct", "attention"):
        assert word in told
    assert "true" not in told.replace("true ones", "")  # only built-in pictures know the truth


def test_pictures_are_captioned_as_they_were_in_training(there, capsys):
    assert run("caption", "pictured", "pictures/0.png") == 0
    alone = capsys.readouterr().out
    assert run("caption", "pictured", "pictures/1.png", "pictures/0.png", "--beam", 3, "--n-best", 2) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["pictures/1.png"] * 2 + ["pictures/0.png"] * 2
    assert float(lines[0].split("\t")[1]) >= float(lines[1].split("\t")[1])
    assert alone.count("\n") == 1
    captioner, learned, options = load_captioner(Run("pictured"))
    part = load(options).train
    found = captioner.caption(learned.sights(part.seen))
    assert found[part.names.index("0.png")][0].text == alone.strip()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "I;16", "1"])
def test_other_kinds_of_pictures_are_read_too(mode, there, tmp_path, capsys):
    Image.fromarray((np.arange(64).reshape(8, 8) * 4).astype(np.uint8)).convert(mode).save(tmp_path / "p.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    assert run("caption", "pictured", tmp_path / "p.png", tmp_path / "dot.png") == 0
    assert capsys.readouterr().out.count("\n") == 2


def test_what_is_wrong_with_a_picture_is_one_line(there, tmp_path, capsys):
    whole = (there / "pictures" / "0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-12])
    (tmp_path / "text.png").write_text("a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    for name, message in [
        ("cut.png", "damaged picture"),
        ("text.png", "expected a PNG"),
        ("empty.png", "expected a PNG"),
        ("huge.png", "at most 50,000,000 pixels"),
        ("none.png", "No such file"),
        (".", "directory"),
    ]:
        assert message in refused(capsys, "caption", "pictured", "pictures/0.png", tmp_path / name)
    assert "expected a folder" in refused(capsys, "caption", "filmed", "pictures/0.png")
    assert "features.npz" in refused(capsys, "caption", "pictured", "features.npz")
    assert "the following arguments" in refused(capsys, "caption", "pictured")
    assert "beam at least as wide" in refused(capsys, "caption", "pictured", "pictures/0.png", "--n-best", 2)
    assert "goes with translations" in refused(capsys, "caption", "pictured", "pictures/0.png", "--coverage-penalty", 1)


def test_features_of_another_width_are_refused(there, tmp_path, capsys):
    np.savez(tmp_path / "wide.npz", features=np.zeros((3, 6, 7), np.float32))
    message = refused(capsys, "caption", "featured", tmp_path / "wide.npz")
    assert "expected 6 regions of 5 features each" in message
    assert "found 6 of 7" in message
    given = ("--features", tmp_path / "wide.npz", "--captions", tmp_path / "c.tsv")
    (tmp_path / "c.tsv").write_text("0\tone\n1\ttwo\n")
    assert "found 6 of 7" in refused(capsys, "evaluate", "featured", *given)
    assert run("caption", "featured", "features.npz") == 0
    assert capsys.readouterr().out.count("\n") == 20


def test_captions_and_pictures_that_do_not_fit_leave_nothing_behind(there, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "pictures", tmp_path / "captions.tsv", 4)
    (tmp_path / "more.tsv").write_text("0.png\ta\n9.png\tb\n")
    (tmp_path / "empty.tsv").write_text("\n")
    (tmp_path / "single.tsv").write_text("a caption without a picture\n")
    bad = [
        (("--images", "pictures"), "go together"),
        (("--captions", "captions.tsv"), "go together"),
        (("--images", "pictures", "--captions", "more.tsv"), "more.tsv: there is no 9.png in pictures"),
        (("--images", "pictures", "--captions", "empty.tsv"), "empty.tsv"),
        (("--images", "pictures", "--captions", "single.tsv"), "single.tsv line 1"),
        (("--images", "nowhere", "--captions", "captions.tsv"), "no such folder"),
        (("--images", "captions.tsv", "--captions", "captions.tsv"), "not a folder"),
        (("--images", "pictures", "--captions", "captions.tsv", "--video"), "0.png"),
        (("--images", "pictures", "--captions", "captions.tsv", "--size", 30), "multiple of 4"),
        (("--images", "pictures", "--features", "f.npz", "--captions", "captions.tsv"), "give one of them"),
        (("--features", "none.npz", "--captions", "captions.tsv"), "No such file"),
        (("--examples", 5, "--images", "pictures", "--captions", "captions.tsv"), "--examples goes with"),
        (("--inject", "each", "--attention-penalty", 1), "goes with --inject attention"),
        (("--attention-target", 1), "goes with --attention-penalty"),
        (("--size", 16, "--examples", 3), "leave out --size"),
    ]
    for options, message in bad:
        assert message in refused(capsys, "train", "caption", *options, *QUICK)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_run_that_was_interrupted_comes_to_the_same_end(here):
    constant = (*WITH_PICTURES, "--constant", "--dropout", 0.1, "--quiet")
    assert run("train", "caption", *constant, "--epochs", 3, "--out", "whole") == 0
    assert run("train", "caption", *constant, "--epochs", 1, "--out", "parts") == 0
    assert run("train", "caption", "--resume", "parts", "--epochs", 3, "--quiet") == 0
    whole, parts = (load_checkpoint(here / name / "last.safetensors")[0] for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array, err_msg=name)
    looks = [json.loads((here / name / "run.json").read_text())["look"] for name in ("whole", "parts")]
    assert looks[0] == looks[1]


def test_attention_is_shown_over_pictures_features_and_frames(there, tmp_path, capsys):
    for given, word in [
        (("pictured", "pictures/3.png"), "row"),
        (("featured", "features.npz", "--name", "4.png", "--picture", "pictures/4.png"), "row"),
        (("filmed", "videos/v2"), "number"),
    ]:
        assert run("show", "attention", *given, "--out", tmp_path / "map.png") == 0
        assert f"most at {word}" in capsys.readouterr().out
        assert (tmp_path / "map.png").stat().st_size > 3000
    odd = tmp_path / "a\u00a0picture  of\u2028two.png"  # a name is no sentence, whose spaces are all alike
    shutil.copy("pictures/3.png", odd)
    assert run("show", "attention", "pictured", odd, "--out", tmp_path / "map.png") == 0
    capsys.readouterr()
    for given, message in [
        (("featured", "features.npz", "--name", "none"), "no 'none' among its names"),
        (("pictured", "pictures/3.png", "--name", "x"), "go with features"),
    ]:
        assert message in refused(capsys, "show", "attention", *given, "--out", tmp_path / "map.png")


@pytest.mark.parametrize("inject", ["start", "each", "merge"])
def test_every_place_for_the_picture_trains(inject, here, capsys):
    options = (*WITH_PICTURES, "--inject", inject, "--epochs", 1, "--quiet")
    assert run("train", "caption", *options, "--out", "r") == 0
    assert inject in capsys.readouterr().out
    assert run("caption", "r", "pictures/0.png") == 0
    capsys.readouterr()
    assert "train one with --inject attention" in refused(capsys, "show", "attention", "r", "pictures/0.png")


def test_chinese_is_written_and_judged_by_character(here, capsys):
    lines = [f"{i}.png\t{'红' if i % 2 == 0 else '蓝'}色条纹\n" for i in range(20)]
    (here / "zh.tsv").write_text("".join(lines), encoding="utf-8")
    given = ("--images", "pictures", "--captions", "zh.tsv", "--size", 8, "--tokens", "char", "--lr", 0.03)
    assert run("train", "caption", *given, "--hidden", 16, "--epochs", 40, "--quiet", "--out", "zh") == 0
    told = capsys.readouterr().out
    assert "BLEU-1 to -4  100.00  100.00  100.00  100.00" in told  # four characters: of words there would be no 4-gram
    assert run("caption", "zh", "pictures/0.png", "pictures/1.png") == 0
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == ["红色条纹", "蓝色条纹"]


@pytest.mark.slow
def test_held_out_captions_can_be_named_and_pictures_given(there, tmp_path, capsys):
    lines = (there / "captions.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "train.tsv").write_text("".join(lines[:20]))
    (tmp_path / "valid.tsv").write_text("".join(lines[20:]))
    given = ("--images", "pictures", "--captions", tmp_path / "train.tsv", "--valid-captions", tmp_path / "valid.tsv")
    assert run("train", "caption", *given, "--size", 8, *QUICK, "--filters", 2, "--out", tmp_path / "r") == 0
    assert "10 pictures with 20 captions to learn from, 10 held out" in capsys.readouterr().out
    given = ("--images", "pictures", "--captions", tmp_path / "valid.tsv", "--output", tmp_path / "said.txt")
    assert run("evaluate", tmp_path / "r", *given) == 0
    assert "10 given pictures" in capsys.readouterr().out
    assert (tmp_path / "said.txt").read_text().count("\n") == 10
    assert "goes with a translation model" in refused(capsys, "evaluate", tmp_path / "r", "--data", "x.tsv")
    assert "go together" in refused(capsys, "evaluate", tmp_path / "r", "--images", "pictures")


def test_a_run_goes_on_only_with_its_own_pictures(here, capsys):
    assert run("train", "caption", *WITH_PICTURES, "--epochs", 1, "--quiet", "--out", "r") == 0
    Image.new("RGB", (8, 8)).save(here / "pictures" / "3.png")
    capsys.readouterr()
    assert "these are not the pictures" in refused(capsys, "train", "caption", "--resume", "r", "--epochs", 2)
    assert "what was held out cannot be read again" in refused(capsys, "evaluate", "r")


def test_damaged_settings_of_a_run_are_one_line(there, tmp_path, capsys):
    shutil.copytree("pictured", tmp_path / "r")
    whole = json.loads((tmp_path / "r" / "run.json").read_text())
    for name, value in [
        ("look", None),
        ("look", {"size": 8, "mean": [0, 0, 0], "std": [0, 1, 1]}),
        ("look", {"size": 10**9, "mean": [0, 0, 0], "std": [1, 1, 1]}),
        ("shape", [3, "4"]),
        ("shape", [3, 4]),
        ("most_tokens", -1),
        ("codec", {}),
    ]:
        (tmp_path / "r" / "run.json").write_text(json.dumps({**whole, name: value}))
        assert "damaged" in refused(capsys, "caption", tmp_path / "r", "pictures/0.png")
    for name in ("captions", "images"):
        spoilt = {**whole, "options": {**whole["options"], name: None}}
        (tmp_path / "r" / "run.json").write_text(json.dumps(spoilt))
        assert "go together" in refused(capsys, "train", "caption", "--resume", tmp_path / "r", "--epochs", 20)
        assert "go together" in refused(capsys, "evaluate", tmp_path / "r")


def test_the_truth_of_built_in_pictures_is_told():
    for found in (scenes("test", 3), moving("test", 3)):
        part = part_of(found)
        assert all(is_true(texts[0], one) for texts, one in zip(part.captions, found, strict=True))
        assert not is_true(part.captions[0][0] + " and", found[0])


def test_the_most_of_a_caption_follows_from_training(runs):
    config = json.loads((runs / "pictured" / "run.json").read_text())
    assert config["most_tokens"] == 2 * 7 + 10  # "a blue stripe on the right <eos>"


def test_the_built_in_pictures_train_and_are_judged(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in (scenes_module, moving_module):
        for split in ("valid", "test"):
            monkeypatch.setitem(module.SPLITS, split, 40)
    for options in ((), ("--video",)):
        assert run("train", "caption", *options, "--examples", 20, "--filters", 2, *QUICK, "--out", "r") == 0
        told = capsys.readouterr().out
        assert "true 0.0 %" in told
        most = float(told.split("the most frequent ")[1].split(" %")[0])
        assert ("the model hardly looks" in told) == (most > 50)
        if options:
            assert "backwards another caption of" in told
            assert "chance 1.6 %" in told
        example = "r/example" if options else "r/example.png"
        assert run("caption", "r", example) == 0
        shutil.rmtree("r")


def test_filters_count_as_often_as_there_are_places_for_them():
    model = EncoderDecoder(PictureEncoder(32, 20, rng=0), HandoverDecoder(9, 4, 5, 20, rng=0), rng=0)
    filters = 32 * 3 * 4 * 4 * 16**2 + 64 * 32 * 3 * 3 * 16**2
    assert _weights_used(model) == model.num_parameters() + filters
