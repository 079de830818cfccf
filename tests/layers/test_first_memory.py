"""How long a layer remembers before it has learned anything: by what its steps do, and row by row."""

import numpy as np
import pytest

from minirnn import (
    CELL_NAMES,
    GRU,
    LSTM,
    AttentionDecoder,
    ClozeModel,
    ContextDecoder,
    HandoverDecoder,
    InputError,
    LanguageModel,
    Recurrent,
    RecurrentEncoder,
    SequenceClassifier,
    Tensor,
    make_cell,
)
from minirnn.models.forecasting import RecurrentForecaster

GATED = [name for name in CELL_NAMES if make_cell(name).memory_gate is not None]


def kept_and_written(name, H=5, **options):
    """Of a fresh layer, per unit, the part of its memory that stays over a step and the part of the candidate that is
    written: from what a step does where nothing but the biases has a say."""
    layer = Recurrent(name, 2, H, rng=0, dtype=np.float64, **options)
    biases = layer.b_l0.data.copy()
    for weight in layer.parameters():
        weight.data = np.zeros_like(weight.data)
    at = H * max(layer.cell.gates.find(letter) for letter in "gn")
    biases[at : at + H] = 40  # whose tanh is 1
    layer.b_l0.data = biases
    candidate = 40 if name == "lstm-niaf" else 1

    def step(memory):
        states = [Tensor(np.zeros((1, 1, H))) for _ in range(layer.cell.num_states)]
        states[min(1, len(states) - 1)] = Tensor(np.full((1, 1, H), memory))
        _, state = layer(Tensor(np.zeros((1, 1, 2))), tuple(states))
        return (state[1] if isinstance(state, tuple) else state).data[0, 0]

    empty = step(0.0)
    return step(1.0) - empty, empty / candidate


def test_the_cells_with_a_gate_that_keeps_are_those_of_the_papers():
    assert set(CELL_NAMES) - set(GATED) == {n for n in CELL_NAMES if n.startswith("rnn")} | {"lstm-nfg"}


@pytest.mark.parametrize("name", GATED)
@pytest.mark.parametrize("bias", [2.0, -1.0])
def test_the_forget_bias_is_where_the_memory_begins(name, bias):
    kept, _ = kept_and_written(name, forget_bias=bias)
    np.testing.assert_allclose(kept, 1 / (1 + np.exp(-bias)), rtol=1e-12)


@pytest.mark.parametrize("name", GATED)
@pytest.mark.parametrize("T", [3, 40])
def test_chrono_spreads_what_the_units_remember_and_writes_what_they_forget(name, T):
    kept, written = kept_and_written(name, H=200, chrono=T)
    b = np.log(kept / (1 - kept))
    assert 0 <= b.min() < b.max() <= np.log(T - 1)
    np.testing.assert_allclose(np.exp(b).mean(), T / 2, rtol=0.1)  # of U(1, T-1)
    np.testing.assert_allclose(written, 1 if name == "lstm-nig" else 1 - kept, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "keeps", "sign", "writes"),
    [
        ("lstm", 1, 1, 0),
        ("lstm-layer-norm", 1, 1, 0),
        ("lstm-nig", 0, 1, None),
        ("lstm-cifg", 0, -1, None),
        ("gru", 1, 1, None),
        ("gru-after", 1, 1, None),
    ],
)
def test_they_stand_in_the_rows_of_their_gates_and_move_nothing_else(name, keeps, sign, writes):
    build = lambda **options: Recurrent(name, 2, 3, 2, bidirectional=True, rng=np.random.default_rng(0), **options)
    plain, biased, timed = build(), build(forget_bias=1.5), build(chrono=9)
    blocks = lambda layer, name: getattr(layer, name).data.reshape(len(layer.cell.gates), -1)
    for weight in plain.named_parameters():
        if not weight.startswith("b_l"):
            for layer in (biased, timed):
                np.testing.assert_array_equal(getattr(layer, weight).data, getattr(plain, weight).data)
            continue
        before, fixed, drawn = (blocks(layer, weight) for layer in (plain, biased, timed))
        assert (fixed[keeps] == sign * 1.5).all()
        np.testing.assert_array_equal(np.delete(fixed, keeps, axis=0), np.delete(before, keeps, axis=0))
        b = sign * drawn[keeps]
        assert len(set(b)) == 3
        assert 0 <= b.min() < b.max() <= np.log(8)
        set_here = [keeps] if writes is None else [keeps, writes]
        if writes is not None:
            np.testing.assert_array_equal(drawn[writes], -b)
        np.testing.assert_array_equal(np.delete(drawn, set_here, axis=0), np.delete(before, set_here, axis=0))
    assert len({float(b) for n in ("b_l0", "b_l0_reverse", "b_l1") for b in blocks(timed, n)[keeps]}) == 9


def test_a_gru_with_a_huge_forget_bias_keeps_its_state():
    layer, rng = GRU(2, 3, forget_bias=60.0, rng=0), np.random.default_rng(0)
    h = Tensor(rng.standard_normal((1, 2, 3)).astype(np.float32))
    output, last = layer(Tensor(rng.standard_normal((100, 2, 2)).astype(np.float32)), h)
    np.testing.assert_allclose(last.data, h.data, rtol=0, atol=1e-5)
    np.testing.assert_allclose(output.data, np.broadcast_to(h.data, output.shape), rtol=0, atol=1e-5)


def test_a_first_memory_that_cannot_be_is_refused():
    for name, cell in (("rnn", "RNNCell"), ("rnn-relu", "ActivatedRNNCell"), ("lstm-nfg", "LSTMVariantCell")):
        for option in ("forget_bias", "chrono"):
            with pytest.raises(InputError, match=f"^{option} needs a cell with a gate .*: {cell} .* has none$"):
                Recurrent(name, 2, 3, **{option: 5})
    with pytest.raises(InputError, match="give one of them"):
        LSTM(2, 3, forget_bias=1.0, chrono=5)
    for wrong in (2, 0, -3, 3.5, 9.0, True, "9"):
        with pytest.raises(InputError, match=r"^chrono must be an integer of at least 3, not "):
            GRU(2, 3, chrono=wrong)
    GRU(2, 3, chrono=np.int64(3))


@pytest.mark.parametrize(
    "build",
    [
        lambda **o: LanguageModel(5, 4, cell="gru", num_layers=2, **o),
        lambda **o: SequenceClassifier(5, 2, 4, cell="gru", **o),
        lambda **o: ClozeModel(5, 4, cell="gru", **o),
        lambda **o: RecurrentForecaster("gru", 4, **o),
        lambda **o: RecurrentEncoder(5, 3, 4, cell="gru", bidirectional=True, **o),
        lambda **o: HandoverDecoder(5, 3, 4, 6, cell="gru", **o),
        lambda **o: ContextDecoder(5, 3, 4, 6, cell="gru", num_layers=2, **o),
        lambda **o: AttentionDecoder(5, 3, 4, 6, cell="gru", **o),
    ],
)
def test_models_hand_it_on_to_all_their_layers(build):
    biases = lambda model: {
        n: p.data[4:8] for n, p in model.named_parameters().items() if "b_l" in n and len(p.data) == 12
    }
    assert biases(build(rng=0))
    assert all((z == 7).all() for z in biases(build(rng=0, forget_bias=7.0)).values())
    assert all(((z >= 0) & (z <= np.log(19))).all() for z in biases(build(rng=0, chrono=20)).values())
    with pytest.raises(InputError, match="give one of them"):
        build(forget_bias=1.0, chrono=9)
