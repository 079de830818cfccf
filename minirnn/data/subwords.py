"""Subwords: cutting rare words into frequent pieces, so that a small vocabulary spells every word.

Byte-pair encoding begins with single characters and merges, again and again, the two neighbours that stand together
most often. Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016,
arXiv:1508.07909. The merging is done by the library sentencepiece (Kudo and Richardson, 2018, arXiv:1808.06226), which
writes the space before a word as `▁`; the pieces get their ids from our own `Vocabulary`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import Any

from minirnn.arguments import integer, strings
from minirnn.errors import InputError, install

SPACE = "▁"


class Subwords:
    """Cuts text into learned pieces and puts it together again. Made by `learn` or `from_bytes`.

    Whatever the text, `decode(encode(text))` is the text with single spaces for all white space. As white space count
    also `▁` itself and zero bytes; half a surrogate pair, which no UTF-8 can hold, becomes `?`.
    """

    def __init__(self, model: bytes):
        if not model:  # which sentencepiece takes, to fail at the first text
            raise InputError("the subwords are damaged: there is no model")
        try:
            self._processor = _sentencepiece().SentencePieceProcessor(model_proto=model)
        except (RuntimeError, OSError) as error:
            raise InputError("the subwords are damaged: sentencepiece finds no model in them") from error
        self._model = model

    @classmethod
    def learn(cls, texts: Iterable[str], vocabulary_size: int) -> Subwords:
        """The pieces of a corpus; the same corpus always gives the same pieces.

        Args:
            texts: sentences.
            vocabulary_size: how many pieces, single characters included. A small corpus may not have so many: then all
                that it has.

        Raises:
            InputError: there is no list of texts, nothing in it, or more different characters than `vocabulary_size`
                allows for; or sentencepiece is not installed.
        """
        library = _sentencepiece()
        vocabulary_size = integer("vocabulary_size", vocabulary_size)
        sentences = [sentence for text in strings("texts", texts) if (sentence := _plain(text))]
        if not sentences:
            raise InputError("expected sentences to learn subwords from, found none")
        needed = len(set(SPACE).union(*(sentence.replace(" ", "") for sentence in sentences))) + 1
        if vocabulary_size < needed:
            raise InputError(
                f"{vocabulary_size} subwords are too few: the text has {needed - 2} different characters, "
                f"which take at least {needed}"
            )
        model = io.BytesIO()
        try:
            library.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=model,
                model_type="bpe",
                vocab_size=vocabulary_size,
                hard_vocab_limit=False,
                character_coverage=1.0,
                normalization_rule_name="identity",
                max_sentence_length=2**30,
                num_threads=1,
                minloglevel=9,  # beyond "fatal": no messages
                unk_id=0,
                bos_id=-1,  # the other special tokens are our vocabulary's
                eos_id=-1,
            )
        except RuntimeError as error:
            raise InputError(f"sentencepiece could not learn {vocabulary_size} subwords: {error}") from error
        return cls(model.getvalue())

    @classmethod
    def from_bytes(cls, data: bytes) -> Subwords:
        """What `to_bytes` gave.

        Raises:
            InputError: it is damaged; or sentencepiece is not installed.
        """
        checksum, model = data[:32], data[32:]
        if hashlib.sha256(model).digest() != checksum:
            raise InputError("the subwords are damaged: their checksum is wrong")
        return cls(model)

    def to_bytes(self) -> bytes:
        """All there is to keep: 32 bytes of SHA-256, for sentencepiece would take half a model for a smaller one, and
        then the sentencepiece model."""
        return hashlib.sha256(self._model).digest() + self._model

    def __len__(self) -> int:
        return int(self._processor.vocab_size())

    def __repr__(self) -> str:
        return f"Subwords({len(self):,} pieces)"

    def encode(self, text: str) -> list[str]:
        """The pieces of a text; characters that were not in the corpus are pieces of their own, which no vocabulary
        knows."""
        return self._processor.encode(_plain(text), out_type=str)

    def decode(self, pieces: Iterable[str]) -> str:
        """The text of pieces, also of those that `encode` would not make."""
        return "".join(pieces).replace(SPACE, " ").strip()


def _plain(text: str) -> str:
    """What sentencepiece can take: no half surrogate pairs, no zero bytes, single spaces and none at the ends."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.replace(SPACE, " ").replace("\0", " ").split())


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise InputError(f"subwords need sentencepiece: {install('data')}") from error
    return sentencepiece
