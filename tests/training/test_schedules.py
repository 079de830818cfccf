"""Schedules at their boundaries, exactly, and what they refuse on either side of a limit."""

import math
from types import SimpleNamespace

import pytest

from minirnn import InputError
from minirnn.training.schedules import (
    FORCING,
    badness,
    constant_forcing,
    exponential_forcing,
    inverse_sigmoid_forcing,
    linear_forcing,
    plateau,
    product,
    step_decay,
    waited,
    warmup,
)

TINY = 1e-12


def at(step=0, epoch=0):
    return SimpleNamespace(step=step, epoch=epoch)


def rows(*losses, **other):
    return [{"train_loss": 100.0, "valid_loss": loss, **other} for loss in losses]


def test_the_warm_up_ends_with_its_last_step():
    assert [warmup(3)(at(step), []) for step in range(5)] == [1 / 3, 2 / 3, 1, 1, 1]
    assert [warmup(1)(at(step), []) for step in range(2)] == [1, 1]


def test_the_decay_begins_after_its_epochs():
    fall = step_decay(3, 0.5)
    assert [fall(at(epoch=epoch), []) for epoch in range(8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert [step_decay(1, 0.5)(at(epoch=epoch), []) for epoch in range(3)] == [1, 0.5, 0.25]
    assert fall(at(step=99), []) == 1


@pytest.mark.parametrize(
    ("patience", "losses", "expected"),
    [
        (1, [1.0], 1), (1, [1.0, 1.0], 0.5), (1, [1.0, 1.0, 1.0], 0.25), (1, [2.0, 1.0], 1), (2, [1.0, 1.0], 1),
        (2, [1.0, 1.0, 1.0], 0.5), (2, [1.0, 2.0, 0.5, 0.5], 1), (2, [1.0, 2.0, 3.0, 2.5], 0.5),
        (2, [1.0, 2.0, 3.0, 2.5, 2.0], 0.25), (3, [1.0, 2.0, 3.0, 1.0], 0.5), (3, [], 1), (1, [1.0, 2.0, 1.5], 0.25),
    ],
)  # fmt: skip
def test_a_plateau_is_so_many_validations_without_a_new_best(patience, losses, expected):
    assert plateau(0.5, patience)(at(), rows(*losses)) == expected


def test_a_plateau_of_another_measure():
    bleus = [{"train_loss": 1.0, "valid_loss": 9.0 - k, "valid_bleu": bleu} for k, bleu in enumerate([3, 5, 5, 4])]
    assert plateau(0.5, 1, "valid_bleu")(at(), bleus) == 0.25
    assert plateau(0.5, 1)(at(), bleus) == 1


def test_schedules_multiply():
    both = product([lambda place, history: 0.5 + place.step, lambda place, history: 3.0 * len(history)])
    assert both(at(step=1), rows(1.0, 1.0)) == 9
    assert product([])(at(), []) == 1


def test_what_is_monitored():
    row = {"train_loss": 3.0, "valid_loss": 2.0, "valid_bleu": 20, "rmse": 0.5}
    assert [badness(row, name) for name in ("valid_loss", "valid_bleu", "rmse")] == [2.0, -20.0, 0.5]
    assert badness(row, "test_bleu") == 2.0  # there is none: the loss, and no minus sign
    assert badness({"train_loss": 3.0}, "valid_loss") == badness({"train_loss": 3.0}, "valid_bleu") == 3.0


def test_how_long_ago_the_best_was():
    for losses, expected in (([], 0), ([1.0], 0), ([1.0, 1.0], 1), ([2.0, 1.0], 0), ([1.0, 2.0, 1.0, 3.0], 3)):
        assert waited(rows(*losses), "valid_loss") == expected


def test_teacher_forcing_at_its_boundaries():
    linear = linear_forcing(4)
    assert [linear(i) for i in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]
    assert [linear_forcing(4, 0.3)(i) for i in (0, 2, 3, 9)] == [1, 0.5, 0.3, 0.3]
    exponential = exponential_forcing(4, 0.2)
    assert [exponential(i) for i in (0, 2, 4, 8)] == pytest.approx([1, math.exp(-0.5), math.exp(-1), 0.2], rel=1e-15)
    assert [constant_forcing(ratio)(5) for ratio in (0, 0.5, 1)] == [0, 0.5, 1]


@pytest.mark.parametrize("steps", [1.0, 4.0, 1000.0, 1e6])
def test_the_inverse_sigmoid_is_that_of_its_k(steps):
    fall = inverse_sigmoid_forcing(steps)
    first = fall(0)
    k = first / (1 - first)  # ε_0 = k / (k + 1)
    assert k * math.log(k) == pytest.approx(steps, rel=1e-6)
    for i in (0, steps / 2, steps, 2 * steps):
        assert fall(i) == pytest.approx(k / (k + math.exp(i / k)), rel=1e-9)
    assert inverse_sigmoid_forcing(steps, 0.25)(10 * steps) == 0.25
    assert fall(1e12) < 1e-290


@pytest.mark.parametrize(
    ("make", "fine", "wrong"),
    [
        (warmup, [1], [0, -1]),
        (lambda n: step_decay(n, 0.5), [1], [0, -1]),
        (lambda n: plateau(0.5, n), [1], [0, -1]),
        (lambda f: step_decay(1, f), [TINY, 1 - TINY], [0.0, 1.0, -0.5, 1.5, math.nan]),
        (lambda f: plateau(f, 1), [TINY, 1 - TINY], [0.0, 1.0, -0.5, 1.5, math.nan]),
        (constant_forcing, [0.0, 1.0], [-TINY, 1 + TINY, math.nan]),
        *((lambda n, f=f: f(n), [TINY, 1], [0.0, -1.0, math.nan]) for f in FORCING.values()),
        *((lambda e, f=f: f(10, e), [0.0, 1.0], [-TINY, 1 + TINY, math.nan]) for f in FORCING.values()),
    ],
)
def test_limits_from_both_sides(make, fine, wrong):
    for value in fine:
        assert callable(make(value))
    for value in wrong:
        with pytest.raises(InputError):
            make(value)


def test_the_decays_by_name():
    assert list(FORCING) == ["linear", "exponential", "inverse-sigmoid"]
    assert list(FORCING.values()) == [linear_forcing, exponential_forcing, inverse_sigmoid_forcing]
    assert all(FORCING[name](steps=100, least=0.5)(10**6) == 0.5 for name in FORCING)
