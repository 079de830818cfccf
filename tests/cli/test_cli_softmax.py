"""Runs of language models with an adaptive softmax: trained, resumed, judged, written with, and refused."""

import json

import numpy as np
import pytest
from commands import refused, run

import minirnn
from minirnn import Run
from minirnn.data import detokenize

SMALL = (
    *("--tokens", "word", "--hidden", 8, "--embedding", 4, "--batch-size", 4, "--steps", 8),
    *("--valid-fraction", 0.2, "--quiet"),
)
ADAPTIVE = ("train", "lm", "--data", "text.txt", *SMALL, "--softmax", "adaptive")


@pytest.fixture(autouse=True)
def text(tmp_path, monkeypatch):
    """800 words, of which there are 60; word k is as frequent as 1 / k."""
    monkeypatch.chdir(tmp_path)
    rng, names = np.random.default_rng(0), [f"{a}{b}" for a in "bdfglmnprt" for b in ("a", "e", "i", "o", "u", "y")]
    chosen = [*names, *rng.choice(names, 740, p=(p := 1 / np.arange(1, 61)) / p.sum())]
    (tmp_path / "text.txt").write_text(" ".join(chosen))
    return chosen


def test_what_a_run_says_of_its_held_out_text_is_what_its_model_says(text, capsys):
    assert run(*ADAPTIVE, "--epochs", 2, "--out", "r") == 0
    assert "a sample, after" in capsys.readouterr().out
    writer, options = minirnn.load("r", checkpoint="last"), Run("r").config["options"]
    assert (options["softmax"], options["cutoffs"]) == ("adaptive", None)
    assert writer.model.output.cutoffs == (2, 12)  # of 61 tokens
    row = Run("r").metrics()[-1]
    assert writer.perplexity(detokenize(text[-160:], "word")) == pytest.approx(row["valid_perplexity"], rel=1e-5)
    assert run("generate", "r", "--prefix", "ba de", "--length", 20) == 0
    written = capsys.readouterr().out.split()
    assert written[:2] == ["ba", "de"]
    assert len(written) == 22
    assert set(written) <= set(text)


def test_it_goes_on_as_if_it_had_not_been_interrupted():
    own = ("--cutoffs", "5, 20", "--dropout", 0.2)
    assert run(*ADAPTIVE, *own, "--epochs", 2, "--out", "whole") == 0
    assert run(*ADAPTIVE, *own, "--epochs", 1, "--out", "half") == 0
    assert run("train", "lm", "--resume", "half", "--epochs", 2, "--quiet") == 0
    whole, half = Run("whole"), Run("half")
    assert half.config["options"]["cutoffs"] == "5,20"
    found = whole.model_state("last")
    assert found["output.tail.1.1.weight"].shape == (41, 1)
    for name, array in found.items():
        np.testing.assert_array_equal(half.model_state("last")[name], array)


def test_a_run_from_before_there_was_a_choice_has_the_full_softmax(capsys):
    assert run("train", "lm", "--data", "text.txt", *SMALL, "--epochs", 1, "--out", "r") == 0
    config = json.loads((folder := Run("r").path / "run.json").read_text())
    del config["options"]["softmax"], config["options"]["cutoffs"]
    folder.write_text(json.dumps(config))
    assert run("train", "lm", "--resume", "r", "--epochs", 2, "--quiet") == 0
    assert run("generate", "r", "--length", 3) == 0
    assert Run("r").config["options"]["softmax"] == "full"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cutoffs", "20,5"), "--cutoffs: expected ascending whole numbers such as 2000,10000, found '20,5'"),
        (("--cutoffs", "5,5"), "--cutoffs: expected ascending"),
        (("--cutoffs", "0,5"), "--cutoffs: expected ascending"),
        (("--cutoffs", ""), "--cutoffs: expected ascending"),
        (("--cutoffs", "5;20"), "--cutoffs: expected ascending"),
        (("--cutoffs", "5,61"), "--cutoffs must be below the 61 tokens of the vocabulary, not 5,61"),
        (("--min-frequency", "15"), "--softmax adaptive is for large vocabularies, and this one has "),
        (("--softmax", "full", "--cutoffs", "5"), "--cutoffs goes with --softmax adaptive"),
        (("--softmax", "half"), "invalid choice: 'half'"),
    ],
)
def test_bad_options(options, message, tmp_path, capsys):
    assert message in refused(capsys, *ADAPTIVE, *options, "--out", "r")
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt"]
