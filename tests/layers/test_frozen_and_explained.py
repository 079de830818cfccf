"""Frozen parameters, attributes that tell sizes, and answers to what torch writes otherwise."""

import numpy as np
import pytest

import minirnn
from minirnn import (
    CELL_NAMES,
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    AdamW,
    Conv2d,
    Dropout,
    Embedding,
    InputError,
    LayerNorm,
    Linear,
    Module,
       Parameter,
    Recurrent,
    RMSProp,
    Sequential,
    Tensor,
    clip_grad_norm,
)  # fmt: skip
from minirnn.training.optimizers import Optimizer


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, momentum=0.9, weight_decay=0.1), Adam, AdamW, RMSProp])
def test_optimisers_leave_frozen_parameters_as_they_are(make):
    model = Sequential(Linear(3, 4, rng=0), Linear(4, 2, rng=1))
    optimizer, x = make(model.named_parameters()), Tensor(np.ones((5, 3), np.float32))
    model(x).sum().backward()
    optimizer.step()  # there are running means now, and gradients
    before = model.state_dict()
    model[0].weight.requires_grad = False  # its gradient is still there
    optimizer.step()
    model[0].requires_grad_(False)
    optimizer.zero_grad()
    loss = model(x).sum()
    loss.backward()
    assert model[0].weight.grad is None
    optimizer.step()
    after = model.state_dict()
    assert (after["0.weight"] == before["0.weight"]).all()
    assert (after["0.bias"] != before["0.bias"]).any()
    assert (after["1.weight"] != before["1.weight"]).any()
    assert model[0].requires_grad_() is model[0]
    model(x).sum().backward()
    optimizer.step()
    assert (model[0].weight.data != before["0.weight"]).any()


def test_frozen_parameters_do_not_count_for_clipping():
    free, frozen = Parameter(np.zeros(1)), Parameter(np.zeros(1))
    free.grad, frozen.grad, frozen.requires_grad = np.array([3.0]), np.array([400.0]), False
    assert float(clip_grad_norm([free, frozen], 1.0)) == 3
    assert frozen.grad.tolist() == [400]


def test_the_number_of_parameters_is_of_those_that_are_trained():
    model = Sequential(Linear(3, 4), Linear(4, 2))
    assert model.num_parameters() == model.num_parameters(frozen=True) == 26
    model[0].requires_grad_(False)
    assert model.num_parameters() == 10
    assert model.num_parameters(frozen=True) == 26
    assert set(model.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("frozen", ["W_l0", "U_l0", "b_l0"])
def test_every_layer_can_be_frozen_in_part_and_the_rest_is_the_same(name, frozen, rng):
    x, found = Tensor(rng.standard_normal((4, 2, 2))), []
    for freeze in (False, True):
        layer = Recurrent(name, 2, 3, rng=0, dtype=np.float64).eval()
        getattr(layer, frozen).requires_grad = not freeze
        (layer(x)[0] * 2).sum().backward()
        found.append({key: p.grad for key, p in layer.named_parameters().items()})
    assert found[1].pop(frozen) is None
    for key, gradient in found[1].items():
        np.testing.assert_array_equal(gradient, found[0][key])


def test_sizes_are_attributes():
    linear, lstm, conv = Linear(3, 4), LSTM(5, 6, 2, bidirectional=True), Conv2d(1, 2, (3, 4), stride=2)
    assert (linear.in_features, linear.out_features) == (3, 4)
    assert (lstm.input_size, lstm.hidden_size, lstm.num_layers, lstm.bidirectional) == (5, 6, 2, True)
    assert not GRU(1, 1).bidirectional
    assert (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride) == (1, 2, (3, 4), (2, 2))
    embedding = Embedding(7, 8)
    assert (embedding.num_embeddings, embedding.embedding_dim) == (7, 8)
    assert (LayerNorm(9).features, Dropout(0.2).p) == (9, 0.2)
    assert (RNN(1, 1, nonlinearity="relu").nonlinearity, GRU(1, 1, reset="after").reset) == ("relu", "after")


P = [Parameter(np.zeros(1))]


class MyOptimizer(Optimizer):
    """Its own constructor, as a user writes one."""

    def __init__(self, parameters, learning_rate=0.1, *, beta=0.5):
        super().__init__(parameters, learning_rate)


class Takes(Module):
    """Whose arguments are called as torch's are, and minirnn's."""

    def __init__(self, dim, axis=2, keepdims=True):
        self.dim, self.axis = dim, axis


class TakesAll(Module):
    """Whose further arguments may be called as torch's are."""

    def __init__(self, axis=2, learning_rate=1, **more):
        self.more = more


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SGD(P, lr=0.1), "SGD takes no lr=: write learning_rate=0.1"),
        (lambda: Adam(P, lr=1e-3), "Adam takes no lr=: write learning_rate=0.001"),
        (lambda: AdamW(P, lr=1e-3), "AdamW takes no lr=: write learning_rate=0.001"),
        (lambda: RMSProp(P, eps=1e-3), "RMSProp takes no eps=: write epsilon=0.001"),
        (lambda: MyOptimizer(P, lr=1), "MyOptimizer takes no lr=: write learning_rate=1"),
        (lambda: LSTM(2, 3, batch_first=True), r"LSTM takes no batch_first=: .* are .time, batch, features. here"),
        (lambda: GRU(2, 3, batch_first=False), "GRU takes no batch_first="),
        (lambda: RNN(2, 3, batch_first=True), r"with x\.transpose\(1, 0, 2\) and leave it out"),
        (lambda: Recurrent("gru", 2, 3, batch_first=True), "Recurrent takes no batch_first="),
        (lambda: LayerNorm(3, eps=1e-3), "LayerNorm takes no eps=: write epsilon=0.001"),
        (lambda: LayerNorm(normalized_shape=3), "write features=3"),
        (lambda: Linear(3, 4, device="cuda"), r'takes no device=: make it first, and move it with \.to\("gpu"\)'),
        (lambda: LSTM(3, 4, device="cuda"), "LSTM takes no device="),
    ],
)  # fmt: skip
def test_keywords_of_torchs_are_answered(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_methods_of_torchs_modules_are_answered():
    with pytest.raises(AttributeError, match=r"'LSTM' object has no attribute 'cuda': write model\.to\(\"gpu\"\)"):
        LSTM(2, 3).cuda()
    with pytest.raises(AttributeError, match=r"'LSTM' object has no attribute 'hiden_size'$"):
        _ = LSTM(2, 3).hiden_size


class Broken(Module):
    @property
    def size(self):
        return self.sise


def test_what_a_property_lacks_is_what_is_named():
    with pytest.raises(AttributeError, match=r"'Broken' object has no attribute 'sise'$"):
        _ = Broken().size


def test_ones_own_keywords_are_ones_own():
    assert (Takes(dim=1).dim, Takes(1).axis) == (1, 2)
    assert TakesAll(dim=1, lr=2).more == {"dim": 1, "lr": 2}
    with pytest.raises(TypeError, match="Takes takes no keepdim=: write keepdims=True"):
        Takes(1, keepdim=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'featurs'"):
        Linear(3, 4, featurs=1)


def test_weights_with_torchs_names_are_to_be_loaded_as_torchs():
    for layer in (LSTM(2, 3), Sequential(Linear(2, 2), LSTM(2, 3, 2, bidirectional=True))):
        with pytest.raises(InputError, match=r"names of torch's weights: write load_torch\(state_dict\)"):
            layer.load_state_dict(layer.to_torch())
        layer.load_torch(layer.to_torch())
    with pytest.raises(InputError, match="load_torch"):
        GRU(2, 3).load_state_dict({"weight_ih_l0": np.zeros(1)})
    with pytest.raises(InputError, match="missing parameters: bias"):
        Linear(2, 2).load_state_dict({"weight": np.zeros((2, 2))})
    with pytest.raises(InputError, match="missing parameters"):
        GRU(2, 3).load_state_dict({"V": np.zeros(1)})  # which torch has not


def test_a_state_dict_of_torchs_own():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="load_torch"):
        LSTM(2, 3).load_state_dict(torch.nn.LSTM(2, 3).state_dict())
    linear, theirs = Linear(2, 3), torch.nn.Linear(2, 3)
    linear.load_state_dict(theirs.state_dict())  # the names and the layout are the same
    np.testing.assert_array_equal(linear.weight.data, theirs.weight.detach().numpy())


def test_a_linear_layer_names_both_sizes():
    with pytest.raises(InputError, match=r"expected 3 features on the last axis, found 4: .* the weight \(5, 3\)"):
        Linear(3, 5)(Tensor(np.ones((2, 4), np.float32)))
    with pytest.raises(InputError, match="found none"):
        Linear(3, 5)(Tensor(1.0))


def test_a_recurrent_layer_names_both_sizes():
    with pytest.raises(InputError, match=r"3\b.*4|4\b.*3"):
        minirnn.LSTM(3, 5)(Tensor(np.ones((6, 2, 4), np.float32)))
