"""Files that survive anything: checkpoints, run directories and their metrics."""

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import save

from minirnn import InputError, Run, load_checkpoint, save_checkpoint
from minirnn.training.checkpoint import write_atomically


def test_a_checkpoint_comes_back(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3).T, "b": np.array(3)}
    save_checkpoint(tmp_path / "c.safetensors", arrays, {"step": 1, "best": float("inf"), "name": "é"})
    back, meta = load_checkpoint(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(back["a"], arrays["a"])
    assert back["b"] == 3
    assert meta == {"step": 1, "best": float("inf"), "name": "é"}


def test_damaged_checkpoints_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, {"a": np.ones(100)}, {})
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:50], whole[:-1], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a minirnn checkpoint, or damaged"):
            load_checkpoint(path)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file(failing, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_write_that_fails_names_the_file_and_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name, error in {
        "missing/x": FileNotFoundError,
        "file/x": NotADirectoryError,
        "folder": IsADirectoryError,
    }.items():
        with pytest.raises(error) as raised:
            write_atomically(tmp_path / name, b"data")
        assert raised.value.filename == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_there_and_no_file_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, b"data")
    assert os.read(reader, 10) == b"data"
    os.close(reader)
    assert pipe.is_fifo()


def test_killing_a_writer_never_leaves_an_unreadable_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    script = (
        "import itertools, sys, numpy as np\n"
        "from minirnn import save_checkpoint\n"
        "for k in itertools.count():\n"
        "    save_checkpoint(sys.argv[1], {'a': np.full(200_000, k)}, {'k': k})\n"
        "    print(k, flush=True)\n"
    )
    for delay in (0.0, 0.013, 0.029):
        writer = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        arrays, meta = load_checkpoint(path)
        assert (arrays["a"] == meta["k"]).all()


def test_a_run_directory_is_never_overwritten(tmp_path):
    Run.create(tmp_path / "r", {"a": 1})
    with pytest.raises(InputError, match="exists already"):
        Run.create(tmp_path / "r", {"a": 2})
    assert Run(tmp_path / "r").config["a"] == 1


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such directory"):
        Run(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"no run\.json"):
        Run(tmp_path)
    for text in ("{", "[]", json.dumps({"format": 99})):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(InputError, match=r"run\.json: (damaged|expected format)"):
            Run(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(InputError, match="no checkpoint yet"):
        Run(tmp_path).model_state()


def test_only_one_process_trains_a_run(tmp_path):
    pytest.importorskip("fcntl")
    run = Run.create(tmp_path / "r", {})
    with (
        run.lock(),
        pytest.raises(InputError, match="another process is training this run"),
        Run(tmp_path / "r").lock(),
    ):
        pass
    with run.lock():
        pass


def test_numbered_runs_take_the_next_free_number(tmp_path):
    names = [Run.create_numbered(tmp_path / "lm", {}).path.name for _ in range(3)]
    assert names == ["lm-1", "lm-2", "lm-3"]


def test_a_cut_off_last_line_of_the_metrics_is_left_out(tmp_path):
    run = Run.create(tmp_path / "r", {})
    row = {"epoch": 1, "step": 1, "train_loss": 2.0}
    run.append_metrics(row)
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"step": 2, "tr')
    assert run.metrics() == [row]
    for damage in (b"\xff\n", b"5\n", b"{}\n", b"junk\n"):
        (run.path / "metrics.jsonl").write_bytes(damage)
        with pytest.raises(InputError, match=r"metrics\.jsonl: damaged"):
            run.metrics()


def test_every_bit_of_a_checkpoint_counts(tmp_path):
    path, weights = tmp_path / "c", np.arange(3, dtype=np.float32)
    save_checkpoint(path, {"w": weights, "none": np.zeros((0, 2)), "one": np.array(5)}, {"step": 7})
    whole = path.read_bytes()
    assert load_checkpoint(path)[1] == {"step": 7}
    start = 8 + int.from_bytes(whole[:8], "little")
    for at in range(start, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(InputError, match="checksum is wrong"):
            load_checkpoint(path)
    path.write_bytes(whole.replace(b"7}", b"8}"))  # the step
    with pytest.raises(InputError, match="checksum is wrong"):
        load_checkpoint(path)


def test_a_checkpoint_without_a_checksum_is_read_as_it_always_was(tmp_path):
    (tmp_path / "c").write_bytes(save({"w": np.ones(2)}, metadata={"minirnn": '{"step": 7}'}))
    arrays, meta = load_checkpoint(tmp_path / "c")
    assert (arrays["w"].tolist(), meta) == ([1, 1], {"step": 7})


def test_a_lost_best_checkpoint_is_missed(tmp_path):
    run = Run.create(tmp_path / "r", {})
    save_checkpoint(run.last, {"model/w": np.ones(1)}, {"best": float("inf")})
    assert run.model_state()["w"] == 1  # nothing was validated yet
    save_checkpoint(run.last, {"model/w": np.ones(1)}, {"best": 2.5})
    with pytest.raises(InputError, match=r"best\.safetensors is missing"):
        run.model_state()
    assert run.model_state("last")["w"] == 1
    run.best.write_bytes(run.last.read_bytes())  # as the message says
    assert run.model_state()["w"] == 1


@pytest.mark.parametrize(
    "row",
    ["[]", "{}", '{"epoch": 1, "step": 1}', '{"epoch": "1", "step": 1, "train_loss": 1}', '{"epoch": 1, "step": 1.5, '
     '"train_loss": 1}', '{"epoch": 1, "step": 1, "train_loss": "x"}', '{"epoch": true, "step": 1, "train_loss": 1}',
     '{"epoch": 1, "step": 1, "train_loss": 1, "valid_loss": null}'],
)  # fmt: skip
def test_metrics_of_other_types_are_refused(row, tmp_path):
    run = Run.create(tmp_path / "r", {})
    (run.path / "metrics.jsonl").write_text(row + "\n")
    with pytest.raises(InputError, match=r"metrics\.jsonl: damaged: expected"):
        run.metrics()


def rewritten(path, change):
    """A checkpoint whose header has been changed by somebody who can count."""
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:start])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[start:])


MUCH = 2**44


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": [MUCH]}, {"shape": [MUCH], "data_offsets": [0, 8 * MUCH]}, {"shape": [-3]}, {"shape": [True, 3]},
        {"shape": [0, 2**70], "data_offsets": [0, 0]}, {"shape": [3.0]}, {"shape": None}, {"shape": [2]},
        {"data_offsets": [8, 32]}, {"data_offsets": [0, 24, 48]}, {"data_offsets": "all"}, {"data_offsets": [24, 48]},
        {"dtype": "F31"}, {"dtype": "F32"}, {"dtype": ["F64"]},
    ],
)  # fmt: skip
def test_arrays_that_are_not_there_are_found_before_there_is_memory_for_them(changed, tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, {"a": np.ones(3), "b": np.ones(3)}, {})
    rewritten(path, lambda header: header["a"].update(changed))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="not a minirnn checkpoint, or damaged"):
            load_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("more", [b"x", b"x" * 24])
def test_what_lies_behind_the_last_array_is_no_part_of_a_checkpoint(more, tmp_path):
    save_checkpoint(tmp_path / "c", {"a": np.ones(3)}, {})
    with open(tmp_path / "c", "ab") as file:
        file.write(more)
    with pytest.raises(InputError, match="not a minirnn checkpoint, or damaged"):
        load_checkpoint(tmp_path / "c")


def test_a_checkpoint_is_read_into_its_arrays_and_no_copy_of_them(tmp_path):
    arrays = {f"model/{i}": np.random.default_rng(i).standard_normal(500_000) for i in range(8)}  # 32 MB
    save_checkpoint(tmp_path / "c", arrays, {})
    tracemalloc.start()
    try:
        found, _ = load_checkpoint(tmp_path / "c")
        assert tracemalloc.get_traced_memory()[1] < 33_000_000
    finally:
        tracemalloc.stop()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.writeable


@pytest.mark.parametrize(("array", "found"), [([1.0], "list"), (np.ones(2, np.uint16), "uint16"), (None, "NoneType")])
def test_what_a_checkpoint_cannot_have_is_said_and_nothing_written(array, found, tmp_path):
    with pytest.raises(InputError, match=rf"^b: a checkpoint has arrays of float32, .*, not {found}$"):
        save_checkpoint(tmp_path / "c", {"a": np.ones(2), "b": array}, {})
    assert not list(tmp_path.iterdir())


def test_a_run_has_a_best_and_a_last_checkpoint_and_no_other(tmp_path):
    run = Run.create(tmp_path / "r", {})
    save_checkpoint(run.last, {"model/w": np.ones(1)}, {})
    for ask in (run.model_state, run.num_weights):
        with pytest.raises(InputError, match=r"^unknown checkpoint 'worst': expected 'best' or 'last'$"):
            ask("worst")
