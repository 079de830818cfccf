"""Attention that looks at one place: what it looks at, and that what it learns is right on average."""

import itertools
from functools import partial

import numpy as np
import pytest

from minirnn import AttentionDecoder, EncoderDecoder, InputError, RecurrentEncoder, Tensor, no_grad
from minirnn.autograd.attention import pointed
from minirnn.layers.attention import Attention
from minirnn.models.copying import CopyingDecoder
from minirnn.training import Translation
from minirnn.training.hard_attention import hard_loss, is_hard
from minirnn.training.sentences import sentence_loss, shift_right

DOUBLE = {"dtype": np.float64}
X, Y, LENGTHS = np.array([[4], [5], [2]]), np.array([[4], [5], [2]]), np.array([3])


def build(attend="after", score="additive", **more):
    decoder = AttentionDecoder(
        6, 2, 3, 2, attend=attend, score=score, input_feeding=True, normalize="hard", rng=1, **DOUBLE, **more
    )
    return EncoderDecoder(RecurrentEncoder(6, 2, 2, rng=0, **DOUBLE), decoder, rng=2, **DOUBLE)


@pytest.fixture
def planned(monkeypatch):
    """Positions that are looked at in training, one after the other, instead of drawn ones; and the logarithm of the
    probability that each had."""
    plan, log_probs = [], []

    def choose(self, alpha):
        if not self.training:
            return alpha.argmax(axis=1)
        at = plan.pop(0)
        log_probs.append(float(np.log(alpha[0, at])))
        return np.array([at])

    monkeypatch.setattr(Attention, "_choose", choose)
    return plan, log_probs


@pytest.mark.parametrize("attend", ["after", "before"])
@pytest.mark.parametrize("score", ["additive", "location"])
def test_the_gradient_is_right_on_average_over_all_that_can_be_looked_at(attend, score, planned, rng):
    """Against finite differences of the expected cost, summed over the 27 ways to look at three words three times."""
    plan, log_probs = planned
    model = build(attend, score)
    read = partial(model, X, None, shift_right(Y))
    ways = list(itertools.product(range(3), repeat=3))

    def expected():
        total = 0.0
        for way in ways:
            plan[:], log_probs[:] = way, ()
            with no_grad():
                cost = sentence_loss(model, read().features, Y, LENGTHS).item()
            total += np.exp(sum(log_probs)) * cost
        return total

    parameters, found, mass, value = model.named_parameters(), {}, 0.0, 0.0
    for way in ways:
        plan[:], log_probs[:] = way, ()
        for parameter in parameters.values():
            parameter.grad = None
        loss = hard_loss(model, read, Y, LENGTHS)
        assert model.training
        loss.backward()
        p = np.exp(sum(log_probs))
        mass, value = mass + p, value + p * loss.item()
        for name, parameter in parameters.items():
            found[name] = found.get(name, 0.0) + p * (0.0 if parameter.grad is None else parameter.grad)
    assert mass == pytest.approx(1, abs=1e-12)
    assert value == pytest.approx(expected(), abs=1e-12)
    moved = 0
    for name, parameter in parameters.items():
        direction = rng.standard_normal(parameter.shape)
        before, costs = parameter.data, []
        for step in (1e-5, -1e-5):
            parameter.data = before + step * direction
            costs.append(expected())
        parameter.data = before
        slope = (costs[0] - costs[1]) / 2e-5
        assert (found[name] * direction).sum() == pytest.approx(slope, abs=1e-9), name
        moved += "attention" in name and abs(slope) > 1e-8
    assert moved >= 3


def test_the_baseline_does_not_depend_on_what_was_drawn(planned):
    """A step's advantage is what it gained over looking at the most probable places: nothing if that is what it did."""
    plan, _ = planned
    model = build()
    model.eval()
    with no_grad():
        best = model(X, None, shift_right(Y)).attention.data[:, 0].argmax(axis=1)
    model.train()
    plan[:] = best.tolist()
    hard_loss(model, partial(model, X, None, shift_right(Y)), Y, LENGTHS).backward()
    weights = {name: p.grad for name, p in model.named_parameters().items() if "attention" in name}
    assert all(grad is None or not np.abs(grad).max() > 1e-15 for grad in weights.values())


def test_one_place_is_looked_at_and_never_padding(rng):
    model, source = build(), rng.integers(4, 6, (5, 300))
    lengths = np.array([2, 5, 1] * 100)
    for training in (True, False):
        model.train(training)
        attention = model(source, lengths, np.full((4, 300), 4)).attention.data
        assert set(np.unique(attention)) == {0.0, 1.0}
        np.testing.assert_array_equal(attention.sum(axis=2), 1)
        assert not attention[:, np.arange(5) >= lengths[:, None]].any()
    again = model(source, lengths, np.full((4, 300), 4)).attention.data
    np.testing.assert_array_equal(again, attention)  # in evaluation there is no chance in it


def test_places_are_drawn_as_often_as_they_are_probable():
    attention = Attention("dot", 2, 2, 2, normalize="hard", rng=0, **DOUBLE)
    alpha = np.array([0.5, 0.1, 0.0, 0.4])
    drawn = attention._choose(np.tile(alpha, (20_000, 1)))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / 20_000, alpha, atol=0.015)
    assert not (drawn == 2).any()


def test_what_goes_back_through_a_choice_is_the_gradient_of_its_logarithm(rng):
    alpha, dz = Tensor(rng.uniform(0.1, 1, (3, 4)), requires_grad=True), rng.standard_normal((3, 4))
    at = np.array([2, 0, 3])
    z = pointed(alpha, at)
    np.testing.assert_array_equal(z.data, np.eye(4)[at])
    (z * dz).sum().backward()
    expected = np.zeros((3, 4))
    expected[np.arange(3), at] = dz[np.arange(3), at] / alpha.data[np.arange(3), at]
    np.testing.assert_allclose(alpha.grad, expected, rtol=1e-15)


def test_a_task_learns_where_to_look(rng):
    """Sources of five letters, of which one comes after a mark and is to be said."""

    def pairs(n):
        sources = rng.integers(5, 10, (n, 5))
        at = rng.integers(0, 4, n)
        sources[np.arange(n), at] = 4
        return [np.append(s, 2) for s in sources], [np.array([s[i + 1], 2]) for s, i in zip(sources, at, strict=True)]

    from minirnn import Adam, Trainer

    generator = np.random.default_rng(0)
    encoder = RecurrentEncoder(10, 12, 16, bidirectional=True, rng=generator)
    decoder = AttentionDecoder(10, 12, 24, 32, attend="after", input_feeding=True, normalize="hard", rng=generator)
    model = EncoderDecoder(encoder, decoder, bridge="z0", rng=generator)
    assert is_hard(model)
    task = Translation(model, pairs(1500), pairs(200), batch_size=50, rng=generator)
    trainer = Trainer(task, Adam(model.named_parameters(), 0.01), progress=False)
    trainer.train(10)
    assert trainer.history[-1]["valid_loss"] < 0.25  # guessing costs ln 5 / 2 = 0.80


def test_what_hard_attention_does_not_go_with_is_refused():
    pairs = ([np.array([4, 2])], [np.array([4, 2])])
    with pytest.raises(InputError, match="penalty is of weights"):
        Translation(build(), pairs, ([], []), batch_size=1, rng=np.random.default_rng(0), attention_penalty=1.0)
    with pytest.raises(InputError, match="needs normalize='softmax'"):
        CopyingDecoder(6, 2, 3, 2, normalize="hard")
    with pytest.raises(InputError, match="unknown normalisation 'soft': expected one of softmax, none, hard"):
        Attention("dot", 2, 2, 2, normalize="soft")
