"""The files of a run, one by one."""

import json
import math
import os

import numpy as np
import pytest

from minirnn import InputError, Run, load_checkpoint, save_checkpoint
from minirnn.training.checkpoint import subset, write_atomically
from minirnn.training.run import FORMAT
from minirnn.version import __version__


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "r", {"task": "lm", "size": 3})


def test_a_run_is_what_was_written_down(run):
    began = {"format": 1, "minirnn": __version__}
    assert json.loads((run.path / "run.json").read_text()) == {**began, "task": "lm", "size": 3} == run.config
    assert FORMAT == 1
    run.update({"size": 4, "more": "é"})
    again = Run(str(run.path))
    assert again.config == run.config == {**began, "task": "lm", "size": 4, "more": "é"}
    people_read_it = (
        f'{{\n "format": 1,\n "minirnn": "{__version__}",\n "task": "lm",\n "size": 4,\n "more": "\\u00e9"\n}}'
    )
    assert (run.path / "run.json").read_text() == people_read_it


@pytest.mark.parametrize("text", ["{", "[]", "7", '"format"', "{}", "[" * 100_000])
def test_a_damaged_run_is_refused(text, run):
    (run.path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json: damaged"):
        Run(run.path)


@pytest.mark.parametrize("found", [0, 2, "1", None])
def test_a_run_of_another_format_is_refused(found, run):
    (run.path / "run.json").write_text(json.dumps({"format": found}))
    with pytest.raises(InputError, match=r"run\.json: expected format 1, found " + repr(found)):
        Run(run.path)


def test_a_run_may_begin_in_an_empty_directory_and_nowhere_else(tmp_path):
    (tmp_path / "empty").mkdir()
    assert Run.create(tmp_path / "empty", {}).config == {"format": 1, "minirnn": __version__}
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    (tmp_path / "file").write_text("text")
    for name in ("full", "file"):
        with pytest.raises(InputError, match="exists already"):
            Run.create(tmp_path / name, {})
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["thing"]
    assert (tmp_path / "file").read_text() == "text"
    assert Run.create(tmp_path / "a" / "b" / "c", {"x": 1}).config["x"] == 1


def test_the_next_number_that_is_free(tmp_path):
    (tmp_path / "lm-1").mkdir()
    (tmp_path / "lm-3").write_text("")
    assert [Run.create_numbered(tmp_path / "lm", {"k": k}).path.name for k in range(2)] == ["lm-2", "lm-4"]
    assert Run(tmp_path / "lm-4").config["k"] == 1
    assert not list((tmp_path / "lm-1").iterdir())
    assert Run.create_numbered(tmp_path / "new" / "lm", {}).path == tmp_path / "new" / "lm-1"


def test_the_weights_of_the_best_checkpoint_or_of_the_last(run):
    with pytest.raises(InputError, match="no checkpoint yet"):
        run.model_state()
    save_checkpoint(
        run.last, {"model/w": np.array([1.0]), "model/a/b": np.array([2.0]), "optimizer/w": np.array([3.0])}, {}
    )
    for which in ("best", "last"):
        assert {name: array.tolist() for name, array in run.model_state(which).items()} == {"w": [1.0], "a/b": [2.0]}
    run.save_best({"w": np.array([5.0])}, {"epoch": 4})
    assert load_checkpoint(run.best)[1] == {"epoch": 4}
    assert run.model_state()["w"] == run.model_state("best")["w"] == [5.0]
    assert run.model_state("last")["w"] == [1.0]
    run.last.unlink()
    with pytest.raises(InputError, match="no checkpoint yet"):
        run.model_state("last")
    assert [run.last.name, run.best.name] == ["last.safetensors", "best.safetensors"]


ROW = {"epoch": 1, "step": 2, "train_loss": 0.5}


def test_metrics_are_a_line_each(run):
    assert run.metrics() == []
    run.append_metrics(ROW)
    run.append_metrics({**ROW, "epoch": 2, "é": 1.5})
    assert (run.path / "metrics.jsonl").read_text().count("\n") == 2
    assert run.metrics() == [ROW, {**ROW, "epoch": 2, "é": 1.5}]
    run.write_metrics(run.metrics()[1:])
    assert [row["epoch"] for row in run.metrics()] == [2]
    run.write_metrics([])
    assert run.metrics() == []


def test_a_line_is_on_the_disk_before_training_goes_on(run, monkeypatch):
    written = []
    monkeypatch.setattr(os, "fsync", lambda file: written.append((run.path / "metrics.jsonl").read_text()))
    run.append_metrics(ROW)
    assert written == [json.dumps(ROW) + "\n"]


@pytest.mark.parametrize("missing", ROW)
def test_a_line_without_what_every_line_has_is_refused(missing, run):
    run.append_metrics(ROW)
    run.append_metrics({name: value for name, value in ROW.items() if name != missing})
    with pytest.raises(InputError, match=r"metrics\.jsonl: damaged: .*train_loss"):
        run.metrics()


def test_a_line_that_is_no_object_is_refused(run):
    for line in ('["epoch", "step", "train_loss"]', "5", "null"):
        (run.path / "metrics.jsonl").write_text(line + "\n")
        with pytest.raises(InputError, match=r"metrics\.jsonl: damaged"):
            run.metrics()


def test_only_the_temporary_files_of_a_run_are_removed(run):
    names = ("run.json", "last.safetensors", "best.safetensors", "metrics.jsonl")
    for name in names:
        (run.path / f".{name}.77.tmp").touch()
    for kept in (".other.77.tmp", ".last.safetensors.77", "last.safetensors.77.tmp"):
        (run.path / kept).touch()
    run.remove_temporaries()
    assert sorted(p.name for p in run.path.iterdir()) == [
        ".last.safetensors.77", ".lock", ".other.77.tmp", "last.safetensors.77.tmp", "run.json",
    ]  # fmt: skip


def test_a_prefix_ends_with_its_slash():
    arrays = {"model/w": 1, "model/model/w": 2, "models/w": 3, "model": 4}
    assert subset(arrays, "model") == {"w": 1, "model/w": 2}


def test_numbers_of_any_kind_come_back(tmp_path):
    arrays = {
        "f": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1], "i": np.array(7), "t": np.ones((2, 0)),
        "b": np.array([True, False]),
    }  # fmt: skip
    save_checkpoint(tmp_path / "c", arrays, {"best": math.inf, "deep": {"a": [1, None]}})
    found, meta = load_checkpoint(str(tmp_path / "c"))
    assert meta == {"best": math.inf, "deep": {"a": [1, None]}}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none")


def test_meta_that_is_no_object_is_refused(tmp_path):
    save_checkpoint(tmp_path / "c", {}, [1])
    with pytest.raises(InputError, match="not an object"):
        load_checkpoint(tmp_path / "c")


def test_an_error_names_the_file_that_was_to_be_written(tmp_path, monkeypatch):
    with pytest.raises(OSError, match="here") as failure:
        write_atomically(tmp_path / "not" / "here", b"")
    assert str(failure.value.filename).endswith("here")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as failure:
        write_atomically(tmp_path / "file", b"")
    assert failure.value.filename == str(tmp_path / "file")
