"""From a sentence to ids and back: cleaning, cutting into tokens, numbering."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minirnn.data.sequences import encode_sentence
from minirnn.data.subwords import Subwords
from minirnn.data.text import CLEANING, TOKENS, detokenize, simplify, tokenize
from minirnn.data.vocabulary import SPECIALS, Vocabulary
from minirnn.errors import InputError

SENTENCE_TOKENS = (*TOKENS, "bpe")


class Codec:
    """How the sentences of one language become ids, and ids become sentences again.

    Args:
        tokens: "word", "char", "space", or "bpe".
        clean: "none", "lower" or "letters"; see `clean_text`.
        vocabulary: begins with `<pad> <bos> <eos> <unk>`.
        subwords: the learned merges, for "bpe".
        spaced: the punctuation marks that have a space before them, as ? and ! have in French; for "word".

    Raises:
        InputError: a part is missing or unknown.
    """

    def __init__(
        self, tokens: str, clean: str, vocabulary: Vocabulary, subwords: Subwords | None = None, spaced: str = ""
    ):
        if tokens not in SENTENCE_TOKENS or clean not in CLEANING:
            raise InputError(f"unknown tokens {tokens!r} or cleaning {clean!r}")
        if (tokens == "bpe") != (subwords is not None):
            raise InputError("subwords go with the tokens 'bpe', and 'bpe' with subwords")
        if tuple(vocabulary.tokens[: len(SPECIALS)]) != SPECIALS:
            raise InputError(f"a vocabulary of sentences begins with {' '.join(SPECIALS)}")
        self.tokens, self.clean, self.vocabulary, self.subwords = tokens, clean, vocabulary, subwords
        self.spaced = spaced

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        tokens: str = "word",
        clean: str = "lower",
        *,
        min_frequency: int = 1,
        max_vocabulary: int | None = None,
    ) -> Codec:
        """Learn the codec of a language from its sentences.

        Args:
            texts: the sentences.
            tokens, clean: as for `Codec`.
            min_frequency: rarer tokens become `<unk>`.
            max_vocabulary: for "bpe", how many subwords to learn (8,000 if None); else how many tokens to keep, the
                most frequent, beside the four special ones.
        """
        texts = [simplify(text, clean) for text in texts]
        subwords = Subwords.learn(texts, max_vocabulary or 8000) if tokens == "bpe" else None
        cut = subwords.encode if subwords else lambda text: tokenize(text, tokens)
        vocabulary = Vocabulary.build((t for text in texts for t in cut(text)), min_frequency, SPECIALS)
        if max_vocabulary and not subwords:
            vocabulary = Vocabulary(vocabulary.tokens[: max_vocabulary + len(SPECIALS)])
        if len(vocabulary) == len(SPECIALS):
            if min_frequency > 1:
                raise InputError(f"no token occurs {min_frequency} times: lower the minimum frequency")
            raise InputError(f"no tokens are left of the sentences: tokens {tokens!r}, cleaning {clean!r}")
        together = "\n".join(texts)
        spaced = "".join(mark for mark in "!?:;" if 2 * together.count(" " + mark) > together.count(mark))
        return cls(tokens, clean, vocabulary, subwords, spaced)

    def cut(self, text: str) -> list[str]:
        """The tokens of a sentence."""
        text = simplify(text, self.clean)
        return self.subwords.encode(text) if self.subwords else tokenize(text, self.tokens)

    def encode(self, text: str, max_length: int | None = None) -> np.ndarray:
        """The ids of a sentence, `<eos>` at its end: (length,) int64. An empty sentence is `<eos>` alone."""
        return encode_sentence(self.cut(text), self.vocabulary, max_length)

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of some ids, without special ones but `<unk>`."""
        pieces = self.pieces(ids)
        if self.subwords:
            return self.subwords.decode(pieces)
        text = detokenize(pieces, self.tokens)
        return re.sub(rf"(?<=\S)([{self.spaced}])", r" \1", text) if self.spaced and self.tokens == "word" else text

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The tokens of some ids, without `<pad>`, `<bos>` and `<eos>`."""
        return [t for t in self.vocabulary.decode(int(i) for i in ids) if t not in SPECIALS[:3]]

    def words(self, ids: Iterable[int]) -> list[str]:
        """The sentence of some ids as words, which is what BLEU compares whatever the tokens are."""
        return self.pieces(ids) if self.tokens in ("word", "space") else tokenize(self.decode(ids), "word")

    def reference(self, text: str) -> list[str]:
        """The words of a sentence as it is, to compare translations with."""
        return tokenize(simplify(text, self.clean), "space" if self.tokens == "space" else "word")

    def to_json(self) -> dict[str, Any]:
        """All of it, for a run.json."""
        config: dict[str, Any] = {"tokens": self.tokens, "clean": self.clean, "spaced": self.spaced}
        config["vocabulary"] = self.vocabulary.tokens
        if self.subwords:
            config["subwords"] = base64.b64encode(self.subwords.to_bytes()).decode("ascii")
        return config

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> Codec:
        """The inverse of `to_json`.

        Raises:
            InputError, KeyError, TypeError, ValueError: the JSON is damaged.
        """
        tokens = config["vocabulary"]
        if not (isinstance(tokens, list) and all(isinstance(t, str) for t in tokens)):
            raise TypeError("the vocabulary must be a list of strings")
        "".join(tokens).encode()  # half a surrogate pair, which JSON can hold, could not be written again
        subwords = Subwords.from_bytes(base64.b64decode(config["subwords"])) if "subwords" in config else None
        spaced = config.get("spaced", "")
        if not (isinstance(spaced, str) and set(spaced) <= set("!?:;")):
            raise ValueError(f"unknown punctuation {spaced!r}")
        return cls(config["tokens"], config["clean"], Vocabulary(tokens), subwords, spaced)
