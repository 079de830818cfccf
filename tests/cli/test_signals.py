"""What ends a command from outside."""

import shlex
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "minirnn", "train", "lm", "--hidden", "8", "--epochs", "1000", "--out", "r u n"]


def heed_interrupts():
    """A shell lets what it starts in the background ignore them, and so would our child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_ended_says_how_to_go_on(sent, tmp_path):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_interrupts}
    with subprocess.Popen(COMMAND, cwd=tmp_path, **options) as process:
        assert process.stdout.readline().startswith("r u n: ")  # now it begins
        process.send_signal(sent)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    again = error.splitlines()[-1].partition("interrupted; go on with: ")[2]
    assert shlex.split(again) == ["minirnn", "train", "lm", "--resume", "r u n"]
