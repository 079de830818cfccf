"""Ctrl-C while a command is loaded, and when it is as good as done."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from minirnn_command import main; main()", "gradcheck", "cell rnn"]


def heed_interrupts():
    """A shell lets what it starts in the background ignore them, and so would our child."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_command_is_the_one_that_is_installed():
    assert "minirnn = minirnn_command:main" in (ROOT / "setup.cfg").read_text()


@pytest.mark.parametrize("seconds", [0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6])
def test_an_interrupt_at_any_moment_is_one_line(seconds, tmp_path):
    """At any moment from which on there is a `minirnn`: before, it is Python alone that starts."""
    marked = [*COMMAND[:2], "import os; os.write(1, b'>'); " + COMMAND[2], *COMMAND[3:]]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, "preexec_fn": heed_interrupts}
    with subprocess.Popen(marked, **options) as process:
        assert process.stdout.read(1) == b">"
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert re.fullmatch(rb"(.*\r)?(\n?minirnn: interrupted\n)?", error, re.DOTALL), error


def test_an_ignored_interrupt_stays_ignored():
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, "preexec_fn": ignore}
    with subprocess.Popen(COMMAND, **options) as process:
        for _ in range(10):
            time.sleep(0.03)
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def on_a_terminal(program):
    """What Python writes to a terminal."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", program, "--version"], stdout=theirs, stderr=theirs, cwd=ROOT):
        os.close(theirs)
        found = b""
        with contextlib.suppress(OSError):  # which Linux raises at the end
            while some := os.read(ours, 1000):
                found += some
    os.close(ours)
    return found


@pytest.mark.parametrize(("after", "said"), [(0.0, True), (60, False)])
def test_who_sits_before_a_terminal_sees_what_there_is_to_wait_for(after, said):
    program = f"import minirnn_command; minirnn_command.AFTER = {after}; minirnn_command.main()"
    word = rb"loading minirnn \.\.\.\r {19}\r" if said else b""
    assert re.fullmatch(word + rb"minirnn [\w.]+\r\n", on_a_terminal(program))
