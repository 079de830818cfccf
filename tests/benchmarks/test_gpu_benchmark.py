"""`python -m benchmarks gpu`, with the double in place of cupy: it runs through, whatever goes wrong on the way."""

import csv
import functools
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import cuda_emulation
import device_double
import pytest

from benchmarks import common, gpu, gpu_checks, gpu_timings, profiling
from benchmarks.__main__ import main
from benchmarks.common import Contender
from benchmarks.layers import Shape
from benchmarks.profiling import Launch
from benchmarks.session import Budget, Session, Sheet
from minirnn import backend

ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(cuda_emulation.compiler() is None, reason="no C++ compiler to run the kernels with")


@pytest.fixture
def double_for_children(monkeypatch):
    """`import cupy` gives the double in every process that is started."""
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "cupy_double"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))


@pytest.fixture
def double(monkeypatch):
    """`backend.gpu_library()` is the double."""
    monkeypatch.setattr(backend, "gpu_library", lambda: device_double)


def start(folder, minutes="2"):
    command = [sys.executable, "-m", "benchmarks", "gpu", "--quick", "--minutes", minutes, "--out", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def tables(folder):
    """Every table of a folder, as its rows; each must be whole in all its files."""
    found = {}
    for path in folder.glob("*.json"):
        records = json.loads(path.read_text())
        with open(path.with_suffix(".csv"), newline="") as file:
            assert len(list(csv.DictReader(file))) in (len(records), len(records) + 1)  # it is written first
        found[path.stem] = records
    for path in folder.glob("*.md"):
        lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
    return found


@pytest.mark.slow
@needs_compiler
def test_it_runs_through(double_for_children, tmp_path):
    process = start(tmp_path)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert "0 problems" in said
    found = tables(tmp_path)
    checked = found["gpu_checks"]
    assert all(row["passed"] for row in checked)
    whats = " ".join(row["check"] for row in checked)
    for what in ("all steps in one launch", "two launches a step", "refused", "language model", "beam search"):
        assert what in whats
    for name in ("gpu_layers", "gpu_crossover", "gpu_models"):
        implementations = {(row["implementation"], row["device"]) for row in found[name]}
        assert implementations >= {("minirnn", "cpu"), ("minirnn", "gpu"), ("minirnn, kernels", "gpu")}
        assert all(row["median_ms_by_device"] for row in found[name] if row["device"] == "gpu")
    assert {row["model"] for row in found["gpu_layers"]} == {"LSTM", "GRU (reset after)", "RNN"}
    assert any(row["what"] == "GPU" for row in found["gpu_machine"])
    assert "--minutes 2 --quick" in (tmp_path / "gpu_layers.md").read_text()


@needs_compiler
@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_whole_tables(double_for_children, tmp_path):
    rng = random.Random(1)
    moments = sorted(rng.uniform(2, 13) for _ in range(3))
    begin = time.monotonic()
    runs = [(moment, tmp_path / f"{moment:.1f}") for moment in moments]
    processes = [start(folder) for _, folder in runs]
    for (moment, _), process in zip(runs, processes, strict=True):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        process.kill()
        process.communicate()
    found = [tables(folder) for _, folder in runs]
    assert any(found)
    assert found[-1]["gpu_machine"]


@pytest.mark.slow
@needs_compiler
def test_a_kernel_that_never_ends_is_reported_and_the_others_go_on(double_for_children, monkeypatch):
    monkeypatch.setenv("CUDA_EMULATION_HANGS", "backward")
    monkeypatch.setattr(
        gpu_checks, "groups", lambda quick: [("kernels", "rnn", "float32"), ("language-model",), ("no-such-check",)]
    )
    results = []
    unchecked = gpu_checks.run(60, True, results.append, limit=3, at_once=2)
    assert not unchecked
    hung, ended = ([row for row in results if row["check"].startswith(name)] for name in ("kernels rnn", "language"))
    assert "a kernel did not end" in hung[0]["problem"]
    assert not hung[0]["passed"]
    assert not any(row["passed"] for row in results if "kernels" in row["check"])
    (unknown,) = (row for row in results if row["check"] == "no-such-check")
    assert "KeyError" in unknown["problem"]
    assert ended[0]["problem"] or ended[0]["passed"]


def test_what_there_is_no_time_for_is_reported(double_for_children, monkeypatch):
    monkeypatch.setattr(gpu_checks, "groups", lambda quick: [("language-model",), ("translation",)])
    assert gpu_checks.run(0.2, True, lambda result: None, at_once=1) == [("language-model",), ("translation",)]


def session(folder=None, minutes=1.0):
    return Session(Budget(60 * minutes), folder, True, "a command", set(gpu.CELLS), [])


def failing(checks, unchecked=()):
    """Stands for `gpu_checks.run`."""

    def run(seconds, quick, report):
        for what, passed in checks:
            report(gpu_checks.check(what, "sizes", 0.0 if passed else 1.0, "float32"))
        return list(unchecked)

    return run


def test_a_kernel_that_is_wrong_is_not_timed(double, monkeypatch, capsys):
    checks = [("lstm, kernels, all steps in one launch", False), ("rnn, kernels, two launches a step", True)]
    unchecked = [("kernels", "gru-after", "float32"), ("cells", "rnn")]
    monkeypatch.setattr(gpu_checks, "run", failing(checks, unchecked))
    one = session()
    one.kernels.clear()
    gpu.checks(one)
    assert one.kernels == {"rnn"}
    assert len(one.problems) == 3
    names = {
        cell: [m.args[0] for m in gpu_timings.layer_contenders(one, cell, Shape(2, 4, 4, 4))] for cell in gpu.CELLS
    }
    assert "minirnn, kernels" in names["rnn"]
    assert "minirnn, kernels" not in names["lstm"] + names["gru-after"]
    assert "the kernels of lstm are not timed" in capsys.readouterr().out


def test_a_plain_step_that_is_wrong_takes_no_kernel_along(double, monkeypatch):
    monkeypatch.setattr(gpu_checks, "run", failing([("lstm, step by step", False), ("lstm-nfg", False)]))
    one = session()
    gpu.checks(one)
    assert one.kernels == set(gpu.CELLS)
    assert len(one.problems) == 2


def test_no_number_is_no_small_error():
    assert not gpu_checks.check("x", "", float("nan"), "float32")["passed"]
    import numpy as np

    one = np.ones(3, np.float32)
    assert gpu_checks.difference([one], [one * np.nan]) == np.inf
    assert gpu_checks.difference([one], [one.astype(np.float64)]) == np.inf
    assert gpu_checks.difference([one, 2 * one], [one, 3 * one]) == 0.5


def test_what_does_not_fit_costs_one_contender_and_not_the_others(double, tmp_path):
    def too_large():
        raise MemoryError("out of memory allocating 9 GiB")

    one = session(tmp_path)
    makers = [functools.partial(Contender, "minirnn", lambda: None), too_large]
    rows = one.measure(makers, model="LSTM", T=1, B=2, I=3, H=4)
    assert [row["implementation"] for row in rows] == ["minirnn"]
    assert one.problems == ["LSTM at T 1, B 2, I 3, H 4: MemoryError: out of memory allocating 9 GiB"]
    assert one.measure([too_large], model="LSTM") == []


def test_a_part_that_breaks_does_not_break_the_next(double, monkeypatch, capsys):
    def breaks(session):
        raise RuntimeError("the driver is gone")

    done = []
    monkeypatch.setattr(gpu, "PARTS", [("one", 0, breaks), ("two", 0, done.append), ("three", 1e6, done.append)])
    assert gpu.run(0.5, None, True, "a command") == 1
    assert len(done) == 2  # in quick runs a second is enough for everything
    said = capsys.readouterr().out
    assert "!! one: RuntimeError: the driver is gone" in said
    assert "1 problems" in said
    monkeypatch.setattr(gpu, "PARTS", [("three", 1e6, done.append)])
    assert gpu.run(0.5, None, False, "a command") == 0
    assert "skipped, for lack of time: three" in capsys.readouterr().out
    assert len(done) == 2


def test_a_table_is_on_disk_with_every_row(tmp_path, capsys):
    sheet = Sheet(session(tmp_path), "some", "A title", ["a", "b"])
    for n in (1, 2):
        sheet.add([str(n), "x"], [{"n": n}])
        assert json.loads((tmp_path / "gpu_some.json").read_text())[-1] == {"n": n}
        assert (tmp_path / "gpu_some.md").read_text().endswith(f"| {n} | x |\n")
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".json", ".md"}


def test_without_a_gpu_it_ends_with_one_line(monkeypatch, capsys):
    monkeypatch.setattr(common, "gpu", lambda: None)
    for arguments in (["gpu"], ["gpu", "--minutes", "2", "--tf32"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert (
            capsys.readouterr().err.splitlines()[-1].endswith("no GPU: cupy is not installed or finds no CUDA device")
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gpu", "layers"], "gpu stands alone"),
        (["gpu", "--minutes", "0"], "--minutes is a positive number"),
        (["gpu", "--minutes", "nan"], "--minutes is a positive number"),
        (["gpu", "--minutes", "inf"], "--minutes is a positive number"),
        (["layers", "--minutes", "3"], "goes with gpu"),
    ],
)
def test_bad_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_time_is_also_taken_by_the_device(double):
    ticks = iter(range(100))
    clock = common.Clock(lambda: None, lambda: next(ticks), lambda start, end: 10.0 * (end - start))
    contender = Contender("a", lambda: time.sleep(0.001), "gpu", clock=clock)
    (timing,) = common.measure([contender], rounds=2, seconds=0.01, pause=0.0)
    assert set(timing.on_device) == {10.0}
    assert len(timing.on_device) == len(timing.calls)
    assert common.record(contender, timing, timing)["median_ms_by_device"] == 10_000.0
    assert common.record(Contender("b", print), timing, timing)["median_ms_by_device"] == ""


def test_launches_of_a_trace():
    trace = {
        "traceEvents": [
            {"cat": "kernel", "name": "ampere_sgemm_32x32_nn", "ts": 10.0, "dur": 4.0},
            {"cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": 1.0, "dur": 90.0},
            {"cat": "kernel", "name": "forward", "ts": 20.0, "dur": 5.0},
            {"cat": "kernel", "name": "cupy_multiply__float32", "ts": 22.0, "dur": 1.0},
            {"cat": "gpu_memcpy", "name": "Memcpy HtoD (Pageable -> Device)", "ts": 0.0, "dur": 2.0},
            {"name": "process_name", "ph": "M"},
        ]
    }
    launches = profiling.launches_in(trace)
    assert [launch.kind for launch in launches] == ["copy", "product", "minirnn's kernel", "elementwise"]
    assert list(profiling.by_kind(launches)) == ["minirnn's kernel", "product", "copy", "elementwise"]
    assert profiling.waiting(launches) == pytest.approx((8 + 6) / 1e6)  # the last two overlap
    assert profiling.waiting([]) == 0.0
    assert Launch("void cudnn::rnn::elemWiseRNNcell<float>", 0.0, 1.0).kind == "recurrent kernel of cuDNN"
