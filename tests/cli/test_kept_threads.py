"""How many threads a command computes with: as it is told, as its run began, or as many as pay for the model."""

import json

import pytest
from commands import refused, run

from minirnn import num_threads, parallel, set_num_threads
from minirnn.cli import generate, training

SMALL = ["train", "lm", "--hidden", "4", "--epochs", "1", "--quiet"]


@pytest.fixture
def data_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat. " * 200)
    return path


@pytest.fixture
def used(monkeypatch):
    """How many threads there were to use when training began, and in how many the BLAS ran."""
    found = []
    train = training.Trainer.train

    def watched(trainer, epochs):
        found.append((num_threads(), parallel.blas().get("num_threads", 1)))
        return train(trainer, epochs)

    monkeypatch.setattr(training.Trainer, "train", watched)
    yield found
    set_num_threads(None)


def kept(folder):
    return json.loads((folder / "run.json").read_text())["threads"]


@pytest.mark.parametrize("before", [True, False])
def test_a_run_goes_on_with_the_threads_that_it_began_with(before, tmp_path, capsys, used, data_text):
    folder, asked = tmp_path / "r", ["--threads", "3"]
    command = [*asked, *SMALL] if before else [*SMALL, *asked]
    assert run(*command, "--data", data_text, "--out", folder) == 0
    assert (used.pop(), kept(folder)) == ((3, 1), 3)
    assert capsys.readouterr().out.splitlines()[0].endswith("; 3 threads")
    assert run("train", "lm", "--resume", folder, "--epochs", 2, "--quiet") == 0
    assert (used.pop(), kept(folder)) == ((3, 1), 3)
    assert run("train", "lm", "--resume", folder, "--epochs", 3, "--quiet", "--threads", 1) == 0
    assert (used.pop(), kept(folder)) == ((1, 1), 1)
    config = json.loads((folder / "run.json").read_text())
    del config["threads"]  # as in the runs of older versions
    (folder / "run.json").write_text(json.dumps(config))
    assert run("train", "lm", "--resume", folder, "--epochs", 4, "--quiet") == 0
    assert kept(folder) == 1


def test_as_many_threads_as_pay_for_the_model(tmp_path, used, monkeypatch, capsys, data_text):
    monkeypatch.setattr(parallel, "_at_first", lambda: 16)
    threads = []
    for hidden, batch in [(4, 32), (256, 32), (256, 256)]:
        folder = tmp_path / f"{hidden}-{batch}"
        sizes = ["--hidden", hidden, "--batch-size", batch, "--steps", 5]
        assert run("train", "lm", *sizes, "--epochs", 1, "--quiet", "--data", data_text, "--out", folder) == 0
        threads.append(kept(folder))
        line = capsys.readouterr().out.splitlines()[0]
        assert line.endswith(f"; {threads[-1]} thread{'s' * (threads[-1] > 1)}")
    assert threads[0] == 1
    assert 1 < threads[1] < threads[2] < 16
    assert [n for n, _ in used] == threads


def test_what_uses_a_run_computes_with_its_threads(tmp_path, used, monkeypatch, capsys, data_text):
    folder, seen = tmp_path / "r", []
    assert run(*SMALL, "--threads", 2, "--data", data_text, "--out", folder) == 0
    load = generate.load_writer
    monkeypatch.setattr(generate, "load_writer", lambda *a: seen.append(num_threads()) or load(*a))
    assert run("generate", folder, "--length", 3) == 0
    assert run("generate", folder, "--length", 3, "--threads", 5) == 0
    assert run("--threads", 4, "generate", folder, "--length", 3) == 0
    assert seen == [2, 5, 4]


def test_threads_that_are_no_number_of_threads(tmp_path, capsys, used, data_text):
    folder = tmp_path / "r"
    for bad in ("0", "-1", "two", "1.5", "1025"):
        assert "expected a whole number" in refused(capsys, *SMALL, "--threads", bad, "--out", folder)
    assert not folder.exists()
    assert run(*SMALL, "--data", data_text, "--out", folder) == 0
    capsys.readouterr()
    config = json.loads((folder / "run.json").read_text())
    for bad in ("2", 1.5, [], True, 0, 10**9):
        (folder / "run.json").write_text(json.dumps({**config, "threads": bad}))
        assert "run.json: damaged: threads" in refused(capsys, "train", "lm", "--resume", folder, "--epochs", 2)
        assert "run.json: damaged: threads" in refused(capsys, "generate", folder)
