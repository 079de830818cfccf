"""The tape: what people expect of a Tensor, and that walking back is right every time."""

import gc
import weakref

import numpy as np
import pytest

from minirnn import GRU, LSTM, SGD, Parameter, Tensor, clip_grad_norm, detach, functional, grad, no_grad, ops
from minirnn.autograd import activations
from minirnn.autograd.recording import record_many
from minirnn.errors import InputError, StaleGraphError


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


# What has changed since it was recorded


def two_losses(w):
    return (w * w).sum(), (w * w * w).sum()


def test_backward_after_a_step_is_refused_and_names_the_operation():
    w = Parameter(np.array([2.0]))
    a, b = two_losses(w)
    a.backward()
    SGD([w], 0.1).step()
    w.grad = None
    with pytest.raises(StaleGraphError, match=r"'multiply', of shape \(1,\)"):
        b.backward()
    assert w.grad is None  # nothing half done
    (w * w).sum().backward()  # at what w is now
    assert w.grad.tolist() == [3.2]


def subtract_gradient(w):
    w.data -= 0.1


def overwrite_and_say_so(w):
    w.data[:] = 7
    w.mark_changed()


def step_with_a_plain_tensor(w):
    w.grad = np.ones(1)
    SGD([w], 0.1).step()


@pytest.mark.parametrize("change", [subtract_gradient, overwrite_and_say_so, step_with_a_plain_tensor])
def test_every_way_to_overwrite_a_weight_is_noticed(change):
    w = Parameter(np.array([2.0]))
    _, b = two_losses(w)
    change(w)
    with pytest.raises(StaleGraphError):
        b.backward()
    with pytest.raises(StaleGraphError):
        grad(b, [w])


def test_a_plain_tensor_that_is_trained_is_watched_too():
    w = Tensor(np.array([2.0]), requires_grad=True)
    _, b = two_losses(w)
    step_with_a_plain_tensor(w)
    with pytest.raises(StaleGraphError):
        b.backward()


def test_a_detached_weight_is_the_same_array():
    w, x = Parameter(np.array([2.0])), Tensor(np.array([3.0]), requires_grad=True)
    y = (w.detach() * x).sum()
    z = (Tensor(w) * x).sum()
    w.data -= 1
    for loss in (y, z):
        with pytest.raises(StaleGraphError, match="multiply"):
            loss.backward()


def test_a_weight_made_of_another_is_the_same_array():
    w = Parameter(np.array([2.0]))
    alias = Parameter(w)
    _, loss = two_losses(alias)
    w.data -= 1
    with pytest.raises(StaleGraphError):
        loss.backward()


def test_other_weights_may_change_and_a_replaced_array_is_another():
    v, w = Parameter(np.array([5.0])), Parameter(np.array([2.0]))
    _, b = two_losses(w)
    v.data -= 1
    w.data = np.array([9.0])  # the graph holds the array that was there
    b.backward()
    assert w.grad.tolist() == [12]


def test_a_step_without_a_gradient_changes_nothing():
    w = Parameter(np.array([2.0]))
    _, b = two_losses(w)
    SGD([w], 0.1).step()
    b.backward()
    assert w.grad.tolist() == [12]


@pytest.mark.parametrize("make", [LSTM, GRU])
def test_a_forgotten_detach_is_named(make):
    layer, x = make(3, 4, rng=0), Tensor(np.ones((5, 2, 3), np.float32))
    optimizer = SGD(layer.parameters(), 0.1)

    def train(cut):
        state = None
        for _ in range(3):
            y, state = layer(x, cut(state))
            optimizer.zero_grad()
            (y * y).sum().backward()
            optimizer.step()

    with pytest.raises(StaleGraphError, match=r"'unroll'.*forgotten detach"):
        train(lambda state: state)
    train(lambda state: None if state is None else detach(state))


# What is no Tensor, and what no Tensor can hold


class FakeTorchTensor:
    """As much of a torch tensor as can be told from outside."""

    dtype = "torch.float32"
    shape = (2,)
    ndim = 1


FakeTorchTensor.__module__ = "torch"


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 2)), [1.0], 3.0, None, "text", FakeTorchTensor()], ids=lambda x: type(x).__name__
)
@pytest.mark.parametrize(
    "operation",
    [
        ops.negative, ops.exp, ops.log, ops.sqrt, ops.tanh, ops.sigmoid, ops.relu, ops.sum, ops.mean, ops.max,
        ops.transpose, ops.contiguous, ops.unstack, activations.relu6, activations.leaky_relu, activations.elu,
        functional.softmax, functional.log_softmax, lambda x: ops.power(x, 2), lambda x: ops.reshape(x, (-1,)),
        lambda x: ops.astype(x, np.float32), lambda x: ops.broadcast_to(x, (2, 2, 2)), lambda x: ops.getitem(x, 0),
        lambda x: ops.split(x, 2), lambda x: ops.stack([x, x]), lambda x: ops.concatenate([x, x]),
        lambda x: ops.add(x, x),
        lambda x: ops.where(np.ones(2, bool), x, x), lambda x: ops.matmul(x, x), lambda x: activations.rrelu(x, None),
        lambda x: activations.prelu(x, leaf(1)), lambda x: functional.dropout(x, 0.5, np.random.default_rng(0)),
        lambda x: functional.dropout(x, 0.0, np.random.default_rng(0)), lambda x: functional.scale(x, np.ones(2)),
        lambda x: functional.linear(x, leaf(2, 2)), lambda x: functional.linear(leaf(2, 2), x),
        lambda x: functional.layer_norm(x, leaf(2), leaf(2)), lambda x: functional.cross_entropy(x, np.zeros(2, int)),
        lambda x: functional.embedding(x, np.zeros(2, int)), lambda x: functional.pack(x, [1, 1]),
        lambda x: functional.dot_scores(x, leaf(2, 2, 2)), lambda x: functional.dot_scores(leaf(2, 2), x),
        lambda x: functional.weighted_sum(x, leaf(2, 2, 2)), lambda x: functional.weighted_sum(leaf(2, 2), x),
        lambda x: functional.additive_scores(x, leaf(2, 2, 2), leaf(2)),
        lambda x: functional.additive_scores(leaf(2, 2), x, leaf(2)),
        lambda x: functional.additive_scores(leaf(2, 2), leaf(2, 2, 2), x), lambda x: grad(x, [leaf(1)]),
        lambda x: grad(leaf(1).sum(), [x]),
    ],
)  # fmt: skip
def test_what_is_no_tensor_is_refused_with_advice(operation, bad):
    with pytest.raises(
        TypeError, match=r"expected a Tensor, not (None|\w+: wrap it, as Tensor\(x\)|a torch tensor: take)"
    ):
        operation(bad)


def test_a_torch_tensor_among_operands_is_refused_with_advice():
    for operation in (ops.add, ops.multiply, ops.matmul):
        with pytest.raises(TypeError, match="a torch tensor: take"):
            operation(leaf(2), FakeTorchTensor())


@pytest.mark.parametrize("bad", [Tensor(np.zeros(2)), FakeTorchTensor(), "ab", 1.5])
def test_ids_are_arrays_of_integers(bad):
    with pytest.raises((TypeError, InputError), match=r"must be (an integer array|integers), not"):
        functional.embedding(leaf(3, 2), bad)
    with pytest.raises(
        (TypeError, InputError), match=r"targets? must be (an integer array|integers), not|targets must be"
    ):
        functional.cross_entropy(leaf(2, 3), bad)


def test_ids_may_be_numbers_of_numpy_and_are_checked():
    assert functional.embedding(leaf(3, 2), np.int64(2)).shape == (2,)
    for bad in (np.int64(-1), np.int64(3), -1, [0, 3]):
        with pytest.raises(InputError, match="out of range"):
            functional.embedding(leaf(3, 2), bad)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.array(["a"]), "not <U1"), ("a", "not str"), (["a"], "not list"), (np.ones(1, complex), "not complex128"),
        ([1j], "not list"), (1j, "not complex"), (np.ones(1, np.float16), r"float16: convert"),
        (np.float16(1), "float16"), (np.ones(1, object), "not object"), ([[1], [1, 2]], "rows of one length"),
        (None, "not None"),
        (FakeTorchTensor(), "torch tensor: take"), ([leaf(1), leaf(1)], r"ops\.stack"), ({1: 2}, "not dict"),
        (np.array(["2020"], "M8[Y]"), "datetime64"), (np.ones(1, np.longdouble), "convert it"),
    ],
)  # fmt: skip
def test_a_tensor_holds_real_numbers_of_two_types(data, words):
    for make in (Tensor, Parameter):
        with pytest.raises(InputError, match=words):
            make(data)


@pytest.mark.parametrize("dtype", [int, np.float16, complex, "text", None, bool, "U3", object])
def test_a_tensor_becomes_float32_or_float64_only(dtype):
    with pytest.raises(InputError, match="dtype must be float32 or float64"):
        leaf(2).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "expected"), [(float, "float64"), ("float32", "float32"), (np.dtype("f8"), "float64")]
)
def test_the_two_types_have_several_names(dtype, expected):
    assert leaf(2).astype(dtype).dtype == expected


def test_one_tensor_by_itself_is_a_list_of_one():
    x = leaf(2, 2)
    (dx,) = grad((x * x).sum(), x)
    np.testing.assert_allclose(dx, 2 * x.data)


def test_numbers_of_numpy_are_numbers():
    x, two = leaf(4, 3), np.int64(2)
    assert x.reshape(np.int64(6), two).shape == (6, 2)
    assert x.reshape((6, 2)).shape == x.reshape([6, 2]).shape == (6, 2)
    assert x.reshape(np.int64(12)).shape == x.reshape(12).shape == (12,)
    assert x.transpose(np.int64(1), np.int64(0)).shape == x.transpose((1, 0)).shape == (3, 4)
    assert leaf(3).transpose(np.int64(0)).shape == (3,)
    assert x.transpose(np.array([1, 0])).shape == x.transpose(None).shape == (3, 4)
    assert [part.shape for part in ops.split(x, two)] == [(2, 3)] * 2
    assert [part.shape for part in ops.split(x, [np.int64(1), 3])] == [(1, 3), (3, 3)]
    single = leaf(2, 3, dtype=np.float32)
    gain = leaf(3, dtype=np.float32)
    assert functional.layer_norm(single, gain, gain, np.float64(1e-5)).dtype == np.float32
    assert functional.dropout(single, np.float64(0.5), np.random.default_rng(0)).dtype == np.float32
    assert functional.cross_entropy(single, [0, 1], label_smoothing=np.float64(0.1)).dtype == np.float32


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (lambda: functional.layer_norm(leaf(2, 3), leaf(3), leaf(3), -1e-9), "epsilon"),
        (lambda: functional.layer_norm(leaf(2, 3), leaf(3), leaf(3), float("nan")), "epsilon"),
        (lambda: functional.dropout(leaf(2), 1.0, np.random.default_rng(0)), "dropout probability"),
        (lambda: functional.dropout(leaf(2), -0.1, np.random.default_rng(0)), "dropout probability"),
        (lambda: functional.cross_entropy(leaf(2, 3), [0, 1], label_smoothing=1.0), "label smoothing"),
        (lambda: functional.cross_entropy(leaf(2, 3), [0, 1], label_smoothing=-0.1), "label smoothing"),
        (lambda: functional.pack(leaf(3, 2, 1), [1.0, 2.0]), "2 lengths between 0 and 3"),
        (lambda: functional.pack(leaf(3, 2, 1), [1]), "2 lengths between 0 and 3"),
        (lambda: functional.pack(leaf(3, 2, 1), [-1, 3]), "2 lengths between 0 and 3"),
        (lambda: functional.pack(leaf(3, 2, 1), [0, 4]), "2 lengths between 0 and 3"),
        (lambda: functional.linear(leaf(2, 4), leaf(5, 3)), r"expected 3 features on the last axis.*\(2, 4\)"),
        (lambda: functional.linear(leaf(), leaf(5, 3)), r"expected 3 features on the last axis"),
        (lambda: leaf(2).astype(">f4"), "dtype must be float32 or float64, not >f4"),
    ],
)
def test_numbers_and_shapes_that_do_not_fit_are_refused(operation, words):
    with pytest.raises(InputError, match=words):
        operation()


def test_the_ends_of_the_ranges_are_allowed():
    x = leaf(3, 2, 1)
    assert functional.pack(x, [0, 3]).shape == (3, 1)
    assert functional.pack(leaf(3, 0, 1), []).shape == (0, 1)
    assert functional.dropout(x, 0, np.random.default_rng(0)) is x
    y = functional.layer_norm(Tensor(np.array([[1.0, 3.0]])), Tensor(np.ones(2)), Tensor(np.zeros(2)), 0)
    np.testing.assert_allclose(y.data, [[-1, 1]])
