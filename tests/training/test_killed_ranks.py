"""A training in several processes, of which one is killed at any moment, goes on to the bit from its checkpoint."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from mpi_launcher import command, environment, run
from trainings import write_data

from minirnn import load_checkpoint

OPTIONS = ("--data", "text.txt", "--hidden", 8, "--embedding", 4, "--batch-size", 7, "--steps", 16, "--dropout", 0.2)
TRAIN = ("-m", "minirnn", "train", "lm", *OPTIONS, "--epochs", 30, "--save-every", 0, "--quiet", "--out")
SIZE, TIMES = 3, 20
RANKS = ("PMI_RANK=", "OMPI_COMM_WORLD_RANK=")


def process_of(rank, mark):
    """The number of the process that is this rank of those with a mark in their environment; None if there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            known = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if mark in known and any(f"{name}{rank}" in known for name in RANKS):
            return int(folder.name)
    return None


def train_until(moment, rank, folder, mark):
    """Train, and kill a rank after so many seconds. Returns whether there was one to kill, when all have ended."""
    name, _, value = mark.partition("=")
    training = subprocess.Popen(
        command(SIZE, *TRAIN, "killed"), env=environment(**{name: value}), cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(moment)
    pid = process_of(rank, mark)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    training.wait(60)
    return pid is not None


def outcome(run_directory):
    arrays, meta = load_checkpoint(run_directory / "last.safetensors")
    rows = [{name: x for name, x in row.items() if not name.endswith("per_second")} for row in meta["history"]]
    return meta["step"], rows, meta["streams"], {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the ranks are found in /proc")
def test_a_rank_may_be_killed_at_any_moment(tmp_path):
    write_data(tmp_path)
    began = time.monotonic()
    done = run(SIZE, *TRAIN, "whole", cwd=tmp_path)
    whole = time.monotonic() - began
    assert done.returncode == 0, done.stderr[-2000:]
    expected, kills, in_training = outcome(tmp_path / "whole"), 0, 0
    draw = random.Random(0)
    for k in range(TIMES):
        mark = f"MINIRNN_TEST_MARK={os.getpid()}-{k}"
        killed = tmp_path / "killed"
        was_killed = train_until(draw.uniform(0.15, 0.75) * whole, k % SIZE, tmp_path, mark)
        kills += was_killed
        if (killed / "run.json").exists():
            in_training += was_killed
            done = run(SIZE, "-m", "minirnn", "train", "lm", "--resume", "killed", cwd=tmp_path)
        else:
            done = run(SIZE, *TRAIN, "killed", cwd=tmp_path)
        assert done.returncode == 0, (k, done.stderr[-2000:])
        assert outcome(killed) == expected, k
        killed.rename(tmp_path / f"killed-{k}")
    print(f"{kills} of {TIMES} killed, {in_training} of them in training")
    assert kills > TIMES // 2
    assert in_training > TIMES // 4
