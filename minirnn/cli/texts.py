"""The text that a run learns from: reading it, telling it from others, and holding out its end.

A long text is cut once. Its ids lie in the run directory from then on, and a run that goes on takes them from there, as
long as the text is the file that it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from minirnn.cli.progress import Progress
from minirnn.data import Vocabulary, built_in_text, read_text
from minirnn.data.corpus import Corpus, Stored
from minirnn.data.reading import text_pieces
from minirnn.data.text import simplified_pieces
from minirnn.data.token_file import Source, read_about, read_tokens, write_tokens
from minirnn.errors import InputError
from minirnn.training import Run

Tokens = TypeVar("Tokens", list[str], np.ndarray)

KEPT = "tokens.safetensors"
"""The ids of a long text, in the directory of its run."""


class Text:
    """A text as a run learns from it. It is read when something of it is asked for that is not kept with the run.

    Args:
        options: name the text and say how it is cut; "run", if there is one, is the directory of the run.

    Raises:
        FileNotFoundError, InputError: the text cannot be read; of a run that keeps it, that the file is gone.
    """

    def __init__(self, options: dict[str, Any]):
        self.options = options
        self.source = Source.of(options["data"]) if options["data"] else None
        kept = Path(options["run"]) / KEPT if "run" in options else None
        self._kept = read_about(kept) if kept and self.source else {}
        if self._kept.get("of") != self._of():
            self._kept = {}
        self._stored: Stored | None = None
        self._corpus = None if self._kept else self._read()

    def _of(self) -> dict[str, Any]:
        """Of which file the ids are, and cut in what way."""
        how = {name: self.options[name] for name in ("tokens", "clean", "rules", "max-tokens")}
        return {**how, "source": list(self.source or ())}

    @property
    def corpus(self) -> Corpus:
        """The tokens themselves."""
        if self._corpus is None:
            self._corpus = self._read()
        return self._corpus

    def _read(self) -> Corpus:
        options = self.options
        with _pieces(options["data"]) as pieces:
            simple = simplified_pieces(pieces, options["clean"], options["rules"])
            return Corpus(simple, options["tokens"], options["rules"], options["max-tokens"])

    @property
    def sha256(self) -> str:
        """What tells the text from others."""
        return str(self._kept["text"]) if self._kept else self.corpus.sha256

    def encode(self, vocabulary: Vocabulary) -> np.ndarray:
        """The ids of all tokens: (tokens,), of the smallest unsigned integers that hold the vocabulary."""
        if self._kept and self._kept.get("vocabulary") == _digest_of(vocabulary):
            kept = Path(self.options["run"]) / KEPT
            with Progress("reading the tokens of the run", kept.stat().st_size, unit="B") as doing:
                ids = read_tokens(kept, doing.step)
            if ids is not None:
                return ids
        if self._kept.get("text", self.corpus.sha256) != self.corpus.sha256:
            raise InputError(f"{mismatch(self.options)} {self.options['run']} was trained on")
        self._kept = {}
        with Progress("numbering the tokens"):
            self._stored = self.corpus.encode(vocabulary)
        return self._stored.ids

    def keep(self, run: Run, vocabulary: Vocabulary) -> np.ndarray | None:
        """Keep the ids that `encode` gave with the run, if they are many, have not come from there, and the text can be
        told from others at a glance. Returns them as they lie there; None if they do not."""
        stored = self._stored
        if stored is None or stored.file.in_memory or self.source is None:
            return None
        if Source.of(self.source.path) != self.source:  # it has changed since, or while it was read
            return None
        about = {"of": self._of(), "text": self.sha256, "vocabulary": _digest_of(vocabulary)}
        with Progress("keeping the tokens with the run"):
            write_tokens(run.path / KEPT, stored, about)
            return read_tokens(run.path / KEPT)


def _digest_of(vocabulary: Vocabulary) -> str:
    return hashlib.sha256(json.dumps(vocabulary.tokens).encode()).hexdigest()


@contextmanager
def _pieces(file: str | None) -> Iterator[Iterator[str]]:
    """The text in a file, or without one the English that ships with Python, and how much of it has been read."""
    if not file:
        yield iter([built_in_text()])
        return
    source = Source.of(file)
    with Progress(f"reading {Path(file).name}", source and source.size, unit="B") as doing:
        yield text_pieces(file, step=doing.step)


def named_text(file: str | None) -> str:
    """The text in a file, or without one the English that ships with Python."""
    return read_text(file) if file else built_in_text()


def load_text(options: dict[str, Any]) -> Text:
    """The text that the options name."""
    return Text(options)


def digest(text: Text) -> str:
    """What tells a text from others."""
    return text.sha256


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds another text than its own, up to the name of the run."""
    return f"{options['data'] or 'the built-in text'} is not the text that"


def hold_out(tokens: Tokens, fraction: float) -> tuple[Tokens, Tokens]:
    """The tokens or ids to learn from, and the end, that part of the whole, to be judged by."""
    end = len(tokens) - int(len(tokens) * fraction)
    return tokens[:end], tokens[end:]
