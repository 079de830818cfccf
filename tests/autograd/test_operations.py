"""The operations that people know from NumPy and torch: their values, and their gradients, also at ties and kinks."""

import numpy as np
import pytest

import minirnn
from minirnn import InputError, Tensor, functional, grad, gradcheck, ops
from minirnn.cli.catalogue import EQUATIONS, operation_recipes
from minirnn.cli.recipes import stream

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4))
TIED = np.array([[1.0, 2.0, 2.0, -1.0], [0.0, 0.0, 0.0, 0.0], [3.0, -1.0, 3.0, 2.0]])
B = np.array([[1.0, 0.0, 2.0, 2.0], [0.0, 1.0, -1.0, 0.0], [3.0, 3.0, 3.0, 3.0]])
FACTORS = np.array([[2.0, 3.0, -1.0, 0.5], [2.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 1.0]])


def leaf(array):
    return Tensor(np.array(array), requires_grad=True)


# name: (minirnn's, NumPy's, the array)
LIKE_NUMPY = {
    "exp": (lambda x: x.exp(), np.exp, A),
    "log": (lambda x: x.log(), np.log, abs(A)),
    "sqrt": (lambda x: x.sqrt(), np.sqrt, abs(A)),
    "abs": (lambda x: x.abs(), np.abs, TIED),
    "abs of Python": (abs, np.abs, TIED),
    "tanh": (lambda x: x.tanh(), np.tanh, A),
    "sigmoid": (lambda x: x.sigmoid(), lambda x: 1 / (1 + np.exp(-x)), A),
    "relu": (lambda x: x.relu(), lambda x: np.maximum(x, 0), TIED),
    "softmax": (lambda x: x.softmax(0), lambda x: np.exp(x) / np.exp(x).sum(0), A),
    "clip": (lambda x: x.clip(-0.5, 1), lambda x: np.clip(x, -0.5, 1), A),
    "clip above": (lambda x: x.clip(max=1), lambda x: np.clip(x, None, 1), A),
    "clip below": (lambda x: x.clip(min=np.float64(-0.5)), lambda x: np.clip(x, -0.5, None), A),
    "maximum": (lambda x: x.maximum(B), lambda x: np.maximum(x, B), A),
    "minimum": (lambda x: ops.minimum(0.5, x), lambda x: np.minimum(0.5, x), A),
    "min": (lambda x: x.min(axis=1, keepdims=True), lambda x: x.min(axis=1, keepdims=True), A),
    "min of all": (lambda x: x.min(), np.min, A),
    "prod": (lambda x: x.prod(axis=(0, -1)), lambda x: x.prod(axis=(0, -1)), A),
    "prod of all": (lambda x: x.prod(), np.prod, A),
    "var": (lambda x: x.var(axis=0), lambda x: x.var(axis=0), A),
    "var, unbiased": (lambda x: x.var(0, True, correction=1), lambda x: x.var(0, ddof=1, keepdims=True), A),
    "std": (lambda x: x.std(), np.std, A),
    "std, unbiased": (lambda x: x.std(-1, correction=1), lambda x: x.std(-1, ddof=1), A),
    "norm": (lambda x: x.norm(axis=1), lambda x: np.linalg.norm(x, axis=1), A),
    "norm of all": (lambda x: x.norm(), np.linalg.norm, A),
    "cumsum": (lambda x: x.cumsum(axis=-1), lambda x: x.cumsum(axis=-1), A),
    "cumsum of all": (lambda x: x.cumsum(), np.cumsum, A),
    "squeeze": (lambda x: x.squeeze(), np.squeeze, A[None, :, None]),
    "squeeze, axis": (lambda x: x.squeeze(axis=-2), lambda x: x.squeeze(-2), A[None, :, None]),
    "squeeze, axes": (lambda x: x.squeeze(axis=(0, 2)), lambda x: x.squeeze((0, 2)), A[None, :, None]),
    "expand_dims": (lambda x: x.expand_dims((0, -1)), lambda x: np.expand_dims(x, (0, -1)), A),
    "unsqueeze": (lambda x: x.unsqueeze(-1), lambda x: x[..., None], A),
    "flatten": (lambda x: x.flatten(), np.ravel, A),
    "flatten of a number": (lambda x: x.flatten(), np.ravel, np.array(2.0)),
    "flatten, axes": (lambda x: x.flatten(1, -2), lambda x: x.reshape(1, 6, 2), A.reshape(1, 2, 3, 2)),
    "pad": (lambda x: x.pad(2), lambda x: np.pad(x, 2), A),
    "pad, both ends": (lambda x: x.pad((1, 0), 7), lambda x: np.pad(x, (1, 0), constant_values=7), A),
    "pad, axes": (lambda x: x.pad([(1, 0), (0, 2)]), lambda x: np.pad(x, [(1, 0), (0, 2)]), A),
    "clone": (lambda x: x.clone(), np.copy, A),
    "to": (lambda x: x.to("cpu"), np.copy, A),
}  # fmt: skip


@pytest.mark.parametrize("name", LIKE_NUMPY)
def test_values_are_those_of_numpy(name):
    ours, numpys, array = LIKE_NUMPY[name]
    found, expected = ours(leaf(array)), np.asarray(numpys(array))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.data, expected, rtol=1e-13)
    assert found.requires_grad


@pytest.mark.parametrize("name", LIKE_NUMPY)
def test_nothing_changes_the_type_of_the_numbers(name):
    ours, _, array = LIKE_NUMPY[name]
    if name == "maximum":
        ours = lambda x: x.maximum(B.astype(np.float32))
    x = leaf(array.astype(np.float32))
    y = ours(x)
    assert y.dtype == np.float32
    assert grad(y, [x], np.ones_like(y.data))[0].dtype == np.float32


def test_indices_of_extremes_are_numpys():
    x = leaf(TIED)
    for axis in (None, 0, -1):
        np.testing.assert_array_equal(x.argmax(axis), TIED.argmax(axis))
        np.testing.assert_array_equal(ops.argmin(x, axis=axis), TIED.argmin(axis))
    assert x.argmax(axis=1, keepdims=True).shape == (3, 1)
    assert not isinstance(x.argmax(axis=0), Tensor)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.squeeze(axis=3), lambda x: ops.unstack(x, axis=2), lambda x: ops.split(x, 1, axis=-3),
        lambda x: ops.stack([x, x], axis=4), lambda x: ops.concatenate([x, x], axis=2), lambda x: x.prod(axis=2),
        lambda x: x.var(axis=(0, 2)), lambda x: x.sum().squeeze(axis=0), lambda x: x.norm(axis=2),
    ],
)  # fmt: skip
def test_an_axis_that_is_not_there_is_refused(call):
    with pytest.raises(ValueError, match="out of bounds"):
        call(leaf(A))


def test_a_list_of_numbers_comes_out_as_it_is():
    assert leaf([[1.0, 2.0], [3.0, 4.0]]).tolist() == [[1, 2], [3, 4]]
    assert leaf(2.5).tolist() == 2.5


def test_a_clone_is_another_array_and_passes_the_gradient_on():
    x = leaf(A)
    y = x.clone()
    y.data[0, 0] = 100
    assert x.data[0, 0] == A[0, 0]
    np.testing.assert_array_equal(grad((y * 2).sum(), x)[0], np.full(A.shape, 2))


# Where several gradients are right, or the formula would divide by 0: the function, the array, its gradient.
AT_KINKS = {
    "abs at 0": (lambda x: x.abs(), [-2.0, 0.0, 3.0], [-1, 0, 1]),
    "relu at 0": (lambda x: x.relu(), [-2.0, 0.0, 3.0], [0, 0, 1]),
    "clip at its bounds": (lambda x: x.clip(-1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], [0, 1, 1, 1, 0]),
    "maximum of equals": (lambda x: x.maximum(1.0), [0.0, 1.0, 2.0], [0, 0.5, 1]),
    "minimum of equals": (lambda x: ops.minimum(np.ones(3), x), [0.0, 1.0, 2.0], [1, 0.5, 0]),
    "max among equals": (lambda x: x.max(), [3.0, 3.0, 1.0], [0.5, 0.5, 0]),
    "min among equals": (lambda x: x.min(), [1.0, 3.0, 1.0, 1.0], [1 / 3, 0, 1 / 3, 1 / 3]),
    "prod with a zero": (lambda x: x.prod(), [2.0, 0.0, 3.0], [0, 6, 0]),
    "prod with two zeros": (lambda x: x.prod(), [2.0, 0.0, 3.0, 0.0], [0, 0, 0, 0]),
    "std of equals": (lambda x: x.std(), [2.0, 2.0, 2.0], [0, 0, 0]),
    "norm of nothing": (lambda x: x.norm(), [0.0, 0.0], [0, 0]),
    "prod of one": (lambda x: x.prod(), [5.0], [1]),
    "squeeze of a number": (lambda x: x.squeeze(), 5.0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_KINKS)
def test_gradients_at_kinks_and_ties(name):
    function, array, expected = AT_KINKS[name]
    x = leaf(array)
    np.testing.assert_allclose(grad(function(x).sum(), x)[0], expected, rtol=1e-15)


def test_both_of_two_equals_receive_half():
    x, y = leaf([1.0, 2.0]), leaf([1.0, 0.0])
    for function, of_x, of_y in ((ops.maximum, [0.5, 1], [0.5, 0]), (ops.minimum, [0.5, 0], [0.5, 1])):
        found = grad(function(x, y).sum(), [x, y])
        np.testing.assert_array_equal(found, [of_x, of_y])


TORCH = {
    "abs": ("abs", lambda x: x.abs(), TIED),
    "clip": ("clamp", lambda x: x.clip(-1, 2), TIED, -1, 2),
    "max": ("amax", lambda x: x.max(axis=(0, 1)), TIED, (0, 1)),
    "max of all": ("max", lambda x: x.max(), TIED),
    "min": ("amin", lambda x: x.min(axis=1), TIED, 1),
    "min of all": ("min", lambda x: x.min(), TIED),
    "prod": ("prod", lambda x: x.prod(axis=1), FACTORS, 1),
    "prod of all": ("prod", lambda x: x.prod(), FACTORS),
    "var": ("var", lambda x: x.var(correction=1), TIED),
    "std": ("std", lambda x: x.std(axis=1, correction=1), TIED, 1),
    "norm": ("norm", lambda x: x.norm(axis=1), TIED, 2, 1),
    "norm of all": ("norm", lambda x: x.norm(), TIED),
    "cumsum": ("cumsum", lambda x: x.cumsum(axis=1), TIED, 1),
    "flatten": ("flatten", lambda x: x.flatten(1, 2), A.reshape(2, 3, 2), 1, 2),
    "unsqueeze": ("unsqueeze", lambda x: x.unsqueeze(1), A, 1),
    "squeeze": ("squeeze", lambda x: x.squeeze(), A[:, None]),
    "relu": ("relu", lambda x: x.relu(), TIED),
    "sigmoid": ("sigmoid", lambda x: x.sigmoid(), TIED * 20),
    "softmax": ("softmax", lambda x: x.softmax(axis=1), TIED, 1),
}


def assert_like_torch(ours, theirs, *arrays):
    """Values, and gradients by all of the arrays, for one random gradient of the result."""
    torch = pytest.importorskip("torch")
    tensors, others = [leaf(a) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    y, z = ours(*tensors), theirs(*others)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12, atol=1e-15)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    for found, expected in zip(grad(y, tensors, dy), torch.autograd.grad(z, others, torch.tensor(dy)), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", TORCH)
def test_values_and_gradients_are_torchs_also_at_ties(name):
    theirs, ours, array, *arguments = TORCH[name]
    assert_like_torch(ours, lambda x: getattr(x, theirs)(*arguments), array)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes_of_two_are_torchs_also_at_ties(name):
    torch = pytest.importorskip("torch")
    assert_like_torch(getattr(ops, name), getattr(torch, name), TIED, B)
    assert_like_torch(getattr(ops, name), getattr(torch, name), TIED, B[:1])


@pytest.mark.parametrize(
    "equation",
    [
        *EQUATIONS, "ij,jk", "...i,i", "i...,i->...", "b...,...->b", "ij,ij->", "i,j", ",ij->ij", "ji", "...ij->...ji",
        "...i->...",
    ],
)  # fmt: skip
def test_einsum_is_torchs(equation):
    torch = pytest.importorskip("torch")
    shapes = EQUATIONS.get(equation) or {
        "ij,jk": ((2, 3), (3, 4)), "...i,i": ((2, 3, 4), (4,)), "i...,i->...": ((3, 2), (3,)),
        "b...,...->b": ((2, 3, 4), (3, 4)), "ij,ij->": ((2, 3), (2, 3)), "i,j": ((2,), (3,)), ",ij->ij": ((), (2, 3)),
        "ji": ((2, 3),), "...ij->...ji": ((4, 2, 3),), "...i->...": ((2, 3, 4),),
    }[equation]  # fmt: skip
    arrays = [np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes)]
    assert_like_torch(lambda *x: ops.einsum(equation, *x), lambda *x: torch.einsum(equation, *x), *arrays)
    assert gradcheck(lambda *x: ops.einsum(equation, *x), arrays) <= 1e-6


def test_einsum_takes_arrays_and_numbers_as_constants_of_the_same_type():
    x = leaf(A.astype(np.float32))
    y = ops.einsum("ij,->j", x, 2.0)
    assert y.dtype == np.float32
    np.testing.assert_allclose(grad(y.sum(), x)[0], np.full(A.shape, 2))
    np.testing.assert_allclose(ops.einsum("ij,j", leaf(A), B[0]).data, A @ B[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: ops.einsum("ii->i", x), "'i' occurs twice in 'ii'.*diagonal.*x\\[np.arange"),
        (lambda x: ops.einsum("ij,jk", x), "of 2 operands, but there are 1"),
        (lambda x: ops.einsum("ijk->i", x), "'ijk' .* does not fit an operand with 2 axes"),
        (lambda x: ops.einsum("i->i", x), "'i' .* does not fit an operand with 2 axes"),
        (lambda x: ops.einsum("i1->i", x), "does not fit"),
        (lambda x: ops.einsum("ij->ik", x), "'k' in the result .* is in no operand"),
        (lambda x: ops.einsum("ij->ii", x), "'i' in the result .* is there twice"),
        (lambda x: ops.einsum("ij,jk->ik", x, x), "the axes of 'j' have lengths 4 and 3"),
        (lambda x: ops.einsum(x, [0, 1]), "begins with its equation"),
        (lambda x: x.clip(), "min, max or both"),
        (lambda x: x.clip(2, 1), "min ≤ max"),
        (lambda x: x.clip("a"), "the min of clip must be"),
        (lambda x: x.squeeze(axis=1), "axis 1 of a tensor of shape \\(3, 4\\) has length 4"),
        (lambda x: x.flatten(1, 0), "no axes from 1 to 0"),
        (lambda x: x.flatten(0, 2), "no axes from 0 to 2"),
        (lambda x: x.pad(-1), "pad_width must be a number, .before, after., or one such pair for each of 2 axes"),
        (lambda x: x.pad([1, 2, 3]), "pad_width"),
        (lambda x: x.pad(0.5), "pad_width"),
        (lambda x: x.var(axis=0, correction=3), "more than 3 elements, but along axis 0 .* there are 3"),
        (lambda x: x.std(correction="one"), "correction must be"),
        (
            lambda x: functional.mse_loss(x, np.zeros(4)),
            "predictions of shape .* need targets of the same shape",
        ),
        (lambda x: functional.mse_loss(x, x, reduction="max"), "unknown reduction 'max'"),
        (lambda x: functional.binary_cross_entropy_with_logits(x, x), "targets must be from 0 to 1"),
        (lambda x: functional.nll_loss(x, [0, 1]), "do not fit log-probabilities of shape \\(3, 4\\)"),
        (lambda x: functional.nll_loss(x, [0, 1, 4]), "target 4 is out of range"),
    ],
)
def test_what_cannot_be_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call(Tensor(A))


# Losses

LOSSES = ("mean", "sum", "none")


@pytest.mark.parametrize("reduction", LOSSES)
def test_losses_are_torchs(reduction):
    torch = pytest.importorskip("torch")
    theirs, targets = torch.nn.functional, abs(B) / 3
    assert_like_torch(
        lambda x, y: minirnn.mse_loss(x, y, reduction=reduction),
        lambda x, y: theirs.mse_loss(x, y, reduction=reduction), A, B,
    )  # fmt: skip
    assert_like_torch(
        lambda z, y: minirnn.binary_cross_entropy_with_logits(z, y, reduction=reduction),
        lambda z, y: theirs.binary_cross_entropy_with_logits(z, y, reduction=reduction), 50 * A, targets,
    )  # fmt: skip
    for ignored in (None, 2):
        options = {"reduction": reduction} | ({} if ignored is None else {"ignore_index": ignored})
        assert_like_torch(
            lambda p, options=options: minirnn.nll_loss(p, np.array([3, 2, 0]), **options),
            lambda p, options=options: theirs.nll_loss(p, torch.tensor([3, 2, 0]), **options), A,
        )  # fmt: skip


def test_the_two_ways_to_the_cross_entropy_meet():
    x, targets = leaf(A), np.array([0, 3, 1])
    for options in ({}, {"reduction": "sum"}, {"ignore_index": 3}, {"reduction": "none"}):
        one, other = (
            minirnn.cross_entropy(x, targets, **options), minirnn.nll_loss(x.softmax().log(), targets, **options)
        )  # fmt: skip
        np.testing.assert_allclose(one.data, other.data)
        np.testing.assert_allclose(grad(one.sum(), x)[0], grad(other.sum(), x)[0])


@pytest.mark.parametrize("z", [-1e4, 1e4])
def test_the_binary_loss_of_a_sure_answer_is_finite(z):
    x = Tensor(np.array([z, z], np.float32), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        loss = minirnn.binary_cross_entropy_with_logits(x, np.array([False, True]))
        loss.backward()
    assert loss.item() == pytest.approx(5e3)
    np.testing.assert_allclose(x.grad, [0.5 * (z > 0), -0.5 * (z < 0)])
    assert loss.dtype == np.float32


@pytest.mark.parametrize("module", ["ops", "functional"])
def test_what_is_exported_is_there_and_documented(module):
    home = getattr(minirnn, module)
    for name in home.__all__:
        assert getattr(home, name).__doc__, name


def test_the_operations_are_there_under_their_own_names():
    for name in ("exp", "clip", "where", "einsum", "concatenate", "var", "mse_loss", "nll_loss"):
        assert name in minirnn.__all__
        assert getattr(minirnn, name) is getattr(ops, name, getattr(functional, name, None))
    assert {"sum", "abs", "min", "max"}.isdisjoint(minirnn.__all__)  # `from minirnn import *` leaves Python's alone


def test_a_product_with_zeros_is_checked_by_differences():
    _, recipe = next((name, r) for name, r in operation_recipes() if name == "prod (zeros)")
    function, inputs = recipe(stream(0, "prod (zeros)"))
    assert sorted((inputs["a"] == 0).sum(axis=1)) == [0, 1, 2]
    x = leaf(inputs["a"])
    assert grad(function(x)[1], x)[0][1, 1] != 0  # the only zero of its line
