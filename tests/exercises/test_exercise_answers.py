"""Right answers pass in any style, and each wrong one is told what is wrong with it."""

from collections import Counter

import numpy as np
import pytest
from right_answers import RIGHT
from wrong_answers import WRONG

from minirnn.exercises import EXERCISES, check


def function(name, source):
    names = {"np": np, "Counter": Counter}
    exec(source, names)
    return names[EXERCISES[name].function]


def test_every_exercise_has_its_answers():
    assert list(RIGHT) == list(WRONG) == list(EXERCISES)
    assert all(len(styles) >= 2 for styles in RIGHT.values())
    assert all(len(mistakes) >= 8 for mistakes in WRONG.values())


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass_in_every_style(name):
    for source in RIGHT[name]:
        report = check(function(name, source))
        assert report.right, report
        assert list(report.wrong) == list(EXERCISES[name].outputs)


CASES = [(name, *case) for name, cases in WRONG.items() for case in cases]


@pytest.mark.parametrize(("name", "old", "new", "words"), CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_wrong_answers_are_told_what_is_wrong(name, old, new, words):
    source = RIGHT[name][0]
    assert old in source
    report = check(function(name, source.replace(old, new)))
    assert not report.right
    assert not report.trouble, report.trouble
    for output, part in words.items():
        if part:
            assert part in report.wrong[output], report
