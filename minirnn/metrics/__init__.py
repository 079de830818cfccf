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
from minirnn.metrics.cider import DocumentFrequencies, cider_d, cider_d_scores, document_frequencies
from minirnn.metrics.perplexity import perplexity

__all__ = [
    "BleuDetails",
    "DocumentFrequencies",
    "bleu_details",
    "cider_d",
    "cider_d_scores",
    "corpus_bleu",
    "d2l_bleu",
    "document_frequencies",
    "exact_match",
    "length_ratio",
    "perplexity",
    "sentence_bleu",
]
