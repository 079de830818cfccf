"""What the command line makes of disks that fail, files that lie, and texts that would talk to the terminal."""

import errno
import hashlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import refused, run
from trainings import TRAININGS, write_data

from minirnn import load_checkpoint, save_checkpoint
from minirnn.cli.streams import Harmless, harmless_streams
from minirnn.data import Subwords, writing
from minirnn.errors import InputError
from minirnn.layers import basic

QUICK_TASKS = ("lm", "classify", "translate")
OFTEN = [name if name in QUICK_TASKS else pytest.param(name, marks=pytest.mark.slow) for name in TRAININGS]
OFTEN_BUT_FORECAST = [one for one, name in zip(OFTEN, TRAININGS, strict=True) if name != "forecast"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(task, *more):
    return run("train", task, *TRAININGS[task], "--epochs", 1, "--quiet", "--out", "r", *more)


@pytest.mark.parametrize("trouble", [OSError(errno.EROFS, os.strerror(errno.EROFS)), MemoryError()])
@pytest.mark.parametrize("when", [2, 3, 4])
def test_a_disk_that_turns_read_only_ends_in_a_line_and_a_way_on(trouble, when, here, capsys, monkeypatch):
    assert run("train", "lm", *TRAININGS["lm"], "--epochs", 3, "--quiet", "--out", "whole") == 0
    capsys.readouterr()
    calls, replace = [], writing._replace

    def failing(path, pieces):
        calls.append(path)
        if len(calls) > when:
            raise trouble
        replace(path, pieces)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_replace", failing)
        command = ("train", "lm", *TRAININGS["lm"], "--epochs", 3, "--save-every", 0, "--quiet", "--out", "r")
        assert run(*command) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert err[-2] == "interrupted; when that is mended go on with: minirnn train lm --resume r"
    expected = "not enough memory" if isinstance(trouble, MemoryError) else "safetensors: Read-only file system"
    assert err[-1].startswith("minirnn: error: ")
    assert expected in err[-1]
    assert run("train", "lm", "--resume", "r", "--epochs", 3, "--quiet") == 0
    arrays = [load_checkpoint(f"{name}/last.safetensors")[0] for name in ("whole", "r")]
    assert all((arrays[0][name] == arrays[1][name]).all() for name in arrays[0])


@pytest.mark.parametrize("task", OFTEN_BUT_FORECAST)
def test_sizes_are_believed_as_far_as_there_are_weights(task, here, capsys, monkeypatch):
    """10 GB would otherwise be drawn at random before the checkpoint is looked at."""
    assert train(task) == 0
    capsys.readouterr()
    uses = {
        "lm": ("generate", "r"), "cloze": ("cloze", "r", "the qui_k"), "translate": ("translate", "r", "red"),
        "classify": ("classify", "r", "a w1"), "caption": ("caption", "r", "pictures/0.png"),
        "draw": ("draw", "r", "--caption", "red"), "chat": ("evaluate", "r"),
    }  # fmt: skip
    drawn, parameter = [], basic.Parameter
    monkeypatch.setattr(basic, "Parameter", lambda data: drawn.append(data.size) or parameter(data))
    config = json.loads(Path("r/run.json").read_text())
    for size in ("hidden", "embedding", "layers", "told"):
        if size not in config["options"]:
            continue
        damaged = {**config, "options": {**config["options"], size: 200_000}}
        Path("r/run.json").write_text(json.dumps(damaged))
        for command in (uses[task], ("train", task, "--resume", "r", "--epochs", 2)):
            drawn.clear()
            assert "run.json: damaged: its " in refused(capsys, *command)
            assert sum(drawn) < 1_200_000


def test_a_model_has_as_many_weights_as_it_may():
    with basic.at_most(lambda: 12):
        basic.Linear(2, 4)
        with pytest.raises(InputError, match=r"more weights than expected: one of its arrays is \(1, 1\)"):
            basic.Linear(1, 1)
    basic.Linear(100, 100)


BAD_PLACES = [
    {"epoch": 1.5}, {"epoch": "1"}, {"step": -1}, {"batch": True}, {"tokens": 10**30}, {"nll": "x"}, {"best": None},
    {"nll": float("nan")}, {"seconds": -1.0}, {"rng": []}, {"rng": {}}, {"rng": {"bit_generator": "MT19937"}},
    {"learning_rate": "fast"}, {"learning_rate": -1}, {"learning_rate": float("inf")}, {"more": 1}, {"history": 7},
    {"rng": {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}, "has_uint32": 0, "uinteger": 0}},
]  # fmt: skip


def test_a_place_that_is_none_is_refused(here, capsys):
    assert train("lm") == 0
    capsys.readouterr()
    arrays, meta = load_checkpoint("r/last.safetensors")
    for bad in BAD_PLACES:
        save_checkpoint("r/last.safetensors", arrays, {**meta, **bad})
        assert "last.safetensors: not a checkpoint to resume from" in refused(
            capsys, "train", "lm", "--resume", "r", "--epochs", 2
        ), bad
    for steps in (np.array(-1), np.array(1.5), np.zeros(2, np.int64)):
        save_checkpoint("r/last.safetensors", {**arrays, "optimizer/num_steps": steps}, meta)
        assert "no num_steps that is a count" in refused(capsys, "train", "lm", "--resume", "r", "--epochs", 2)


@pytest.mark.parametrize("task", OFTEN)
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_history_without_measures_is_no_traceback(task, epochs, here, capsys):
    assert train(task) == 0
    arrays, meta = load_checkpoint("r/last.safetensors")
    bare = [{name: row[name] for name in ("epoch", "step", "train_loss")} for row in meta["history"]]
    save_checkpoint("r/last.safetensors", arrays, {**meta, "history": bare})
    assert run("train", task, "--resume", "r", "--epochs", epochs, "--quiet") == 0
    assert ("valid" in Path("r/metrics.jsonl").read_text()) == (epochs == 2)


@pytest.mark.parametrize("model", [b"", b"x", bytes(range(256)), b"\x0a\x03abc" * 100])
def test_subwords_that_are_no_model_are_refused_whatever_their_checksum(model):
    pytest.importorskip("sentencepiece")
    with pytest.raises(InputError, match="the subwords are damaged"):
        Subwords.from_bytes(hashlib.sha256(model).digest() + model)


def test_control_sequences_do_not_reach_a_terminal(tmp_path):
    """Of a token, a text and an argument: each is written by its number."""
    write_data(tmp_path)
    (tmp_path / "evil.txt").write_text("a\x1b[2Jb\x07c\x9d " * 300)
    script = (
        "import sys; from minirnn.cli.main import main\n"
        "for arguments in (['train','lm','--data','evil.txt','--hidden','4','--epochs','1','--quiet','--out','r'],\n"
        "                  ['generate','r','--length','200'], ['generate','r','--prefix','\\x1b[31m'],\n"
        "                  ['generate','\\x1b]0;x\\x07'], ['train','\\x1b[2J']):\n"
        "    try: main(arguments)\n"
        "    except SystemExit: pass\n"
    )
    leader, follower = pty.openpty()
    options = {"cwd": tmp_path, "stdin": follower, "stdout": follower, "stderr": follower}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, **options) as process:
        os.close(follower)
        written = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            written += piece
        process.wait()
    os.close(leader)
    text = written.decode()
    assert r"\x1b[2Jb\x07c\x9d" in text
    assert r"\x1b]0;x\x07" in text
    assert not {c for c in text if not c.isprintable()} - set("\r\n\t")


def test_a_file_gets_what_is_written(capsys):
    with harmless_streams():
        print("\x1b[2J")
        print("\x1b[2J\r", file=sys.stderr)
    out, err = capsys.readouterr()
    assert out == "\x1b[2J\n"  # it is no terminal, and a program may want the text as it is
    assert err == "\\x1b[2J\r\n"
    stream = Harmless(io.StringIO(), {7: "bell"})
    assert stream.write("a\7") == 5
    assert stream.getvalue() == "abell"
