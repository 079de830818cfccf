"""The check of the gradients is itself checked: it passes what is right and explains what is wrong."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from minirnn import CELL_NAMES, GradcheckError, InputError, Tensor, activations, functional, gradcheck, no_grad, ops
from minirnn.autograd import arithmetic, attention, einsum, elementwise, losses, pieces, reductions, sequences, shapes
from minirnn.autograd.recording import record, record_many
from minirnn.cli.catalogue import all_cases

CASES = all_cases()


def marks(number, name):
    """Whole models are made of what is checked by itself: one of six of them is checked every time."""
    whole = name.startswith(("translation ", "captions ", "chat ", "drawing "))
    long = name.startswith("layer ") and "layer-norm" in name
    return [pytest.mark.slow] if (whole and number % 6) or long else []


@pytest.mark.parametrize(
    ("name", "function", "inputs"),
    [pytest.param(*case, id=case[0], marks=marks(number, case[0])) for number, case in enumerate(CASES)],
)
def test_the_catalogue_passes(name, function, inputs):
    assert gradcheck(function, inputs) <= 1e-6


def test_the_catalogue_is_complete():
    names = {re.sub(r" \(.*", "", name) for name, _, _ in CASES}
    helpers = {"value", "values", "check_ids", "require_tensor", "one_hot", "dropout_mask", "rrelu_slopes"}
    helpers |= {"check_reduction", "argmax", "argmin", "index_part"}  # words and integers
    helpers |= {"pointed"}  # what goes back is an estimate, which is right on average alone
    of_ops = (arithmetic, einsum, elementwise, pieces, reductions, shapes)
    for module in (*of_ops, functional, attention, losses, sequences, activations):
        functions = {name: f for name, f in vars(module).items() if inspect.isfunction(f) and name[0] != "_"}
        public = {
            name for name, f in functions.items() if f.__module__ == module.__name__ and not name.endswith("_slope")
        } - helpers
        assert public <= names, public - names
    assert {f"cell {name}" for name in CELL_NAMES} <= names
    assert {f"layer {name}" for name in CELL_NAMES} <= names


@pytest.mark.parametrize("options", [{}, {"ignore_index": 1}, {"label_smoothing": 0.1}])
def test_cross_entropy_does_not_mind_how_its_arguments_lie_in_memory(options, rng):
    targets = rng.integers(0, 5, (3, 4)).T
    inputs = {"logits": rng.standard_normal((3, 4, 5))}
    assert (
        gradcheck(lambda z: functional.cross_entropy(ops.transpose(z, (1, 0, 2)), targets, **options), inputs) <= 1e-6
    )


@given(
    shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    name=st.sampled_from(["add", "subtract", "multiply", "divide"]),
)
def test_arithmetic_over_broadcasts(shapes, name):
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.5, 2, shape) for shape in shapes.input_shapes)
    assert gradcheck(getattr(ops, name), {"a": a, "b": b}) <= 1e-6


@given(
    batch=mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3, min_side=1),
    n=st.integers(1, 3), k=st.integers(1, 3), m=st.integers(1, 3),
)  # fmt: skip
def test_matmul_over_batch_shapes(batch, n, k, m):
    rng = np.random.default_rng(0)
    left, right = batch.input_shapes
    inputs = {"a": rng.standard_normal((*left, n, k)), "b": rng.standard_normal((*right, k, m))}
    assert gradcheck(ops.matmul, inputs) <= 1e-6


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), keepdims=st.booleans(), data=st.data(),
    name=st.sampled_from(["sum", "mean", "max"]),
)  # fmt: skip
def test_reductions_over_axes(shape, keepdims, data, name):
    axes = data.draw(st.none() | st.sets(st.integers(0, len(shape) - 1), min_size=1).map(tuple))
    a = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) * 0.1
    assert gradcheck(lambda x: getattr(ops, name)(x, axes, keepdims), {"a": a}) <= 1e-6


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)), axis=st.integers(-3, 2), data=st.data()
)
def test_softmaxes_over_shapes_axes_and_masks(shape, axis, data):
    rng = np.random.default_rng(0)
    a = rng.standard_normal(shape)
    mask = rng.random(shape) < data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    assert gradcheck(lambda x: functional.softmax(x, axis, mask), {"a": a}) <= 1e-6
    assert gradcheck(lambda x: functional.log_softmax(x, axis), {"a": a}) <= 1e-6


def test_max_shares_the_gradient_among_equals():
    x = Tensor(np.array([1.0, 3.0, 3.0]), requires_grad=True)
    ops.max(x).backward()
    np.testing.assert_array_equal(x.grad, [0, 0.5, 0.5])


def test_softmax_of_a_fully_masked_line_is_zero():
    x = Tensor(np.array([[1e30, -1e30], [1.0, 2.0]]), requires_grad=True)
    y = functional.softmax(x, mask=np.array([[False, False], [True, False]]))
    np.testing.assert_array_equal(y.data, [[0, 0], [1, 0]])


def test_softmax_and_cross_entropy_of_huge_scores_are_finite():
    x = Tensor(np.array([[1e4, -1e4]], dtype=np.float32), requires_grad=True)
    np.testing.assert_array_equal(functional.softmax(x).data, [[1, 0]])
    assert functional.cross_entropy(x, np.array([1])).item() == 2e4
    assert np.isfinite(functional.log_softmax(x).data).all()
    np.testing.assert_array_equal(ops.sigmoid(x).data, [[1, 0]])


def test_cross_entropy_ignores_what_it_should():
    logits = Tensor(np.random.default_rng(0).standard_normal((3, 4)), requires_grad=True)
    everything = functional.cross_entropy(logits[:2], np.array([1, 2]))
    ignoring = functional.cross_entropy(logits, np.array([1, 2, 3]), ignore_index=3)
    assert ignoring.item() == pytest.approx(everything.item(), abs=1e-15)
    ignoring.backward()
    assert not logits.grad[2].any()
    nothing = functional.cross_entropy(logits, np.array([3, 3, 3]), ignore_index=3)
    assert nothing.item() == 0


def test_ids_out_of_range_are_refused():
    weight = Tensor(np.zeros((3, 2)))
    for ids in ([-1], [3]):
        with pytest.raises(InputError, match=f"id {ids[0]} is out of range: expected 0 to 2"):
            functional.embedding(weight, np.array(ids))
        with pytest.raises(InputError, match="out of range"):
            functional.one_hot(np.array(ids), 3, weight.data)
        with pytest.raises(InputError, match="target"):
            functional.cross_entropy(Tensor(np.zeros((1, 3))), np.array(ids))
    with pytest.raises(InputError, match="integers"):
        functional.embedding(weight, np.array([0.5]))


def test_dropout_keeps_the_expectation_and_drops_the_gradient_alike():
    x = Tensor(np.ones(100_000), requires_grad=True)
    y = functional.dropout(x, 0.25, np.random.default_rng(0))
    assert y.data.mean() == pytest.approx(1, abs=0.01)
    assert set(np.unique(y.data)) == {0, 1 / 0.75}
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)


def test_a_wrong_gradient_is_named():
    def wrong(x):
        factor = np.array([1.0, 1.0, 2.0])
        return record(x.data * 1.0, (x, lambda dy: dy * factor))

    with pytest.raises(
        GradcheckError, match=r"gradient of weight\[2\]: backward gives .*, finite differences .*1 of 3 wrong"
    ):
        gradcheck(wrong, {"weight": np.ones(3)})


def test_a_kink_is_said_to_be_one():
    with pytest.raises(GradcheckError, match=r"slope jumps here from .* to .*: a kink \(such as relu at 0\)"):
        gradcheck(ops.relu, [np.array([1.0, 1e-5])])


def test_a_smooth_wrong_gradient_is_not_called_a_kink():
    with pytest.raises(GradcheckError) as failure:
        gradcheck(lambda x: record(x.data**2, (x, lambda dy: dy * x.data)), [np.array([1.0])])
    assert "kink" not in str(failure.value)


def test_random_cotangents_see_a_softmax_gradient_of_zero():
    zero = lambda x: record(functional.softmax(x).data, (x, lambda dy: dy * 0))
    with pytest.raises(GradcheckError):
        gradcheck(zero, [np.array([1.0, 2.0, 3.0])])


def test_outputs_are_differentiated_together():
    def wrong(x):
        back = lambda da, db: [2 * da if da is not None else 3 * db]
        return record_many([2 * x.data, 3 * x.data], [x], back)

    with pytest.raises(GradcheckError):
        gradcheck(wrong, [np.ones(2)])


def test_a_backward_that_writes_into_its_argument_is_wrong():
    def twice(dy):
        dy *= 2
        return dy

    with pytest.raises(GradcheckError):
        gradcheck(lambda x: record(x.data * 1.0, (x, twice)), [np.ones(2)])


def test_the_inputs_are_as_before_also_after_a_failure():
    x = Tensor(np.ones(2))

    def failing(x):
        if x.data[1] != 1:
            raise RuntimeError
        return x * 1.0

    with pytest.raises(RuntimeError):
        gradcheck(failing, [x])
    assert x.data.tolist() == [1, 1]
    assert not x.requires_grad


def test_what_cannot_be_checked_is_refused():
    with no_grad(), pytest.raises(InputError, match="no_grad"):
        gradcheck(ops.tanh, [np.ones(1)])
    frozen = np.ones(2)
    frozen.flags.writeable = False
    with pytest.raises(InputError, match="can change"):
        gradcheck(ops.tanh, [Tensor(frozen)])


def test_the_sigmoid_is_exact_in_both_tails():
    x = Tensor(np.array([-80.0, -20.0, 0.0, 20.0], np.float32))
    np.testing.assert_allclose(ops.sigmoid(x).data, 1 / (1 + np.exp(-x.data.astype(np.float64))), rtol=1e-6)


def test_an_ignored_target_never_makes_the_loss_nan():
    logits = Tensor(np.array([[-np.inf, 1.0, 2.0], [-np.inf, 0.0, 1.0]]), requires_grad=True)
    loss = functional.cross_entropy(logits, np.array([0, 2]), ignore_index=0)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(1 + np.exp(-1)))
    assert np.isfinite(logits.grad).all()


def test_not_a_number_is_wrong():
    with pytest.raises(GradcheckError), np.errstate(invalid="ignore"):
        gradcheck(lambda x: record(x.data * 1.0, (x, lambda dy: dy * np.nan)), [np.ones(1)])


def test_float32_is_refused():
    with pytest.raises(InputError, match="weight is float32"):
        gradcheck(ops.tanh, {"weight": np.ones(2, np.float32)})
