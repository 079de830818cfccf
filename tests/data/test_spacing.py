"""Spaces are found again: what was cut and put together is what it was, and few texts have to say so."""

import functools
import gzip
import itertools
import json
import zipfile
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import Codec, InputError, Vocabulary, corpus_bleu
from minirnn.data import SPECIALS, detokenize, read_aligned, read_pairs, tokenize
from minirnn.data import spacing as spacing_module
from minirnn.data.reading import read_text
from minirnn.data.spacing import JOIN, SPACE, Spacing
from minirnn.data.words import LONGEST, compose

FRENCH = ["Il dit : oui", "Note : non", "Le train part à 10:30.", "Score 3:1.", "Oui ?", "« Ah ! dit-il.", "Oh !"]


def plain(text):
    """What is left of a text that is cut into words: single spaces, and none at the ends of lines."""
    return "\n".join(" ".join(line.split()) for line in compose(text).split("\n"))


def test_a_codec_gives_back_what_it_learned():
    codec = Codec.build(FRENCH, "word", "none")
    assert codec.spacing.learned == {"!": " ! ", ":": " : "}
    assert [codec.decode(codec.encode(text)) for text in FRENCH] == FRENCH
    assert codec.cut("Il dit : 10:30 !") == ["Il", "dit", ":", "10:30", "!"]
    odd = [
        "Oui ?!",
        "Non !",
        "Quoi ?",
        "Ah !",
        "Voir http://x.org/a?b=1",
        "15$ ou 15 $",
        "Oui:non",
        "'n' 5'",
        "(Oh!) ,",
    ]
    codec = Codec.build(odd, "word", "none")
    assert [codec.decode(codec.encode(text)) for text in odd] == odd


def test_how_a_mark_stands_is_learned_from_the_words_around_it():
    learned = lambda *texts: Spacing.learn([text for text in texts for _ in range(2)]).learned
    assert learned("oui !", "non ! si") == {"!": " ! "}
    assert learned("a/b c", "x-y - z") == {"/": "/"}
    assert learned("a +b c", "d *e* f") == {"+": " +"}
    assert learned("a# b", "c (d) e, f") == {"#": "# "}
    assert learned("a)", "! a", "a ( ", "?") == {}  # nothing is seen at the ends of texts
    assert learned("a\n!\n!\nb") == {}  # nor of lines
    assert learned("a ?! b") == {"?": " ? "}  # nor of one mark beside another
    assert learned("a ! b c! d") == {}  # as often as not
    assert learned('a " b', "c ' d") == {}  # quotes open and close
    assert learned("l ' a", "l'a 10:30 don't t-shirt") == {}  # what stands inside words
    assert Spacing.learn(["a ! b"]).learned == {}  # once is no rule
    assert Spacing.learn(["a ! b", "c ! d", "e! f"]).learned == {}
    assert Spacing.learn(["a ! b", "c ! d"]).learned == {"!": " ! "}
    assert Spacing.learn(["a! b"] * 9 + ["a ! b"] * 11).learned == {"!": " ! "}
    assert Spacing.learn([]).learned == {}


def test_of_many_texts_some_are_learned_from(monkeypatch):
    monkeypatch.setattr(spacing_module, "ENOUGH", 4)
    texts = ["a ! b", "a! b"] * 4
    assert Spacing.learn(texts).learned == {}  # eight are three steps of three: of both kinds
    assert Spacing.learn(["a ! b", "a! b", "a! b"] * 3).learned == {"!": " ! "}
    assert Spacing.learn(["a ! b", "a! b", "a! b"]).learned == {}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("so, (yes) 3 $5 50%", "so , ( yes ) 3 $ 5 50 %"),
        ("http://a.b", "http : <join> / <join> / <join> a . <join> b"),
        ("so , yes", "so <space> , yes"),
        ("( yes )", "( <space> yes <space> )"),
        ("a ... b c...d", "a <space> ... b c ... <join> d"),
        ("l'enfant l' a", "l' enfant l <join> ' a"),
        ('"a" b "c "d" e', '" a " b " c <space> " <join> d <join> " e'),
        ("dogs' 'tails' 5'", "dogs <join> ' ' tails ' 5 <join> '"),
        ("„Ja“ “yes” „a “b", "„ Ja “ “ yes ” „ a <space> “ <join> b"),
        ('" a " b\n" c', '" <space> a <space> " b \n " <space> c'),
        ('"a\n"b', '" a \n " b'),
        (", a .", ", a <space> ."),
        ("a\n, b (\nc", "a \n , b ( \n c"),
        ("a <join> b", "a < <join> join <join> > b"),
        ("", ""),
    ],
)
def test_what_departs_from_the_rules_is_said(text, tokens):
    tokens = [token for token in tokens.split(" ") if token]
    assert Spacing().cut(text) == tokens
    assert Spacing().join(tokens) == text
    assert [token for token in tokens if token not in (JOIN, SPACE)] == tokenize(text, "word")


def test_what_stands_after_a_mark_that_closes_is_put_as_the_rules_say():
    spacing = Spacing({"!": " ! ", "-": "-", "€": " €", "#": "# "})
    tokens = ["oui", "!", "a", "-", "b", "€", "5", "#", "3", ",", "l'", "(", "x", ")", "U.S.", "..", "y"]
    assert spacing.join(tokens) == "oui ! a-b €5# 3, l'(x) U.S... y"
    assert spacing.join([SPACE, "a", SPACE, "\n", "b", JOIN]) == "a\nb"
    assert spacing.join(["a", JOIN, SPACE, ",", "b", SPACE, JOIN, "c", "d"]) == "a , bc d"
    assert spacing.sides("!") == (True, True)
    assert spacing.sides("word") == spacing.sides("😀") == (True, True)
    assert spacing.sides("qu'") == (True, False)


TOKENS = st.sampled_from(["a", "l'", "'", '"', "„", "“", ",", "(", "!", "\n", "...", "é", JOIN, SPACE, "<unk>", "5"])


@given(st.lists(TOKENS, max_size=12))
def test_any_tokens_make_a_text(tokens):
    spacing = Spacing({"!": " ! "})
    text = spacing.join(tokens)
    real = [token for token in tokens if token not in (JOIN, SPACE)]
    assert text.replace(" ", "") == "".join(real)
    assert "  " not in text
    assert all(line == line.strip() for line in text.split("\n"))
    assert detokenize(real, "word") == Spacing().join(real)


@given(st.lists(TOKENS, max_size=12))
def test_a_mark_that_says_what_the_rules_say_changes_nothing(tokens):
    real = [token for token in tokens if token not in (JOIN, SPACE)]
    text = Spacing().join(real)
    told = []
    for before, token in itertools.pairwise([None, *real]):
        joined = len(Spacing().join([*told, token])) == len(Spacing().join(told)) + len(token)
        told += [token] if before is None else [JOIN if joined else SPACE, token]
    assert Spacing().join(told) == text


LATIN = st.text(alphabet=st.sampled_from("abl'’\"„“”,.;:!?()-$/15é \u00a0\t\n<>_…«»"), max_size=40)
MARKS = st.text(alphabet=st.sampled_from("a1'\u0301👍🏽\u200d🇫\u00ad\u200b \n."), max_size=30)
ANY = st.text(max_size=40) | LATIN | MARKS


@given(st.lists(ANY, min_size=1, max_size=6))
def test_every_text_comes_back(texts):
    if not any(tokenize(text, "word") for text in texts):
        return
    codec = Codec.build(texts, "word", "none")
    for text in texts:
        ids = codec.encode(text)
        assert codec.decode(ids) == plain(text)
        assert codec.words(ids) == codec.reference(text) == tokenize(text, "word")
    again = Codec.from_json(json.loads(json.dumps(codec.to_json()))) if "\ud800" not in repr(texts) else codec
    assert again.spacing.learned == codec.spacing.learned
    assert [again.decode(again.encode(text)) for text in texts] == [plain(text) for text in texts]


@given(st.lists(ANY, max_size=6))
def test_tokens_are_counted_as_they_are_cut(texts):
    texts = [compose(text) for text in texts]
    spacing = Spacing.learn(texts)
    assert spacing.count(texts) == Counter(itertools.chain.from_iterable(map(spacing.cut, texts)))


def test_long_pieces_and_many_pieces_are_cut_alike(monkeypatch):
    texts = ["a,b " + "x,y" * LONGEST, "c. (d e,f", "g h,i"]
    many = Spacing()
    expected = [many.cut(text) for text in texts]
    assert set(many._known) == {"a,b", "c.", "(d", "e,f", "g", "h,i"}
    many.cut("x," * (LONGEST // 2))
    assert len(many._known) == 7
    monkeypatch.setattr(spacing_module, "MOST", 2)
    few = Spacing()
    assert [few.cut(text) for text in texts * 2] == expected * 2
    assert len(few._known) == 2
    assert few.count(texts) == Counter(itertools.chain.from_iterable(expected))


IMPOSSIBLE = [
    *({"!": "!!"}, {"!": "  !"}, {"!": " ? "}, {"": " "}, {" ": " "}, {"! ": "! "}, {"\n": "\n"}),
    *({"a": "a"}, {"_": "_"}, {'"': ' " '}, {"'": "'"}),
]


@pytest.mark.parametrize("learned", IMPOSSIBLE)
def test_spaces_that_cannot_be(learned):
    config = Codec.build(FRENCH).to_json()
    for make in (lambda: Spacing(learned), lambda: Codec.from_json(config | {"spacing": learned})):
        with pytest.raises(InputError, match=r"the mark .* cannot stand as"):
            make()


@pytest.mark.parametrize(
    "damage", [{"spacing": 7}, {"spacing": ["!"]}, {"spacing": {"!": 5}}, {"rules": 3}, {"rules": "2"}]
)
def test_a_damaged_codec_is_refused(damage):
    with pytest.raises((InputError, TypeError, ValueError, AttributeError)):
        Codec.from_json(Codec.build(FRENCH).to_json() | damage)


def test_marks_that_the_vocabulary_does_not_have_are_not_said():
    codec = Codec.build(["a, b"], "word", "none")
    assert codec.cut("a ,b") == ["a", ",", "b"]
    only = Codec.build(["a, b c.d"], "word", "none")
    assert JOIN in only.vocabulary
    assert SPACE not in only.vocabulary
    assert only.cut("a ,b") == ["a", ",", JOIN, "b"]
    assert only.decode(only.encode("a ,b")) == "a,b"
    other = Codec.build(["a, b ,"], "word", "none")
    assert other.cut("a ,b") == ["a", SPACE, ",", "b"]


def test_bleu_does_not_see_what_is_said_of_spaces():
    codec = Codec.build(["a.b c ,d e"], "word", "none")
    ids = codec.encode("a.b c ,d e")
    assert JOIN in codec.pieces(ids)
    assert SPACE in codec.pieces(ids)
    assert codec.words(ids) == codec.reference("a.b c ,d e") == ["a", ".", "b", "c", ",", "d", "e"]
    assert corpus_bleu([codec.words(ids)], [codec.reference("a.b c ,d e")]) == pytest.approx(100)
    spaced = Codec("space", "none", Vocabulary([*SPECIALS, JOIN, "a"]))
    assert spaced.words(spaced.encode("a <join>")) == ["a", JOIN]  # in other tokens it is a word like any other
    assert spaced.decode(spaced.encode("a <join> a")) == "a <join> a"


def test_one_vocabulary_and_the_spaces_of_each_language():
    english, french = ["Well! Yes! No.", "Oh! Ah!"], ["Bien ! Oui ! Non.", "Oh ! Ah !"]
    one, other = Codec.build_shared([english, french], "word", "none")
    assert one.vocabulary is other.vocabulary
    assert JOIN not in one.vocabulary
    assert SPACE not in one.vocabulary
    assert one.decode(one.encode("Oh! Ah!")) == "Oh! Ah!"
    assert other.decode(one.encode("Oh! Ah!")) == "Oh ! Ah !"
    assert (
        one.vocabulary.tokens
        == Vocabulary.build(
            (token for text in english + french for token in tokenize(text, "word")), specials=SPECIALS
        ).tokens
    )


@pytest.mark.parametrize("tokens", ["word", "char", "space"])
def test_what_was_learned_before_there_were_rules_goes_on_as_it_did(tokens):
    text = "e\u0301le\u0300ve : 10:30 👍🏽 !"
    vocabulary = [*SPECIALS, *dict.fromkeys(tokenize(text, tokens, 1))]
    first = Codec.from_json({"tokens": tokens, "clean": "lower", "spaced": "!:", "vocabulary": vocabulary})
    for codec in (first, Codec.from_json(first.to_json())):
        assert codec.cut(text) == vocabulary[len(SPECIALS) :] if tokens != "char" else list(text)
        assert codec.words(codec.encode(text)) == codec.reference(text)
        assert not codec.recomposes(text)
        assert codec.vocabulary.tokens == vocabulary
    if tokens == "word":
        assert codec.decode(codec.encode(text)) == "e \u0301 le \u0300 ve : 10:30 👍 🏽 !"
    else:
        assert codec.decode(codec.encode(text)) == text


# The real corpora, and the greatest part of the sentences of each that the rules alone would not give back.
CORPORA = {
    "fra-eng English": 0.001,
    "fra-eng French": 0.006,
    "multi30k German": 0.006,
    "multi30k English": 0.004,
    "The Time Machine": 0.04,
    "chitchat": 0.06,
}


@functools.cache
def pairs_of(name, folder, scratch):
    if name == "multi30k":
        return read_aligned(folder / "multi30k" / "train.de.gz", folder / "multi30k" / "train.en.gz")
    with zipfile.ZipFile(folder / "fra-eng.zip") as archive:
        (scratch / "fra.txt").write_bytes(archive.read("fra-eng/fra.txt"))
    return read_pairs(scratch / "fra.txt")


def sentences(name, folder, scratch):
    if name == "chitchat":
        with gzip.open(folder / "chitchat.jsonl.gz", "rt", encoding="utf-8") as lines:
            return [turn for line in lines for turn in json.loads(line)]
    if name == "The Time Machine":
        return [line for line in read_text(folder / "timemachine.txt").split("\n") if line]
    side = 0 if name in ("fra-eng English", "multi30k German") else 1
    return [pair[side] for pair in pairs_of(name.split()[0], folder, scratch)]


def kind(token):
    return "a word" if token[:1].isalnum() else repr(token)


@pytest.mark.parametrize("step", [25, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CORPORA)
def test_real_sentences_come_back(name, step, data_folder, tmp_path_factory):
    try:
        texts = sentences(name, data_folder, tmp_path_factory.getbasetemp())[::step]
    except FileNotFoundError as error:
        pytest.skip(f"not in the data folder: {error.filename}")
    codec = Codec.build(texts, "word", "none")
    lost, told, said = Counter(), Counter(), 0
    for text in texts:
        ids, expected = codec.encode(text), plain(text)
        tokens = codec.cut(text)
        found = [i for i, token in enumerate(tokens) if token in (JOIN, SPACE)]
        said += bool(found)
        told.update(f"{kind(tokens[i - 1])} {tokens[i]} {kind(tokens[i + 1])}" for i in found)
        if (back := codec.decode(ids)) != expected:
            at = next(i for i, (a, b) in enumerate(itertools.zip_longest(back, expected)) if a != b)
            lost[f"{expected[at - 1 : at + 1]!r} became {back[at - 1 : at + 1]!r}"] += 1
    print(f"{name}: {lost.total()} of {len(texts)} sentences differ {dict(lost.most_common())}")
    print(f"  {said} of them say something of their spaces: {dict(told.most_common(12))}")
    assert lost.total() <= 0.001 * len(texts)
    assert said <= CORPORA[name] * len(texts)
