"""Counting language models on a text small enough to count by hand, and at the limits of their arguments."""

import math

import numpy as np
import pytest

from minirnn import InputError, NGram
from minirnn.models.ngram import SMOOTHINGS, USUAL_DISCOUNT

# 0 1 0 2 0 1: after 0 come 1, 2, 1; after 1 comes 0, after 2 comes 0.
TEXT, V = np.array([0, 1, 0, 2, 0, 1]), 4


def state_after(model, tokens):
    state = model.start(1)
    for token in tokens:
        state = model.advance(np.array([token]), state)
    return state


def after(model, *tokens):
    """The probabilities of the next token."""
    return np.exp(model.log_probs(state_after(model, tokens))[0])


def test_kneser_ney_by_hand():
    model = NGram(TEXT, V, 2, discount=0.5)
    # Of one token: after how many different ones it comes, 0 after {1, 2}, 1 after {0}, 2 after {0}: 4 in all.
    one = (np.array([1.5, 0.5, 0.5, 0]) + 0.5 * 3 / V) / 4
    np.testing.assert_allclose(after(model), one, rtol=1e-12)
    # Of two: 0 1 twice, 0 2 once.
    np.testing.assert_allclose(after(model, 0), (np.array([0, 1.5, 0.5, 0]) + 0.5 * 2 * one) / 3, rtol=1e-12)
    np.testing.assert_allclose(after(model, 1), np.array([0.5, 0, 0, 0]) + 0.5 * one, rtol=1e-12)
    np.testing.assert_allclose(after(model, 3), one, rtol=1e-12)


def test_witten_bell_by_hand():
    model = NGram(TEXT, V, 2, smoothing="witten-bell")
    one = (np.array([3, 2, 1, 0]) + 3 / V) / (6 + 3)
    np.testing.assert_allclose(after(model), one, rtol=1e-12)
    np.testing.assert_allclose(after(model, 0), (np.array([0, 2, 1, 0]) + 2 * one) / (3 + 2), rtol=1e-12)
    np.testing.assert_allclose(after(model, 2), (np.array([1, 0, 0, 0]) + one) / 2, rtol=1e-12)


def test_additive_by_hand():
    model = NGram(TEXT, V, 2, smoothing="additive", alpha=0.5)
    np.testing.assert_allclose(after(model, 0), (np.array([0, 2, 1, 0]) + 0.5) / (3 + 0.5 * V), rtol=1e-12)
    np.testing.assert_allclose(after(model, 3), 1 / V, rtol=1e-12)
    np.testing.assert_allclose(after(NGram(TEXT, V, 1, smoothing="additive")), (np.array([3, 2, 1, 0]) + 1) / 10)


def test_the_discount_is_estimated_from_what_occurs_once_and_twice():
    text = np.array([0, 1, 0, 1, 2, 0])
    high = 3 / (3 + 2 * 1)  # of two tokens 1 0, 1 2 and 2 0 occur once, 0 1 twice
    low = 2 / (2 + 2 * 1)  # 1 and 2 come after one other token, 0 after two
    one = (np.maximum(np.array([2, 1, 1, 0]) - low, 0) + low * 3 / V) / 4
    np.testing.assert_allclose(after(NGram(text, V, 2), 1), (
        np.array([1 - high, 0, 1 - high, 0]) + high * 2 * one
    ) / 2, rtol=1e-12)  # fmt: skip


@pytest.mark.parametrize("text", [[0, 0, 0, 0], [0, 0, 1, 1, 2, 2], [0, 1, 2]])
def test_without_both_the_usual_discount_is_taken(text):
    assert USUAL_DISCOUNT == 0.75
    estimated, usual = NGram(np.array(text), V, 1), NGram(np.array(text), V, 1, discount=0.75)
    np.testing.assert_array_equal(after(estimated), after(usual))


def test_arguments_as_they_come():
    np.testing.assert_array_equal(after(NGram(TEXT, V, 2), 0), after(NGram(TEXT, V, 2, smoothing="kneser-ney"), 0))
    plain, one = (NGram(TEXT, V, 2, smoothing="additive", **options) for options in ({}, {"alpha": 1.0}))
    np.testing.assert_array_equal(after(plain, 0), after(one, 0))


@pytest.mark.parametrize(
    ("options", "fine"),
    [
        ({"n": 1}, True), ({"n": 6}, True), ({"n": 7}, False), ({"n": 0}, False), ({"n": -1}, False),
        ({"discount": 0.0}, True), ({"discount": 1.0}, True), ({"discount": -1e-9}, False),
        ({"discount": 1 + 1e-9}, False), ({"discount": math.nan}, False), ({"alpha": 1e-9}, True),
        ({"alpha": 0.0}, False), ({"alpha": -1.0}, False), ({"alpha": math.inf}, False), ({"alpha": math.nan}, False),
        ({"vocabulary_size": 3}, True), ({"vocabulary_size": 2}, False), ({"smoothing": "good-turing"}, False),
        ({"n": 0, "alpha": 1.0, "discount": 0.5}, False), ({"n": 2, "alpha": -1.0, "discount": 0.5}, False),
    ],
)  # fmt: skip
def test_arguments_at_their_limits(options, fine):
    make = lambda: NGram(TEXT, **{"vocabulary_size": V, "n": 2, **options})
    if fine:
        assert after(make(), 0).sum() == pytest.approx(1)
    else:
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([[0, 1]], r"\(tokens,\) ids"), ([0.0, 1.0], r"\(tokens,\) ids"), ([True, False], r"\(tokens,\) ids"),
        ([0, 4], "out of range: expected 0 to 3"), ([-1, 0], "out of range"), (5, r"\(tokens,\) ids"),
    ],
)  # fmt: skip
def test_ids_that_are_none_are_refused_everywhere(ids, words):
    model = NGram(TEXT, V, 2)
    for use in (lambda x: NGram(x, V, 2), model.score, lambda x: model.advance(x, None), lambda x: model.step(x, None)):
        with pytest.raises(InputError, match=words):
            use(np.array(ids))
    for kind in (np.uint8, np.int16, np.int64):
        assert model.score(TEXT.astype(kind)).tolist() == model.score(TEXT).tolist()


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_text_is_scored_from_its_second_token_on(smoothing, n):
    model = NGram(TEXT, V, n, smoothing=smoothing)
    text = [3, 0, 1, 0, 2, 2]
    expected = [np.log(after(model, *text[:k])[text[k]]) for k in range(1, 6)]
    np.testing.assert_allclose(model.score(np.array(text)), expected, rtol=1e-12)
    assert model.perplexity(np.array(text)) == pytest.approx(math.exp(-np.mean(expected)), rel=1e-12)
    assert model.perplexity(np.array(text[:2])) == pytest.approx(math.exp(-expected[0]), rel=1e-12)
    assert model.score(np.array(text[:1])).shape == (0,)
    for short in ([], [1]):
        with pytest.raises(InputError, match="two tokens"):
            model.perplexity(np.array(short, int))


def test_no_tokens_at_all():
    nothing, model = np.array([], int), NGram(TEXT, V, 3)
    with pytest.raises(InputError, match="0 tokens has no 2-gram"):
        NGram(nothing, V, 2)
    assert model.score(nothing).shape == (0,)
    assert model.advance(nothing, None).shape == (0, 2)
    assert model.log_probs(model.start(0)).shape == (0, V)


def test_nothing_is_left_without_a_discount(recwarn):
    model = NGram(TEXT, V, 2, discount=0.0)
    np.testing.assert_allclose(after(model, 0), [0, 2 / 3, 1 / 3, 0], rtol=1e-12)
    assert model.score(np.array([0, 3]))[0] == -np.inf
    assert not recwarn.list


def test_the_state_is_the_longest_end_that_occurred():
    model = NGram(TEXT, V, 4)
    assert model.start(2).tolist() == [[-1, -1, -1]] * 2
    state = None
    for token, expected in (
        (0, [-1, -1, 0]), (1, [-1, 0, 1]), (0, [0, 1, 0]), (2, [1, 0, 2]), (2, [-1, -1, 2]), (3, [-1, -1, -1]),
        (1, [-1, -1, 1]), (2, [-1, -1, 2]), (0, [-1, 2, 0]), (1, [2, 0, 1]),
    ):  # fmt: skip
        state = model.advance(np.array([token]), state)
        assert state.tolist() == [expected]
    together = model.advance(np.array([0, 3]), np.array([[-1, 0, 1], [-1, 0, 1]]))
    assert together.tolist() == [[0, 1, 0], [-1, -1, -1]]
    assert NGram(TEXT, V, 1).advance(np.array([0, 1]), None).shape == (2, 0)


def test_rows_of_different_history_are_told_apart():
    model = NGram(TEXT, V, 3)
    histories = [[3], [0], [0, 1], [1, 0], [2, 0], [2]]
    states = np.concatenate([state_after(model, history) for history in histories])
    together = model.log_probs(states)
    for row, history in zip(together, histories, strict=True):
        np.testing.assert_allclose(np.exp(row), after(model, *history), rtol=1e-12)
    assert len({tuple(row) for row in together}) == 6
