"""The gates that are shown are those that made the output, and held open or shut they do what is said of them."""

import sys

import numpy as np
import pytest
from commands import refused, run

from minirnn import CELL_NAMES, Cell, InputError, Recurrent, Tensor
from minirnn.inspection.gates import extreme_cases, gates, opening, saturation


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
    for layer in (Recurrent("gru", 3, 5, reverse=True), Recurrent("gru", 3, 5, bidirectional=True)):
        with pytest.raises(InputError, match="that read from left to right"):
            gates(layer, x.astype(np.float32))
    np.testing.assert_array_equal(gates(deep, Tensor(x))["z"], gates(deep, x)["z"])
    with pytest.raises(InputError, match="dtype must be float32 or float64, not int64"):
        gates(deep, x.astype(int))
    for wrong in (x[0], x[:0], x[:, :, :2]):
        with pytest.raises(InputError, match=r"\(time, batch, features\), with 3 features and at least one step"):
            gates(deep, wrong)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_the_gates_of_every_cell_are_found_among_the_blocks_of_its_weights(name):
    layer = Recurrent(name, 3, 5, rng=0)
    found = gates(layer, np.random.default_rng(0).standard_normal((20, 2, 3)).astype(np.float32))
    assert "".join(found) == layer.cell.gates
    assert "".join(opening(found)) == "".join(letter for letter in layer.cell.gates if letter in "ifoz" + "r")
    assert {v.shape for v in found.values()} == {(20, 2, 5)}


class Minimal(Cell):
    """A cell as somebody adds it: the forget gate alone (after Zhou et al. 2016), which is called k here."""

    gates = "kn"

    def forward(self, w, wx, state):
        (h_prev,) = state
        H = len(h_prev)
        k = 1 / (1 + np.exp(-(wx[:H] + w.U[:H] @ h_prev)))
        n = np.tanh(wx[H:] + w.U[H:] @ h_prev)
        return ((1 - k) * h_prev + k * n,), None


class Unnamed(Minimal):
    def forward(self, w, wx, state):
        H = len(state[0])
        return (1 / (1 + np.exp(-wx[:H])),), None


def test_the_gates_of_a_new_cell_are_its_variables_of_their_names(rng):
    layer = Recurrent(Minimal(), 3, 5, rng=0, dtype=np.float64)
    x = rng.standard_normal((6, 2, 3))
    found, expected = gates(layer, x), layer(Tensor(x))[0].data
    assert list(opening(found)) == ["k"]
    h = np.zeros((2, 5))
    for t in range(6):
        h = (1 - found["k"][t]) * h + found["k"][t] * found["n"][t]
        np.testing.assert_allclose(h, expected[t], rtol=0, atol=1e-12)
    with pytest.raises(InputError, match=r"Unnamed\.forward has no variable k of shape"):
        gates(Recurrent(Unnamed(), 3, 5, rng=0, dtype=np.float64), x)


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
    assert "7 tokens read, of the text" in out
    assert "of 7 steps, which are few" in out
    assert (tmp_path / "gates.png").exists()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("show", "gates", "lstm") == 0
    out = capsys.readouterr().out
    assert "no picture" in out
    assert "2,000 tokens read, of the end of the run's text" in out  # of which 200 are held out
    assert "are few" not in out
    assert "has no gates" in refused(capsys, "show", "gates", "rnn")
    assert "--cell goes without a run" in refused(capsys, "show", "gates", "lstm", "--cell", "gru")
    assert "at least one token" in refused(capsys, "show", "gates", "lstm", "--text", "")
    assert "not a run directory" in refused(capsys, "show", "gates", "nowhere")
    assert "not allowed with" in refused(capsys, "show", "gates", "lstm", "--text", "a", "--data", "text.txt")
    (tmp_path / "text.txt").write_text("another text")
    message = refused(capsys, "show", "gates", "lstm")
    assert "text.txt is not the text that lstm was trained on; give a text with --text or --data" in message
    assert run("show", "gates", "lstm", "--data", "text.txt") == 0
    assert "12 tokens read, of text.txt" in capsys.readouterr().out
