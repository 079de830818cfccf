"""CIDEr-D: how much of what people agree on a caption says (Vedantam, Zitnick & Parikh 2015).

A caption is counted as n-grams, n tokens in a row, for n from 1 to 4. An n-gram that stands in the captions of many
pictures says little of this one, so each is weighed by its tf-idf: how often the caption has it, times the logarithm of
the number of pictures over the number of those among whose references it is. Then g_n(c) is the vector of these weights
of caption c, and for a hypothesis h and the references r_1 … r_m of its picture

    CIDEr-D_n(h) = 10/m · Σ_j  exp(-(l(h) - l(r_j))² / 2σ²) · min(g_n(h), g_n(r_j)) · g_n(r_j) / (‖g_n(h)‖ ‖g_n(r_j)‖)

    CIDEr-D(h) = mean of CIDEr-D_n(h) over n            the score of a corpus: the mean over its pictures

The minimum, number by number, and the Gaussian of the difference of lengths (σ = 6) are the D: without them to repeat a
good word paid off. The numbers are those of the published code (pycocoevalcap) for text that is split into tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from minirnn.errors import InputError
from minirnn.metrics.corpus import References, Tokens, pairs

ORDER, SIGMA = 4, 6.0
NGram = tuple[Hashable, ...]


class DocumentFrequencies(NamedTuple):
    """Among the references of how many pictures each n-gram is.

    Attributes:
        counts: by n-gram.
        documents: how many pictures there are.
    """

    counts: Counter[NGram]
    documents: int


def document_frequencies(references: Sequence[References]) -> DocumentFrequencies:
    """Those of a corpus, such as the training captions, for `cider_d` of others.

    Args:
        references: of each picture, one list of tokens or several.

    Raises:
        InputError: there are none, or something else is where a list of tokens is expected.
    """
    return _frequencies([all_of_one for _, all_of_one in pairs([[] for _ in references], references)])


def _frequencies(references: Sequence[Sequence[Tokens]]) -> DocumentFrequencies:
    counts: Counter[NGram] = Counter()
    for all_of_one in references:
        counts.update({ngram for one in all_of_one for ngram in _ngrams(one)})
    return DocumentFrequencies(counts, len(references))


def cider_d(
    hypotheses: Sequence[Tokens],
    references: Sequence[References],
    frequencies: DocumentFrequencies | None = None,
) -> float:
    """CIDEr-D of a corpus, from 0 to 10.

    Args:
        hypotheses: a caption of each picture, as tokens.
        references: of each picture, one list of tokens or several.
        frequencies: what n-grams weigh; by default as the references say.

    Raises:
        InputError: the numbers of hypotheses and references differ or are 0; something else is where a list of tokens
            is expected; or there is one picture only and no frequencies are given.
    """
    return float(np.mean(cider_d_scores(hypotheses, references, frequencies)))


def cider_d_scores(
    hypotheses: Sequence[Tokens],
    references: Sequence[References],
    frequencies: DocumentFrequencies | None = None,
) -> np.ndarray:
    """CIDEr-D of each caption, (captions,); arguments and errors as for `cider_d`."""
    found = pairs(hypotheses, references)
    if frequencies is None:
        frequencies = _frequencies([all_of_one for _, all_of_one in found])
    if frequencies.documents < 2:
        raise InputError(
            "CIDEr-D weighs n-grams by how few pictures they are said of: of a single picture every weight is log 1 ="
            " 0, and so is every score. Score more pictures together, or give the document_frequencies of a corpus"
        )
    scores = []
    for hypothesis, all_of_one in found:
        vector = _Weighed(hypothesis, frequencies)
        scores.append(np.mean([vector.likeness(_Weighed(one, frequencies)) for one in all_of_one]))
    return 10 * np.array(scores)


def _ngrams(tokens: Tokens) -> Iterator[NGram]:
    for n in range(1, ORDER + 1):
        for i in range(len(tokens) - n + 1):
            yield tuple(tokens[i : i + n])


class _Weighed:
    """g_n of a caption for every n, with its norms and its length."""

    def __init__(self, tokens: Tokens, frequencies: DocumentFrequencies):
        self.weights: list[dict[NGram, float]] = [{} for _ in range(ORDER)]
        for ngram, count in Counter(_ngrams(tokens)).items():
            rarity = math.log(frequencies.documents) - math.log(max(1, frequencies.counts[ngram]))
            self.weights[len(ngram) - 1][ngram] = count * rarity
        self.norms = [math.sqrt(sum(weight**2 for weight in weights.values())) for weights in self.weights]
        self.length = max(len(tokens), 1)  # the published code takes a caption of no token for one of one token

    def likeness(self, reference: _Weighed) -> float:
        """To a reference, from 0 to 1: the mean over n."""
        gaussian = math.exp(-((self.length - reference.length) ** 2) / (2 * SIGMA**2))
        total = 0.0
        for own, others, norm, other_norm in zip(
            self.weights, reference.weights, self.norms, reference.norms, strict=True
        ):
            if norm and other_norm:
                both = [ngram for ngram in own if ngram in others]
                shared = sum(min(own[ngram], others[ngram]) * others[ngram] for ngram in both)
                total += shared / (norm * other_norm)
        return gaussian * total / ORDER
