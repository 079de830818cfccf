"""A small grammar of English and French: it makes up pairs of sentences that mean the same.

A rule builds the English and the French words of a phrase side by side, so that both always say the same thing.
Word for word they differ, and that is what a translation model has to learn:

    The black cats sleep.                   Les chats noirs dorment.              a colour follows its noun and agrees
    She sees the small black cat.           Elle voit le petit chat noir.         but a few adjectives precede it
    Some black cats, some small cats        des chats noirs, de petits chats      "de" before a preceding adjective
    a beautiful bird, this old hotel        un bel oiseau, ce vieil hôtel         another shape before a vowel sound
    We love her.                            Nous l'aimons.                        an object pronoun precedes its verb
    The dog does not want to follow me.     Le chien ne veut pas me suivre.       "ne … pas" goes around the first verb
    He never reads a book.                  Il ne lit jamais de livre.            "un" is "de" when it is denied
    Does she often go to the park?          Est-ce qu'elle va souvent au parc ?   à + le = au, de + les = des

Every English sentence has exactly one translation: "you" is always the polite "vous" said to a man, "they" is "ils".
The words are in `lexicon.py`; `english_french.py` makes up sentences with these rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from minirnn.data.lexicon import ASPIRATED, WANT, Adjective, Adverb, Determiner, Noun, Pronoun, Verb

Combination = tuple[str, str]


class Phrase(NamedTuple):
    """Words in both languages.

    `person` (one of `PERSONS`) and `gender` are what verbs and adjectives agree with, `nouns` those it is about.
    `combinations` are its pairs of words that go together, (adjective, noun) and (verb, noun).
    """

    english: list[str]
    french: list[str]
    combinations: frozenset[Combination] = frozenset()
    person: str = "il"
    gender: str = "m"
    nouns: tuple[Noun, ...] = ()


class Sentence(NamedTuple):
    """A sentence in both languages and the combinations in it."""

    english: str
    french: str
    combinations: frozenset[Combination]


# Spelling: what words do to their neighbours, in one place. ---------------------------------------------------------

ENGLISH_MERGERS = {("can", "not"): "cannot"}
FRENCH_MERGERS = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


def english_vowel(word: str) -> bool:
    """Whether "an" goes before it."""
    return word[:1] in set("aeiou")


def french_vowel(word: str) -> bool:
    """Whether it begins with a vowel sound: a vowel or a mute h."""
    return word[:1] in set("aeiouyâéêîôœ") or (word[:1] == "h" and word not in ASPIRATED)


def spell(words: Sequence[str], vowel: Callable[[str], bool], mergers: Mapping[tuple[str, str], str]) -> str:
    """Join words to text: choose the shape of `le|l'` by the next word, merge "de le" to "du", close up "l' ami".

    It goes from right to left, because a word's shape depends on the final shape of the next one: in
    `ma|mon`, `beau|bel`, "oiseau" it is "bel", not "oiseau", that decides about `ma|mon`.
    """
    done: list[str] = []  # the last word first
    following = ""
    for word in reversed(words):
        plain, _, before_vowel = word.partition("|")
        shape = before_vowel if before_vowel and vowel(following) else plain
        if (shape, following) in mergers:
            done.pop()
            shape = mergers[shape, following]
        done.append(shape)
        following = shape
    return " ".join(reversed(done)).replace("' ", "'")


def finish(clause: Phrase, question: bool = False) -> Sentence:
    """The clause as a sentence: spelt, with a capital and a full stop or a question mark."""
    english = spell(clause.english, english_vowel, ENGLISH_MERGERS)
    french = spell(clause.french, french_vowel, FRENCH_MERGERS)
    ends = ("?", " ?") if question else (".", ".")
    return Sentence(
        english[0].upper() + english[1:] + ends[0], french[0].upper() + french[1:] + ends[1], clause.combinations
    )


# Phrases ------------------------------------------------------------------------------------------------------------


def noun_phrase(
    determiner: Determiner, adjectives: Sequence[Adjective], noun: Noun, plural: bool = False, very: bool = False
) -> Phrase:
    """A determiner, adjectives in English order, and a noun: "the small black cats", "les petits chats noirs".

    With `very` the first adjective gets "very".
    """
    english = [determiner.plural if plural else determiner.singular]
    article = determiner.masculine if noun.gender == "m" else determiner.feminine
    before: list[str] = []
    after: list[str] = []
    for i, adjective in enumerate(adjectives):
        intensified = very and i == 0
        english += ["very", adjective.english] if intensified else [adjective.english]
        agreeing = adjective.agree(noun.gender, plural)
        (before if adjective.precedes else after).extend(["très", agreeing] if intensified else [agreeing])
    if plural:
        article = "de|d'" if before and determiner.french_plural == "des" else determiner.french_plural
    return Phrase(
        [*english, noun.english_plural if plural else noun.english],
        [*article.split(), *before, noun.french_plural if plural else noun.french, *after],
        frozenset((adjective.english, noun.english) for adjective in adjectives),
        "ils" if plural else "il",
        noun.gender,
        (noun,),
    )


def pronoun_phrase(pronoun: Pronoun) -> Phrase:
    """A pronoun as subject."""
    return Phrase([pronoun.english], [pronoun.french], person=pronoun.person, gender=pronoun.gender)


def both(first: Phrase, second: Phrase) -> Phrase:
    """Two subjects: "the cat and the mouse". Masculine as soon as one of them is."""
    gender = "f" if first.gender == second.gender == "f" else "m"
    return linked(first, "and", "et", second)._replace(person="ils", gender=gender, nouns=first.nouns + second.nouns)


def linked(first: Phrase, english: str, french: str, second: Phrase) -> Phrase:
    """Two phrases with something between them; agreement is with the first: "the key of the teacher"."""
    return first._replace(
        english=[*first.english, *english.split(), *second.english],
        french=[*first.french, *french.split(), *second.french],
        combinations=first.combinations | second.combinations,
    )


def predicate(subject: Phrase, adjective: Adjective, very: bool = False) -> Phrase:
    """What the subject is: "very small", "très petite" for a mouse."""
    agreeing = adjective.agree(subject.gender, subject.person in ("nous", "ils"))
    degree = (["very"], ["très"]) if very else ([], [])
    combinations = frozenset((adjective.english, noun.english) for noun in subject.nouns)
    return Phrase([*degree[0], adjective.english], [*degree[1], agreeing], combinations)


def acted_on(verb: Verb, thing: Phrase) -> Phrase:
    """A phrase as the object of a verb: it gets the verb's prepositions and makes a combination with the verb."""
    return Phrase(
        [*verb.english_preposition.split(), *thing.english],
        [*verb.french_preposition.split(), *thing.french],
        thing.combinations | {(verb.english, noun.english) for noun in thing.nouns},
        nouns=thing.nouns,
    )


# Clauses ------------------------------------------------------------------------------------------------------------


def clause(
    subject: Phrase,
    verbs: Sequence[Verb],
    rest: Phrase | None = None,
    adverb: Adverb | None = None,
    clitic: str = "",
    question: bool = False,
) -> Phrase:
    """A subject, its verb, and the rest.

    Args:
        subject: who.
        verbs: the verb; or "want" or "can" and the verb.
        rest: what follows the verb.
        adverb: "not", "never", "often" or "always".
        clitic: the French object pronoun, which precedes its verb; in English it is part of `rest`.
        question: whether it asks.
    """
    rest = rest or Phrase([], [])
    return Phrase(
        english_verbs(subject, verbs, adverb, question) + rest.english,
        french_verbs(subject, verbs, adverb, clitic, question) + rest.french,
        subject.combinations | rest.combinations,
    )


def english_verbs(subject: Phrase, verbs: Sequence[Verb], adverb: Adverb | None, question: bool) -> list[str]:
    """Subject and verbs in English: "he sees", "he does not see", "does he often see", "he cannot see"."""
    verb, main = verbs[0], [v.base for v in verbs]
    if verb is WANT and len(verbs) > 1:
        main.insert(1, "to")
    helper = []
    if verb.auxiliary:
        helper, main = [verb.english_conjugation[subject.person]], main[1:]
    elif question or (adverb and adverb.english == "not"):
        helper = ["does" if subject.person == "il" else "do"]
    else:
        main[0] = verb.english_conjugation[subject.person]
    if adverb:
        main.insert(0, adverb.english)
    return [*helper, *subject.english, *main] if question else [*subject.english, *helper, *main]


def french_verbs(
    subject: Phrase, verbs: Sequence[Verb], adverb: Adverb | None, clitic: str, question: bool
) -> list[str]:
    """Subject and verbs in French: "il voit", "est-ce qu'il ne voit pas", "il ne peut pas le voir"."""
    verb, pronoun = verbs[0], [clitic] if clitic else []
    words = ["est-ce", "que|qu'", *subject.french] if question else [*subject.french]
    if adverb and adverb.negative:
        words.append("ne|n'")
    if len(verbs) == 1:
        words += pronoun
    words.append(verb.conjugation[subject.person])
    if adverb:
        words.append(adverb.french)
    if len(verbs) > 1:
        words += [*pronoun, verbs[1].infinitive]
    return words
