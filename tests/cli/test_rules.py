"""Runs go on cutting words by the rules that they were begun with."""

import json
import unicodedata

import numpy as np
import pytest
from commands import beside_results, refused, run

from minirnn import Run, classifier
from minirnn.cli.reader import of_run
from minirnn.cli.texts import load_text
from minirnn.cli.train import recipe
from minirnn.data import Pair, tokenize
from minirnn.runs.classify import read_learned
from minirnn.runs.lm import read_config
from minirnn.runs.translation import build_codecs

COMPOSED = "L'élève a été là 👍🏽 ."
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
SMALL = ("--hidden", 4, "--embedding", 3, "--batch-size", 2, "--epochs", 1, "--quiet")
TASKS = {
    "lm": ("--data", "text.txt", "--tokens", "word", "--steps", 8),
    "cloze": ("--data", "text.txt", "--tokens", "word", "--steps", 8),
    "classify": ("--data", "labelled.tsv", "--tokens", "word"),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(f"{DECOMPOSED}\n" * 20, encoding="utf-8")
    lines = (f"{'ab'[i % 2]}\t{DECOMPOSED} {i}\n" for i in range(40))
    (tmp_path / "labelled.tsv").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def encode(texts, learned, tokens):
    return classifier.encode(texts, learned.vocabulary, tokens, 99, learned.rules)


def change_config(path, **changes):
    config = json.loads((path / "run.json").read_text(encoding="utf-8"))
    config |= changes
    config = {name: value for name, value in config.items() if value is not None}
    (path / "run.json").write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize("task", TASKS)
def test_a_run_that_was_begun_by_the_first_rules_keeps_them(task, here, monkeypatch, capsys):
    with monkeypatch.context() as before:
        before.setattr(recipe, "RULES", 1)
        assert run("train", task, *TASKS[task], *SMALL, "--out", "old") == 0
    change_config(here / "old", rules=None)  # as it was when there was only one version
    vocabulary = Run("old").config["vocabulary"]
    assert {"e", "\u0301", "👍", "🏽"} <= set(vocabulary)
    assert run("train", task, "--resume", "old", "--epochs", 2, "--quiet") == 0
    assert len(Run("old").metrics()) == 2
    capsys.readouterr()
    pieces = tokenize(DECOMPOSED, "word", 1)
    if task == "lm":
        assert run("generate", "old", "--prefix", DECOMPOSED, "--length", 1) == 0
        reader = of_run(Run("old"))
        assert reader.cut(DECOMPOSED) == pieces
        assert reader.rules == read_config(Run("old")).rules == 1
    elif task == "cloze":
        assert run("cloze", "old", f"{DECOMPOSED} _") == 0
    else:
        (ids,) = encode([DECOMPOSED], read_learned(Run("old")), "word")
        np.testing.assert_array_equal(ids, [vocabulary.index(piece) for piece in pieces])
        assert run("classify", "old", DECOMPOSED) == 0
    assert capsys.readouterr().err == ""  # nothing is read as <unk>


@pytest.mark.parametrize("task", TASKS)
def test_a_run_reads_composed_and_decomposed_text_alike(task, here, capsys):
    assert run("train", task, *TASKS[task], *SMALL, "--out", "run") == 0
    assert Run("run").config["rules"] == 2
    assert {"élève", "👍🏽"} <= set(Run("run").config["vocabulary"])
    ask = {"lm": ("generate", "run", "--prefix"), "cloze": ("cloze", "run"), "classify": ("classify", "run")}[task]
    answers = []
    for text in (COMPOSED, DECOMPOSED):
        capsys.readouterr()
        assert run(*ask, f"{text} _" if task == "cloze" else text) == 0
        answers.append(unicodedata.normalize("NFC", capsys.readouterr().out))
    assert answers[0] == answers[1]
    change_config(here / "run", rules=3)
    for command in (ask, ("train", task, "--epochs", 2, "--resume", "run")):
        asked = command if command[0] == "train" else (*command, "a _")
        assert "run.json: expected words cut by rules of a version from 1 to 2, found 3" in refused(capsys, *asked)


def test_characters_of_a_language_model_are_left_as_they_are(here, capsys):
    assert run("train", "lm", "--data", "text.txt", *SMALL, "--out", "lm") == 0
    assert "\u0301" in Run("lm").config["vocabulary"]
    capsys.readouterr()
    assert run("generate", "lm", "--prefix", DECOMPOSED, "--length", 1) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(DECOMPOSED)
    assert captured.err == ""


def test_characters_that_are_only_read_are_composed(here, capsys):
    assert run("train", "classify", "--data", "labelled.tsv", *SMALL, "--out", "run") == 0
    learned = read_learned(Run("run"))
    assert "\u0301" not in learned.vocabulary
    one, other = encode([COMPOSED, DECOMPOSED], learned, "char")
    np.testing.assert_array_equal(one, other)
    assert not (one == 0).any()
    first = learned._replace(rules=1)
    assert len(encode([DECOMPOSED], first, "char")[0]) == len(DECOMPOSED) > len(one)


@pytest.mark.parametrize(("rules", "left"), [(1, "l e le ve a e te la"), (2, "l l ve a t l")])
def test_only_letters_are_left_of_both_forms_alike(rules, left, here):
    options = {"data": "text.txt", "clean": "letters", "tokens": "char", "max-tokens": None, "rules": rules}
    corpus = load_text(options).corpus
    assert "".join(corpus.tokens(0, len(corpus))) == 20 * left


def test_each_language_of_a_shared_vocabulary_has_its_own_spaces():
    pairs = [Pair("Well! Yes!", "Bien ! Oui !"), Pair("Oh! Ah!", "Oh ! Ah !")]
    options = {"tokens": "word", "clean": "none", "min-frequency": 1, "vocabulary": None}
    for shared in (True, False):
        source, target = build_codecs(pairs, {**options, "shared-vocabulary": shared})
        assert (source.vocabulary is target.vocabulary) == shared
        assert [source.decode(source.encode(pair.source)) for pair in pairs] == [pair.source for pair in pairs]
        assert [target.decode(target.encode(pair.target)) for pair in pairs] == [pair.target for pair in pairs]
        assert not {"<join>", "<space>"} & set(source.vocabulary.tokens)


def test_a_translation_says_once_that_it_composes(here, capsys):
    pairs = "".join(f"{DECOMPOSED} {i}\t{i} words\n" for i in range(9))
    (here / "pairs.tsv").write_text(pairs, encoding="utf-8")
    assert run("train", "translate", "--data", "pairs.tsv", *SMALL, "--out", "run") == 0
    capsys.readouterr()
    assert run("translate", "run", COMPOSED) == 0
    captured = capsys.readouterr()
    assert beside_results(captured.err) == ""
    assert run("translate", "run", "a", DECOMPOSED, DECOMPOSED) == 0
    said = capsys.readouterr()
    word = DECOMPOSED.split()[0]
    assert (
        beside_results(said.err)
        == f"note: read in Unicode's composed form (NFC), an accented letter as one: {word!r}\n"
    )
    assert said.out.splitlines()[1:] == captured.out.splitlines() * 2
