"""The built-in English-French corpus: what its three splits promise each other, and its French as a whole."""

import re
from collections import Counter
from hashlib import sha256

import pytest

from minirnn.data.english_french import (
    SIZES,
    Author,
    combinations,
    english_french,
    held_out_combinations,
    home,
    sentences,
)
from minirnn.data.grammar import (
    finish,
)
from minirnn.data.lexicon import (
    ADJECTIVES,
    NOUNS,
    VERBS,
)
from minirnn.errors import InputError

ADJECTIVE = {adjective.english for adjective in ADJECTIVES}


def words(text):
    """Lower-case word forms; l' and its like are words of their own."""
    return re.findall(r"\w+'|[\w-]+", text.lower())


def everything():
    return [pair for split in SIZES for pair in english_french(split)]


def test_the_corpus_is_always_the_same():
    text = "\n".join("\t".join(pair) for pair in everything())
    assert sha256(text.encode()).hexdigest() == "94ae9381d9bd7302321c77253e3788994730c549248cf305f44f5269ac85fad6"


def test_counts_and_lengths():
    assert {split: len(english_french(split)) for split in SIZES} == {"train": 25_000, "valid": 1_000, "test": 1_000}
    lengths = Counter(len(words(english)) for english, _ in everything())
    assert min(lengths) >= 2
    assert max(lengths) <= 14
    assert sum(n for length, n in lengths.items() if length < 3) < 200


def test_every_sentence_is_in_one_split_once():
    pairs = everything()
    assert len({english for english, _ in pairs}) == len({french for _, french in pairs}) == len(pairs)


def test_unknown_split():
    with pytest.raises(InputError, match=r"'dev'.*train, valid, test"):
        english_french("dev")


def test_a_caller_cannot_change_the_corpus():
    english_french("valid").clear()
    assert len(english_french("valid")) == 1_000


def lemmas(items, *forms):
    return {getattr(item, form): item for item in items for form in forms}


ENGLISH_NOUNS = lemmas(NOUNS, "english", "english_plural")
FRENCH_NOUNS = lemmas(NOUNS, "french", "french_plural")
FRENCH_ADJECTIVES = {
    shape: adjective
    for adjective in ADJECTIVES
    for form in adjective.forms.values()
    for shape in form.split("|")
}  # fmt: skip
ENGLISH_VERBS = {form: verb.base for verb in VERBS for form in (verb.base, *verb.english_conjugation.values())}
OBJECT_VERBS = {verb.english for verb in VERBS if verb.objects}
DETERMINERS = {"the", "a", "an", "some", "any", "this", "these", "two", "three", "many"}
DETERMINERS |= {"my", "your", "his", "her", "our", "their"}


def english_combinations(text):
    """Adjectives that stand before a noun, and verbs whose object it is, as read off the words alone."""
    tokens = words(text)
    for i, token in enumerate(tokens):
        if token not in ENGLISH_NOUNS:
            continue
        noun, j = ENGLISH_NOUNS[token].english, i - 1
        while tokens[j] in ADJECTIVE or tokens[j] == "very":
            if tokens[j] != "very":
                yield tokens[j], noun
            j -= 1
        if j >= 1 and tokens[j] in DETERMINERS:
            verb = ENGLISH_VERBS.get(tokens[j - 1])
            if j >= 2 and tokens[j - 1] in ("at", "for", "to"):
                verb = f"{ENGLISH_VERBS.get(tokens[j - 2])} {tokens[j - 1]}"
            if verb in OBJECT_VERBS:
                yield verb, noun


def french_combinations(text):
    """Adjectives right before and right after a noun."""
    tokens = words(text)
    for i, token in enumerate(tokens):
        if token not in FRENCH_NOUNS:
            continue
        for step, precedes in ((-1, True), (1, False)):
            j = i + step
            while 0 <= j < len(tokens) and (tokens[j] == "très" or tokens[j] in FRENCH_ADJECTIVES):
                adjective = FRENCH_ADJECTIVES.get(tokens[j])
                if adjective and adjective.precedes == precedes:
                    yield adjective.english, FRENCH_NOUNS[token].english
                j += step


def predicates(text):
    """Nouns and what they are said to be: "the cat is not very big"."""
    for noun, adjective in re.findall(r"(\w+) (?:is|are) (?:(?:not|never|often|always) )?(?:very )?(\w+)", text):
        if noun in ENGLISH_NOUNS and adjective in ADJECTIVE:
            yield adjective, ENGLISH_NOUNS[noun].english


def read_off(pair):
    english, french = pair
    return {*english_combinations(english), *french_combinations(french), *predicates(english)}


def test_held_out_combinations_are_in_no_other_split():
    found = {split: set().union(*map(read_off, english_french(split))) for split in SIZES}
    for split in ("valid", "test"):
        own = held_out_combinations(split)
        assert len(found[split] & own) > 0.8 * len(own)
        for other in set(SIZES) - {split}:
            assert not found[other] & own


def test_every_test_sentence_has_a_held_out_combination():
    for split in ("valid", "test"):
        held_out = held_out_combinations(split)
        for sentence in sentences(split):
            assert sentence.combinations & held_out
            assert {home(combination) for combination in sentence.combinations} <= {"train", split}
    assert {home(c) for sentence in sentences("train") for c in sentence.combinations} == {"train"}


def test_combinations_of_a_sentence_are_those_read_off_its_words():
    for sentence in sentences("test"):
        missed = read_off(sentence[:2]) - sentence.combinations
        assert not missed, sentence
    for sentence in sentences("test"):
        unseen = {pair for pair in sentence.combinations - read_off(sentence[:2]) if pair[0] in ADJECTIVE}
        # Only "the cat and the dog are black" says something of a noun that is not next to the verb.
        assert not unseen or re.search(r" and .* (is|are) |^(Is|Are) ", sentence.english), (sentence, unseen)


def test_a_tenth_of_the_combinations_is_held_out():
    assert 0.08 < len(held_out_combinations("test")) / len(combinations()) < 0.13
    assert 0.03 < len(held_out_combinations("valid")) / len(combinations()) < 0.08
    kinds = {pair[0] in ADJECTIVE for pair in held_out_combinations("test")}
    assert kinds == {True, False}


@pytest.mark.parametrize("language", [0, 1])
def test_every_word_form_of_test_is_frequent_in_train(language):
    train = Counter(word for pair in english_french("train") for word in words(pair[language]))
    for split in ("valid", "test"):
        forms = {word for pair in english_french(split) for word in words(pair[language])}
        assert {form: train[form] for form in forms if train[form] < 5} == {}


def test_every_english_sentence_has_one_translation():
    translations = dict(everything())
    author = Author(7)
    for _ in range(15_000):
        sentence = finish(*author.sentence())
        assert translations.setdefault(sentence.english, sentence.french) == sentence.french


VOWEL = "(?:[aeiouyâéêîôœ]|h(?!éros|ibou))"
FORBIDDEN = [
    rf"\b(?:le|la|je|ne|me|de|que|ce|ma|sa) {VOWEL}",
    rf"\b(?:beau|nouveau) {VOWEL}",
    rf"\b(?:un|le|ce|mon|son|notre|votre|leur|du|au) (?:très )?vieux {VOWEL}",
    rf"\b(?:cet|bel|vieil|nouvel) (?!{VOWEL})",
    rf"\b(?:[ljnmd]|qu)'(?!{VOWEL})",
    r"\b(?:de|à) les?\b",
    r"\bde des?\b|\bd'(?:des?|autres)\b",
    r"\b(?:pas|jamais) (?:un|une|des)\b",
    rf"\b(?:mon|son) (?!{VOWEL})(?:{'|'.join(noun.french for noun in NOUNS if noun.gender == 'f')})\b",
    r"\||' |\s\s| [.]|[^ ]\?",
]


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_what_french_never_has(pattern):
    assert [french for _, french in everything() if re.search(pattern, french, re.IGNORECASE)][:5] == []


def test_negations_are_complete():
    for _, french in everything():
        tokens = words(french)
        assert sum(token in ("ne", "n'") for token in tokens) == sum(token in ("pas", "jamais") for token in tokens)


def test_an_indefinite_plural_article_is_de_before_a_preceding_adjective():
    before = "|".join(form for a in ADJECTIVES if a.precedes for form in a.forms.values() if form[-1] in "sx")
    for english, french in everything():
        if re.search(rf"\bdes (?:très )?(?:{before})\b", french, re.IGNORECASE):
            assert re.search(r"\b(?:of|near) the\b", english)  # there it is de + les


def test_english_articles():
    for english, _ in everything():
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|\bcan not\b", english, re.IGNORECASE)
