"""Where a module finds what it is made of."""

import numpy as np
import pytest

from minirnn import SGD, Dropout, InputError, Linear, Module, Parameter, Tensor


class Nested(Module):
    """Parameters and modules in everything that can hold them."""

    def __init__(self):
        self.blocks = {"first": Linear(2, 3, rng=0), "more": [Linear(3, 3, rng=1), {"last": (Linear(3, 1, rng=2), 5)}]}
        self.scales = [[Parameter(np.ones(3))], {"out": Parameter(np.ones(1))}]
        self.drop = {0: Dropout(0.5, rng=0)}
        self.note = "no module"

    def forward(self, x):
        more = self.blocks["more"]
        x = self.drop[0](more[0](self.blocks["first"](x))) * self.scales[0][0]
        return more[1]["last"][0](x) * self.scales[1]["out"]


NAMES = {
    "blocks.first.weight", "blocks.first.bias", "blocks.more.0.weight", "blocks.more.0.bias",
    "blocks.more.1.last.0.weight", "blocks.more.1.last.0.bias", "scales.0.0", "scales.1.out",
}  # fmt: skip


def test_parameters_are_found_in_nested_lists_and_dicts():
    model = Nested().astype(np.float64)
    assert set(model.named_parameters()) == NAMES
    assert model.num_parameters() == 9 + 12 + 4 + 3 + 1
    before = model.state_dict()
    optimizer = SGD(model.named_parameters(), 0.1)
    model.eval()
    model(Tensor(np.ones((4, 2)))).sum().backward()
    optimizer.step()
    assert {name for name, array in model.state_dict().items() if (array != before[name]).any()} == NAMES
    model.load_state_dict(before)
    assert all((array == before[name]).all() for name, array in model.state_dict().items())
    assert set(model.to_torch()) == NAMES
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_modules_in_dicts_are_switched_to_evaluation():
    model = Nested()
    assert {name for name, _ in model.named_children()} == {
        "blocks.first", "blocks.more.0", "blocks.more.1.last.0", "drop.0"
    }  # fmt: skip
    model.eval()
    assert not model.drop[0].training
    model.train()
    assert model.drop[0].training


def test_a_shared_parameter_is_found_once_under_its_first_name():
    model = Nested()
    model.blocks["more"][1]["tied"] = model.blocks["first"]
    assert set(model.named_parameters()) == NAMES


@pytest.mark.parametrize("value", [np.zeros((3, 2)), Tensor(np.zeros((3, 2))), [[0.0]], 1.0])
def test_a_parameter_is_not_lost_to_what_is_none(value):
    layer = Linear(2, 3, rng=0)
    weight = layer.weight
    with pytest.raises(TypeError, match=r"weight is a Parameter, .* set weight\.data"):
        layer.weight = value
    assert layer.weight is weight


def test_parameters_and_modules_may_be_replaced_by_their_like_or_left_out():
    layer = Linear(2, 3, rng=0)
    layer.weight = Parameter(np.zeros((3, 2)))
    layer.bias = None
    assert list(layer.named_parameters()) == ["weight"]
    layer.bias = Parameter(np.zeros(3))
    assert list(layer.named_parameters()) == ["weight", "bias"]
    layer.weight.data = np.ones((3, 2))
    assert layer.state_dict()["weight"].all()


def test_a_module_is_not_lost_to_what_is_none():
    class Model(Module):
        def __init__(self):
            self.layer = Linear(1, 1, rng=0)

    model = Model()
    with pytest.raises(TypeError, match="layer is a Module, and a function in its place would not be trained"):
        model.layer = lambda x: x
    model.layer = Dropout(0.5)
    assert not model.parameters()


@pytest.mark.parametrize("dtype", [int, np.float16, complex, None])
def test_weights_become_float32_or_float64_only(dtype):
    layer = Linear(2, 3, rng=0)
    with pytest.raises(InputError, match="dtype must be float32 or float64"):
        layer.astype(dtype)
    assert layer.weight.dtype == np.float32
