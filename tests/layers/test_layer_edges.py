"""Recurrent layers and attention at their edges: batches of nothing, states that are none, no lengths."""

import numpy as np
import pytest

from minirnn import CELL_NAMES, GRU, LSTM, Attention, InputError, Recurrent, Tensor, detach, unroll
from minirnn.cells import bptt, make_cell
from minirnn.cells.stepper import Stepper

BARE = "expected a Tensor, not ndarray: wrap it, as Tensor"


def total(output, state):
    states = state if isinstance(state, tuple) else (state,)
    return sum(s.sum() for s in states) + output.sum()


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("lengths", [None, np.zeros(0, int), []])
def test_an_empty_batch_goes_forward_and_back(name, lengths):
    layer = Recurrent(name, 3, 4, 2, bidirectional=True, rng=0)
    x = Tensor(np.zeros((5, 0, 3), np.float32), requires_grad=True)
    output, state = layer(x, None, lengths)
    assert output.shape == (5, 0, 8)
    total(output, state).backward()
    assert x.grad.shape == (5, 0, 3)
    for p in layer.parameters():
        np.testing.assert_array_equal(p.grad, 0)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_an_empty_batch_goes_step_by_step(name):
    layer = Recurrent(name, 3, 4, 2, rng=0)
    x = Tensor(np.zeros((2, 0, 3), np.float32), requires_grad=True)
    stepper = layer.stepper(x, None)
    outputs = [stepper(x[t]) for t in range(2)]
    total(outputs[0] + outputs[1], stepper.state()).backward()
    assert x.grad.shape == (2, 0, 3)
    for p in layer.parameters():
        np.testing.assert_array_equal(p.grad, 0)


@pytest.mark.parametrize("walk", [unroll, bptt.unroll])
def test_only_tensors_are_unrolled(walk):
    cell = make_cell("lstm")
    weights = {name: Tensor(np.zeros(shape)) for name, shape in cell.weight_shapes(3, 4).items()}
    x, h = Tensor(np.zeros((2, 1, 3))), Tensor(np.zeros((1, 4)))
    walk(cell, x, weights, (h, h))
    for wrong in (
        (x.data, weights, (h, h)),
        (x, weights, (h, h.data)),
        (x, weights | {"U": weights["U"].data}, (h, h)),
    ):
        with pytest.raises(TypeError, match=BARE):
            walk(cell, *wrong)
    for wrong in (x[0], x[:0], x[None]):
        with pytest.raises(InputError, match=r"expected an input of shape \(time, batch, features\) with time > 0"):
            walk(cell, wrong, weights, (h, h))


def test_only_tensors_are_walked_step_by_step():
    cell = make_cell("lstm")
    weights = {name: Tensor(np.zeros(shape)) for name, shape in cell.weight_shapes(3, 4).items()}
    x, h = Tensor(np.zeros((1, 3))), Tensor(np.zeros((1, 4)))
    stepper = Stepper(cell, weights)
    stepper(x, (h, h))
    for wrong in ((x.data, (h, h)), (x, (h, h.data)), (x, (h.data, h))):
        with pytest.raises(TypeError, match=BARE):
            stepper(*wrong)


def test_a_state_is_made_of_tensors():
    gru, lstm, x = GRU(3, 4, rng=0), LSTM(3, 4, rng=0), Tensor(np.zeros((5, 2, 3), np.float32))
    h = np.zeros((1, 2, 4), np.float32)
    for layer, wrong in ((gru, h), (lstm, (Tensor(h), h)), (lstm, (h, Tensor(h)))):
        with pytest.raises(TypeError, match=BARE):
            layer(x, wrong)
        with pytest.raises(TypeError, match=BARE):
            layer.stepper(x, wrong)
    with pytest.raises(TypeError, match="expected a Tensor, not float: wrap it"):
        gru(x, [0.0, 0.0])
    for right in (Tensor(h), [Tensor(h)], (Tensor(h),)):
        np.testing.assert_array_equal(gru(x, right)[0].data, gru(x)[0].data)


def test_detaching():
    h = Tensor(np.ones((1, 2, 3)), requires_grad=True) * 2
    assert detach(None) is None
    assert not detach(h).requires_grad
    for pair in ((h, h), [h, h]):
        cut = detach(pair)
        assert isinstance(cut, tuple)
        assert [s.requires_grad for s in cut] == [False, False]
        assert all(s.data is h.data for s in cut)
    for wrong in (h.data, (h, h.data), (h.data, h), (h, None)):
        with pytest.raises(TypeError, match="expected a Tensor, not "):
            detach(wrong)


def test_wrong_lengths_are_one_line():
    layer, x = GRU(3, 4, rng=0), Tensor(np.zeros((5, 2, 3), np.float32))
    for wrong in ([5], [5, 4, 3], [5.0, 4.0], [[5, 4]], np.ones((2, 9)), "54", [True, False]):
        with pytest.raises(InputError, match=r"^lengths must be 2 integers, one for each sequence, not .*$"):
            layer(x, None, wrong)
    for wrong in ([-1, 5], [6, 5]):
        with pytest.raises(InputError, match=r"lengths must be between 0 and 5 steps, not -?[0-9] to [0-9]"):
            layer(x, None, wrong)
    layer(x, None, [0, 5])


def test_attention_remembers_all_where_there_are_no_lengths(rng):
    attention = Attention("dot", 4, 4, 4)
    outputs = Tensor(rng.standard_normal((3, 2, 4)))
    assert attention.remember(outputs, None).mask.all()
    np.testing.assert_array_equal(attention.remember(outputs, [3, 1]).mask, [[1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(attention.remember(outputs, [0, 3]).mask, [[0, 0, 0], [1, 1, 1]])
    for wrong in ([3], [4, 1], [-1, 1], [1.5, 2.0]):
        with pytest.raises(InputError, match="lengths must be"):
            attention.remember(outputs, wrong)
    with pytest.raises(InputError, match=r"expected outputs of shape \(time, batch, features\), not \(2, 4\)"):
        attention.remember(outputs[0], None)
    with pytest.raises(TypeError, match=BARE):
        attention.remember(outputs.data, None)


@pytest.mark.parametrize("score", ["dot", "scaled-dot", "general", "cosine", "additive", "location"])
def test_attention_looks_with_tensors(score, rng):
    attention = Attention(score, 4, 4, 4, rng=0, dtype=np.float64)
    memory = attention.remember(Tensor(rng.standard_normal((3, 2, 4))), None)
    query, weights = rng.standard_normal((2, 4)), np.zeros((2, 3))
    attention(Tensor(query), memory, Tensor(weights))
    with pytest.raises(TypeError, match=BARE):
        attention(query, memory, Tensor(weights))
    if score == "location":  # the only one that reads the weights of the step before
        with pytest.raises(TypeError, match=BARE):
            attention(Tensor(query), memory, weights)
