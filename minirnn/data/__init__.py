"""Vocabularies, text and batches."""

from minirnn.data.batches import random_batches, sequential_batches
from minirnn.data.text import built_in_text, clean_text, detokenize, read_text, tokenize
from minirnn.data.vocabulary import UNKNOWN, Vocabulary

__all__ = [
    "UNKNOWN",
    "Vocabulary",
    "built_in_text",
    "clean_text",
    "detokenize",
    "random_batches",
    "read_text",
    "sequential_batches",
    "tokenize",
]
