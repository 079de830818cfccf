"""BLEU against sacrebleu, d2l's BLEU against the book's numbers, exact match and length ratio."""

import math

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from minirnn import InputError
from minirnn.metrics import bleu_details, corpus_bleu, d2l_bleu, exact_match, length_ratio, sentence_bleu

SMOOTHINGS = ("none", "floor", "add-k", "exp")


def sacrebleu_metric(smoothing="exp", max_order=4, value=None, effective_order=False):
    return BLEU(
        tokenize="none",
        force=True,
        smooth_method=smoothing,
        smooth_value=value,
        max_ngram_order=max_order,
        effective_order=effective_order,
    )


def as_sacrebleu(hypotheses, references):
    """Strings, and one stream per reference number, where None stands for "no such reference"."""
    width = max(map(len, references))
    streams = [[" ".join(r[i]) if i < len(r) else None for r in references] for i in range(width)]
    return [" ".join(h) for h in hypotheses], streams


def random_sentence(rng, longest=9, letters="abcd"):
    return [str(token) for token in rng.choice(list(letters), size=rng.integers(0, longest + 1))]


def random_corpus(rng, most_references=1):
    """Hypotheses and lists of references: unrelated, nearly equal or equal, and some empty."""
    letters = "abcdefgh"[: rng.integers(1, 9)]
    longest = int(rng.integers(1, 13))
    hypotheses, references = [], []
    for _ in range(rng.integers(1, 6)):
        several = [random_sentence(rng, longest, letters) for _ in range(rng.integers(1, most_references + 1))]
        hypothesis = random_sentence(rng, longest, letters)
        if rng.random() < 0.6:
            hypothesis = [token for token in several[-1] if rng.random() < 0.9]
        hypotheses.append(hypothesis)
        references.append(several)
    return hypotheses, references


def assert_equals_sacrebleu(hypotheses, references, smoothing="exp", max_order=4, value=None):
    theirs = sacrebleu_metric(smoothing, max_order, value).corpus_score(*as_sacrebleu(hypotheses, references))
    ours = bleu_details(hypotheses, references, max_order, smoothing, value)
    assert ours.score == pytest.approx(theirs.score, abs=1e-9)
    assert ours.precisions == pytest.approx(tuple(theirs.precisions), abs=1e-9)
    assert ours.brevity_penalty == pytest.approx(theirs.bp, abs=1e-12)
    assert ours.length_ratio == pytest.approx(theirs.ratio, abs=1e-12)
    assert (ours.hypothesis_length, ours.reference_length) == (theirs.sys_len, theirs.ref_len)
    return ours.score


@pytest.mark.filterwarnings("ignore:the references fit")  # a few of so many random ones do
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("most_references", [1, 3])
def test_corpus_bleu_equals_sacrebleu(rng, smoothing, most_references):
    scores = []
    for _ in range(500):
        max_order = int(rng.choice([4, 4, 1, 2, 3, 6]))
        has_value = smoothing in ("floor", "add-k") and rng.random() < 0.4
        value = float(rng.choice([0.0, 0.05, 1.0, 2.5])) if has_value else None
        hypotheses, references = random_corpus(rng, most_references)
        scores.append(assert_equals_sacrebleu(hypotheses, references, smoothing, max_order, value))
    assert sum(0 < score < 99 for score in scores) > 200, "most corpora must not be trivial"
    assert min(scores) == 0
    assert max(scores) == pytest.approx(100)


EDGES = {
    "all empty": ([[]], [[[]]]),
    "empty hypothesis": ([[]], [[["a", "b"]]]),
    "empty reference": ([["a", "b"]], [[[]]]),
    "one empty among others": ([[], ["a", "b", "c", "d", "e"]], [[["a"]], [["a", "b", "c", "d", "f"]]]),
    "three words": ([["a", "b", "c"]], [[["a", "b", "c"]]]),
    "no match": ([["a", "b", "c", "d", "e"]], [[["v", "w", "x", "y", "z"]]]),
    "only unigrams match": ([["a", "b", "c", "d", "e"]], [[["e", "d", "c", "b", "a"]]]),
    "equal": ([["a", "b", "c", "d"]], [[["a", "b", "c", "d"]]]),
    "clipped": ([["a"] * 7], [[["a", "a", "b"]]]),
    "as long": ([["a", "b", "c", "d", "x"]], [[["a", "b", "c", "d", "e"]]]),
    "closest is shorter": ([["a"] * 5], [[["a"] * 9, ["a"] * 4]]),
    "closest is longer": ([["a"] * 5], [[["a"], ["a"] * 6]]),
    "tie": ([["a"] * 5], [[["a"] * 7, ["a"] * 3]]),
    "counts from two references": ([["a", "a", "b", "b", "c"]], [[["a", "a", "b", "c"], ["a", "b", "b"]]]),
}


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("case", EDGES)
def test_edges_equal_sacrebleu(case, smoothing):
    for max_order in (1, 2, 4, 7):
        assert_equals_sacrebleu(*EDGES[case], smoothing, max_order)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("effective_order", [True, False])
def test_sentence_bleu_equals_sacrebleu(rng, smoothing, effective_order):
    theirs = {n: sacrebleu_metric(smoothing, n, None, effective_order) for n in (1, 2, 4, 5)}
    for _ in range(400):
        max_order = int(rng.choice(list(theirs)))
        hypothesis = random_sentence(rng)
        references = [random_sentence(rng) for _ in range(rng.integers(1, 4))]
        expected = theirs[max_order].sentence_score(" ".join(hypothesis), [" ".join(r) for r in references]).score
        ours = sentence_bleu(hypothesis, references, max_order, smoothing, effective_order)
        assert ours == pytest.approx(expected, abs=1e-9)


def test_known_values():
    cat = ["the", "cat", "sat", "on", "the", "mat"]
    assert corpus_bleu([cat], [cat]) == 100.0
    assert sentence_bleu(["a", "b", "c"], ["a", "b", "c"]) == 100.0
    assert corpus_bleu([["a", "b", "c"]], [["a", "b", "c"]]) == 0.0
    # Papineni et al. 2002, example 2: "the" is in the reference twice.
    assert corpus_bleu([["the"] * 7], [cat], max_order=1) == pytest.approx(100 * 2 / 7)
    # p_1 to p_4 are 5/6, 3/5, 1/4 and none of 3; exp makes the last 1/(2·3).
    changed = ["the", "cat", "sat", "by", "the", "mat"]
    expected = 100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25
    assert corpus_bleu([changed], [cat]) == pytest.approx(expected)
    assert corpus_bleu([changed], [cat], smoothing="none") == 0.0


def test_statistics_are_summed_before_they_are_divided():
    hypotheses = [list("abcde"), list("abxde")]
    references = [list("abcde"), list("abcde")]
    sentences = [corpus_bleu([h], [r]) for h, r in zip(hypotheses, references, strict=True)]
    assert corpus_bleu(hypotheses, references) != pytest.approx(sum(sentences) / 2, abs=1)
    assert_equals_sacrebleu(hypotheses, [[r] for r in references])


def test_one_reference_may_stand_for_a_list_of_one(rng):
    hypotheses, references = random_corpus(rng)
    assert corpus_bleu(hypotheses, [r[0] for r in references]) == corpus_bleu(hypotheses, references)
    mixed = [["a", "b", "c", "d"], [["a", "b"], ["a", "b", "c", "d"]]]
    assert corpus_bleu([["a", "b", "c", "d"]] * 2, mixed) == 100.0


def test_tokens_may_be_ids_and_tuples():
    assert corpus_bleu([(1, 2, 3, 4)], [[1, 2, 3, 4]]) == 100.0
    assert corpus_bleu([[1, 2, 3, 4]], [([5], (1, 2, 3, 4))]) == 100.0


def test_arguments_are_left_alone():
    hypotheses, references = [["a", "b"]], [[["a"], ["b", "a"]]]
    corpus_bleu(hypotheses, references)
    assert (hypotheses, references) == ([["a", "b"]], [[["a"], ["b", "a"]]])


@pytest.mark.parametrize(("k", "expected"), [(1, 0.7323), (2, 0.6815), (3, 0.5940), (4, 0.0)])
def test_d2l_bleu_of_five_tokens(k, expected):
    assert round(d2l_bleu("A B B C D", "A B C D E F", k), 4) == expected
    assert d2l_bleu(list("ABBCD"), list("ABCDEF"), k) == d2l_bleu("A B B C D", "A B C D E F", k)


def test_d2l_bleu_of_short_predictions():
    assert d2l_bleu("A B", "A B C D E F", 2) == pytest.approx(math.exp(1 - 6 / 2))
    assert round(d2l_bleu("A B", "A B C D E F", 2), 4) == 0.1353
    assert d2l_bleu("A", "A", 4) == 1.0
    assert d2l_bleu("A A A", "A", 1) == pytest.approx((1 / 3) ** 0.5)
    assert d2l_bleu("A", "", 1) == 0.0
    assert d2l_bleu("", "A B", 2) == 0.0
    assert d2l_bleu([], [], 2) == 0.0


def published_d2l_bleu(prediction, label, k):
    """The steps of d2l's chapter 10.7: each matched n-gram of the label is used up."""
    score = math.exp(min(0, 1 - len(label) / len(prediction)))
    for n in range(1, min(k, len(prediction)) + 1):
        left = [label[i : i + n] for i in range(len(label) - n + 1)]
        matches = 0
        for i in range(len(prediction) - n + 1):
            if prediction[i : i + n] in left:
                left.remove(prediction[i : i + n])
                matches += 1
        score *= math.pow(matches / (len(prediction) - n + 1), math.pow(0.5, n))
    return score


def test_d2l_bleu_equals_the_published_procedure(rng):
    for _ in range(500):
        prediction, label = random_sentence(rng), random_sentence(rng)
        for k in range(1, 5):
            expected = published_d2l_bleu(prediction, label, k) if prediction else 0.0
            assert d2l_bleu(prediction, label, k) == pytest.approx(expected, abs=1e-12)


def test_exact_match():
    hypotheses = [["a", "b"], ["a"], [], ["b", "a"]]
    assert exact_match(hypotheses, [["a", "b"], ["b"], [], ["a", "b"]]) == 0.5
    assert exact_match(hypotheses, [["a", "b"], [["b"], ["a"]], [[]], ("b", "a")]) == 1.0


def test_length_ratio():
    assert length_ratio([["a"] * 3, []], [["b"] * 4, ["b"] * 2]) == 0.5
    assert length_ratio([["a"] * 3], [[["b"] * 9, ["b"] * 2]]) == 1.5
    assert length_ratio([["a"]], [[]]) == 0.0


@pytest.mark.parametrize("score", [corpus_bleu, exact_match, length_ratio, bleu_details])
def test_wrong_corpora_are_refused(score):
    with pytest.raises(InputError, match="there are 2 hypotheses but 1 references"):
        score([["a"], ["b"]], [["a"]])
    with pytest.raises(InputError, match="there are no hypotheses"):
        score([], [])
    with pytest.raises(InputError, match="hypothesis 2 is of type str: expected a list of tokens"):
        score([["a"], "b c"], [["a"], ["b"]])
    with pytest.raises(InputError, match="reference 1 is of type str"):
        score([["a"]], ["a"])
    with pytest.raises(InputError, match="reference 1 is of type str"):
        score([["a"]], [[["a"], "a b"]])
    with pytest.raises(InputError, match="hypothesis 1 is a list of lists"):
        score([[["a"]]], [["a"]])
    with pytest.raises(InputError, match="hypothesis 1 is of type ndarray"):
        score([np.array([1, 2])], [[1, 2]])
    with pytest.raises(InputError, match="the hypotheses are of type str: expected a list of token lists"):
        score("ab", [["a"], ["b"]])
    with pytest.raises(InputError, match="the references are of type zip"):
        score([["a"]], zip([["a"]], [["b"]], strict=True))
    with pytest.raises(InputError, match="hypothesis 1 has 'a b' where a token belongs"):
        score([["a b"]], [["a", "b"]])
    with pytest.raises(InputError, match=r"reference 2 has 'a cat' where a token belongs: .* such as text\.split\(\)"):
        score([["a"], ["b"]], [["a"], ["the", "a cat"]])
    with pytest.raises(InputError, match="reference 1 has 'the cat'"):
        score([["a"]], [[["the"], ["the cat"]]])


def test_white_space_may_be_a_token():
    characters = list("a b\n")
    assert corpus_bleu([characters], [characters]) == 100.0
    assert exact_match([[" ", " a", "a "]], [[" ", " a", "a "]]) == 1.0


HYPOTHESES, FIRST, SECOND = (
    [sentence.split() for sentence in sentences]
    for sentences in (
        ("the cat is on the mat today", "i like to eat green apples very much"),
        ("the cat is on the mat now", "i like to eat green apples a lot"),
        ("there is a cat on the mat today", "eating green apples is what i like very much"),
    )
)


def test_references_in_sets_are_noticed():
    with pytest.raises(InputError, match=r"2 hypotheses but 1 references: if they are sets, .*zip\(\*references"):
        corpus_bleu(HYPOTHESES, [FIRST])
    with pytest.raises(InputError, match="2 hypotheses but 3 references: if they are sets"):
        corpus_bleu(HYPOTHESES, [FIRST, SECOND, FIRST])
    with pytest.raises(InputError, match="1 hypotheses but 2 references: expected one each"):
        corpus_bleu(HYPOTHESES[:1], [["a"], ["b"]])
    with pytest.raises(InputError, match="2 hypotheses but 0 references: expected one each"):
        corpus_bleu(HYPOTHESES, [])
    for one_more in (FIRST[:1], "ab"):  # not all of them have one for each hypothesis
        with pytest.raises(InputError, match="2 hypotheses but 3 references: expected one each"):
            corpus_bleu(HYPOTHESES, [FIRST, SECOND, one_more])
    sentences = [[" ".join(tokens) for tokens in several] for several in (FIRST, SECOND)]
    with pytest.raises(InputError, match="reference 1 has 'the cat is on the mat now' where a token belongs"):
        corpus_bleu(HYPOTHESES, sentences)
    with pytest.warns(UserWarning, match=r"fit the hypotheses better the other way round: .*list\(zip\(\*references"):
        assert corpus_bleu(HYPOTHESES, [FIRST, SECOND]) == pytest.approx(49.42, abs=0.01)
    with pytest.warns(UserWarning, match="fit the hypotheses better the other way round"):  # though one fits nowhere
        corpus_bleu([HYPOTHESES[0], []], [FIRST, SECOND])


@pytest.mark.filterwarnings("error")
def test_references_that_are_no_sets_are_not_called_so():
    right = list(zip(FIRST, SECOND, strict=True))
    assert corpus_bleu(HYPOTHESES, right) == pytest.approx(87.55, abs=0.01)
    assert_equals_sacrebleu(HYPOTHESES, right)
    # One hypothesis would gain as a set, and one would lose; none would gain; the table has no two ways round.
    corpus_bleu([["a", "b"], ["c", "d"]], [[["a"], ["x"]], [["a", "c"], ["c"]]])
    corpus_bleu([["a"], ["b"]], [[["c"], ["c"]], [["c"], ["c"]]])
    corpus_bleu([["a"], ["b"]], [[["a"], ["b"]], [["a"]]])
    sentence_bleu(["a"], [["b"]])


def test_wrong_arguments_are_refused():
    pair = ([["a"]], [["a"]])
    with pytest.raises(InputError, match="unknown smoothing 'laplace': expected one of none, floor, add-k, exp"):
        corpus_bleu(*pair, smoothing="laplace")
    for max_order in (0, -1, 2.0, True, "4"):
        with pytest.raises(InputError, match="max_order must be an integer of at least 1"):
            corpus_bleu(*pair, max_order=max_order)
    for value in (-0.1, math.nan, math.inf):
        with pytest.raises(InputError, match="smooth_value must be a finite number of at least 0"):
            corpus_bleu(*pair, smoothing="floor", smooth_value=value)
    with pytest.raises(InputError, match="'exp' has no value to set"):
        corpus_bleu(*pair, smooth_value=0.1)
    with pytest.raises(InputError, match="k must be an integer of at least 1, not 0"):
        d2l_bleu("a", "a", 0)
    with pytest.raises(InputError, match="hypothesis 1 is of type str"):
        sentence_bleu("a b", ["a", "b"])
