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
from typing import Any, NamedTuple, TypeVar

import numpy as np

from minirnn.cli.progress import Progress
from minirnn.data import Vocabulary, built_in_text, read_text
from minirnn.data.corpus import Corpus, Scratch, Stored
from minirnn.data.reading import text_pieces
from minirnn.data.text import simplified_pieces
from minirnn.data.token_file import PIECE, Source, read_about, read_tokens, write_tokens
from minirnn.errors import InputError
from minirnn.training import Run
from minirnn.training.ranks import current

Tokens = TypeVar("Tokens", list[str], np.ndarray)

KEPT = "tokens.safetensors"
"""The ids of a long text, in the directory of its run."""


class Found(NamedTuple):
    """What rank 0 has found of the ids of a text, for the other ranks.

    Attributes:
        dtype, size: of the ids.
        ids: themselves, if they are few, or there is no other rank.
        path: the file of the run that they lie in, if they do.
    """

    dtype: np.dtype
    size: int
    ids: np.ndarray | None = None
    path: Path | None = None


class Text:
    """A text as a run learns from it. It is read when something of it is asked for that is not kept with the run.

    Where several ranks train together, rank 0 alone reads and cuts the text, and tells the others what it has found.
    What is called on one has to be called on all.

    Args:
        options: name the text and say how it is cut; "run", if there is one, is the directory of the run.

    Raises:
        FileNotFoundError, InputError: the text cannot be read; of a run that keeps it, that the file is gone.

    Attributes:
        ranks: who learns from it.
        sha256: what tells the text from others.
    """

    def __init__(self, options: dict[str, Any]):
        self.options, self.ranks = options, current()
        self.source: Source | None = None
        self._kept: dict[str, Any] = {}
        self._corpus: Corpus | None = None
        self._stored: Stored | None = None
        self._ids: np.ndarray | None = None
        self._sent = True
        self.sha256 = self.ranks.first(self._open)

    def _open(self) -> str:
        """Find the text, and what is kept of it; without that, read it. Returns its digest."""
        self.source = Source.of(self.options["data"]) if self.options["data"] else None
        kept = read_about(Path(self.options["run"]) / KEPT) if self.source and "run" in self.options else {}
        if kept.get("of") != self._of():
            return self.corpus.sha256
        self._kept = kept
        return str(kept["text"])

    def _of(self) -> dict[str, Any]:
        """Of which file the ids are, and cut in what way."""
        how = {name: self.options[name] for name in ("tokens", "clean", "rules", "max-tokens")}
        return {**how, "source": list(self.source or ())}

    @property
    def corpus(self) -> Corpus:
        """The tokens themselves. To be asked for on rank 0 alone."""
        if self._corpus is None:
            self._corpus = self._read()
        return self._corpus

    def _read(self) -> Corpus:
        options = self.options
        with _pieces(options["data"]) as pieces:
            simple = simplified_pieces(pieces, options["clean"], options["rules"])
            return Corpus(simple, options["tokens"], options["rules"], options["max-tokens"])

    def encode(self, vocabulary: Vocabulary, until_kept: bool = False) -> np.ndarray:
        """The ids of all tokens: (tokens,), of the smallest unsigned integers that hold the vocabulary.

        Args:
            vocabulary: that of the run.
            until_kept: whether `keep` will give the ids before they are used. Till then ranks that wait for a long text
                have as many zeros, which take no memory.
        """
        found = self.ranks.first(lambda: self._find(vocabulary))
        self._sent = found.ids is not None or found.path is not None
        if found.ids is not None:
            return found.ids
        if self._sent or not until_kept:
            return self._everywhere(found)
        return np.broadcast_to(np.zeros(1, found.dtype), found.size) if self._ids is None else self._ids

    def _find(self, vocabulary: Vocabulary) -> Found:
        """Take the ids from the run, if they are kept there, or make them of the text."""
        if self._kept and self._kept.get("vocabulary") == _digest_of(vocabulary):
            kept = Path(self.options["run"]) / KEPT
            with Progress("reading the tokens of the run", kept.stat().st_size, unit="B") as doing:
                self._ids = read_tokens(kept, doing.step)
            if self._ids is not None:
                return self._told(self._ids, kept)
        if self.corpus.sha256 != self.sha256:
            raise InputError(f"{mismatch(self.options)} {self.options['run']} was trained on")
        with Progress("numbering the tokens"):
            self._stored = self.corpus.encode(vocabulary)
        self._ids = self._stored.ids
        return self._told(self._ids)

    def _told(self, ids: np.ndarray, path: Path | None = None) -> Found:
        few = self.ranks.size == 1 or (self._stored is not None and self._stored.file.in_memory)
        return Found(ids.dtype, len(ids), ids if few else None, path)

    def keep(self, run: Run, vocabulary: Vocabulary) -> np.ndarray | None:
        """Let rank 0 keep the ids that `encode` gave with the run, if they are many, have not come from there, and the
        text can be told from others at a glance. Returns them as they lie there; None if those of `encode` are to be
        used."""
        found = self.ranks.first(lambda: self._keep(run, vocabulary))
        self._corpus = self._stored = None  # whose files have no name: they take room as long as they are open
        return None if found is None or (self._sent and found.path is None) else self._everywhere(found)

    def _keep(self, run: Run, vocabulary: Vocabulary) -> Found | None:
        stored = self._stored
        if stored is None or stored.file.in_memory:
            return None
        found = Found(stored.dtype, stored.count)
        if self.source is None or Source.of(self.source.path) != self.source:  # it has changed since, or was changing
            return found
        about = {"of": self._of(), "text": self.sha256, "vocabulary": _digest_of(vocabulary)}
        with Progress("keeping the tokens with the run"):
            write_tokens(run.path / KEPT, stored, about)
            kept = read_tokens(run.path / KEPT)
        if kept is None:
            return found
        self._ids = kept
        return found._replace(path=run.path / KEPT)

    def _everywhere(self, found: Found) -> np.ndarray:
        """The ids on every rank: mapped into memory from the file of the run where all see it, else sent."""
        ids = self._ids
        if found.path is not None and not self.ranks.leads:
            ids = read_tokens(found.path)
        if all(self.ranks.gather(ids is not None)):
            assert ids is not None
            return ids
        own, file = self._ids, Scratch()
        for start in range(0, found.size, PIECE):
            piece = self.ranks.broadcast(np.empty(0) if own is None else own[start : start + PIECE])
            if own is None:
                file.write(piece)
        return file.array(found.dtype, found.size) if own is None else own


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
