"""Encoder-decoder models: padding changes nothing, a step is a step of the whole, and the options do what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from translation_cases import DECODERS, EOS, V, build, outcome, sentences

from minirnn import (
    CELL_NAMES,
    Adam,
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    InputError,
    RecurrentEncoder,
    Tensor,
    beam_search,
    clip_grad_norm,
    cross_entropy,
    decode,
    functional,
    grad,
    log_softmax,
    ops,
    rescore,
)
from minirnn.layers.attention import SCORES, Attention
from minirnn.training.translation import Translation, attention_regularizer, length_limit


@pytest.mark.parametrize("kind", DECODERS)
@settings(max_examples=8)
@given(data=st.data())
def test_padding_changes_nothing(kind, data):
    """A batch and the same batch with more padding: the same loss and gradients. And the batch is its sentences, one by
    one: the same attention, and the loss and gradients are their mean over the tokens."""
    lengths = st.lists(st.integers(1, 4), min_size=2, max_size=3)
    sources = data.draw(lengths)
    targets = data.draw(st.lists(st.integers(1, 4), min_size=len(sources), max_size=len(sources)))
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    cell, layers = data.draw(st.sampled_from(["gru", "lstm", "rnn", "gru-after"])), data.draw(st.sampled_from([1, 2]))
    model = build(kind, cell, layers)
    X, xl = sentences(rng, *sources, width=max(sources) + 2)
    Y, yl = sentences(rng, *targets, width=max(targets) + 2)
    loss, gradients, attention = outcome(model, X, xl, Y, yl)
    narrow = outcome(model, X[: xl.max()], xl, Y[: yl.max()], yl)
    assert loss.item() == pytest.approx(narrow[0].item(), rel=1e-12)
    for a, b in zip(gradients, narrow[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    alone_losses, alone_gradients = [], []
    for k in range(len(sources)):
        alone = outcome(model, X[: xl[k], k : k + 1], xl[k : k + 1], Y[: yl[k], k : k + 1], yl[k : k + 1], penalty=0.0)
        alone_losses.append(alone[0].item())
        alone_gradients.append(alone[1])
        if attention is not None:
            np.testing.assert_allclose(attention[: yl[k], k, : xl[k]], alone[2][:, 0], rtol=0, atol=1e-12)
            assert not attention[: yl[k], k, xl[k] :].any()
    together = outcome(model, X, xl, Y, yl, penalty=0.0)
    share = yl / yl.sum()
    assert together[0].item() == pytest.approx(share @ alone_losses, rel=1e-12)
    for i, whole in enumerate(together[1]):
        parts = [
            w * (np.zeros_like(whole) if g[i] is None else g[i]) for w, g in zip(share, alone_gradients, strict=True)
        ]
        np.testing.assert_allclose(whole, sum(parts), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_sentence_is_translated_alike_alone_and_in_a_batch(kind, cell, rng):
    model = build(kind, cell, layers=2)
    X, lengths = sentences(rng, 5, 1, 3, 2)

    def search(X, lengths):
        state, start = model.start(X, lengths), np.full(len(lengths), 1)
        limits = {"eos": EOS, "max_length": length_limit(lengths) // 2}
        one_best = decode(model.step, state, start, **limits)
        best = beam_search(model.step, model.start(X, lengths), start, beam_size=4, n_best=3, **limits)
        return [
            (one.tokens, *[(h.tokens, round(h.log_prob, 9)) for h in found])
            for one, found in zip(one_best, best, strict=True)
        ]

    together = search(X, lengths)
    for k, n in enumerate(lengths):
        assert search(X[:n, k : k + 1], lengths[k : k + 1]) == together[k : k + 1]


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("cell", ["gru", "lstm", "lstm-peephole"])
def test_steps_give_the_logits_of_the_whole(kind, cell, rng):
    model = build(kind, cell, layers=2)
    X, lengths = sentences(rng, 3, 4, 1)
    inputs = rng.integers(0, V, (5, 3))
    whole = model(X, lengths, inputs)
    expected = log_softmax(model.decoder.logits(whole.features)).data
    state = model.start(X, lengths)
    for t in range(5):
        log_probs, state = model.step(inputs[t], state)
        np.testing.assert_allclose(log_probs, expected[t], rtol=0, atol=1e-12)
        if whole.attention is not None:
            np.testing.assert_allclose(model.attention(state), whole.attention.data[t], rtol=0, atol=1e-12)
    for a, b in zip(_arrays(state.hidden), _arrays(whole.state.hidden), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def _arrays(hidden):
    return [h.data for h in (hidden if isinstance(hidden, tuple) else (hidden,))]


@pytest.mark.parametrize("kind", DECODERS)
def test_all_of_the_state_follows_its_hypothesis(kind, rng):
    """What beam search returns, found again by reading the sentence alone: the score and every row of attention."""
    model = build(kind, "lstm", layers=2)
    for p in model.parameters():
        p.data = 3 * p.data  # clear preferences, so that a state in the wrong row tells
    X, lengths = sentences(rng, 4, 2, 5)
    attends = model.decoder.attends
    found = beam_search(
        model.step, model.start(X, lengths), np.full(3, 1), beam_size=5, n_best=5, eos=EOS, max_length=6,
        attention=model.attention if attends else None, source_lengths=lengths,
        coverage_penalty=0.2 if attends and "no softmax" not in kind else 0.0,
    )  # fmt: skip
    assert sum(len(best) for best in found) > 10
    for k, best in enumerate(found):
        for one in best:
            source, n = X[: lengths[k], k : k + 1], lengths[k : k + 1]
            again = rescore(model.step, model.start(source, n), 1, one.tokens, eos=EOS if one.finished else None)
            assert one.log_prob == pytest.approx(again, abs=1e-9)
            written = [*one.tokens, *([EOS] if one.finished else [])]
            if attends:
                replay = model(source, n, np.array([[1, *written[:-1]]]).T).attention.data[:, 0]
                np.testing.assert_allclose(one.attention[:, : lengths[k]], replay, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 0, 1], [0, 0, 1], [1], [2, 2, 0, 1, 2]])
def test_selected_rows_go_on_as_they_would_have(kind, rows, rng):
    model, (X, lengths), rows = build(kind, "lstm", layers=2), sentences(rng, 4, 1, 3), np.array(rows)
    first, second = rng.integers(4, V, (2, 3))
    _, state = model.step(first, model.start(X, lengths))
    expected, after = model.step(second, state)
    state = state.select(rows)
    found, state = model.step(second[rows], state)
    np.testing.assert_allclose(found, expected[rows], rtol=0, atol=1e-13)
    if state.memory is not None:
        np.testing.assert_array_equal(state.memory.sentence, rows)
        np.testing.assert_allclose(model.attention(state), model.attention(after)[rows], rtol=0, atol=1e-13)


def test_the_final_state_is_never_taken_from_padding(rng):
    X, lengths = sentences(rng, 2, 4)
    for options in ({"bidirectional": True}, {"reverse": True}, {}):
        encoder = RecurrentEncoder(V, 3, 2, cell="lstm", num_layers=2, rng=0, dtype=np.float64, **options)
        together = encoder(X, lengths)
        alone = encoder(X[:2, :1], lengths[:1])
        for a, b in zip(together.state, alone.state, strict=True):
            np.testing.assert_allclose(a.data[:, :1], b.data, rtol=0, atol=1e-14)
        np.testing.assert_allclose(together.outputs.data[:2, :1], alone.outputs.data, rtol=0, atol=1e-14)
        assert not together.outputs.data[2:, 0].any()


def test_a_copied_state_is_both_directions_side_by_side(rng):
    X, lengths = sentences(rng, 2, 4)
    model = build("context", "lstm", layers=2, bridge="copy")
    encoding = model.encoder(X, lengths)
    (h, c), state = encoding.state, model.start(X, lengths)
    for ours, theirs in zip(state.hidden, (h, c), strict=True):
        for layer in (0, 1):
            both = np.concatenate([theirs.data[2 * layer], theirs.data[2 * layer + 1]], axis=-1)
            np.testing.assert_array_equal(ours.data[layer], both)
    np.testing.assert_array_equal(state.context.data, np.concatenate([h.data[2], h.data[3]], axis=-1))
    for bridge in ("zero", "z0"):
        hidden = build("context", "lstm", layers=2, bridge=bridge).start(X, lengths).hidden
        assert hidden[0].shape == (2, 2, 4)
        assert (hidden[0].data[:, 0] == hidden[0].data[:, 1]).all()
        assert hidden[0].data.any() == (bridge == "z0")


def test_a_learned_bridge_goes_from_the_top_layer_to_every_layer(rng):
    X, lengths = sentences(rng, 2, 4)
    model = build("context", "lstm", layers=2)
    parameters, encoding = model.bridge.state_dict(), model.encoder(X, lengths)
    for i, (array, first) in enumerate(zip(encoding.state, model.start(X, lengths).hidden, strict=True)):
        top = np.concatenate([array.data[2], array.data[3]], axis=-1)
        both = np.tanh(top @ parameters[f"maps.{i}.weight"].T + parameters[f"maps.{i}.bias"])
        np.testing.assert_allclose(first.data[0], both[:, :4], rtol=0, atol=1e-14)
        np.testing.assert_allclose(first.data[1], both[:, 4:], rtol=0, atol=1e-14)


def test_a_reversed_source_is_the_source_read_from_its_end(rng):
    X, lengths = sentences(rng, 3, 3)
    options = {"rng": 0, "dtype": np.float64, "num_layers": 2}
    reverse = RecurrentEncoder(V, 3, 2, reverse=True, **options)(X, lengths)
    plain = RecurrentEncoder(V, 3, 2, **options)(X[::-1], lengths)
    np.testing.assert_allclose(reverse.state[0].data, plain.state[0].data, rtol=0, atol=1e-14)
    np.testing.assert_allclose(reverse.outputs.data, plain.outputs.data[::-1], rtol=0, atol=1e-14)


def test_the_decoders_own_tokens_are_fed_where_the_coin_says(rng):
    model = build("attention additive")
    X, lengths = sentences(rng, 3, 2)
    inputs = rng.integers(4, V, (5, 2))
    forced = model(X, lengths, inputs).features.data
    for own in (None, np.zeros((5, 2), bool), np.arange(5)[:, None] * np.array([[0, 0]]) == 1):
        np.testing.assert_allclose(model(X, lengths, inputs, own).features.data, forced, rtol=0, atol=1e-14)
    free = model(X, lengths, inputs, np.ones((5, 2), bool))
    chosen = model.decoder.logits(free.features).data.argmax(-1)
    again = model(X, lengths, np.concatenate([inputs[:1], chosen[:-1]]))
    np.testing.assert_allclose(free.features.data, again.features.data, rtol=0, atol=1e-13)
    np.testing.assert_allclose(free.attention.data, again.attention.data, rtol=0, atol=1e-13)
    own = rng.random((5, 2)) < 0.5
    mixed = model(X, lengths, inputs, own)
    chosen = model.decoder.logits(mixed.features).data.argmax(-1)
    fed = np.where(own[1:], chosen[:-1], inputs[1:])
    again = model(X, lengths, np.concatenate([inputs[:1], fed]))
    np.testing.assert_allclose(mixed.features.data, again.features.data, rtol=0, atol=1e-13)
    expected = grad(cross_entropy(model.decoder.logits(again.features), inputs), model.parameters())
    found = grad(cross_entropy(model.decoder.logits(mixed.features), inputs), model.parameters())
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_a_coin_in_the_second_step_alone_counts(rng):
    model, (X, lengths) = build("context"), sentences(rng, 4, 2)
    inputs = rng.integers(0, V, (3, 2))
    forced = model(X, lengths, inputs)
    own = np.array([[False] * 2, [True] * 2, [False] * 2])
    fed = inputs.copy()
    fed[1] = model.decoder.logits(forced.features[:1]).data[0].argmax(axis=-1)
    inputs[1] = (fed[1] + 1) % V  # a word that the model would not have written
    found = model(X, lengths, inputs, own).features.data
    np.testing.assert_allclose(found, model(X, lengths, fed).features.data, rtol=0, atol=1e-14)
    assert abs(found - model(X, lengths, inputs).features.data).max() > 1e-3


def composed(score, query, outputs, mask):
    """A look with the dot or the additive score, from the primitive operations."""
    values = ops.transpose(outputs, (1, 0, 2))
    q = ops.reshape(query, (len(query.data), 1, -1))
    if hasattr(score, "w"):
        e = ops.sum(
            ops.tanh(q @ score.query.weight.T + values @ score.key.weight.T + score.key.bias) * score.w, axis=-1
        )
    else:
        e = ops.sum(q * values, axis=-1)
    weights = functional.softmax(e, mask=mask)
    return ops.sum(ops.reshape(weights, (*weights.shape, 1)) * values, axis=1), weights


@pytest.mark.parametrize("score", ["dot", "additive"])
@pytest.mark.parametrize("looks", [1, 3])
def test_what_is_looked_at_again_and_again_gets_the_gradients_of_all_looks(score, looks, rng):
    """Also where a gradient is asked for in the middle of the graph; the keys of the dot score are the values."""
    lengths, B, S = np.array([3, 1]), 2, 3
    attention = Attention(score, 4, 4, 5, rng=0, dtype=np.float64)
    raw = Tensor(rng.standard_normal((S, B, 4)), requires_grad=True)
    queries = [Tensor(rng.standard_normal((B, 4)), requires_grad=True) for _ in range(looks)]
    middle = raw * 1.0
    memory = attention.remember(middle, lengths)
    by_hand = [attention(q, memory, None) for q in queries]
    by_parts = [composed(attention.score, q, middle, memory.mask) for q in queries]
    wanted = [raw, middle, *queries, *attention.parameters()]
    results = []
    for found in (by_hand, by_parts):
        loss = sum((c * c * c).sum() + (w * w).sum() for c, w in found) + (middle * middle).sum()
        results.append(grad(loss, wanted))
        for _ in range(2):
            loss.backward()
        for x, g in zip([raw, *queries, *attention.parameters()], [results[-1][0], *results[-1][2:]], strict=True):
            np.testing.assert_allclose(x.grad, 2 * g, rtol=0, atol=1e-11)
            x.grad = None
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)
    loss = sum((c * c * c).sum() for c, _ in by_hand)
    by_values, by_keys, by_outputs = grad(loss, [memory.values, memory.keys, middle])
    np.testing.assert_allclose(by_values.transpose(1, 0, 2), by_outputs, rtol=0, atol=1e-11)
    if score == "additive":
        (by_bias,) = grad(loss, [attention.score.key.bias])
        np.testing.assert_allclose(by_keys.sum(axis=(0, 1)), by_bias, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", DECODERS)
def test_backward_twice_adds_the_same_again(kind, rng):
    model, (X, xl), (Y, yl) = build(kind, "lstm", layers=2), sentences(rng, 3, 1), sentences(rng, 2, 4)
    loss, gradients, _ = outcome(model, X, xl, Y, yl)
    loss.backward()
    loss.backward()
    for p, g in zip(model.parameters(), gradients, strict=True):
        np.testing.assert_allclose(p.grad, 2 * g, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_single_precision_stays_single(kind, cell, rng):
    options = {"dropout": 0.2, "embedding_dropout": 0.2, "output_dropout": 0.2}
    model = build(kind, cell, layers=2, bridge=["learned", "copy"][len(cell) % 2], **options).astype(np.float32)
    (X, xl), (Y, yl) = sentences(rng, 4, 1, 2), sentences(rng, 1, 3, 2)
    task = Translation(
        model, ([X], [Y]), ([], []), batch_size=1, rng=rng, label_smoothing=0.1, teacher_forcing=lambda step: 0.5,
        attention_penalty=0.3 if model.decoder.attends else 0.0,
    )  # fmt: skip
    optimizer = Adam(model.named_parameters(), 0.1, weight_decay=0.1)
    arrays = []
    for step in range(2):
        loss, _, _ = task.loss((X, xl, Y, yl), None, step)
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        arrays += [loss.data, *(p.data for p in model.parameters()), *(p.grad for p in model.parameters())]
    arrays += [array for name, array in optimizer.state_dict().items() if name != "num_steps"]
    log_probs, state = model.eval().step(np.array([1, 1, 1]), model.start(X, xl))
    further = [x.data for x in (state.context, state.weights, state.feed) if x is not None]
    assert {array.dtype for array in [log_probs, *arrays, *further, *_arrays(state.hidden)]} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize(("X_lengths", "Y_lengths"), [([1], [1]), ([0], [1]), ([0, 2], [1, 0]), ([1, 2], [0, 0])])
def test_the_shortest_sentences_there_are(kind, X_lengths, Y_lengths, rng):
    (X, xl), (Y, yl) = (sentences(rng, *lengths, width=max(1, *lengths, 1)) for lengths in (X_lengths, Y_lengths))
    loss, gradients, _ = outcome(build(kind), X, xl, Y, yl)
    assert all(np.isfinite(array).all() for array in (loss.data, *gradients))
    assert (loss.data > 0) == (yl.sum() > 0) or hasattr(build(kind).decoder, "attention")  # the penalty remains


def by_definition(score, q, k, previous, p):
    """Each score of one query and one key, as in its paper."""
    if score == "dot":
        return q @ k
    if score == "scaled-dot":
        return q @ k / np.sqrt(len(q))
    if score == "general":
        return q @ p["key.weight"] @ k
    if score == "cosine":
        return p["strength"][0] * (q @ k) / np.linalg.norm(q) / np.linalg.norm(k)
    location = 0 if score == "additive" else p["location.weight"] @ p["convolution.weight"] @ previous
    return p["w"] @ np.tanh(p["query.weight"] @ q + p["key.weight"] @ k + p["key.bias"] + location)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("normalize", ["softmax", "none"])
def test_scores_weights_and_context_are_those_of_the_definition(score, normalize, rng):
    S, B, lengths = 4, 3, np.array([4, 1, 3])
    attention = Attention(score, 5, 5, 6, normalize=normalize, rng=0, dtype=np.float64)
    outputs, query, previous = rng.standard_normal((S, B, 5)), rng.standard_normal((B, 5)), rng.random((B, S))
    memory = attention.remember(Tensor(outputs), lengths)
    context, weights = attention(Tensor(query), memory, Tensor(previous))
    parameters = attention.score.state_dict()
    for b, n in enumerate(lengths):
        padded = np.pad(previous[b], 2)
        scores = [by_definition(score, query[b], outputs[s, b], padded[s : s + 5], parameters) for s in range(n)]
        expected = np.zeros(S)
        expected[:n] = np.exp(scores) / np.exp(scores).sum() if normalize == "softmax" else scores
        np.testing.assert_allclose(weights.data[b], expected, rtol=0, atol=1e-7 if score == "cosine" else 1e-12)
        np.testing.assert_allclose(context.data[b], weights.data[b] @ outputs[:, b], rtol=0, atol=1e-12)


def test_the_attention_penalty_is_that_of_the_definition(rng):
    attention, xl, yl = rng.random((4, 2, 3)), np.array([3, 2]), np.array([2, 4])
    expected = np.mean([
        sum((0.8 - sum(attention[t, b, i] for t in range(yl[b]))) ** 2 for i in range(xl[b])) for b in range(2)
    ])  # fmt: skip
    assert attention_regularizer(Tensor(attention), xl, yl, 0.8).item() == pytest.approx(expected)


def test_tied_embeddings_are_one_parameter():
    model = build("attention additive", readout_size=3, tied=True)
    assert model.decoder.output.weight is model.decoder.embedding.weight
    both = EncoderDecoder(model.encoder, model.decoder, tied=True)
    assert both.encoder.embedding.weight is both.decoder.output.weight
    assert sum(p is model.decoder.output.weight for p in both.parameters()) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: build("handover", bridge="copied"), "unknown bridge 'copied'"),
        (lambda: build("handover", bridge="copy", encoder=lambda **o: RecurrentEncoder(V, 3, 2, **o)), "cannot copy"),
        (lambda: AttentionDecoder(V, 3, 4, 4, score="addition"), "unknown attention score 'addition'"),
        (lambda: AttentionDecoder(V, 3, 4, 6, score="dot"), "must be equal, not 4 and 6: try 'general'"),
        (lambda: AttentionDecoder(V, 3, 4, 4, attend="during"), "unknown place to attend"),
        (lambda: build("handover", bridge="zero"), "would never see the source"),
        (lambda: EncoderDecoder(RecurrentEncoder(9, 3, 4), ContextDecoder(V, 3, 4, 4), tied=True), "one vocabulary"),
        (lambda: functional.pack(Tensor(np.zeros((2, 3, 1))), [1, 3, 1]), "lengths between 0 and 2"),
        (lambda: AttentionDecoder(V, 3, 4, 4, normalize="max"), "unknown normalisation"),
        (lambda: HandoverDecoder(V, 3, 4, 4, tied=True), "tied embeddings need a readout of their size, 3, not 7"),
        (lambda: RecurrentEncoder(V, 3, 4, bidirectional=True, reverse=True), "both directions already"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_packing_keeps_the_real_steps():
    x = Tensor(np.arange(12.0).reshape(3, 2, 2))
    np.testing.assert_array_equal(functional.pack(x, [1, 3]).data, [[0, 1], [2, 3], [6, 7], [10, 11]])
