"""The rules of the optimisers, step by step, against the same formulas in numpy."""

import threading

import numpy as np
import pytest

from minirnn import SGD, Adam, AdamW, Parameter, RMSProp, parallel
from minirnn.training import optimizers
from minirnn.training.optimizers import OPTIMIZERS, PIECE

P, GRADIENTS = np.array([1.0, -2.0, 3.0]), np.array([[0.5, -1.0, 2.0], [-0.25, 0.5, 4.0], [1.5, 0.0, -1.0]])


def sgd(p, gs, rate=0.1, momentum=0.0, decay=0.0):
    v = 0.0
    for g in gs:
        v = momentum * v + g + decay * p
        p = p - rate * v
    return p


def rmsprop(p, gs, rate=0.01, alpha=0.99, epsilon=1e-8, decay=0.0):
    s = 0.0
    for g in gs:
        g = g + decay * p
        s = alpha * s + (1 - alpha) * g**2
        p = p - rate * g / (np.sqrt(s) + epsilon)
    return p


def adam(p, gs, rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0, decoupled=0.0):
    m = v = 0.0
    for t, g in enumerate(gs, 1):
        p = p - rate * decoupled * p
        g = g + decay * p
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        p = p - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return p


RULES = {
    "sgd": (lambda p: SGD(p, 0.1), sgd),
    "sgd, momentum": (lambda p: SGD(p, 0.1, momentum=0.7), lambda p, gs: sgd(p, gs, momentum=0.7)),
    "sgd, decay": (lambda p: SGD(p, 0.1, weight_decay=0.3), lambda p, gs: sgd(p, gs, decay=0.3)),
    "sgd, both": (
        lambda p: SGD(p, 0.2, momentum=0.7, weight_decay=0.3),
        lambda p, gs: sgd(p, gs, 0.2, momentum=0.7, decay=0.3),
    ),
    "rmsprop": (lambda p: RMSProp(p), rmsprop),
    "rmsprop, options": (
        lambda p: RMSProp(p, 0.2, alpha=0.6, epsilon=0.5, weight_decay=0.3),
        lambda p, gs: rmsprop(p, gs, 0.2, alpha=0.6, epsilon=0.5, decay=0.3),
    ),
    "adam": (lambda p: Adam(p), adam),
    "adam, options": (
        lambda p: Adam(p, 0.2, betas=(0.6, 0.7), epsilon=0.5, weight_decay=0.3),
        lambda p, gs: adam(p, gs, 0.2, 0.6, 0.7, 0.5, decay=0.3),
    ),
    "adamw": (lambda p: AdamW(p), lambda p, gs: adam(p, gs, decoupled=0.01)),
    "adamw, options": (
        lambda p: AdamW(p, 0.2, betas=(0.6, 0.7), epsilon=0.5, weight_decay=0.3),
        lambda p, gs: adam(p, gs, 0.2, 0.6, 0.7, 0.5, decoupled=0.3),
    ),
}


def test_every_optimizer_has_its_formula_here():
    assert {rule.split(",")[0] for rule in RULES} == set(OPTIMIZERS)


@pytest.mark.parametrize("rule", RULES)
def test_three_steps_are_those_of_the_formula(rule):
    make, formula = RULES[rule]
    p = Parameter(P.copy())
    optimizer = make([p])
    for steps, g in enumerate(GRADIENTS, 1):
        p.grad = g.copy()
        optimizer.step()
        np.testing.assert_allclose(p.data, formula(P, GRADIENTS[:steps]), rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(p.grad, g)  # read, not written
        assert optimizer.num_steps == steps


@pytest.mark.parametrize("rule", RULES)
def test_a_state_that_is_loaded_goes_on_as_before(rule):
    make, formula = RULES[rule]
    p = Parameter(P.copy())
    first = make({"w": p})
    for g in GRADIENTS[:2]:
        p.grad = g
        first.step()
    again = make({"w": p})
    again.load_state_dict(first.state_dict())
    p.grad = GRADIENTS[2]
    again.step()
    np.testing.assert_allclose(p.data, formula(P, GRADIENTS), rtol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 5])
def test_a_large_parameter_is_updated_everywhere_and_once(rule, size):
    make, formula = RULES[rule]
    start, rng = np.linspace(-1, 1, size), np.random.default_rng(0)
    p, gs = Parameter(start.copy()), rng.standard_normal((2, size))
    optimizer = make([p])
    for g in gs:
        p.grad = g
        optimizer.step()
    np.testing.assert_allclose(p.data, formula(start, gs), rtol=1e-9, atol=1e-12)


def test_arrays_that_do_not_lie_in_one_order_are_updated_alike():
    start, g = np.arange(3.0 * PIECE).reshape(3, PIECE), np.random.default_rng(0).standard_normal((PIECE, 3)).T
    for make, formula in RULES.values():
        p = Parameter(start.copy())
        p.grad = g
        make([p]).step()
        np.testing.assert_allclose(p.data, formula(start, [g]), rtol=1e-9, atol=1e-12)


def test_the_learning_rate_may_change_between_steps():
    p = Parameter(P.copy())
    optimizer = SGD([p], 0.1)
    for rate, g in zip((0.1, 0.5, 0.0), GRADIENTS, strict=True):
        optimizer.learning_rate = rate
        p.grad = g
        optimizer.step()
    np.testing.assert_allclose(p.data, P - 0.1 * GRADIENTS[0] - 0.5 * GRADIENTS[1], rtol=1e-15)


def test_t_counts_the_steps_of_the_optimizer_and_not_of_a_parameter():
    p, q = Parameter(P.copy()), Parameter(P.copy())
    optimizer = Adam({"p": p, "q": q}, 0.1)
    p.grad = GRADIENTS[0]
    optimizer.step()  # q has no gradient yet, and keeps still
    np.testing.assert_array_equal(q.data, P)
    q.grad = GRADIENTS[1]
    optimizer.step()
    m, v = 0.1 * GRADIENTS[1], 0.001 * GRADIENTS[1] ** 2
    expected = P - 0.1 * (m / (1 - 0.9**2)) / (np.sqrt(v / (1 - 0.999**2)) + 1e-8)
    np.testing.assert_allclose(q.data, expected, rtol=1e-12)


def test_the_state_is_named_after_its_parameters():
    for name, slots in (
        ("sgd", []),
        ("rmsprop", ["square"]),
        ("adam", ["mean", "square"]),
        ("adamw", ["mean", "square"]),
    ):
        optimizer = OPTIMIZERS[name]({"a": Parameter(P.copy()), "b": Parameter(P[:2].copy())}, 0.1)
        state = optimizer.state_dict()
        assert set(state) == {"num_steps", *(f"{slot}.{p}" for slot in slots for p in "ab")}
        assert all(not array.any() for array in state.values())
    optimizer = SGD([Parameter(P.copy()), Parameter(P.copy())], 0.1, momentum=0.5)
    assert set(optimizer.state_dict()) == {"num_steps", "velocity.0", "velocity.1"}
    assert state["mean.b"].shape == (2,)


def test_a_state_that_is_loaded_takes_the_type_of_the_parameters():
    optimizer = Adam({"p": Parameter(P.astype(np.float32))}, 0.1)
    optimizer.load_state_dict({"mean.p": P, "square.p": P**2, "num_steps": np.array(3)})
    assert {name: array.dtype for name, array in optimizer.running["p"].items()} == {
        "mean": np.float32, "square": np.float32,
    }  # fmt: skip
    assert optimizer.num_steps == 3


def test_gradients_are_forgotten_on_request():
    p = Parameter(P.copy())
    p.grad = GRADIENTS[0]
    SGD([p], 0.1).zero_grad()
    assert p.grad is None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_threads_change_no_bit(name, rng, monkeypatch):
    shapes = [(3,), (PIECE + 5,), (2, PIECE), ()]
    start, gradients = ([rng.standard_normal(s).astype(np.float32) for s in shapes] for _ in range(2))

    def trained(threads):
        monkeypatch.setattr(optimizers, "worthwhile", lambda *_: threads)
        monkeypatch.setattr(parallel, "num_threads", lambda: threads)
        parameters = [Parameter(a.copy()) for a in start]
        optimizer = OPTIMIZERS[name](parameters, 0.1, weight_decay=0.01)
        for _ in range(3):
            for p, g in zip(parameters, gradients, strict=True):
                p.grad = g.copy()
            optimizer.step()
        return [p.data for p in parameters]

    for one, other in zip(trained(1), trained(3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_update_of_ones_own_is_called_by_one_thread(rng, monkeypatch):
    """It may keep something that two threads would spoil."""
    monkeypatch.setattr(optimizers, "worthwhile", lambda *_: 3)
    monkeypatch.setattr(parallel, "num_threads", lambda: 3)
    threads = set()

    class Own(Adam):
        def update(self, p, g, **running):
            threads.add(threading.get_ident())
            super().update(p, g, **running)

    p = Parameter(rng.standard_normal(5 * PIECE))
    p.grad = p.data.copy()
    Own([p]).step()
    assert threads == {threading.get_ident()}
