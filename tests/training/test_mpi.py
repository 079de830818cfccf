"""Data-parallel training with real processes: under `mpiexec` of whatever MPI mpi4py finds.

How many processes there are is `mpiexec`'s to say, so each of these tests starts some.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from mpi_launcher import command, run
from trainings import TRAININGS, write_data

from minirnn import load_checkpoint

PROGRAM = Path(__file__).with_name("mpi_program.py")


def slow(*what):
    """A case that is left to the slow tests: processes take their time to start."""
    return pytest.param(*what, marks=pytest.mark.slow)


@pytest.fixture(scope="module", autouse=True)
def there_is_mpi():
    command(2)


@pytest.mark.parametrize(
    ("optimizer", "dtype", "rtol"),
    [("sgd", "float64", 1e-12), slow("sgd", "float32", 1e-6), slow("adam", "float32", 1e-4)],
)
def test_processes_learn_what_one_learns(optimizer, dtype, rtol, tmp_path):
    expected, meta = None, {}
    for size in (0, 2, 3):
        file = tmp_path / f"{size}.safetensors"
        done = run(size, PROGRAM, file, optimizer, dtype)
        assert done.returncode == 0, done.stderr[-2000:]
        found, about = load_checkpoint(file)
        assert about["size"] == max(size, 1)
        expected, meta = expected or found, meta or about
        np.testing.assert_allclose(about["losses"], meta["losses"], rtol=rtol)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=rtol, atol=rtol * abs(array).max(), err_msg=name)


def said(done):
    """What minirnn has said on stderr, of what there is: an MPI that ends a program has words of its own."""
    return [line for line in done.stderr.splitlines() if line.startswith(("minirnn:", "Traceback", "KeyError"))]


@pytest.mark.parametrize(
    ("what", "rank", "status", "message"),
    [
        slow("input", 0, 2, "minirnn: rank 0 of 3: error: this cannot be read"),
        ("input", 1, 2, "minirnn: rank 1 of 3: error: this cannot be read"),
        slow("memory", 2, 2, "minirnn: rank 2 of 3: not enough memory"),
        slow("interrupt", 1, 130, "minirnn: rank 1 of 3: interrupted"),
        slow("bug", 2, 1, "minirnn: rank 2 of 3: Traceback (most recent call last):"),
    ],
)
def test_an_error_of_one_rank_is_said_once_and_ends_all(what, rank, status, message, tmp_path):
    done = run(3, PROGRAM, tmp_path / "none", "sgd", "float32", what, rank)
    assert done.returncode == status, done.stderr[-2000:]
    assert said(done)[0] == message
    assert said(done)[1:] == (["KeyError: 'a mistake'"] if what == "bug" else [])


@pytest.mark.parametrize(("what", "error"), [slow("bug", "KeyError"), ("nan", "NonFiniteLossError")])
def test_an_error_of_all_ranks_is_raised_once(what, error, tmp_path):
    done = run(3, PROGRAM, tmp_path / "none", "sgd", "float32", what, -1)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert len(re.findall(rf"^[\w.]*{error}: ", done.stderr, re.MULTILINE)) == 1
    assert "MPI_Abort" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_that_is_killed_ends_all(rank, tmp_path):
    assert run(3, PROGRAM, tmp_path / "none", "sgd", "float32", "kill", rank).returncode != 0


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path)
    return tmp_path


def training(task, *more):
    return ("-m", "minirnn", "train", task, *TRAININGS[task], *more)


def deterministic(rows):
    return [{name: value for name, value in row.items() if not name.endswith("_per_second")} for row in rows]


NO_DROPOUT = {
    "translate": ("--dropout", 0),
    "classify": ("--dropout", 0),
    "caption": ("--embedding-dropout", 0),
}
"""What has to be said to commands that draw while they learn."""


@pytest.mark.parametrize("task", [one if one == "lm" else slow(one) for one in TRAININGS])
def test_every_command_trains_in_several_processes_as_in_one(task, data):
    train = training(task, "--epochs", 2, *NO_DROPOUT.get(task, ()), "--out")
    done = [run(size, *train, name, cwd=data) for size, name in ((0, "one"), (3, "three"))]
    for one in done:
        assert one.returncode == 0, one.stderr[-2000:]
    assert done[1].stdout.count("in each of 3 processes") == 1
    assert done[1].stdout.count("epoch 2  ") == done[0].stdout.count("epoch 2  ")
    assert sorted(p.name for p in (data / "three").iterdir()) == sorted(p.name for p in (data / "one").iterdir())
    (found, meta), (expected, known) = (load_checkpoint(data / n / "last.safetensors") for n in ("three", "one"))
    assert len(meta["streams"]) == 3
    for row, other in zip(deterministic(meta["history"]), deterministic(known["history"]), strict=True):
        assert row == pytest.approx(other, rel=1e-3)
    for name, array in expected.items():
        if name.startswith("model/"):
            np.testing.assert_allclose(found[name], array, rtol=1e-2, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_a_run_goes_on_in_another_number_of_processes(data):
    for size, epochs, ranks_kept in ((2, 1, 2), (3, 2, 3), (0, 3, 1)):
        arguments = training("lm", "--out", "r") if size == 2 else ("-m", "minirnn", "train", "lm", "--resume", "r")
        done = run(size, *arguments, "--epochs", epochs, cwd=data)
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads((data / "r" / "run.json").read_text())["ranks"] == ranks_kept
    assert [row["epoch"] for row in load_checkpoint(data / "r" / "last.safetensors")[1]["history"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lm", "--data", "none.txt"), "none.txt"),
        slow(("lm", "--datta", "none.txt"), "unrecognized arguments: --datta"),
        slow(("lm", "--data", "text.txt", "--out", "taken"), "taken exists already"),
        slow(("lm", "--resume", "taken"), "taken is not a run directory"),
    ],
)
def test_bad_input_is_said_once(arguments, message, data):
    (data / "taken").mkdir()
    (data / "taken" / "file").touch()
    small = TRAININGS["lm"][2:] if "--out" in arguments else ()
    done = run(3, "-m", "minirnn", "train", *arguments, *small, cwd=data)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert re.match(r"minirnn[\w ]*: error: ", line)
    assert message in line
