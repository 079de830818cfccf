"""Optimisers and clipping."""

import numpy as np
import pytest

import minirnn
from minirnn import SGD, Adam, AdamW, InputError, Linear, Parameter, RMSProp
from minirnn.training import OPTIMIZERS, Optimizer
from minirnn.training.optimizers import _named


def quadratic(optimizer, steps=400):
    """Where an optimiser ends on (p - 3)²."""
    p = Parameter(np.zeros(2))
    steps_taken = optimizer({"p": p})
    for _ in range(steps):
        p.grad = 2 * (p.data - 3)
        steps_taken.step()
    return p.data


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: SGD(p, 0.1),
        lambda p: SGD(p, 0.05, momentum=0.9),
        lambda p: RMSProp(p, 0.02),
        lambda p: Adam(p, 0.05),
        lambda p: AdamW(p, 0.05, weight_decay=0.0),
    ],
)
def test_every_optimizer_finds_a_minimum(optimizer):
    np.testing.assert_allclose(quadratic(optimizer), 3, atol=0.05)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_that_has_a_name_is_exported_and_does_what_all_do(name):
    kind = OPTIMIZERS[name]
    assert kind.name == name
    assert kind.__name__ in minirnn.__all__
    assert getattr(minirnn, kind.__name__) is getattr(minirnn.training, kind.__name__) is kind
    # Some rate, without weight decay, leads to the minimum.
    ends = [quadratic(lambda p, rate=rate: kind(p, rate, weight_decay=0.0)) for rate in (0.1, 0.02, 0.005)]
    assert min(abs(end - 3).max() for end in ends) < 0.05
    p = Parameter(np.ones((2, 3), np.float32))
    optimizer = kind({"p": p}, 0.1)
    for _ in range(2):
        p.grad = np.full((2, 3), 0.5, np.float32)
        optimizer.step()
    assert p.dtype == np.float32
    assert (p.data < 1).all()
    state = optimizer.state_dict()
    assert set(state) == {"num_steps", *(f"{slot}.p" for slot in optimizer.slots)}
    again, q = kind({"p": (q := Parameter(p.data.copy()))}, 0.1), q
    again.load_state_dict(state)
    for one, parameter in ((optimizer, p), (again, q)):
        parameter.grad = np.full((2, 3), -0.25, np.float32)
        one.step()
    np.testing.assert_array_equal(p.data, q.data)


def test_a_subclass_without_a_name_of_its_own_is_not_offered():
    class Mine(Adam):
        pass

    assert Mine not in _named(Optimizer).values()


def test_weight_decay_pulls_towards_zero():
    assert (quadratic(lambda p: SGD(p, 0.1, weight_decay=1.0)) < 2.5).all()
    p = Parameter(np.ones(1))
    p.grad = np.zeros(1)
    AdamW({"p": p}, 0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(p.data, 1 - 0.1 * 0.5)


def test_a_saved_optimizer_state_is_a_copy():
    p = Parameter(np.ones(2))
    optimizer = Adam({"p": p}, 0.1)
    state = optimizer.state_dict()
    p.grad = np.ones(2)
    optimizer.step()
    assert not state["mean.p"].any()


def test_a_parameter_without_gradient_stays():
    p = Parameter(np.ones(1))
    AdamW({"p": p}, 0.1, weight_decay=0.5).step()
    assert p.data[0] == 1


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("optimizer", "options", "words"),
    [
        *((make, {"learning_rate": bad}, "learning rate") for make in OPTIMIZERS.values() for bad in (NAN, INF, -1e-9)),
        *((make, {"weight_decay": bad}, "weight decay") for make in OPTIMIZERS.values() for bad in (NAN, INF, -1e-9)),
        *((SGD, {"momentum": bad}, "momentum") for bad in (NAN, 1.0, -0.1)),
        *((RMSProp, {"alpha": bad}, "alpha") for bad in (NAN, 1.0, 1.5, -0.5)),
        *((make, {"epsilon": bad}, "epsilon") for make in (RMSProp, Adam, AdamW) for bad in (NAN, INF, -1)),
        *((Adam, {"betas": (bad, 0.9)}, "first beta") for bad in (NAN, 1.0, -0.1)),
        *((Adam, {"betas": (0.9, bad)}, "second beta") for bad in (NAN, 1.0, -0.1)),
    ],
)
def test_numbers_out_of_their_range_are_refused(optimizer, options, words):
    with pytest.raises(InputError, match=words):
        optimizer([Parameter(np.ones(2))], **{"learning_rate": 0.1, **options})


def test_the_ends_of_the_ranges_are_allowed():
    p = Parameter(np.ones(1))
    for optimizer in (
        SGD([p], 0, momentum=0, weight_decay=0), RMSProp([p], 0, alpha=0, epsilon=0),
        Adam([p], 0, betas=(0, 0), epsilon=0),
    ):  # fmt: skip
        p.grad = np.ones(1)
        optimizer.step()
        assert p.data[0] == 1


def test_a_learning_rate_that_is_set_later_is_checked_too():
    optimizer = SGD([Parameter(np.ones(1))], 0.1)
    with pytest.raises(InputError, match="learning rate"):
        optimizer.learning_rate = NAN
    assert optimizer.learning_rate == 0.1


def test_numbers_of_numpy_change_no_dtype():
    p = Parameter(np.ones(3, np.float32))
    half = np.float64(0.5)
    for optimizer in (
        SGD([p], half, momentum=half, weight_decay=half), RMSProp([p], half, alpha=half, epsilon=half),
        AdamW([p], half, betas=(half, half), epsilon=half, weight_decay=half),
    ):  # fmt: skip
        p.grad = np.ones(3, np.float32)
        seen = []
        update = optimizer.update
        optimizer.update = lambda p, g, **running: (seen.append(g.dtype), update(p, g, **running))  # noqa: B023
        optimizer.step()
        assert seen == [np.float32]
        assert type(optimizer.learning_rate) is float


def test_a_tied_weight_is_one_parameter():
    for make in OPTIMIZERS.values():
        moved = []
        for repeats in (1, 3):
            p = Parameter(np.ones(2))
            optimizer = make([p] * repeats, 0.1)
            for g in (1.0, 2.0):
                p.grad = np.full(2, g)
                optimizer.step()
            moved.append(p.data)
        np.testing.assert_array_equal(*moved)
    p = Parameter(np.ones(2))
    assert list(SGD({"embedding": p, "output": p}, 0.1).parameters) == ["embedding"]


def test_one_parameter_by_itself_is_a_list_of_one():
    p = Parameter(np.ones((2, 2)))
    p.grad = np.ones((2, 2))
    SGD(p, 0.1).step()
    np.testing.assert_allclose(p.data, 0.9)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([], InputError, "no parameters"), ({}, InputError, "no parameters"), (iter(()), InputError, "no parameters"),
        (Linear(2, 2), TypeError, r"parameters\(\)"), (3, TypeError, "not int"),
        ([np.ones(2)], TypeError, "not ndarray"), (["weight"], TypeError, "not str"),
        ([Parameter(np.ones(2)) * 2], TypeError, "result of an operation"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_parameters_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        SGD(given, 0.1)


def test_the_state_of_another_optimizer_is_refused():
    def parameters():
        return {"p": Parameter(np.ones(2)), "q": Parameter(np.ones(3))}

    adam = Adam(parameters())
    whole = adam.state_dict()
    for other in (SGD(parameters(), 0.1), RMSProp(parameters()), SGD(parameters(), 0.1, momentum=0.5)):
        with pytest.raises(InputError, match=r"another optimiser's|has no velocity"):
            other.load_state_dict(whole)
    with pytest.raises(InputError, match=r"no square of shape \(3,\) for q"):
        adam.load_state_dict({**whole, "square.q": np.ones(2)})
    with pytest.raises(InputError, match=r"no mean of shape \(2,\) for p"):
        adam.load_state_dict({name: array for name, array in whole.items() if name != "mean.p"})
    for bad in ({}, {"num_steps": np.array(-1)}, {"num_steps": np.array(1.5)}, {"num_steps": np.array([1])}):
        with pytest.raises(InputError, match="num_steps"):
            adam.load_state_dict(
                {k: v for k, v in whole.items() if k != "num_steps"} | {"mean.p": np.full(2, 9.0)} | bad
            )
        assert adam.running["p"]["mean"].max() == 0  # nothing was changed
    adam.load_state_dict({**whole, "mean.p": np.full(2, 9.0), "num_steps": np.array(0)})
    assert adam.running["p"]["mean"].tolist() == [9, 9]
