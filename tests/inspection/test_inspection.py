"""How far back gradients reach: against finite differences, and against the product of Jacobians."""

import csv
import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import InputError, Linear, Recurrent, Tensor, functional
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
    for wrong in (0, T + 1):
        with pytest.raises(InputError, match="between 1 and 6"):
            reach(layer, output, batch, truncate=wrong)


def test_clipping_changes_the_steps_and_not_the_first_gradient(batch):
    norms = {}
    for clip in (None, 0.01):
        layer, output = build("rnn")
        norms[clip] = weight_norms(layer, output, batch, steps=3, learning_rate=0.5, clip=clip)
    assert norms[None][0] == norms[0.01][0] > 0.01
    assert norms[None][1] != norms[0.01][1]


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
