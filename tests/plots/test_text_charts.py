"""Charts of characters: that the marks stand where the numbers say."""

import math

import pytest

from minirnn import InputError
from minirnn.plots import bars, chart
from minirnn.plots.text import one_column


def frame(text):
    """The rows inside the frame, from above."""
    return [line.split("|", 1)[1] for line in text.splitlines() if "|" in line]


def test_a_rising_line_runs_from_the_lower_left_to_the_upper_right():
    rows = frame(chart({"a": [(x, 2 * x) for x in range(5)]}, width=5, height=5))
    assert [row.find("*") for row in rows] == [4, 3, 2, 1, 0]


def test_a_logarithmic_axis_makes_a_power_straight_and_leaves_out_what_has_no_logarithm():
    text = chart({"a": [(x, 10.0**x) for x in range(5)], "b": [(2, 0.0), (1, math.nan)]}, width=5, height=5, log=True)
    assert [row.find("*") for row in frame(text)] == [4, 3, 2, 1, 0]
    assert not any("o" in row for row in frame(text))
    assert text.splitlines()[0].startswith("1e+04 |")
    assert "o b" in text


def test_the_later_curve_covers_the_earlier_and_one_point_is_enough():
    rows = frame(chart({"a": [(1, 1)], "b": [(1, 1)]}, width=3, height=2))
    assert rows == ["o", ""]


def test_labels_and_ends_of_the_axes_are_written():
    text = chart({"a": [(0, 0.5), (7, 2)]}, x_label="time t", y_label="norm")
    assert text.splitlines()[0] == "norm"
    assert "time t" in text
    assert text.splitlines()[-2].split()[0] == "0"
    assert text.splitlines()[-2].split()[-1] == "7"


def test_bars_are_proportional_and_aligned():
    lines = bars({"one": 1, "three": 3, "none": 0}, width=30).splitlines()
    assert [line.count("#") for line in lines] == [10, 30, 0]
    assert lines[0].index("#") == lines[1].index("#")


def test_what_has_no_length_has_no_bar():
    values = {"a": math.inf, "b": math.nan, "c": -1.0, "d": 1.7e308, "e": 0.85e308}
    assert bars(values, width=10).splitlines() == [
        "a       inf",
        "b       nan",
        "c        -1",
        "d  1.7e+308  ##########",
        "e  8.5e+307  #####",
    ]
    assert bars({"a": math.nan}) == "a  nan"
    assert bars({"a": -math.inf, "b": 0.0}) == "a  -inf\nb     0"


def test_the_largest_numbers_there_are_have_their_places():
    most = 1.7976931348623157e308
    text = chart({"a": [(-most, most), (0, 0), (most, -most)]}, width=5, height=3)
    assert [row.find("*") for row in frame(text)] == [0, 2, 4]
    text = chart({"a": [(1, most), (2, 1.0), (3, 5e-324)]}, width=3, height=3, log=True)
    assert [row.find("*") for row in frame(text)] == [0, 1, 2]
    assert text.split()[0] == "1.8e+308"
    assert frame(chart({"a": [(math.inf, 1), (1, 1), (math.nan, 1)]}, width=2, height=2)) == ["*", ""]


def test_nothing_to_draw_is_refused():
    with pytest.raises(InputError, match="no values"):
        bars({})
    with pytest.raises(InputError, match="no points"):
        chart({"a": [(1, math.inf)]})


def test_every_token_takes_one_column():
    shown = {"cat": "c", "é": "é", " ": " ", "\n": "·", "\u0301": "·", "\u200d": "·", "猫": "·", "👍": "·", "": "·"}
    assert {token: one_column(token) for token in shown} == shown
    assert one_column("\n", "↵") == "↵"
