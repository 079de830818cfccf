"""Recurrent layers against their parts: single layers that are run one after the other with the same weights."""

import numpy as np
import pytest

from minirnn import GRU, LSTM, RNN, InputError, Recurrent, Tensor, detach, grad, make_cell, ops
from minirnn.autograd.functional import dropout_mask
from minirnn.cells.lstm_variants import LSTMVariantCell

T, B, I, H = 5, 3, 4, 2
LENGTHS = np.array([5, 2, 3])


def sequence(features=I, seed=0):
    return np.random.default_rng(seed).standard_normal((T, B, features))


def build(cell="lstm", layers=1, **options):
    return Recurrent(cell, I, H, layers, rng=1, dtype=np.float64, **options)


def states(layer, seed=5):
    """A random initial state of the layer, as arrays (layers · directions, B, H)."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((layer.num_layers * layer.num_directions, B, H)) for _ in range(layer.cell.num_states)]


def as_state(arrays):
    return tuple(Tensor(a) for a in arrays) if len(arrays) > 1 else Tensor(arrays[0])


def as_arrays(state):
    return [s.data for s in (state if isinstance(state, tuple) else (state,))]


def single(layer, suffix):
    """A layer of its own with the weights of one layer and direction."""
    weights = {name: p.data for name, p in layer.named_parameters().items() if name[1:] == suffix}
    one = Recurrent(layer.cell, weights["W" + suffix].shape[1], H, dtype=np.float64)
    one.load_state_dict({name[0] + "_l0": value for name, value in weights.items()})
    return one


def turned(x):
    """Each sequence from its last real step to its first, padding where it was."""
    y = x.copy()
    for b, n in enumerate(LENGTHS):
        y[:n, b] = x[:n, b][::-1]
    return y


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("variational", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_deep_layer_is_its_layers_one_after_the_other(cell, dropout, variational, bidirectional):
    layer = build(cell, 3, bidirectional=bidirectional, dropout=dropout, variational=variational)
    layer.dropout.rng = np.random.default_rng(9)
    x, before = sequence(), states(layer)
    output, final = layer(Tensor(x), as_state(before), LENGTHS)

    rng, after, index = np.random.default_rng(9), [], 0
    for depth in range(3):
        if depth and dropout:  # between layers, not before the first
            shape = (1, *x.shape[1:]) if variational else x.shape
            x = x * dropout_mask(shape, dropout, rng, x)
        outputs = []
        for suffix in [f"_l{depth}", f"_l{depth}_reverse"][: 1 + bidirectional]:
            state, part = as_state([s[index : index + 1] for s in before]), single(layer, suffix)
            if suffix.endswith("reverse"):
                y, end = part(Tensor(turned(x)), state, LENGTHS)
                outputs.append(turned(y.data))
            else:
                y, end = part(Tensor(x), state, LENGTHS)
                outputs.append(y.data)
            after.append(as_arrays(end))
            index += 1
        x = np.concatenate(outputs, axis=-1)
    np.testing.assert_allclose(output.data, x, rtol=0, atol=1e-13)
    for k, array in enumerate(as_arrays(final)):
        np.testing.assert_allclose(array, np.concatenate([one[k] for one in after]), rtol=0, atol=1e-13)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_reversed_layer_reads_each_sequence_from_its_last_real_step(cell):
    backward, forward, x = build(cell, reverse=True), build(cell), sequence()
    before = as_state(states(forward))
    output, final = backward(Tensor(x), before, LENGTHS)
    expected, expected_final = forward(Tensor(turned(x)), before, LENGTHS)
    np.testing.assert_allclose(output.data, turned(expected.data), rtol=0, atol=1e-13)
    for one, other in zip(as_arrays(final), as_arrays(expected_final), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)
    assert list(backward.named_parameters()) == list(forward.named_parameters()) == ["W_l0", "U_l0", "b_l0"]


def test_weights_are_named_after_layer_and_direction_and_begin_in_that_order():
    layer, rng = build("lstm", 2, bidirectional=True), np.random.default_rng(1)
    expected = [name + suffix for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse") for name in "WUb"]
    assert list(layer.named_parameters()) == expected
    bound = H**-0.5
    for name, p in layer.named_parameters().items():
        rows, columns = 4 * H, {"W": I if "l0" in name else 2 * H, "U": H}.get(name[0])
        shape = (rows,) if columns is None else (rows, columns)
        np.testing.assert_allclose(p.data, rng.uniform(-bound, bound, shape), rtol=1e-13, atol=1e-15)
    assert {p.dtype for p in Recurrent("gru", I, H).parameters()} == {np.dtype(np.float32)}
    assert Recurrent("gru", I, H).num_layers == 1


def test_orthogonal_is_the_recurrent_weight_alone():
    layer, rng = build("gru", recurrent_init="orthogonal"), np.random.default_rng(1)
    bound = H**-0.5
    np.testing.assert_allclose(layer.W_l0.data, rng.uniform(-bound, bound, (3 * H, I)), rtol=1e-13)
    for block in layer.U_l0.data.reshape(3, H, H):
        np.testing.assert_allclose(block @ block.T, np.eye(H), atol=1e-14)
    rng.standard_normal((3, H, H))
    np.testing.assert_allclose(layer.b_l0.data, rng.uniform(-bound, bound, 3 * H), rtol=1e-13)


def test_what_begins_as_a_constant_does():
    layer = build("rnn-prelu", 2)
    assert layer.slope_l0.data.tolist() == layer.slope_l1.data.tolist() == [0.25] * H
    assert layer.slope_l0.dtype == np.float64
    normed = build("lstm-layer-norm")
    for name, value in normed.cell.initial_values.items():
        assert set(getattr(normed, f"{name}_l0").data.ravel()) == {value}


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn-prelu"])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_walk_step_by_step_is_the_layer(cell, layers):
    layer, x = build(cell, layers), sequence()
    for before in (None, as_state(states(layer))):
        output, final = layer(Tensor(x), before)
        stepper = layer.stepper(Tensor(x), before)
        for t in range(T):
            y = stepper(Tensor(x[t]))
            np.testing.assert_allclose(y.data, output.data[t], rtol=0, atol=1e-13)
            assert stepper.output is y
        for one, other in zip(as_arrays(stepper.state()), as_arrays(final), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-13)
        assert isinstance(stepper.state(), tuple) == (layer.cell.num_states > 1)


@pytest.mark.parametrize("variational", [False, True])
def test_a_walk_drops_between_its_layers(variational):
    layer, x = build("gru", 3, dropout=0.5, variational=variational), sequence()
    layer.dropout.rng = np.random.default_rng(9)
    stepper, rng, masks = layer.stepper(Tensor(x), None), np.random.default_rng(9), {}
    parts = [single(layer, f"_l{depth}").stepper(Tensor(x), None) for depth in range(3)]
    for t in range(T):
        found, y = stepper(Tensor(x[t])).data, x[t]
        for depth, part in enumerate(parts):
            if depth:
                if not variational or t == 0:
                    masks[depth] = dropout_mask(y.shape, 0.5, rng, y)
                y = y * masks[depth]
            y = part(Tensor(y)).data
        np.testing.assert_allclose(found, y, rtol=0, atol=1e-13)


def test_only_what_reads_from_left_to_right_is_walked():
    x = Tensor(sequence())
    assert build("gru").stepper(x, None)
    for options in ({"reverse": True}, {"bidirectional": True}):
        with pytest.raises(InputError, match="left to right"):
            build("gru", **options).stepper(x, None)


def test_what_a_cell_draws_it_draws_in_training_alone():
    x = Tensor(sequence())
    layer = build("rnn-rrelu", 2)
    for walk in (lambda: layer(x)[0].data, lambda: ops.stack([*map(layer.stepper(x, None), ops.unstack(x))]).data):
        layer.dropout.rng = np.random.default_rng(3)
        first, second = walk(), walk()
        assert not np.array_equal(first, second)
        layer.dropout.rng = np.random.default_rng(3)
        np.testing.assert_array_equal(walk(), first)
        layer.eval()
        drawn = layer.dropout.rng.bit_generator.state
        np.testing.assert_array_equal(walk(), walk())
        assert layer.dropout.rng.bit_generator.state == drawn
        layer.train()


def test_a_cell_that_draws_nothing_is_left_alone():
    layer = build("gru")
    layer(Tensor(sequence()))
    assert layer.cell.rng is None


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_state_that_does_not_fit_is_refused(cell):
    layer, x = build(cell, 2, bidirectional=True), Tensor(sequence())
    n, good = layer.cell.num_states, (4, B, H)
    zeros = lambda *shapes: tuple(Tensor(np.zeros(shape)) for shape in shapes)
    for kind in (tuple, list):
        output, _ = layer(x, kind(zeros(*[good] * n)))
        np.testing.assert_array_equal(output.data, layer(x)[0].data)
    wrong = [zeros(*[good] * (n + 1)), zeros(*[good] * n)[:-1]]
    for shape in ((3, B, H), (4, B + 1, H), (4, B, H + 1), (B, H), (1, 4, B, H)):
        wrong += [zeros(*[shape] * n), zeros(*[good] * (n - 1), shape), zeros(shape, *[good] * (n - 1))]
    for state in wrong:
        with pytest.raises(InputError, match=rf"the state must be {n} .* of shape \(4, 3, 2\), not {len(state)}"):
            layer(x, state)


@pytest.mark.parametrize("shape", [(T, I), (T, B, 1, I), (I,)])
def test_an_input_without_time_batch_and_features_is_refused(shape):
    with pytest.raises(InputError, match="time, batch, features"):
        build("gru")(Tensor(np.zeros(shape)))
    with pytest.raises(InputError, match="time, batch, features"):
        build("gru").stepper(Tensor(np.zeros(shape)), None)


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
def test_every_size_is_at_least_one(name):
    sizes = {"input_size": 1, "hidden_size": 1, "num_layers": 1}
    layer = Recurrent("lstm", **sizes)
    assert (layer.input_size, layer.hidden_size, layer.num_layers, layer.num_directions) == (1, 1, 1, 1)
    for wrong in (0, -1):
        with pytest.raises(InputError, match=f"{name} must be .*at least 1, not {wrong}"):
            Recurrent("lstm", **sizes | {name: wrong})


def test_directions_are_one_or_the_other_or_both():
    assert (build().num_directions, build().reverse) == (1, False)
    assert (build(reverse=True).num_directions, build(reverse=True).reverse) == (1, True)
    assert (build(bidirectional=True).num_directions, build(bidirectional=True).reverse) == (2, False)
    with pytest.raises(InputError, match="leave out reverse"):
        build(bidirectional=True, reverse=True)


def test_options_reach_the_dropout_and_the_cell():
    assert (build().dropout.p, build().dropout.variational) == (0.0, False)
    layer = build(dropout=0.25, variational=True)
    assert (layer.dropout.p, layer.dropout.variational) == (0.25, True)
    shared = np.random.default_rng(0)
    assert Recurrent("gru", I, H, rng=shared).dropout.rng is shared
    cell = make_cell("gru")
    assert Recurrent(cell, I, H).cell is cell
    with pytest.raises(InputError, match="unknown cell 'elman'"):
        Recurrent("elman", I, H)
    with pytest.raises(InputError, match="unknown recurrent_init 'zeros': expected one of uniform, orthogonal"):
        build(recurrent_init="zeros")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda **o: RNN(I, H, **o), "rnn"),
        (lambda **o: RNN(I, H, nonlinearity="relu", **o), "rnn-relu"),
        (lambda **o: RNN(I, H, nonlinearity="prelu", **o), "rnn-prelu"),
        (lambda **o: RNN(I, H, nonlinearity="rrelu", **o), "rnn-rrelu"),
        (lambda **o: GRU(I, H, **o), "gru"),
        (lambda **o: GRU(I, H, reset="before", **o), "gru"),
        (lambda **o: GRU(I, H, reset="after", **o), "gru-after"),
        (lambda **o: LSTM(I, H, **o), "lstm"),
    ],
)
def test_the_three_by_name(one, other):
    layer, named = one(rng=1, dtype=np.float64), Recurrent(other, I, H, rng=1, dtype=np.float64)
    assert layer.num_layers == 1
    assert type(layer.cell) is type(named.cell)
    x = Tensor(sequence())
    np.testing.assert_array_equal(layer(x)[0].data, named(x)[0].data)


def test_peepholes_are_there_where_they_were_asked_for():
    assert list(LSTM(I, H).named_parameters()) == ["W_l0", "U_l0", "b_l0"]
    layer = LSTM(I, H, 2, peepholes=True, rng=1)
    assert isinstance(layer.cell, LSTMVariantCell)
    assert layer.num_layers == 2
    assert {layer.p_l0.shape, layer.p_l1.shape} == {(3, H)}


def test_wrong_resets_are_refused():
    for wrong in ("never", "", None):
        with pytest.raises(InputError, match="unknown reset"):
            GRU(I, H, reset=wrong)


def test_a_detached_state_hands_no_gradient_on():
    layer, x = build("lstm"), Tensor(sequence(), requires_grad=True)
    _, state = layer(x)
    cut = detach(state)
    assert isinstance(cut, tuple)
    assert [s.shape for s in cut] == [(1, B, H)] * 2
    for one, other in zip(cut, state, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert not one.requires_grad
    output, _ = layer(Tensor(sequence(seed=1)), cut)
    assert grad(output.sum(), [x])[0] is None
    _, state = build("gru")(x)
    assert isinstance(detach(state), Tensor)
    assert not detach(state).requires_grad


@pytest.mark.parametrize("build_layer", [lambda **o: LSTM(I, H, **o), lambda **o: GRU(I, H, reset="after", **o)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_weights_come_back_from_the_names_of_torch(build_layer, bidirectional):
    layer = build_layer(num_layers=2, bidirectional=bidirectional, rng=1, dtype=np.float64)
    theirs = layer.to_torch()
    suffixes = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"] if bidirectional else ["_l0", "_l1"]
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert set(theirs) == {kind + suffix for kind in kinds for suffix in suffixes}
    other = build_layer(num_layers=2, bidirectional=bidirectional, rng=2, dtype=np.float64)
    other.load_torch(theirs)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], value)
    before = layer.state_dict()
    for array in theirs.values():
        array += 1
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    for missing in theirs:
        with pytest.raises(InputError, match=f"missing parameters: {missing}$"):
            other.load_torch({name: value for name, value in theirs.items() if name != missing})
    with pytest.raises(InputError, match=r"unknown parameters: proj$"):
        other.load_torch({**theirs, "proj": np.zeros(1)})


def test_what_torch_does_not_have_is_not_exchanged():
    for layer in (GRU(I, H), LSTM(I, H, peepholes=True), RNN(I, H, nonlinearity="elu")):
        for exchange in (layer.to_torch, lambda layer=layer: layer.load_torch({})):
            with pytest.raises(InputError, match=f"no {type(layer.cell).__name__} with these options"):
                exchange()
