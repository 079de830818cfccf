"""What a model does not know, and that it wrote nothing, is said beside the results; and what is proposed fits."""

import io
import re
import shlex
import sys

import pytest
from commands import run
from trainings import TRAININGS

from minirnn import Vocabulary
from minirnn.cli.notes import EmptyResults, UnknownTokens
from minirnn.translator import Translator

UNKNOWN = "note: not in the vocabulary, read as <unk>: "


def piped(monkeypatch, *lines, terminal=False):
    stream = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream, encoding="utf-8"))


@pytest.mark.parametrize(("command", "known"), [("translate", "red cat"), ("classify", "a w1")])
def test_what_is_unknown_is_said_of_arguments_as_of_lines(command, known, small_runs, monkeypatch, capsys):
    lines = [known, "ü ö", "ü ä"]
    expected = UNKNOWN + "'ü', 'ö', 'ä'\n"
    assert run(command, small_runs / command, *lines) == 0
    given = capsys.readouterr()
    assert given.err == expected
    piped(monkeypatch, *lines)
    assert run(command, small_runs / command) == 0
    assert capsys.readouterr() == given
    piped(monkeypatch, known)
    assert run(command, small_runs / command) == 0
    assert capsys.readouterr().err == ""


def test_every_command_that_reads_a_text_says_what_it_does_not_know(small_runs, here, capsys):
    for command in (("cloze", small_runs / "cloze", "the ü_"), ("generate", small_runs / "lm", "--prefix", "ü"),
                    ("show", "attention", small_runs / "translate", "red ü"),
                    ("show", "gates", small_runs / "lm", "--text", "the ü")):  # fmt: skip
        assert run(*command) == 0
        assert capsys.readouterr().err == UNKNOWN + "'ü'\n"


def test_of_many_unknown_tokens_a_few_are_named_and_each_once(monkeypatch, capsys):
    notes = UnknownTokens(Vocabulary(["a", "<unk>"]))
    notes.note("abcd")
    notes.note("bcdefgh")
    notes.note("xyz")
    assert capsys.readouterr().err == f"{UNKNOWN}'b', 'c', 'd'\n{UNKNOWN}'e', 'f', …\n"
    piped(monkeypatch, terminal=True)
    notes.note("bc123")  # a person hears of every line
    notes.note("456")
    assert capsys.readouterr().err == f"{UNKNOWN}'1', '2', '3'\n{UNKNOWN}'4', '5', '6'\n"


def test_a_translation_that_is_empty_says_why(small_runs, monkeypatch, capsys):
    honest = Translator._translated

    def ends_at_once(self, source, hypothesis, proven):
        return honest(self, source, type(hypothesis)((), *list(vars(hypothesis).values())[1:]), proven)

    monkeypatch.setattr(Translator, "_translated", ends_at_once)
    for how, why in (
        ((), "most probable choice"),
        (("--beam", 3), "scores better than"),
        (("--sample",), "drew the end"),
    ):
        assert run("translate", small_runs / "translate", "red cat", "", "big dog", *how) == 0
        captured = capsys.readouterr()
        assert captured.out == "\n\n\n"
        first, second = captured.err.splitlines()
        assert first.startswith(
            "note: the translation of 'red cat' is empty: to end" if how != ("--sample",) else "note"
        )
        assert why in first
        assert ("--length-penalty" in first) == ("--beam" in how)
        assert second == "note: 2 translations are empty"


def test_an_empty_result_is_explained_once(capsys):
    empty = EmptyResults("answer", "greedy")
    empty.end()
    assert capsys.readouterr().err == ""
    empty.note("x" * 50)
    empty.end()
    assert capsys.readouterr().err.startswith(f"note: the answer of '{'x' * 39}…' is empty: to end at once")


@pytest.mark.parametrize(
    ("task", "form"),
    [("addition", r"\d+\+\d+"), ("copy", r"[\d ]+"), ("dates", r".*\d{4}.*"), ("reverse", r"[\d ]+")],
)
def test_a_generated_task_proposes_a_question_of_its_own(task, form, here, capsys, monkeypatch):
    from minirnn.cli import corpora

    monkeypatch.setattr(corpora, "VALID_QUESTIONS", 20)
    monkeypatch.setattr(corpora, "TEST_QUESTIONS", 20)
    small = ("--examples", 100, "--hidden", 4, "--embedding", 3, "--epochs", 1, "--quiet", "--out", "r")
    assert run("train", "task", "--task", task, *small) == 0
    (line,) = re.findall(r"more: minirnn (translate .*)", capsys.readouterr().out)
    command = shlex.split(line)
    assert re.fullmatch(form, command[2])
    assert run(*command) == 0


@pytest.mark.parametrize("tokens", ["word", "char"])
def test_blanks_are_proposed_as_a_model_reads_them(tokens, here, capsys):
    options = ("--tokens", tokens, "--epochs", 1, "--steps", 8, "--quiet", "--out", "r")
    assert run("train", "cloze", *TRAININGS["cloze"], *options) == 0
    (line,) = re.findall(r"more: minirnn (cloze .*)", capsys.readouterr().out)
    assert run(*shlex.split(line)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "blank 2, seeing both" in captured.out
