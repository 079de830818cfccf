"""Optimisers and clipping."""

import numpy as np
import pytest

from minirnn import SGD, Adam, AdamW, InputError, Parameter, RMSProp, clip_grad_norm


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


def test_optimizer_errors():
    with pytest.raises(InputError, match="learning rate"):
        SGD({}, float("nan"))
    with pytest.raises(InputError, match="weight decay"):
        SGD({}, 1.0, weight_decay=-1)
    with pytest.raises(InputError, match="learning rate"):
        Adam({}, float("inf"))
    with pytest.raises(InputError, match="momentum"):
        SGD({}, 1.0, momentum=1.0)
    with pytest.raises(InputError, match="betas"):
        Adam({}, betas=(1.0, 0.9))
    with pytest.raises(InputError, match="num_steps"):
        SGD({}, 1.0).load_state_dict({})
    with pytest.raises(InputError, match="no mean of shape"):
        Adam({"p": Parameter(np.ones(2))}).load_state_dict({"num_steps": np.array(1)})


def test_clipping_leaves_short_gradients_alone():
    p = Parameter(np.zeros(2))
    p.grad = np.array([0.3, 0.4])
    assert clip_grad_norm([p], 1.0) == pytest.approx(0.5)
    np.testing.assert_array_equal(p.grad, [0.3, 0.4])
    p.grad = np.zeros(2)
    assert clip_grad_norm([p, Parameter(np.zeros(1))], 1.0) == 0
    assert np.isfinite(p.grad).all()
