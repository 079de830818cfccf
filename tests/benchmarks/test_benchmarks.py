"""The benchmarks compare things that compute the same, and describe what they measured."""

import csv
import json
import time

import numpy as np
import pytest

from benchmarks import common, growth, layers
from benchmarks.__main__ import main
from benchmarks.common import Contender
from benchmarks.textbook import Textbook
from minirnn import Recurrent, Tensor, num_threads


@pytest.mark.parametrize("name", ["rnn", "gru", "gru-after", "lstm"])
@pytest.mark.parametrize("per_gate", [False, True])
def test_the_textbook_loop_computes_the_same(name, per_gate, rng):
    layer = Recurrent(name, 4, 5, rng=0, dtype=np.float64)
    x, dy = rng.standard_normal((6, 3, 4)), rng.standard_normal((6, 3, 5))
    X = Tensor(x, requires_grad=True)
    output, _ = layer(X)
    output.backward(dy)
    textbook = Textbook(name, {key: p.data for key, p in layer.weights_of("_l0").items()}, per_gate)
    np.testing.assert_allclose(textbook.forward(x), output.data, rtol=0, atol=1e-12)
    dx, gradients = textbook.backward(dy)
    np.testing.assert_allclose(dx, X.grad, rtol=0, atol=1e-12)
    for key, parameter in layer.weights_of("_l0").items():
        np.testing.assert_allclose(gradients[key], parameter.grad, rtol=0, atol=1e-12)


def test_contenders_take_turns_and_the_first_call_is_reported_apart():
    before, calls = num_threads(), []

    def call(name, seconds):
        calls.append((name, num_threads()))
        time.sleep(0.05 if len(calls) == 1 else seconds)

    a = Contender("a", lambda: call("a", 0.001), threads=1)
    b = Contender("b", lambda: call("b", 0.004))
    first, second = common.measure([a, b], rounds=3, seconds=0.03, pause=0.0, warm_up=0.0)
    assert first.first >= 0.05 > first.median
    assert second.median > first.median
    blocks = ["a" * (1 + len(first.calls) // 3), "b" * (1 + len(second.calls) // 3)]
    assert "".join(name for name, _ in calls) == "a" * 3 + "b" * 3 + "".join(blocks) * 3
    assert {threads for name, threads in calls if name == "a"} == {1}
    assert {threads for name, threads in calls if name == "b"} == {before}
    assert num_threads() == before


def test_a_ratio_is_taken_within_each_round():
    """In the last rounds the machine is three times slower. The one takes twice as long as the other throughout."""
    one, other = (
        common.Timing(0.0, [[2.0], [2.0], [6.0, 6.0], [6.0]]),
        common.Timing(0.0, [[1.0, 1.0], [1.0], [3.0], [3.0]]),
    )
    assert one.relative_to(other) == 2.0
    assert other.relative_to(one) == 0.5
    assert one.median / other.median == 6.0  # what the medians of all calls would say


def test_how_straight_a_line_is():
    sizes = np.array([16.0, 32, 64, 128, 256])
    assert growth.deviation_from_line(sizes, 3 + 2 * sizes) < 1e-12
    assert growth.deviation_from_line(sizes, sizes**1.5) > 0.2


@pytest.mark.parametrize("name", layers.CELLS)
@pytest.mark.parametrize("shape", [layers.Shape(30, 16, 64, 64), layers.Shape(60, 16, 96, 64)])
def test_the_memory_of_a_step_is_that_of_the_formula(name, shape):
    assert growth.peak_memory(name, shape) == pytest.approx(growth.memory_formula(name, shape), rel=0.1)


def test_training_steps_leave_nothing_behind():
    assert growth.left_after("lstm", layers.Shape(5, 4, 8, 8), 300) < 50_000


@pytest.mark.slow
def test_everything_runs_and_says_on_what(tmp_path, capsys):
    assert main(["layers", "growth", "products", "threads", "--quick", "--out", str(tmp_path), "--device", "cpu"]) == 0
    rows = json.loads((tmp_path / "layers.json").read_text())
    assert {row["implementation"] for row in rows} >= {"minirnn", "textbook", "row loop", "products alone"}
    for row in rows:
        assert row["p10_ms"] <= row["median_ms"] <= row["p90_ms"]
        assert all(row[key] for key in ("dtype", "threads", "cpu", "numpy", "blas", "commit", "date", "calls"))
        assert row["over_first_contender"] > 0
        assert {"T", "B", "I", "H", "tf32", "cupy", "torch", "gpu", "first_call_ms", "data"} <= set(row)
    with open(tmp_path / "layers.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    table = (tmp_path / "layers.md").read_text()
    assert "`python -m benchmarks layers`" in table
    assert "cuDNN" not in table  # nothing was measured there, so there is no such column
    assert (tmp_path / "growth.png").exists()
    if num_threads() > 1:  # one thread has no other to wait for
        assert "| 1,024 |" in (tmp_path / "threads.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["laiers"], "unknown section 'laiers'"), (["--device", "gpu"], "no GPU")]
)
def test_bad_arguments(arguments, message, capsys):
    if arguments == ["--device", "gpu"] and common.gpu() is not None:
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
