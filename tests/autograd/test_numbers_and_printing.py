"""A tensor as a number, as text, and among NumPy's own functions."""

import copy
import math
import pickle
import re

import numpy as np
import pytest

import minirnn
from minirnn import InputError, Parameter, Tensor, functional, grad, ops
from minirnn.autograd import activations
from minirnn.keywords import MODULE_OF_TORCH, TENSOR_OF_TORCH

ONE = Tensor(np.array(2.71828), requires_grad=True)
MANY = Tensor(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), requires_grad=True)


def test_a_tensor_of_one_number_is_a_number():
    for one in (ONE, ONE.reshape(1, 1), ONE * 1):
        assert f"{one:.3f}" == "2.718"
        assert f"{one:8.2e}" == "2.72e+00"
        assert round(one) == 3
        assert isinstance(round(one), int)
        assert round(one, 2) == 2.72
        assert int(one) == 2
        assert float(one) == 2.71828
        assert math.exp(one) == pytest.approx(math.e**2.71828)
        assert bool(one)
    assert not Tensor(0.0)
    assert "{}".format(Tensor(0.5)) == str(Tensor(0.5))  # noqa: UP032
    assert f"{MANY}" == str(MANY)


@pytest.mark.parametrize("x", [MANY, MANY[:0]])
def test_several_numbers_are_not_one(x):
    shape = re.escape(str(x.shape))
    for ask in (bool, lambda x: x and 1, lambda x: not x):
        with pytest.raises(ValueError, match=rf"whether a tensor of shape {shape} is true.*\(x > 0\)\.any\(\)"):
            ask(x)
    for ask in (float, int, round, Tensor.item):
        with pytest.raises(ValueError, match=rf"a tensor of shape {shape} is no single number: .*tolist"):
            ask(x)
    with pytest.raises(TypeError, match=rf"the format '.3f' is for one number, not for a tensor of shape {shape}"):
        f"{x:.3f}"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("view", "x.reshape(…)"),
        ("clamp", "x.clip(…)"),
        ("cuda", 'x.to("gpu")'),
        ("numel", "x.size"),
        ("grad_fn", "x.node"),
    ],
)
def test_an_attribute_of_torchs_tensors_is_answered(name, advice):
    with pytest.raises(AttributeError, match=re.escape(f"'Tensor' object has no attribute {name!r}: write {advice}")):
        getattr(MANY, name)


def test_every_answer_names_what_is_there():
    for answers in (TENSOR_OF_TORCH, MODULE_OF_TORCH):
        for name, advice in answers.items():
            thing = MANY if answers is TENSOR_OF_TORCH else minirnn.Linear(1, 1)
            assert not hasattr(thing, name)
            for attribute in re.findall(r"\b(?:x|model)\.([a-z_]+)", advice):
                assert hasattr(thing, attribute) or attribute == "name", advice
            for function in re.findall(r"\bminirnn\.(?:ops\.)?([a-z_]+)\(", advice):
                assert hasattr(ops, function)


def test_an_attribute_that_nobody_has_is_simply_not_there():
    with pytest.raises(AttributeError, match=r"'Tensor' object has no attribute 'vew'$"):
        _ = MANY.vew


def test_tensors_are_copied_and_pickled_as_ever():
    for twin in (copy.copy(MANY), copy.deepcopy(MANY), pickle.loads(pickle.dumps(MANY))):
        assert repr(twin) == repr(MANY)


def test_what_has_no_axes_has_no_length():
    with pytest.raises(TypeError, match="without axes has no length"):
        len(ONE)


# Text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (Tensor([1, 2]), "Tensor([1., 2.])"),
        (Tensor(1.5), "Tensor(1.5)"),
        (MANY, "Tensor([[1., 2.],\n        [3., 4.]], requires_grad=True)"),
        (MANY * 2, "Tensor([[2., 4.],\n        [6., 8.]], operation='multiply')"),
        (MANY.sum(), "Tensor(10., operation='sum')"),
        (ONE, "Tensor(2.71828, dtype=float64, requires_grad=True)"),
        (Parameter(np.zeros(2, np.float32)), "Parameter([0., 0.])"),
        (Tensor(np.zeros((0, 3), np.float32)), "Tensor([], shape=(0, 3))"),
        (Tensor([]), "Tensor([])"),
        (activations.relu6(MANY)[0, 0], "Tensor(1., operation='getitem')"),
        (activations.elu(Tensor([1.0], requires_grad=True)), "Tensor([1.], operation='elu')"),
        (ops.unstack(MANY)[0], "Tensor([1., 2.], operation='unstack')"),
        (ops.split(MANY, 2)[0][0], "Tensor([1., 2.], operation='getitem')"),
        (MANY.max(), "Tensor(4., operation='max')"),
        (functional.mse_loss(MANY, MANY.data), "Tensor(0., operation='mse_loss')"),
    ],
)
def test_a_tensor_prints_as_what_it_is(x, text):
    assert repr(x) == str(x) == text


def test_a_frozen_parameter_and_a_large_tensor_say_so():
    p = Parameter(np.zeros(2, np.float32))
    p.requires_grad = False
    assert repr(p) == "Parameter([0., 0.], requires_grad=False)"
    text = repr(Tensor(np.zeros((100, 200), np.float32), requires_grad=True))
    assert "shape=(100, 200)" in text
    assert "..." in text
    assert max(map(len, repr(Tensor(np.arange(30.0), requires_grad=True)).split("\n"))) <= 80


def test_a_node_of_the_tape_tells_what_it_computes_from_what():
    assert repr((MANY * 2).node) == "<multiply of (2, 2) from a leaf>"
    assert repr((MANY * MANY.exp()).sum().node) == "<sum of (2, 2) from multiply>"
    assert repr((MANY @ MANY.exp()).node) == "<matmul of (2, 2) from a leaf, (2, 2) from exp>"


def test_a_notebook_shows_a_table():
    table = MANY._repr_html_()
    assert table.count("<tr>") == 3
    assert "<td>4</td>" in table
    assert "Tensor of shape (2, 2), requires_grad=True" in table
    large = Tensor(np.zeros((100, 200)))._repr_html_()
    assert large.count("<td>") == 13 * 13
    assert "…" in large
    assert Tensor([1.0, 2.0])._repr_html_().count("<tr>") == 2
    for text in (ONE, Tensor(np.zeros((2, 2, 2))), Tensor([])):
        assert text._repr_html_().startswith("<div><pre>Tensor(")
    assert "&#x27;multiply&#x27;" in (MANY * 2)._repr_html_()


# NumPy's functions


def test_operators_with_an_array_on_the_left_are_the_tensors():
    array = np.array([[1.0, 5.0], [3.0, 0.0]], np.float32)
    for found, expected in (
        (array + MANY, array + MANY.data), (array - MANY, array - MANY.data), (array * MANY, array * MANY.data),
        (array / MANY, array / MANY.data), (array @ MANY, array @ MANY.data), (np.float64(2) * MANY, 2 * MANY.data),
        (np.float32(2) - MANY, 2 - MANY.data),
    ):  # fmt: skip
        assert isinstance(found, Tensor)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.data, expected)
        assert grad(found.sum(), MANY)[0] is not None
    for found, expected in (
        (array < MANY, array < MANY.data), (array <= MANY, array <= MANY.data), (array > MANY, array > MANY.data),
        (array >= MANY, array >= MANY.data), (array == MANY, array == MANY.data), (array != MANY, array != MANY.data),
        (np.float64(2) > MANY, MANY.data < 2),
    ):  # fmt: skip
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, expected)
    array += MANY
    assert isinstance(array, Tensor)


@pytest.mark.parametrize(
    "name",
    ["exp", "log", "sqrt", "tanh", "abs", "maximum", "clip", "concatenate", "sum", "max", "where", "mean", "std",
     "stack", "reshape", "add", "amax", "einsum", "transpose", "argmax"],
)  # fmt: skip
def test_a_function_that_minirnn_has_is_named(name):
    arguments = {
        "maximum": (MANY, 1), "clip": (MANY, 0, 1), "concatenate": ([MANY, MANY],), "where": (MANY > 0, MANY, 0),
        "stack": ([MANY, MANY],), "reshape": (MANY, (4,)), "add": (MANY, 1), "einsum": ("ij->i", MANY),
    }.get(name, (MANY,))  # fmt: skip
    with pytest.raises(TypeError, match=r"np\.\w+ would lose the gradient of a Tensor: write .*minirnn") as failure:
        getattr(np, name)(*arguments)
    (path,) = re.findall(r"minirnn\.([\w.]+)\(x\)", str(failure.value))
    found = minirnn
    for part in path.split("."):
        found = getattr(found, part)
    assert callable(found)
    for method in re.findall(r" x\.(\w+)\(\)", str(failure.value)):
        assert callable(getattr(MANY, method))


def test_the_advice_is_worth_following():
    with pytest.raises(
        TypeError, match=r"^np\.exp would lose the gradient of a Tensor: write x\.exp\(\) or minirnn\.exp\(x\)$"
    ):
        np.exp(MANY)
    with pytest.raises(TypeError, match=r"write x\.abs\(\) or minirnn\.ops\.abs\(x\)$"):
        np.abs(MANY)


def test_other_functions_of_elements_are_refused_and_say_how():
    with pytest.raises(TypeError, match=r"np\.sin is not known of a Tensor: .*np\.sin\(x\.numpy\(\)\)"):
        np.sin(MANY)
    with pytest.raises(TypeError, match=r"np\.multiply"):
        np.multiply.reduce(MANY)
    elsewhere = np.zeros((2, 2), np.float32)
    with pytest.raises(TypeError, match=r"np\.add"):  # which would stay as it is
        np.add(np.ones((2, 2), np.float32), MANY, out=elsewhere)


def test_functions_that_only_look_look_at_the_values():
    assert np.shape(MANY) == (2, 2)
    assert np.allclose(MANY, MANY.data)
    assert np.array_equal([MANY, MANY], [MANY.data] * 2)
    np.testing.assert_allclose(MANY, MANY.data)
    assert np.atleast_1d(ONE).tolist() == [2.71828]


# torch


class FakeTorchTensor:
    dtype, shape, ndim = "torch.float32", (2,), 1


FakeTorchTensor.__module__ = "torch"


def test_a_tensor_of_torchs_is_told_how_to_come_in():
    for call in (lambda x: ops.clip(x, 0), ops.prod, ops.flatten, lambda x: functional.mse_loss(x, MANY), ops.norm):
        with pytest.raises(
            TypeError, match=r"not a torch tensor: take x\.detach\(\)\.cpu\(\)\.numpy\(\) and wrap it, as Tensor"
        ):
            call(FakeTorchTensor())
    with pytest.raises(InputError, match=r"not a torch tensor: take x\.detach\(\)\.cpu\(\)\.numpy\(\)$"):
        Tensor(FakeTorchTensor())
    with pytest.raises(TypeError, match=r"ids must be an integer array, not torch\..*: write ids\.cpu\(\)\.numpy\(\)"):
        functional.embedding(MANY, FakeTorchTensor())


def test_a_real_tensor_of_torchs_too():
    torch = pytest.importorskip("torch")
    for call in (lambda x: MANY + x, lambda x: x * MANY, lambda x: x @ MANY, minirnn.Linear(2, 2)):
        with pytest.raises(TypeError, match="torch tensor: take"):
            call(torch.ones(2, 2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MANY.sum(dim=1), "sum takes no dim=: write axis=1"),
        (lambda: MANY.mean(axis=0, keepdim=True), "mean takes no keepdim=: write keepdims=True"),
        (lambda: ops.max(MANY, dim=-1), "max takes no dim=: write axis=-1"),
        (lambda: MANY.softmax(dim=-1), "softmax takes no dim=: write axis=-1"),
        (lambda: minirnn.softmax(MANY, dim=-1), "write axis=-1"),
        (lambda: minirnn.log_softmax(MANY, dim=-1), "write axis=-1"),
        (lambda: minirnn.concatenate([MANY, MANY], dim=1), "concatenate takes no dim=: write axis=1"),
        (lambda: minirnn.stack([MANY, MANY], dim=1), "write axis=1"),
        (lambda: MANY.cumsum(dim=0), "write axis=0"),
        (lambda: MANY.unsqueeze(dim=0), "write axis=0"),
        (lambda: MANY.flatten(start_dim=1), "flatten takes no start_dim=: write start_axis=1"),
        (lambda: MANY.var(unbiased=True), "correction=1 to divide by n-1, as torch does by itself"),
        (lambda: MANY.std(ddof=1), "std takes no ddof=: write correction=1"),
        (lambda: MANY.argmax(dim=1), "write axis=1"),
    ],
)
def test_keywords_of_torchs_are_answered(call, words):
    with pytest.raises(TypeError, match=re.escape(words)):
        call()


def test_other_keywords_are_refused_as_python_does():
    with pytest.raises(TypeError, match="unexpected keyword argument 'axs'"):
        MANY.sum(axs=1)
