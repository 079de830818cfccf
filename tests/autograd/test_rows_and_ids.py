"""What is added up by row, and by id, against loops that add one thing after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slopes import assert_slopes

from minirnn import InputError, Tensor
from minirnn.autograd.sequences import embedding, sum_by_id
from minirnn.backend import add_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8, np.int16])
@given(drawn=st.lists(st.integers(0, 4), max_size=12), features=st.integers(1, 3))
def test_each_line_is_added_to_its_row(drawn, features, kind, dtype):
    rng, rows = np.random.default_rng(len(drawn)), np.array(drawn, dtype=kind)
    # Quarters of small integers, whose sums are exact in any order.
    target, values = (rng.integers(-40, 40, (n, features)).astype(dtype) / 4 for n in (5, len(rows)))
    expected, given_before = target.copy(), (rows.copy(), values.copy())
    for row, value in zip(rows, values, strict=True):
        expected[row] += value
    add_rows(target, rows, values)
    np.testing.assert_array_equal(target, expected)
    assert target.dtype == dtype
    np.testing.assert_array_equal(rows, given_before[0])
    np.testing.assert_array_equal(values, given_before[1])


def test_rows_beyond_the_range_of_small_integers_are_not_confused(rng):
    rows = np.repeat(np.arange(256, dtype=np.uint8), 2)[rng.permutation(512)]
    target = np.zeros((256, 2), np.float32)
    add_rows(target, rows, np.ones((512, 2), np.float32))
    assert (target == 2).all()


def looped(weights, ids, size):
    y = np.zeros((*weights.shape[:2], size), weights.dtype)
    for t, b, s in np.ndindex(*weights.shape):
        y[t, b, ids[b, s]] += weights[t, b, s]
    return y


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8])
@given(T=st.integers(1, 3), B=st.integers(1, 3), S=st.integers(0, 5), size=st.integers(1, 6))
def test_weights_are_summed_at_their_ids(T, B, S, size, kind, dtype):
    rng = np.random.default_rng(S)
    weights, ids = rng.integers(-40, 40, (T, B, S)).astype(dtype) / 4, rng.integers(0, size, (B, S)).astype(kind)
    y = sum_by_id(Tensor(weights), ids, size)
    np.testing.assert_array_equal(y.data, looped(weights, ids, size))
    assert y.dtype == dtype


def test_ids_of_many_sentences_need_more_than_a_small_integer():
    """Their places in the result are beyond 255, whatever the ids are made of."""
    ids = np.array([[1], [2], [3]], np.uint8)
    y = sum_by_id(Tensor(np.ones((4, 3, 1))), ids, 200).data
    assert np.argwhere(y).tolist() == [[t, b, b + 1] for t in range(4) for b in range(3)]


def test_each_weight_gets_the_gradient_of_its_id(rng):
    weights = Tensor(rng.standard_normal((2, 3, 4)), requires_grad=True)
    ids, seed = np.array([[0, 4, 0, 2], [1, 1, 1, 1], [4, 3, 2, 1]]), rng.standard_normal((2, 3, 5))

    def loss():
        y = sum_by_id(weights, ids, 5)
        return (y * y * seed).sum()

    loss().backward()
    assert_slopes(loss, weights, rng, "weights")
    once = weights.grad.copy()
    loss().backward()
    np.testing.assert_allclose(weights.grad, 2 * once)


def test_an_embedding_gets_the_gradient_of_every_repetition(rng):
    weight, ids = Tensor(rng.standard_normal((4, 2)), requires_grad=True), np.array([[0, 2], [2, 2]])
    seed = rng.standard_normal((2, 2, 2))
    (embedding(weight, ids) * seed).sum().backward()
    expected = np.zeros((4, 2))
    for place in np.ndindex(2, 2):
        expected[ids[place]] += seed[place]
    np.testing.assert_allclose(weight.grad, expected, rtol=1e-12)


@pytest.mark.parametrize("wrong", [-1, 5, 99])
def test_ids_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=f"id {wrong} is out of range: expected 0 to 4"):
        sum_by_id(Tensor(np.ones((1, 1, 2))), np.array([[0, wrong]]), 5)
    with pytest.raises(InputError, match="must be integers"):
        sum_by_id(Tensor(np.ones((1, 1, 1))), np.array([[0.0]]), 5)
    with pytest.raises(TypeError):
        sum_by_id(np.ones((1, 1, 1)), np.array([[0]]), 5)
