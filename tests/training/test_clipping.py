"""Clipping gradients to a norm."""

import device_double
import numpy as np
import pytest

from minirnn import RNN, InputError, Linear, Parameter, Tensor, clip_grad_norm


def with_gradient(*numbers, dtype=np.float64):
    p = Parameter(np.zeros(len(numbers), dtype))
    p.grad = np.array(numbers, dtype)
    return p


@pytest.fixture(params=["cpu", "gpu"])
def place(request, monkeypatch):
    """Puts parameters on a device, and takes an array from there."""
    if request.param == "cpu":
        return lambda *parameters: parameters, np.asarray
    monkeypatch.setitem(__import__("sys").modules, "cupy", device_double)

    def there(*parameters):
        for p in parameters:
            p.data = device_double.asarray(p.data)
            p.grad = None if p.grad is None else device_double.asarray(p.grad)
        device_double.syncs = 0
        return parameters

    return there, lambda array: array.get()


def test_short_gradients_stay_as_they_are(place):
    there, host = place
    p, q = there(with_gradient(0.3, 0.4), Parameter(np.zeros(1)))
    assert host(clip_grad_norm([p, q], 0.5000001)) == pytest.approx(0.5, rel=1e-15)
    np.testing.assert_array_equal(host(p.grad), [0.3, 0.4])
    assert q.grad is None


def test_long_gradients_keep_their_joint_direction(place):
    there, host = place
    p, q = there(with_gradient(3, -4), with_gradient(-12))
    assert host(clip_grad_norm([p, q], 6.5)) == pytest.approx(13, rel=1e-15)
    np.testing.assert_allclose(host(p.grad), [1.5, -2], rtol=1e-15)
    np.testing.assert_allclose(host(q.grad), [-6], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-149, -126, -75, -31, -30, 0, 30, 31, 64, 100, 126])
@pytest.mark.parametrize("max_norm", [1e-20, 1.0, 1e20])
def test_no_size_is_too_large_or_too_small(dtype, exponent, max_norm, place):
    there, host = place
    size = 2.0**exponent
    (p,) = there(with_gradient(size, 0, -size, size, size, dtype=dtype))
    device_double.syncs = 0
    norm = clip_grad_norm([p], max_norm)
    assert device_double.syncs == 0
    assert host(norm) == pytest.approx(2 * size, rel=1e-6)
    expected = min(size, max_norm / 2)
    np.testing.assert_allclose(host(p.grad), [expected, 0, -expected, expected, expected], rtol=1e-6)
    assert host(p.grad).dtype == dtype


def test_a_norm_beyond_the_type_is_clipped_all_the_same(place):
    there, host = place
    (p,) = there(with_gradient(*[-3e38] * 4, dtype=np.float32))
    assert host(clip_grad_norm([p], 1.0)) == pytest.approx(6e38, rel=1e-6)
    np.testing.assert_allclose(host(p.grad), -0.5, rtol=1e-6)
    (p,) = there(with_gradient(*[1.7e308] * 4))
    assert host(clip_grad_norm([p], 1.0)) == np.inf
    np.testing.assert_allclose(host(p.grad), 0.5, rtol=1e-15)


@pytest.mark.parametrize(("bad", "norm"), [(np.inf, np.inf), (-np.inf, np.inf), (np.nan, np.nan)])
def test_without_a_direction_nothing_changes_and_the_norm_says_so(bad, norm, place):
    there, host = place
    (p,) = there(with_gradient(bad, 5, dtype=np.float32))
    np.testing.assert_equal(float(host(clip_grad_norm([p], 1.0))), norm)
    np.testing.assert_array_equal(host(p.grad), [bad, 5])


def test_zero_gradients_stay_zero(place):
    there, host = place
    (p,) = there(with_gradient(0, 0))
    assert host(clip_grad_norm([p], 1.0)) == 0
    np.testing.assert_array_equal(host(p.grad), [0, 0])


def test_an_exploding_network_is_clipped():
    rnn, output = RNN(1, 16, nonlinearity="relu", rng=0), Linear(16, 1, rng=0)
    rnn.U_l0.data = np.abs(rnn.U_l0.data)
    parameters = [*rnn.parameters(), *output.parameters()]
    y, _ = rnn(Tensor(np.ones((100, 4, 1), np.float32)))
    (output(y[-1]) * 1e-12).sum().backward()
    before = [p.grad.astype(np.float64) for p in parameters]
    norm = np.sqrt(sum((g * g).sum() for g in before))
    assert norm > 1e19
    assert clip_grad_norm(parameters, 1.0) == pytest.approx(norm, rel=1e-5)
    for p, g in zip(parameters, before, strict=True):
        np.testing.assert_allclose(p.grad, g / norm, rtol=1e-4, atol=1e-12)


def test_a_parameter_counts_once_and_may_come_by_itself():
    p = with_gradient(3, 4)
    assert clip_grad_norm([p, p], 1.0) == 5
    np.testing.assert_allclose(p.grad, [0.6, 0.8], rtol=1e-15)
    p = with_gradient(3, 4)
    assert clip_grad_norm(p, 1.0) == 5
    np.testing.assert_allclose(p.grad, [0.6, 0.8], rtol=1e-15)
    assert clip_grad_norm([Parameter(np.ones(2))], 1.0) == 0


def test_infinity_only_measures():
    p = with_gradient(3, 4)
    assert clip_grad_norm([p], np.inf) == 5
    np.testing.assert_array_equal(p.grad, [3, 4])


def test_parameters_without_elements_have_no_norm():
    assert clip_grad_norm([with_gradient(), with_gradient(3, 4)], 10.0) == 5


@pytest.mark.parametrize("max_norm", [0, -1.0, float("nan"), -np.inf])
def test_a_norm_that_makes_no_sense_is_refused(max_norm):
    p = with_gradient(3, 4)
    with pytest.raises(InputError, match="above 0"):
        clip_grad_norm([p], max_norm)
    np.testing.assert_array_equal(p.grad, [3, 4])


def test_no_parameters_are_refused():
    with pytest.raises(InputError, match="no parameters"):
        clip_grad_norm([], 1.0)
    with pytest.raises(TypeError, match=r"parameters\(\)"):
        clip_grad_norm(Linear(1, 1), 1.0)
