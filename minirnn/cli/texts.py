"""The text that a run learns from: reading it, telling it from others, and holding out its end."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from minirnn.data import built_in_text, read_text, tokenize
from minirnn.data.text import simplified


class Corpus(NamedTuple):
    """A text, simplified as a run wants it, and those of its tokens that the run is about."""

    text: str
    tokens: list[str]


def named_text(file: str | None) -> str:
    """The text in a file, or without one the English that ships with Python."""
    return read_text(file) if file else built_in_text()


def load_corpus(options: dict[str, Any]) -> Corpus:
    """The text that the options name, with its tokens."""
    rules = options["rules"]
    text = simplified(named_text(options["data"]), options["clean"], rules)
    return Corpus(text, tokenize(text, options["tokens"], rules)[: options["max-tokens"]])


def digest(corpus: Corpus) -> str:
    """What tells a text from others."""
    return hashlib.sha256(corpus.text.encode()).hexdigest()


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds another text than its own, up to the name of the run."""
    return f"{options['data'] or 'the built-in text'} is not the text that"


def hold_out(ids: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The text to learn from, and its end, that part of the whole, to be judged by."""
    end = len(ids) - int(len(ids) * fraction)
    return ids[:end], ids[end:]
