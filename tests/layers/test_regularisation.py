"""Activations, normalisation, variational dropout and initialisation: against torch, and by their properties."""

import numpy as np
import pytest
from commands import refused, run

from minirnn import (
    ELU,
    GRU,
    LSTM,
    RNN,
    Dropout,
    InputError,
    LanguageModel,
    LayerNorm,
    LeakyReLU,
    PReLU,
    Recurrent,
    ReLU,
    ReLU6,
    RReLU,
    Run,
    Sigmoid,
    Tanh,
    Tensor,
    grad,
    ops,
)
from minirnn.autograd.activations import ACTIVATIONS


@pytest.mark.parametrize("name", ["Sigmoid", "Tanh", "ReLU", "ReLU6", "LeakyReLU", "ELU", "PReLU", "RReLU"])
def test_activations_agree_with_torch_also_at_the_kinks(name, rng):
    torch = pytest.importorskip("torch")
    ours = {"Sigmoid": Sigmoid, "Tanh": Tanh, "ReLU": ReLU, "ReLU6": ReLU6, "LeakyReLU": LeakyReLU, "ELU": ELU}
    module = ours[name]() if name in ours else PReLU(dtype=np.float64) if name == "PReLU" else RReLU()
    theirs = torch.nn.PReLU(dtype=torch.float64) if name == "PReLU" else getattr(torch.nn, name)()
    module.eval(), theirs.eval()
    values = np.concatenate((rng.normal(0, 4, 40), [0.0, 6.0, 7.0, -1000.0, 1000.0]))
    x, other = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    d = rng.standard_normal(values.shape)
    y, expected = module(x), theirs(other)
    (y * d).sum().backward()
    (expected * torch.tensor(d)).sum().backward()
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(x.grad, other.grad.numpy(), rtol=1e-10, atol=1e-15)
    if name == "PReLU":
        np.testing.assert_allclose(module.weight.grad, theirs.weight.grad.numpy(), rtol=1e-12)


def test_layer_norm_agrees_with_torch(rng):
    torch = pytest.importorskip("torch")
    ours, theirs = LayerNorm(6, dtype=np.float64), torch.nn.LayerNorm(6, dtype=torch.float64)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        p.data = rng.standard_normal(6)
        q.data = torch.tensor(p.data)
    values, d = rng.standard_normal((3, 2, 6)), rng.standard_normal((3, 2, 6))
    x, other = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    (ours(x) * d).sum().backward()
    (theirs(other) * torch.tensor(d)).sum().backward()
    np.testing.assert_allclose(ours(x).data, theirs(other).detach().numpy(), rtol=1e-12, atol=1e-12)
    for a, b in zip([x.grad, *(p.grad for p in ours.parameters())], [other, *theirs.parameters()], strict=True):
        np.testing.assert_allclose(a, b.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_rrelu_draws_in_training_and_takes_the_mean_in_evaluation():
    x = Tensor(np.full((1000,), -1.0))
    module = RReLU(rng=0)
    drawn = -module(x).data
    assert 1 / 8 <= drawn.min() < 0.13
    assert 0.32 < drawn.max() < 1 / 3
    assert not np.array_equal(module(x).data, module(x).data)
    np.testing.assert_allclose(module.eval()(x).data, -(1 / 8 + 1 / 3) / 2)
    layer, steps = RNN(2, 3, nonlinearity="rrelu", rng=0), Tensor(np.ones((4, 2, 2), np.float32))
    assert not np.array_equal(layer(steps)[0].data, layer(steps)[0].data)
    layer.eval()
    np.testing.assert_array_equal(layer(steps)[0].data, layer(steps)[0].data)


@pytest.mark.parametrize("name", ["relu6", "leaky-relu", "elu", "sigmoid", "prelu", "rrelu"])
def test_any_activation_is_the_nonlinearity_of_an_rnn(name):
    x = Tensor(np.random.default_rng(0).standard_normal((4, 2, 3)).astype(np.float32))
    layer, named = RNN(3, 5, nonlinearity=name, rng=1).eval(), Recurrent(f"rnn-{name}", 3, 5, rng=1).eval()
    np.testing.assert_array_equal(layer(x)[0].data, named(x)[0].data)
    with pytest.raises(InputError, match="weights cannot be exchanged"):
        layer.to_torch()


@pytest.mark.parametrize("name", [*ACTIVATIONS])
def test_activations_of_infinity_are_their_limits(name):
    y, slope = ACTIVATIONS[name](np.array([-np.inf, np.inf]))
    low = {"tanh": -1, "elu": -1, "leaky-relu": -np.inf}.get(name, 0)
    high = {"tanh": 1, "sigmoid": 1, "relu6": 6}.get(name, np.inf)
    assert y.tolist() == [low, high]
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", ["lstm-layer-norm", "gru-layer-norm"])
def test_normalised_cells_do_not_mind_the_scale_of_their_weights(name):
    layer = Recurrent(name, 3, 16, rng=0, dtype=np.float64)
    x = Tensor(np.random.default_rng(1).standard_normal((6, 2, 3)))
    outputs = []
    for _ in range(2):
        layer.W_l0.data, layer.U_l0.data = layer.W_l0.data * 100, layer.U_l0.data * 100  # ε is nothing beside these
        outputs.append(layer(x)[0].data)
    before, after = outputs
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-4)
    layer.b_l0.data = layer.b_l0.data + 1  # after the norm, which would take it out again
    assert abs(layer(x)[0].data - before).max() > 0.1


@pytest.mark.parametrize("name", ["lstm-layer-norm", "gru-layer-norm", "rnn-prelu", "rnn-rrelu"])
def test_walked_step_by_step_a_cell_gives_the_same_values_and_gradients(name):
    layer = Recurrent(name, 3, 4, 2, rng=0, dtype=np.float64)
    x = Tensor(np.random.default_rng(1).standard_normal((5, 2, 3)), requires_grad=True)
    d = np.random.default_rng(2).standard_normal((5, 2, 4))
    layer.train(name != "rnn-rrelu")  # which draws its slopes in another order when walked
    inputs, results = [x, *layer.parameters()], []
    for walk in (lambda: layer(x)[0], lambda: ops.stack([*map(layer.stepper(x, None), ops.unstack(x))])):
        y = walk()
        results.append([y.data, *grad((y * d).sum(), inputs)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_variational_dropout_has_one_mask_for_all_steps():
    x = Tensor(np.ones((50, 4, 6), np.float32))
    y = Dropout(0.5, variational=True, rng=0)(x).data
    assert (y == y[:1]).all()
    assert 0 < (y == 0).mean() < 1
    assert set(np.unique(y)) == {0.0, 2.0}
    each = Dropout(0.5, rng=0)(x).data
    assert not (each == each[:1]).all()
    assert (Dropout(0.5, variational=True).eval()(x).data == 1).all()


def test_a_layer_walked_step_by_step_keeps_the_mask_of_its_sequence():
    layer = Recurrent("rnn", 3, 4, 2, dropout=0.5, variational=True, rng=0, dtype=np.float64)
    x = Tensor(np.random.default_rng(1).standard_normal((5, 2, 3)))
    layer.dropout.rng = np.random.default_rng(7)
    whole, _ = layer(x)
    layer.dropout.rng = np.random.default_rng(7)
    stepper = layer.stepper(x, None)
    np.testing.assert_allclose(np.stack([stepper(x[t]).data for t in range(5)]), whole.data, rtol=0, atol=1e-12)


def test_orthogonal_blocks_are_orthogonal_and_differ():
    layer = LSTM(3, 8, recurrent_init="orthogonal", rng=0, dtype=np.float64)
    blocks = layer.U_l0.data.reshape(4, 8, 8)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(8), atol=1e-12)
    assert abs(blocks[0] - blocks[1]).max() > 0.1
    signs = [np.linalg.det(RNN(1, 3, recurrent_init="orthogonal", rng=seed).U_l0.data) > 0 for seed in range(40)]
    assert 8 < sum(signs) < 32  # rotations and reflections alike


def test_an_unknown_recurrent_init_is_refused():
    with pytest.raises(InputError, match="unknown recurrent_init 'identity'"):
        GRU(2, 3, recurrent_init="identity")


def test_the_defaults_draw_what_they_always_drew():
    plain, said = (
        LanguageModel(5, 4, dropout=0.5, rng=3),
        LanguageModel(
            5, 4, dropout=0.5, variational=False, recurrent_init="uniform", forget_bias=None, chrono=None, rng=3
        ),
    )
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(plain.recurrent.W_l0.data, rng.uniform(-0.5, 0.5, (16, 5)).astype(np.float32))
    for a, b in zip(plain.parameters(), said.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_the_command_line_has_them(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n" * 40, encoding="utf-8")
    out = tmp_path / "run"
    model = ("--cell", "lstm-layer-norm", "--layers", 2, "--hidden", 8, "--embedding", 4, "--dropout", 0.2)
    own = ("--variational", "--recurrent-init", "orthogonal", "--forget-bias", 1)
    size = ("--batch-size", 4, "--steps", 8, "--epochs", 1, "--quiet")
    assert run("train", "lm", "--data", text, *model, *own, *size, "--out", out) == 0
    assert Run(out).config["options"]["forget-bias"] == 1
    capsys.readouterr()
    assert run("generate", out, "--prefix", "春眠", "--length", 12) == 0
    written = capsys.readouterr().out.strip("\n")
    assert written.startswith("春眠")
    assert set(written) <= set(text.read_text(encoding="utf-8"))
    nowhere = ("--out", tmp_path / "no")
    assert "needs a cell with" in refused(capsys, "train", "lm", "--forget-bias", 1, "--cell", "rnn", *nowhere)
    assert "expected a number" in refused(capsys, "train", "lm", "--forget-bias=-inf", *nowhere)
    assert not (tmp_path / "no").exists()


def test_what_is_drawn_at_every_step_goes_on_after_an_interruption(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 40)
    model = ("--cell", "rnn-rrelu", "--layers", 2, "--hidden", 8, "--dropout", 0.3, "--variational")
    size = ("--data", text, *model, "--batch-size", 4, "--steps", 8, "--quiet")
    assert run("train", "lm", *size, "--epochs", 2, "--out", tmp_path / "whole") == 0
    assert run("train", "lm", *size, "--epochs", 1, "--out", tmp_path / "halves") == 0
    assert run("train", "lm", "--resume", tmp_path / "halves", "--epochs", 2, "--quiet") == 0
    whole, halves = (Run(tmp_path / name).model_state("last") for name in ("whole", "halves"))
    for name, value in whole.items():
        np.testing.assert_array_equal(value, halves[name])


def test_words_are_learnt_with_the_same_command(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("The old cat doesn't sleep, and the dog barks.\n" * 60)
    size = ("--hidden", 16, "--batch-size", 4, "--steps", 8, "--epochs", 6, "--lr", 0.02, "--quiet")
    assert run("train", "lm", "--data", text, "--tokens", "word", *size, "--out", tmp_path / "run") == 0
    capsys.readouterr()
    assert run("generate", tmp_path / "run", "--prefix", "The old", "--length", 9, "--greedy") == 0
    assert capsys.readouterr().out.startswith("The old cat doesn't sleep, and the dog barks.")
