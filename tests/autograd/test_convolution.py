"""Convolution and pooling against their definitions, window by window."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import AvgPool2d, Conv2d, InputError, Linear, MaxPool2d, Module, ReLU, Sequential, Tensor, parallel
from minirnn.autograd import convolution
from minirnn.autograd.functional import avg_pool2d, conv2d, max_pool2d


def at_each_window(x, kernel, stride, padding, margin, act):
    """`act` of every window (B, C, kh, kw), put together: (B, …, places down, places across)."""
    (p, q), (s, t), (kh, kw) = padding, stride, kernel
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=margin)
    rows, columns = range(0, x.shape[2] - kh + 1, s), range(0, x.shape[3] - kw + 1, t)
    return np.stack([np.stack([act(x[:, :, u : u + kh, v : v + kw]) for v in columns], -1) for u in rows], -2)


sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(
    kernel=sizes, stride=sizes, padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    size=st.tuples(st.integers(3, 7), st.integers(3, 7)), B=st.integers(0, 4), at_once=st.sampled_from([1, 50, 2**17]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_each_place_is_the_window_times_the_filter(kernel, stride, padding, size, B, at_once, seed):
    rng = np.random.default_rng(seed)
    x, w, b = rng.standard_normal((B, 2, *size)), rng.standard_normal((3, 2, *kernel)), rng.standard_normal(3)
    X, W, bias = (Tensor(a, requires_grad=True) for a in (x, w, b))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "AT_ONCE", at_once)
        patch.setattr(parallel, "num_threads", lambda: 1 + seed % 3)
        y = conv2d(X, W, bias, stride=stride, padding=padding)
        filters = lambda window: np.einsum("bcij,fcij->bf", window, w) + b
        np.testing.assert_allclose(
            y.data, at_each_window(x, kernel, stride, padding, 0, filters).reshape(y.shape), atol=1e-12
        )
        dy = rng.standard_normal(y.shape)
        y.backward(dy)
    dx = np.zeros((B, 2, size[0] + 2 * padding[0], size[1] + 2 * padding[1]))
    dw, padded = np.zeros_like(w), np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    for u, v in itertools.product(range(y.shape[2]), range(y.shape[3])):
        at = (..., slice(u * stride[0], u * stride[0] + kernel[0]), slice(v * stride[1], v * stride[1] + kernel[1]))
        dx[at] += np.einsum("bf,fcij->bcij", dy[:, :, u, v], w)
        dw += np.einsum("bf,bcij->fcij", dy[:, :, u, v], padded[at])
    dx = dx[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    for found, expected in ((X.grad, dx), (W.grad, dw), (bias.grad, dy.sum(axis=(0, 2, 3)))):
        np.testing.assert_allclose(found, expected, atol=1e-11)


@given(
    kernel=sizes, stride=sizes, size=st.tuples(st.integers(3, 7), st.integers(3, 7)), seed=st.integers(0, 99),
    pads=st.booleans(),
)  # fmt: skip
def test_pooling_is_the_greatest_and_the_mean_of_each_window(kernel, stride, size, seed, pads):
    rng, padding = np.random.default_rng(seed), tuple(pads * (k // 2) for k in kernel)
    x = rng.standard_normal((2, 3, *size))
    options = {"stride": stride, "padding": padding}
    greatest = at_each_window(x, kernel, stride, padding, -np.inf, lambda window: window.max(axis=(2, 3)))
    mean = at_each_window(x, kernel, stride, padding, 0, lambda window: window.mean(axis=(2, 3)))
    np.testing.assert_array_equal(max_pool2d(Tensor(x), kernel, **options).data, greatest)
    np.testing.assert_allclose(avg_pool2d(Tensor(x), kernel, **options).data, mean, atol=1e-14)


def test_of_equals_the_first_gets_the_gradient_and_nan_is_the_greatest():
    x = Tensor(np.array([[[[1.0, 5, 5], [5, 2, 5], [0, 5, 5]]]]), requires_grad=True)
    max_pool2d(x, 3).sum().backward()
    np.testing.assert_array_equal(x.grad[0, 0], [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    x = np.ones((1, 1, 2, 2))
    x[0, 0, 0, 1] = np.nan
    assert np.isnan(max_pool2d(Tensor(x), 2).data).all()


def test_single_precision_stays_single():
    x = Tensor(np.ones((2, 1, 4, 4), np.float32), requires_grad=True)
    layer = Sequential(Conv2d(1, 2, 3, padding=1, rng=0), ReLU(), MaxPool2d(2), AvgPool2d(2))
    y = layer(x)
    assert (y.shape, y.dtype) == ((2, 2, 1, 1), np.float32)
    y.sum().backward()
    assert {x.grad.dtype, *(p.grad.dtype for p in layer.parameters())} == {np.dtype(np.float32)}


def test_only_what_is_trained_gets_a_gradient():
    x, w = Tensor(np.ones((2, 1, 4, 4))), Tensor(np.ones((3, 1, 2, 2)), requires_grad=True)
    conv2d(x, w).sum().backward()
    assert x.grad is None
    np.testing.assert_array_equal(w.grad, np.full((3, 1, 2, 2), 18))
    x, w = Tensor(np.ones((2, 1, 4, 4)), requires_grad=True), Tensor(np.ones((3, 1, 2, 2)))
    conv2d(x, w).sum().backward()
    assert w.grad is None
    assert x.grad[0, 0, 1, 1] == 12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, w: conv2d(Tensor(x[0]), w), "expected pictures"),
        (lambda x, w: conv2d(x, Tensor(w.data[0])), "expected filters"),
        (lambda x, w: conv2d(x, Tensor(np.ones((3, 5, 2, 2)))), "filters have 5 channels, the pictures 2"),
        (lambda x, w: conv2d(x, w, Tensor(np.ones(2))), "a bias for each of 3 filters"),
        (lambda x, w: conv2d(x, w, stride=0), "the stride must be an integer of at least 1, not 0"),
        (lambda x, w: conv2d(x, w, padding=-1), "the padding must be an integer of at least 0, not -1"),
        (lambda x, w: conv2d(x, w, padding=(1, 2, 3)), "one for the height and one for the width"),
        (lambda x, w: conv2d(x, Tensor(np.ones((1, 2, 9, 1)))), "does not fit into pictures"),
        (lambda x, w: max_pool2d(x, 2, padding=2), "more than half of the window"),
        (lambda x, w: avg_pool2d(x, 7), "does not fit"),
        (lambda x, w: Conv2d(0, 1, 1), "in_channels"),
        (lambda x, w: Conv2d(1, 1, (1, 0)), "kernel_size"),
        (lambda x, w: Conv2d(1, 1, 1, dtype=np.int64), "dtype"),
        (lambda x, w: MaxPool2d(1.5), "kernel_size"),
        (lambda x, w: Sequential(Linear(1, 1), np.tanh), "number 1 is a"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    x, w = Tensor(np.ones((2, 2, 4, 4))), Tensor(np.ones((3, 2, 2, 2)))
    with pytest.raises(InputError, match=message):
        call(x, w)
    for wrong in (
        lambda: conv2d(x.data, w),
        lambda: max_pool2d(x.data, 2),
        lambda: conv2d(x, Tensor(np.float32(w.data))),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_a_sequence_of_modules_is_one():
    layers = Linear(3, 4, rng=0), ReLU(), Linear(4, 2, rng=1)
    whole = Sequential(*layers)
    x = Tensor(np.ones((5, 3), np.float32))
    np.testing.assert_array_equal(whole(x).data, layers[2](layers[1](layers[0](x))).data)
    assert list(whole.named_parameters()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert (len(whole), whole[1], list(whole)) == (3, layers[1], list(layers))

    class Model(Module):
        def __init__(self):
            self.cnn = whole

    assert "cnn.2.weight" in Model().named_parameters()
    copy = Sequential(Linear(3, 4), ReLU(), Linear(4, 2))
    copy.load_torch(whole.to_torch())
    np.testing.assert_array_equal(copy(x).data, whole(x).data)
    assert Sequential()(x) is x
