"""Subwords: learning them, cutting and joining, keeping them."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import InputError
from minirnn.data import SPECIALS, Subwords, Vocabulary, encode_sentence, read_aligned

pytest.importorskip("sentencepiece")

TEXTS = ["the lowest tower", "lower and lower", "the newest, widest tower"] * 5


@pytest.fixture(scope="module")
def subwords():
    return Subwords.learn(TEXTS, 40)


def spaced(text):
    """What encoding and decoding leave of a text."""
    return " ".join(text.replace("▁", " ").replace("\0", " ").split())


def test_frequent_words_are_whole_and_rare_ones_are_spelled(subwords):
    assert len(subwords) == 40
    assert subwords.encode("the lower tower") == ["▁the", "▁lower", "▁tower"]
    pieces = subwords.encode("lowered tawny")
    assert pieces[0] == "▁lower"
    assert len(pieces) > 5
    assert subwords.decode(pieces) == "lowered tawny"
    assert subwords.encode("") == []
    assert subwords.decode([]) == ""


def test_pairs_are_merged_in_order_of_frequency():
    """The example of Sennrich et al., where the first merges are e-s, es-t and l-o."""
    texts = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3
    letters = len(set("lowernstid")) + 2  # and the space, and <unk>
    assert "es" in Subwords.learn(texts, letters + 1).encode("es")
    assert "est" in Subwords.learn(texts, letters + 2).encode("est")
    assert "▁low" in Subwords.learn(texts, letters + 6).encode("low")


@given(st.text() | st.text(alphabet=st.sampled_from("the lowr▁☃\ud800\n\0<s>▅\u200b"), max_size=30))
def test_no_text_is_too_strange(text):
    found = SUBWORDS.decode(SUBWORDS.encode(text))
    assert found == spaced(text.encode("utf-8", "replace").decode())


SUBWORDS = Subwords.learn(TEXTS, 40)


def test_pieces_no_encoder_would_make(subwords):
    assert subwords.decode(["er", "▁", "▁the", "<unk>", "▁"]) == "er  the<unk>"


def test_no_text_can_speak_the_special_tokens():
    texts = ["a <eos> b <unk> </s> <s> <pad>"] * 20
    learned = Subwords.learn(texts, 200)
    vocabulary = Vocabulary.build((piece for text in texts for piece in learned.encode(text)), specials=SPECIALS)
    ids = encode_sentence(learned.encode(texts[0]), vocabulary).tolist()
    assert ids.index(2) == len(ids) - 1
    assert not {0, 1} & set(ids)
    assert learned.decode(learned.encode(texts[0])) == texts[0]


def test_they_are_the_same_every_time_and_without_a_word(capfd):
    assert Subwords.learn(TEXTS, 40).to_bytes() == Subwords.learn(iter(TEXTS), 40).to_bytes()
    Subwords.learn([*TEXTS, "zero \0 byte", "▅ reserved", "half \ud800"], 60)
    assert capfd.readouterr() == ("", "")


def test_they_come_back_from_bytes(subwords):
    again = Subwords.from_bytes(subwords.to_bytes())
    assert again.to_bytes() == subwords.to_bytes()
    assert again.encode("the newest flower") == subwords.encode("the newest flower")
    assert len(again) == len(subwords)


def test_a_small_corpus_gives_what_it_has(subwords):
    many = Subwords.learn(TEXTS, 10_000)
    assert 40 < len(many) < 200
    assert many.encode("newest, widest") == ["▁newest", ",", "▁widest"]


def test_too_few_subwords_say_how_many_are_needed():
    needed = len(set("abc")) + 2
    assert Subwords.learn(["ab c"] * 9, needed).encode("ab") == ["▁", "a", "b"]
    with pytest.raises(InputError, match=r"4 subwords are too few: the text has 3 .*, which take at least 5"):
        Subwords.learn(["ab c"] * 9, needed - 1)


@pytest.mark.parametrize("texts", [[], ["", " \n", "\0"], iter(())])
def test_nothing_to_learn_from(texts):
    with pytest.raises(InputError, match="found none"):
        Subwords.learn(texts, 40)


def test_damaged_bytes(subwords):
    data = subwords.to_bytes()
    changed = bytearray(data)
    changed[100] ^= 1
    cut = [data[:k] for k in range(0, len(data), 7)]  # sentencepiece itself would accept some of these
    for damaged in (*cut, data[:-1], data[32:], bytes(changed), data + b"x"):
        with pytest.raises(InputError, match="subwords are damaged") as error:
            Subwords.from_bytes(damaged)
        assert "\n" not in str(error.value)


def test_without_sentencepiece(subwords, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    for use in (lambda: Subwords.learn(TEXTS, 40), lambda: Subwords.from_bytes(subwords.to_bytes())):
        with pytest.raises(InputError, match=r"pip install 'minirnn\[data\]'"):
            use()


def test_real_german(data_folder):
    folder = data_folder / "multi30k"
    if not folder.exists():
        pytest.skip("no multi30k in the data folder")
    texts = [pair.source for pair in read_aligned(folder / "val.de.gz", folder / "val.en.gz")]
    learned = Subwords.learn(texts, 1000)
    assert len(learned) == 1000
    pieces = [learned.encode(text) for text in texts]
    assert [learned.decode(p) for p in pieces] == [spaced(text) for text in texts]
    assert sum(map(len, pieces)) < 2 * sum(len(text.split()) for text in texts)


def test_subwords_are_learned_from_a_list_of_sentences():
    with pytest.raises(InputError, match="texts must be a list of strings, not one string"):
        Subwords.learn("the cat", 20)
    with pytest.raises(InputError, match="vocabulary_size must be an integer"):
        Subwords.learn(["the cat"], 20.0)
