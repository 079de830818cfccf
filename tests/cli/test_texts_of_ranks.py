"""Of several ranks one reads a text, and all learn from the same ids. The ranks are threads here;
`test_mpi_long_texts.py` has processes."""

import threading
from pathlib import Path

import numpy as np
import pytest
from ranks_in_threads import together

from minirnn import InputError, Run, Vocabulary
from minirnn.cli import texts
from minirnn.cli.texts import KEPT, Text
from minirnn.data import corpus
from minirnn.data.token_file import read_tokens
from minirnn.data.words import RULES
from minirnn.training import ranks as ranks_module

WORDS = "the quick brown fox jumps over the lazy dog and the cat sees a bird " * 40
OPTIONS = {"data": "text.txt", "tokens": "word", "clean": "none", "rules": RULES, "max-tokens": None}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Where the text is, and which threads have read it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(WORDS)
    pieces, found = texts.text_pieces, []

    def noted(*arguments, **options):
        found.append(threading.get_ident())
        return pieces(*arguments, **options)

    monkeypatch.setattr(texts, "text_pieces", noted)
    return found


def as_rank(act):
    def acting(rank):
        token = ranks_module._current.set(rank)
        try:
            return act(rank)
        finally:
            ranks_module._current.reset(token)

    return acting


def learn(rank, run=None, until_kept=True, options=OPTIONS):
    """What a rank learns from: first, and after the ids have been kept; and what it has open."""
    text = Text(options)
    vocabulary = text.ranks.first(lambda: Vocabulary.build(text.corpus.counts))
    ids = text.encode(vocabulary, until_kept)
    assert len(ids) == len(WORDS.split())
    kept = text.keep(run, vocabulary) if run else None
    return text.sha256, vocabulary.tokens, ids, kept, threading.get_ident()


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("case", ["short", "kept", "changed", "unseen", "never kept"])
def test_all_ranks_have_the_ids_that_one_has_cut(case, size, read, monkeypatch):
    monkeypatch.setattr(corpus, "IN_MEMORY", 0 if case != "short" else 2**24)
    monkeypatch.setattr(texts, "PIECE", 100)
    sha256, tokens, expected, _, _ = learn(None)
    read.clear()
    if case == "changed":
        of = texts.Source.of
        monkeypatch.setattr(texts.Source, "of", lambda path: of(path)._replace(changed=len(read)))
    if case == "unseen":
        leads = lambda: threading.get_ident() == read[0]
        monkeypatch.setattr(texts, "read_tokens", lambda *arguments: read_tokens(*arguments) if leads() else None)
    run = Run.create("r", {}) if case != "never kept" else None
    found = together(size, as_rank(lambda rank: learn(rank, run, until_kept=run is not None)))
    assert read == [found[0][-1]]
    for rank, (its_sha256, its_tokens, ids, kept, _) in enumerate(found):
        assert (its_sha256, its_tokens) == (sha256, tokens)
        waits = case in ("kept", "changed", "unseen") and rank > 0
        np.testing.assert_array_equal(ids, 0 if waits else expected)
        assert ids.dtype == expected.dtype
        assert (ids.strides == (0,)) == waits
        assert (kept is None) == (case in ("short", "never kept"))
        if kept is not None:
            np.testing.assert_array_equal(kept, expected)
            assert not kept.flags.writeable
    assert {path.name for path in Path().rglob("*")} == {
        "text.txt", *(["r", "run.json", ".lock"] if run else []), *([KEPT] if case in ("kept", "unseen") else []),
    }  # fmt: skip


def test_ids_of_a_run_are_mapped_by_all_ranks_and_the_text_read_by_none(read, monkeypatch):
    monkeypatch.setattr(corpus, "IN_MEMORY", 0)
    run = Run.create("r", {})
    _, tokens, expected, _, _ = learn(None, run)

    def go_on(rank):
        text = Text({**OPTIONS, "run": "r"})
        ids = text.encode(Vocabulary(tokens), until_kept=True)
        return ids, text.keep(run, Vocabulary(tokens))

    read.clear()
    for ids, kept in together(3, as_rank(go_on)):
        np.testing.assert_array_equal(ids, expected)
        assert kept is None
    assert not read


def test_what_is_wrong_with_a_text_is_raised_on_all_ranks(read):
    Path("text.txt").write_bytes(b"\xff" * 100)
    raised = []

    def fail(rank):
        try:
            Text(OPTIONS)
        except InputError as error:
            raised.append(str(error))

    together(3, as_rank(fail))
    assert len(raised) == 3
    assert len(set(raised)) == 1
    assert "text.txt" in raised[0]
