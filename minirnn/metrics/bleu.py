"""BLEU: how many of a translation's n-grams a human reference has too.

An n-gram is n tokens in a row. BLEU (Papineni et al. 2002) multiplies two things. The precisions p_n say which share of
the hypothesis' n-grams occurs in the reference; they would reward a translation of one safe word. The brevity penalty
BP punishes hypotheses that are shorter than their references:

    BLEU = 100 · BP · (p_1 · p_2 · … · p_N)^(1/N)        BP = exp(min(0, 1 - r/c))

where c and r are the lengths of hypotheses and references and N is 4. Everything is counted over the whole corpus first
and divided once: corpus BLEU is not the mean of the BLEU of its sentences. The numbers are those of sacrebleu (Post
2018) for text that is already split into tokens; they depend on how it was split.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple

from minirnn.arguments import integer, number
from minirnn.errors import InputError
from minirnn.metrics.corpus import References, Tokens, check_tokens, pairs

Smoothing = Literal["none", "floor", "add-k", "exp"]
# Smoothing methods and their default `smooth_value`; None where there is nothing to set.
SMOOTHINGS: dict[Smoothing, float | None] = {"none": None, "floor": 0.1, "add-k": 1.0, "exp": None}


class BleuDetails(NamedTuple):
    """A BLEU score and what it was made of.

    Attributes:
        score: 0 to 100.
        precisions: p_1 to p_N after smoothing, 0 to 100. With effective order N is that of the n-grams there are.
        brevity_penalty: 0 to 1; 1 if the hypotheses are not shorter than the references.
        length_ratio: hypothesis length / reference length; 0 if the references are empty.
        hypothesis_length, reference_length: in tokens, over the corpus.
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    length_ratio: float
    hypothesis_length: int
    reference_length: int


def corpus_bleu(
    hypotheses: Sequence[Tokens],
    references: Sequence[References],
    max_order: int = 4,
    smoothing: Smoothing = "exp",
    smooth_value: float | None = None,
) -> float:
    """BLEU of a corpus, 0 to 100.

    A precision of 0 makes the whole product 0, which says little about a small corpus. Smoothing (Chen & Cherry 2014)
    replaces it, with m_n the matches and t_n the n-grams of the hypotheses:

    - "none": p_n = m_n / t_n, and 0 stays 0.
    - "floor": m_n = `smooth_value` (0.1) where it was 0.
    - "add-k": m_n and t_n both grow by `smooth_value` (1), for n > 1.
    - "exp": the first p_n that is 0 becomes 1 / (2 t_n), the next 1 / (4 t_n), and so on.

    Without a single matching token the score is 0 under each of them.

    Args:
        hypotheses: token lists.
        references: for each hypothesis a token list, or a list of several token lists. Of several, each n-gram may
            match as often as the reference that has most of it, and the length is that of the reference closest to the
            hypothesis (the shorter of two). (sacrebleu has them the other way round, all first references and then
            all second ones: that is `list(zip(*references))`. Where there are as many of each as hypotheses, both are
            possible, and a warning says if the other fits better.)
        max_order: N, the longest n-gram.
        smoothing: "none", "floor", "add-k" or "exp".
        smooth_value: the value of "floor" or "add-k".

    Raises:
        InputError: an argument is out of its range, the numbers of hypotheses and references differ or are 0, or there
            is a string where a token list is expected, or a sentence where a token is.

        >>> hypotheses = [["the", "cat", "sat", "on", "the", "mat"]]
        >>> references = [[["the", "cat", "sat", "on", "a", "mat"], ["a", "cat", "was", "on", "the", "mat"]]]
        >>> round(corpus_bleu(hypotheses, references), 1)
        67.6
    """
    return bleu_details(hypotheses, references, max_order, smoothing, smooth_value).score


def sentence_bleu(
    hypothesis: Tokens,
    references: References,
    max_order: int = 4,
    smoothing: Smoothing = "exp",
    effective_order: bool = True,
    smooth_value: float | None = None,
) -> float:
    """BLEU of one sentence, 0 to 100.

    A sentence of 3 tokens has no 4-grams, so its p_4 is not defined. With `effective_order` N is the longest n-gram
    that the hypothesis has; without it such a sentence scores 0. (Not under "add-k", which gives it k / k = 1.) The
    other arguments and errors are those of `corpus_bleu`.

        >>> round(sentence_bleu("he likes red apples".split(), "she likes red apples".split()), 1)
        59.5
    """
    return bleu_details([hypothesis], [references], max_order, smoothing, smooth_value, effective_order).score


def bleu_details(
    hypotheses: Sequence[Tokens],
    references: Sequence[References],
    max_order: int = 4,
    smoothing: Smoothing = "exp",
    smooth_value: float | None = None,
    effective_order: bool = False,
) -> BleuDetails:
    """The BLEU of a corpus with its precisions, brevity penalty and lengths.

    The arguments and errors are those of `corpus_bleu` and `sentence_bleu`.
    """
    value, max_order = _smooth_value(smoothing, smooth_value), integer("max_order", max_order)
    matches, totals = [0] * max_order, [0] * max_order
    c = r = 0
    for hypothesis, acceptable in pairs(hypotheses, references):
        c += len(hypothesis)
        r += min(
            (len(reference) for reference in acceptable), key=lambda length: (abs(length - len(hypothesis)), length)
        )
        for n in range(1, max_order + 1):
            m, t = _matches(hypothesis, acceptable, n)
            matches[n - 1] += m
            totals[n - 1] += t
    brevity_penalty = _brevity_penalty(c, r)
    precisions = _precisions(matches, totals, smoothing, value)
    if not effective_order:
        precisions += [0.0] * (max_order - len(precisions))
    score = 100 * brevity_penalty * _geometric_mean(precisions)
    return BleuDetails(score, tuple(100 * p for p in precisions), brevity_penalty, c / r if r else 0.0, c, r)


def length_ratio(hypotheses: Sequence[Tokens], references: Sequence[References]) -> float:
    """Tokens in the hypotheses / tokens in the references; below 1 the model stops too early.

    Of several references the one with the closest length counts. 0 if the references are empty. The errors are those
    of `corpus_bleu`.
    """
    return bleu_details(hypotheses, references, max_order=1).length_ratio


def exact_match(hypotheses: Sequence[Tokens], references: Sequence[References]) -> float:
    """The fraction (0 to 1) of hypotheses that equal their reference, or one of their references.

    Raises:
        InputError: as `corpus_bleu`.

        >>> exact_match([["a", "b"], ["c"]], [["a", "b"], ["d"]])
        0.5
    """
    found = pairs(hypotheses, references)
    equal = sum(any(list(hypothesis) == list(reference) for reference in several) for hypothesis, several in found)
    return equal / len(found)


def d2l_bleu(prediction: Tokens, reference: Tokens, k: int) -> float:
    """The BLEU of "Dive into Deep Learning" (Zhang et al., section 10.7), 0 to 1:

        exp(min(0, 1 - len_reference / len_prediction)) · Π p_n^(1/2^n)    for n = 1 to min(k, len_prediction)

    Its exponents do not sum to 1, so long n-grams weigh little and the numbers are higher than those of `corpus_bleu`.
    An empty prediction has 0.

    Args:
        prediction, reference: token lists, or strings that are split at white space.
        k: the longest n-gram.

    Raises:
        InputError: k is below 1, or there is a sentence where a token is expected.

        >>> round(d2l_bleu("il est calme", "il est calme .", k=2), 3)
        0.717
    """
    k = integer("k", k)
    prediction = prediction.split() if isinstance(prediction, str) else prediction
    reference = reference.split() if isinstance(reference, str) else reference
    check_tokens(prediction, "the prediction")
    check_tokens(reference, "the reference")
    if len(prediction) == 0:
        return 0.0
    score = _brevity_penalty(len(prediction), len(reference))
    for n in range(1, min(k, len(prediction)) + 1):
        m, t = _matches(prediction, [reference], n)
        score *= (m / t) ** (0.5**n)
    return score


def _ngrams(tokens: Tokens, n: int) -> Counter[tuple[Hashable, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def _matches(hypothesis: Tokens, references: Sequence[Tokens], n: int) -> tuple[int, int]:
    """How many of the hypothesis' n-grams are in the references, and how many it has."""
    in_hypothesis = _ngrams(hypothesis, n)
    in_references: Counter[tuple[Hashable, ...]] = Counter()
    for reference in references:
        in_references |= _ngrams(reference, n)  # of each n-gram the larger count
    # The smaller count is the clipping: "the the the" has one match, not three, in a reference with one "the".
    return (in_hypothesis & in_references).total(), in_hypothesis.total()


def _brevity_penalty(hypothesis_length: int, reference_length: int) -> float:
    if hypothesis_length == 0:
        return float(reference_length == 0)
    return math.exp(min(0.0, 1 - reference_length / hypothesis_length))


def _precisions(matches: Sequence[int], totals: Sequence[int], smoothing: Smoothing, value: float) -> list[float]:
    """The smoothed p_1, p_2, …, 0 to 1, for as long as there are n-grams."""
    if not any(matches):
        return [0.0] * len(matches)
    precisions: list[float] = []
    zeros = 0
    for m, t in zip(matches, totals, strict=True):
        k = value if smoothing == "add-k" and precisions else 0.0
        if t + k == 0:
            break
        if m + k > 0:
            precisions.append((m + k) / (t + k))
            continue
        zeros += 1
        precisions.append({"exp": 0.5**zeros, "floor": value}.get(smoothing, 0.0) / t)
    return precisions


def _geometric_mean(values: Sequence[float]) -> float:
    """By logarithms, because a product of many small numbers underflows."""
    if min(values) == 0:
        return 0.0
    return math.exp(sum(map(math.log, values)) / len(values))


def _smooth_value(smoothing: Smoothing, value: float | None) -> float:
    if smoothing not in SMOOTHINGS:
        raise InputError(f"unknown smoothing {smoothing!r}: expected one of {', '.join(SMOOTHINGS)}")
    default = SMOOTHINGS[smoothing]
    if value is None:
        return default or 0.0
    if default is None:
        raise InputError(f"the smoothing {smoothing!r} has no value to set, but smooth_value is {value}")
    return number("smooth_value", value, least=0)
