"""The best continuation of a Markov model: walked by hand, and against enumeration where much is forbidden."""

import itertools
import math

import numpy as np
import pytest
from markov import log_prob_of

from minirnn import InputError, NGram, viterbi


class Table:
    """A Markov model of order 1 from a table of probabilities (last, next); it remembers what it was asked."""

    def __init__(self, *rows):
        with np.errstate(divide="ignore"):
            self.table, self.asked = np.log(np.array(rows, float)), []

    def advance(self, tokens, state):
        assert len(tokens) == len(state)
        return tokens[:, None]

    def log_probs(self, state):
        self.asked.append(state[:, 0].tolist())
        return self.table[state[0, 0]][None] if len(state) == 1 else self.table[state[:, 0]]


def at(token):
    return np.array([[token]])


def test_the_best_is_not_the_greedy_one():
    model = Table([0.6, 0.4, 0], [0, 0, 1], [0.5, 0.5, 0])
    found = viterbi(model, at(0), 2)
    assert found.tokens == (1, 2)
    assert found.log_prob == pytest.approx(math.log(0.4))
    assert type(found.tokens[0]) is int
    # Greedy has 0.36, and reads twice. Then: both beginnings are above that, and of their four continuations two.
    assert model.asked == [[0], [0], [0], [0, 1]]
    assert (found.states, found.beginnings) == ((2, 2), (2, 2))


def test_states_merge_and_the_better_beginning_is_kept():
    model = Table(*[[1 / 3] * 3] * 3)
    found = viterbi(model, at(0), 3)
    assert found.log_prob == pytest.approx(3 * math.log(1 / 3))
    assert (found.states, found.beginnings) == ((3, 3, 3), (3, 9, 9))
    # Both 1 and 2 lead to 0, from which all goes on: the likelier of them is the beginning of the best.
    model = Table([0, 0.5, 0.5], [0.2, 0.4, 0.4], [0.9, 0.1, 0])
    found = viterbi(model, at(0), 2)
    assert found.tokens == (2, 0)
    assert found.log_prob == pytest.approx(math.log(0.45))


def test_one_token():
    model = Table([0.2, 0.5, 0.3])
    found = viterbi(model, at(0), 1)
    assert (found.tokens, found.states, found.beginnings) == ((1,), (1,), (1,))
    assert found.log_prob == pytest.approx(math.log(0.5))


def test_forbidden_tokens_are_left_out_and_the_model_is_left_alone():
    model = Table([0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1])
    before = model.table.copy()
    assert viterbi(model, at(0), 2).tokens == (1, 2)
    assert viterbi(model, at(0), 2, forbidden=[1]).tokens == (2, 0)
    assert viterbi(model, at(0), 2, forbidden=(1, 2)).tokens == (0, 0)
    found = viterbi(model, at(0), 2, forbidden=np.array([0, 1]))
    assert found.tokens == (2, 2)
    assert found.log_prob == pytest.approx(math.log(0.3 * 0.1))
    np.testing.assert_array_equal(model.table, before)
    for wrong in ([3, 1], [-1, 1]):
        with pytest.raises(InputError, match="forbidden token is out of range"):
            viterbi(model, at(0), 2, forbidden=wrong)


def test_of_equals_the_lower_ids_are_kept():
    # Greedy goes to 1, where it is nearly lost; of all others those of odd id are equally good, and all lead to 0.
    V = 40
    table = np.zeros((V, V))
    table[:, 0] = 1
    table[0] = [0, 0.3, *[0.7 / 57 * (2 if i % 2 else 1) for i in range(2, V)]]
    table[1] = [1e-3, *[0.999 / 39] * 39]
    assert table.sum(axis=1) == pytest.approx(np.ones(V))
    found = viterbi(Table(*table), at(0), 2)
    assert found.tokens == (3, 0)
    assert found.beginnings == (39, 77)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(30))
def test_against_all_continuations(seed, dtype):
    rng = np.random.default_rng(seed)
    V, length, banned = 4, int(rng.integers(1, 5)), rng.permutation(4)[: rng.integers(0, 3)].tolist()
    model = Table(*rng.dirichlet([0.4] * V, V))
    model.table = model.table.astype(dtype)

    def log_prob(tokens):
        return sum(float(model.table[a, b]) for a, b in itertools.pairwise([0, *tokens]))

    allowed = [t for t in itertools.product(range(V), repeat=length) if not set(t) & set(banned)]
    found = viterbi(model, at(0), length, forbidden=banned)
    assert found.tokens == max(allowed, key=log_prob)
    assert found.log_prob == pytest.approx(log_prob(found.tokens), rel=1e-12)


def test_no_step_looks_at_more_than_the_limit():
    model = Table(*[[1 / 3] * 3] * 3)
    assert viterbi(model, at(0), 3, limit=9).states == (3, 3, 3)
    with pytest.raises(InputError, match="step 2 has 3 states: too many"):
        viterbi(model, at(0), 3, limit=8)
    assert viterbi(model, at(0), 1, limit=3).states == (3,)
    with pytest.raises(InputError, match="step 1 has 1 states: too many"):
        viterbi(model, at(0), 1, limit=2)


def test_a_length_below_one_is_refused():
    for length in (0, -1):
        with pytest.raises(InputError, match="at least 1"):
            viterbi(Table([1.0]), at(0), length)


def test_a_state_of_several_numbers_is_one_state():
    text = np.array([0, 1, 2, 0, 1, 3, 0, 2, 2, 0, 1, 2])
    model = NGram(text, 4, 3)
    state = model.advance(np.array([1]), model.advance(np.array([0]), None))
    found = viterbi(model, state, 3)
    best = max(itertools.product(range(4), repeat=3), key=lambda tokens: log_prob_of(tokens, model, state))
    assert found.tokens == best
    assert found.log_prob == pytest.approx(log_prob_of(best, model, state), rel=1e-12)
