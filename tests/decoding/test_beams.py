"""Decoding one path at a time and with a beam, walked by hand: what is read, what is kept, what comes out and when."""

import math

import numpy as np
import pytest
from markov import Markov

from minirnn import InputError
from minirnn.decoding.beam import _best_continuations, beam_search, decode
from minirnn.decoding.exact import exhaustive_search
from minirnn.decoding.hypotheses import gnmt_penalty, power_penalty

EOS = 0


def attention(state):
    """(rows, 6): which tokens a text has, shares of 1, so that attention tells whose it is."""
    return np.stack([np.bincount(text, minlength=6) / len(text) for text in state])


def outcome(hypotheses):
    return [(one.tokens, one.finished, round(math.exp(one.log_prob), 9)) for one in hypotheses]


ENDLESS = (0.25, 0.75, 0)  # goes on with 1 where it is not ended


def test_each_sentence_has_a_limit_of_its_own():
    model = Markov([1, 0, 0], ENDLESS, [1, 0, 0])
    found = decode(*model.begin([1, 2, 1, 1]), eos=EOS, max_length=[3, 9, 1, 2])
    assert outcome(found) == [
        ((1, 1, 1), False, 0.421875),
        ((), True, 1.0),
        ((1,), False, 0.75),
        ((1, 1), False, 0.5625),
    ]
    assert [one.score for one in found] == [one.log_prob for one in found]
    # Rows stay rows: what has ended reads <eos>, and what its limit cut short too.
    assert model.read == [[1, 2, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1]]
    found = beam_search(*model.begin([1, 2, 1, 1]), beam_size=1, eos=EOS, max_length=np.array([3, 9, 1, 2]))
    assert [outcome(one)[0][0] for one in found] == [(1, 1, 1), (), (1,), (1, 1)]


def test_an_end_at_the_limit_is_an_end():
    model = Markov([1, 0, 0], [0, 0, 1], [1, 0, 0])
    for limit, expected in ((1, ((2,), False, 1.0)), (2, ((2,), True, 1.0)), (3, ((2,), True, 1.0))):
        (one,) = decode(*model.begin([1]), eos=EOS, max_length=limit)
        ((best,),) = beam_search(*model.begin([1]), beam_size=2, eos=EOS, max_length=limit)
        assert [*outcome([one]), *outcome([best])] == [expected] * 2


def test_only_what_goes_on_chooses():
    model, seen = Markov([1, 0, 0], ENDLESS, [1, 0, 0]), []

    def choose(log_probs):
        seen.append(np.exp(log_probs).round(9).tolist())
        return log_probs.argmax(axis=1)

    decode(*model.begin([2, 1]), eos=EOS, max_length=2, choose=choose)
    assert seen == [[[1, 0, 0], [0.25, 0.75, 0]], [[0.25, 0.75, 0]]]


def test_attention_has_a_row_for_each_token_and_the_end():
    model = Markov([1, 0, 0], ENDLESS, [1, 0, 0])
    without, _ = decode(*model.begin([1, 2]), eos=EOS, max_length=3)
    assert without.attention is None
    long, short = decode(*model.begin([1, 2]), eos=EOS, max_length=3, attention=attention)
    assert type(long.attention) is np.ndarray
    np.testing.assert_array_equal(long.attention, [[0, 1, 0, 0, 0, 0]] * 3)
    np.testing.assert_array_equal(short.attention, [[0, 0, 1, 0, 0, 0]])


def test_the_forbidden_choice_names_its_sentence():
    model = Markov([1, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0])
    first = lambda log_probs: np.zeros(len(log_probs), int)
    assert outcome(decode(*model.begin([2, 2]), eos=EOS, max_length=1, choose=first)) == [((), True, 0.5)] * 2
    with pytest.raises(InputError, match="sentence 1: a forbidden token"):
        decode(*model.begin([2, 1, 2]), eos=EOS, max_length=1, choose=first)


def test_a_dead_end_names_its_sentence():
    model = Markov([1, 0, 0], [0, 0, 1], [0, 0, 0])
    assert outcome(decode(*model.begin([1, 1]), eos=EOS, max_length=1)) == [((2,), False, 1.0)] * 2
    for starts, sentence in (([1, 2], 1), ([2, 1, 2], 0), ([1, 1, 2, 2], 2)):
        with pytest.raises(InputError, match=f"sentence {sentence}: "):
            decode(*model.begin(starts), eos=EOS, max_length=1)


def test_of_equals_comes_the_one_from_the_better_beginning_then_the_lower_id():
    model = Markov(*[[1 / 3] * 3] * 3)
    ((*found,),) = beam_search(*model.begin([1]), beam_size=3, n_best=3, eos=EOS, max_length=2)
    assert [(one.tokens, one.finished) for one in found] == [((), True), ((1,), True), ((1, 1), False)]
    assert model.read == [[1], [1, 2]]
    model = Markov([1, 0, 0, 0], [0, 0, 0.25, 0.75], [0, 0.75, 0, 0.25], [0, 0.25, 0.25, 0.5])
    ((*found,),) = beam_search(*model.begin([1]), beam_size=2, n_best=2, eos=EOS, max_length=2)
    # 3 3 (0.375), then of four at 0.1875 the child of the better beginning with the lower id.
    assert outcome(found) == [((3, 3), False, 0.375), ((3, 1), False, 0.1875)]


def test_among_equal_scores_the_sentence_found_first_is_kept():
    model = Markov([1, 0, 0], [0.5, 0, 0.5], [1, 0, 0])
    for n_best in (1, 2):
        (found,) = beam_search(*model.begin([1]), beam_size=2, n_best=n_best, eos=EOS, max_length=5)
        assert outcome(found) == [((), True, 0.5), ((2,), True, 0.5)][:n_best]


def test_what_can_only_equal_the_best_is_not_followed():
    model = Markov([1, 0, 0], [0.5, 0, 0.5], [1, 0, 0])
    beam_search(*model.begin([1]), beam_size=2, eos=EOS, max_length=5)
    assert model.read == [[1]]
    model.read.clear()
    beam_search(*model.begin([1]), beam_size=2, n_best=2, eos=EOS, max_length=5)
    assert model.read == [[1], [2]]


def test_how_far_a_penalty_may_still_lift_depends_on_the_limit_of_the_sentence():
    # "" has -0.92; 2 begins with -2.0, so that by its limit it may have -2.0 / 2 or -2.0 / 5.
    p = math.exp(-2.0)
    model = Markov([1, 0, 0], [0.4, 0, p], [0, 0, 1])
    found = beam_search(*model.begin([1, 1]), beam_size=2, eos=EOS, max_length=[2, 5], length_penalty=power_penalty(1))
    assert outcome(found[0]) == [((), True, 0.4)]
    assert outcome(found[1]) == [((2,) * 5, False, round(p, 9))]
    assert found[1][0].score == pytest.approx(-0.4)
    assert model.read == [[1, 1], [2], [2], [2], [2]]


def test_a_beam_takes_the_state_and_the_attention_of_its_own_beginning():
    # From 1: 3 (0.6) and 2 (0.4). From 3 on everything is unlikely, from 2 on it is sure: the beam turns round.
    model = Markov([1, 0, 0, 0], [0, 0, 0.4, 0.6], [0, 1, 0, 0], [0, 0.5, 0, 0.5])
    (found,) = beam_search(*model.begin([1]), beam_size=3, n_best=3, eos=EOS, max_length=3, attention=attention)
    assert [one.tokens for one in found] == [(2, 1, 3), (3, 1, 3), (2, 1, 2)]
    for one in found:
        read = [1, *one.tokens[:-1]]
        expected = [np.bincount(read[: t + 1], minlength=6) / (t + 1) for t in range(3)]
        np.testing.assert_array_equal(one.attention, expected)
        assert one.log_prob == pytest.approx(sum(model.log_probs[a, b] for a, b in zip(read, one.tokens, strict=True)))


def test_the_defaults_are_one_sentence_and_no_penalty():
    model = Markov([1, 0, 0], [0.3, 0, 0.7], [0.5, 0, 0.5])
    ((one,),) = beam_search(*model.begin([1]), beam_size=4, eos=EOS, max_length=4)
    assert (one.tokens, one.score) == ((2,), one.log_prob)
    assert one.attention is None
    ((same,),) = exhaustive_search(*model.begin([1]), eos=EOS, max_length=4)
    assert (same.tokens, same.score) == ((2,), one.log_prob)


def test_as_many_sentences_come_out_as_the_beam_has_met():
    model = Markov([1, 0, 0], [0.5, 0, 0.5], [1, 0, 0])
    (found,) = beam_search(*model.begin([1]), beam_size=9, n_best=9, eos=EOS, max_length=4)
    assert outcome(found) == [((), True, 0.5), ((2,), True, 0.5)]
    (found,) = beam_search(*model.begin([1]), beam_size=2, n_best=2, eos=EOS, max_length=4)
    assert len(found) == 2


def test_no_sentences_are_no_trouble():
    model = Markov([1.0])
    for search in (decode, lambda *a, **o: beam_search(*a, beam_size=2, **o), exhaustive_search):
        assert search(*model.begin(np.empty(0, int)), eos=EOS, max_length=3) == []
    assert model.read == []


def test_the_penalties_number_by_number():
    assert [power_penalty(1)(n) for n in (1, 2, 7)] == [1.0, 2.0, 7.0]
    assert [power_penalty(0.5)(n) for n in (1, 4, 9)] == pytest.approx([1.0, 2.0, 3.0])
    assert [gnmt_penalty(1)(n) for n in (1, 7, 13)] == pytest.approx([1.0, 2.0, 3.0])
    assert gnmt_penalty(0)(12) == 1.0


def test_the_best_of_more_and_of_fewer(rng):
    values = np.array([[3.0, -np.inf, 3.0], [1.0, 3.0, -np.inf]])
    for k, expected in ((1, [0]), (2, [0, 2]), (3, [0, 2, 4]), (4, [0, 2, 4, 3]), (6, [0, 2, 4, 3])):
        rows, tokens, _ = _best_continuations(values, np.zeros(2), np.zeros(2, int), k)
        assert (3 * rows + tokens).tolist() == expected
    many = np.round(rng.standard_normal((12, 40)), 1)  # with many equal ones
    sentence, before = np.sort(rng.integers(0, 4, 12)), np.round(rng.standard_normal(12), 1)
    for k in (1, 7, 40, 200, 600):
        rows, tokens, log_prob = _best_continuations(many, before, sentence, k)
        assert log_prob == pytest.approx(before[rows] + many[rows, tokens])
        found = [(int(r), int(t)) for r, t in zip(rows, tokens, strict=True)]
        expected = []
        for one in np.unique(sentence):
            every = [(int(r), t) for r in np.flatnonzero(sentence == one) for t in range(40)]
            expected += sorted(every, key=lambda place: -(before[place[0]] + many[place]))[:k]
        assert found == expected
