"""The walk along diagonals: the plain one, by slopes and by hand, and what stands in for it, around every cell."""

import numpy as np
import pytest
from fast_cases import in_parts

from minirnn import CELL_NAMES, InputError, Tensor, gradcheck, no_grad, ops
from minirnn.cells import make_cell
from minirnn.cells.diagonals import along_diagonals
from minirnn.cells.neighbours import NeighbourCell
from minirnn.fast import along_diagonals_together

B, I, H = 3, 2, 3
INNER = [name for name in CELL_NAMES if not make_cell(name).draws]
SIZES = [(3, 4), (4, 2), (1, 3), (3, 1), (1, 1)]


def case(name, rows, columns, seed=0):
    cell, rng = NeighbourCell(make_cell(name), rows, (-1,)), np.random.default_rng(seed)
    shapes = cell.weight_shapes(I, H)
    weights = {key: Tensor(0.5 * rng.standard_normal(shape), requires_grad=True) for key, shape in shapes.items()}
    return cell, Tensor(rng.standard_normal((rows, columns, B, I)), requires_grad=True), weights


def outcome(walk, cases):
    outputs = walk(cases)
    for _, x, weights in cases:
        for tensor in (x, *weights.values()):
            tensor.grad = None
    sum(ops.sum(output * output) for output in outputs).backward()
    return [o.data for o in outputs] + [t.grad for _, x, weights in cases for t in (x, *weights.values())]


def plain(cases):
    return [along_diagonals(*one) for one in cases]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("name", INNER)
def test_both_walks_compute_the_same(name, threads):
    for size in SIZES:
        cases = [case(name, *size, seed) for seed in range(2)]
        with in_parts(threads):
            found = outcome(along_diagonals_together, cases)
        for expected, got in zip(outcome(plain, cases), found, strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


def test_a_state_follows_from_those_to_its_left_and_above():
    """An RNN, pixel by pixel."""
    cell, x, weights = case("rnn", 3, 4)
    w, h = {key: tensor.data for key, tensor in weights.items()}, np.zeros((4, 5, B, H))
    for r in range(3):
        for c in range(4):
            a = x.data[r, c] @ w["W"].T + w["b"] + h[r + 1, c] @ w["U"].T + h[r, c + 1] @ w["N"].T
            h[r + 1, c + 1] = np.tanh(a)
    for walk in (plain, along_diagonals_together):
        np.testing.assert_allclose(walk([(cell, x, weights)])[0].data, h[1:, 1:], rtol=0, atol=1e-14)


@pytest.mark.parametrize("walk", [plain, along_diagonals_together])
@pytest.mark.parametrize("name", ["lstm-peephole", "gru"])
def test_slopes_are_those_of_finite_differences(name, walk):
    cell, x, weights = case(name, 3, 2)
    gradcheck(lambda x, *rest: walk([(cell, x, dict(zip(weights, rest, strict=True)))])[0], [x, *weights.values()])


def test_only_what_is_asked_for_is_computed():
    cell, x, weights = case("lstm", 3, 4)
    (one, other) = along_diagonals_together([(cell, x, weights), (cell, Tensor(x.data), weights)])
    ops.sum(one * one).backward()  # nothing depends on the other
    first = {key: tensor.grad.copy() for key, tensor in weights.items()}
    for tensor in weights.values():
        tensor.grad = None
    ops.sum(along_diagonals(cell, Tensor(x.data), weights) * other.data).backward()
    for key, tensor in weights.items():
        np.testing.assert_allclose(tensor.grad, first[key] / 2, rtol=0, atol=1e-12)
    with no_grad():
        np.testing.assert_array_equal(along_diagonals_together([(cell, x, weights)])[0].data, one.data)


@pytest.mark.parametrize("walk", [plain, along_diagonals_together])
def test_what_does_not_fit_is_refused(walk):
    cell, x, weights = case("gru", 3, 4)
    for wrong in (Tensor(x.data[:2]), Tensor(x.data[0]), Tensor(x.data[:, :0]), Tensor(x.data[..., :1])):
        with pytest.raises(InputError):
            walk([(cell, wrong, weights)])
    with pytest.raises(InputError, match="offset -1"):
        walk([(NeighbourCell(make_cell("gru"), 3, (1,)), x, weights)])
    with pytest.raises(TypeError):
        walk([(cell, Tensor(x.data.astype(np.float32)), weights)])
