"""Containers: what they hold is trained, switched, moved, saved and named as in torch."""

import numpy as np
import pytest

from minirnn import (
    SGD,
    Dropout,
    InputError,
    Linear,
    Module,
    ModuleDict,
    ModuleList,
    ReLU,
    Sequential,
    Tanh,
    Tensor,
    load_checkpoint,
    save_checkpoint,
)  # fmt: skip


class Model(Module):
    """One of each container, one inside another."""

    def __init__(self, seed=0):
        self.blocks = ModuleList([Linear(3, 3, rng=seed), Sequential(Tanh(), Linear(3, 3, rng=seed + 1))])
        self.heads = ModuleDict(
            {"first": Linear(3, 1, rng=seed + 2), "other": ModuleList([Linear(3, 2, rng=seed + 3)])}
        )
        self.drop = ModuleDict({"out": Dropout(0.5, rng=0)})

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = self.drop["out"](x)
        return self.heads["first"](x) + self.heads["other"][0](x).sum(axis=-1, keepdims=True)


NAMES = ["blocks.0", "blocks.1.1", "heads.first", "heads.other.0"]


def test_parameters_have_torchs_names():
    assert list(Model().named_parameters()) == [f"{name}.{part}" for name in NAMES for part in ("weight", "bias")]


def test_everything_is_trained_saved_and_loaded(tmp_path):
    model, x = Model(), Tensor(np.ones((4, 3), np.float32))
    before = model.state_dict()
    optimizer = SGD(model.named_parameters(), 0.1)
    model.eval()
    model(x).sum().backward()
    optimizer.step()
    after = model.state_dict()
    assert all((after[name] != before[name]).any() for name in before)
    save_checkpoint(tmp_path / "model", after, {})
    other = Model(seed=7).eval()
    other.load_state_dict(load_checkpoint(tmp_path / "model")[0])
    np.testing.assert_array_equal(other(x).data, model(x).data)
    third = Model(seed=8).eval()
    third.load_torch(model.to_torch())
    np.testing.assert_array_equal(third(x).data, model(x).data)


def test_switching_and_types_reach_what_is_held():
    model = Model()
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert model.train().drop["out"].training
    assert {p.dtype for p in model.astype(np.float64).parameters()} == {np.dtype(np.float64)}
    model.to("cpu")


def test_modules_are_found_by_name_once_each():
    model = Model()
    names = [name for name, _ in model.named_modules()]
    assert names == [
        "", "blocks", "blocks.0", "blocks.1", "blocks.1.0", "blocks.1.1", "heads", "heads.first", "heads.other",
        "heads.other.0", "drop", "drop.out",
    ]  # fmt: skip
    assert [id(m) for m in model.modules()] == [id(m) for _, m in model.named_modules()]
    assert list(model.children()) == [model.blocks, model.heads, model.drop]
    assert dict(model.named_children()) == {"blocks": model.blocks, "heads": model.heads, "drop": model.drop}
    shared = ModuleList([model.blocks[0], model.blocks[0]])
    assert [name for name, _ in shared.named_modules()] == ["", "0"]
    assert len(shared.parameters()) == 2


def test_torch_gives_the_same_names():
    nn = pytest.importorskip("torch").nn
    theirs = nn.Module()
    theirs.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 3))])
    theirs.heads = nn.ModuleDict({"first": nn.Linear(3, 1), "other": nn.ModuleList([nn.Linear(3, 2)])})
    theirs.drop = nn.ModuleDict({"out": nn.Dropout()})
    ours = Model()
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    ours.load_torch(theirs.state_dict())
    np.testing.assert_array_equal(ours.heads["other"][0].weight.data, theirs.heads["other"][0].weight.detach().numpy())


@pytest.mark.parametrize("make", [ModuleList, lambda modules: Sequential(*modules)])
def test_a_list_is_a_list(make):
    a, b, c, d = (Linear(2, 2, rng=i) for i in range(4))
    modules = make([a, b])
    modules.append(c)
    modules.insert(1, d)
    assert list(modules) == [a, d, b, c]
    assert modules[-1] is c
    assert len(modules) == 4
    assert b in modules
    part = modules[1:3]
    assert type(part) is type(modules)
    assert list(part) == [d, b]
    modules[0] = ReLU()
    del modules[1]
    modules.extend([a])
    modules += [d]
    assert [type(m).__name__ for m in modules] == ["ReLU", "Linear", "Linear", "Linear", "Linear"]
    assert modules.pop() is d
    assert list(modules.named_parameters()) == ["1.weight", "1.bias", "2.weight", "2.bias", "3.weight", "3.bias"]
    modules[1:] = [Tanh()]
    assert modules.parameters() == []
    assert list(make([])) == []
    assert make([])  # as every module is true


def test_a_dict_is_a_dict():
    a, b = Linear(2, 2), Linear(2, 1)
    modules = ModuleDict({"a": a})
    modules["b"] = b
    modules.update({"c": a})
    assert list(modules) == list(modules.keys()) == ["a", "b", "c"]
    assert list(modules.values()) == [a, b, a]
    assert dict(modules.items()) == {"a": a, "b": b, "c": a}
    assert "b" in modules
    assert modules.pop("c") is a
    del modules["b"]
    assert len(modules) == 1
    assert modules == modules
    assert modules != ModuleDict({"a": a})
    assert len({modules, modules}) == 1
    assert ModuleDict()


@pytest.mark.parametrize("model", [Linear(1, 1), Sequential(Linear(1, 1)), ModuleDict({"a": Linear(1, 1)})])
def test_an_optimiser_asks_for_the_parameters_of_a_container(model):
    with pytest.raises(TypeError, match=rf"not {type(model).__name__}: give its parameters\(\)"):
        SGD(model, 0.1)


def test_a_sequence_goes_through_all():
    x = Tensor(np.ones((2, 3), np.float32))
    model = Sequential(Linear(3, 4, rng=0), ReLU(), Linear(4, 2, rng=1))
    np.testing.assert_array_equal(model(x).data, model[2](model[:2](x)).data)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Sequential([Linear(1, 1)]), r"number 0 is a list: write Sequential\(a, b\)"),
        (lambda: Sequential(Linear(1, 1), np.tanh), "number 1 is a ufunc"),
        (lambda: ModuleList(Linear(1, 1)), r"a list of modules, not one Linear: write \[module\]"),
        (lambda: ModuleList([1]), "number 0 is a int"),
        (lambda: ModuleList().append("a"), "is a str"),
        (lambda: ModuleList([Tanh()]).__setitem__(0, None), "is a NoneType"),
        (lambda: ModuleDict({"a.b": Tanh()}), "without dots, not 'a.b'"),
        (lambda: ModuleDict({1: Tanh()}), "must be a string without dots, not 1"),
        (lambda: ModuleDict({"a": 1}), "is a int"),
    ],
)
def test_what_is_no_module_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("container", [ModuleList([Tanh()]), ModuleDict({"a": Tanh()})])
def test_a_collection_is_not_called(container):
    with pytest.raises(NotImplementedError, match="does not define forward"):
        container(Tensor([1.0]))
