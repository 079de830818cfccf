"""What searches are given and told: numbers of NumPy, models that answer with something else, nothing to choose."""

import math

import numpy as np
import pytest

from minirnn import (
    InputError,
    NGram,
    Tensor,
    beam_search,
    decode,
    exact_search,
    exhaustive_search,
    generate,
    greedy,
    power_penalty,
    rescore,
    sampler,
    viterbi,
)
from minirnn.decoding.checks import ROUNDING

ONE = np.log([[0.5, 0.3, 0.2]])
RULES = {"eos": 0, "max_length": 2}
SEARCHES = {
    "decode": lambda step, start=(1,), **o: decode(step, None, start, **RULES | o),
    "sample": lambda step, start=(1,), **o: decode(step, None, start, choose=sampler(0), **RULES | o),
    "beam": lambda step, start=(1,), **o: beam_search(step, None, start, beam_size=2, **RULES | o),
    "exhaustive": lambda step, start=(1,), **o: exhaustive_search(step, None, start, **RULES | o),
    "exact": lambda step, start=(1,), **o: exact_search(step, None, start, **RULES | o),
}
READERS = SEARCHES | {
    "generate": lambda step: generate(step, [1], 2, greedy),
    "draw": lambda step: generate(step, [1], 2, sampler(0)),
    "rescore": lambda step: rescore(step, None, 1, [1, 2]),
}


class Foreign:
    """A tensor of another library."""

    __module__ = "torch"


def answering(log_probs):
    """A model that gives these log-probabilities (1, V) at every step."""
    return lambda tokens, state: (np.repeat(log_probs, len(tokens), axis=0), state)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda tokens, state: (Tensor(ONE), state), r"not minirnn\..*Tensor: return log_softmax\(logits\)\.numpy\(\)"),
        (lambda tokens, state: (Foreign(), state), r"not torch\.Foreign: return log_probs\.detach\(\)\.cpu\(\)\.numpy"),
        (
            lambda tokens, state: (ONE.tolist(), state),
            r"NumPy array \(rows, V\), not builtins\.list: return np\.array\(",
        ),
        (lambda tokens, state: (ONE[0], state), r"log-probabilities \(1, V\), not float64 of shape \(3,\)"),
        (lambda tokens, state: (ONE[:, :0], state), r"\(1, V\), not float64 of shape \(1, 0\)"),
        (lambda tokens, state: (np.tile(ONE, (2, 1)), state), r"\(1, V\), not float64 of shape \(2, 3\)"),
        (lambda tokens, state: (np.zeros((1, 3), int), state), r"\(1, V\), not int64 of shape \(1, 3\)"),
        (lambda tokens, state: ONE, "two values, log-probabilities and state, not ndarray"),
        (lambda tokens, state: None, "two values, log-probabilities and state, not NoneType"),
        (lambda tokens, state: (ONE, state, state), "two values, log-probabilities and state, not 3 values"),
    ],
)
def test_a_step_returns_log_probabilities_and_a_state(read, step, message):
    READERS[read](answering(ONE))
    with pytest.raises(InputError, match=message):
        READERS[read](step)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_log_probability_is_never_chosen(read, wrong):
    for at in range(3):
        log_probs = ONE.copy()
        log_probs[0, at] = wrong
        with pytest.raises(InputError, match=r"a log-probability is|nothing to choose from"):
            READERS[read](answering(log_probs))


@pytest.mark.parametrize("read", ["decode", "sample", "beam", "exhaustive", "exact", "generate", "draw"])
def test_where_all_is_forbidden_nothing_is_chosen(read):
    with pytest.raises(InputError, match=r"forbidden|nothing to choose from"):
        READERS[read](answering(np.full((1, 3), -np.inf)))


@pytest.mark.parametrize("search", SEARCHES)
def test_rounding_may_carry_a_log_probability_a_little_above_0(search):
    SEARCHES[search](answering(np.array([[ROUNDING, -7.0]])))
    with pytest.raises(InputError, match=r"a log-probability is 0\.0011: expected at most 0"):
        SEARCHES[search](answering(np.array([[1.1 * ROUNDING, -7.0]])))


def test_greedy_chooses_what_can_be_chosen():
    assert greedy(np.array([[-np.inf, -1.0], [-2.0, -np.inf]])).tolist() == [1, 0]
    for row in ([np.nan, -1.0], [-1.0, np.nan], [np.inf, -1.0], [-np.inf, -np.inf]):
        with pytest.raises(InputError, match="nothing to choose from"):
            greedy(np.array([[-1.0, -2.0], row]))
        with pytest.raises(InputError, match="nothing to choose from"):
            sampler(0)(np.array([[-1.0, -2.0], row]))


def test_the_sentence_that_cannot_go_on_is_named():
    def step(tokens, state):
        log_probs = np.tile(np.log([0.1, 0.9]), (3, 1))
        log_probs[1] = -np.inf if state else log_probs[1]
        return log_probs, True

    with pytest.raises(InputError, match=r"sentence 1: every continuation is forbidden \(-inf\)"):
        decode(step, False, [1, 1, 1], eos=0, max_length=3)
    with pytest.raises(InputError, match=r"sentence 2: a forbidden token \(-inf\) was chosen"):
        decode(
            answering(np.array([[0.0, -np.inf]])),
            None,
            [1, 1, 1],
            eos=0,
            max_length=1,
            choose=lambda log_probs: np.array([0, 0, 1]),
        )


@pytest.mark.parametrize("search", SEARCHES)
def test_numbers_of_numpy_are_numbers(search):
    find, step = SEARCHES[search], answering(ONE)
    assert find(step, eos=np.int64(0), max_length=np.int32(2)) is not None
    assert find(step, start=np.array([1], np.uint8), max_length=np.array([2])) is not None
    for wrong in ({"eos": True}, {"eos": 0.0}, {"eos": None}, {"eos": -1}, {"max_length": True}, {"max_length": 2.0}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be an integer"):
            find(step, **wrong)
    with pytest.raises(InputError, match="eos is 3, but the model's ids are 0 to 2"):
        find(step, eos=3)
    for start in ([1.0], [[1]], 1, Tensor(np.array([1.0]))):
        with pytest.raises(InputError, match="start must be a list of ids, not "):
            find(step, start=start)
    assert find(step, start=[]) == []
    assert find(step, start=[], max_length=[]) == []


def test_more_numbers_of_numpy():
    step, start = answering(ONE), [1]
    (expected,) = beam_search(step, None, start, beam_size=2, n_best=2, **RULES)
    assert beam_search(step, None, start, beam_size=np.int64(2), n_best=np.int64(2), **RULES) == [expected]
    assert exhaustive_search(step, None, start, n_best=np.int64(1), limit=np.int64(9), **RULES) == [expected[:1]]
    assert exact_search(step, None, start, beam_size=np.int64(2), max_steps=np.int64(9), **RULES)[0].proven
    assert rescore(step, None, np.int64(1), np.array([1, 2])) == pytest.approx(math.log(0.3) + math.log(0.2))
    assert generate(step, np.array([1]), np.int64(2), greedy, batch=np.int64(3)).shape == (3, 2)
    assert power_penalty(np.float32(0.5))(4) == 2.0
    for wrong in ({"beam_size": 0}, {"max_steps": 0}, {"beam_size": 2.0}, {"max_steps": True}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be an integer of at least 1"):
            exact_search(step, None, start, **RULES | wrong)
    for wrong in ({"limit": 0}, {"n_best": True}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be an integer of at least 1"):
            exhaustive_search(step, None, start, **RULES | wrong)


def test_what_is_rescored_are_ids():
    step = answering(ONE)
    assert rescore(step, None, 1, [], eos=0) == pytest.approx(math.log(0.5))
    assert rescore(answering(np.array([[0.0, -np.inf]])), None, 1, [1]) == -math.inf
    for tokens, start in (([3], 1), ([-1], 1), ([1.0], 1), ([1], -1), ([1], None)):
        with pytest.raises(
            InputError, match=r"token 3 is out of range: expected 0 to 2|must be an integer of at least 0"
        ):
            rescore(step, None, start, tokens)


def test_a_prefix_is_made_of_ids():
    step = answering(ONE)
    for wrong in ([1.0], [[1]], "ab", np.zeros((1, 1), int), Tensor(np.array([1.0]))):
        with pytest.raises(InputError, match="prefix must be a list of ids, not "):
            generate(step, wrong, 2, greedy)
    for wrong in ({"length": 0}, {"batch": 0}, {"length": 1.0}, {"batch": True}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} must be an integer of at least 1"):
            generate(step, [1], **{"length": 2, "choose": greedy} | wrong)


def test_draws_take_numbers_of_numpy_and_a_seed():
    log_probs = np.log(np.tile([0.5, 0.3, 0.2], (50, 1)))
    numpy_s = sampler(np.int64(3), np.float32(2.0), np.int64(2), np.float64(0.75))
    ours = sampler(np.random.default_rng(3), 2.0, 2, 0.75)
    np.testing.assert_array_equal(numpy_s(log_probs), ours(log_probs))
    for options, name in (
        ({"temperature": math.inf}, "the temperature"),
        ({"temperature": math.nan}, "the temperature"),
        ({"temperature": 0}, "the temperature"),
        ({"temperature": -1.0}, "the temperature"),
        ({"temperature": True}, "the temperature"),
        ({"top_k": 0}, "top-k"),
        ({"top_k": 2.0}, "top-k"),
        ({"top_k": True}, "top-k"),
        ({"top_p": 0}, "top-p"),
        ({"top_p": 1.01}, "top-p"),
        ({"top_p": math.nan}, "top-p"),
        ({"top_p": True}, "top-p"),
    ):
        with pytest.raises(InputError, match=f"^{name} must be "):
            sampler(0, **options)


def test_as_few_tokens_as_are_enough_are_kept():
    half = np.log(np.tile([0.25, 0.5, 0.25], (200, 1)))
    equal = np.zeros((200, 4))  # each 1/4, to the last bit
    assert set(sampler(0, top_p=0.25)(equal)) == {0}
    assert set(sampler(0, top_p=0.5)(equal)) == {0, 1}
    assert set(sampler(0, top_p=0.51)(equal)) == {0, 1, 2}
    assert set(sampler(0, top_k=1)(half)) == {1}


def test_the_model_reads_no_more_than_is_needed():
    read = []

    def step(tokens, state):
        read.append(tokens.tolist())
        return np.tile(ONE, (len(tokens), 1)), state

    assert generate(step, [2, 1], 3, greedy).tolist() == [[0, 0, 0]]
    assert read == [[2], [1], [0], [0]]


def test_at_the_highest_temperature_nothing_forbidden_is_drawn():
    log_probs = np.tile([-0.7, -np.inf, -0.7], (500, 1))
    drawn = sampler(0, temperature=1e308)(log_probs)
    assert set(drawn.tolist()) == {0, 2}


class Table:
    """A Markov model of the second order that gives `rows[last token]`."""

    def __init__(self, rows):
        self.rows = np.array(rows)

    def advance(self, tokens, state):
        return np.asarray(tokens)[:, None]

    def log_probs(self, state):
        return self.rows[state[:, 0]]


def test_the_most_probable_continuation_may_begin_where_greedy_is_lost():
    nothing = -np.inf
    table = Table([[math.log(0.6), math.log(0.4), nothing], [nothing, nothing, nothing], [nothing, nothing, 0.0]])
    table.rows[0] = [nothing, math.log(0.6), math.log(0.4)]
    found = viterbi(table, np.array([[0]]), 2)
    assert (found.tokens, found.log_prob) == ((2, 2), math.log(0.4))
    table.rows[2] = nothing
    with pytest.raises(InputError, match="no continuation is allowed"):
        viterbi(table, np.array([[0]]), 2)


def test_the_most_probable_continuation_refuses_what_makes_no_sense():
    model = NGram(np.array([0, 1, 2, 1, 0, 2]), 3, 2)
    start = model.start(1)
    assert viterbi(model, start, np.int64(2), forbidden=np.array([0, 2]), limit=np.int64(100)).tokens == (1, 1)
    assert viterbi(model, start, 2, forbidden=()).tokens
    assert viterbi(model, start, 1, limit=3).tokens  # one state, three tokens
    with pytest.raises(InputError, match="step 1 has 1 states: too many"):
        viterbi(model, start, 1, limit=2)
    for wrong in ([3], [-1], [0, 3]):
        with pytest.raises(InputError, match="a forbidden token is out of range: expected 0 to 2"):
            viterbi(model, start, 2, forbidden=wrong)
    for options, message in (
        ({"length": 2.0}, "length must be an integer of at least 1"),
        ({"limit": 0}, "limit must be an integer of at least 1"),
        ({"forbidden": [0.5]}, "forbidden must be a list of ids"),
        ({"state": model.start(2)}, r"the state after one prefix, of shape \(1, k\), not \(2, 1\)"),
        ({"state": start[0]}, r"not \(1,\)"),
        ({"state": None}, r"not \(\)"),
    ):
        with pytest.raises(InputError, match=message):
            viterbi(model, **{"state": start, "length": 2} | options)
    for wrong in (math.nan, math.inf, 0.1):
        table = Table(np.log(np.full((3, 3), 1 / 3)))
        table.rows[0, 1] = wrong
        with pytest.raises(InputError, match="a log-probability is"):
            viterbi(table, np.array([[0]]), 2)
