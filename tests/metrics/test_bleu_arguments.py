"""BLEU: what it does where nothing is said, and what it takes for references."""

import pytest

from minirnn import InputError
from minirnn.metrics import bleu_details, corpus_bleu, d2l_bleu, exact_match, length_ratio, sentence_bleu

# Of the n-grams of this hypothesis 5 of 6, 3 of 5, 1 of 4 and none of 3 are in the reference.
PAIR = (["the", "cat", "sat", "by", "the", "mat"], ["the", "cat", "sat", "on", "the", "mat"])
CORPUS = tuple([one] for one in PAIR)


def test_n_is_four_where_nothing_is_said():
    expected = 100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** (1 / 4)
    assert corpus_bleu(*CORPUS) == pytest.approx(expected)
    assert sentence_bleu(*PAIR) == pytest.approx(expected)
    details = bleu_details(*CORPUS)
    assert details.score == pytest.approx(expected)
    assert details.precisions == pytest.approx((500 / 6, 60, 25, 100 / 6))


def test_a_short_sentence_is_scored_by_the_n_grams_that_it_has_unless_told_otherwise():
    same = ["a", "b", "c"]
    assert sentence_bleu(same, same) == pytest.approx(100)
    assert sentence_bleu(same, same, effective_order=False) == 0.0
    assert corpus_bleu([same], [same]) == bleu_details([same], [same]).score == 0.0
    assert bleu_details([same], [same]).precisions == pytest.approx((100, 100, 100, 0))
    assert bleu_details([same], [same], effective_order=True).precisions == pytest.approx((100, 100, 100))


def test_without_a_match_every_precision_is_zero():
    for effective_order in (True, False):
        details = bleu_details([["x"] * 5], [["a"] * 5], effective_order=effective_order)
        assert details == (0.0, (0.0,) * 4, 1.0, 1.0, 5, 5)


def test_smoothing_values_where_nothing_is_said():
    # p_4 is 0 of 3: nothing, 1/10 of 3, (0 + 1) / (3 + 1) as p_2 and p_3, or 1/2 of 3.
    three = 5 / 6 * 3 / 5 * 1 / 4
    assert corpus_bleu(*CORPUS, smoothing="none") == 0.0
    assert corpus_bleu(*CORPUS, smoothing="floor") == pytest.approx(100 * (three * 0.1 / 3) ** 0.25)
    assert corpus_bleu(*CORPUS, smoothing="add-k") == pytest.approx(100 * (5 / 6 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25)
    assert corpus_bleu(*CORPUS, smoothing="exp") == pytest.approx(100 * (three * 1 / 6) ** 0.25)


@pytest.mark.parametrize("wrong", [["a", "b c"], [["a"], ["b"]], 5])
def test_d2l_bleu_is_of_token_lists(wrong):
    assert d2l_bleu(["a"], ["a"], 1) == 1.0
    for pair, name in (((wrong, ["a"]), "the prediction"), ((["a"], wrong), "the reference")):
        with pytest.raises(InputError, match=f"^{name} "):
            d2l_bleu(*pair, 1)


@pytest.mark.parametrize("score", [corpus_bleu, exact_match, length_ratio])
def test_what_cannot_be_sets_is_not_called_so(score):
    for hypotheses, references in (
        ([["a"], ["b"]], []),
        ([["a"]], [["a"], ["b"]]),
        ([["a"], ["b"]], [["a"], ["b"], 5]),
    ):
        with pytest.raises(InputError, match=f"{len(references)} references: expected one each$"):
            score(hypotheses, references)


@pytest.mark.parametrize("wrong", [5, None, "a", {"a": 1}])
def test_a_reference_is_a_token_list(wrong):
    for references in ([wrong], [[["a"], wrong]]):
        with pytest.raises(InputError, match=r"^reference 1 is of type \w+: expected a list of tokens"):
            corpus_bleu([["a"]], references)


def test_references_are_sets_if_one_gains_by_it_and_none_loses():
    hypotheses = [["a"], ["b"]]
    with pytest.warns(UserWarning, match="the other way round") as caught:
        corpus_bleu(hypotheses, [[["x"], ["b"]], [["c"], ["x"]]])
    assert caught[0].filename == __file__  # the line that a user can change
    with pytest.warns(UserWarning, match="the other way round"):
        corpus_bleu(hypotheses, [[["x"], ["c"]], [["a"], ["x"]]])
