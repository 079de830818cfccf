"""Sentences and their translations: reading, cutting into tokens, padding, and batches of similar length."""

import gzip
import itertools
import time
import zipfile
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import InputError
from minirnn.data import (
    SPECIALS,
    Pair,
    Vocabulary,
    detokenize,
    encode_pairs,
    encode_sentence,
    length_batches,
    length_histogram,
    pad,
    pair_batches,
    read_aligned,
    read_pairs,
    read_text,
    tokenize,
)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_pairs_of_a_table(tmp_path):
    text = "\ufeffGo.\tVa\u202f!\tCC-BY\r\n \nHi.\tSalut\u00a0!\n\tpersonne\nnobody\t \na\u2028b\t c\n"
    pairs = read_pairs(write(tmp_path / "pairs.tsv", text))
    assert pairs == [("Go.", "Va !"), ("Hi.", "Salut !"), ("a b", "c")]
    assert isinstance(pairs[0], Pair)
    assert pairs[1].target == "Salut !"
    assert pairs.dropped == 2
    assert read_pairs(tmp_path / "pairs.tsv", max_pairs=2) == pairs[:2]
    assert read_pairs(write(tmp_path / "pairs.gz", gzip.compress(text.encode()))) == pairs


def test_pairs_of_two_files(tmp_path):
    source = write(tmp_path / "de", "eins\n\nzwei\u2028und\ndrei\n")
    target = write(tmp_path / "en", gzip.compress(b"one\nnothing\r\ntwo\nthree"))  # no .gz: the content decides
    pairs = read_aligned(source, target)
    assert pairs == [("eins", "one"), ("zwei und", "two"), ("drei", "three")]
    assert pairs.dropped == 1
    assert read_aligned(source, target, max_pairs=1) == pairs[:1]
    with pytest.raises(InputError, match=r"de has 4 lines and .*short has 3: expected as many"):
        read_aligned(source, write(tmp_path / "short", "one\ntwo\nthree\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\n\nno tab\n", r"pairs\.tsv line 3: expected 2 tab-separated fields, found 1"),
        (b"a\tb\nc\t\xe9\n", r"pairs\.tsv line 2: expected UTF-8 text, found the byte 0xe9"),
        ("", r"pairs\.tsv: expected some text"),
        ("\n\t\n", r"pairs\.tsv: expected some text"),
        ("a\t\n", r"pairs\.tsv: expected pairs of sentences, found none"),
        (gzip.compress(b"a\tb\n" * 99, mtime=0)[:-9], r"pairs\.tsv: damaged gzip file"),
        (gzip.compress(b"a\tb\n", mtime=0)[:12] + b"nonsense", r"pairs\.tsv: damaged gzip file"),
        (gzip.compress(b"a\tb\n", mtime=0)[:10] + b"\xff" * 20, r"pairs\.tsv: damaged gzip file"),
        (gzip.compress(b"a\tb\nc", mtime=0), r"pairs\.tsv line 2: expected 2"),
    ],
)
def test_reading_errors_say_where(content, message, tmp_path):
    file = write(tmp_path / "pairs.tsv", content)
    with pytest.raises(InputError, match=message) as error:
        read_pairs(file)
    assert "\n" not in str(error.value)


def test_pairs_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_pairs(tmp_path / "missing.tsv")
    with pytest.raises(InputError, match="max_pairs must be at least 1, found 0"):
        read_pairs(write(tmp_path / "pairs.tsv", "a\tb"), max_pairs=0)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("L'enfant qu'il a vu", "L' enfant qu' il a vu"),
        ("jusqu’ici, N’EST-CE pas?", "jusqu’ ici , N’ EST-CE pas ?"),
        ("j'l'ai mis lorsqu'il", "j' l' ai mis lorsqu' il"),
        ("aujourd'hui quelqu'un va-t'en", "aujourd'hui quelqu'un va-t'en"),
        ("I'm here, don't you? 5 o'clock", "I'm here , don't you ? 5 o'clock"),
        ("rock'n'roll t-shirt", "rock'n'roll t-shirt"),
        ("the 'n' and l' alone", "the ' n ' and l ' alone"),
        ("3.14 and 1,000, at 10:30. Two.", "3.14 and 1,000 , at 10:30 . Two ."),
        ("Chapter:5 end.2 5.end", "Chapter : 5 end . 2 5 . end"),
        ("at 8 a.m. in the U.S. army", "at 8 a.m. in the U.S. army"),
        ("wait... or -- no!?", "wait ... or -- no ! ?"),
        ('"Stop!" „Ja“ “no” (so) 50%', '" Stop ! " „ Ja “ “ no ” ( so ) 50 %'),
        ("Straßen-\nBahn ÜBER", "Straßen - \n Bahn ÜBER"),
        ("<eos>", "< eos >"),
    ],
)
def test_words_of_three_languages(text, tokens):
    assert tokenize(text, "word") == tokens.split(" ")


@pytest.mark.parametrize(
    "text",
    [
        "L'enfant qu'il a vu jusqu’ici, n'est-ce pas?",
        'He said "stop!" twice, "now" and then (almost) 50% for $5.',
        "„Ja“, sagte er. “Yes”, she said: ‘no’.",
        '\'Hi\' and "\n"again"',
        "¿Qué? ¡Sí! Wait... at 10:30 a.m. sharp",
    ],
)
def test_words_find_their_spaces_again(text):
    assert detokenize(tokenize(text, "word"), "word") == text


@given(st.text(alphabet=st.sampled_from("ldqu'’-.,:1aé \n\"“„(…\ud800\0_"), max_size=30))
def test_no_character_is_lost_between_words(text):
    assert "".join("".join(tokenize(text, "word")).split()) == "".join(text.split())
    assert "".join(detokenize(tokenize(text, "word"), "word").split()) == "".join(text.split())


@pytest.mark.parametrize("piece", ["a", "a-", "1.", "1,", "l'", "qu", "-", "a.", "'", "_-"])
def test_long_words_take_linear_time(piece):
    start = time.process_time()
    tokenize(piece * 100_000 + "!", "word")
    assert time.process_time() - start < 2


def test_text_that_is_tokenised_already():
    text = "aujourd' hui ,\u2009&apos;  <eos>\n@-@ x"
    assert tokenize(text, "space") == ["aujourd'", "hui", ",", "&apos;", "<eos>", "@-@", "x"]
    assert detokenize(tokenize(text, "space"), "space") == "aujourd' hui , &apos; <eos> @-@ x"


VOCABULARY = Vocabulary.build("abc", specials=SPECIALS)


def test_the_special_tokens_come_first():
    assert VOCABULARY.tokens == ["<pad>", "<bos>", "<eos>", "<unk>", "a", "b", "c"]


def test_a_sentence_ends_with_eos():
    assert encode_sentence(list("ab"), VOCABULARY).tolist() == [4, 5, 2]
    assert encode_sentence([], VOCABULARY).tolist() == [2]
    assert encode_sentence(list("abca"), VOCABULARY, max_length=3).tolist() == [4, 5, 2]
    assert encode_sentence(list("ab"), VOCABULARY, max_length=3).tolist() == [4, 5, 2]
    assert encode_sentence(list("az"), VOCABULARY).dtype == np.int64
    sources, targets = encode_pairs([(["a", "b"], ["c"]), ([], ["a", "b", "c"])], VOCABULARY, VOCABULARY, max_length=2)
    assert [s.tolist() for s in sources] == [[4, 2], [2]]
    assert [t.tolist() for t in targets] == [[6, 2], [4, 2]]


def test_text_cannot_speak_the_special_tokens():
    tokens = tokenize("a <eos> <pad> <bos> <unk> b", "space")
    vocabulary = Vocabulary.build(tokens, specials=SPECIALS)
    assert len(vocabulary) == 6
    assert encode_sentence(tokens, vocabulary).tolist() == [4, 3, 3, 3, 3, 5, 2]


def test_sentences_that_cannot_be_encoded():
    with pytest.raises(InputError, match="max_length must be an integer of at least 2, not 1"):
        encode_sentence(["a"], VOCABULARY, max_length=1)
    with pytest.raises(InputError, match="needs <unk> and <eos>"):
        encode_sentence(["a"], Vocabulary.build("a"))


def test_padding():
    ids, lengths = pad([np.array([4, 5, 2]), np.array([2]), np.array([4, 2])], pad_id=9)
    assert ids.tolist() == [[4, 2, 4], [5, 9, 2], [2, 9, 9]]
    assert lengths.tolist() == [3, 1, 2]
    assert ids.dtype == lengths.dtype == np.int64
    with pytest.raises(InputError, match="at least one sequence"):
        pad([])


LENGTHS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=300)


@given(lengths=LENGTHS, batch_size=st.integers(1, 7), seed=st.none() | st.integers(0, 9))
def test_every_sequence_is_in_one_batch(lengths, batch_size, seed):
    batches = list(length_batches(lengths, batch_size, None if seed is None else np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    sizes = Counter(len(at) for at in batches)
    assert sizes[batch_size] == len(lengths) // batch_size
    for at in batches:
        assert [lengths[i] for i in at] == sorted(lengths[i] for i in at)
    if seed is None:
        assert [lengths[i] for at in batches for i in at] == sorted(lengths)


def as_sets(batches):
    return {frozenset(at.tolist()) for at in batches}


def test_batches_of_similar_length_waste_little(rng):
    lengths = rng.integers(1, 50, size=3000)
    batches = list(length_batches(lengths, 20, rng))
    assert lengths.sum() / sum(lengths[at].max() * len(at) for at in batches) > 0.9
    mixed = np.mean([len(set(lengths[at])) for at in batches])
    assert 2.5 < mixed < 6  # sorted all together it would be 1.3, not at all 17
    for one, other in itertools.pairwise(length_batches(lengths, 20)):
        assert lengths[one].max() <= lengths[other].min()


def test_batches_differ_between_epochs_and_come_in_no_order(rng):
    lengths = rng.integers(1, 50, size=3000)
    epochs = [list(length_batches(lengths, 20, np.random.default_rng(seed))) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(np.concatenate(epochs[0]), np.concatenate(epochs[1]))
    assert len(as_sets(epochs[0]) & as_sets(epochs[2])) < 5
    one_pool = [lengths[at].mean() for at in length_batches(lengths[:400], 20, rng)]
    assert one_pool != sorted(one_pool)
    ties = [5] * 100
    assert as_sets(length_batches(ties, 10, rng)) != as_sets(length_batches(ties, 10, rng))


def test_results_find_back_to_the_order_of_the_corpus(rng):
    lengths = rng.integers(1, 9, size=50)
    for generator in (None, rng):
        result = np.zeros(50, dtype=int)
        for at in length_batches(lengths, 8, generator):
            result[at] = lengths[at]
        np.testing.assert_array_equal(result, lengths)


@pytest.mark.parametrize("seed", [None, 3])
def test_batches_of_pairs(seed, rng):
    sources = [rng.integers(3, 9, size=rng.integers(1, 9)) for _ in range(45)]
    targets = [np.append(source[::-1], [2, 2]) for source in sources]
    found = []
    generator = None if seed is None else np.random.default_rng(seed)
    for X, X_valid_len, Y, Y_valid_len in pair_batches(sources, targets, 4, generator, pad_id=1):
        assert X.shape == (X_valid_len.max(), len(X_valid_len))
        assert Y.shape == (Y_valid_len.max(), len(Y_valid_len))
        for x, n, y, m in zip(X.T, X_valid_len, Y.T, Y_valid_len, strict=True):
            assert (x[n:] == 1).all()
            assert (y[m:] == 1).all()
            assert y[:m].tolist() == [*x[:n][::-1], 2, 2]  # each with its own partner
            found.append(tuple(x[:n]))
    assert sorted(found) == sorted(map(tuple, sources))


def test_batches_that_cannot_be_made():
    with pytest.raises(InputError, match="found none"):
        next(length_batches([], 4))
    with pytest.raises(InputError, match="batch_size must be an integer of at least 1, not 0"):
        next(length_batches([1], 0))
    with pytest.raises(InputError, match="1 sources, 2 targets"):
        next(pair_batches([np.array([2])], [np.array([2])] * 2, 4))


def test_histogram():
    assert length_histogram({"source": [1, 3, 3, 3, 3], "target": [0, 1]}, width=8).splitlines() == [
        "source: 5, 2.6 tokens on average, at most 3",
        "           0         0",
        "           1         1 ##",
        "           2         0",
        "           3         4 ########",
        "target: 2, 0.5 tokens on average, at most 1",
        "           0         1 ##",
        "           1         1 ##",
    ]
    lines = length_histogram({"a": [5] * 1000 + [1234]}).splitlines()
    assert lines[1].split() == ["0-99", "1,000", "#" * 50]
    assert lines[-1].split() == ["1,200-1,299", "1", "#"]  # however few, they are seen
    with pytest.raises(InputError, match="found none of 'a'"):
        length_histogram({"a": []})


def test_the_real_french_corpus(data_folder, tmp_path):
    archive = data_folder / "fra-eng.zip"
    if not archive.exists():
        pytest.skip("no fra-eng.zip in the data folder")
    with zipfile.ZipFile(archive) as files:
        pairs = read_pairs(write(tmp_path / "fra.txt", files.read("fra-eng/fra.txt")))
    assert len(pairs) == 167_130
    assert pairs[0] == ("Go.", "Va !")
    assert pairs.dropped == 0
    for side in ("source", "target"):
        texts = [getattr(pair, side).replace("\u200b", "") for pair in pairs[::20]]
        back = [detokenize(tokenize(text, "word"), "word") for text in texts]
        as_printed = [
            text.replace(" !", "!").replace(" ?", "?").replace(" :", ":").replace(" ;", ";") for text in texts
        ]
        same = sum(a == b for a, b in zip(back, as_printed, strict=True))
        assert same / len(texts) > 0.995


def test_the_real_german_corpus(data_folder):
    folder = data_folder / "multi30k"
    if not folder.exists():
        pytest.skip("no multi30k in the data folder")
    pairs = read_aligned(folder / "val.de.gz", folder / "val.en.gz")
    assert len(pairs) + pairs.dropped == read_text(folder / "val.de.gz").count("\n") == 1014
    with pytest.raises(InputError, match=r"1014 lines and .* has 1000"):
        read_aligned(folder / "val.de.gz", folder / "test_2016_flickr.en.gz")
