"""The tape: what people expect of a Tensor, and that walking back is right every time."""

import gc
import weakref

import numpy as np
import pytest

from minirnn import SGD, Parameter, Tensor, clip_grad_norm, grad, no_grad, ops
from minirnn.autograd.tensor import record_many


def leaf(*shape, dtype=np.float64, seed=0):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def test_numbers_become_float32_and_arrays_keep_their_dtype():
    assert Tensor([1, 2]).dtype == np.float32
    assert Tensor(1.0).dtype == np.float32
    assert Tensor(np.zeros(2)).dtype == np.float64
    assert Tensor(np.arange(2)).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_operator_changes_the_dtype(dtype):
    x = leaf(2, 3, dtype=dtype)
    results = [
        x + 1, 1 - x, x * np.float64(2), np.float64(2) * x, 3 / (x * x + 1), -x, x**2, x @ x.T, x.mean(), x.sum(0),
        x.max(1), x + np.arange(3), ops.where(x > 0, x, 0.0), ops.sigmoid(x), x[np.array([0, 0])], x * (x > 0),
    ]  # fmt: skip
    assert {y.dtype for y in results} == {np.dtype(dtype)}
    for y in results:
        assert grad(y, [x], np.ones(y.shape, dtype))[0].dtype == dtype


def test_float32_and_float64_do_not_mix():
    with pytest.raises(TypeError, match="float64 meets float32"):
        leaf(2) + leaf(2, dtype=np.float32)
    with pytest.raises(TypeError, match="float32 meets float64"):
        leaf(2, dtype=np.float32) * np.ones(2)


def test_operators_compute_what_numpy_computes():
    a, b = leaf(2, 3), leaf(3, seed=1)
    x, y = a.data, b.data
    for ours, expected in [
        (a + b, x + y), (a - b, x - y), (a * b, x * y), (a / b, x / y), (1 - a, 1 - x), (2 / a, 2 / x), (a @ b, x @ y),
        (x @ b, x @ y), (-a, -x), (a**3, x**3), (a[1, ::2], x[1, ::2]), (a.T, x.T), (a.reshape(3, 2), x.reshape(3, 2)),
        (a.sum(), x.sum()), (a.mean(axis=1, keepdims=True), x.mean(axis=1, keepdims=True)), (a.max(axis=0),
        x.max(axis=0)), (a.transpose(1, 0), x.T), (y - a, y - x), (y + a, y + x), (y * a, y * x),
    ]:  # fmt: skip
        assert isinstance(ours, Tensor)
        np.testing.assert_allclose(ours.data, expected, rtol=1e-15)
    assert (a > 0).tolist() == (x > 0).tolist()
    assert (a == a).all()
    assert not (a != x).any()
    assert [row.shape for row in a] == [(3,), (3,)]
    assert len(a) == 2


def test_a_tensor_used_twice_receives_both_gradients():
    x = leaf(3)
    (x * x + x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * x.data + 1)


def test_a_diamond_is_walked_once():
    x = leaf(3)
    y = x * 2
    z = y * y + y * 3
    z.sum().backward()
    np.testing.assert_allclose(x.grad, 2 * (2 * y.data + 3))


def test_backward_twice_adds_the_same_again():
    x = leaf(3)
    loss = (ops.tanh(x) * x).sum()
    loss.backward()
    once = x.grad.copy()
    loss.backward()
    np.testing.assert_allclose(x.grad, 2 * once)


def test_leaves_own_their_gradients():
    a, b = leaf(3), leaf(3)
    (a + b).sum().backward()
    a.grad *= 100
    np.testing.assert_array_equal(b.grad, np.ones(3))


def test_grad_reaches_intermediate_tensors_and_changes_nothing():
    x = leaf(3)
    y = x * 3
    z = y * y
    dy, dx, none = grad(z.sum(), [y, x, leaf(2)])
    np.testing.assert_allclose(dy, 2 * y.data)
    np.testing.assert_allclose(dx, 6 * y.data)
    assert none is None
    assert grad(z.sum(), []) == []
    assert x.grad is None


def test_a_power_of_zero_is_constant_also_at_zero():
    x = Tensor(np.zeros(2), requires_grad=True)
    assert grad((x**0).sum(), [x])[0].tolist() == [0, 0]


def test_astype_converts_values_and_gradients():
    x = leaf(3, dtype=np.float32)
    y = x.astype(np.float64)
    assert y.dtype == np.float64
    assert grad((y * y).sum(), [x])[0].dtype == np.float32


def test_no_grad_records_nothing():
    x = leaf(3)
    with no_grad():
        y = x * 2
    assert not y.requires_grad
    assert y.node is None
    assert (x * 2).requires_grad


def test_constants_and_detached_tensors_get_no_gradient():
    x, constant = leaf(3), Tensor(np.ones(3))
    (x.detach() * x * constant).sum().backward()
    np.testing.assert_allclose(x.grad, x.data)
    assert constant.grad is None


def test_backward_says_what_is_wrong():
    with pytest.raises(ValueError, match="requires_grad"):
        Tensor([1.0]).backward()
    with pytest.raises(ValueError, match="needs the gradient"):
        (leaf(3) * 2).backward()
    with pytest.raises(ValueError, match=r"shape \(2,\), the tensor \(3,\)"):
        (leaf(3) * 2).backward(np.ones(2))


@pytest.mark.parametrize("length", [5_000, 50_000])
def test_long_chains_need_no_recursion(length):
    x = leaf(1)
    y = x
    for _ in range(length):
        y = y * 0.9999 + 0.0
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 0.9999**length, rtol=1e-9)


def test_a_graph_is_freed_as_soon_as_it_is_let_go():
    x = leaf(3)
    gc.disable()
    try:
        y = ops.tanh(x) * 2
        (y * y).sum().backward()
        alive = weakref.ref(y)
        del y
        assert alive() is None
    finally:
        gc.enable()


def test_a_tensor_without_axes_keeps_its_dtype():
    for dtype in (np.float32, np.float64):
        x = leaf(3, dtype=dtype)
        for y in (x.sum() + x.mean(), x[0] * x[1], (x @ x) + (x @ x), ops.stack([x.sum(), x.mean()]), x.sum() * 2,
                  ops.where(np.array(True), x.sum(), 0.0)):  # fmt: skip
            assert isinstance(y.data, np.ndarray)
            assert y.dtype == dtype
    with pytest.raises(TypeError, match="meets"):
        leaf(3).sum() + leaf(3, dtype=np.float32).sum()


def test_a_parameter_without_axes_is_clipped_and_updated():
    p = Parameter(np.float64(2))
    (p * p).backward()
    clip_grad_norm([p], 1.0)
    assert p.grad == pytest.approx(1.0)
    SGD([p], 0.5).step()
    assert p.item() == pytest.approx(1.5)


def test_the_gradient_to_start_with():
    x = leaf(3, dtype=np.float32)
    for start in ([1, 2, 3], Tensor([1.0, 2.0, 3.0]), np.array([1, 2, 3], np.float32)):
        assert grad(x * 2, [x], start)[0].tolist() == [2, 4, 6]
    assert grad(x.sum(), [x], 3.0)[0].tolist() == [3, 3, 3]
    with pytest.raises(TypeError, match="the gradient is float64 on the cpu, the tensor float32 on the cpu"):
        (x * 2).backward(np.ones(3))


def test_an_operation_with_a_gradient_of_the_wrong_shape_is_caught():
    x = leaf(3)
    (wrong,) = record_many([x.data * 2], [x], lambda dy: [dy.sum(keepdims=True)])
    with pytest.raises(ValueError, match=r"gradient of shape \(1,\) for an input of shape \(3,\)"):
        wrong.sum().backward()


def test_all_forms_of_index_transpose_and_reshape():
    x = leaf(2, 3)
    index = Tensor([1.0, 0.0])
    for ours, expected in [
        (x[[1, 1, 0]], x.data[[1, 1, 0]]), (x[(0, 0),], x.data[[0, 0]]), (x[range(2)], x.data), (x[[]], x.data[:0]),
        (x[None, ..., 1], x.data[None, ..., 1]), (x[np.array([True, False])], x.data[:1]),
        (x[:, np.array(1)], x.data[:, 1]),
        (x.transpose((1, 0)), x.data.T), (x.transpose(None), x.data.T), (x.transpose([1, 0]), x.data.T),
        (x.reshape((3, 2)), x.data.reshape(3, 2)), (x.reshape(-1), x.data.reshape(-1)),
        (x.reshape([6]), x.data.reshape(6)),
        (ops.where([[True], [False]], x, 0.0), np.where([[True], [False]], x.data, 0)),
    ]:  # fmt: skip
        np.testing.assert_array_equal(ours.data, expected)
    assert grad(x[(0, 0),].sum(), [x])[0].tolist() == [[2, 2, 2], [0, 0, 0]]
    assert index.dtype == np.float32


def test_numpy_can_read_a_tensor():
    x = leaf(2, 3)
    np.testing.assert_array_equal(np.asarray(x), x.data)
    assert float(x.sum()) == pytest.approx(x.data.sum())
    with pytest.raises(TypeError, match="without axes"):
        iter(x.sum())


def test_parameters_require_gradients():
    assert Parameter(np.zeros(2)).requires_grad


def test_unstack_gives_one_gradient_for_all_pieces():
    x = leaf(4, 2)
    pieces = ops.unstack(x)
    (pieces[0] * 2 + pieces[3]).sum().backward()
    np.testing.assert_array_equal(x.grad, [[2, 2], [0, 0], [0, 0], [1, 1]])
