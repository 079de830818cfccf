"""Paths as users have them, and commands that are printed to be pasted."""

import argparse
import io
import itertools
import os
import re
import shlex
import sys

import pytest
from commands import refused, run
from trainings import TRAININGS, forget_validations

from minirnn import Run
from minirnn.cli import fetch
from minirnn.cli.main import build_parser
from minirnn.cli.options import check_output, describe, path, quoted
from minirnn.errors import InputError
from minirnn.training import LanguageModeling

TEXTS = {"SENTENCE", "TEXT", "PATTERN", "caption", "name", "of_class", "prefix", "text"}
"""What takes any text, empty ones too."""


def actions(parser, words=()):
    """Every option and argument that takes a value, with the words of its command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from actions(child, (*words, name))
        elif action.nargs != 0:
            yield words, action


def test_every_argument_is_a_text_or_has_a_type():
    untyped = {a.dest for _, a in actions(build_parser()) if a.type in (None, str) and not a.choices}
    assert untyped <= TEXTS


PATHS = [(words, action) for words, action in actions(build_parser()) if action.type is path]


def test_the_paths_are_those_that_are_called_so():
    names = {action.metavar or action.dest for _, action in PATHS}
    assert names == {"RUN", "FILE", "DIR", "PNG", "PICTURE"}
    others = {a.metavar or a.dest for _, a in actions(build_parser()) if a.type is not path}
    assert not names & {name for name in others if isinstance(name, str)}
    assert ("generate",) in {words for words, action in PATHS if action.dest == "RUN"}


@pytest.mark.parametrize(("words", "action"), PATHS, ids=lambda x: " ".join(x) if isinstance(x, tuple) else x.dest)
def test_no_path_is_empty_or_holds_what_no_path_can(words, action, capsys):
    option = action.option_strings[:1]
    before = ["x"] * (action.dest == "PICTURE")
    rest = ["x"] * (not before and bool({"attention", "caption", "cloze"} & {words[-1]}))
    for wrong, shown in (("", "''"), ("a\0b", r"'a\x00b'"), ("\ud800x", r"'\ud800x'")):
        message = refused(capsys, *words, *(option or [*before, "--"]), wrong, *([] if option else rest))
        assert f"argument {option[0] if option else action.dest}: expected a path, found {shown}" in message


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("file", "it is a file"),
        ("folder", "there is no run.json in it"),
        ("~", "there is no such directory"),
        ("missing", "there is no such directory"),
        ("file/below", "there is no such directory"),
    ],
)
def test_what_is_no_run_is_said(name, what, here, capsys):
    (here / "file").touch()
    (here / "folder").mkdir()
    for command in (("generate",), ("translate",), ("classify",), ("evaluate",), ("show", "loss"), ("show", "gates")):
        assert f"error: {name} is not a run directory: {what}\n" in refused(capsys, *command, name)


def test_a_path_with_a_line_break_is_one_line(here, capsys):
    assert r"a\nb is not a run directory" in refused(capsys, "generate", "a\nb")


def test_outputs_are_checked_before_the_work(here, monkeypatch):
    (here / "file").touch()
    for good in ("file", "new", "/dev/null"):
        check_output(good)
    with pytest.raises(InputError, match=r"^\. is a directory: expected a file to write$"):
        check_output(".")
    with pytest.raises(InputError, match=r"^file/x: there is no directory file to write it to$"):
        check_output("file/x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    check_output("/dev/null")
    with pytest.raises(InputError, match=r"^file: the directory \. cannot be written to$"):
        check_output("file")


def test_errors_name_their_file():
    assert describe(InputError("wrong")) == "wrong"
    assert describe(FileNotFoundError(2, "gone", "x")) == "x: gone"
    assert describe(OSError(28, "full")) == "full"
    assert describe(OSError("odd")) == "odd"


ODD = ["plain", "with space", "it's", '"', "-x", "--help", "$HOME", "a;b", "a\nb", "~", "*", "é", "\\", "-", "a&b"]


@pytest.mark.parametrize("name", ODD)
def test_a_quoted_path_is_one_word_and_no_option(name):
    (word,) = shlex.split(quoted(name))
    assert word == name or (name.startswith("-") and word == f"./{name}")
    assert word == build_parser().parse_args(["generate", word]).RUN
    assert build_parser().parse_args(["train", "lm", "--resume", word]).resume == word


def hints(text):
    """The commands in an output, as a shell would take them apart."""
    found = re.findall(r"minirnn (?:train|generate|translate|evaluate|classify|cloze|draw|chat) .*", text)
    return [shlex.split(command)[1:] for command in found]


@pytest.mark.parametrize("task", ["lm", "cloze", "translate", "classify", "draw", "chat"])
def test_what_a_training_proposes_can_be_pasted(task, here, capsys, monkeypatch):
    assert run("train", task, *TRAININGS[task], "--epochs", 1, "--quiet", "--out=-it's my run") == 0
    commands = hints(capsys.readouterr().out)
    assert len(commands) == 1 + (task in ("translate", "draw", "chat"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))  # to which a chat answers
    for command in commands:
        assert run(*command) == 0


def test_how_to_go_on_can_be_pasted(here, capsys, monkeypatch):
    honest, steps = LanguageModeling.loss, itertools.count()

    def loss(self, *arguments):
        if next(steps) == 3:
            raise KeyboardInterrupt
        return honest(self, *arguments)

    monkeypatch.setattr(LanguageModeling, "loss", loss)
    assert run("train", "lm", *TRAININGS["lm"], "--quiet", "--epochs", 2, "--out=- my run's") == 130
    (again,) = hints(capsys.readouterr().err)
    assert again == ["train", "lm", "--resume", "./- my run's"]
    assert run(*again, "--quiet") == 0
    forget_validations(Run(here / "- my run's"))
    capsys.readouterr()
    assert run(*again, "--quiet") == 0
    (further,) = hints(capsys.readouterr().out)
    assert further == [*again, "--epochs", "3"]
    assert run(*further, "--quiet") == 0
    assert "perplexity on held-out text" in capsys.readouterr().out


def test_how_to_use_a_data_set_can_be_pasted(here, capsys, monkeypatch):
    monkeypatch.setattr(fetch, "fetch_dataset", lambda name, folder: f"{folder}/my text.txt")
    assert run("fetch", "time-machine", "--to=-x") == 0
    (command,) = hints(capsys.readouterr().out)
    assert command == ["train", "lm", "--data", "./-x/my text.txt"]
