"""The gates that are shown are those that made the output, and held open or shut they do what is said of them."""

import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import InputError, Recurrent, Tensor
from minirnn.inspection.gates import extreme_cases, gates, saturation


@pytest.mark.parametrize("name", ["gru", "gru-after", "lstm", "lstm-peephole"])
def test_h_can_be_put_together_again(name, rng):
    layer = Recurrent(name, 3, 5, rng=0, dtype=np.float64)
    for p in layer.parameters():
        p.data = rng.standard_normal(p.shape)
    x = rng.standard_normal((7, 2, 3))
    expected, found = layer(Tensor(x))[0].data, gates(layer, x)
    h, c = np.zeros((2, 5)), np.zeros((2, 5))
    for t in range(7):
        at = {gate: values[t] for gate, values in found.items()}
        if "z" in at:
            h = at["z"] * h + (1 - at["z"]) * at["n"]
        else:
            c = at["f"] * c + at["i"] * at["g"]
            h = at["o"] * np.tanh(c)
        np.testing.assert_allclose(h, expected[t], rtol=0, atol=1e-12)


def test_of_a_deep_layer_the_first_is_shown_and_others_are_refused():
    x = np.random.default_rng(0).standard_normal((4, 2, 3))
    deep = Recurrent("gru", 3, 5, 2, rng=0, dtype=np.float64)
    assert gates(deep, x)["z"].shape == (4, 2, 5)
    for layer in (Recurrent("rnn", 3, 5), Recurrent("lstm-cifg", 3, 5), Recurrent("gru", 3, 5, bidirectional=True)):
        with pytest.raises(InputError, match="gates are shown of gru"):
            gates(layer, x.astype(np.float32))
    np.testing.assert_array_equal(gates(deep, Tensor(x))["z"], gates(deep, x)["z"])
    with pytest.raises(InputError, match="dtype must be float32 or float64, not int64"):
        gates(deep, x.astype(int))
    with pytest.raises(InputError, match=r"\(time, batch, features\)"):
        gates(deep, x[0])


def test_extreme_gates_do_what_is_said():
    for seed in range(3):
        assert len(extreme_cases(seed)) == 5
        assert max(extreme_cases(seed).values()) < 1e-10


def test_the_extreme_cases_would_notice(monkeypatch):
    from minirnn.fast.in_place import InPlaceGRU

    forward = InPlaceGRU.forward

    def leaking(self, w, wx, state):
        (h,), kept = forward(self, w, wx, state)
        return (h + 1e-3 * wx[:5],), kept

    monkeypatch.setattr(InPlaceGRU, "forward", leaking)
    found = extreme_cases()
    assert found["GRU, z = 1: the input is ignored, h stays"] > 1e-4


def test_saturation_counts_steps_by_unit():
    gate = np.array([[0.05, 0.95], [0.5, 0.95], [0.05, 0.2], [0.02, 0.91]])[:, None]
    shut, opened = saturation(gate)
    np.testing.assert_allclose(shut, [0.75, 0])
    np.testing.assert_allclose(opened, [0, 0.75])


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("The old cat sleeps.\n" * 100)
    small = ("--hidden", 6, "--embedding", 3, "--batch-size", 4, "--steps", 8, "--epochs", 1, "--quiet")
    assert run("train", "lm", "--data", "text.txt", "--cell", "lstm", *small, "--out", "lstm") == 0
    assert run("train", "lm", "--data", "text.txt", "--cell", "rnn", *small, "--out", "rnn") == 0
    capsys.readouterr()
    assert run("show", "gates", "lstm", "--text", "The cat") == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    for gate in "ifo":
        (tenths,) = [line[1] for line in lines if line[:1] == [gate]]
        assert len(tenths) == len("The cat")
    assert "forget gate f" in out
    assert (tmp_path / "gates.png").exists()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "gates", "lstm") == 0
    assert "no picture" in capsys.readouterr().out
    assert "gates are shown of gru" in refused(capsys, "show", "gates", "rnn")
    assert "--cell goes without a run" in refused(capsys, "show", "gates", "lstm", "--cell", "gru")
    assert "at least one token" in refused(capsys, "show", "gates", "lstm", "--text", "")
    assert "not a run directory" in refused(capsys, "show", "gates", "nowhere")
