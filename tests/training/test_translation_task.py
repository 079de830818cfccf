"""Translation as a task: loss, figures and greedy translations, against one sentence at a time by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from by_hand import log_softmax

from minirnn import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    InputError,
    RecurrentEncoder,
    Tensor,
    Translation,
    corpus_bleu,
)
from minirnn.training.schedules import constant_forcing
from minirnn.training.translation import (
    attention_regularizer,
    length_limit,
    numbers_as_words,
    sentence_step,
    shift_right,
)

DOUBLE = {"dtype": np.float64}
V = 8


def pairs(seed, source_lengths, target_lengths):
    rng = np.random.default_rng(seed)
    return tuple([np.append(rng.integers(4, V, n), 2) for n in lengths] for lengths in (source_lengths, target_lengths))


VALID = pairs(1, [3, 1, 0, 4, 2, 2, 5], [2, 4, 1, 0, 3, 5, 2])  # three batches of 3, 3 and 1


def translation_task(valid=VALID, decoder=AttentionDecoder, **options):
    encoder = RecurrentEncoder(V, 3, 4, rng=0, output_dropout=0.4, **DOUBLE)
    model = EncoderDecoder(encoder, decoder(V, 3, 4, 4, rng=1, embedding_dropout=0.4, **DOUBLE), rng=2, **DOUBLE)
    for p in model.parameters():
        p.data = 3 * p.data
    model.decoder.output.bias.data[2] += 1.2  # so that some of the translations end
    train = pairs(2, [2, 3, 1, 4], [1, 3, 2, 2])
    return Translation(model.eval(), train, valid, batch_size=3, rng=np.random.default_rng(0), **options)


def alone(model, source, target):
    """The log-likelihood of each token of a target, its sentence alone, a step at a time."""
    state, before, found = model.start(source[:, None], np.array([len(source)])), 1, []
    for token in target:
        log_probs, state = model.step(np.array([before]), state)
        found.append(log_probs[0, token])
        before = token
    return found


def test_the_loss_of_a_translator_is_that_of_every_token_of_every_sentence():
    task = translation_task(label_smoothing=0.3, attention_penalty=2.0)
    tokens = [-p for source, target in zip(*VALID, strict=True) for p in alone(task.model, source, target)]
    assert len(tokens) == 24
    nll, count = task.nll(*VALID)
    assert (nll, count) == (pytest.approx(sum(tokens), rel=1e-12), 24)
    assert task.validate() == {"valid_loss": pytest.approx(np.mean(tokens), rel=1e-12)}
    assert translation_task(valid=([], [])).validate() == {}


def greedy_alone(model, source):
    """The most probable token at every step, but <pad> and <bos>, as far as <eos> or the limit."""
    state, before, written = model.start(source[:, None], np.array([len(source)])), 1, []
    for _ in range(2 * len(source) + 10):
        log_probs, state = model.step(np.array([before]), state)
        before = 2 + int(log_probs[0, 2:].argmax())
        if before == 2:
            break
        written.append(before)
    return tuple(written)


def test_greedy_translations_come_in_the_order_of_their_sources():
    task = translation_task()
    expected = [greedy_alone(task.model, source) for source in VALID[0]]
    assert len(set(expected)) > 3
    assert {len(written) == 2 * len(source) + 10 for source, written in zip(VALID[0], expected, strict=True)} == {
        True, False,
    }  # fmt: skip
    assert task.greedy() == expected


def test_bleu_and_exact_matches_are_those_of_the_greedy_translations():
    plain = translation_task()
    written = [numbers_as_words(ids) for ids in plain.greedy()]
    references = [written[0], *[["4", *words] for words in written[1:]]]
    row = translation_task(references=references).validate()
    assert row == {
        "valid_loss": plain.validate()["valid_loss"],
        "valid_bleu": pytest.approx(corpus_bleu(written, references), rel=1e-12),
        "valid_exact_match": pytest.approx(sum(w == r for w, r in zip(written, references, strict=True)) / 7),
    }
    assert 0 < row["valid_exact_match"] < 1
    other = translation_task(references=references, to_words=lambda ids: ["4", *numbers_as_words(ids)]).validate()
    assert other["valid_exact_match"] == pytest.approx(6 / 7)
    assert numbers_as_words([7, 10]) == ["7", "10"]


def test_a_loss_that_is_not_finite_is_reported_before_any_search():
    task = translation_task(references=[["4"]] * 7)
    task.model.decoder.output.bias.data[:] = np.nan
    assert np.isnan(task.validate()["valid_loss"])
    assert set(task.validate()) == {"valid_loss"}
    with pytest.raises(InputError, match="no probabilities"):
        task.greedy()


def test_a_translator_learns_by_the_mean_over_real_tokens_and_the_penalty():
    X, X_lengths = np.array([[4, 5], [6, 2], [2, 0]]), np.array([3, 2])
    Y, Y_lengths = np.array([[5, 4], [2, 7], [0, 2]]), np.array([2, 3])
    for smoothing, penalty in ((0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)):
        task = translation_task(label_smoothing=smoothing, attention_penalty=penalty, attention_target=0.8)
        loss, tokens, carry = task.loss((X, X_lengths, Y, Y_lengths), None, 0)
        decoded = task.model(X, X_lengths, np.array([[1, 1], [5, 4], [2, 7]]))
        logits = task.model.decoder.logits(decoded.features).data
        expected = []
        for b, n in enumerate(Y_lengths):
            for t in range(n):
                log_probs = log_softmax(logits[t, b])
                expected.append(-(1 - smoothing) * log_probs[Y[t, b]] - smoothing * log_probs.mean())
        uneven = attention_regularizer(decoded.attention, X_lengths, Y_lengths, 0.8).item()
        assert uneven > 0.1
        assert loss.item() == pytest.approx(np.mean(expected) + penalty * uneven, rel=1e-12)
        assert (tokens, carry) == (5, None)
        assert task.loss_is_nll == (smoothing == 0 and penalty == 0)
        assert task.valid_loss_is_nll


def test_the_penalty_looks_at_real_positions_alone():
    attention = np.random.default_rng(0).random((3, 2, 4))
    X_lengths, Y_lengths = np.array([4, 2]), np.array([1, 3])
    expected = 0.0
    for b in range(2):
        for i in range(X_lengths[b]):
            expected += (0.7 - sum(attention[t, b, i] for t in range(Y_lengths[b]))) ** 2
    found = attention_regularizer(Tensor(attention), X_lengths, Y_lengths, 0.7)
    assert found.shape == ()
    assert found.item() == pytest.approx(expected / 2, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_coins_are_thrown_for_every_token_and_only_where_they_matter(ratio):
    task = translation_task(teacher_forcing=lambda step: ratio if step == 3 else 1.0)
    batch = (np.array([[4], [2]]), np.array([2]), np.full((50, 1), 5), np.array([50]))
    fed = []
    task.model.forward = lambda X, lengths, inputs, own: (
        fed.append(own)
        or SimpleNamespace(
            features=Tensor(np.zeros((50, 1, task.model.decoder.output.weight.shape[1]))), attention=None
        )
    )
    task.loss(batch, None, 3)
    if ratio == 1:
        assert fed == [None]
        assert task.rng.random() == np.random.default_rng(0).random()  # nothing was drawn
        return
    np.testing.assert_array_equal(fed[0], np.random.default_rng(0).random((50, 1)) >= ratio)
    assert abs(fed[0].mean() - (1 - ratio)) < 0.15
    task.loss(batch, None, 2)
    assert fed[1] is None


def test_the_batches_of_a_translator():
    task = translation_task()
    assert task.num_batches == 2
    batches = list(task.batches(np.random.default_rng(0)))
    assert sorted(len(batch[1]) for batch in batches) == [1, 3]
    sources = sorted(tuple(X[:n, b]) for X, lengths, _, _ in batches for b, n in enumerate(lengths))
    assert sources == sorted(map(tuple, task.train_pairs[0]))
    assert task.teacher_forcing(10**6) == constant_forcing(1.0)(0) == 1
    with pytest.raises(InputError, match="no pairs"):
        Translation(task.model, ([], []), VALID, batch_size=3, rng=task.rng)
    with pytest.raises(InputError, match="decoder with attention"):
        translation_task(decoder=ContextDecoder, attention_penalty=0.1)
    translation_task(decoder=ContextDecoder)


def test_a_translator_learns_by_the_plain_loss_unless_more_is_asked_for():
    task = translation_task()
    assert (task.label_smoothing, task.attention_penalty, task.attention_target) == (0.0, 0.0, 1.0)
    assert (task.references, task.to_words) == (None, numbers_as_words)
    assert task.loss_is_nll


def test_length_limits_and_inputs():
    np.testing.assert_array_equal(length_limit(np.array([1, 2, 30])), [12, 14, 70])
    np.testing.assert_array_equal(shift_right(np.array([[5, 6], [7, 2], [2, 0]])), [[1, 1], [5, 6], [7, 2]])


def test_a_step_of_a_sentence_never_offers_what_no_sentence_contains():
    log_probs = np.log(np.full((2, 5), 0.2))
    model = SimpleNamespace(step=lambda tokens, state: (log_probs.copy(), state + 1))
    found, state = sentence_step(model)(np.array([1, 1]), 7)
    assert state == 8
    np.testing.assert_array_equal(np.isneginf(found), [[True, True, False, False, False]] * 2)
    np.testing.assert_array_equal(found[:, 2:], log_probs[:, 2:])
    assert np.isneginf(sentence_step(model, [0, 1, 3])(np.array([1, 1]), 7)[0][:, 3]).all()
    log_probs[1, 4] = np.nan
    with pytest.raises(InputError, match="no probabilities"):
        sentence_step(model)(np.array([1, 1]), 7)
