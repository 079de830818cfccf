"""The ids of a long text lie with its run, and are believed as long as they are whole and the text is what it was."""

import errno
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from commands import refused, run
from trainings import TRAININGS

from minirnn import Run, load_checkpoint
from minirnn.cli import texts
from minirnn.cli.train import lm
from minirnn.data import corpus
from minirnn.data.token_file import read_about, read_tokens

OPTIONS = [*TRAININGS["lm"], "--quiet", "--epochs", 1]
KEPT = "tokens.safetensors"
KILLED = Path(__file__).with_name("killed_reader.py")


@pytest.fixture
def long(here, monkeypatch):
    """As if any text were long."""
    monkeypatch.setattr(corpus, "IN_MEMORY", 0)
    return here


@pytest.fixture
def unread(monkeypatch):
    """Texts that may not be read."""

    def fail(*_, **__):
        raise AssertionError("the text is read")

    return lambda: monkeypatch.setattr(texts, "text_pieces", fail)


def weights(path):
    return load_checkpoint(Run(path).last)[0]


def assert_same(path, other):
    """Two runs have come to the same."""
    ours, theirs = weights(path), weights(other)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
    drop = {"tokens_per_second": 0}
    assert [row | drop for row in Run(path).metrics()] == [row | drop for row in Run(other).metrics()]


def told(capsys):
    """What was printed, but for how quick it was."""
    return re.sub("tokens_per_second [0-9]+", "", capsys.readouterr().out)


def go_on(path, *more):
    assert run("train", "lm", "--resume", path, "--epochs", 2, "--quiet", *more) == 0


@pytest.mark.parametrize(
    "more",
    [
        (), ("--tokens", "word", "--steps", 8), ("--tokens", "space", "--steps", 8), ("--partition", "random"),
        ("--clean", "letters", "--max-tokens", 900, "--min-frequency", 60),
    ],
)  # fmt: skip
def test_a_long_text_is_learned_as_a_short_one_and_cut_once(more, here, monkeypatch, unread, capsys):
    assert run("train", "lm", *OPTIONS, *more, "--epochs", 2, "--out", "short") == 0
    shown = told(capsys).replace("short", "long")
    assert not (here / "short" / KEPT).exists()
    monkeypatch.setattr(corpus, "IN_MEMORY", 0)
    assert run("train", "lm", *OPTIONS, *more, "--epochs", 2, "--out", "long") == 0
    assert told(capsys) == shown
    assert_same("short", "long")
    assert Run("short").config | {"options": 0} == Run("long").config | {"options": 0}
    assert {file.name for file in (here / "long").iterdir()} == {
        KEPT, *(file.name for file in (here / "short").iterdir()),
    }  # fmt: skip
    assert run("train", "lm", *OPTIONS, *more, "--out", "stopped") == 0
    unread()
    go_on("stopped")
    assert_same("short", "stopped")


def test_cloze_learns_a_long_text_as_a_short_one(here, monkeypatch):
    options = [*TRAININGS["cloze"], "--quiet", "--epochs", 1]
    assert run("train", "cloze", *options, "--out", "short") == 0
    monkeypatch.setattr(corpus, "IN_MEMORY", 0)
    assert run("train", "cloze", *options, "--out", "long") == 0
    assert_same("short", "long")


def test_what_is_shown_of_a_run_has_the_rare_tokens_too(long, capsys):
    assert run("train", "lm", *OPTIONS, "--min-frequency", 60, "--valid-fraction", 0.5, "--out", "r") == 0
    capsys.readouterr()
    assert run("show", "gates", "r") == 0
    captured = capsys.readouterr()
    assert "900 tokens read, of the text that the run held out" in captured.out
    assert "'q'" in captured.err  # is not in the vocabulary, and is in the text


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_that_was_touched_is_read_again_and_one_that_was_changed_refused(packed, long, unread, capsys):
    file = long / "text.txt"
    text = file.read_bytes()
    file.write_bytes(gzip.compress(text) if packed else text)
    for name in ("r", "whole"):
        assert run("train", "lm", *OPTIONS, "--epochs", 2 if name == "whole" else 1, "--out", name) == 0
    kept = read_about(long / "r" / KEPT)
    os.utime(file, ns=(0, 10**18))
    go_on("r")
    assert_same("whole", "r")
    assert read_about(long / "r" / KEPT)["of"]["source"] == [*kept["of"]["source"][:2], 10**18]
    changed = text.replace(b"dog", b"cat")
    file.write_bytes(gzip.compress(changed) if packed else changed)
    os.utime(file, ns=(0, 10**18 + 1))
    capsys.readouterr()
    error = refused(capsys, "train", "lm", "--resume", "r", "--epochs", 3, "--quiet")
    assert error.endswith(f"{file} is not the text that r was trained on\n")
    file.unlink()
    assert "no such file" in refused(capsys, "train", "lm", "--resume", "r", "--epochs", 3, "--quiet")


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [flipped, lambda data: data[:-1], lambda data: data[:50], lambda data: b"", None])
def test_ids_that_are_damaged_or_gone_are_made_anew(damage, long):
    for epochs, name in ((1, "r"), (2, "whole")):
        assert run("train", "lm", *OPTIONS, "--epochs", epochs, "--out", name) == 0
    file = long / "r" / KEPT
    ids = read_tokens(file).copy()
    if damage:
        file.write_bytes(damage(file.read_bytes()))
    else:
        file.unlink()
    (long / "r" / f".{KEPT}.12345.tmp").write_bytes(b"of a killed process")
    go_on("r")
    assert_same("whole", "r")
    np.testing.assert_array_equal(read_tokens(file), ids)
    assert not list((long / "r").glob("*.tmp"))


def test_ids_that_are_damaged_where_the_text_has_changed_unseen_are_not_made_of_another(long, capsys):
    assert run("train", "lm", *OPTIONS, "--out", "r") == 0
    file, was = long / "text.txt", (long / "text.txt").stat()
    file.write_bytes(file.read_bytes().replace(b"dog", b"cat"))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    (long / "r" / KEPT).write_bytes(flipped((long / "r" / KEPT).read_bytes()))
    capsys.readouterr()
    assert "is not the text that" in refused(capsys, "train", "lm", "--resume", "r", "--epochs", 2, "--quiet")


@pytest.mark.parametrize("other", [("--min-frequency", 60), ("--max-tokens", 900), ("--tokens", "space")])
def test_ids_of_another_run_are_not_believed(other, long):
    for epochs, name in ((1, "r"), (2, "whole")):
        assert run("train", "lm", *OPTIONS, "--steps", 8, "--epochs", epochs, "--out", name) == 0
    assert run("train", "lm", *OPTIONS, *other, "--steps", 8, "--out", "other") == 0
    shutil.copy("other/" + KEPT, "r/" + KEPT)
    go_on("r")
    assert_same("whole", "r")


def test_a_run_and_its_text_may_move(long, unread):
    for epochs, name in ((1, "r"), (2, "whole")):
        assert run("train", "lm", *OPTIONS, "--epochs", epochs, "--out", name) == 0
    (long / "elsewhere").mkdir()
    shutil.move("r", "elsewhere/r")
    shutil.move("text.txt", "elsewhere/book.txt")
    go_on("elsewhere/r", "--data", "elsewhere/book.txt")
    assert_same("whole", "elsewhere/r")
    unread()
    assert run("train", "lm", "--resume", "elsewhere/r", "--epochs", 3, "--quiet") == 0


def test_only_who_trains_the_run_writes(long, capsys):
    assert run("train", "lm", *OPTIONS, "--out", "r") == 0
    (long / "r" / KEPT).write_bytes(b"damaged")
    capsys.readouterr()
    with Run("r").lock():
        assert "another process" in refused(capsys, "train", "lm", "--resume", "r", "--epochs", 2, "--quiet")
    assert (long / "r" / KEPT).read_bytes() == b"damaged"


def test_a_full_disk_leaves_a_run_that_can_go_on(long, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "r/" + KEPT)

    assert run("train", "lm", *OPTIONS, "--epochs", 2, "--out", "whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(texts, "write_tokens", full)
        assert run("train", "lm", *OPTIONS, "--out", "r") == 2
    assert "go on with: minirnn train lm --resume r" in capsys.readouterr().err
    go_on("r")
    assert_same("whole", "r")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_can_be_read_only_once_is_not_looked_at_again(long):
    text = (long / "text.txt").read_bytes()
    os.mkfifo("pipe")
    threading.Thread(target=(long / "pipe").write_bytes, args=(text,), daemon=True).start()
    assert run("train", "lm", *OPTIONS, "--data", "pipe", "--out", "r") == 0
    assert not (long / "r" / KEPT).exists()
    go_on("r", "--data", "text.txt")
    assert (long / "r" / KEPT).exists()


def test_a_text_that_changes_while_it_is_read_is_not_kept(long, monkeypatch):
    encode = texts.Text.encode

    def changing(self, *arguments, **options):
        os.utime("text.txt", ns=(0, 10**18))
        return encode(self, *arguments, **options)

    monkeypatch.setattr(texts.Text, "encode", changing)
    assert run("train", "lm", *OPTIONS, "--out", "r") == 0
    assert not (long / "r" / KEPT).exists()


def test_n_grams_of_a_long_text_are_those_of_its_beginning(here, monkeypatch, capsys):
    assert run("train", "lm", *OPTIONS) == 0
    whole = capsys.readouterr().out
    assert "\nn-gram models of the same text (Kneser-Ney): 1-gram " in whole
    monkeypatch.setattr(lm, "COUNTED", 1000)
    assert run("train", "lm", *OPTIONS) == 0
    part = capsys.readouterr().out
    assert "\nn-gram models of the first 1,000 tokens of the same text (Kneser-Ney): 1-gram " in part
    assert run("train", "lm", *OPTIONS, "--max-tokens", 1112) == 0  # 1,001 of them to learn from


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("where", ["cutting", "keeping"])
def test_a_process_that_is_killed_with_a_long_text_leaves_nothing_behind(where, long):
    assert run("train", "lm", *OPTIONS, "--epochs", 2, "--out", "whole") == 0
    before = {path.name for path in long.iterdir()}
    command = [sys.executable, KILLED, where, "train", "lm", *OPTIONS, "--out", "r"]
    environment = {**os.environ, "PYTHONPATH": str(KILLED.parents[2])}
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"stopped\n"
        if where == "keeping":
            (temporary,) = (long / "r").glob("*.tmp")
            assert temporary.name.startswith(f".{KEPT}.")
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert {path.name for path in long.iterdir()} == before | ({"r"} if where == "keeping" else set())
    if where == "keeping":
        assert not (long / "r" / KEPT).exists()
        go_on("r")
    else:
        assert run("train", "lm", *OPTIONS, "--epochs", 2, "--out", "r") == 0
    assert_same("whole", "r")
    assert {path.name for path in (long / "r").iterdir()} == {path.name for path in (long / "whole").iterdir()}
