"""Arguments that are numbers, of Python or of NumPy, and those that are none."""

import json
import math

import numpy as np
import pytest

from minirnn import InputError
from minirnn.arguments import integer, number, shown, strings


@pytest.mark.parametrize("four", [4, np.int64(4), np.uint8(4), np.array(4)])
def test_integers_of_numpy_are_integers(four):
    found = integer("n", four)
    assert type(found) is int
    assert json.dumps(found) == "4"


@pytest.mark.parametrize("wrong", [True, False, np.True_, 4.0, np.float64(4), "4", None, [4], np.array([4]), 4 + 0j])
def test_what_is_no_integer_is_refused(wrong):
    with pytest.raises(InputError, match=r"^n must be an integer of at least 1, not "):
        integer("n", wrong)
    with pytest.raises(InputError, match=r"^n must be an integer, not "):
        integer("n", wrong, least=None)


def test_integers_have_a_least():
    assert [integer("n", n) for n in (1, 2)] == [1, 2]
    assert [integer("n", n, least=-3) for n in (-3, 0)] == [-3, 0]
    assert integer("n", -(10**30), least=None) == -(10**30)
    with pytest.raises(InputError, match="n must be an integer of at least 1, not 0"):
        integer("n", 0)
    with pytest.raises(InputError, match=r"n must be an integer of at least 1, not np\.int64\(0\)"):
        integer("n", np.int64(0))


@pytest.mark.parametrize("half", [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5, np.float16)])
def test_numbers_of_numpy_are_numbers(half):
    assert type(number("x", half)) is float
    assert number("x", half) == 0.5
    assert type(number("x", np.int64(2))) is float
    assert (np.ones(1, np.float32) * number("x", half)).dtype == np.float32


@pytest.mark.parametrize(
    "wrong", [True, np.True_, "0.5", None, [0.5], np.array([0.5]), 1j, math.nan, math.inf, 10**400]
)
def test_what_is_no_finite_number_is_refused(wrong):
    with pytest.raises(InputError, match=r"^x must be a finite number, not "):
        number("x", wrong)
    with pytest.raises(InputError, match=r"^x must be a number of at least 0 and at most 9, not "):
        number("x", wrong, least=0, most=9)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "words"),
    [
        ({"least": 0}, (0, 7), (-1e-300, -math.inf), "a finite number of at least 0"),
        ({"above": 0}, (1e-300, 7), (0, -1), "a finite number above 0"),
        ({"most": 1}, (1, -7), (1.1, math.inf), "a number at most 1"),
        ({"below": 1}, (0.999, -7), (1, 2), "a number below 1"),
        ({"least": 0, "below": 1}, (0, 0.5), (-0.1, 1), "a number of at least 0 and below 1"),
        ({"above": 0, "most": 1}, (0.5, 1), (0, 1.1), "a number above 0 and at most 1"),
    ],
)
def test_numbers_have_bounds(bounds, inside, outside, words):
    assert [number("x", x, **bounds) for x in inside] == list(inside)
    for x in outside:
        with pytest.raises(InputError, match=rf"^x must be {words}, not "):
            number("x", x, **bounds)


def test_strings():
    assert strings("texts", ("a", "b")) == ["a", "b"]
    assert strings("texts", iter(["a"])) == ["a"]
    assert strings("texts", []) == []
    with pytest.raises(InputError, match=r"^texts must be a list of strings, not one string: write \['the cat'\]$"):
        strings("texts", "the cat")
    with pytest.raises(InputError, match=r"not one string: write \[b'the cat'\]$"):
        strings("texts", b"the cat")
    with pytest.raises(InputError, match=r"^texts must be strings, not \['a', 'b'\] of type list$"):
        strings("texts", ["a", ["a", "b"]])


def test_what_is_shown_is_one_short_line():
    assert shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert len(shown("x" * 100)) == 60
    assert shown("x" * 58) == f"'{'x' * 58}'"
