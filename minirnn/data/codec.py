"""From a sentence to ids and back: cleaning, cutting into tokens, numbering."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from minirnn.arguments import integer, strings
from minirnn.data.sequences import encode_sentence
from minirnn.data.spacing import JOIN, SPACE, Spacing
from minirnn.data.subwords import Subwords
from minirnn.data.text import CLEANING, TOKENS, detokenize, simplify, tokenize
from minirnn.data.vocabulary import SPECIALS, Vocabulary
from minirnn.data.words import RULES, check_rules, compose
from minirnn.errors import InputError

SENTENCE_TOKENS = (*TOKENS, "bpe")


class Codec:
    """How the sentences of one language become ids, and ids become sentences again.

    A sentence is read in composed form (NFC), for an accent may be typed in two ways: see `minirnn.data.words`. Of a
    sentence that is cleaned so and composed, with every token in the vocabulary, `decode(encode(sentence))` is

    - for "char" the sentence itself;
    - for "word" the sentence with single spaces for white space and none at the ends of its lines. The codec learns
      where its language has spaces, and what departs from that is said by tokens of its own, `<join>` and `<space>`,
      as far as the vocabulary has them: see `minirnn.data.spacing`;
    - for "space" and "bpe" the same in one line; see also `Subwords`.

    Args:
        tokens: "word", "char", "space", or "bpe".
        clean: "none", "lower" or "letters"; see `clean_text`.
        vocabulary: begins with `<pad> <bos> <eos> <unk>`.
        subwords: the learned merges, for "bpe".
        spacing: where there are spaces, for "word"; None is as in English.
        rules: the version of the rules for words; see `tokenize`. Version 1 does not compose either.

    Raises:
        InputError: a part is missing or unknown.
    """

    def __init__(
        self,
        tokens: str,
        clean: str,
        vocabulary: Vocabulary,
        subwords: Subwords | None = None,
        spacing: Spacing | None = None,
        rules: int = RULES,
    ):
        if tokens not in SENTENCE_TOKENS or clean not in CLEANING:
            raise InputError(f"unknown tokens {tokens!r} or cleaning {clean!r}")
        if (tokens == "bpe") != (subwords is not None):
            raise InputError("subwords go with the tokens 'bpe', and 'bpe' with subwords")
        if tuple(vocabulary.tokens[: len(SPECIALS)]) != SPECIALS:
            raise InputError(f"a vocabulary of sentences begins with {' '.join(SPECIALS)}")
        check_rules(rules)
        self.tokens, self.clean, self.vocabulary, self.subwords = tokens, clean, vocabulary, subwords
        self.spacing, self.rules = spacing or Spacing(), rules
        marks = {JOIN, SPACE} if tokens == "word" else set[str]()  # those that the model can know, and the others
        self._said, self._unsaid = marks & set(vocabulary.ids), marks - set(vocabulary.ids)

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

        Raises:
            InputError: as `build_shared`.
        """
        return cls.build_shared([texts], tokens, clean, min_frequency=min_frequency, max_vocabulary=max_vocabulary)[0]

    @classmethod
    def build_shared(
        cls,
        languages: Sequence[Sequence[str]],
        tokens: str = "word",
        clean: str = "lower",
        *,
        min_frequency: int = 1,
        max_vocabulary: int | None = None,
    ) -> list[Codec]:
        """Learn the codecs of several languages, with one vocabulary for all, and for each the spaces that it has.

        Args:
            languages: the sentences of each.
            tokens, clean, min_frequency, max_vocabulary: as for `build`.

        Raises:
            InputError: a sentence stands where a list of them belongs, a number is below 1, or no token is left.
        """
        languages = [strings("texts", texts) for texts in languages]
        min_frequency = integer("min_frequency", min_frequency)
        max_vocabulary = None if max_vocabulary is None else integer("max_vocabulary", max_vocabulary)
        languages = [[_read(text, clean, RULES) for text in texts] for texts in languages]
        together = list(chain.from_iterable(languages))
        subwords = Subwords.learn(together, max_vocabulary or 8000) if tokens == "bpe" else None
        spacings = [Spacing.learn(texts) if tokens == "word" else Spacing() for texts in languages]
        if tokens == "word":
            counts = sum(map(Spacing.count, spacings, languages), Counter[str]())
        else:
            cut = subwords.encode if subwords else lambda text: tokenize(text, tokens)
            counts = Counter(chain.from_iterable(map(cut, together)))
        vocabulary = Vocabulary.build(counts, min_frequency, SPECIALS)
        if max_vocabulary and not subwords:
            vocabulary = Vocabulary(vocabulary.tokens[: max_vocabulary + len(SPECIALS)])
        if len(vocabulary) == len(SPECIALS):
            if min_frequency > 1:
                raise InputError(f"no token occurs {min_frequency} times: lower the minimum frequency")
            raise InputError(f"no tokens are left of the sentences: tokens {tokens!r}, cleaning {clean!r}")
        return [cls(tokens, clean, vocabulary, subwords, spacing) for spacing in spacings]

    def __repr__(self) -> str:
        return f"Codec({self.tokens!r}, {self.clean!r}, {self.vocabulary!r})"

    def cut(self, text: str) -> list[str]:
        """The tokens of a sentence."""
        text = _read(text, self.clean, self.rules)
        if self.subwords:
            return self.subwords.encode(text)
        if not self._said:  # as in version 1, which had nothing to say
            return tokenize(text, self.tokens, self.rules)
        found = self.spacing.cut(text)
        return [token for token in found if token not in self._unsaid] if self._unsaid else found

    def encode(self, text: str, max_length: int | None = None) -> np.ndarray:
        """The ids of a sentence, `<eos>` at its end: (length,) int64. An empty sentence is `<eos>` alone."""
        return encode_sentence(self.cut(text), self.vocabulary, max_length)

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence of some ids, without special ones but `<unk>`."""
        pieces = self.pieces(ids)
        if self.subwords:
            return self.subwords.decode(pieces)
        return self.spacing.join(pieces) if self.tokens == "word" else detokenize(pieces, self.tokens)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The tokens of some ids, without `<pad>`, `<bos>` and `<eos>`."""
        return [t for t in self.vocabulary.decode(int(i) for i in ids) if t not in SPECIALS[:3]]

    def words(self, ids: Iterable[int]) -> list[str]:
        """The sentence of some ids as words, which is what BLEU compares whatever the tokens are."""
        if self.tokens not in ("word", "space"):
            return tokenize(self.decode(ids), "word", self.rules)
        pieces = self.pieces(ids)
        return [piece for piece in pieces if piece not in self._said] if self._said else pieces

    def reference(self, text: str) -> list[str]:
        """The words of a sentence as it is, to compare translations with."""
        return tokenize(_read(text, self.clean, self.rules), "space" if self.tokens == "space" else "word", self.rules)

    def recomposes(self, text: str) -> bool:
        """Whether a sentence does not come in composed form, in which it is read."""
        return compose(text, self.rules) != text

    def to_json(self) -> dict[str, Any]:
        """All of it, for a run.json."""
        config: dict[str, Any] = {"tokens": self.tokens, "clean": self.clean, "rules": self.rules}
        config |= {"spacing": self.spacing.learned, "vocabulary": self.vocabulary.tokens}
        if self.subwords:
            config["subwords"] = base64.b64encode(self.subwords.to_bytes()).decode("ascii")
        return config

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> Codec:
        """The inverse of `to_json`. What has no rules is of version 1, which knew of spaces only before ! ? : and ;.

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
        spacing = Spacing(config.get("spacing", {mark: f" {mark} " for mark in spaced}))
        rules = config.get("rules", 1)
        return cls(config["tokens"], config["clean"], Vocabulary(tokens), subwords, spacing, rules)


def _read(text: str, clean: str, rules: int) -> str:
    """A sentence cleaned and composed. Lower-case letters may compose where their capitals did not, so that comes last;
    but where only a-z is kept, an accent must first join its letter, to go with it."""
    if clean == "letters":
        return simplify(compose(text, rules), clean)
    return compose(simplify(text, clean), rules)
