"""Classification: that padding changes nothing, that the data are what they say, and the commands."""

import io
import sys

import numpy as np
import pytest
from commands import refused, run
from hypothesis import given
from hypothesis import strategies as st

from minirnn import InputError, Run, SequenceClassifier
from minirnn.data.labelled import brackets, is_balanced, names, read_labelled
from minirnn.models.classifier import POOLINGS
from minirnn.training.classification import predict


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("bidirectional", [False, True])
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_a_text_alone_is_judged_as_in_a_padded_batch(pooling, bidirectional, lengths):
    model = SequenceClassifier(
        7, 3, 4, cell="lstm", num_layers=2, bidirectional=bidirectional, pooling=pooling, rng=0, dtype=np.float64
    )
    rng = np.random.default_rng(sum(lengths))
    ids = rng.integers(0, 7, (max(lengths), len(lengths)))
    together = model.log_probs(ids, np.array(lengths))
    for b, length in enumerate(lengths):
        alone = model.log_probs(ids[:length, b : b + 1], np.array([length]))
        np.testing.assert_allclose(together[b], alone[0], rtol=0, atol=1e-12)
    sequences = [ids[:length, b] for b, length in enumerate(lengths)]
    np.testing.assert_allclose(predict(model, sequences, batch_size=2), together, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_text_is_summed_up_as_it_is_said(bidirectional, rng):
    ids, lengths = rng.integers(0, 7, (4, 3)), np.array([2, 4, 1])
    summaries = {}
    for pooling in POOLINGS:
        model = SequenceClassifier(7, 2, 3, bidirectional=bidirectional, pooling=pooling, rng=0, dtype=np.float64)
        h = model.recurrent(model.embedding(ids), None, lengths)[0].data
        ends = [np.append(h[n - 1, b, :3], h[0, b, 3:]) for b, n in enumerate(lengths)]
        means = [h[:n, b].mean(axis=0) for b, n in enumerate(lengths)]
        summaries[pooling] = np.array(ends if pooling == "last" else means)
        expected = summaries[pooling] @ model.output.weight.data.T + model.output.bias.data
        np.testing.assert_allclose(model(ids, lengths).data, expected, rtol=0, atol=1e-12)
    assert not np.allclose(summaries["last"], summaries["mean"])


def test_brackets_are_labelled_by_another_reader():
    def closes(text):
        before = None
        while text != before:
            before, text = text, text.replace("()", "").replace("[]", "").replace("{}", "")
        return not text

    found = brackets(2000, seed=1)
    assert len({text for text, _ in found}) == 2000
    assert all(label == ("balanced" if closes(text) else "broken") for text, label in found)
    assert 0.45 < np.mean([label == "balanced" for _, label in found]) < 0.55
    assert max(len(text) for text, _ in found) <= 30
    assert found == brackets(2000, seed=1)
    assert is_balanced("a(b)[c]")
    assert not is_balanced("([)]")


def test_names_share_nothing_between_splits():
    pytest.importorskip("babel")
    splits = names()
    texts = [{one.text for one in split} for split in splits]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert all(len(split) > 300 for split in splits)
    assert ("Deutschland", "de") in {one for split in splits for one in split}
    label = {one.text.lower(): set() for split in splits for one in split}
    for split in splits:
        for one in split:
            label[one.text.lower()].add(one.label)
    assert all(len(languages) == 1 for languages in label.values())


def test_names_without_babel_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(InputError, match=r"pip install 'minirnn\[data\]'"):
        names()


def test_bad_lines_are_named(tmp_path):
    file = tmp_path / "labelled.tsv"
    file.write_text("a\tone two\n\nb\t three\r\n")
    assert read_labelled(file) == [("one two", "a"), ("three", "b")]
    for bad in ("no tab", "\ttext", "label\t "):
        file.write_text(f"a\tone\n{bad}\n")
        with pytest.raises(InputError, match="line 2: expected a label, a tab and a text"):
            read_labelled(file)


SMALL = ("--hidden", 8, "--embedding", 4, "--batch-size", 16, "--lr", 0.02, "--quiet")


@pytest.fixture
def data(tmp_path, rng):
    kinds = (("yes", "good"), ("no", "bad"))
    lines = [f"{label}\t{word} {' '.join(rng.choice(list('abcdef'), 5))}" for label, word in kinds * 150]
    (tmp_path / "data.tsv").write_text("\n".join(lines))
    return tmp_path / "data.tsv"


def test_the_commands_from_end_to_end(tmp_path, data, capsys, monkeypatch):
    out = tmp_path / "run"
    assert run("train", "classify", "--data", data, "--tokens", "word", *SMALL, "--epochs", 6, "--out", out) == 0
    shown = capsys.readouterr().out
    assert "100.00 %; always" in shown
    assert (out / "loss.png").exists()
    assert run("classify", out, "good a b", "bad unknown words", "") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("good a b\tyes ")
    assert lines[1].startswith("bad unknown words\tno ")
    assert len(lines) == 3
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good\nbad\n")))
    assert run("classify", out) == 0
    assert [line.split("\t")[1][:2] for line in capsys.readouterr().out.splitlines()] == ["ye", "no"]
    assert "is a run of 'classify', not of 'lm'" in refused(capsys, "generate", out)
    data.write_text(data.read_text().replace("good", "fine"))
    assert "is not what" in refused(capsys, "train", "classify", "--resume", out, "--epochs", 9)


def test_a_resumed_run_ends_as_one_that_was_not_interrupted(tmp_path, data):
    options = ("train", "classify", "--data", data, *SMALL)
    run(*options, "--epochs", 2, "--out", tmp_path / "whole")
    run(*options, "--epochs", 1, "--out", tmp_path / "half")
    run("train", "classify", "--resume", tmp_path / "half", "--epochs", 2, "--quiet")
    for name, array in Run(tmp_path / "whole").model_state("last").items():
        assert (array == Run(tmp_path / "half").model_state("last")[name]).all()


def test_bad_input_is_one_line(tmp_path, capsys):
    file = tmp_path / "data.tsv"
    file.write_text("a\tone\n" * 30)
    assert "at least 10 different texts" in refused(capsys, "train", "classify", "--data", file)
    file.write_text("".join(f"a\ttext {i}\n" for i in range(30)))
    assert "two different labels, found only 'a'" in refused(capsys, "train", "classify", "--data", file)
    assert "not a run directory" in refused(capsys, "classify", tmp_path, "text")
    with pytest.raises(InputError, match="unknown pooling 'max'"):
        SequenceClassifier(3, 2, 4, pooling="max")
