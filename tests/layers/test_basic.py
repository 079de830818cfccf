"""Layers without time: how they begin, and what dropout does to the last digit."""

import math

import numpy as np
import pytest

from minirnn import (
    RNN,
    SCORES,
    Attention,
    Dropout,
    Embedding,
    InputError,
    LayerNorm,
    Linear,
    PReLU,
    Recurrent,
    RReLU,
    Tensor,
)
from minirnn.layers.basic import orthogonal, uniform


def test_linear_begins_uniform_in_the_root_of_its_inputs():
    for bias in (True, False):
        layer, rng = Linear(9, 4, bias, rng=5, dtype=np.float64), np.random.default_rng(5)
        np.testing.assert_array_equal(layer.weight.data, rng.uniform(-1 / 3, 1 / 3, (4, 9)))
        if bias:
            np.testing.assert_array_equal(layer.bias.data, rng.uniform(-1 / 3, 1 / 3, 4))
        else:
            assert layer.bias is None
    assert Linear(9, 4).bias.shape == (4,)
    assert Linear(9, 4).weight.dtype == Linear(9, 4).bias.dtype == np.float32
    assert Linear(1, 1).weight.shape == (1, 1)
    shared = np.random.default_rng(5)
    first, second = Linear(9, 4, rng=shared), Linear(9, 4, rng=shared)
    assert not np.array_equal(first.weight.data, second.weight.data)


def test_linear_is_the_product_and_the_bias():
    layer, x = Linear(3, 2, rng=0, dtype=np.float64), np.random.default_rng(1).normal(size=(4, 5, 3))
    products = np.array([[[sum(row * v) for row in layer.weight.data] for v in m] for m in x])
    np.testing.assert_allclose(layer(Tensor(x)).data, products + layer.bias.data, rtol=1e-12)
    plain = Linear(3, 2, bias=False, rng=0, dtype=np.float64)
    np.testing.assert_allclose(plain(Tensor(x)).data, products, rtol=1e-12)


def test_uniform_is_symmetric():
    weights = uniform(np.random.default_rng(0), 0.5, (100, 100), np.float64).data
    np.testing.assert_array_equal(weights, np.random.default_rng(0).uniform(-0.5, 0.5, (100, 100)))
    assert -0.5 <= weights.min() < -0.499
    assert 0.499 < weights.max() < 0.5


def test_orthogonal_blocks_lie_below_one_another():
    weights = orthogonal(np.random.default_rng(0), (6, 3), np.float64).data
    assert weights.shape == (6, 3)
    rng = np.random.default_rng(0)
    for block in (weights[:3], weights[3:]):
        np.testing.assert_allclose(block.T @ block, np.eye(3), atol=1e-14)
        # Of the two halves of QR the upper triangle has a positive diagonal: then Q is drawn uniformly.
        assert (np.diag(block.T @ rng.standard_normal((3, 3))) > 0).all()
    assert orthogonal(rng, (3, 3), np.float32).dtype == np.float32


def test_embeddings_begin_standard_normal():
    layer = Embedding(5, 3, rng=2, dtype=np.float64)
    np.testing.assert_array_equal(layer.weight.data, np.random.default_rng(2).standard_normal((5, 3)))
    np.testing.assert_array_equal(layer(np.array([[4, 0], [4, 1]])).data, layer.weight.data[[[4, 0], [4, 1]]])
    assert Embedding(5, 3).weight.dtype == np.float32
    assert Embedding(1, 1).weight.shape == (1, 1)
    for wrong in (-1, 5):
        with pytest.raises(InputError, match=str(wrong)):
            layer(np.array([wrong]))


@pytest.mark.parametrize(
    "build",
    [
        lambda **o: Linear(4, 4, **o),
        lambda **o: Embedding(4, 4, **o),
        lambda **o: Recurrent("gru", 4, 4, **o),
        lambda **o: RNN(4, 4, **o),
        lambda **o: Attention("additive", 4, 4, 4, **o),
        lambda **o: SCORES["general"](4, 4, 4, **o),
    ],
)
def test_weights_without_a_seed_are_never_the_same_and_with_one_always(build):
    first = lambda **options: build(**options).parameters()[0].data
    assert not np.array_equal(first(), first())
    np.testing.assert_array_equal(first(rng=1), first(rng=1))
    np.testing.assert_array_equal(first(rng=1), first(rng=np.random.default_rng(1)))
    assert not np.array_equal(first(rng=1), first(rng=2))


@pytest.mark.parametrize("build", [Dropout, lambda **o: Dropout(variational=True, **o), RReLU])
def test_draws_without_a_seed_are_never_the_same_and_with_one_always(build):
    x = Tensor(-np.ones((2, 20, 20)))
    draw = lambda **options: build(**options)(x).data
    assert not np.array_equal(draw(), draw())
    np.testing.assert_array_equal(draw(rng=1), draw(rng=1))
    assert not np.array_equal(draw(rng=1), draw(rng=2))


def test_layer_norm_begins_as_the_plain_norm():
    layer, x = LayerNorm(4, dtype=np.float64), np.random.default_rng(0).normal(0, 0.01, (3, 4))
    expected = [[(v - row.mean()) / math.sqrt(row.var() + 1e-5) for v in row] for row in x]
    np.testing.assert_allclose(layer(Tensor(x)).data, expected, rtol=1e-12)
    other = LayerNorm(4, 0.5, dtype=np.float64)
    expected = [[(v - row.mean()) / math.sqrt(row.var() + 0.5) for v in row] for row in x]
    np.testing.assert_allclose(other(Tensor(x)).data, expected, rtol=1e-12)
    assert LayerNorm(4).weight.data.tolist() == [1] * 4
    assert LayerNorm(4).bias.data.tolist() == [0] * 4
    assert LayerNorm(4).weight.dtype == LayerNorm(4).bias.dtype == np.float32


def test_dropout_drops_by_its_own_stream_and_scales_what_is_left():
    x = np.arange(1.0, 25).reshape(2, 3, 4)
    for p in (0.25, 0.5, 0.9):
        kept = np.random.default_rng(7).random((2, 3, 4), dtype=np.float32) >= p
        np.testing.assert_allclose(Dropout(p, rng=7)(Tensor(x)).data, x * kept / (1 - p), rtol=1e-15)
        kept = np.random.default_rng(7).random((1, 3, 4), dtype=np.float32) >= p
        found = Dropout(p, variational=True, rng=7)(Tensor(x)).data
        np.testing.assert_allclose(found, x * kept / (1 - p), rtol=1e-15)
    assert (Dropout().p, Dropout().variational, Dropout().training) == (0.5, False, True)


def test_dropout_of_nothing_draws_nothing():
    x = Tensor(np.ones((2, 3, 4)))
    for variational in (False, True):
        drop = Dropout(0.0, variational=variational, rng=7)
        assert drop(x) is x
        assert drop.for_steps()(x[0]).data.tolist() == x[0].data.tolist()
        assert drop.rng.random() == np.random.default_rng(7).random()


@pytest.mark.parametrize("p", [-1e-9, 1, 1.5, math.nan])
def test_dropout_of_everything_is_refused(p):
    assert Dropout(0)
    assert Dropout(1 - 1e-9)
    with pytest.raises(InputError, match="dropout probability"):
        Dropout(p)


def test_dropout_walked_step_by_step():
    steps = [Tensor(np.full((3, 4), t + 1.0)) for t in range(4)]
    drop, rng = Dropout(0.5, variational=True, rng=7), np.random.default_rng(7)
    variational, mask = drop.for_steps(), 2.0 * (rng.random((3, 4), dtype=np.float32) >= 0.5)
    for step in steps:
        np.testing.assert_array_equal(variational(step).data, step.data * mask)
    assert drop.rng.random() == rng.random()  # nothing more was drawn
    each, rng = Dropout(0.5, rng=7).for_steps(), np.random.default_rng(7)
    for step in steps:
        np.testing.assert_array_equal(each(step).data, step.data * 2.0 * (rng.random((3, 4), dtype=np.float32) >= 0.5))
    for resting in (Dropout(0.5, variational=True).eval(), Dropout(0.5).eval()):
        assert resting.for_steps()(steps[0]) is steps[0]


def test_every_sequence_that_is_walked_has_a_mask_of_its_own():
    drop, x = Dropout(0.5, variational=True, rng=7), Tensor(np.ones((30, 30)))
    assert not np.array_equal(drop.for_steps()(x).data, drop.for_steps()(x).data)


def test_prelu_begins_at_a_quarter_for_all_features_together():
    x = Tensor(np.array([[-1.0, -2.0, 3.0]]))
    assert PReLU(dtype=np.float64)(x).data.tolist() == [[-0.25, -0.5, 3.0]]
    assert PReLU(init=0.5, dtype=np.float64)(x).data.tolist() == [[-0.5, -1.0, 3.0]]
    layer = PReLU(3, dtype=np.float64)
    layer.weight.data[:] = [1, 2, 3]
    assert layer(x).data.tolist() == [[-1.0, -4.0, 3.0]]
    assert PReLU().weight.data.tolist() == [0.25]
    assert PReLU().weight.dtype == np.float32


def test_rrelu_draws_a_slope_for_every_element():
    x = Tensor(np.array([[-1.0, 2.0, -3.0], [-1.0, -1.0, -1.0]]))
    slopes = 1 / 8 + (1 / 3 - 1 / 8) * np.random.default_rng(4).random((2, 3), dtype=np.float32).astype(float)
    np.testing.assert_allclose(RReLU(rng=4)(x).data, np.where(x.data > 0, x.data, slopes * x.data), rtol=1e-12)
