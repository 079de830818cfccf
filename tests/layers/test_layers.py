"""Modules and layers: finding parameters, saving, moving, and the shapes and errors of recurrent layers."""

import numpy as np
import pytest

from minirnn import (
    CELL_NAMES,
    GRU,
    LSTM,
    RNN,
    Dropout,
    Embedding,
    InputError,
    Linear,
    Module,
    Parameter,
    Recurrent,
    Tensor,
)


class Nested(Module):
    def __init__(self):
        self.shared = Parameter(np.ones(2, np.float32))
        self.first = Linear(2, 3, rng=0)
        self.blocks = [Linear(3, 3, bias=False, rng=1), Dropout(0.5)]
        self.again = self.shared
        self.list = [Parameter(np.zeros(1, np.float32))]


def test_parameters_are_found_once_under_dotted_names():
    module = Nested()
    assert list(module.named_parameters()) == ["shared", "list.0", "first.weight", "first.bias", "blocks.0.weight"]
    assert module.num_parameters() == 2 + 1 + 6 + 3 + 9


def test_train_and_eval_reach_every_child():
    module = Nested().eval()
    assert not module.blocks[1].training
    assert module.train().blocks[1].training


def test_state_dict_is_a_copy_and_comes_back():
    module, other = Nested(), Nested()
    state = module.state_dict()
    module.first.weight.data += 1
    assert not np.array_equal(state["first.weight"], module.first.weight.data)
    other.load_state_dict(module.state_dict())
    np.testing.assert_array_equal(other.first.weight.data, module.first.weight.data)


def test_loading_says_what_does_not_fit_and_changes_nothing():
    module = Nested()
    state = module.state_dict()
    before = module.state_dict()
    with pytest.raises(InputError, match=r"missing parameters: first\.bias"):
        module.load_state_dict({k: v for k, v in state.items() if k != "first.bias"})
    with pytest.raises(InputError, match="unknown parameters: extra"):
        module.load_state_dict({**state, "extra": np.ones(1)})
    with pytest.raises(InputError, match=r"first\.weight: expected shape \(3, 2\), found \(2, 3\)"):
        module.load_state_dict({**{k: v + 1 for k, v in state.items()}, "first.weight": np.ones((2, 3))})
    for key, value in module.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_linear_keeps_leading_axes():
    assert Linear(3, 5)(Tensor(np.ones((2, 4, 3), np.float32))).shape == (2, 4, 5)
    assert Embedding(4, 2)(np.zeros((3, 5), int)).shape == (3, 5, 2)


def test_dropout_only_in_training():
    x, drop = Tensor(np.ones((50, 50), np.float32)), Dropout(0.5, rng=0)
    assert (drop(x).data == 0).any()
    assert drop.eval()(x) is x
    for p in (-0.1, 1.0):
        with pytest.raises(InputError, match="dropout probability"):
            Dropout(p)


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_shapes_and_state(name, bidirectional, rng):
    layer = Recurrent(name, 3, 4, 2, bidirectional=bidirectional, rng=0)
    directions = 1 + bidirectional
    x = Tensor(rng.standard_normal((5, 2, 3)).astype(np.float32))
    output, state = layer(x, lengths=np.array([5, 3]))
    states = state if isinstance(state, tuple) else (state,)
    assert output.shape == (5, 2, 4 * directions)
    assert [s.shape for s in states] == [(2 * directions, 2, 4)] * layer.cell.num_states
    # The top layer's final h is its output at the last real step: forward at the end, backward at the beginning.
    h = states[0].data
    np.testing.assert_array_equal(h[-directions, 0], output.data[4, 0, :4])
    np.testing.assert_array_equal(h[-directions, 1], output.data[2, 1, :4])
    if bidirectional:
        np.testing.assert_array_equal(h[-1], output.data[0, :, 4:])
    again, _ = layer(x, state)
    assert not np.array_equal(again.data, output.data)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_a_sentence_alone_equals_the_sentence_in_a_padded_batch(name, rng):
    layer = Recurrent(name, 3, 4, 2, bidirectional=True, rng=0, dtype=np.float64).eval()
    x, lengths = rng.standard_normal((6, 3, 3)), np.array([2, 6, 4])
    together, state = layer(Tensor(x), lengths=lengths)
    states = state if isinstance(state, tuple) else (state,)
    for b, n in enumerate(lengths):
        alone, alone_state = layer(Tensor(x[:n, b : b + 1]))
        np.testing.assert_allclose(together.data[:n, b], alone.data[:, 0], rtol=0, atol=1e-13)
        for s, a in zip(states, alone_state if isinstance(alone_state, tuple) else (alone_state,), strict=True):
            np.testing.assert_allclose(s.data[:, b], a.data[:, 0], rtol=0, atol=1e-13)


def test_dropout_between_layers_is_seeded_and_not_after_the_last():
    x = Tensor(np.ones((3, 2, 2), np.float32))
    one, two = (LSTM(2, 8, 2, dropout=0.5, rng=7) for _ in range(2))
    np.testing.assert_array_equal(one(x)[0].data, two(x)[0].data)
    assert not np.array_equal(one(x)[0].data, one.eval()(x)[0].data)
    assert (LSTM(2, 8, 1, dropout=0.5, rng=7)(x)[0].data != 0).all()


def test_wrong_arguments_are_named():
    with pytest.raises(InputError, match="hidden_size must be an integer of at least 1, not 0"):
        LSTM(2, 0)
    with pytest.raises(InputError, match="unknown reset 'never'"):
        GRU(2, 3, reset="never")
    with pytest.raises(InputError, match="unknown nonlinearity 'cos'"):
        RNN(2, 3, nonlinearity="cos")
    layer, x = LSTM(2, 3), Tensor(np.ones((4, 1, 2), np.float32))
    with pytest.raises(InputError, match=r"2 tensor\(s\) of shape \(1, 1, 3\), not 1"):
        layer(x, x)
    with pytest.raises(InputError, match="time, batch, features"):
        layer(x[0])
    with pytest.raises(TypeError, match="expected a Tensor, not ndarray"):
        layer(x.data)
    with pytest.raises(TypeError, match="expected a Tensor, not ndarray"):
        Linear(2, 3)(x.data)
    for module in (layer, Linear(2, 3)):
        with pytest.raises(TypeError, match="float64 meets float32"):
            module(x.astype(np.float64))
    with pytest.raises(InputError, match="expects 2"):
        layer(Tensor(np.ones((4, 1, 5), np.float32)))


def test_two_training_steps_follow_the_gradient_of_each():
    """A second step must start from clean gradients and the changed weights."""
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((5, 2, 3)))
    layer, twin = (GRU(3, 4, rng=1, dtype=np.float64) for _ in range(2))
    for step in range(2):
        layer.zero_grad()
        output, _ = layer(x)
        (output * output).sum().backward()
        twin.load_state_dict(layer.state_dict())
        twin.zero_grad()
        expected, _ = twin(x)
        (expected * expected).sum().backward()
        for name, p in layer.named_parameters().items():
            np.testing.assert_array_equal(p.grad, twin.named_parameters()[name].grad, err_msg=f"step {step}")
            p.data -= 0.1 * p.grad
