"""How far back gradients reach: against finite differences, and against the product of Jacobians."""

import csv
import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import InputError, Linear, Recurrent, Tensor, functional
from minirnn.inspection.compare import compare, read_results, train_once
from minirnn.inspection.gradients import reach, weight_norms

T, B, I, H = 6, 3, 2, 4


@pytest.fixture
def batch(rng):
    return Tensor(rng.standard_normal((T, B, I))), rng.integers(0, 5, B)


def build(cell, **options):
    return Recurrent(cell, I, H, rng=0, dtype=np.float64, **options), Linear(H, 5, rng=1, dtype=np.float64)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "lstm-peephole", "lstm-fgr"])
def test_the_norms_are_those_of_finite_differences(cell, batch):
    layer, output = build(cell)
    x, classes = batch
    found = reach(layer, output, batch)
    for t in range(T - 1):
        _, state = layer(x[: t + 1])
        states = [s.data.copy() for s in (state if isinstance(state, tuple) else (state,))]
        for which, norms in enumerate((found.h, found.c)):
            if norms is None:
                continue
            gradient = np.zeros((B, H))
            for index in np.ndindex(B, H):
                losses = []
                for step in (1e-5, -1e-5):
                    moved = [s.copy() for s in states]
                    moved[which][(0, *index)] += step
                    start = tuple(map(Tensor, moved)) if len(moved) > 1 else Tensor(moved[0])
                    losses.append(functional.cross_entropy(output(layer(x[t + 1 :], start)[0][-1]), classes).item())
                gradient[index] = (losses[0] - losses[1]) / 2e-5
            assert norms[t] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)


def test_of_a_linear_network_the_gradient_is_a_power_of_the_recurrent_matrix(batch):
    layer, output = build("rnn-relu")
    layer.b_l0.data += 100  # far on the linear side of the ramp
    found = reach(layer, output, batch)
    last = found.h[-1]
    layer.U_l0.data = 0.5 * np.eye(H)
    found = reach(layer, output, batch)
    np.testing.assert_allclose(found.h / found.h[-1], 0.5 ** np.arange(T - 1, -1, -1), rtol=1e-12)
    assert found.ratio == pytest.approx(0.5 ** (T - 1))
    assert found.c is None
    assert last > 0


def test_truncation_cuts_the_gradient_to_nothing(batch):
    layer, output = build("lstm")
    full, cut = reach(layer, output, batch), reach(layer, output, batch, truncate=2)
    assert (cut.h[: T - 2] == 0).all()
    np.testing.assert_array_equal(cut.h[T - 2 :], full.h[T - 2 :])
    np.testing.assert_array_equal(reach(layer, output, batch, truncate=T).h, full.h)
    np.testing.assert_array_equal(reach(layer, output, batch, truncate=np.int64(2)).h, cut.h)
    for wrong in (0, T + 1):
        with pytest.raises(InputError, match="between 1 and 6"):
            reach(layer, output, batch, truncate=wrong)
    for wrong in (2.0, True):
        with pytest.raises(InputError, match="truncate must be an integer"):
            reach(layer, output, batch, truncate=wrong)
    with pytest.raises(TypeError, match="expected a Tensor, not ndarray"):
        reach(layer, output, (batch[0].data, batch[1]))
    for wrong in (0, 1.0, True):
        with pytest.raises(InputError, match="steps must be an integer of at least 1"):
            weight_norms(layer, output, batch, steps=wrong, learning_rate=0.1, clip=None)


def test_clipping_changes_the_steps_and_not_the_first_gradient(batch):
    norms = {}
    for clip in (None, 0.01):
        layer, output = build("rnn")
        norms[clip] = weight_norms(layer, output, batch, steps=3, learning_rate=0.5, clip=clip)
    assert norms[None][0] == norms[0.01][0] > 0.01
    assert norms[None][1] != norms[0.01][1]


def test_what_is_compared_is_a_list_of_cells(tmp_path):
    results, small = tmp_path / "results.csv", {"hidden": np.int64(2), "steps": np.int64(1)}
    found = compare(results, "memory", ("rnn",), np.int64(1), **small)
    assert compare(results, "memory", iter(["rnn"]), 1, hidden=2, steps=1) == found == read_results(results)
    with pytest.raises(InputError, match=r"cells must be a list of strings, not one string: write \['rnn'\]"):
        compare(results, "memory", "rnn", 1, **small)
    for wrong in ({"seeds": 0}, {"hidden": 0}, {"steps": 1.0}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be an integer of at least 1"):
            compare(results, "memory", ["rnn"], **{"seeds": 1, **small} | wrong)
    with pytest.raises(InputError, match="steps must be an integer of at least 1"):
        train_once("memory", "rnn", 0, hidden=2, steps=0)


def test_the_command_shows_vanishing_and_exploding(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("show", "gradients", "--csv", "norms.csv") == 0
    out = capsys.readouterr().out
    ratios = {line[:21].strip(): float(line.split()[-1]) for line in out.splitlines()[1:7]}
    assert ratios["RNN"] < 1e-20
    assert ratios["LSTM, forget bias 4"] > 0.1
    assert ratios["RNN (relu), U times 3"] > 1e3
    assert "exactly 0 in 70 of 100" in out
    assert (tmp_path / "gradients.png").exists()
    with open("norms.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert float(rows[0]["dh RNN"]) / float(rows[-1]["dh RNN"]) == pytest.approx(ratios["RNN"], rel=0.1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "gradients", "--steps", 5, "--truncate", 2, "--hidden", 3) == 0
    assert "no picture" in capsys.readouterr().out
    assert "--truncate 30 is more than the 20" in refused(capsys, "show", "gradients", "--steps", 20)


def test_a_table_as_other_programs_write_it_is_read(tmp_path):
    results = tmp_path / "results.csv"
    found = compare(results, "memory", iter(["rnn"]), 1, hidden=2, steps=1)
    results.write_bytes(b"\xef\xbb\xbf" + results.read_bytes().replace(b"\r\n", b"\r"))
    assert read_results(results) == found


@pytest.mark.parametrize("bad", [b"\0", b"\xff", b"," + b"1" * 200_000, b"memory,rnn"])
def test_a_damaged_line_of_a_table_is_named(bad, tmp_path):
    results = tmp_path / "results.csv"
    compare(results, "memory", iter(["rnn"]), 1, hidden=2, steps=1)
    results.write_bytes(results.read_bytes() + bad + b"\r\n")
    with pytest.raises(InputError, match="line 3"):
        read_results(results)
