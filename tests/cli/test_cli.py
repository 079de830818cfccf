"""The command line, as a user meets it: results, help, and one clear line for everything that is wrong."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import refused, run, without_progress
from trainings import forget_validations

from minirnn import Run, backend, load_checkpoint
from minirnn.cli import corpora
from minirnn.errors import DeviceError

TEXT = "the quick brown fox jumps over the lazy dog. " * 60
SMALL = ["--hidden", "8", "--embedding", "4", "--batch-size", "4", "--steps", "16", "--epochs", "2", "--quiet"]


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    return file


@pytest.fixture
def trained(text, capsys):
    assert run("train", "lm", "--data", text, *SMALL) == 0
    capsys.readouterr()
    return text.parent / "runs" / "lm-1"


@pytest.mark.parametrize("cell", ["rnn", "gru", "gru-after", "lstm", "lstm-peephole"])
def test_training_leaves_a_run_that_can_be_used(cell, text, capsys):
    assert run("train", "lm", "--data", text, "--cell", cell, "--layers", 2, "--dropout", 0.1, *SMALL) == 0
    out = capsys.readouterr().out
    assert "perplexity on held-out text: " in out
    assert "a sample, after 'the quick brown fox '" in out
    folder = text.parent / "runs" / "lm-1"
    assert {p.name for p in folder.iterdir()} >= {"run.json", "last.safetensors", "best.safetensors", "metrics.jsonl"}
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert set(rows[0]) == {
        "epoch", "step", "train_loss", "train_perplexity", "tokens_per_second", "valid_loss", "valid_perplexity",
    }  # fmt: skip
    assert run("generate", folder, "--prefix", "the ", "--length", 20) == 0
    out = capsys.readouterr().out
    assert out.startswith("the ")
    assert len(out) == len("the ") + 20 + 1


def test_the_loss_curve_is_a_picture(trained):
    pytest.importorskip("matplotlib")
    assert (trained / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_everything_else_works(text, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("train", "lm", "--data", text, *SMALL) == 0
    assert "matplotlib is not installed" in capsys.readouterr().out
    assert not (text.parent / "runs" / "lm-1" / "loss.png").exists()


def test_words_one_hot_random_partition_and_sgd(text, capsys):
    options = ["--tokens", "word", "--embedding", 0, "--partition", "random", "--optimizer", "sgd", "--momentum", 0.9]
    small = ["--hidden", 8, "--batch-size", 4, "--steps", 8, "--epochs", 1, "--quiet", "--lr", 0.5]
    assert run("train", "lm", "--data", text, *options, *small) == 0
    assert run("generate", "runs/lm-1", "--prefix", "the lazy", "--length", 5, "--greedy") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("the lazy ")


def test_adamw_decays_by_default_and_adam_does_not(text):
    weights = {}
    for name, options in {
        "adam": [],
        "adamw": [],
        "adamw-0": ["--weight-decay", 0],
        "adam-1": ["--weight-decay", 1],
    }.items():
        optimizer = ["--optimizer", name.partition("-")[0], *options]
        assert run("train", "lm", "--data", text, *SMALL, "--epochs", 1, *optimizer, "--out", name) == 0
        weights[name] = load_checkpoint(text.parent / name / "last.safetensors")[0]["model/output.weight"]
    np.testing.assert_array_equal(weights["adam"], weights["adamw-0"])
    assert not np.array_equal(weights["adam"], weights["adamw"])
    assert not np.array_equal(weights["adam"], weights["adam-1"])


def test_chinese_by_character(text, capsys):
    text.write_text("海内存知己，天涯若比邻。无为在歧路，儿女共沾巾。" * 40)
    assert run("train", "lm", "--data", text, *SMALL) == 0
    assert run("generate", "runs/lm-1", "--prefix", "天涯", "--length", 10) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("天涯")


def test_the_same_seed_gives_the_same_run_and_the_next_free_name(text):
    for _ in range(2):
        assert run("train", "lm", "--data", text, "--dropout", 0.2, *SMALL) == 0
    (one, _), (two, _) = (load_checkpoint(text.parent / "runs" / f"lm-{k}" / "last.safetensors") for k in (1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_generation_options(trained, capsys):
    def output(*options):
        assert run("generate", trained, "--prefix", "the ", "--length", 30, *options) == 0
        return capsys.readouterr().out

    assert output() == output()
    assert output("--seed", 1) != output("--seed", 2)
    assert output("--greedy") == output("--greedy", "--seed", 9)
    assert output("--top-k", 1) == output("--greedy")
    assert output("--samples", 2).count("---") == 1
    assert output("--checkpoint", "last", "--temperature", 2, "--top-p", 0.9)
    assert run("generate", trained, "--prefix", "ünder", "--length", 3) == 0
    assert "not in the vocabulary, read as <unk>: 'ü'" in capsys.readouterr().err


def test_python_m_minirnn_works():
    result = subprocess.run([sys.executable, "-m", "minirnn", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("minirnn ")


def test_gradcheck_prints_a_table(capsys):
    assert run("gradcheck", "softmax*") == 0
    out = capsys.readouterr().out
    assert "softmax (masked)" in out
    assert "2 right, 0 wrong" in out


def test_gradcheck_fails_on_a_wrong_gradient(capsys, monkeypatch):
    from minirnn.autograd import functional
    from minirnn.autograd.recording import record

    monkeypatch.setattr(functional, "softmax", lambda a, axis=-1, mask=None: record(a.data, (a, lambda dy: 2 * dy)))
    assert run("gradcheck", "softmax*") == 1
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["train"], ["train", "lm"], ["generate"], ["gradcheck"], ["read"]])
def test_help(arguments, capsys):
    assert run(*arguments, "--help") == 0
    assert "usage: minirnn" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "missing.txt"], "missing.txt: No such file or directory"),
        (["--data", "."], "Is a directory"),
        (["--data", "empty.txt"], "empty.txt: expected some text, found none"),
        (["--data", "bytes.txt"], "bytes.txt line 2: expected UTF-8 text, found the byte 0xff"),
        (["--data", "utf-16.txt"], "utf-16.txt line 1: expected UTF-16-LE text, found the byte 0x00"),
        (["--data", "short.txt"], "one batch of 32 sequences of 64 steps needs 2049"),
        (["--data", "digits.txt", "--clean", "letters"], "nothing is left"),
        (["--nonsense", "1"], "unrecognized arguments: --nonsense"),
        (["--epoch", "1"], "unrecognized arguments: --epoch"),
        (["--hidden", "0"], "--hidden: expected a whole number at least 1, found '0'"),
        (["--hidden", "many"], "--hidden: expected a whole number at least 1, found 'many'"),
        (["--lr", "nan"], "--lr: expected a number"),
        (["--dropout", "1"], "--dropout: expected a number at least 0 and below 1, found '1'"),
        (["--cell", "gro"], "invalid choice: 'gro'"),
        (["--momentum", "0.9"], "--momentum goes with --optimizer sgd"),
        (["--device", "gpu"], "no GPU"),
        (["--resume", "missing"], "missing is not a run directory: there is no such directory"),
        (["--resume", "."], "there is no run.json in it"),
        (["--out", "text.txt"], "text.txt exists already"),
        (["--out", "full"], "full exists already"),
        (["--out", ""], "--out: expected a path, found ''"),
        (["--resume", ""], "--resume: expected a path, found ''"),
        (["--data", ""], "--data: expected a path, found ''"),
        (["--min-frequency", "999999"], "no token occurs 999999 times"),
        (["--hidden", "2000000000"], "not enough memory"),
        (["--hidden", "99999999999999999999"], "below 2147483648"),
        (["--x\ny"], "--x\\ny"),
    ],
)
def test_bad_input_to_training(options, message, text, capsys, monkeypatch):
    def no_gpu():
        raise DeviceError("no GPU here")

    monkeypatch.setattr(backend, "gpu_library", no_gpu)
    (text.parent / "empty.txt").write_text("\n")
    (text.parent / "bytes.txt").write_bytes(b"a\r\xff")
    (text.parent / "utf-16.txt").write_bytes(b"\xff\xfe\x00")
    (text.parent / "short.txt").write_text("too short")
    (text.parent / "digits.txt").write_text("1898 " * 1000)
    (text.parent / "full").mkdir()
    (text.parent / "full" / "best.safetensors").write_text("somebody's")
    before = {p: p.read_bytes() for p in text.parent.rglob("*") if p.is_file()}
    assert message in refused(capsys, "train", "lm", *options)
    assert {p: p.read_bytes() for p in text.parent.rglob("*") if p.is_file()} == before


def test_bad_input_with_a_run(trained, capsys):
    assert "exists already" in refused(capsys, "train", "lm", "--out", trained)
    assert "--hidden cannot change on --resume" in refused(capsys, "train", "lm", "--resume", trained, "--hidden", 9)
    assert "--out does not go with" in refused(capsys, "train", "lm", "--resume", trained, "--out", "x")
    (trained.parent / "other.txt").write_text(TEXT + "x")
    other = refused(capsys, "train", "lm", "--resume", trained, "--data", trained.parent / "other.txt")
    assert "is not the text" in other
    assert "prefix must have" in refused(capsys, "generate", trained, "--prefix", "")
    assert "top-p" in refused(capsys, "generate", trained, "--top-p", 2)
    for name in ("best.safetensors", "last.safetensors"):
        (trained / name).write_bytes(b"junk")
    assert "damaged" in refused(capsys, "generate", trained)
    assert "damaged" in refused(capsys, "train", "lm", "--resume", trained)
    config = json.loads((trained / "run.json").read_text())
    damages = [{k: v for k, v in config.items() if k != key} for key in ("options", "vocabulary", "prefix", "sha256")]
    damages += [{**config, "vocabulary": v} for v in (None, [1], ["a"])]
    damages += [{**config, "options": {**config["options"], "hidden": h}} for h in ("many", 0, -1)]
    for text in ["junk", "[" * 100_000, *map(json.dumps, damages)]:
        (trained / "run.json").write_text(text)
        assert "run.json: damaged" in refused(capsys, "generate", trained)
        assert "run.json: damaged" in refused(capsys, "train", "lm", "--resume", trained)


def test_the_best_checkpoint_is_none_to_resume_from(trained, capsys):
    (trained / "last.safetensors").write_bytes((trained / "best.safetensors").read_bytes())
    assert "not a checkpoint to resume from" in refused(capsys, "train", "lm", "--resume", trained)


def test_resume_keeps_what_was_changed(trained, capsys):
    moved = trained.parent / "moved.txt"
    moved.write_text(TEXT)
    assert run("train", "lm", "--resume", trained, "--epochs", 3, "--data", moved, "--quiet") == 0
    options = json.loads((trained / "run.json").read_text())["options"]
    assert (options["epochs"], options["data"]) == (3, str(moved))
    assert len((trained / "metrics.jsonl").read_text().splitlines()) == 3
    assert run("train", "lm", "--resume", trained, "--epochs", 1, "--quiet") == 0


def test_a_run_from_before_an_option_existed_takes_its_default(trained):
    config = json.loads((trained / "run.json").read_text())
    del config["options"]["save-every"]
    (trained / "run.json").write_text(json.dumps(config))
    assert run("train", "lm", "--resume", trained, "--epochs", 3, "--quiet") == 0
    del config["options"]["chrono"], config["options"]["forget-bias"]
    (trained / "run.json").write_text(json.dumps(config))
    assert run("train", "lm", "--resume", trained, "--epochs", 4, "--quiet") == 0


def test_a_run_with_chrono_is_resumed_with_it(text, capsys):
    options = ("train", "lm", "--data", text, *SMALL, "--chrono", 20)
    assert run(*options, "--epochs", 2, "--out", "whole") == 0
    assert run(*options, "--epochs", 1, "--out", "half") == 0
    assert run("train", "lm", "--resume", "half", "--epochs", 2, "--quiet") == 0
    whole, half = (Run(text.parent / name) for name in ("whole", "half"))
    assert half.config["options"]["chrono"] == 20
    for name, array in whole.model_state("last").items():
        np.testing.assert_array_equal(half.model_state("last")[name], array)
    capsys.readouterr()
    for option in (("--chrono", 30), ("--forget-bias", 1)):
        error = refused(capsys, "train", "lm", "--resume", "half", *option)
        assert f"{option[0]} cannot change on --resume" in error


SMALL_OF = {
    "lm": ("--data", "text.txt", "--embedding", 4, "--steps", 16),
    "cloze": ("--data", "text.txt", "--embedding", 4, "--steps", 16),
    "translate": ("--data", "pairs.tsv", "--embedding", 4, "--valid-fraction", 0),
    "task": ("--examples", 20, "--embedding", 4),
    "classify": ("--data", "labelled.tsv", "--embedding", 4),
    "forecast": ("--steps", 16),
    "draw": ("--images", "pictures.npz", "--window", 3),
    "chat": ("--data", "talk.txt", "--embedding", 4),
}


@pytest.mark.parametrize("task", ["lm", *(pytest.param(t, marks=pytest.mark.slow) for t in SMALL_OF if t != "lm")])
def test_every_task_lets_its_gates_begin_open(task, text, capsys, monkeypatch):
    monkeypatch.setattr(corpora, "VALID_QUESTIONS", 5)
    monkeypatch.setattr(corpora, "TEST_QUESTIONS", 5)
    (text.parent / "pairs.tsv").write_text("".join(f"a{i} b\tc d{i}\n" for i in range(20)))
    (text.parent / "labelled.tsv").write_text("".join(f"{i % 2}\ta{i} b\n" for i in range(40)))
    (text.parent / "talk.txt").write_text("".join(f"a {i}\nb\nc {i}\n\n" for i in range(12)))
    np.savez(text.parent / "pictures.npz", x=np.arange(48, dtype=np.uint8).reshape(12, 2, 2))
    small = ("--hidden", 4, "--batch-size", 4, "--epochs", 1, "--validate-every", 1, "--quiet", *SMALL_OF[task])
    # Nothing is learned, so that the last weights are the first ones.
    start = ("train", task, *small, "--lr", 0, "--cell", "gru")
    for option, value, lowest, highest in (("--forget-bias", 7, 7, 7), ("--chrono", 20, 0, np.log(19))):
        out = text.parent / option[2:]
        assert run(*start, option, value, "--out", out) == 0
        found = Run(out).model_state("last").items()  # a chat's words are read without: a turn is short
        biases = [array for name, array in found if ".b_l" in name and not name.startswith("encoder.read.")]
        assert biases
        for b in biases:
            assert (b[4:8] >= lowest).all()
            assert (b[4:8] <= np.float32(highest)).all()
    capsys.readouterr()
    for wrong, message in (
        (("--forget-bias", 7, "--chrono", 20), "give one of them"),
        (("--chrono", 20, "--cell", "rnn"), "chrono needs a cell with a gate that keeps its memory"),
        (("--chrono", 2), "--chrono: expected a whole number at least 3, found '2'"),
        (("--chrono", 3.5), "--chrono: expected a whole number at least 3, found '3.5'"),
    ):
        assert message in refused(capsys, *start, *wrong, "--out", "no")
    assert not (text.parent / "no").exists()


def test_nothing_validated_yet_is_said(text, capsys):
    assert run("train", "lm", "--data", text, *SMALL, "--epochs", 1) == 0
    folder = text.parent / "runs" / "lm-1"
    forget_validations(Run(folder))
    capsys.readouterr()
    assert run("train", "lm", "--resume", folder, "--quiet") == 0
    assert "nothing has been validated yet" in capsys.readouterr().out


def test_a_run_that_is_being_trained_is_left_alone(trained, capsys):
    pytest.importorskip("fcntl")
    with Run(trained).lock():
        assert "another process is training" in refused(capsys, "train", "lm", "--resume", trained, "--epochs", 9)


def in_a_shell(command, **environment):
    """Run a shell command with buffered output, and give its status and stderr."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    python = f"{shlex.quote(sys.executable)} -m minirnn"
    result = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + command.replace("minirnn", python, 1)],
        env={**kept, **environment}, capture_output=True, check=False,
    )  # fmt: skip
    return result.returncode, without_progress(result.stderr).decode()


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell")
def test_output_that_nobody_can_take(trained):
    folder = shlex.quote(str(trained))
    assert in_a_shell(f"minirnn generate {folder} --samples 300 --length 100 | head -1") == (1, "")
    if os.path.exists("/dev/full"):
        status, error = in_a_shell(f"minirnn generate {folder} > /dev/full")
        assert status == 2
        assert error == "minirnn: error: No space left on device\n"


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell")
def test_a_terminal_without_the_characters(trained):
    for command in (f"generate {shlex.quote(str(trained))} --prefix 天涯é --length 3", "train lm --help"):
        status, error = in_a_shell(f"minirnn {command}", PYTHONIOENCODING="ascii")
        assert status == 0
        assert "Traceback" not in error


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell")
def test_a_loss_that_blows_up_is_one_line(text):
    options = "--cell rnn-relu --optimizer sgd --lr 1e30 --clip 1e30 " + " ".join(SMALL)
    status, error = in_a_shell(f"minirnn train lm --data {shlex.quote(str(text))} {options}")
    assert status == 2
    assert error.count("\n") == 1
    assert "the loss became" in error
    assert "at step" in error


def test_bad_input_to_gradcheck(capsys):
    assert "no case matches 'nothing'" in refused(capsys, "gradcheck", "nothing")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_command_killed_again_and_again_ends_with_the_same_weights(text):
    command = [sys.executable, "-m", "minirnn", "train", "lm"]
    options = ["--data", str(text), "--hidden", "64", "--batch-size", "4", "--steps", "16", "--epochs", "6", "--quiet"]
    options += ["--save-every", "0"]
    subprocess.run([*command, *options, "--out", "whole"], check=True, capture_output=True)
    arguments = [*options, "--out", "killed"]
    kills, steps, last = 0, [], text.parent / "killed" / "last.safetensors"
    step_reached = lambda: load_checkpoint(last)[1]["step"] if last.exists() else 0
    for delay in (0.0, 0.05, 0.2, 0.1):
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()  # the first line is printed when the training begins
        while process.poll() is None and step_reached() <= (steps[-1] if steps else 0):
            time.sleep(0.01)
        time.sleep(delay)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        arguments = ["--resume", "killed", "--quiet"]
        steps.append(step_reached())
    assert kills >= 2
    assert 0 < steps[0] < steps[-1]  # the later starts did go on where the earlier ones had come to
    subprocess.run([*command, *arguments], check=True, capture_output=True)
    (whole, _), (killed, _) = (load_checkpoint(text.parent / name / "last.safetensors") for name in ("whole", "killed"))
    assert set(whole) == set(killed)
    for name in whole:
        np.testing.assert_array_equal(whole[name], killed[name])
