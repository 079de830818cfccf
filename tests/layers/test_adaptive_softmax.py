"""The adaptive softmax: a distribution, the one of its equations, and a loss that computes no more than it takes."""

import numpy as np
import pytest

from minirnn import AdaptiveSoftmax, InputError, LanguageModel, Tensor, cross_entropy, functional, grad

LAYOUTS = {
    "two clusters": (12, [4, 7], 2.0),
    "one cluster": (12, [5], 4.0),
    "as many as there can be": (5, [1, 2, 3, 4], 1.0),
    "by default": (60, None, 4.0),
}
IDS = np.array([[1, 29, 0], [4, 2, 1], [28, 3, 9]])


def build(name="two clusters", head_bias=True):
    V, cutoffs, div_value = LAYOUTS[name]
    return AdaptiveSoftmax(8, V, cutoffs, div_value, head_bias, rng=0, dtype=np.float64)


def softmax(z):
    e = np.exp(z)
    return e / e.sum()


def by_hand(layer, x):
    """The probability of every class after one x, word by word as the equations say it."""
    weights = {name: p.data for name, p in layer.named_parameters().items()}
    ends = [*layer.cutoffs, layer.n_classes]
    p = softmax(weights["head.weight"] @ x + weights.get("head.bias", 0))
    found = []
    for w in range(layer.n_classes):
        if w < ends[0]:
            found.append(p[w])
            continue
        i = max(k for k in range(len(ends) - 1) if w >= ends[k])
        q = softmax(weights[f"tail.{i}.1.weight"] @ (weights[f"tail.{i}.0.weight"] @ x))
        found.append(p[ends[0] + i] * q[w - ends[i]])
    return np.array(found)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("head_bias", [True, False])
def test_it_is_the_distribution_of_its_equations(name, head_bias, rng):
    layer, x = build(name, head_bias), 3 * rng.standard_normal((2, 3, 8))
    p = np.exp(layer(Tensor(x)).data)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=0, atol=1e-12)
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(p[place], by_hand(layer, x[place]), rtol=1e-12)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignored", [None, 0, 4, 5, -100])  # 4 and 5 are also the entries of clusters in the head
def test_its_loss_is_that_of_all_probabilities(name, reduction, ignored, rng):
    layer, x = build(name), Tensor(rng.standard_normal((3, 8, 8)), requires_grad=True)
    targets = rng.integers(0, layer.n_classes, (3, 8))
    if ignored is not None:
        targets[1, 2:5] = ignored if ignored < layer.n_classes else 0
    options = {"reduction": reduction, "ignore_index": ignored}
    loss, expected = layer.loss(x, targets, **options), functional.nll_loss(layer(x), targets, **options)
    np.testing.assert_allclose(loss.data, expected.data, rtol=1e-12, atol=1e-14)
    assert loss.shape == expected.shape
    inputs = [x, *layer.parameters()]
    dy = rng.standard_normal(loss.shape)
    for ours, theirs in zip(grad((loss * dy).sum(), inputs), grad((expected * dy).sum(), inputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_where_no_target_is_nothing_is_computed_and_the_gradient_is_zero(rng):
    layer = build()
    x, targets = Tensor(rng.standard_normal((5, 8))), np.array([0, 8, 11, 8, 3])
    for p in layer.tail[0].parameters():
        p.data[...] = np.nan
    layer.loss(x, targets).backward()
    assert all((p.grad == 0).all() for p in layer.tail[0].parameters())
    assert all(np.isfinite(p.grad).all() and p.grad.any() for p in layer.tail[1].parameters())
    layer.zero_grad()
    nothing = layer.loss(x, np.full(5, 7), ignore_index=7)
    nothing.backward()
    assert nothing.item() == 0
    assert not any(p.grad.any() for p in layer.parameters())


def test_features_become_fewer_from_cluster_to_cluster_and_never_none():
    layer = AdaptiveSoftmax(20, 100, [10, 30, 60], rng=0)
    assert [(tail[0].weight.shape, tail[1].weight.shape) for tail in layer.tail] == [
        ((5, 20), (20, 5)), ((1, 20), (30, 1)), ((1, 20), (40, 1)),
    ]  # fmt: skip
    assert layer.head.weight.shape == (13, 20)
    assert layer.head.bias is None


@pytest.mark.parametrize("cutoffs", [[], [0], [5, 5], [7, 4], [3, 12], [-1, 3], [12]])
def test_cutoffs_that_are_none_are_refused(cutoffs):
    with pytest.raises(InputError, match="cutoffs must be ascending, from 1 to 11 where there are 12 classes, not "):
        AdaptiveSoftmax(8, 12, cutoffs)


def test_what_else_is_refused(rng):
    with pytest.raises(InputError, match=r"a cutoff must be an integer, not 2\.5"):
        AdaptiveSoftmax(8, 12, [2.5])
    with pytest.raises(InputError, match="24 classes are too few for an adaptive softmax"):
        AdaptiveSoftmax(8, 24)
    assert AdaptiveSoftmax(8, 25).cutoffs == (1, 5)
    with pytest.raises(InputError, match="div_value must be a finite number above 0"):
        AdaptiveSoftmax(8, 12, [4], 0)
    layer, x = build(), Tensor(rng.standard_normal((2, 8)))
    with pytest.raises(InputError, match="target 12 is out of range: expected 0 to 11"):
        layer.loss(x, np.array([3, 12]))
    with pytest.raises(InputError, match=r"targets of shape \(3,\) do not fit features of shape \(2, 8\)"):
        layer.loss(x, np.array([3, 1, 2]))
    with pytest.raises(InputError, match="unknown reduction 'median'"):
        layer.loss(x, np.array([3, 1]), reduction="median")
    with pytest.raises(InputError, match="unknown softmax 'half': expected 'full' or 'adaptive'"):
        LanguageModel(30, 4, softmax="half")
    with pytest.raises(InputError, match='cutoffs go with softmax="adaptive"'):
        LanguageModel(30, 4, cutoffs=[3])


@pytest.mark.parametrize("softmax", ["full", "adaptive"])
@pytest.mark.parametrize("embedding_size", [None, 3])
def test_a_language_models_loss_is_the_cross_entropy_of_its_logits(softmax, embedding_size):
    model = LanguageModel(30, 8, embedding_size=embedding_size, softmax=softmax, rng=0, dtype=np.float64)
    _, state = model(IDS[::-1])
    logits, last = model(IDS, state)
    for options in ({}, {"reduction": "none"}, {"reduction": "sum", "ignore_index": 1}):
        loss, after = model.loss(IDS, IDS.T, state, **options)
        np.testing.assert_allclose(loss.data, cross_entropy(logits, IDS.T, **options).data, rtol=1e-12)
        np.testing.assert_array_equal(after[0].data, last[0].data)


def test_its_steps_give_the_probabilities_that_its_loss_is_of():
    model = LanguageModel(30, 8, embedding_size=3, softmax="adaptive", rng=0, dtype=np.float64).eval()
    losses, state = model.loss(IDS[:-1], IDS[1:], reduction="none")[0].data, None
    for t in range(len(IDS) - 1):
        log_p, state = model.step(IDS[t], state)
        np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=0, atol=1e-12)
        np.testing.assert_allclose(-log_p[np.arange(3), IDS[t + 1]], losses[t], rtol=1e-12)
