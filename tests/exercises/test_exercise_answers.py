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
        assert part in report.wrong[output], report


def wrong(name, **replaced):
    source = RIGHT[name][0]
    for old, new in replaced["by"].items():
        assert old in source
        source = source.replace(old, new)
    return check(function(name, source)).wrong


def test_each_of_several_mistakes_is_told():
    by = {"df * f * (1 - f)": "df * f", "dc_prev = dc * f": "dc_prev = dc", "U.T @": "-U.T @"}
    said = wrong("lstm-backward", by=by)
    assert "lacks the factor 1 - f" in said["da_f"]
    assert "lacks the factor f" in said["dc_prev"]
    assert "the sign of dh_prev is wrong" in said["dh_prev"]  # and not that of da_f once more
    assert said["da_i"] == said["da_g"] == said["da_o"] == ""


def test_two_mistakes_in_one_value_are_told_together():
    said = wrong("gru-backward", by={"+ U_r.T @ da_r + U_z.T @ da_z": ""})["dh_prev"]
    assert said.startswith("two mistakes: ")
    assert "lacks the term U_zᵀ da_z" in said
    assert "lacks the term U_rᵀ da_r" in said
    said = wrong("two-sources", by={"hs[t] ** 2": "hs[t]", "U.T": "U"})
    assert "lacks its square" in said["dh"]
    assert "lacks a transpose" in said["dh"]
    assert said["dh_initial"] == "the same two mistakes as in dh"
    assert wrong("masked-loop", by={"np.where(real, h, 0)": "np.where(real, 2 * h, 0)"})["output"]


def test_what_is_unknown_is_located():
    said = wrong("masked-loop", by={"h = h_initial": "h = h_initial + np.eye(*h_initial.shape)"})
    assert "no mistake that is known gives this: at [" in said["output"]
    said = wrong("rnn-backward", by={"dx = W.T @ da": "dx = W.T @ da + 1 * (np.arange(len(x)) == 1)[:, None]"})
    assert said["dx"] == "it is right but where d (axis 0) is 1"
