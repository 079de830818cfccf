"""Several processes learn from one long text: rank 0 cuts it and keeps it with the run, and all read from there."""

from pathlib import Path

import numpy as np
import pytest
from mpi_launcher import command, run
from trainings import TRAININGS, write_data

from minirnn import load_checkpoint

PROGRAM = Path(__file__).with_name("mpi_long_text.py")


@pytest.fixture(scope="module", autouse=True)
def there_is_mpi():
    command(2)


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path)
    return tmp_path


def train(size, data, *arguments):
    done = run(size, PROGRAM, "train", "lm", *arguments, "--quiet", cwd=data)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return done


def weights(run_directory):
    return {name: a for name, a in load_checkpoint(run_directory / "last.safetensors")[0].items() if "model" in name}


@pytest.mark.slow
def test_a_long_text_is_cut_by_one_rank_and_learned_by_all(data):
    train(0, data, *TRAININGS["lm"], "--epochs", 3, "--out", "alone")
    (data / "readers").unlink()
    train(2, data, *TRAININGS["lm"], "--epochs", 1, "--out", "r")
    assert (data / "readers").read_text() == "0\n"
    files = {path.name for path in (data / "r").iterdir()}
    assert files == {path.name for path in (data / "alone").iterdir()}
    train(3, data, "--resume", "r", "--epochs", 2)
    assert (data / "readers").read_text() == "0\n"
    kept = data / "r" / "tokens.safetensors"
    kept.write_bytes(kept.read_bytes()[:-1])
    train(2, data, "--resume", "r", "--epochs", 3)
    assert (data / "readers").read_text() == "0\n0\n"
    assert kept.read_bytes() == (data / "alone" / "tokens.safetensors").read_bytes()
    assert {path.name for path in (data / "r").iterdir()} == files
    assert {path.name for path in data.glob("*") if path.name.startswith((".", "tmp"))} == set()
    for name, array in weights(data / "alone").items():
        np.testing.assert_allclose(weights(data / "r")[name], array, rtol=1e-2, atol=1e-3, err_msg=name)


def test_a_text_that_cannot_be_read_is_said_once(data):
    text = (data / "text.txt").read_bytes()
    (data / "text.txt").write_bytes(text + b"\xff" + text)
    done = run(3, PROGRAM, "train", "lm", *TRAININGS["lm"], "--out", "r", cwd=data)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "text.txt" in line
    assert line.startswith("minirnn: error: ")
    assert not (data / "r").exists()
