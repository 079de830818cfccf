"""The layers of a deep network side by side, against one after the other."""

import importlib.util

import numpy as np
import pytest
from fast_cases import in_use

from minirnn import InputError, Recurrent, Tensor, no_grad, parallel
from minirnn.fast import wavefront
from minirnn.layers import recurrent

if not importlib.util.find_spec("numba"):
    pytest.skip("no numba to compile kernels with", allow_module_level=True)

CELLS = ["lstm", "gru", *(pytest.param(c, marks=pytest.mark.slow) for c in ("rnn", "gru-after", "lstm-peephole"))]


@pytest.fixture
def walked(monkeypatch):
    """How many times layers were walked side by side; small ones are, too, and by two threads."""
    calls, unroll_layers = [], wavefront.unroll_layers
    monkeypatch.setattr(recurrent, "unroll_layers", lambda *a: calls.append(len(a[2])) or unroll_layers(*a))
    monkeypatch.setattr(wavefront, "worthwhile", lambda *_: 2)
    monkeypatch.setattr(parallel, "num_threads", lambda: 2)
    return calls


def outcome(layer, T, B, lengths=None, needs=True):
    """Output, final state and all gradients, of random inputs."""
    rng, states = np.random.default_rng(0), layer.cell.num_states
    layer.zero_grad()
    x = Tensor(rng.standard_normal((T, B, layer.input_size)), requires_grad=needs)
    initial = tuple(
        Tensor(rng.standard_normal((layer.num_layers, B, layer.hidden_size)), requires_grad=needs)
        for _ in range(states)
    )
    y, final = layer(x, initial if states > 1 else initial[0], lengths)
    found = [y, *(final if isinstance(final, tuple) else (final,))]
    sum((a * rng.standard_normal(a.shape)).sum() for a in found).backward()
    inputs = [x, *initial] if needs else []
    return [a.data for a in found] + [a.grad for a in (*inputs, *layer.parameters()) if a.requires_grad]


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("stretch", [1, 10**9])
@pytest.mark.parametrize(
    ("T", "B", "layers", "lengths"), [(9, 1, 2, None), (8, 3, 3, [8, 3, 0]), (1, 2, 4, None), (20, 3, 2, [20, 20, 5])]
)
def test_layers_side_by_side_give_what_they_give_one_after_the_other(
    name, stretch, T, B, layers, lengths, walked, monkeypatch
):
    monkeypatch.setattr(wavefront, "OF_A_STRETCH", stretch)
    layer = Recurrent(name, 5, 7, layers, rng=0, dtype=np.float64)
    expected = outcome(layer, T, B, lengths)
    assert not walked
    with in_use():
        found = outcome(layer, T, B, lengths)
        frozen = next(iter(layer.parameters()))
        frozen.requires_grad = False
        partly = outcome(layer, T, B, lengths, needs=False)
    assert walked == [layers, layers]
    assert len(found) == len(expected)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12 * max(1, np.abs(one).max()))
    own = found[: 1 + layer.cell.num_states] + found[3 + 2 * layer.cell.num_states :]  # but of what needs none
    for one, other in zip(own, partly, strict=True):
        np.testing.assert_array_equal(other, one)


def test_nothing_is_kept_without_a_way_back(walked):
    layer, x = Recurrent("lstm", 5, 7, 2, rng=0, dtype=np.float64), Tensor(np.ones((6, 1, 5)))
    expected = layer(x)[0].data
    with in_use(), no_grad():
        output, _ = layer(x)
    assert walked == [2]
    np.testing.assert_allclose(output.data, expected, atol=1e-12)
    deep = wavefront._Layers(layer.cell, x, [(layer.weights_of("_l0"), [Tensor(np.zeros((1, 7)))] * 2)], None)
    assert len(deep.kept[0]) == 6
    with no_grad():
        deep = wavefront._Layers(layer.cell, x, [(layer.weights_of("_l0"), [Tensor(np.zeros((1, 7)))] * 2)], None)
    assert len(deep.kept[0]) == 1


@pytest.mark.parametrize(
    ("options", "B", "kernels", "expected"),
    [
        ({}, 3, True, [2]),
        ({}, 3, False, []),
        ({}, 4, True, []),  # a batch that is divided
        ({}, 0, True, []),
        ({"num_layers": 1}, 1, True, []),
        ({"bidirectional": True}, 1, True, []),
        ({"reverse": True}, 1, True, []),
        ({"dropout": 0.5}, 1, True, []),
        ({"cell": "rnn-relu"}, 1, True, []),
    ],
)
def test_when_they_are_walked_side_by_side(options, B, kernels, expected, walked):
    options = {"cell": "gru", "num_layers": 2, **options}
    layer = Recurrent(options.pop("cell"), 5, 7, **options, rng=0, dtype=np.float64)
    with in_use(kernels):
        layer(Tensor(np.ones((6, B, 5))))
    assert walked == expected
    layer.eval()
    if layer.dropout.p:
        with in_use(kernels):
            layer(Tensor(np.ones((6, B, 5))))
        assert walked == [2]


def test_small_walks_are_not_worth_a_thread(monkeypatch):
    monkeypatch.setattr(parallel, "num_threads", lambda: 2)
    cell = Recurrent("lstm", 5, 7).cell
    with in_use():
        assert wavefront.layers_pay(cell, Tensor(np.ones((64, 1, 5), np.float32)), 2, 256)
        assert not wavefront.layers_pay(cell, Tensor(np.ones((32, 1, 5), np.float32)), 2, 128)


def test_what_does_not_fit_is_refused_as_ever(walked):
    layer = Recurrent("lstm", 5, 7, 2, rng=0, dtype=np.float64)

    def refusal(x, lengths=None):
        with pytest.raises((InputError, TypeError)) as caught:
            layer(x, None, lengths)
        return str(caught.value)

    for x, lengths in [
        (Tensor(np.ones((6, 1, 4))), None),
        (Tensor(np.ones((0, 1, 5))), None),
        (Tensor(np.ones((6, 5))), None),
        (Tensor(np.ones((6, 1, 5), np.float32)), None),
        (Tensor(np.ones((6, 1, 5))), [7]),
        (Tensor(np.ones((6, 1, 5))), [1, 2]),
    ]:
        expected = refusal(x, lengths)
        with in_use():
            assert refusal(x, lengths) == expected
