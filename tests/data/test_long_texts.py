"""Long texts, read, cut and numbered piece by piece: always what comes of the whole text at once."""

import codecs
import gzip
import hashlib
import itertools
import os
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minirnn import InputError, Vocabulary
from minirnn.data import built_in_text, corpus, numbering, tokenize, unpacking
from minirnn.data.batches import random_batches, sequential_batches
from minirnn.data.corpus import Corpus, smallest_type
from minirnn.data.reading import decode_text, read_text, text_pieces, unify
from minirnn.data.text import CLEANING, TOKENS, simplified, simplified_pieces

# Line ends and what only looks like one, letters that compose with what follows them, a sigma, whose small letter
# depends on those beside it, words with joints, numbers, a flag, a family, Hangul in parts, text without white space.
PARTS = [
    *(
        "\r",
        "\n",
        "\r\n",
        " ",
        "\t",
        "\x85",
        "\u2028",
        "\ufeff",
        "a",
        "E",
        "e",
        "\u0301",
        "\u0323",
        "é",
        "Σ",
        "ΑΣ",
        "σ",
    ),
    *(
        "ß",
        "İ",
        ".",
        "...",
        "--",
        ",",
        "'",
        "l'",
        "don't",
        "3.14",
        "1",
        "-",
        "<unk>",
        "U.S.",
        "¡",
        "漢字",
        "。",
        "\u200d",
    ),
    *(
        "\U0001f469",
        "\U0001f1eb",
        "\U0001f1f7",
        "ᄀ",
        "ᅡ",
        "ᆨ",
        "가",
        "\u00ad",
        "\u2000",
        "\u0344",
        "ab",
        "the",
        "x\x1cy",
    ),
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)
CUTS = st.lists(st.integers(0, 60), max_size=8)


def in_pieces(text, cuts):
    """The text, cut at these places."""
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(places)]


def outcome(act):
    """What something gives, or the message of its error."""
    try:
        return act()
    except InputError as error:
        return f"InputError: {error}"


@given(
    data=st.one_of(
        TEXTS.map(str.encode),
        st.binary(max_size=40),
        st.lists(st.sampled_from([b"ab\r", b"\n", b"\xff", b"\0", "é".encode(), b"\xc3", b" "])).map(b"".join),
        st.tuples(
            st.sampled_from([("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE),
                             ("utf-32-le", codecs.BOM_UTF32_LE), ("utf-32-be", codecs.BOM_UTF32_BE)]), TEXTS,
            st.sampled_from([b"", b"\xd8", b"\0\0\0\0", b"\x00\xd8a\0"]),
        ).map(lambda drawn: drawn[0][1] + drawn[1].encode(drawn[0][0]) + drawn[2]),
    ),
    size=st.integers(1, 12),
    packed=st.booleans(),
)  # fmt: skip
@example(data=b"a\r\nb\xff\n\0c", size=2, packed=False)
@example(data=b"a\r", size=2, packed=True)
def test_a_file_in_pieces_is_the_file(data, size, packed, tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text"
    packed = packed or data.startswith(b"\x1f\x8b")  # which would be taken for packed
    file.write_bytes(gzip.compress(data) if packed else data)
    nothing = f"InputError: {file}: expected some text, found none"
    expected = outcome(lambda: decode_text(data, str(file)))
    expected = expected if expected.strip() else nothing
    steps = []
    assert outcome(lambda: "".join(text_pieces(file, size, steps.append))) == expected
    if not packed:
        assert sum(steps) == len(data)
    assert outcome(lambda: read_text(file)) == expected


def test_of_a_long_file_little_is_there_at_once(tmp_path):
    file = tmp_path / "text"
    file.write_bytes(b"word " * 50_000)
    for packed in (False, True):
        if packed:
            file.write_bytes(gzip.compress(file.read_bytes()))
        assert max(map(len, text_pieces(file, 1000))) <= 1000


def test_a_gzip_file_that_swells_or_is_cut_is_found_out_while_it_is_read(tmp_path, monkeypatch):
    file = tmp_path / "text.gz"
    data = gzip.compress(b"a" * 100_000)
    file.write_bytes(data)
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", 1000)
    pieces = text_pieces(file, 100)
    for _ in range(50 * len(data) // 100):  # it is not unpacked to its end
        next(pieces)
    with pytest.raises(InputError, match=rf"{len(data):,} bytes hold more than {50 * len(data):,}: unpack it"):
        next(pieces)
    file.write_bytes(gzip.compress(bytes(np.random.default_rng(0).integers(97, 122, 5000, np.uint8)))[:-400])
    with pytest.raises(InputError, match="damaged gzip file"):
        list(text_pieces(file, 100))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_once(packed, tmp_path):
    text, pipe = "some text\n" * 1000, tmp_path / "pipe"
    os.mkfifo(pipe)
    data = gzip.compress(text.encode()) if packed else text.encode()
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()
    assert "".join(text_pieces(pipe, 100)) == text
    writer.join()


@given(text=TEXTS, cuts=CUTS, clean=st.sampled_from(CLEANING), rules=st.sampled_from([1, 2]))
@example(text="ΑΣ.b", cuts=[2, 3], clean="lower", rules=2)
@example(text="A.Σ", cuts=[1, 2], clean="lower", rules=2)
@example(text="e\u0301a", cuts=[1], clean="letters", rules=2)
@example(text="1a1\n1b c", cuts=[1, 2, 3, 4, 5, 6, 7], clean="letters", rules=2)
def test_a_text_is_simplified_in_pieces_as_it_is_at_once(text, cuts, clean, rules):
    text = unify(text)
    found = outcome(lambda: "".join(simplified_pieces(in_pieces(text, cuts), clean, rules)))
    # Nothing is said of an empty text here: it is refused where it is read.
    assert found == outcome(lambda: simplified(text, clean, rules)) or not text


def reference(text, tokens, rules, most=None):
    """All that a corpus says of a text, the plain way."""
    pieces = tokenize(text, tokens, rules)[:most]
    return hashlib.sha256(text.encode()).hexdigest(), pieces, dict(Counter(pieces))


def said(pieces, tokens, rules, most=None):
    """The same, of a corpus."""
    found = Corpus(pieces, tokens, rules, most)
    assert len(found) == len(found.tokens(0, 10**9))
    return found.sha256, found.tokens(0, 10**9), found.counts


@given(
    text=TEXTS, cuts=CUTS, tokens=st.sampled_from(TOKENS), rules=st.sampled_from([1, 2]),
    most=st.one_of(st.none(), st.integers(1, 30)),
)  # fmt: skip
@example(text="don't stop", cuts=[3], tokens="word", rules=2, most=None)
@example(text="a e\u0301b", cuts=[3], tokens="word", rules=2, most=None)
@example(text="a \u0301b \r b", cuts=[1, 2, 3], tokens="space", rules=2, most=None)
@example(text="abcdef", cuts=[2, 4], tokens="char", rules=2, most=2)
@example(text="a b c d", cuts=[2, 4], tokens="word", rules=2, most=1)
@example(text="3.14\n\n2", cuts=[2, 5], tokens="word", rules=1, most=3)
def test_a_corpus_has_the_tokens_of_the_whole_text(text, cuts, tokens, rules, most):
    text = unify(text)
    assert said(in_pieces(text, cuts), tokens, rules, most) == reference(text, tokens, rules, most)


@pytest.mark.parametrize("clean", CLEANING)
@pytest.mark.parametrize("tokens", TOKENS)
def test_the_english_of_python_in_pieces(tokens, clean):
    text = built_in_text()[:100_000]
    cuts = np.random.default_rng(0).integers(0, len(text), 40).tolist()
    pieces = list(simplified_pieces(in_pieces(text, cuts), clean))
    assert said(pieces, tokens, 2) == reference(simplified(text, clean), tokens, 2)


def test_what_stands_between_white_space_is_not_remembered_without_end(monkeypatch):
    monkeypatch.setattr(numbering, "MOST", 3)
    numbers = numbering.WordNumbers(2)
    text = "a-b b, c; d! e? a-b f. " * 3 + "x" * 100
    assert [numbers.tokens[i] for i in numbers.number(text)] == tokenize(text, "word")
    assert len(numbers._chunks) == 3


@pytest.mark.parametrize("in_memory", [0, 2**24])
@pytest.mark.parametrize("tokens", ["char", "word"])
def test_ids_are_those_of_the_vocabulary(tokens, in_memory, monkeypatch, tmp_path):
    monkeypatch.setattr(corpus, "IN_MEMORY", in_memory)
    monkeypatch.chdir(tmp_path)
    text = "to be, or not to be: that is the question. " * 20 + "é漢 rare"
    found = Corpus(in_pieces(text, [100, 333, 600]), tokens)
    pieces = tokenize(text, tokens)
    for least in (1, 2):
        vocabulary = Vocabulary.build(found.counts, least)
        assert vocabulary.tokens == Vocabulary.build(pieces, least).tokens
        stored = found.encode(vocabulary)
        assert stored.ids.dtype == np.uint8
        np.testing.assert_array_equal(stored.ids, vocabulary.encode(pieces))
        assert stored.sha256 == hashlib.sha256(stored.ids.tobytes()).hexdigest()
        assert stored.file.in_memory == bool(in_memory)
    assert found.tokens(98, 120) == pieces[98:120]
    assert found.tokens(-5, 2) == pieces[:2]
    assert not list(tmp_path.iterdir())  # nothing that a killed process would leave


def test_where_nobody_may_write_temporary_files_go_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(corpus, "IN_MEMORY", 0)
    found = Corpus(["abc"], "char")
    assert found.encode(Vocabulary(["<unk>", "a", "b", "c"])).ids.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, "u1"), (255, "u1"), (256, "u1"), (257, "u2"), (65_535, "u2"), (65_536, "u2"), (65_537, "u4")],
)
def test_ids_have_the_smallest_type_that_holds_them(size, dtype):
    assert smallest_type(size) == np.dtype(dtype)
    tokens = [chr(0x10000 + i) for i in range(size - 1)]
    text = "".join(tokens) * 2
    stored = Corpus([text], "char").encode(vocabulary := Vocabulary(["<unk>", *tokens]))
    assert stored.dtype == stored.ids.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(stored.ids, vocabulary.encode(text))


def test_numbers_of_pieces_grow_with_what_is_known():
    first, second = "".join(map(chr, range(300, 556))), chr(700) + chr(300) + chr(555)
    found = Corpus([first, second, "a" * 3], "char")  # one byte each, then two
    assert "".join(found.tokens(0, 1000)) == first + second + "aaa"


@pytest.mark.parametrize("batches", [sequential_batches, random_batches])
def test_batches_of_small_ids_can_be_computed_with(batches):
    ids = (np.arange(300) % 251).astype(np.uint8)
    found = list(batches(ids, 3, 7, np.random.default_rng(0)))
    expected = list(batches(ids.astype(np.int64), 3, 7, np.random.default_rng(0)))
    assert {array.dtype for batch in found for array in batch} == {np.dtype(np.int64)}
    np.testing.assert_array_equal(found, expected)
