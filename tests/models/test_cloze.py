"""Cloze: no token has a part in its own prediction; and the language model that must not be believed."""

import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import ClozeModel, InputError, Run
from minirnn.inspection.bidirectional import NextToken, perplexity_of_the_past, train, write
from minirnn.models.cloze import SIDES


@pytest.mark.parametrize("sides", SIDES)
def test_a_prediction_depends_on_the_others_of_its_sides_and_never_on_itself(sides):
    model = ClozeModel(5, 4, sides=sides, rng=0, dtype=np.float64)
    ids = np.random.default_rng(0).integers(0, 5, (6, 1))
    before = model(ids).data
    for t in range(6):
        changed = ids.copy()
        changed[t] = (ids[t] + 1) % 5
        differs = abs(model(changed).data - before).max(axis=(1, 2)) > 1e-9
        expected = [(s > t and sides != "right") or (s < t and sides != "left") for s in range(6)]
        assert differs.tolist() == expected


def test_what_a_language_model_knows_of_the_past_takes_a_past():
    model, ids = NextToken(8, 3, bidirectional=False, rng=0), np.arange(6) % 8
    assert 1 < perplexity_of_the_past(model, ids, context=np.int64(5), count=np.int64(1)) < 100
    with pytest.raises(InputError, match="a text of 6 tokens has none with 6 before it"):
        perplexity_of_the_past(model, ids, context=6, count=1)
    for wrong in ({"context": 0}, {"count": 0}, {"count": 1.0}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be an integer of at least 1"):
            perplexity_of_the_past(model, ids, **{"context": 2, "count": 2} | wrong)
    assert len(write(model, ids[:2], np.int64(3), np.random.default_rng(0))) == 3
    with pytest.raises(InputError, match="the prefix must have at least one token"):
        write(model, ids[:0], 3, np.random.default_rng(0))
    for wrong in (0, 1.0):
        with pytest.raises(InputError, match="length must be an integer of at least 1"):
            write(model, ids[:2], wrong, np.random.default_rng(0))
        with pytest.raises(InputError, match="steps must be an integer of at least 1"):
            train(model, ids, steps=wrong, num_steps=2, batch_size=1)


def test_a_bidirectional_language_model_only_looks_right():
    # Noise: nothing can be predicted, so the best honest perplexity is 8.
    ids = np.random.default_rng(0).integers(0, 8, 4000)
    honest, cheat = (NextToken(8, 24, bidirectional=both, rng=0) for both in (False, True))
    losses = [train(model, ids, steps=250, num_steps=20)[-20:].mean() for model in (honest, cheat)]
    assert np.exp(losses[0]) > 6
    assert np.exp(losses[1]) < 1.8
    other = np.random.default_rng(1).integers(0, 8, 4000)
    assert perplexity_of_the_past(honest, other, context=20) > 7
    assert perplexity_of_the_past(cheat, other, context=20) > 7  # given the past alone, it knows no more
    written = write(honest, ids[:5], 7, np.random.default_rng(0))
    assert len(written) == 7
    assert written == write(honest, ids[:5], 7, np.random.default_rng(0))


SMALL = ("--hidden", 12, "--embedding", 8, "--batch-size", 8, "--steps", 12, "--lr", 0.02, "--quiet")


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("The old cat sleeps. The young dog barks.\n" * 150)
    return file


def test_the_commands_from_end_to_end(text, tmp_path, capsys):
    out = tmp_path / "run"
    assert run("train", "cloze", "--data", text, *SMALL, "--epochs", 8, "--out", out) == 0
    shown = capsys.readouterr().out
    rows = {line.split()[0]: float(line.split()[1]) for line in shown.splitlines() if line[:5].strip() in SIDES}
    assert rows["both"] < min(rows["left"], rows["right"])
    assert (out / "loss.png").exists()
    assert run("cloze", out, "The old c_t sleeps. The yo_ng dog barks.") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "The old cat sleeps. The young dog barks."
    assert len(lines) == 7
    assert "'a'" in lines[3]
    assert "has no blank" in refused(capsys, "cloze", out, "no blank")
    assert "is a run of 'cloze', not of 'lm'" in refused(capsys, "generate", out)
    text.write_text(text.read_text() + "!")
    assert "is not the text" in refused(capsys, "train", "cloze", "--resume", out, "--epochs", 9)


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(text, tmp_path):
    options = ("train", "cloze", "--data", text, *SMALL, "--dropout", 0.2)
    run(*options, "--epochs", 2, "--out", tmp_path / "whole")
    run(*options, "--epochs", 1, "--out", tmp_path / "half")
    run("train", "cloze", "--resume", tmp_path / "half", "--epochs", 2, "--quiet")
    for name, array in Run(tmp_path / "whole").model_state("last").items():
        assert (array == Run(tmp_path / "half").model_state("last")[name]).all()


def test_the_warning_example(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("show", "bidirectional", "--data", text, "--steps", 3, "--hidden", 4) == 0
    out = capsys.readouterr().out
    assert "both ways" in out
    assert (tmp_path / "bidirectional.png").exists()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "bidirectional", "--data", text, "--steps", 1, "--hidden", 2) == 0
    assert "no picture" in capsys.readouterr().out
    text.write_text("too short")
    assert "expected at least 5,000" in refused(capsys, "show", "bidirectional", "--data", text)
    assert "one batch of 32 sequences" in refused(capsys, "train", "cloze", "--data", text)
    with pytest.raises(InputError, match="unknown sides 'up'"):
        ClozeModel(3, 2, sides="up")
