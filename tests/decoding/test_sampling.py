"""Drawing tokens: from fixed draws, at the very limits of what is kept, and carried along by `generate`."""

import math

import numpy as np
import pytest

from minirnn import InputError
from minirnn.decoding.sampling import generate, greedy, sampler


class Fixed(np.random.Generator):
    """A generator whose uniform numbers are given."""

    def __init__(self, *numbers):
        super().__init__(np.random.PCG64(0))
        self.numbers = numbers

    def random(self, size):
        assert size == (len(self.numbers), 1)
        return np.array(self.numbers)[:, None]


def drawn(probs, *numbers, **options):
    """The token for each uniform number, from one row of probabilities."""
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.tile(np.array(probs, float), (len(numbers), 1)))
    return sampler(Fixed(*numbers), **options)(log_probs).tolist()


QUARTERS, ALMOST = [0.25] * 4, 1 - 2**-53


def test_greedy_takes_the_first_of_the_most_probable_in_each_row():
    assert greedy(np.log([[0.2, 0.4, 0.4], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])).tolist() == [1, 0, 2]


def test_a_draw_falls_into_its_share():
    numbers = (0.0, 0.25 - 1e-9, 0.25, 0.5 - 1e-9, 0.5, 0.75, ALMOST)
    assert drawn(QUARTERS, *numbers) == [0, 0, 1, 1, 2, 3, 3]
    # The shares lie in the order of the probabilities, the most probable first.
    assert drawn([0.1, 0.6, 0.3], 0.0, 0.59, 0.61, 0.89, 0.91, ALMOST) == [1, 1, 2, 2, 0, 0]
    assert drawn([0, 1, 0], 0.0, ALMOST) == [1, 1]


def test_every_row_has_its_own_probabilities_and_its_own_draw():
    log_probs = np.log([[0.9, 0.05, 0.05], [0.05, 0.05, 0.9], [0.2, 0.5, 0.3]])
    assert sampler(Fixed(0.91, 0.5, 0.6))(log_probs).tolist() == [1, 2, 2]
    quarter = (np.random.default_rng(3).random((3, 1))[:, 0] * 4).astype(int)
    assert sampler(np.random.default_rng(3))(np.log([QUARTERS] * 3)).tolist() == quarter.tolist()


def test_temperature_divides_the_log_probabilities():
    # The odds of 4 : 1 become 2 : 1 at a temperature of 2 and 16 : 1 at 1/2.
    edges = lambda share: (share - 1e-6, share + 1e-6)
    assert drawn([0.2, 0.8], *edges(2 / 3), temperature=2.0) == [1, 0]
    assert drawn([0.2, 0.8], *edges(16 / 17), temperature=0.5) == [1, 0]
    assert drawn([0.2, 0.8], *edges(0.8)) == [1, 0]
    assert drawn([0.2, 0.8], *edges(0.8), temperature=1) == [1, 0]


def test_top_k_keeps_the_most_probable_and_of_equals_the_first():
    numbers = [0.0, 0.49, 0.51, ALMOST]
    assert drawn(QUARTERS, *numbers, top_k=1) == [0, 0, 0, 0]
    assert drawn(QUARTERS, *numbers, top_k=2) == [0, 0, 1, 1]
    assert drawn(QUARTERS, *numbers, top_k=3) == [0, 1, 1, 2]
    assert drawn(QUARTERS, *numbers, top_k=4) == drawn(QUARTERS, *numbers, top_k=9) == [0, 1, 2, 3]
    assert drawn([0.1, 0.2, 0.3, 0.4], *numbers, top_k=2) == [3, 3, 3, 2]


def test_among_many_equals_the_lower_id_comes_first():
    # Of 40 tokens every other one is twice as probable: first the 20 of odd ids, then the others.
    probs = [2 / 60 if i % 2 else 1 / 60 for i in range(40)]
    numbers = [(i + 0.5) / 20 for i in range(20)]
    assert drawn(probs, *numbers, top_k=20) == [*range(1, 40, 2)]
    assert drawn(probs, *[0.9999 * (40 + i + 0.5) / 60 for i in range(20)]) == [*range(0, 40, 2)]


def test_top_p_keeps_no_more_than_are_enough():
    numbers = [0.0, 0.49, 0.51, ALMOST]
    assert drawn(QUARTERS, *numbers, top_p=1e-12) == drawn(QUARTERS, *numbers, top_p=0.25) == [0, 0, 0, 0]
    assert drawn(QUARTERS, *numbers, top_p=0.2500001) == drawn(QUARTERS, *numbers, top_p=0.5) == [0, 0, 1, 1]
    assert drawn(QUARTERS, *numbers, top_p=0.75) == [0, 1, 1, 2]
    assert drawn(QUARTERS, *numbers, top_p=0.76) == drawn(QUARTERS, *numbers, top_p=1) == [0, 1, 2, 3]


def test_top_p_is_of_what_top_k_has_left():
    # Of 0.4 and 0.2 the first has 2/3, which is enough for 0.65 only once they are shares of 1.
    probs = [0.4, 0.2, 0.2, 0.2]
    assert drawn(probs, 0.0, ALMOST, top_k=2, top_p=0.65) == [0, 0]
    assert drawn(probs, 0.0, ALMOST, top_k=2, top_p=0.67) == [0, 1]
    assert drawn(probs, 0.0, ALMOST, top_p=0.65) == [0, 2]


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        ("temperature", (1e-300, 1e-3, 1, 50.0), (0, -0.0, -1.0, math.nan)),
        ("top_k", (1, 2, None), (0, -1)),
        ("top_p", (1e-9, 0.5, 1, 1.0, None), (0.0, -0.1, 1.0000001, 2, math.nan)),
    ],
)
def test_the_limits_of_each_option(option, good, bad):
    for value in good:
        assert drawn([0.9, 0.1], 0.0, **{option: value}) == [0]
    for value in bad:
        with pytest.raises(InputError, match=option.replace("_", "[-_]")):
            sampler(np.random.default_rng(0), **{option: value})


def test_one_row_without_anything_to_choose_is_enough_to_refuse():
    good = np.log([[0.5, 0.5], [0.5, 0.5]])
    for choose, again in ((sampler(Fixed(0.1, 0.2)), sampler(Fixed(0.1, 0.2, 0.3))), (greedy, greedy)):
        assert len(choose(good)) == 2
        for hopeless in ([-np.inf, -np.inf], [np.nan, -1.0], [-1.0, np.nan], [np.inf, 0.0]):
            with pytest.raises(InputError, match="nothing to"):
                again(np.array([*good.tolist(), hopeless]))


@pytest.mark.filterwarnings("error")
def test_the_lowest_temperature_is_greedy_without_a_warning():
    probs = [0.3, 0.3 + 1e-9, 0.2]
    for temperature in (1e-300, 5e-324):
        assert drawn(probs, 0.0, ALMOST, temperature=temperature) == [1, 1]


def test_small_floats_are_drawn_from_as_exactly():
    log_probs = np.log(np.array([[0.1, 0.2, 0.7]] * 2, np.float32))
    assert log_probs.dtype == np.float32
    # Shares in float32 would be 6e-8 off, and the draw just below 0.7 would miss its token.
    share = float(1 / np.exp(log_probs[0].astype(float) - log_probs[0, 2].astype(float)).sum())
    assert sampler(Fixed(share - 1e-12, share + 1e-12))(log_probs).tolist() == [2, 1]


class Adder:
    """A model that reads a text as the sum of its ids, and goes on with that sum modulo 10."""

    def __init__(self):
        self.read = []

    def __call__(self, tokens, state):
        self.read.append(tokens.tolist())
        state = (0 if state is None else state) + tokens
        log_probs = np.full((len(tokens), 10), -9.0)
        log_probs[np.arange(len(tokens)), state % 10] = 0
        return log_probs, state


def test_what_is_written_is_read_but_for_the_last_token():
    model = Adder()
    written = generate(model, [3, 1], 3, greedy)
    assert written.tolist() == [[4, 8, 6]]
    assert written.dtype == np.int64
    assert model.read == [[3], [1], [4], [8]]
    model = Adder()
    assert generate(model, (5,), 1, greedy, batch=3).tolist() == [[5], [5], [5]]
    assert model.read == [[5, 5, 5]]


def test_the_state_before_the_prefix_counts():
    assert generate(Adder(), [3], 2, greedy, state=np.array([100, 201]), batch=2).tolist() == [[3, 6], [4, 8]]


def test_continuations_side_by_side_differ_where_the_choice_does():
    choose = lambda log_probs: log_probs.argmax(axis=1) + np.arange(len(log_probs))
    assert generate(Adder(), [1], 2, choose, batch=3).tolist() == [[1, 2], [2, 4], [3, 6]]


@pytest.mark.parametrize(
    "wrong", [{"prefix": []}, {"length": 0}, {"length": -1}, {"batch": 0}, {"length": 0, "batch": 0}]
)
def test_generate_refuses_nothing_to_read_or_to_write(wrong):
    right = {"prefix": [1], "length": 1, "choose": greedy, "batch": 1}
    assert generate(Adder(), **right).tolist() == [[1]]
    with pytest.raises(InputError, match="at least"):
        generate(Adder(), **right | wrong)
