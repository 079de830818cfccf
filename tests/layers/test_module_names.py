"""Modules: what is found in which order under which name, what is switched, moved, saved and exchanged."""

import numpy as np
import pytest

from minirnn import LSTM, Dropout, InputError, Linear, Module, Parameter, Tensor


class Tree(Module):
    """Parameters and modules in attributes, lists and tuples, on two levels, one of them twice."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        draw = lambda *shape: Parameter(rng.standard_normal(shape))
        self.name, self.size, self.nothing = "tree", 3, None
        self.tail = (draw(2), draw(3))
        self.leaf = Leaf(draw)
        self.leaves = [Leaf(draw), "no module", Leaf(draw)]
        self.root = draw(4)
        self.same = self.leaf.inner


class Leaf(Module):
    def __init__(self, draw):
        self.inner, self.drop = draw(2, 1), Dropout(0.5)


NAMES = ["tail.0", "tail.1", "root", "same", "leaves.0.inner", "leaves.2.inner"]


def test_own_parameters_come_before_those_of_children_and_a_shared_one_once():
    tree = Tree()
    assert list(tree.named_parameters()) == NAMES
    assert [id(p) for p in tree.parameters()] == [id(p) for p in tree.named_parameters().values()]
    assert list(tree.own_parameters()) == ["tail.0", "tail.1", "root", "same"]
    assert [name for name, _ in tree.named_children()] == ["leaf", "leaves.0", "leaves.2"]
    assert tree.num_parameters() == 2 + 3 + 4 + 3 * 2
    assert Module().parameters() == []
    assert Module().num_parameters() == 0


def test_switching_reaches_every_depth_and_only_what_is_below():
    tree, other = Tree(), Tree()
    modules = lambda t: [t, t.leaf, t.leaf.drop, t.leaves[0], t.leaves[0].drop, t.leaves[2], t.leaves[2].drop]
    assert all(m.training for m in modules(tree))
    assert tree.eval() is tree
    assert not any(m.training for m in modules(tree))
    assert all(m.training for m in modules(other))
    tree.leaves[0].train()
    assert [m.training for m in modules(tree)] == [False, False, False, True, True, False, False]
    assert tree.train() is tree
    assert all(m.training for m in modules(tree))
    tree.train(False)
    assert not any(m.training for m in modules(tree))


def test_gradients_are_forgotten_everywhere():
    for forget in (lambda t: t.zero_grad(), lambda t: t.astype(np.float32), lambda t: t.to("cpu")):
        tree = Tree()
        for p in tree.parameters():
            p.grad = np.ones(p.shape)
        forget(tree)
        assert [p.grad for p in tree.parameters()] == [None] * len(NAMES)


def test_another_dtype_is_that_of_all():
    tree, same = Tree(), Tree()
    assert tree.astype(np.float32) is tree
    for one, other in zip(tree.parameters(), same.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data.astype(np.float32))
        assert one.dtype == np.float32
    assert tree.to("cpu") is tree


def test_what_is_saved_is_a_copy_and_what_is_loaded_too():
    tree, other = Tree(0), Tree(1).astype(np.float32)
    state = tree.state_dict()
    assert list(state) == NAMES
    other.load_state_dict(state)
    for name, p in other.named_parameters().items():
        assert p.dtype == np.float32
        np.testing.assert_array_equal(p.data, state[name].astype(np.float32))
    twin = Tree(2)
    twin.load_state_dict(state)
    assert twin.same is twin.leaf.inner
    for p in (*twin.parameters(), *tree.parameters()):
        p.data += 1
    for name, value in Tree(0).state_dict().items():
        np.testing.assert_array_equal(state[name], value)


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    tree, state = Tree(0), Tree(1).state_dict()
    for wrong, message in (
        (
            {name: state[name] for name in NAMES if name not in ("root", "tail.1")},
            r"missing parameters: root, tail\.1$",
        ),
        ({**state, **dict.fromkeys("zebra", np.ones(1))}, "unknown parameters: a, b, e, r, z$"),
        ({}, f"missing parameters: {', '.join(sorted(NAMES))}$"),
        ({**state, "leaves.2.inner": np.ones((1, 2))}, r"leaves\.2\.inner: expected shape \(2, 1\), found \(1, 2\)"),
        ({**state, "leaves.2.inner": np.ones(2)}, r"leaves\.2\.inner: expected shape \(2, 1\), found \(2,\)"),
    ):
        with pytest.raises(InputError, match=message):
            tree.load_state_dict(wrong)
    for name, value in Tree(0).state_dict().items():
        np.testing.assert_array_equal(tree.state_dict()[name], value)


class Prefixed(Module):
    """Children whose names begin alike."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.out = Linear(2, 3, rng=rng)
        self.outer = Linear(3, 2, bias=False, rng=rng)
        self.both = [Linear(1, 1, rng=rng), Linear(1, 1, rng=rng)]


def test_weights_go_by_torchs_names_and_come_back():
    module, other = Prefixed(0), Prefixed(1)
    weights = module.to_torch()
    assert " ".join(weights) == "out.weight out.bias outer.weight both.0.weight both.0.bias both.1.weight both.1.bias"
    other.load_torch(weights)
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value)
        np.testing.assert_array_equal(weights[name], value)
    weights["out.bias"] += 1
    assert not np.array_equal(weights["out.bias"], module.out.bias.data)
    with pytest.raises(InputError, match=r"missing parameters: both\.1\.bias, out\.bias$"):
        other.load_torch({name: value for name, value in weights.items() if name not in ("out.bias", "both.1.bias")})
    with pytest.raises(InputError, match=r"unknown parameters: out\.scale$"):
        other.load_torch({**weights, "out.scale": np.ones(1)})
    with pytest.raises(InputError, match=r"out\.weight: expected shape \(3, 2\), found \(2, 3\)"):
        other.load_torch({**weights, "out.weight": np.ones((2, 3))})
    other.load_torch({name: value.tolist() for name, value in weights.items()})
    np.testing.assert_array_equal(other.out.bias.data, module.out.bias.data + 1)


def test_a_shared_weight_comes_back_from_torch():
    class Tied(Module):
        def __init__(self, seed):
            self.first, self.second = Linear(2, 2, rng=seed), Linear(2, 2, rng=seed)
            self.second.weight = self.first.weight

    one, other = Tied(0), Tied(1)
    other.load_torch(one.to_torch())
    assert other.second.weight is other.first.weight
    np.testing.assert_array_equal(other.first.weight.data, one.first.weight.data)
    np.testing.assert_array_equal(other.second.bias.data, one.second.bias.data)


def test_a_child_has_torchs_names_of_its_own():
    class Tagger(Module):
        def __init__(self, seed):
            self.recurrent, self.out = LSTM(2, 3, rng=seed), [Linear(3, 2, rng=seed)]

    one = Tagger(0)
    weights = one.to_torch()
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert set(weights) == {*(f"recurrent.{kind}_l0" for kind in kinds), "out.0.weight", "out.0.bias"}
    for given in (weights, {name: value.tolist() for name, value in weights.items()}):
        other = Tagger(1)
        other.load_torch(given)
        for name, value in one.state_dict().items():
            np.testing.assert_array_equal(other.state_dict()[name], value)


def test_calling_a_module_calls_forward_with_all_arguments():
    class Echo(Module):
        def forward(self, *inputs, **options):
            return inputs, options

    assert Echo()(1, 2, scale=3) == ((1, 2), {"scale": 3})
    with pytest.raises(NotImplementedError, match="Module does not define forward"):
        Module()(Tensor(np.ones(1)))
