"""English-French sentence pairs made up with `grammar.py`: the corpus of the translation demo.

**Held-out combinations.** A *combination* is an adjective with a noun, ("black", "cat"), or a verb with the noun it
acts on, ("see", "cat"). A hash decides for each combination whether it is at home in "train", in "test" (10 %) or in
"valid" (5 %). A sentence belongs where its combinations are at home: training sentences have none from elsewhere, and
every test sentence has one that training never showed, though it showed both of its words in other company.

Nothing here depends on the version of Python or on the hash seed: the same sentences come out everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import TypeVar

from minirnn.data.grammar import (
    Combination,
    Phrase,
    Sentence,
    acted_on,
    both,
    clause,
    finish,
    linked,
    noun_phrase,
    predicate,
    pronoun_phrase,
)
from minirnn.data.lexicon import (
    A_ASKED,
    A_DENIED,
    ADJECTIVES,
    ADVERBS,
    BE,
    CAN,
    MANY,
    NOT,
    NOUNS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    SAY,
    THE,
    THERE_BE,
    THINK,
    THIS,
    THREE,
    TIMES,
    TWO,
    VERBS,
    WANT,
    A,
    Adjective,
    Adverb,
    Determiner,
    Noun,
    Pronoun,
    Verb,
)
from minirnn.errors import InputError

SIZES = {"train": 25_000, "valid": 1_000, "test": 1_000}
SEED = 1

MAX_WORDS = 14

EVERYTHING = "person animal food clothes text object furniture vehicle opening plant place"
A_MAN = NOUNS[0]
DEFINITE = (*(THE,) * 12, *(THIS,) * 3, *POSSESSIVES)
INDEFINITE = (*(A,) * 12, TWO, THREE, MANY)

T = TypeVar("T")


def english_french(split: str) -> list[tuple[str, str]]:
    """The built-in English-French sentence pairs, always the same.

    Args:
        split: "train" (25,000 pairs), "valid" or "test" (1,000 each). No sentence is in two of them, and each of the
            latter two has combinations of words that are in no other split.

    Raises:
        InputError: it is none of these.
    """
    return [(sentence.english, sentence.french) for sentence in sentences(split)]


def sentences(split: str) -> tuple[Sentence, ...]:
    """The sentences of a split, each with its combinations."""
    if split not in SIZES:
        raise InputError(f"unknown split {split!r}: expected one of {', '.join(SIZES)}")
    return _corpus()[split]


@cache
def home(combination: Combination) -> str:
    """The split that a combination is at home in."""
    byte = sha256(" ".join(combination).encode()).digest()[0]
    return "test" if byte < 26 else "valid" if byte < 39 else "train"


def combinations() -> list[Combination]:
    """All combinations the grammar allows."""
    pairs = [(adjective.english, noun.english) for noun in NOUNS for adjective in adjectives_for(noun)]
    return pairs + [(verb.english, noun.english) for verb in VERBS for noun in nouns_of(verb.objects)]


def held_out_combinations(split: str = "test") -> frozenset[Combination]:
    """The combinations that no sentence but those of "test" (or "valid") may have."""
    return frozenset(combination for combination in combinations() if home(combination) == split)


@cache
def _corpus() -> dict[str, tuple[Sentence, ...]]:
    """Make up sentences and put each where it belongs, until every split is full."""
    author = Author(SEED)
    corpus: dict[str, list[Sentence]] = {split: [] for split in SIZES}
    seen: set[str] = set()
    while any(len(corpus[split]) < size for split, size in SIZES.items()):
        phrase, question = author.sentence()
        if len(phrase.english) > MAX_WORDS:
            continue
        homes = {home(combination) for combination in phrase.combinations} - {"train"}
        split = homes.pop() if homes else "train"
        if homes or len(corpus[split]) == SIZES[split]:
            continue  # it belongs to both test and valid, or the split is full
        sentence = finish(phrase, question)
        if seen.isdisjoint(sentence[:2]):
            seen.update(sentence[:2])
            corpus[split].append(sentence)
    return {split: tuple(found) for split, found in corpus.items()}


@cache
def nouns_of(kinds: str) -> tuple[Noun, ...]:
    """The nouns of any of these kinds."""
    return tuple(noun for noun in NOUNS if noun.is_a(kinds))


@cache
def adjectives_for(noun: Noun) -> tuple[Adjective, ...]:
    """The adjectives that suit a noun. Not "small friend": "un petit ami" is a boyfriend."""
    suitable = (adjective for adjective in ADJECTIVES if noun.is_a(adjective.kinds))
    return tuple(adjective for adjective in suitable if (adjective.english, noun.english) != ("small", "friend"))


class Author:
    """Makes up sentences at random. It draws with `random()` only, whose numbers no Python version changes."""

    def __init__(self, seed: int):
        self.draw = random.Random(seed).random

    def choose(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self.draw() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.draw() < probability

    def sentence(self) -> tuple[Phrase, bool]:
        """A sentence, and whether it is a question."""
        if self.chance(0.08):
            who, verb = self.subject("person", definite=True), self.choose((THINK, SAY))
            return linked(clause(who, [verb]), "that", "que|qu'", self.clause(question=False)), False
        question = self.chance(0.2)
        return self.clause(question), question

    def clause(self, question: bool) -> Phrase:
        """A statement, affirmative or negative, or a question."""
        adverb = self.choose(ADVERBS) if self.chance(0.3) else None
        if question and adverb and adverb.negative:
            adverb = None
        kind = self.draw()
        if kind < 0.2:
            return self.description(adverb, question)
        if kind < 0.26:
            subject = self.subject("person animal", definite=True)
            return clause(subject, [BE], self.whereabouts(subject), adverb, question=question)
        if kind < 0.31:
            return self.existence(adverb if adverb is NOT else None, question)
        return self.action(adverb, question)

    def description(self, adverb: Adverb | None, question: bool) -> Phrase:
        """Something is somehow: "the black cats are not very big"."""
        suitable: list[Adjective] = []
        while not suitable:
            subject = self.subject(EVERYTHING, definite=True)
            nouns = subject.nouns or (A_MAN,)  # what suits a man suits "he", "I" and the others
            used = {adjective.precedes for adjective in ADJECTIVES if adjective.english in subject.english}
            # Not "the black cat is white", "the old man is young": what is said is of the other sort.
            suitable = [a for a in adjectives_for(nouns[0]) if a.precedes not in used]
            suitable = [a for a in suitable if all(a in adjectives_for(noun) for noun in nouns)]
        adjective = self.choose(suitable)
        if adverb is not NOT and not adjective.passing:
            adverb = None
        what = predicate(subject, adjective, very=adjective.gradable and self.chance(0.25))
        return clause(subject, [BE], what, adverb, question=question)

    def existence(self, adverb: Adverb | None, question: bool) -> Phrase:
        """There is something somewhere: "there is a cat under the table"."""
        articles = [A_DENIED] if adverb else [A_ASKED] if question else INDEFINITE
        thing = self.noun_phrase(self.choose(nouns_of("person animal")), articles)
        there = Phrase(["there"], ["il"], person=thing.person)
        return clause(there, [THERE_BE], linked(thing, "", "", self.whereabouts(thing)), adverb, "y", question)

    def action(self, adverb: Adverb | None, question: bool) -> Phrase:
        """Someone does something: "my friend never wants to open the green door"."""
        verb, denied = self.choose(VERBS), adverb is not None and adverb.negative
        if verb.stative and not denied:
            adverb = None  # not "he often hates them"
        subject = self.subject(verb.subjects, definite=question or denied or verb.stative)
        verbs, rest, clitic = [verb], Phrase([], []), ""
        if not verb.stative and self.chance(0.15):
            verbs.insert(0, self.choose((WANT, CAN)))
        if verb.objects and not verb.french_preposition and self.chance(0.2):
            pronoun = self.object_pronoun(verb, subject)
            rest, clitic = (
                Phrase([*verb.english_preposition.split(), pronoun.english_object], []),
                pronoun.french_object,
            )
        elif verb.objects:
            articles = [A_DENIED] * 12 if denied else [A_ASKED] * 12 if question else INDEFINITE
            rest = acted_on(verb, self.thing(verb, subject, articles))
        if not verb.stative and self.chance(0.15 if verb.objects else 0.7):
            nowhere = verb.objects == "place"  # not "he goes to the school in the park"
            if self.chance(0.7) and not nowhere:
                rest = linked(rest, "", "", self.whereabouts(subject))
            elif adverb is None:
                rest = linked(rest, *self.choose(TIMES), Phrase([], []))
        return clause(subject, verbs, rest, adverb, clitic, question)

    def subject(self, kinds: str, definite: bool) -> Phrase:
        """Who does it: a pronoun, a noun phrase, or two of them. If `definite` not just "a cat" or "many cats"."""
        if "person" in kinds and self.chance(0.25):
            return pronoun_phrase(self.choose(PRONOUNS))
        noun = self.choose(nouns_of(kinds))
        if noun.is_a("person animal") and self.chance(0.1):
            other = self.choose([n for n in nouns_of(noun.kinds.split()[0]) if n is not noun])
            return both(*(self.noun_phrase(n, DEFINITE, adorned=0.2) for n in (noun, other)))
        return self.noun_phrase(noun, DEFINITE if definite else DEFINITE + INDEFINITE)

    def object_pronoun(self, verb: Verb, subject: Phrase) -> Pronoun:
        """Whom it is done to: not oneself, and for things, where English has "it", only "them"."""
        if "person" not in verb.objects:
            return PRONOUNS[-1]
        return self.choose([p for p in PRONOUNS if p.person != subject.person or p.person in ("il", "ils")])

    def thing(self, verb: Verb, subject: Phrase, articles: Sequence[Determiner]) -> Phrase:
        """What a verb acts on; something else than its subject. `articles` are the indefinite ones to choose from."""
        noun = self.noun(verb.objects, subject)
        if verb.definite or verb.french_preposition:
            return self.noun_phrase(noun, DEFINITE)
        phrase = self.noun_phrase(noun, [*DEFINITE, *articles])
        if phrase.english[0] == "the" and noun.is_a("clothes text object vehicle") and self.chance(0.3):
            owner = self.noun_phrase(self.noun("adult", subject), [THE], adorned=0.2)
            phrase = linked(phrase, "of", "de|d'", owner)
        return phrase

    def whereabouts(self, subject: Phrase) -> Phrase:
        """Where, or with whom: "in the garden"."""
        english, french, kinds = self.choose(PREPOSITIONS)
        # "a" in the singular only, for "near some houses" would be one more rule: de + des = de.
        determiners, plurals = ([A], 0.0) if self.chance(0.1) else (DEFINITE, 0.2)
        phrase = self.noun_phrase(self.noun(kinds, subject), determiners, adorned=0.3, plurals=plurals)
        return linked(Phrase([], []), english, french, phrase)

    def noun(self, kinds: str, other_than: Phrase) -> Noun:
        """A noun of these kinds that is not in the phrase."""
        noun = self.choose(nouns_of(kinds))
        while noun in other_than.nouns:
            noun = self.choose(nouns_of(kinds))
        return noun

    def noun_phrase(
        self, noun: Noun, determiners: Sequence[Determiner], adorned: float = 0.6, plurals: float = 0.35
    ) -> Phrase:
        """A noun with one of the determiners. `adorned` and `plurals`: the chances of adjectives and of a plural."""
        determiner = self.choose(determiners)
        while determiner in POSSESSIVES and noun.is_a("unowned"):
            determiner = self.choose(determiners)
        plural = not determiner.singular or self.chance(plurals)
        if not self.chance(adorned):
            return noun_phrase(determiner, [], noun, plural)
        adjectives = [self.choose(adjectives_for(noun))]
        if adjectives[0].precedes and self.chance(0.4):
            colours = [adjective for adjective in adjectives_for(noun) if adjective.colour]
            adjectives += [self.choose(colours)] if colours else []  # "a small black cat": the colour comes second
        very = len(adjectives) == 1 and adjectives[0].gradable and self.chance(0.12)
        return noun_phrase(determiner, adjectives, noun, plural, very)
