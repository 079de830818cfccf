"""What looks back on a dialogue: gradients through every way there is, and what must not change an answer."""

import numpy as np
import pytest
from slopes import assert_slopes

from minirnn import AttentionDecoder, ContextDecoder, EncoderDecoder, InputError
from minirnn.data.histories import histories
from minirnn.models.copying import CopyingDecoder
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder
from minirnn.training.sentences import sentence_loss, shift_right

DOUBLE = {"dtype": np.float64}
V, E, H = 7, 2, 3
TURNS = [np.array(ids) for ids in ([4, 5, 6, 2], [5, 2], [6, 4, 2], [4, 2], [6, 6, 5, 4, 2])]
OF_EACH = [[0, 1, 2], [3], [0, 1], [3, 4, 2, 1]]
Y, LENGTHS = np.array([[4, 5, 6, 4], [5, 2, 2, 6], [2, 0, 0, 2]]), np.array([3, 2, 2, 3])
MODELS = ("attentive", "attentive matching", "attentive matching copying", "hierarchical", "hierarchical matching",
          "flat", "flat copying")  # fmt: skip


def build(kind, cell="gru"):
    """As `minirnn train chat` builds them, but small."""
    reads, *parts = kind.split()
    options = {"cell": cell, "rng": 0, **DOUBLE}
    if reads == "flat":
        encoder = FlatEncoder(V, E, H, **options)
    else:
        matching = "matching" in parts
        encoder = HierarchicalEncoder(V, E, H, H, words=reads == "attentive", matching=matching, **options)
    if reads == "hierarchical":
        decoder = ContextDecoder(V, E, H, encoder.output_size, **options)
    else:
        looking = CopyingDecoder if "copying" in parts else AttentionDecoder
        decoder = looking(V, E, H, encoder.output_size, attend="after", input_feeding=True, **options)
    return EncoderDecoder(encoder, decoder, bridge="learned", rng=0, **DOUBLE)


def results(model, source, y=Y):
    """The features and the attention of some answers."""
    decoded = model(source, None, shift_right(y))
    return decoded.features.data, None if decoded.attention is None else decoded.attention.data


def assert_same(found, expected):
    """Of answers: `expected` may look at fewer places, where the others are padding."""
    np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-12)
    assert (found[1] is None) == (expected[1] is None)
    if found[1] is not None:
        width = expected[1].shape[2]
        np.testing.assert_allclose(found[1][:, :, :width], expected[1], rtol=0, atol=1e-12)
        assert not found[1][:, :, width:].any()


def extended(array, axis, count, garbage):
    """With so many rows or columns of garbage at the end."""
    width = [(0, count if i == axis else 0) for i in range(array.ndim)]
    return np.pad(array, width, constant_values=garbage)


def with_garbage(source, garbage):
    """The same histories among more words, turns and places, with garbage wherever there is padding."""
    words = extended(extended(source.words, 0, 2, garbage), 1, 3, garbage)
    words[np.arange(len(words))[:, None] >= np.append(source.word_lengths, [2, 1, 4])] = garbage
    word_lengths = np.append(source.word_lengths, [2, 1, 4])
    turns = extended(source.turns, 0, 2, 0)
    turns[np.arange(len(turns))[:, None] >= source.lengths] = len(word_lengths) - 1
    lines = {}
    for name, odd in (("word_at", 4), ("turn_at", len(word_lengths) - 2), ("place_at", 5)):
        lines[name] = extended(getattr(source, name), 0, 3, 0)
        lines[name][np.arange(len(lines[name]))[:, None] >= source.num_words] = odd
    return source._replace(words=words, word_lengths=word_lengths, turns=turns, **lines)


def test_histories_are_laid_down_as_they_were_said():
    found = histories([np.array([7, 2]), np.array([8, 9, 2])], [[0], [0, 1], [1, 0, 1]])
    assert found.words.tolist() == [[7, 8], [2, 9], [0, 2]]
    assert found.word_lengths.tolist() == [2, 3]
    assert found.turns.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert found.lengths.tolist() == [1, 2, 3]
    assert found.num_words.tolist() == [2, 5, 8]
    assert found.word_at.T.tolist() == [[0, 1, 0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 2, 0, 0, 0], [0, 1, 2, 0, 1, 0, 1, 2]]
    assert found.turn_at.T.tolist() == [[0] * 8, [0, 0, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 1, 1, 1]]
    assert found.place_at.T.tolist() == [[0] * 8, [0, 0, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 2, 2, 2]]
    # The latest turn is always the other's.
    own = [found.own[:length, m].tolist() for m, length in enumerate(found.lengths)]
    assert own == [[False], [True, False], [False, True, False]]
    for turns, of_each in (([], []), (TURNS, []), (TURNS, [[0], []]), ([*TURNS, np.zeros(0, int)], [[0]])):
        with pytest.raises(InputError, match="a history needs a turn"):
            histories(turns, of_each)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_are_right_through_every_model(kind, cell, rng):
    model, source = build(kind, cell), histories(TURNS, OF_EACH)
    weights = rng.standard_normal((3, 4, source.num_words.max()))

    def loss():
        decoded = model(source, None, shift_right(Y))
        total = sentence_loss(model, decoded.features, Y, LENGTHS)
        return total if decoded.attention is None else total + (decoded.attention * weights).sum()

    loss().backward()
    for name, parameter in model.named_parameters().items():
        assert parameter.grad is not None, name
        assert_slopes(loss, parameter, rng, name)


@pytest.mark.parametrize("kind", MODELS)
def test_padding_changes_nothing(kind):
    model, source = build(kind), histories(TURNS, OF_EACH)
    expected = results(model, source)
    for garbage in (3, V - 1):
        assert_same(results(model, with_garbage(source, garbage)), expected)


@pytest.mark.parametrize("kind", MODELS)
def test_an_answer_is_the_same_alone_and_among_others(kind):
    model = build(kind)
    together = results(model, histories(TURNS, OF_EACH))
    for m, numbers in enumerate(OF_EACH):
        alone = results(model, histories([TURNS[i] for i in numbers], [range(len(numbers))]), Y[:, [m]])
        assert_same([None if one is None else one[:, [m]] for one in together], alone)
    order = [2, 0, 3, 1]
    moved = results(model, histories(TURNS[::-1], [[4 - i for i in OF_EACH[m]] for m in order]), Y[:, order])
    assert_same([None if one is None else one[:, order] for one in together], moved)


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_said_in_one_conversation_is_not_known_in_another(kind):
    model, changed = build(kind), [*TURNS[:3], np.array([6, 2]), TURNS[4]]
    before, after = (results(model, histories(turns, OF_EACH)) for turns in (TURNS, changed))
    differs = abs(after[0] - before[0]).max(axis=(0, 2)) > 1e-6
    assert differs.tolist() == [False, True, False, True]  # to those answers turn 3 belongs
    assert (after[0][:, [0, 2]] == before[0][:, [0, 2]]).all()


@pytest.mark.parametrize("kind", MODELS)
def test_every_word_of_every_turn_counts_and_so_does_the_order(kind):
    model = build(kind)
    (before, _), others = results(model, histories(TURNS[:3], [[0, 1, 2]]), Y[:, :1]), []
    for turn in range(3):
        for place in range(len(TURNS[turn]) - 1):
            turns = [ids.copy() for ids in TURNS[:3]]
            turns[turn][place] = 3
            others.append(histories(turns, [[0, 1, 2]]))
    others += [histories(TURNS[:3], [of_one]) for of_one in ([1, 0, 2], [1, 2], [0, 2, 1], [0, 1, 2, 2])]
    for other in others:
        assert abs(results(model, other, Y[:, :1])[0] - before).max() > 1e-7


@pytest.mark.parametrize("kind", MODELS)
def test_it_matters_who_has_said_what(kind):
    model, source = build(kind), histories(TURNS, OF_EACH)
    before, _ = results(model, source)
    speakers = model.encoder.speakers.weight
    speakers.data = speakers.data[::-1].copy()  # the other has said what was one's own, and the other way round
    after, _ = results(model, source)
    assert (abs(after - before).max(axis=(0, 2)) > 1e-6).all()


def told_of_turns(encoder, source):
    """What enters the layer over the turns."""
    seen = []
    encoder.context.forward = lambda x, **options: seen.append(x.data) or (_ for _ in ()).throw(KeyError)
    with pytest.raises(KeyError):
        encoder(source, None)
    return seen[0]


@pytest.mark.parametrize("kind", ["hierarchical", "hierarchical matching"])
def test_the_vector_of_a_turn_is_that_of_its_last_word_and_its_first(kind):
    encoder = build(kind).encoder
    told = told_of_turns(encoder, histories(TURNS, [[0, 1, 2, 3, 4]]))
    for turn, ids in enumerate(TURNS):
        outputs, _ = encoder.read(encoder.embedding(ids[:, None]))
        expected = np.concatenate([outputs.data[-1, 0, :H], outputs.data[0, 0, H:]])
        np.testing.assert_allclose(told[turn, 0, : 2 * H], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("garbage", [None, V - 1])
@pytest.mark.parametrize("kind", ["hierarchical", "attentive"])
def test_each_turn_is_compared_with_the_latest_by_its_words(kind, garbage):
    encoder, source = build(kind + " matching").encoder, histories(TURNS, OF_EACH)
    given = source if garbage is None else with_garbage(source, garbage)
    told, E = told_of_turns(encoder, given), encoder.embedding.weight.shape[1]
    assert told.shape == (*given.turns.shape, 2 * H + 2 * E)
    embedded, speakers = encoder.embedding.weight.data, encoder.speakers.weight.data
    for m, numbers in enumerate(OF_EACH):
        for place, number in enumerate(numbers):
            own = (len(numbers) - place) % 2 == 0
            np.testing.assert_allclose(told[place, m, 2 * H : 2 * H + E], speakers[int(own)], rtol=0, atol=1e-12)
            common = [word for word in TURNS[number] if word in TURNS[numbers[-1]]]
            expected = embedded[common].sum(axis=0) / np.sqrt(len(TURNS[number]))
            np.testing.assert_allclose(told[place, m, 2 * H + E :], expected, rtol=0, atol=1e-12)


def test_matching_takes_words_in_no_order():
    encoder = build("hierarchical matching").encoder
    turned = [*TURNS[:1], TURNS[1][::-1], TURNS[2][[1, 0, 2]]]
    before, after = (told_of_turns(encoder, histories(turns, [[0, 1, 2]])) for turns in (TURNS[:3], turned))
    size = 2 * H + encoder.embedding.weight.shape[1]
    np.testing.assert_allclose(after[:, :, size:], before[:, :, size:], rtol=0, atol=1e-12)
    assert abs(after[1:, :, : 2 * H] - before[1:, :, : 2 * H]).max() > 1e-6


def test_without_matching_nothing_of_it_is_there():
    encoder = build("hierarchical").encoder
    told = told_of_turns(encoder, histories(TURNS, OF_EACH))
    assert told.shape[2] == 2 * H + encoder.embedding.weight.shape[1]


@pytest.mark.parametrize("kind", MODELS)
def test_outputs_of_words_say_which_words_they_are_of(kind):
    encoder, source = build(kind).encoder, histories(TURNS, OF_EACH)
    encoding = encoder(source, None)
    if kind.startswith("hierarchical"):
        assert encoding.words is None
        return
    assert encoding.words.shape == encoding.outputs.shape[:2]
    for m, numbers in enumerate(OF_EACH):
        said = np.concatenate([TURNS[i] for i in numbers])
        assert encoding.words[: source.num_words[m], m].tolist() == said.tolist()
    assert encoding.repeat(np.array([2, 0, 2])).words.T.tolist() == encoding.words.T[[2, 0, 2]].tolist()


@pytest.mark.parametrize("kind", ["attentive", "attentive matching"])
def test_words_are_seen_beside_what_is_said_before_and_after_them(kind):
    encoder, source = build(kind).encoder, histories(TURNS, OF_EACH)
    outputs, _, lengths, _ = encoder(source, None)
    assert lengths.tolist() == source.num_words.tolist()
    E = encoder.embedding.weight.shape[1]
    assert outputs.shape == (*source.word_at.shape, 4 * H + E)
    for m, numbers in enumerate(OF_EACH):
        assert not outputs.data[lengths[m] :, m].any()
        words = np.concatenate([encoder.read(encoder.embedding(TURNS[i][:, None]))[0].data[:, 0] for i in numbers])
        np.testing.assert_allclose(outputs.data[: lengths[m], m, : 2 * H], words, rtol=0, atol=1e-12)
        themselves = np.concatenate([encoder.embedding(TURNS[i]).data for i in numbers])
        np.testing.assert_array_equal(outputs.data[: lengths[m], m, 4 * H :], themselves)
        contexts = outputs.data[: lengths[m], m, 2 * H : 4 * H]
        assert len(np.unique(contexts.round(9), axis=0)) == len(numbers)
        same = source.place_at[: lengths[m] - 1, m] == source.place_at[1 : lengths[m], m]
        assert ((contexts[1:] == contexts[:-1]).all(axis=1) == same).all()
