"""Vocabularies, text, parallel text and batches."""

from minirnn.data.batches import random_batches, sequential_batches
from minirnn.data.codec import Codec
from minirnn.data.english_french import english_french
from minirnn.data.fetch import fetch_dataset
from minirnn.data.parallel import Pair, Pairs, read_aligned, read_pairs
from minirnn.data.reading import read_text
from minirnn.data.sequences import (
    encode_pairs,
    encode_sentence,
    length_batches,
    length_histogram,
    pad,
    pair_batches,
)
from minirnn.data.subwords import Subwords
from minirnn.data.tasks import GeneratedTask
from minirnn.data.text import built_in_text, clean_text, detokenize, tokenize
from minirnn.data.vocabulary import BOS, EOS, PAD, SPECIALS, UNKNOWN, Vocabulary

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "SPECIALS",
    "UNKNOWN",
    "Codec",
    "GeneratedTask",
    "Pair",
    "Pairs",
    "Subwords",
    "Vocabulary",
    "built_in_text",
    "clean_text",
    "detokenize",
    "encode_pairs",
    "encode_sentence",
    "english_french",
    "fetch_dataset",
    "length_batches",
    "length_histogram",
    "pad",
    "pair_batches",
    "random_batches",
    "read_aligned",
    "read_pairs",
    "read_text",
    "sequential_batches",
    "tokenize",
]
