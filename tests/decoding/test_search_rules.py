"""What the searches have in common: what they refuse, at the very limit, and how a sentence is scored."""

import inspect
import math

import device_double
import numpy as np
import pytest

from minirnn import InputError, Tensor, viterbi
from minirnn.decoding.beam import beam_search, decode
from minirnn.decoding.exact import exact_search, exhaustive_search, rescore
from minirnn.decoding.hypotheses import (
    Hypothesis,
    coverage,
    gnmt_penalty,
    latest_attention,
    power_penalty,
    select,
)

EOS = 0
SEARCHES = {
    "decode": decode,
    "beam": lambda *model, **rules: beam_search(*model, beam_size=4, **rules),
    "exhaustive": exhaustive_search,
    "exact": exact_search,
}
each_search = pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
each_that_compares = pytest.mark.parametrize("search", list(SEARCHES.values())[1:], ids=list(SEARCHES)[1:])


def uniform(tokens, state):
    return np.full((len(tokens), 3), math.log(1 / 3)), state


@each_search
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_length": 0}, "max_length must be at least 1, not 0"),
        ({"max_length": [2, 0]}, "max_length must be at least 1, not 0"),
        ({"max_length": [2]}, "max_length must be an integer or one for each of 2"),
        ({"max_length": [[2, 2]]}, "max_length must be an integer or one for each of 2"),
        ({"max_length": 2.0}, "max_length must be an integer"),
        ({"max_length": [1.0, 2.0]}, "max_length must be an integer"),
        ({"start": 1}, "start must be"),
        ({"start": [[1, 1]]}, "start must be"),
        ({"start": [1.0, 1.0]}, "start must be"),
        ({"start": ["a", "b"]}, "start must be"),
        ({"eos": -1}, "^eos .*-1"),
        ({"eos": 3}, "eos is 3, but the model's ids are 0 to 2"),
        ({"step": lambda tokens, state: (np.full(2, -1.0), state)}, "the step must return"),
        ({"step": lambda tokens, state: (np.full((2, 1, 3), -1.0), state)}, "the step must return"),
        ({"step": lambda tokens, state: (np.full((len(tokens) + 1, 3), -1.0), state)}, "the step must return"),
        ({"step": lambda tokens, state: (np.ones((len(tokens), 3)), state)}, "a log-probability is 1"),
        ({"step": lambda tokens, state: np.full((2, 3), -1.0)}, "two values, .* not ndarray"),
    ],
)
def test_every_search_refuses_what_cannot_be(search, wrong, message):
    right = {"step": uniform, "state": None, "start": [1, 2], "eos": EOS, "max_length": 2}
    call = lambda step, state, start, **rules: search(step, state, start, **rules)
    assert len(call(**right)) == 2
    with pytest.raises(InputError, match=message):
        call(**right | wrong)


@each_search
def test_every_search_takes_what_just_fits(search):
    as_list = lambda tokens, state: [*uniform(tokens, state)]
    assert len(search(as_list, None, [1, 2], eos=EOS, max_length=2)) == 2
    for start in ([1, 2], (1, 2), np.array([1, 2], np.uint8), np.array([1, 2])):
        for limit in (1, np.int64(1), [1, 1], np.array([1, 1], np.uint16)):
            for eos in (0, 2):
                assert len(search(uniform, None, start, eos=eos, max_length=limit)) == 2


@each_that_compares
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"coverage_penalty": -1e-9}, "coverage penalty must be"),
        ({"coverage_penalty": math.inf}, "coverage penalty must be"),
        ({"coverage_penalty": math.nan}, "coverage penalty must be"),
        ({"coverage_penalty": 0.1}, "needs the attention"),
        ({"source_lengths": [1, -1]}, "source_lengths must be at least 0, not -1"),
        ({"source_lengths": [1]}, "source_lengths must be an integer or one for each of 2"),
        ({"source_lengths": [1.0, 1.0]}, "source_lengths must be an integer"),
    ],
)
def test_what_scores_refuses_what_cannot_be(search, wrong, message):
    model = (uniform, None, [1, 1])
    assert search(*model, eos=EOS, max_length=2, coverage_penalty=0.0, source_lengths=[0, 1])
    with pytest.raises(InputError, match=message):
        search(*model, eos=EOS, max_length=2, **wrong)


def test_too_few_sentences_are_refused():
    model = (uniform, None, [1])
    for n_best in (0, -1):
        with pytest.raises(InputError, match=r"n_best"):
            exhaustive_search(*model, eos=EOS, max_length=2, n_best=n_best)
        with pytest.raises(InputError, match=r"n_best"):
            beam_search(*model, eos=EOS, max_length=2, n_best=n_best, beam_size=2)
    with pytest.raises(InputError, match=r"n_best 3 and beam_size 2"):
        beam_search(*model, eos=EOS, max_length=2, n_best=3, beam_size=2)
    assert len(beam_search(*model, eos=EOS, max_length=2, n_best=2, beam_size=2)[0]) == 2
    assert len(exhaustive_search(*model, eos=EOS, max_length=2)[0]) == 1


def test_the_sentence_without_a_sequence_is_named():
    def step(tokens, state):
        return np.where(tokens[:, None] == 2, -np.inf, math.log(1 / 3)) * np.ones(3), state

    for search in list(SEARCHES.values())[1:]:
        assert len(search(step, None, [1, 1], eos=EOS, max_length=1)) == 2
        with pytest.raises(InputError, match="sentence 1: found no sequence"):
            search(step, None, [1, 2, 1], eos=EOS, max_length=1)


@each_search
def test_log_probabilities_may_be_above_zero_by_rounding_in_no_row(search):
    def call(*rows):
        table = np.array(rows)
        return search(lambda tokens, state: (table[: len(tokens)], state), None, [1, 1], eos=EOS, max_length=1)

    assert len(call([-1.0, 1e-3, -2.0], [-np.inf, -1.0, -1.0])) == 2
    assert len(call([-1.0, -1.0, -2.0], [-np.inf, 0.0, 1e-3])) == 2
    for wrong in (1.1e-3, 0.5, np.inf, np.nan):
        for rows in (([wrong, -1.0, -2.0], [-1.0] * 3), ([-1.0] * 3, [-1.0, -2.0, wrong])):
            with pytest.raises(InputError, match=f"a log-probability is {wrong}"):
                call(*rows)


def test_alphas_are_finite_and_not_negative():
    for penalty in (power_penalty, gnmt_penalty):
        assert penalty(0.0)(5) == penalty(0)(1) == 1.0
        for wrong in (-1e-9, math.inf, math.nan):
            with pytest.raises(InputError, match="alpha must be"):
                penalty(wrong)


def test_coverage_number_by_number():
    attention = np.array(
        [
            [[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]],
            [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]],
        ],
        np.float32,
    )
    first, second = coverage(attention)
    assert first == pytest.approx(math.log(0.75 * 0.5 * 0.75))
    assert second == pytest.approx(math.log(0.5) + math.log(1e-10))
    assert coverage(attention, np.array([1, 2])) == pytest.approx([math.log(0.75), math.log(0.5)])
    assert coverage(attention, np.array([0, 3])) == pytest.approx([0, math.log(0.5e-10)])
    assert coverage(attention).dtype == np.float64


@each_that_compares
def test_a_score_is_the_formula(search):
    """Two sentences that are told apart by nothing but where they looked, in sources of two lengths."""
    looked = np.array([[0.0, 0, 0, 0], [0.25, 0.25, 0.5, 0], [0.5, 0.5, 0, 0]])

    def step(tokens, state):
        log_probs = np.log([[1, 1e-9, 1e-9], [1e-9, 0.5, 0.5], [1e-9, 0.5, 0.5]])[tokens]
        return log_probs, {"looked": looked[tokens], "read": state["read"] + 1}

    found = search(
        step,
        {"looked": np.zeros((2, 4)), "read": np.zeros((2, 1))},
        [2, 2],
        eos=EOS,
        max_length=2,
        length_penalty=gnmt_penalty(2.0),
        coverage_penalty=0.3,
        attention=lambda state: state["looked"],
        source_lengths=[2, 3],
    )
    best = [one.hypothesis if hasattr(one, "hypothesis") else one[0] for one in found]
    # The model looks at 1/2 1/2 0 after the start and after 2, at 1/4 1/4 1/2 after 1.
    penalty = (7 / 6) ** 2
    assert [one.tokens[0] for one in best] == [2, 1]
    assert best[0].score == pytest.approx(math.log(0.25) / penalty)
    assert best[1].score == pytest.approx(math.log(0.25) / penalty + 0.3 * math.log(0.75 * 0.75 * 0.5))
    assert [one.log_prob for one in best] == pytest.approx([math.log(0.25)] * 2)
    np.testing.assert_array_equal(best[0].attention, looked[[2, 2]])
    np.testing.assert_array_equal(best[1].attention, looked[[2, 1]])


@each_that_compares
def test_without_lengths_the_whole_source_is_to_be_covered(search):
    def step(tokens, state):
        return np.log([[0.5, 0.5]] * len(tokens)), np.array([[0.5, 0.25, 0.25]] * len(tokens))

    (found,) = search(
        step,
        np.zeros((1, 3)),
        [1],
        eos=EOS,
        max_length=1,
        coverage_penalty=2.0,
        attention=lambda state: state,
    )
    best = found.hypothesis if hasattr(found, "hypothesis") else found[0]
    assert best.score == pytest.approx(math.log(0.5) + 2 * math.log(0.5 * 0.25 * 0.25))
    assert type(best.attention) is np.ndarray
    np.testing.assert_array_equal(best.attention, [[0.5, 0.25, 0.25]])


@each_that_compares
def test_a_penalty_of_ones_own_is_given_lengths(search):
    given = []

    def penalty(length):
        given.append(length)
        return length / 2

    (found,) = search(uniform, None, [1], eos=EOS, max_length=np.array([3]), length_penalty=penalty)
    best = found.hypothesis if hasattr(found, "hypothesis") else found[0]
    assert best.score == pytest.approx(2 * math.log(1 / 3))
    assert {type(length) for length in given} == {int}
    assert set(given) <= {1, 2, 3}


@each_search
def test_small_floats_are_added_up_as_large_ones(search):
    single = np.full(3, math.log(1 / 3), np.float32)
    step = lambda tokens, state: (
        np.where(np.arange(3) == EOS, -np.inf, single) * np.ones((len(tokens), 1), np.float32),
        None,
    )
    assert step([0], None)[0].dtype == np.float32
    (found,) = search(step, None, [1], eos=EOS, max_length=7)
    best = found[0] if isinstance(found, list) else getattr(found, "hypothesis", found)
    assert type(best.log_prob) is type(best.score) is float
    assert best.log_prob == best.score == pytest.approx(7 * float(single[0]), rel=1e-15)
    assert {type(token) for token in best.tokens} == {int}
    assert best.finished is False
    total = rescore(step, None, 1, best.tokens)
    assert type(total) is float
    assert total == best.log_prob


def test_how_far_a_search_goes_where_nothing_is_said():
    default = lambda search, name: inspect.signature(search).parameters[name].default
    assert default(exact_search, "max_steps") == 100_000
    assert default(exhaustive_search, "limit") == 1_000_000
    assert default(viterbi, "limit") == 50_000_000


def test_hypotheses_are_the_same_whatever_they_looked_at():
    one = Hypothesis((1, 2), -1.0, -0.5, True)
    assert one.attention is None
    other = Hypothesis((1, 2), -1.0, -0.5, True, np.ones((3, 2)))
    assert one == other
    assert hash(one) == hash(other)
    assert repr(other) == "Hypothesis(tokens=(1, 2), log_prob=-1.0, score=-0.5, finished=True)"
    assert one != Hypothesis((1, 2), -1.0, -0.5, False)
    with pytest.raises(AttributeError):
        one.score = 0.0


def test_attention_is_an_array_also_of_a_tensor():
    weights = np.ones((2, 3))
    for given in (weights, Tensor(weights), device_double.asarray(weights), Tensor(device_double.asarray(weights))):
        found = latest_attention(lambda state: state, given)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, weights)


def test_the_rows_of_a_state_are_the_last_axis_but_one():
    rows = np.array([1, 1, 0])
    assert select(None, rows) is None
    assert select(np.array([5, 6]), rows).tolist() == [6, 6, 5]
    for shape in ((2, 3), (4, 2, 3), (5, 4, 2, 3)):
        state = np.arange(np.prod(shape)).reshape(shape)
        np.testing.assert_array_equal(select(state, rows), state[..., rows, :])
    assert type(select([np.zeros(2)], rows)) is list
    assert type(select((np.zeros(2),), rows)) is tuple
    for wrong in (3, 2.5, np.float64(1), np.array(1.0)):
        with pytest.raises(InputError, match="cannot tell the rows"):
            select(wrong, rows)
