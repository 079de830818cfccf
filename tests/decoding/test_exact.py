"""The certain searches, walked by hand: what they read, what they leave out, and when they give up."""

import math

import numpy as np
import pytest
from markov import Markov

from minirnn import InputError
from minirnn.decoding.exact import EXACT_CHUNK, exact_search, exhaustive_search, rescore
from minirnn.decoding.hypotheses import power_penalty

EOS = 0


# <eos> is 0. The greedy sentence is 1 1 (0.125); the best is the empty one (0.3).
BRANCHING = ([1, 0, 0], [0.3, 0.5, 0.2], [1, 0, 0])


def probability(one):
    return pytest.approx(math.exp(one.log_prob), rel=1e-12)


def test_exhaustive_search_reads_every_prefix_once():
    model = Markov(*BRANCHING)
    (found,) = exhaustive_search(model, None, [1], eos=EOS, max_length=3, n_best=99)
    assert [(one.tokens, one.finished) for one in found] == [
        ((), True),
        ((2,), True),
        ((1,), True),
        ((1, 1, 1), False),
        ((1, 2), True),
        ((1, 1), True),
        ((1, 1, 2), False),
    ]
    expected = [0.3, 0.2, 0.15, 0.125, 0.1, 0.075, 0.05]
    np.testing.assert_allclose([math.exp(one.log_prob) for one in found], expected, rtol=1e-12)
    # The beginning is read before, to learn how many tokens there are; what is read together is that of one length.
    assert model.read == [[1], [1], [2, 1], [2, 1]]


def test_exhaustive_search_counts_by_the_longest_limit():
    model = Markov(*BRANCHING)
    limits = {"eos": EOS, "max_length": [1, 3]}
    assert exhaustive_search(model, None, [1, 1], limit=27, **limits)
    with pytest.raises(InputError, match=r"3\^3 = 27 sequences, the limit is 26"):
        exhaustive_search(model, None, [1, 1], limit=26, **limits)


def test_exhaustive_search_follows_also_what_cannot_win():
    model = Markov(*BRANCHING)
    ((best,),) = exhaustive_search(model, None, [1], eos=EOS, max_length=3)
    assert best.tokens == ()
    assert model.read == [[1], [1], [2, 1], [2, 1]]


@pytest.mark.parametrize(
    ("V", "steps", "count"),
    [(10, 17, "100,000,000,000,000,000"), (2, 59, "576,460,752,303,423,488"), (10, 18, r"1\.000e\+18")],
)
def test_exhaustive_search_writes_large_numbers_shortly(V, steps, count):
    with pytest.raises(InputError, match=rf"{V}\^{steps} = {count} sequences"):
        exhaustive_search(Markov(*[[1 / V] * V] * V), None, [1], eos=EOS, max_length=steps)


def test_exhaustive_search_has_a_limit_of_a_million_by_default():
    for V, allowed in ((10, True), (11, False)):
        model = Markov(*[[1 / V] * V] * V)
        model.log_probs[:, 1:] = -np.inf  # so that there is hardly anything to look through
        if allowed:
            assert exhaustive_search(model, None, [1], eos=EOS, max_length=6)
        else:
            with pytest.raises(InputError, match=r"the limit is 1,000,000"):
                exhaustive_search(model, None, [1], eos=EOS, max_length=6)


def test_exact_search_reads_only_what_could_win():
    model = Markov(*BRANCHING)
    (result,) = exact_search(model, None, [1], eos=EOS, max_length=3, beam_size=1)
    assert result.hypothesis.tokens == ()
    assert probability(result.hypothesis) == 0.3
    # Of 1 (0.5) and 2 (0.2) only the first could still beat 0.3; of what follows it nothing can.
    assert (result.proven, result.expanded) == (True, 2)
    assert model.read == [[1], [1], [1], [1], [1]]  # three by the beam, then the beginning and the 1


@pytest.mark.parametrize(
    ("max_steps", "proven", "expanded"), [(1, False, 1), (2, False, 1), (3, True, 3), (4, True, 3)]
)
def test_exact_search_gives_up_rather_than_read_more(max_steps, proven, expanded):
    # Per token a longer sentence may win, so that both 1 and 2 are followed at once: 1 + 2 prefixes.
    model = Markov([1, 0, 0], [0.2, 0.4, 0.4], [0.2, 0.4, 0.4])
    (result,) = exact_search(
        model, None, [1], eos=EOS, max_length=2, beam_size=1, length_penalty=power_penalty(1.0), max_steps=max_steps
    )
    assert (result.proven, result.expanded) == (proven, expanded)
    assert result.hypothesis.tokens == (1, 1)  # the beam has found it before


def test_a_proof_may_need_no_step_beyond_the_first():
    model = Markov([1, 0, 0], [0.6, 0.4, 0], [1, 0, 0])
    (result,) = exact_search(model, None, [1], eos=EOS, max_length=9, max_steps=1)
    assert (result.proven, result.expanded) == (True, 1)


def test_each_sentence_is_proven_by_itself_within_its_own_limit():
    model = Markov([1, 0, 0], [0.2, 0.4, 0.4], [0.9, 0.1, 0])
    results = exact_search(
        model, None, [1, 2, 1], eos=EOS, max_length=[2, 2, 1], length_penalty=power_penalty(1.0), max_steps=2
    )
    assert [(one.hypothesis.tokens, one.proven, one.expanded) for one in results] == [
        ((2,), False, 1),
        ((), True, 1),
        ((1,), True, 1),
    ]


def test_exact_search_follows_so_many_at_a_time():
    # The beginnings are all equal, and all but one lead to a sure end. Of equals those of the higher ids are read
    # first, as one chunk; what they find cuts the two that are left.
    V = EXACT_CHUNK + 3
    table = np.zeros((V, V))
    table[:, 0], table[1, 0], table[1, 1:] = 1, 0, 1 / (V - 1)
    model = Markov(*table)
    (result,) = exact_search(model, None, [1], eos=EOS, max_length=2, length_penalty=power_penalty(1.0), beam_size=1)
    assert model.read == [[1], [1], [1], [*range(3, V)]]  # two by the beam
    assert (result.proven, result.expanded) == (True, 1 + EXACT_CHUNK)
    assert result.hypothesis.tokens == (3,)


def test_exact_search_goes_on_where_all_of_a_chunk_is_cut():
    # From the start the first 64 are twice as probable as the last, and so are read before it. What follows them is
    # far less probable, and cut. What follows the last is sure.
    many, last, start = range(1, EXACT_CHUNK + 1), EXACT_CHUNK + 1, EXACT_CHUNK + 2
    V = EXACT_CHUNK + 3
    table = np.full((V, V), 1 / V)
    table[start] = [0, *[2 / 129] * EXACT_CHUNK, 1 / 129, 0]
    table[last] = [1, *[0] * (V - 1)]
    model = Markov(*table)
    (result,) = exact_search(model, None, [start], eos=EOS, max_length=3, beam_size=1)
    assert result.hypothesis.tokens == (last,)
    assert probability(result.hypothesis) == 1 / 129
    assert (result.proven, result.expanded) == (True, 1 + EXACT_CHUNK + 1)
    assert model.read[-2:] == [[*many], [last]]


def test_what_is_equally_probable_is_read_in_the_order_of_its_ids():
    V = 40
    table = np.zeros((V, V))
    table[:, EOS] = 1
    table[1] = [0, *[2 / 59 if i % 2 else 1 / 59 for i in range(1, V)]]
    model = Markov(*table)
    exhaustive_search(model, None, [1], eos=EOS, max_length=2)
    assert model.read[-1] == [*range(2, V, 2), *range(1, V, 2)]


def test_the_beam_before_has_five_beginnings_by_default():
    model = Markov(*[[0, *[1 / 6] * 6]] * 7)
    (result,) = exact_search(model, None, [6], eos=EOS, max_length=2)
    assert model.read == [[6], [1, 2, 3, 4, 5], [6], [1, 2, 3, 4, 5, 6]]
    assert (result.hypothesis.tokens, result.hypothesis.finished) == ((1, 1), False)
    assert (result.hypothesis.score, result.hypothesis.attention) == (result.hypothesis.log_prob, None)
    assert (result.proven, result.expanded) == (True, 7)


def test_numbers_below_one_are_refused_one_by_one():
    model = Markov(*BRANCHING)
    rules = {"eos": EOS, "max_length": 2}
    assert exact_search(model, None, [1], beam_size=1, max_steps=1, **rules)
    for wrong in ({"beam_size": 0}, {"beam_size": -1}, {"max_steps": 0}, {"max_steps": -5}):
        with pytest.raises(InputError, match="at least 1"):
            exact_search(model, None, [1], **rules | wrong)


def test_no_sentences_are_no_trouble():
    model = Markov(*BRANCHING)
    assert exact_search(model, None, np.empty(0, int), eos=EOS, max_length=3) == []
    assert model.read == []


def test_rescoring_adds_up_what_the_model_gives():
    model = Markov([1, 0, 0], [0.3, 0.5, 0.2], [0.25, 0.75, 0])
    assert rescore(model, None, 1, [2, 1, 1], eos=None) == pytest.approx(math.log(0.2 * 0.75 * 0.5))
    assert model.read == [[1], [2], [1]]
    model.read.clear()
    assert rescore(model, None, 1, (2, 1), eos=EOS) == pytest.approx(math.log(0.2 * 0.75 * 0.3))
    assert model.read == [[1], [2], [1]]
    assert rescore(model, None, 2, [], eos=EOS) == pytest.approx(math.log(0.25))
    assert rescore(model, None, 2, []) == 0.0
    assert rescore(model, None, 2, [2]) == -math.inf
    assert rescore(Markov([1]), None, 0, [0, 0], eos=EOS) == 0.0  # a vocabulary of one


def test_rescoring_hands_the_state_on():
    def step(tokens, state):
        return np.full((1, 4), -1.0 - state), state + tokens[0]

    # The states are 10, 10 + 1, 10 + 1 + 2.
    assert rescore(step, 10, 1, [2, 3], eos=0) == -(11 + 12 + 14) - 0.0 - 0.0
