"""CIDEr-D against the published code, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import InputError
from minirnn.metrics import cider_d, cider_d_scores, document_frequencies

cider = pytest.importorskip("pycocoevalcap.cider.cider")

captions = st.lists(st.sampled_from(["a", "red", "blue", "ring", "above", "the", "猫"]), max_size=12)
pictures = st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=4)), min_size=2, max_size=6)


@given(pictures)
def test_it_is_that_of_the_published_code(corpus):
    hypotheses, references = [h for h, _ in corpus], [r for _, r in corpus]
    truth = {i: [" ".join(one) for one in r] for i, r in enumerate(references)}
    said = {i: [" ".join(h)] for i, h in enumerate(hypotheses)}
    if not any(one for r in references for one in r):
        return  # over which the published code fails
    score, scores = cider.Cider().compute_score(truth, said)
    np.testing.assert_allclose(cider_d_scores(hypotheses, references), scores, rtol=0, atol=1e-9)
    assert cider_d(hypotheses, references) == pytest.approx(score, abs=1e-9)


def test_by_hand():
    """Of two pictures "b" is said of one, so that it weighs log 2, and "a", said of both, nothing."""
    scores = cider_d_scores([["a", "b"], ["a", "a"]], [["a", "b"], [["a", "c"], ["a"]]])
    assert scores[0] == pytest.approx(10 * 2 / 4)  # alike in both of the orders that there are
    assert scores[1] == 0
    longer = cider_d_scores([["b"] * 5, ["a"]], [["a", "b"], ["a"]])[0]
    assert longer == pytest.approx(10 * math.exp(-9 / 72) * (1 * 1) / (5 * 1) / 4)


def test_the_best_is_ten_and_repeating_does_not_pay():
    references = [["a", "small", "red", "ring"], ["two", "blue", "stars", "here"], ["no", "green", "dot", "there"]]
    assert cider_d(references, references) == pytest.approx(10)
    once, often = (cider_d_scores([h, *references[1:]], references)[0] for h in (["red"], ["red", "red", "red"]))
    assert often < once


def test_frequencies_of_another_corpus():
    training = [["a", "cat"], [["a", "dog"], ["the", "dog"]], ["a", "cow"]]
    frequencies = document_frequencies(training)
    assert frequencies.documents == 3
    assert (frequencies.counts[("a",)], frequencies.counts[("dog",)], frequencies.counts[("the", "dog")]) == (3, 1, 1)
    (score,) = cider_d_scores([["a", "cat"]], [["a", "cat"]], frequencies)
    assert score == pytest.approx(10 * 2 / 4)


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([["a"]], [["a"]], "of a single picture every weight is log 1 = 0"),
        ([["a"]], [["a"], ["b"]], "1 hypotheses but 2 references"),
        ([], [], "no hypotheses"),
        (["a b", "c"], [["a"], ["b"]], "expected a list of tokens"),
    ],
)
def test_what_cannot_be_scored_is_refused(hypotheses, references, message):
    with pytest.raises(InputError, match=message):
        cider_d(hypotheses, references)
