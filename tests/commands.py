"""Running commands of the command line inside a test."""

import contextlib
import io
import re

import pytest

from minirnn.cli.main import main


def without_progress(error):
    """What a command has said beside what it was doing. (On a busy machine that takes longer than a moment, and is
    told; in ASCII with an escape for the dots.)"""
    return re.sub(rb"(?m)^.* (?:\xe2\x80\xa6|\\u2026)\n", b"", error)


def run(*arguments):
    """The exit status of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return 0 if end.value.code is None else end.value.code


def printed(*arguments):
    """What a command that goes well prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run(*arguments) == 0
    return out.getvalue()


def refused(capsys, *arguments):
    """The one line that a wrong command gets."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("minirnn")
    assert "error: " in captured.err
    return captured.err


def beside_results(error):
    """What is on stderr, without the notes on what a small model does not know and cannot say."""
    lines = error.splitlines(keepends=True)
    return "".join(line for line in lines if "not in the vocabulary" not in line and " empty" not in line)
