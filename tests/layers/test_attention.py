"""Attention against its formulas, written out for one source position at a time."""

import math

import numpy as np
import pytest

from minirnn import SCORES, Attention, InputError, Linear, Tensor, grad
from minirnn.layers.attention import Memory, Score

B, S, E, A = 3, 7, 4, 5
LENGTHS = np.array([7, 2, 4])
SAME_SIZE = ("dot", "scaled-dot", "cosine")


def build(name, Q=E, **options):
    return Attention(name, Q, E, A, rng=0, dtype=np.float64, **options)


def inputs(Q=E, seed=1):
    """A query (B, Q), the encoder's outputs (S, B, E) and the weights of the step before (B, S)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, Q)), rng.normal(size=(S, B, E)), rng.dirichlet(np.ones(S), B)


def look(attention, query, outputs, previous, lengths=LENGTHS):
    memory = attention.remember(Tensor(outputs), lengths)
    context, weights = attention(Tensor(query), memory, Tensor(previous))
    return context.data, weights.data


def score_of_one(score, q, v, before, s):
    """e_s for one query q and one position s of one source, from its outputs v (S, E) and the weights before (S,)."""
    w = {name: p.data for name, p in score.named_parameters().items()}
    if score.name in ("dot", "scaled-dot"):
        return q @ v[s] / (math.sqrt(len(q)) if score.name == "scaled-dot" else 1)
    if score.name == "cosine":
        return w["strength"][0] * q @ v[s] / math.sqrt((q @ q + 1e-8) * (v[s] @ v[s] + 1e-8))
    if score.name == "general":
        return q @ w["key.weight"] @ v[s]
    hidden = w["query.weight"] @ q + w["key.weight"] @ v[s] + w["key.bias"]
    if score.name == "location":
        window = [before[t] if 0 <= t < len(before) else 0.0 for t in range(s - 2, s + 3)]
        hidden = hidden + w["location.weight"] @ (w["convolution.weight"] @ window)
    return w["w"] @ np.tanh(hidden)


def test_the_scores_are_those_of_the_papers():
    assert set(SCORES) == {"dot", "scaled-dot", "general", "cosine", "additive", "location"}
    assert all(kind.name == name for name, kind in SCORES.items())


@pytest.mark.parametrize("normalize", ["softmax", "none"])
@pytest.mark.parametrize("name", SCORES)
def test_weights_and_context_are_the_formula(name, normalize):
    Q = E if name in SAME_SIZE else 6
    attention, (query, outputs, before) = build(name, Q, normalize=normalize), inputs(Q)
    context, weights = look(attention, query, outputs, before)
    assert weights.shape == (B, S)
    for b, n in enumerate(LENGTHS):
        v = outputs[:, b]
        scores = np.array([score_of_one(attention.score, query[b], v, before[b], s) for s in range(n)])
        alpha = np.exp(scores) / np.exp(scores).sum() if normalize == "softmax" else scores
        np.testing.assert_allclose(weights[b], [*alpha, *[0] * (S - n)], rtol=1e-12, atol=0)
        np.testing.assert_allclose(context[b], alpha @ v[:n], rtol=1e-10)


@pytest.mark.parametrize("name", SCORES)
def test_what_is_padding_changes_nothing(name):
    attention, (query, outputs, before) = build(name), inputs()
    other = outputs.copy()
    for b, n in enumerate(LENGTHS):
        other[n:, b] = 1e3
    for one, two in zip(look(attention, query, outputs, before), look(attention, query, other, before), strict=True):
        np.testing.assert_array_equal(one, two)
    memory = attention.remember(Tensor(outputs, requires_grad=True), LENGTHS)
    context, _ = attention(Tensor(query), memory, Tensor(before))
    (d,) = grad((context * context).sum(), [memory.values])
    assert (d[~memory.mask] == 0).all()
    assert (d[memory.mask] != 0).all()


def test_the_location_score_looks_at_two_positions_on_each_side():
    attention, (query, outputs, before) = build("location"), inputs()
    lengths = np.array([S] * B)
    e = look(build("location", normalize="none"), query, outputs, before, lengths)[1]
    moved = before.copy()
    moved[:, 3] += 0.5
    changed = look(build("location", normalize="none"), query, outputs, moved, lengths)[1] != e
    assert changed.tolist() == [[False, True, True, True, True, True, False]] * B
    assert attention.score.convolution.weight.shape == (8, 5)
    assert attention.score.location.weight.shape == (A, 8)


@pytest.mark.parametrize("name", SCORES)
def test_single_precision_stays_single(name):
    attention, arrays = Attention(name, E, E, A, rng=0), [a.astype(np.float32) for a in inputs()]
    context, weights = look(attention, *arrays)
    assert context.dtype == weights.dtype == np.float32
    expected, _ = look(build(name), *inputs())
    np.testing.assert_allclose(context, expected, rtol=1e-4, atol=1e-6)


def test_the_weights_are_those_of_the_docstrings():
    shapes = {
        "dot": {},
        "scaled-dot": {},
        "general": {"key.weight": (6, E)},
        "cosine": {"strength": (1,)},
        "additive": {"query.weight": (A, 6), "key.weight": (A, E), "key.bias": (A,), "w": (A,)},
    }
    shapes["location"] = shapes["additive"] | {"convolution.weight": (8, 5), "location.weight": (A, 8)}
    for name, expected in shapes.items():
        score = SCORES[name](E if name in SAME_SIZE else 6, E, A, rng=0)
        assert {key: p.shape for key, p in score.named_parameters().items()} == expected
        assert {p.dtype for p in score.parameters()} <= {np.dtype(np.float32)}
        double = SCORES[name](E if name in SAME_SIZE else 6, E, A, rng=0, dtype=np.float64)
        assert {p.dtype for p in double.parameters()} <= {np.dtype(np.float64)}
    assert SCORES["cosine"](4, 4, 5).strength.data.tolist() == [5.0]


def test_the_first_weights_are_uniform_in_the_root_of_what_they_read_and_drawn_in_order():
    rng = np.random.default_rng(0)

    def assert_drawn(weight, fan_in):
        bound = fan_in**-0.5
        np.testing.assert_allclose(weight.data, rng.uniform(-bound, bound, weight.shape), rtol=1e-13, atol=1e-15)

    score = SCORES["location"](6, E, A, rng=0, dtype=np.float64)
    assert_drawn(score.query.weight, 6)
    assert_drawn(score.key.weight, E)
    assert_drawn(score.key.bias, E)
    assert_drawn(score.w, A)
    assert_drawn(score.convolution.weight, 5)
    assert_drawn(score.location.weight, 8)
    rng = np.random.default_rng(0)
    assert_drawn(SCORES["general"](6, E, A, rng=0, dtype=np.float64).key.weight, E)
    rng = np.random.default_rng(3)
    assert_drawn(Attention("general", 6, E, A, rng=3, dtype=np.float64).score.key.weight, E)


def test_a_cosine_of_nothing_is_no_trouble():
    attention, (query, outputs, before) = build("cosine"), inputs()
    query[0], outputs[1, 2] = 0, 0
    context, weights = look(attention, query, outputs, before)
    np.testing.assert_allclose(weights[0], np.full(S, 1 / S), rtol=1e-12)
    assert np.isfinite(context).all()


@pytest.mark.parametrize("name", SAME_SIZE)
def test_scores_without_weights_compare_equal_sizes_only(name):
    assert Attention(name, 4, 4, 9)
    for Q, memory_size in ((4, 5), (5, 4)):
        with pytest.raises(InputError, match=f"the {name} score compares sizes .* not {Q} and {memory_size}: try 'gen"):
            Attention(name, Q, memory_size, 9)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="unknown attention score 'sum': expected one of dot, "):
        Attention("sum", 4, 4, 4)
    with pytest.raises(InputError, match="unknown normalisation 'sum'"):
        Attention("dot", 4, 4, 4, normalize="sum")
    assert Attention("dot", 4, 4, 4).normalize == "softmax"


def test_a_score_must_say_how_it_compares():
    class Silent(Score):
        pass

    with pytest.raises(NotImplementedError, match="Silent does not define forward"):
        Silent(2, 2, 2)(None, None, None)


def test_a_memory_has_the_sources_one_by_one():
    attention, (_, outputs, _) = build("additive"), inputs()
    memory = attention.remember(Tensor(outputs), LENGTHS)
    np.testing.assert_array_equal(memory.values.data, outputs.transpose(1, 0, 2))
    assert memory.values.data.flags.c_contiguous
    np.testing.assert_array_equal(memory.keys.data, attention.score.key(Tensor(memory.values.data)).data)
    np.testing.assert_array_equal(memory.mask, [[t < n for t in range(S)] for n in LENGTHS])
    assert memory.sentence.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(attention.remember(Tensor(outputs), [7, 2, 4]).mask, memory.mask)


def test_a_memory_follows_its_rows():
    memory = build("general").remember(Tensor(inputs()[1]), LENGTHS)
    rows = np.array([2, 0, 0, 1])
    picked = memory.select(rows)
    for name in ("keys", "values"):
        np.testing.assert_array_equal(getattr(picked, name).data, getattr(memory, name).data[rows])
    np.testing.assert_array_equal(picked.mask, memory.mask[rows])
    assert picked.sentence.tolist() == [2, 0, 0, 1]
    # Rows that trade places with others of their sentence look at what they did: nothing is copied.
    assert picked.select(np.array([0, 2, 1, 3])) is picked
    again = picked.select(np.array([1, 0, 2, 3]))
    assert again.sentence.tolist() == [0, 2, 0, 1]
    np.testing.assert_array_equal(again.values.data, memory.values.data[[0, 2, 0, 1]])
    fewer = picked.select(np.array([3]))
    assert isinstance(fewer, Memory)
    np.testing.assert_array_equal(fewer.keys.data, memory.keys.data[[1]])


def test_a_score_can_be_added():
    class Constant(Score):
        name = "constant"

        def build(self, Q, E, A, options):
            self.value = Linear(1, 1, **options)

        def forward(self, query, keys, previous):
            return Tensor(np.full(keys.shape[:2], 2.0))

    score = Constant(3, 4, 5)
    assert (score.name, score.value.weight.dtype) == ("constant", np.float32)
    assert score.keys(keys := Tensor(np.zeros((1, 2, 4)))) is keys
