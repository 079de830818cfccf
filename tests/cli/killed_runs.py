"""Trainings that are killed just before each of their file operations; see `test_killed_runs.py`.

    python killed_runs.py FOLDER TASK EVERY

kills one training before its first file operation, one before its second, …, of which every EVERYth, lets each go on,
and compares what came of it with what comes of a training that nobody kills.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from trainings import TRAININGS, write_data

from minirnn import load_checkpoint
from minirnn.cli import corpora
from minirnn.cli.main import main
from minirnn.plots import common

TASKS = {**TRAININGS, "task": ("--examples", 60, "--hidden", 8, "--embedding", 4, "--batch-size", 16)}
"""The options of each `minirnn train` command."""
corpora.VALID_QUESTIONS = corpora.TEST_QUESTIONS = 50  # of hundreds and thousands, which every training answers
OPERATIONS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate", "shutil.rmtree"}


def in_a_child(act):
    """The exit status of `act` in a process of its own; the number of the signal, negative, that killed it."""
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        try:
            act()
        except SystemExit as end:
            os._exit(end.code or 0)
        except BaseException:
            os._exit(99)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train(task, *more):
    main([str(a) for a in ("train", task, *more, "--quiet")])


def killed_at(n, found=None):
    """From now on be killed before the nth operation on a file, or count them."""
    left, fsync = [n], os.fsync

    def operation():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, arguments):
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event in OPERATIONS or (writes and not str(arguments[0]).startswith("/dev")):
            operation()

    def synchronised(file):
        operation()
        fsync(file)

    sys.addaudithook(hook)
    os.fsync = synchronised
    return left


def outcome(folder):
    """What must not depend on how often a training was killed."""
    arrays, meta = load_checkpoint(folder / "last.safetensors")
    best, _ = load_checkpoint(folder / "best.safetensors")
    rows = [{key: value for key, value in row.items() if not key.endswith("_per_second")} for row in meta["history"]]
    lines = (folder / "metrics.jsonl").read_text().count("\n")
    return meta["step"], rows, lines, *({name: a.tobytes() for name, a in found.items()} for found in (arrays, best))


def run(folder, task, every):
    """How many operations there are; fails where a training that was killed did not come to the same."""
    common.has_matplotlib = lambda: False
    write_data(folder)
    os.chdir(folder)
    whole = (*TASKS[task], "--epochs", 2, "--save-every", 0)
    counter, written = os.pipe()

    def count():
        left = killed_at(0)
        try:
            train(task, *whole, "--out", "whole")
        finally:
            os.write(written, str(-left[0]).encode())

    assert in_a_child(count) == 0
    operations, expected = int(os.read(counter, 100)), outcome(Path("whole"))
    for n in range(1, operations + 1, every):
        shutil.rmtree("killed", ignore_errors=True)

        def die(n=n):
            killed_at(n)
            train(task, *whole, "--out", "killed")

        assert in_a_child(die) == -signal.SIGKILL, n
        begun = Path("killed", "run.json").exists()
        again = ("--resume", "killed", "--epochs", 2) if begun else (*whole, "--out", "killed")
        status = in_a_child(lambda again=again: train(task, *again))
        assert status == 0, (task, n, begun, status)
        assert outcome(Path("killed")) == expected, (task, n)
        left = {path.name for path in Path("killed").iterdir()} - {path.name for path in Path("whole").iterdir()}
        assert not left, (task, n, left)
    return operations


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])), file=sys.__stdout__)
