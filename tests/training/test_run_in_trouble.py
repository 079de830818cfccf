"""A run directory among other processes, on disks that fail, and with what others have laid into it."""

import errno
import json
import os
import shutil
import tempfile
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from minirnn import InputError, Run, load_checkpoint, save_checkpoint
from minirnn.data import writing
from minirnn.training.checkpoint import count_numbers


def test_of_two_beginnings_one_begins(tmp_path):
    for k in range(150):
        path, begun, refused, start = tmp_path / f"r{k}", [], [], threading.Barrier(2)

        def begin(who, path=path, begun=begun, refused=refused, start=start):
            start.wait()
            try:
                begun.append((who, Run.create(path, {"who": who}).config["who"]))
            except InputError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=begin, args=(who,)) for who in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ((who, written),) = begun
        assert who == written == json.loads((path / "run.json").read_text())["who"]
        assert len(refused) == 1


@pytest.mark.parametrize("left", [[], [".lock"], [".run.json.77.tmp"], [".lock", ".run.json.77.tmp"]])
def test_what_a_killed_beginning_has_left_is_no_obstacle(left, tmp_path):
    (tmp_path / "r").mkdir()
    for name in left:
        (tmp_path / "r" / name).write_text("{")
    assert Run.create(tmp_path / "r", {"a": 1}).config["a"] == 1
    assert {path.name for path in (tmp_path / "r").iterdir()} == {".lock", "run.json"}


@pytest.mark.parametrize("again", [True, False])
def test_a_directory_that_another_has_made_anew_is_not_written_into(again, tmp_path):
    run = Run.create(tmp_path / "r", {"who": "first"})
    with run.lock():
        run.save_last({"model/w": np.zeros(1)}, {})
        shutil.rmtree(run.path)
        if again:
            Run.create(run.path, {"who": "second"})
        acts = [
            lambda: run.save_last({"model/w": np.ones(1)}, {}), lambda: run.save_best({"w": np.ones(1)}, {}),
            lambda: run.append_metrics({"epoch": 1}), lambda: run.write_metrics([]), lambda: run.update({"a": 1}),
        ]  # fmt: skip
        for act in acts:
            with pytest.raises(InputError, match="is another directory now" if again else "is gone"):
                act()
    assert not again or {path.name for path in run.path.iterdir()} == {".lock", "run.json"}


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl", ".last.safetensors.PID.tmp", "last.safetensors"])
def test_links_are_not_followed_out_of_the_run(name, tmp_path):
    run = Run.create(tmp_path / "r", {})
    other = tmp_path / "other"
    other.write_text("mine")
    link = run.path / name.replace("PID", str(os.getpid()))
    link.unlink(missing_ok=True)
    link.symlink_to(other)
    if name == ".lock":
        with pytest.raises(InputError, match=r"\.lock is a link: remove it"), run.lock():
            pass
    elif name == "metrics.jsonl":
        with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
            run.append_metrics({"epoch": 1})
    else:
        run.save_last({"w": np.arange(3.0)}, {})
        assert not run.last.is_symlink()
        assert load_checkpoint(run.last)[0]["w"].tolist() == [0, 1, 2]
    assert other.read_text() == "mine"


def test_a_picture_replaces_a_link(tmp_path):
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "loss.png").symlink_to(other)
    (tmp_path / "null.png").symlink_to("/dev/null")
    for name in ("loss.png", "null.png"):
        writing.write_atomically(tmp_path / name, b"picture")
        assert (tmp_path / name).read_bytes() == b"picture"
        assert not (tmp_path / name).is_symlink()
    assert other.read_text() == "mine"


def test_a_temporary_of_a_process_with_our_number_is_replaced(tmp_path):
    (tmp_path / f".a.{os.getpid()}.tmp").write_text("of another time")
    writing.write_atomically(tmp_path / "a", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_checkpoint_is_written_without_a_copy_of_it(tmp_path):
    arrays = {f"model/{i}": np.random.default_rng(i).standard_normal(500_000) for i in range(8)}  # 32 MB
    tracemalloc.start()
    try:
        save_checkpoint(tmp_path / "c", arrays, {"a": 1})
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    loaded = load_file(tmp_path / "c")  # as the library reads it
    assert all((loaded[name] == array).all() for name, array in arrays.items())
    assert load_checkpoint(tmp_path / "c")[1] == {"a": 1}


def test_arrays_of_all_types_lie_where_their_numbers_may_begin(tmp_path):
    arrays = {
        "a": np.arange(3, dtype=np.int8), "b": np.arange(5.0), "c": np.float32([[1], [2]]), "d": np.array(True),
        "e": np.zeros((0, 3)), "f": np.arange(6.0).reshape(2, 3).T, "g": np.float16([1.5]),
    }  # fmt: skip
    save_checkpoint(tmp_path / "c", arrays, {"é": "\ud800"})
    found, meta = load_checkpoint(tmp_path / "c")
    assert meta == {"é": "\ud800"}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_weights_are_counted_by_the_header_alone(tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, {"model/a": np.zeros((3, 4)), "model/b": np.zeros(()), "models": np.zeros(9)}, {})
    assert count_numbers(path, "model") == 13
    size = int.from_bytes(path.read_bytes()[:8], "little")
    path.write_bytes(path.read_bytes()[: 8 + size])
    assert count_numbers(path, "model") == 13
    for data in (b"", b"1234567", b"\xff" * 8, b"\xff" * 100, b"\x02" + b"\0" * 7 + b"[]", path.read_bytes()[:50]):
        path.write_bytes(data)
        with pytest.raises(InputError, match="not a minirnn checkpoint, or damaged"):
            count_numbers(path, "model")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no folder in memory")
def test_a_folder_in_memory_is_a_folder_as_any_other():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        other, link = Path(folder, "other"), Path(folder, "link")
        other.write_text("mine")
        link.symlink_to(other)
        writing.write_atomically(link, b"ours")
        assert (link.read_bytes(), link.is_symlink(), other.read_text()) == (b"ours", False, "mine")
