"""A long text that is read in strips side by side has the loss of one that is read as one sequence."""

import math

import numpy as np
import pytest

from minirnn import LanguageModel, Tensor, cross_entropy, no_grad
from minirnn.training import language_modeling
from minirnn.training.language_modeling import nll_of

V = 5
SIZES = {"LONG": 100, "STRIPS": 4, "PIECE": 8, "CLOSE": 1e-12}


@pytest.fixture
def strips(monkeypatch):
    """Small strips; more of it can be changed, and all put back to one sequence."""

    def change(**sizes):
        for name, value in {**SIZES, **sizes}.items():
            monkeypatch.setattr(language_modeling, name, value)

    change()
    return change


@pytest.fixture
def sizes(monkeypatch):
    """The shapes of what is read."""
    found, features = [], LanguageModel.features

    def noted(self, ids, *arguments):
        found.append(ids.shape)
        return features(self, ids, *arguments)

    monkeypatch.setattr(LanguageModel, "features", noted)
    return found


def a_model(cell="gru", **options):
    return LanguageModel(V, 6, cell=cell, rng=0, dtype=np.float64, **options).eval()


def as_one(model, ids, strips):
    strips(LONG=10**9)
    with no_grad():
        found = nll_of(model, ids)
    strips()
    return found


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("length", [401, 402, 403, 404, 405])
def test_strips_give_the_loss_of_one_sequence(cell, length, strips, sizes):
    model, ids = a_model(cell, num_layers=2), np.random.default_rng(1).integers(0, V, length).astype(np.uint8)
    expected = as_one(model, ids, strips)
    sizes.clear()
    with no_grad():
        assert nll_of(model, ids) == pytest.approx(expected, rel=1e-11)
    assert sizes[0] == (8, 4)
    # Each strip twice at most, but not to its end: it forgets. And at the end what does not make four tokens more.
    assert 400 < sum(steps * rows for steps, rows in sizes) < 800
    assert [shape for shape in sizes if shape[1] == 1] == ([((length - 1) % 4, 1)] if (length - 1) % 4 else [])


def test_an_adaptive_softmax_is_read_in_strips_too(strips, sizes):
    model = a_model(softmax="adaptive", cutoffs=[2])
    ids = np.random.default_rng(1).integers(0, V, 405)
    expected = as_one(model, ids, strips)
    with no_grad():
        assert nll_of(model, ids) == pytest.approx(expected, rel=1e-11)
    assert (8, 4) in sizes


def test_a_short_text_is_one_sequence(strips, sizes):
    model, ids = a_model(), np.random.default_rng(1).integers(0, V, 101)
    with no_grad():
        nll_of(model, ids[:100])
        assert {rows for _, rows in sizes} == {1}
        nll_of(model, ids)
    assert {rows for _, rows in sizes} == {1, 4} or {rows for _, rows in sizes} == {4, 1}


class Counting(LanguageModel):
    """It never forgets: the next token is likely to be how many were read, modulo V."""

    def loss(self, ids, targets, state=None, **options):
        start = np.zeros((1, ids.shape[1], 1)) if state is None else state.data
        count = start[0, :, 0] + np.arange(1, len(ids) + 1)[:, None]
        logits = Tensor(3.0 * (np.arange(V) == count[..., None] % V))
        return cross_entropy(logits, targets, **options), Tensor(start + len(ids))


def test_a_model_that_never_forgets_reads_one_sequence_after_all(strips):
    model, ids = Counting(V, 1, rng=0), np.random.default_rng(1).integers(0, V, 410)
    expected = as_one(model, ids, strips)
    for readings in (1, 2, 3):
        strips(READINGS=readings)
        with no_grad():
            assert nll_of(model, ids) == expected
    strips(READINGS=5)  # with each reading one strip more is right, and then no strip changes any more
    with no_grad():
        assert nll_of(model, ids) == pytest.approx(expected, rel=1e-12)


def test_what_cancels_between_strips_is_a_change(strips):
    """When strips are read again, what was foreseen in one is foreseen in another, and then in none."""
    model, length = Counting(V, 1, rng=0), 101
    steps = np.arange(1, length + 1)
    ids = np.concatenate([np.zeros(length + 1, np.int64), steps % V, (length + steps) % V])
    expected = as_one(model, ids, strips)
    strips(STRIPS=3)
    with no_grad():
        assert nll_of(model, ids) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("logits", [1, 40, 60, 1000])
def test_of_a_large_vocabulary_few_steps_are_read_at_once(logits, strips, sizes):
    model, ids = a_model(), np.random.default_rng(1).integers(0, V, 500)
    expected = as_one(model, ids, strips)
    sizes.clear()
    strips(LOGITS=logits)
    with no_grad():
        assert nll_of(model, ids) == pytest.approx(expected, rel=1e-11)
    assert max(steps for steps, rows in sizes if rows == 4) == max(1, min(8, logits // (4 * V)))


def test_strips_of_the_usual_sizes_are_close(monkeypatch):
    model = LanguageModel(V, 8, cell="lstm", rng=0).eval()
    ids = np.random.default_rng(1).integers(0, V, language_modeling.LONG + 1).astype(np.uint8)
    with no_grad():
        found = nll_of(model, ids)
        monkeypatch.setattr(language_modeling, "LONG", math.inf)
        monkeypatch.setattr(language_modeling, "PIECE", 4096)
        assert found == pytest.approx(nll_of(model, ids), rel=1e-6)
