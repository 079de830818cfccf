"""Bridges and decoders: what each option makes of shapes and values, by hand."""

from functools import partial

import numpy as np
import pytest

from minirnn import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    InputError,
    MergeDecoder,
    Recurrent,
    RecurrentEncoder,
    Tensor,
)
from minirnn.models import Bridge
from minirnn.models.decoders import DecoderState
from minirnn.models.encoders import Encoding

DOUBLE = {"dtype": np.float64}
V, E, H, M = 7, 3, 4, 5
IDS, LENGTHS = np.array([[1, 2], [3, 4], [5, 6]]), np.array([3, 2])


def encoding(rng, states=1, rows=1):
    """Made up: outputs (3, 2, M), and `states` arrays (rows, 2, M)."""
    arrays = tuple(Tensor(rng.standard_normal((rows, 2, M))) for _ in range(states))
    return Encoding(Tensor(rng.standard_normal((3, 2, M))), arrays, LENGTHS)


def bridge(kind, source="gru", target="gru", source_layers=1, target_layers=1, hidden=M, **options):
    layers = (
        Recurrent(source, 2, M, source_layers, rng=0, **DOUBLE),
        Recurrent(target, 2, hidden, target_layers, rng=0, **DOUBLE),
    )
    return Bridge(kind, *layers, **{"rng": 0, **DOUBLE, **options})


CELLS = {"gru": 1, "lstm": 2, "lstm-fgr": 5}


@pytest.mark.parametrize("source", CELLS)
@pytest.mark.parametrize("target", CELLS)
@pytest.mark.parametrize("kind", ["copy", "learned", "zero", "z0"])
def test_each_array_of_the_state_has_its_own_way_over_the_bridge(kind, source, target, rng):
    over = bridge(kind, source, target)
    found = over(encoding(rng, CELLS[source]))
    given = encoding(np.random.default_rng(0), CELLS[source]).state
    assert [s.shape for s in found] == [(1, 2, M)] * CELLS[target]
    common = min(CELLS[source], CELLS[target])
    parameters = over.state_dict()
    for i, s in enumerate(found):
        if kind == "copy" and i < common:
            expected = given[i].data
        elif kind == "learned" and i < common:
            expected = np.tanh(given[i].data @ parameters[f"maps.{i}.weight"].T + parameters[f"maps.{i}.bias"])
        elif kind == "z0":
            expected = np.broadcast_to(parameters[f"constants.{i}"], (1, 2, M))
        else:
            expected = np.zeros((1, 2, M))
        np.testing.assert_allclose(s.data, expected, rtol=0, atol=1e-14)
    assert len(parameters) == {"learned": 2 * common, "z0": CELLS[target]}.get(kind, 0)


def test_constants_begin_small_and_different():
    values = bridge("z0", target="lstm", target_layers=3, hidden=100).state_dict()
    assert {name: array.shape for name, array in values.items()} == {f"constants.{i}": (3, 1, 100) for i in (0, 1)}
    everything = np.concatenate([array.ravel() for array in values.values()])
    assert len(set(everything)) == 600
    assert 0.095 < abs(everything).max() <= 0.1
    assert bridge("z0", rng=3).state_dict()["constants.0"].dtype == np.float64
    one, same, other = (bridge("learned", rng=seed).state_dict()["maps.0.weight"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_state_is_copied_only_where_both_sizes_agree():
    bridge("copy", source_layers=2, target_layers=2)
    for options in ({"source_layers": 2}, {"target_layers": 2}, {"hidden": M + 1}):
        with pytest.raises(InputError, match="cannot copy the state"):
            bridge("copy", **options)
        bridge("learned", **options)
    both = Recurrent("gru", 2, 2, bidirectional=True, rng=0)
    Bridge("copy", both, Recurrent("gru", 2, 4, rng=0))
    with pytest.raises(InputError, match=r"1 layer\(s\) of 4 units .* to 1 of 2"):
        Bridge("copy", both, Recurrent("gru", 2, 2, rng=0))


def test_a_bridge_of_many_layers_starts_from_the_top_one(rng):
    over, given = bridge("learned", source_layers=2, target_layers=3, hidden=2), encoding(rng, rows=2)
    (found,) = over(given)
    flat = np.tanh(given.state[0].data[1] @ over.maps[0].weight.data.T + over.maps[0].bias.data)  # (2, 3 · 2)
    for layer in range(3):
        np.testing.assert_allclose(found.data[layer], flat[:, 2 * layer : 2 * layer + 2], rtol=0, atol=1e-14)


DECODERS = {
    "handover": HandoverDecoder,
    "context": ContextDecoder,
    "before": AttentionDecoder,
    "after": partial(AttentionDecoder, attend="after"),
    "before, fed": partial(AttentionDecoder, input_feeding=True, readout_size=6),
    "after, fed": partial(AttentionDecoder, attend="after", input_feeding=True, readout_size=6),
}
# The features of a step's input, and what the output layer or the readout sees: without and with a deep output.
SIZES = {
    "handover": (E, H, H + E),
    "context": (E + M, H, H + M + E),
    "before": (E + M, H, H + M + E),
    "after": (E, H + M, H + M + E),
    "before, fed": (E + M + 6, H, H + M + E),
    "after, fed": (E + 6, H + M, H + M + E),
}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("readout", [None, 6])
@pytest.mark.parametrize("kind", DECODERS)
def test_what_a_step_and_the_output_layer_see(kind, readout, deep, rng):
    readout = 6 if "fed" in kind else readout
    options = {"deep_output": deep} if readout is None else {"deep_output": deep, "readout_size": readout}
    decoder = DECODERS[kind](V, E, H, M, rng=0, **options, **DOUBLE)
    in_size, *out_sizes = SIZES[kind]
    seen = out_sizes[deep]
    assert decoder.recurrent.W_l0.shape == (3 * H, in_size)
    assert decoder.output.weight.shape == (V, readout or seen)
    assert (decoder.readout is None) == (readout is None)
    if readout:
        assert decoder.readout.weight.shape == (readout, seen)
    given = encoding(rng)
    state = decoder.start(given, (Tensor(rng.standard_normal((1, 2, H))),))
    decoded = decoder(IDS, state)
    assert decoded.features.shape == (3, 2, readout or seen)
    assert decoder.logits(decoded.features).shape == (3, 2, V)


def rows_of(decoder, given, hidden, deep):
    """The features of a GRU decoder, a step at a time, from its own layers: the recurrent one and the attention."""
    weights, feed = np.zeros((2, 3)), None if not getattr(decoder, "input_feeding", False) else np.zeros((2, 6))
    memory = decoder.attention.remember(given.outputs, LENGTHS) if decoder.attends else None
    h, found, looks = hidden, [], []

    def look(query):
        context, where = decoder.attention(Tensor(query), memory, Tensor(weights))
        return context.data, where.data

    for ids in IDS:
        x = decoder.embedding.weight.data[ids]
        parts = [x] if feed is None else [x, feed]
        context = given.state[0].data[-1] if isinstance(decoder, ContextDecoder) else None
        if decoder.attends and decoder.context_in_input:
            context, weights = look(h)
        if context is not None and decoder.context_in_input:
            parts.append(context)
        h = decoder.recurrent(Tensor(np.concatenate(parts, axis=1)[None]), Tensor(h[None]))[0].data[0]
        if decoder.attends and not decoder.context_in_input:
            context, weights = look(h)
        seen = [h]
        if context is not None and (deep or not decoder.context_in_input):
            seen.append(context)
        if deep:
            seen.append(x)
        features = np.concatenate(seen, axis=1)
        if decoder.readout is not None:
            features = np.tanh(features @ decoder.readout.weight.data.T + decoder.readout.bias.data)
        feed = features if feed is not None else None
        found.append(features)
        looks.append(weights)
    return np.array(found), np.array(looks), h, feed


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("kind", DECODERS)
def test_features_and_state_are_those_of_the_equations(kind, deep, rng):
    decoder = DECODERS[kind](V, E, H, M, rng=0, deep_output=deep, **DOUBLE)
    given, hidden = encoding(rng, rows=2), rng.standard_normal((2, H))
    state = decoder.start(given, (Tensor(hidden[None]),))
    features, looks, h, feed = rows_of(decoder, given, hidden, deep)
    if isinstance(decoder, ContextDecoder):  # two rows of one direction are two layers: the top one
        np.testing.assert_array_equal(state.context.data, given.state[0].data[1])
    decoded = decoder(IDS, state)
    np.testing.assert_allclose(decoded.features.data, features, rtol=0, atol=1e-13)
    np.testing.assert_allclose(decoded.state.hidden.data[0], h, rtol=0, atol=1e-13)
    expected = features @ decoder.output.weight.data.T + decoder.output.bias.data
    np.testing.assert_allclose(decoder.logits(decoded.features).data, expected, rtol=0, atol=1e-13)
    if not decoder.attends:
        assert (decoded.attention, decoded.state.weights, decoded.state.feed) == (None, None, None)
        return
    np.testing.assert_allclose(decoded.attention.data, looks, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(decoded.state.weights.data, decoded.attention.data[-1])
    assert not state.weights.data.any()
    if feed is None:
        assert state.feed is decoded.state.feed is None
    else:
        assert (state.feed.shape, state.feed.data.any()) == ((2, 6), False)
        np.testing.assert_allclose(decoded.state.feed.data, feed, rtol=0, atol=1e-13)


def test_the_state_keeps_what_a_step_does_not_change(rng):
    decoder = ContextDecoder(V, E, H, M, rng=0, **DOUBLE)
    state = decoder.start(encoding(rng), (Tensor(np.zeros((1, 2, H))),))
    assert decoder(IDS, state).state.context is state.context
    assert (state.memory, state.weights, state.feed) == (None, None, None)
    decoder = AttentionDecoder(V, E, H, M, rng=0, **DOUBLE)
    state = decoder.start(encoding(rng), (Tensor(np.zeros((1, 2, H))),))
    assert decoder(IDS, state).state.memory is state.memory
    assert state.context is None
    pair = decoder.start(encoding(rng), tuple(Tensor(np.zeros((1, 2, H))) for _ in range(2))).hidden
    assert isinstance(pair, tuple)
    assert isinstance(state.hidden, Tensor)


def test_rows_of_a_state():
    h, c = np.arange(12.0).reshape(2, 3, 2), -np.arange(12.0).reshape(2, 3, 2)
    flat = np.arange(6.0).reshape(3, 2)
    state = DecoderState((Tensor(h), Tensor(c)), Tensor(flat), None, Tensor(flat + 1), Tensor(flat + 2))
    chosen = state.select(np.array([2, 0, 2, 1]))
    for ours, theirs in zip(chosen.hidden, (h, c), strict=True):
        np.testing.assert_array_equal(ours.data, theirs[:, [2, 0, 2, 1]])
    for ours, plus in ((chosen.context, 0), (chosen.weights, 1), (chosen.feed, 2)):
        np.testing.assert_array_equal(ours.data, flat[[2, 0, 2, 1]] + plus)
    assert DecoderState(Tensor(h)).select([1]).hidden.data.tolist() == h[:, [1]].tolist()
    assert DecoderState(Tensor(h)).select([1]).context is None


def test_the_options_of_attention_reach_it(rng):
    plain = AttentionDecoder(V, E, H, M, rng=0)
    assert plain.attention.score.query.weight.shape == (H, H)
    wide = AttentionDecoder(V, E, H, M, attention_size=9, rng=0)
    assert wide.attention.score.query.weight.shape == (9, H)
    assert wide.attention.score.key.weight.shape == (9, M)
    given = encoding(rng)
    for normalize, sums in (("softmax", True), ("none", False)):
        decoder = AttentionDecoder(V, E, H, M, score="general", normalize=normalize, rng=0, **DOUBLE)
        looks = decoder(IDS, decoder.start(given, (Tensor(np.ones((1, 2, H))),))).attention.data
        assert np.allclose(looks.sum(axis=-1), 1) == sums
    with pytest.raises(InputError, match="place to attend"):
        AttentionDecoder(V, E, H, M, attend="during")


@pytest.mark.parametrize("attend", ["before", "after"])
def test_without_a_readout_it_is_the_context_that_is_fed(attend, rng):
    decoder = AttentionDecoder(V, E, H, M, attend=attend, input_feeding=True, rng=0, **DOUBLE)
    state = decoder.start(encoding(rng), (Tensor(rng.standard_normal((1, 2, H))),))
    assert not state.feed.data.any()
    whole = decoder(IDS, state)
    first = decoder(IDS[:1], state)
    values, weights = state.memory.values.data, first.attention.data[0]
    np.testing.assert_allclose(first.state.feed.data, np.einsum("bs,bsm->bm", weights, values), rtol=0, atol=1e-14)
    rest = decoder(IDS[1:], first.state)
    np.testing.assert_allclose(rest.features.data, whole.features.data[1:], rtol=0, atol=1e-14)
    forgot = decoder(IDS[1:], first.state.select([0, 1]).__class__(**{**vars(first.state), "feed": state.feed}))
    assert not np.allclose(forgot.features.data, rest.features.data)


def test_merged_the_recurrent_layer_never_sees_the_source(rng):
    decoder = MergeDecoder(V, E, H, M, readout_size=6, rng=0, **DOUBLE)
    hidden = (Tensor(np.zeros((1, 2, H))),)
    one, other = (decoder(IDS, decoder.start(encoding(rng), hidden)) for _ in range(2))
    np.testing.assert_array_equal(one.state.hidden.data, other.state.hidden.data)
    assert not np.allclose(one.features.data, other.features.data)
    fed = ContextDecoder(V, E, H, M, rng=0, **DOUBLE)
    one, other = (fed(IDS, fed.start(encoding(rng), hidden)) for _ in range(2))
    assert not np.allclose(one.state.hidden.data, other.state.hidden.data)


def test_tied_weights_are_one_array_of_small_numbers():
    plain = HandoverDecoder(V, 6, H, M, readout_size=6, rng=0, **DOUBLE)
    tied = HandoverDecoder(V, 6, H, M, readout_size=6, tied=True, rng=0, **DOUBLE)
    np.testing.assert_allclose(tied.embedding.weight.data, plain.embedding.weight.data / np.sqrt(6), rtol=1e-12)
    assert tied.output.weight is tied.embedding.weight
    assert plain.output.weight is not plain.embedding.weight
    HandoverDecoder(V, H, H, M, deep_output=False, tied=True, rng=0)
    for options in ({}, {"readout_size": E + 1}, {"readout_size": E - 1}):
        with pytest.raises(InputError, match="tied embeddings need a readout of their size, 3"):
            HandoverDecoder(V, E, H, M, tied=True, **options)


def pair(decoder=AttentionDecoder, encoder_size=(V, E), decoder_size=(V, E), **options):
    encoder = RecurrentEncoder(*encoder_size, M, rng=0, **DOUBLE)
    return EncoderDecoder(encoder, decoder(*decoder_size, M, M, rng=1, **DOUBLE), **{"rng": 2, **DOUBLE, **options})


def test_both_sides_may_share_one_embedding_of_one_shape():
    model = pair(tied=True)
    assert model.encoder.embedding.weight is model.decoder.embedding.weight
    assert pair().encoder.embedding.weight is not pair().decoder.embedding.weight
    for sizes in ((V + 1, E), (V, E + 1)):
        with pytest.raises(InputError, match="one vocabulary and one size"):
            pair(encoder_size=sizes, tied=True)
        pair(encoder_size=sizes)


def test_a_decoder_must_see_the_source_somewhere():
    for kind in ("zero", "z0"):
        with pytest.raises(InputError, match="would never see the source"):
            pair(HandoverDecoder, bridge=kind)
        pair(ContextDecoder, bridge=kind)
        pair(AttentionDecoder, bridge=kind)
    for kind in ("copy", "learned"):
        pair(HandoverDecoder, bridge=kind)


def test_the_bridge_is_learned_unless_another_is_asked_for():
    assert len(pair().bridge.maps) == 1
    assert pair().bridge.maps[0].weight.dtype == np.float64
    assert (
        EncoderDecoder(RecurrentEncoder(V, E, M), ContextDecoder(V, E, M, M)).bridge.maps[0].weight.dtype == np.float32
    )
    one, same, other = (pair(rng=seed).bridge.maps[0].weight.data for seed in (2, 2, 3))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_coin_in_the_first_step_changes_nothing(rng):
    model = pair()
    forced = model(IDS, LENGTHS, IDS)
    first = np.array([[True, True], [False, False], [False, False]])
    np.testing.assert_array_equal(model(IDS, LENGTHS, IDS, first).features.data, forced.features.data)
    fed = []
    decoder = model.decoder.forward
    model.decoder.forward = lambda ids, state: fed.append(np.array(ids)) or decoder(ids, state)
    own = np.array([[False, False], [True, False], [False, True]])
    decoded = model(IDS, LENGTHS, IDS, own)
    best = model.decoder.logits(decoded.features).data.argmax(axis=-1)
    assert [ids.tolist() for ids in fed] == [[[1, 2]], [[best[0, 0], 4]], [[5, best[1, 1]]]]
    assert decoded.attention.shape == (3, 2, 3)
    assert pair(ContextDecoder)(IDS, LENGTHS, IDS, own).attention is None
    np.testing.assert_array_equal(decoded.state.weights.data, decoded.attention.data[-1])


def test_a_step_gives_probabilities_and_where_it_looked():
    model = pair()
    log_probs, state = model.step(np.array([1, 1]), model.start(IDS, LENGTHS))
    assert log_probs.shape == (2, V)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(model.attention(state).sum(axis=1), 1, rtol=1e-12)
    assert not state.hidden.requires_grad
    plain = pair(ContextDecoder)
    assert plain.attention(plain.start(IDS, LENGTHS)) is None
