"""How good a model is."""

from minirnn.metrics.bleu import (
    BleuDetails,
    bleu_details,
    corpus_bleu,
    d2l_bleu,
    exact_match,
    length_ratio,
    sentence_bleu,
)
from minirnn.metrics.perplexity import perplexity

__all__ = [
    "BleuDetails",
    "bleu_details",
    "corpus_bleu",
    "d2l_bleu",
    "exact_match",
    "length_ratio",
    "perplexity",
    "sentence_bleu",
]
