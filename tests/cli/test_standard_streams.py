"""What comes in through the standard input, and what becomes of output that nobody takes."""

import codecs
import io
import os
import shlex
import shutil
import subprocess
import sys

import pytest
from commands import beside_results, refused, run, without_progress

from minirnn.cli.main import main
from minirnn.cli.options import complain

COMMANDS = ("translate", "classify")


def piped(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "data",
    [
        b"red cat\na\n\nbig dog\n",
        b"red cat\ra\r\rbig dog\r",
        b"red cat\r\na\r\n\r\nbig dog",
        b"red cat\ra\n\r\nbig dog\n",
        b"\xef\xbb\xbfred cat\na\n\nbig dog\n",
        "red\u2028cat\na\n\nbig\u0085dog\n".encode(),
        codecs.BOM_UTF16_LE + "red cat\r\na\r\n\r\nbig dog".encode("utf-16-le"),
    ],
)
def test_lines_are_those_of_a_file(command, data, small_runs, monkeypatch, capsys):
    assert run(command, small_runs / command, "red cat", "a", "", "big dog") == 0
    given = capsys.readouterr()
    assert given.out.count("\n") == 4
    piped(monkeypatch, data)
    assert run(command, small_runs / command) == 0
    assert capsys.readouterr() == given


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_text_is_said(command, small_runs, monkeypatch, capsys):
    piped(monkeypatch, b"red\ncat\xff\ndog\xfe\n\0\n")
    assert run(command, small_runs / command) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 4
    assert beside_results(captured.err) == (
        "note: standard input line 2: expected UTF-8 text, found the byte 0xff: read as U+FFFD, here and further on\n"
    )
    piped(monkeypatch, "red\ncat".encode("utf-16-le"))
    assert "standard input line 1: expected UTF-8 text, found a NUL" in refused(capsys, command, small_runs / command)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_input(command, small_runs, monkeypatch, capsys):
    for data in (b"", codecs.BOM_UTF8):
        piped(monkeypatch, data)
        assert run(command, small_runs / command) == 0
        assert capsys.readouterr() == ("", "")
    what = {"translate": "translate", "classify": "label"}[command]
    monkeypatch.setattr(sys, "stdin", None)
    message = refused(capsys, command, small_runs / command)
    assert f"there is nothing to {what}: give text, or lines on the standard input" in message
    assert run(command, small_runs / command, "cat") == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("error", [OSError(9, "Bad file descriptor"), io.UnsupportedOperation("Bad file descriptor")])
def test_an_input_that_cannot_be_read(command, error, small_runs, monkeypatch, capsys):
    class Unreadable(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            raise error

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Unreadable())))
    message = refused(capsys, command, small_runs / command)
    assert message == "minirnn: error: standard input: Bad file descriptor\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_whoever_types_is_told(command, small_runs, monkeypatch, capsys):
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Terminal(b"red cat\ndog\n")))
    assert run(command, small_runs / command) == 0
    captured = capsys.readouterr()
    assert (
        beside_results(captured.err) == f"one {'sentence' if command == 'translate' else 'text'} a line; Ctrl-D ends\n"
    )
    assert captured.out.count("\n") == 2


def test_spaces_that_are_no_letters_are_plain_in_arguments_and_lines(small_runs, here, monkeypatch, capsys):
    """As in the pairs that the model has learned from: to one that tells characters apart they would be unknown."""
    assert run("train", "translate", "--data", "pairs.tsv", "--tokens", "char", "--quiet", "--epochs", 1,
               "--hidden", 4, "--embedding", 4, "--out", "r") == 0  # fmt: skip
    capsys.readouterr()
    assert run("translate", "r", "red\u202fcat", "red\u00a0cat", "red\r\ncat", "red\rcat") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("note: not in the vocabulary, read as <unk>: '\\n'\n")
    piped(monkeypatch, "red\u202fcat\nred\u00a0cat\n".encode())
    assert run("translate", "r") == 0
    assert capsys.readouterr().out.splitlines() == captured.out.splitlines()[:2]


def test_texts_of_the_command_line_have_the_line_ends_of_files(small_runs, capsys):
    assert run("classify", small_runs / "classify", "a\r\nb", "a\nb", "a b") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1]
    assert [line.split("\t")[0] for line in lines] == ["a b"] * 3
    outputs = []
    for prefix in ("the\rfox", "the\nfox"):
        assert run("generate", small_runs / "lm", "--prefix", prefix, "--length", 5) == 0
        outputs.append(capsys.readouterr())
    assert outputs[0] == outputs[1]


def test_output_and_errors_that_are_closed_go_nowhere(small_runs, monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    for arguments, status in ((("generate", small_runs / "lm", "--length", 3), 0), (("generate", "nothing"), 2)):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        assert end.value.code == status
    for name in ("stdout", "stderr"):
        assert getattr(sys, name).name == os.devnull
        getattr(sys, name).close()


def test_a_complaint_that_nobody_takes_is_no_other_error(monkeypatch, capsys):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    complain("minirnn", "a\r\nb")
    assert capsys.readouterr().err == "minirnn: error: a\\r\\nb\n"
    monkeypatch.setattr(sys, "stderr", Full())
    assert run("generate", "nothing") == 2


def in_a_shell(command):
    """The status, output and errors of a shell command with MINIRNN in it."""
    python = f"{shlex.quote(sys.executable)} -m minirnn"
    result = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + command.replace("MINIRNN", python)], capture_output=True, check=False
    )
    return result.returncode, result.stdout, without_progress(result.stderr)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell")
def test_streams_as_a_shell_has_them(small_runs):
    classify = f"MINIRNN classify {shlex.quote(str(small_runs / 'classify'))}"
    status, out, error = in_a_shell(f"{classify} <&-")
    assert (status, out) == (2, b"")
    assert error == b"minirnn: error: there is nothing to label: give text, or lines on the standard input\n"
    assert in_a_shell(f"{classify} </dev/null 2>&-") == (0, b"", b"")
    assert in_a_shell("MINIRNN generate nothing 2>&- >&-") == (2, b"", b"")
