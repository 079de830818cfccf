"""Cells on a picture: what a site sees of its neighbours, and gradients through that, around every cell."""

import numpy as np
import pytest
from fast_cases import in_parts

from minirnn import CELL_NAMES, InputError, Tensor, gradcheck, ops, use_kernels
from minirnn.cells import bptt, make_cell
from minirnn.cells.neighbours import NeighbourCell
from minirnn.fast import walk
from minirnn.layers import Recurrent

T, PICTURES, S, I, H = 3, 3, 4, 2, 3
OFFSETS = (-1, 2, -5)
INNER = [name for name in CELL_NAMES if not make_cell(name).draws]


def case(name, offsets=OFFSETS, seed=0):
    cell, rng = NeighbourCell(make_cell(name), S, offsets), np.random.default_rng(seed)
    shapes = cell.weight_shapes(I, H)
    weights = {key: Tensor(0.5 * rng.standard_normal(shape), requires_grad=True) for key, shape in shapes.items()}
    x = Tensor(rng.standard_normal((T, PICTURES * S, I)), requires_grad=True)
    state = [Tensor(rng.standard_normal((PICTURES * S, H)), requires_grad=True) for _ in range(cell.num_states)]
    return cell, x, weights, state


def outcome(unroll, cell, x, weights, state):
    output, final = unroll(cell, x, weights, state)
    tensors = [x, *weights.values(), *state]
    for tensor in tensors:
        tensor.grad = None
    (ops.sum(output * output) + sum(ops.sum(one * one * one) for one in final)).backward()
    return [output.data, *(one.data for one in final), *(tensor.grad for tensor in tensors)]


@pytest.mark.parametrize("name", [name for name in INNER if not make_cell(name).kinks])
def test_slopes_are_those_of_finite_differences(name):
    cell, x, weights, state = case(name)

    def run(x, *rest):
        given = dict(zip(weights, rest, strict=False))
        output, final = bptt.unroll(cell, x, given, rest[len(weights) :])
        return [output, *final]

    gradcheck(run, [x, *weights.values(), *state])


def test_a_site_sees_what_its_neighbours_were_and_nothing_beyond_the_edge():
    """An RNN, one site at a time, as (1) of the cell says."""
    cell, x, weights, state = case("rnn")
    w, h = {key: tensor.data for key, tensor in weights.items()}, state[0].data.reshape(PICTURES, S, H)
    output, _ = bptt.unroll(cell, x, weights, state)
    for t in range(T):
        new = np.empty_like(h)
        for p in range(PICTURES):
            for s in range(S):
                a = w["W"] @ x.data[t, p * S + s] + w["b"] + w["U"] @ h[p, s]
                for k, offset in enumerate(OFFSETS):
                    if 0 <= s + offset < S:
                        a += w["N"][:, k * H : (k + 1) * H] @ h[p, s + offset]
                new[p, s] = np.tanh(a)
        h = new
        np.testing.assert_allclose(output.data[t], h.reshape(-1, H), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_stands_in_for_it_computes_the_same(name, threads):
    """Pictures are divided among threads, and never the sites of one."""
    arguments = case(name)
    with in_parts(threads):
        found = outcome(walk.unroll, *arguments)
    for expected, got in zip(outcome(bptt.unroll, *arguments), found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


def test_compiled_steps_compute_the_same():
    from minirnn.errors import DeviceError

    try:
        use_kernels(True)
    except DeviceError as error:
        pytest.skip(str(error))
    try:
        for name in ("rnn", "lstm", "gru", "gru-after"):
            arguments = case(name)
            for expected, got in zip(outcome(bptt.unroll, *arguments), outcome(walk.unroll, *arguments), strict=True):
                np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * max(1, np.abs(expected).max()))
    finally:
        use_kernels(None)


def test_it_is_a_cell_of_any_layer():
    layer = Recurrent(NeighbourCell(make_cell("lstm"), S, (-1, 1)), I, H, 2, rng=0, forget_bias=1.0)
    assert layer.N_l1.shape == (4 * H, 2 * H)
    assert (layer.b_l0.data[H : 2 * H] == 1).all()
    y, (h, c) = layer(Tensor(np.ones((T, 2 * S, I), np.float32)))
    assert y.shape == (T, 2 * S, H)
    assert h.shape == c.shape == (2, 2 * S, H)


@pytest.mark.parametrize("offsets", [(), (0,), (1, 1), (1.5,)])
def test_offsets_that_are_none_are_refused(offsets):
    with pytest.raises(InputError):
        NeighbourCell(make_cell("gru"), S, offsets)


def test_a_cell_that_draws_is_refused():
    with pytest.raises(InputError, match="draws random numbers"):
        NeighbourCell(make_cell("rnn-rrelu"), S, (1,))


def test_a_batch_that_is_no_whole_pictures_is_refused():
    cell, x, weights, state = case("gru")
    for unroll in (bptt.unroll, walk.unroll):
        with pytest.raises(InputError, match="4 sites"):
            unroll(cell, Tensor(x.data[:, :-1]), weights, [Tensor(state[0].data[:-1])])
