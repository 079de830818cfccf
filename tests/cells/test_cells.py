"""The hand-written cells against their composed twins, and the properties that any unrolling must have."""

import tracemalloc
from contextlib import nullcontext

import numpy as np
import pytest
from cases import gradients, random_case
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cells import STEPS, unroll_reference

from minirnn import (
    CELL_NAMES,
    GradcheckError,
    InputError,
    Recurrent,
    Tensor,
    detach,
    grad,
    gradcheck,
    make_cell,
    no_grad,
    unroll,
)


def test_every_cell_has_a_twin():
    assert set(STEPS) == set(CELL_NAMES)


@st.composite
def shapes_and_lengths(draw):
    T, B = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    lengths = draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B))
    return (
        T,
        B,
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        lengths,
        draw(st.booleans()),
        draw(st.integers(0, 99)),
    )


@pytest.mark.parametrize("name", CELL_NAMES)
@given(case=shapes_and_lengths())
def test_hand_written_equals_composed(name, case):
    T, B, I, H, lengths, reverse, seed = case
    cell, x, weights, state = random_case(name, T, B, I, H, seed)
    lengths = None if lengths is None else np.array(lengths)
    inputs = [x, *weights.values(), *state]
    output, final = unroll(cell, x, weights, state, lengths, reverse)
    expected_output, expected_final = unroll_reference(name, x, weights, state, lengths, reverse)
    np.testing.assert_allclose(output.data, expected_output.data, rtol=0, atol=1e-10)
    for ours, theirs in zip(final, expected_final, strict=True):
        np.testing.assert_allclose(ours.data, theirs.data, rtol=0, atol=1e-10)
    ours, theirs = gradients(output, final, inputs), gradients(expected_output, expected_final, inputs)
    for dx, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(dx, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CELL_NAMES)
@settings(max_examples=7)  # for each of some twenty cells, which are also compared with their twins
@given(case=shapes_and_lengths())
def test_gradcheck_over_shapes_and_lengths(name, case):
    T, B, I, H, lengths, reverse, seed = case
    T, B, I, H = min(T, 4), min(B, 2), min(I, 2), min(H, 2)
    if "layer-norm" in name:  # of one or two features the normalised ones are ±1, a step function
        I, H = 3, 4
    lengths = None if lengths is None else np.minimum(lengths[:B], T)
    cell, x, weights, state = random_case(name, T, B, I, H, seed)
    names = list(weights)

    def run(x, *rest):
        return unroll(cell, x, dict(zip(names, rest[: len(names)], strict=True)), rest[len(names) :], lengths, reverse)

    inputs = {"x": x, **weights, **{f"state {i}": s for i, s in enumerate(state)}}
    try:
        assert gradcheck(run, inputs) <= 1e-6
    except GradcheckError as failure:  # a difference quotient across a kink says nothing about the gradient
        assume(not (name.endswith(("relu", "relu6", "layer-norm")) and "kink" in str(failure)))
        raise


@pytest.mark.parametrize("name", CELL_NAMES)
def test_padding_changes_nothing(name, rng):
    """What stands in the padding reaches neither outputs nor gradients, and no gradient reaches the padding."""
    lengths = np.array([5, 3, 1, 0])
    for reverse in (False, True):
        cell, x, weights, state = random_case(name, 5, 4, 2, 3, seed=3)
        other = Tensor(x.data.copy(), requires_grad=True)
        for b, length in enumerate(lengths):
            other.data[length:, b] = rng.choice([np.nan, np.inf, 100.0], (5 - length, 2))
        results = []
        for inputs in (x, other):
            output, final = unroll(cell, inputs, weights, state, lengths, reverse)
            results.append([output.data, *(s.data for s in final)])
            results[-1] += gradients(output, final, [inputs, *weights.values(), *state])
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)
        output, dx = results[0][0], results[0][1 + len(state)]
        for b, length in enumerate(lengths):
            assert not output[length:, b].any()
            assert not dx[length:, b].any()
        np.testing.assert_array_equal(results[0][1][3], state[0].data[3])  # an empty sequence leaves the state alone


@pytest.mark.parametrize("name", CELL_NAMES)
def test_two_halves_with_carried_state_equal_the_whole(name):
    cell, x, weights, state = random_case(name, 7, 2, 3, 4, seed=5)
    inputs = [x, *weights.values(), *state]
    whole = unroll(cell, x, weights, state)
    first, middle = unroll(cell, x[:3], weights, state)
    second, _ = unroll(cell, x[3:], weights, middle)
    np.testing.assert_allclose(whole[0].data, np.concatenate((first.data, second.data)), rtol=0, atol=1e-12)
    rng = np.random.default_rng(0)
    d = rng.standard_normal(whole[0].shape)
    in_one = grad((whole[0] * d).sum(), inputs)
    in_two = grad((first * d[:3]).sum() + (second * d[3:]).sum(), inputs)
    for a, b in zip(in_one, in_two, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_reverse_is_forward_on_the_flipped_sequence(name):
    cell, x, weights, state = random_case(name, 6, 2, 3, 4, seed=6)
    flipped = Tensor(x.data[::-1].copy())
    backward, final = unroll(cell, x, weights, state, reverse=True)
    forward, expected = unroll(cell, flipped, weights, state)
    np.testing.assert_array_equal(backward.data, forward.data[::-1])
    for a, b in zip(final, expected, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_truncated_bptt_stops_at_the_detached_state():
    layer = Recurrent("lstm", 2, 3, rng=0, dtype=np.float64)
    first, second = (Tensor(np.random.default_rng(i).standard_normal((4, 1, 2)), requires_grad=True) for i in (1, 2))
    _, state = layer(first)
    output, _ = layer(second, detach(state))
    output.sum().backward()
    assert first.grad is None
    assert second.grad is not None
    _, state = layer(first)
    output, _ = layer(second, state)
    output.sum().backward()
    assert np.abs(first.grad).max() > 0


@pytest.mark.parametrize("name", CELL_NAMES)
def test_five_thousand_steps(name):
    T = 5000
    cell, x, weights, state = random_case(name, T, 1, 1, 2, seed=7)
    for w in weights.values():
        w.data *= 0.5
    output, _ = unroll(cell, x, weights, state)
    d = np.zeros((T, 1, 2))
    d[-1] = 1
    dx = grad((output * d).sum(), [x])[0]
    # Only the last steps matter for the last output: the same gradient from a short stretch at the end.
    cut = 60
    short, _ = unroll(cell, x[-cut:], weights, tuple(s.detach() for s in unroll(cell, x[:-cut], weights, state)[1]))
    expected = grad((short * d[-cut:]).sum(), [x])[0]
    np.testing.assert_allclose(dx[-cut:], expected[-cut:], rtol=0, atol=1e-12)
    assert np.isfinite(dx).all()
    assert np.abs(dx[-1]).max() > 0


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(name, dtype):
    layer = Recurrent(name, 2, 3, 2, bidirectional=True, dropout=0.5, rng=0, dtype=dtype)
    x = Tensor(np.ones((3, 2, 2), dtype), requires_grad=True)
    output, state = layer(x, lengths=np.array([3, 2]))
    output.sum().backward()
    state = state if isinstance(state, tuple) else (state,)
    assert {output.dtype, x.grad.dtype, *(s.dtype for s in state), *(p.grad.dtype for p in layer.parameters())} == {
        np.dtype(dtype)
    }


def test_an_empty_batch_goes_through():
    cell, x, weights, state = random_case("gru", 3, 0, 2, 4, seed=0)
    output, _ = unroll(cell, x, weights, state, np.zeros(0, int))
    output.sum().backward()
    assert output.shape == (3, 0, 4)
    assert not weights["U"].grad.any()


def test_without_a_way_back_nothing_is_kept():
    layer = Recurrent("lstm", 4, 64, rng=0)
    x = Tensor(np.ones((3000, 8, 4), np.float32))
    layer(x)
    peaks = []
    for context in (nullcontext(), no_grad()):
        tracemalloc.start()
        with context:
            layer(x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 0.5 * peaks[0]


def test_wrong_shapes_are_named():
    cell, x, weights, state = random_case("lstm", 3, 2, 4, 5, seed=0)
    with pytest.raises(InputError, match="4 features, the layer expects 3"):
        unroll(cell, x, random_case("lstm", 3, 2, 3, 5, seed=0)[2], state)
    with pytest.raises(InputError, match="time, batch, features"):
        unroll(cell, x[0], weights, state)
    with pytest.raises(InputError, match=r"\(batch, hidden\) = \[\(2, 5\), \(2, 5\)\]"):
        unroll(cell, x, weights, (state[0][:1], state[1]))
    with pytest.raises(InputError, match=r"not \[\(2, 5\)\]"):
        unroll(cell, x, weights, state[:1])
    with pytest.raises(TypeError, match="float64 meets float32"):
        unroll(cell, x, weights, (state[0], Tensor(state[1].data.astype(np.float32))))
    with pytest.raises(InputError, match="between 0 and 3"):
        unroll(cell, x, weights, state, np.array([3, 4]))
    with pytest.raises(InputError, match="2 integers"):
        unroll(cell, x, weights, state, np.array([3.0, 2.0]))
    with pytest.raises(InputError, match="unknown cell 'lstn'"):
        make_cell("lstn")
