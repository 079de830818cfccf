"""A decoder that writes or points: its probabilities against their definition, and what it says by pointing alone."""

import numpy as np
import pytest
from slopes import assert_slopes

from minirnn import (
    Adam,
    AttentionDecoder,
    EncoderDecoder,
    InputError,
    PictureEncoder,
    RecurrentEncoder,
    Tensor,
    beam_search,
)
from minirnn.data.histories import histories
from minirnn.data.vocabulary import BOS_ID, EOS_ID
from minirnn.decoding import decode
from minirnn.models.copying import CopyingDecoder
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.training.sentences import sentence_loss, sentence_step, shift_right

DOUBLE = {"dtype": np.float64}
V, E, H = 9, 3, 4
# The first sentence has a word twice; behind the shorter ones stands padding, spelled like words.
X, LENGTHS = np.array([[4, 5, 7], [6, 2, 8], [4, 6, 2], [2, 6, 6]]), np.array([4, 2, 3])
Y = np.array([[4, 5, 8], [6, 7, 2], [2, 2, 0]])
TURNS = [np.array(ids) for ids in ([4, 5, 6, 2], [5, 2], [6, 4, 2])]
OF_EACH = [[0, 1], [2], [1, 0, 2]]
LOOKS = {
    "before": {},
    "after": {"attend": "after", "input_feeding": True},
    "readout": {"attend": "after", "input_feeding": True, "readout_size": E, "tied": True},
    "location": {"score": "location", "num_layers": 2},
}


def build(reads="sentences", scale=2.0, decoder=CopyingDecoder, **options):
    sizes, fixed = (V, E, H), {"rng": 0, **DOUBLE}
    encoder = {
        "sentences": lambda: RecurrentEncoder(*sizes, bidirectional=True, **fixed),
        "flat": lambda: FlatEncoder(*sizes, **fixed),
        "attentive": lambda: HierarchicalEncoder(*sizes, H, words=True, **fixed),
    }[reads]()
    model = EncoderDecoder(encoder, decoder(*sizes, encoder.output_size, **options, **fixed), **fixed)
    for parameter in model.parameters():
        parameter.data = parameter.data * scale  # so that it looks somewhere, and is sure of something
    return model.eval()


def source_of(reads):
    if reads == "sentences":
        return X, LENGTHS, [X[:n, b] for b, n in enumerate(LENGTHS)]
    return histories(TURNS, OF_EACH), None, [np.concatenate([TURNS[i] for i in one]) for one in OF_EACH]


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("reads", ["sentences", "flat", "attentive"])
@pytest.mark.parametrize("looks", LOOKS)
def test_probabilities_are_those_of_the_definition(looks, reads):
    model = build(reads, **LOOKS[looks])
    source, lengths, read = source_of(reads)
    decoded, decoder = model(source, lengths, shift_right(Y)), model.decoder
    found = np.exp(decoder.logits(decoded.features).data)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=0, atol=1e-12)
    size = decoder.output.weight.shape[1]
    assert decoded.features.shape == (*Y.shape, size + V)
    f, alpha = decoded.features.data[..., :size], decoded.attention.data
    written = softmax(f @ decoder.output.weight.data.T + decoder.output.bias.data)
    g = 1 / (1 + np.exp(-(f @ decoder.writes.weight.data[0] + decoder.writes.bias.data[0])))
    assert g.min() < 0.5 < g.max() or g.std() > 0.01
    for t, b in np.ndindex(Y.shape):
        expected = g[t, b] * written[t, b]
        for s, word in enumerate(read[b]):
            expected[word] += (1 - g[t, b]) * alpha[t, b, s]
        np.testing.assert_allclose(found[t, b], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("looks", LOOKS)
def test_what_it_writes_from_is_what_a_decoder_without_copying_has(looks):
    """So copying adds something, and changes nothing."""
    copying, plain = build(**LOOKS[looks]), build(decoder=AttentionDecoder, **LOOKS[looks])
    state = {name: array for name, array in copying.state_dict().items() if ".writes." not in name}
    plain.load_state_dict(state)
    ours, theirs = (model(X, LENGTHS, shift_right(Y)) for model in (copying, plain))
    np.testing.assert_array_equal(ours.features.data[..., :-V], theirs.features.data)
    np.testing.assert_array_equal(ours.attention.data, theirs.attention.data)


@pytest.mark.parametrize("looks", LOOKS)
def test_gradients_are_right(looks, rng):
    model = build(scale=1.0, **LOOKS[looks])

    def loss():
        return sentence_loss(model, model(X, LENGTHS, shift_right(Y)).features, Y, np.array([3, 2, 2]))

    loss().backward()
    for name, parameter in model.named_parameters().items():
        assert parameter.grad is not None, name
        assert_slopes(loss, parameter, rng, name)


def test_where_it_looks_is_learned_from_the_words_that_are_written():
    """A word that can be pointed at alone: the gradient of its place is towards it, and of the others away from it."""
    model = build()
    model.decoder.writes.bias.data[:] = -50
    decoded = model(X[:, :1], LENGTHS[:1], np.array([[BOS_ID]]))
    alpha = Tensor(decoded.attention.data, requires_grad=True)
    model.decoder.attention.forward = lambda query, memory, weights: (Tensor(np.zeros((1, 2 * H))), alpha[0])
    features = model(X[:, :1], LENGTHS[:1], np.array([[BOS_ID]])).features
    (-model.decoder.logits(features)[0, 0, 6]).sum().backward()
    p = alpha.data[0, 0, 1]
    np.testing.assert_allclose(alpha.grad[0, 0], [0, -1 / p, 0, 0], rtol=1e-9, atol=1e-12)


def test_padding_gets_nothing():
    model = build()
    model.decoder.writes.bias.data[:] = -80  # all is pointed at
    probabilities = np.exp(model.decoder.logits(model(X, LENGTHS, shift_right(Y)).features).data)
    for b, n in enumerate(LENGTHS):
        real = sorted(set(X[:n, b].tolist()))
        np.testing.assert_allclose(probabilities[:, b, real].sum(axis=-1), 1, rtol=0, atol=1e-12)
        assert (probabilities[:, b, real] > 1e-6).all()
    other = X.copy()
    other[2:, 1] = 8
    other[3, 2] = 3
    after = np.exp(model.decoder.logits(model(other, LENGTHS, shift_right(Y)).features).data)
    np.testing.assert_array_equal(after, probabilities)


def test_one_that_only_writes_is_no_pointer():
    model = build()
    model.decoder.writes.bias.data[:] = 80
    features = model(X, LENGTHS, shift_right(Y)).features
    written = softmax(model.decoder.output(features[..., :-V]).data)
    np.testing.assert_allclose(np.exp(model.decoder.logits(features).data), written, rtol=1e-9)


@pytest.mark.parametrize("rows", [[2, 0, 0, 1], [1], [0, 1, 2], [2, 1, 0], [1, 1, 1]])
@pytest.mark.parametrize("looks", LOOKS)
def test_selected_rows_go_on_as_they_would_have(looks, rows):
    model, tokens = build(**LOOKS[looks]), np.array([5, 6, 7])
    _, state = model.step(np.full(3, BOS_ID), model.start(X, LENGTHS))
    going_on, _ = model.step(tokens, state)
    selected = state.select(np.array(rows))
    found, _ = model.step(tokens[rows], selected)
    np.testing.assert_allclose(found, going_on[rows], rtol=0, atol=1e-12)
    words = selected.memory.words
    for row, b in enumerate(rows):
        assert words[row].tolist() == X[:, b].tolist()


@pytest.mark.parametrize("reads", ["sentences", "attentive"])
@pytest.mark.parametrize("size", [1, 3])
def test_searches_find_the_probabilities_of_what_they_write(reads, size):
    model = build(reads, attend="after", input_feeding=True)
    source, lengths, read = source_of(reads)
    step, start, limits = sentence_step(model, ()), np.full(3, BOS_ID), {"eos": EOS_ID, "max_length": 5}
    if size == 1:
        found = [[one] for one in decode(step, model.start(source, lengths), start, **limits)]
    else:
        found = beam_search(step, model.start(source, lengths), start, beam_size=size, n_best=size, **limits)
    for b, hypotheses in enumerate(found):
        for one in hypotheses:
            written = np.array([*one.tokens, *([EOS_ID] if one.finished else [])])[:, None]
            sentence = read[b][:, None] if reads == "sentences" else histories(TURNS, [OF_EACH[b]])
            alone = model(sentence, None, shift_right(written))
            scores = model.decoder.logits(alone.features).data[:, 0]
            total = np.take_along_axis(scores, written, axis=1).sum()
            assert one.log_prob == pytest.approx(total, abs=1e-9)


def test_sentences_of_several_targets_keep_their_words():
    model, rows = build(), np.array([1, 0, 1, 2])
    together = model(X, LENGTHS, shift_right(np.stack([Y[:, b] for b in rows], axis=1)), rows=rows)
    apart = model(X[:, rows], LENGTHS[rows], shift_right(Y[:, rows]))
    np.testing.assert_allclose(together.features.data, apart.features.data, rtol=0, atol=1e-12)


def test_words_that_no_answer_of_training_had_can_be_said(rng):
    """To say the word behind the mark: the last four words are heard in training, but never behind the mark, where
    others stand, so a decoder that writes has no reason to say them."""
    size, mark, heard, strange = 16, 4, np.arange(5, 12), np.arange(12, 16)

    def examples(count, said):
        ids = rng.integers(5, size, (5, count))
        at = rng.integers(0, 4, count)
        ids[at, range(count)] = mark
        words = rng.choice(said, count)
        ids[at + 1, range(count)] = words
        return np.concatenate([ids, np.full((1, count), EOS_ID)]), np.stack([words, np.full(count, EOS_ID)])

    def right(decoder):
        encoder = RecurrentEncoder(size, 8, 16, bidirectional=True, rng=0)
        # Looking at the word itself is easiest; a small output cannot say all by writing either.
        model = EncoderDecoder(encoder, decoder(size, 8, 16, encoder.output_size, rng=0), rng=0)
        optimizer = Adam(model.named_parameters(), 0.02)
        for _ in range(120):
            ids, words = examples(48, heard)
            loss = sentence_loss(model, model(ids, None, shift_right(words)).features, words, np.full(48, 2))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        ids, words = examples(100, strange)
        model.eval()
        found = decode(model.step, model.start(ids, None), np.full(100, BOS_ID), eos=EOS_ID, max_length=3)
        return np.mean([list(one.tokens[:1]) == [word] for one, word in zip(found, words[0], strict=True)])

    assert right(CopyingDecoder) > 0.9
    assert right(AttentionDecoder) < 0.1


@pytest.mark.parametrize("normalize", ["none", "sigmoid"])
def test_attention_that_is_no_probability_cannot_be_copied_by(normalize):
    with pytest.raises(InputError, match="needs normalize='softmax'"):
        CopyingDecoder(V, E, H, H, normalize=normalize)


def test_only_words_can_be_copied():
    source = histories(TURNS, [[0, 1]])
    for encoder, seen in (
        (HierarchicalEncoder(V, E, H, H, rng=0), source),
        (PictureEncoder(8, 20, filters=2, rng=0), np.zeros((1, 3, 8, 8), np.float32)),
    ):
        decoder = CopyingDecoder(V, E, H, encoder.output_size, rng=0)
        with pytest.raises(InputError, match="needs an encoder whose outputs are of words"):
            EncoderDecoder(encoder, decoder, rng=0).start(seen, None)


def test_words_that_the_target_does_not_have_are_refused():
    encoder = RecurrentEncoder(V + 1, E, H, rng=0)
    model = EncoderDecoder(encoder, CopyingDecoder(V, E, H, encoder.output_size, rng=0), rng=0)
    model.start(np.array([[V - 1]]), None)
    with pytest.raises(InputError, match=f"id of a source word {V} is out of range: expected 0 to {V - 1}"):
        model.start(np.array([[V]]), None)
