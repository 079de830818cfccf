"""Words of any script: marks and joiners stay with their letters, however a text is encoded."""

import string
import subprocess
import sys
import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import Codec, InputError
from minirnn.data import detokenize, tokenize
from minirnn.data import words as words_module
from minirnn.data.words import LONGEST, check_rules, compose, is_elided, is_mark, plain_words, standing, words

decompose = lambda text: unicodedata.normalize("NFD", text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("İstanbul'da".lower(), "i\u0307stanbul'da"),
        ("हिन्दी में, नमस्ते।", "हिन्दी में , नमस्ते ।"),
        ("שָׁלוֹם עוֹלָם!", "שָׁלוֹם עוֹלָם !"),
        ("العَرَبِيَّة؟", "العَرَبِيَّة ؟"),
        ("ภาษาไทยที่ดี", "ภาษาไทยที่ดี"),
        ("می\u200cخواهم ه\u200d.", "می\u200cخواهم ه\u200d ."),
        ("Donau\u00addampf\u00ad-schiff\u00ad", "Donau\u00addampf\u00ad-schiff\u00ad"),
        ("\u200fא\u200f!\u200e", "\u200f א\u200f !\u200e"),
        ("b\ufeffc x\u2060y", "b\ufeffc x\u2060y"),
        ("gut👍🏽👍 ok", "gut 👍🏽 👍 ok"),
        ("🇫🇷🇩🇪!", "🇫🇷 🇩🇪 !"),
        ("👨\u200d👩\u200d👧👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧 👨\u200d👩\u200d👧"),
        ("1\ufe0f\u20e3#\ufe0f\u20e3❤\ufe0f❤", "1\ufe0f\u20e3 #\ufe0f\u20e3 ❤\ufe0f ❤"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", None),
        ("\u0600123 \u0600", "\u0600123 \u0600"),
        ("\u0301x ...\u0301 --\u200d", "\u0301 x ...\u0301 --\u200d"),
        ("U.\u0301S.\u0301 é.à. x̂.y.", "U .\u0301 S .\u0301 é.à. x\u0302.y."),
        ("l'\u0301a l'é L’Ô qu'x̂", "l '\u0301 a l' é L’ Ô qu' x\u0302"),
        ("x̂-ŷ 3\u0301.1 3.1\u0301 don’t", "x\u0302-ŷ 3\u0301 . 1 3.1\u0301 don’t"),
        ("a.b.\u0301 c.d. ½.². Ⅷ.x.", "a . b .\u0301 c.d. ½.². Ⅷ.x."),
        ("½ cup, x² ‿ _é Ⓜ", "½ cup , x² ‿ _é Ⓜ"),
        ("é\x1cà\x85b\u2028c\u3000d\u200be", "é à b c d \u200b e"),
    ],
)
def test_marks_stay_with_their_letters(text, tokens):
    assert tokenize(text, "word") == (compose(tokens).split(" ") if tokens else [text])


FRENCH = "Où est l'élève ? À côté, ça va…"


@pytest.mark.parametrize("tokens", ["word", "space"])
def test_composed_and_decomposed_text_is_the_same_words(tokens):
    assert decompose(FRENCH) != FRENCH
    found = tokenize(decompose(FRENCH), tokens)
    assert found == tokenize(FRENCH, tokens)
    assert detokenize(found, tokens).replace(" ", "") == FRENCH.replace(" ", "")
    assert tokenize(decompose(FRENCH), "char") == list(decompose(FRENCH))


def test_the_first_rules_still_cut_as_they_did():
    assert tokenize(decompose("l'été"), "word", 1) == ["l'", "e", "\u0301", "te", "\u0301"]
    assert tokenize("👍🏽", "word", 1) == plain_words("👍🏽") == ["👍", "🏽"]
    assert tokenize("a\u200db c\u00add", "word", 1) == ["a", "\u200d", "b", "c", "\xad", "d"]
    for tokens in ("space", "char"):
        assert "".join(tokenize(decompose("été"), tokens, 1)) == decompose("été")
    for rules in (1, 2):
        assert check_rules(rules) == rules
    for wrong in (0, 3, True, 2.0, "2", None):
        with pytest.raises(InputError, match="rules of a version from 1 to 2, found"):
            check_rules(wrong)


ASCII = st.lists(st.sampled_from([*string.printable, *"ll''..--11,:", "qu", "jusqu'"]), max_size=30).map("".join)
LATIN = st.text(alphabet=st.sampled_from("ldqu'’-.,:1aé½² \n\"“„(…\0_\ud800ſ中"), max_size=30)


@given(ASCII | LATIN)
def test_text_without_marks_is_cut_alike_by_all_rules(text):
    assert words(text) == plain_words(text)
    by_unicode = [token for chunk in text.split() for token in words_module._unicode().findall(chunk)]
    assert by_unicode == [token for token in plain_words(text) if token != "\n"]


LONE = "ab1.,:-'l\u0301\u093f\u200d\u200c\u00ad\u200b\u200f\ufe0f👍🏽🇫❤\u0600 \n"
MARKS = st.text(alphabet=st.sampled_from(LONE), max_size=20)


@given(st.text(max_size=20) | MARKS)
def test_only_white_space_is_lost_and_a_mark_stands_alone_only_after_it(text):
    assert "".join("".join(tokenize(text, "word")).split()) == "".join(compose(text).split())
    for chunk in compose(text).split():
        assert "".join(words(chunk)) == chunk
        assert not any(is_mark(token) for token in words(chunk)[1:])


def test_ascii_is_cut_without_the_library_for_all_scripts():
    check = "import sys; from minirnn.data import tokenize; tokenize('a, b', 'word'); assert 'regex' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize("piece", ["é", "é-", "x\u0301", "\u0301", "é.", "\u200d", "👍\u200d", "🇫", "l'é", "1\u0301."])
def test_long_words_of_any_script_take_linear_time(piece):
    start = time.process_time()
    tokenize(piece * 30_000 + "!", "word")
    assert time.process_time() - start < 2


def test_long_words_are_cut_alike_and_not_remembered():
    long = "é-" * LONGEST + "x,"
    assert tokenize(long, "word") == ["é-" * LONGEST + "x", ","]
    words_module._remembered.cache_clear()
    tokenize(f"{long} {'a' * (LONGEST + 1)}", "word")
    assert words_module._remembered.cache_info().currsize == 0
    tokenize("a" * LONGEST, "word")
    assert words_module._remembered.cache_info().currsize == 1


def test_elided_words():
    assert all(is_elided(word) for word in ("l'", "L’", "qu'", "Jusqu’"))
    assert not any(is_elided(word) for word in ("l", "x'", "'", "l'a", "", "rock'"))


def test_a_mark_is_shown_on_a_circle():
    assert [standing(token) for token in ("\u0301", "é", "e\u0301", "ि", "", "-")] == [
        "◌\u0301",
        "é",
        "e\u0301",
        "◌ि",
        "",
        "-",
    ]


@pytest.mark.parametrize("tokens", ["word", "char", "space", "bpe"])
@pytest.mark.parametrize("clean", ["none", "lower", "letters"])
def test_a_codec_reads_both_forms_alike(tokens, clean):
    texts = [decompose(text) for text in (FRENCH, "Élève à Ėœ İ")] * 5
    codec = Codec.build(texts, tokens, clean, max_vocabulary=60)
    for text in texts:
        composed = unicodedata.normalize("NFC", text)
        assert codec.encode(text).tolist() == codec.encode(composed).tolist()
        assert codec.reference(text) == codec.reference(composed) == codec.words(codec.encode(text))
        assert codec.decode(codec.encode(text)) == compose(codec.decode(codec.encode(text)))
        assert codec.recomposes(text)
        assert not codec.recomposes(composed)
    assert not codec.recomposes("plain")


def test_letters_that_compose_only_when_lower_case():
    codec = Codec.build(["ẖ"], "char", "lower")
    assert codec.cut("H\u0331") == codec.cut("h\u0331") == ["ẖ"]


def test_lower_case_letters_are_the_same_in_both_forms():
    every = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    for letter in (c for c in every if c.lower() != c or compose(c) != c):
        assert compose(decompose(letter).lower()) == compose(compose(letter).lower()) == compose(letter.lower()), letter


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"texts": "the cat"}, r"texts must be a list of strings, not one string: write \['the cat'\]"),
        ({"texts": [["the", "cat"]]}, "texts must be strings"), ({"min_frequency": 0}, "min_frequency"),
        ({"min_frequency": float("nan")}, "min_frequency"), ({"max_vocabulary": 0}, "max_vocabulary"),
        ({"max_vocabulary": 1.5}, "max_vocabulary"),
    ],
)  # fmt: skip
def test_a_codec_is_built_of_a_list_of_sentences(given, words):
    with pytest.raises(InputError, match=words):
        Codec.build(**{"texts": ["the cat"], **given})
    assert len(Codec.build(iter(["the cat"]), min_frequency=np.int64(1), max_vocabulary=np.int64(1)).vocabulary) == 5
