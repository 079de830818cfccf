"""The English-French grammar: its French, one rule at a time."""

import re

import pytest

from minirnn.data.grammar import (
    Phrase,
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
    NOUNS,
    POSSESSIVES,
    PRONOUNS,
    SAY,
    THE,
    THERE_BE,
    THIS,
    THREE,
    VERBS,
    WANT,
    A,
)

NOUN = {noun.english: noun for noun in NOUNS}
ADJECTIVE = {adjective.english: adjective for adjective in ADJECTIVES}
VERB = {verb.english: verb for verb in VERBS}
ADVERB = {adverb.english: adverb for adverb in ADVERBS}
PRONOUN = {pronoun.english: pronoun for pronoun in PRONOUNS}
MY, HIS, HER = POSSESSIVES[0], POSSESSIVES[2], POSSESSIVES[3]

I, YOU, HE, SHE, WE, THEY = (pronoun_phrase(pronoun) for pronoun in PRONOUNS)


def np(determiner, words, plural=False, very=False):
    """A noun phrase: np(THE, "small black cat")."""
    *adjectives, noun = words.split()
    return noun_phrase(determiner, [ADJECTIVE[word] for word in adjectives], NOUN[noun], plural, very)


def act(subject, verb, thing=None, adverb=None, helper=None, question=False, end=("", "", Phrase([], []))):
    verb = VERB[verb]
    rest = acted_on(verb, thing) if thing else Phrase([], [])
    verbs = [helper, verb] if helper else [verb]
    what = clause(subject, verbs, linked(rest, *end), adverb and ADVERB[adverb], question=question)
    return finish(what, question)


def act_on(subject, verb, pronoun, adverb=None, helper=None, question=False):
    verb, pronoun = VERB[verb], PRONOUN[pronoun]
    rest = Phrase([*verb.english_preposition.split(), pronoun.english_object], [])
    verbs = [helper, verb] if helper else [verb]
    return finish(clause(subject, verbs, rest, adverb and ADVERB[adverb], pronoun.french_object, question), question)


def be(subject, adjective, adverb=None, very=False, question=False):
    what = predicate(subject, ADJECTIVE[adjective], very)
    return finish(clause(subject, [BE], what, adverb and ADVERB[adverb], question=question), question)


def there(thing, adverb=None, question=False):
    subject = Phrase(["there"], ["il"], person=thing.person)
    return finish(clause(subject, [THERE_BE], thing, adverb and ADVERB[adverb], "y", question), question)


def told(who, subject, verb):
    return finish(linked(clause(who, [SAY]), "that", "que|qu'", clause(subject, [VERB[verb]])))


def near(noun, determiner=THE):
    return ("near", "près de|d'", np(determiner, noun))


CASES = [
    # Adjectives: after the noun, before it, both; agreement; shapes before a vowel.
    (act(np(THE, "black cat", True), "sleep"), "The black cats sleep.", "Les chats noirs dorment."),
    (
        act(SHE, "see", np(A, "small white mouse")),
        "She sees a small white mouse.",
        "Elle voit une petite souris blanche.",
    ),
    (act(np(A, "small cat", True), "run"), "Some small cats run.", "De petits chats courent."),
    (act(np(A, "grey horse", True), "run"), "Some grey horses run.", "Des chevaux gris courent."),
    (act(np(A, "old bird", True), "run"), "Some old birds run.", "De vieux oiseaux courent."),
    (
        act(np(A, "excellent doctor", True), "work"),
        "Some excellent doctors work.",
        "D'excellents médecins travaillent.",
    ),
    (act(np(A, "beautiful bird"), "sing"), "A beautiful bird sings.", "Un bel oiseau chante."),
    (act(np(THIS, "old man"), "laugh"), "This old man laughs.", "Ce vieil homme rit."),
    (act(np(THIS, "uncle"), "laugh"), "This uncle laughs.", "Cet oncle rit."),
    (act(np(THE, "new student"), "work"), "The new student works.", "Le nouvel étudiant travaille."),
    (act(np(THE, "new queen"), "walk"), "The new queen walks.", "La nouvelle reine marche."),
    (
        act(WE, "buy", np(A, "old book", very=True)),
        "We buy a very old book.",
        "Nous achetons un très vieux livre.",
    ),
    (
        act(HE, "see", np(A, "old tree", very=True)),
        "He sees a very old tree.",
        "Il voit un très vieil arbre.",
    ),
    (act(np(THE, "hero"), "laugh"), "The hero laughs.", "Le héros rit."),
    (act(I, "hear", np(THE, "fat owl", True)), "I hear the fat owls.", "J'entends les gros hiboux."),
    # Possessives before a vowel; numbers.
    (act(I, "read", np(MY, "story")), "I read my story.", "Je lis mon histoire."),
    (act(I, "read", np(MY, "long story")), "I read my long story.", "Je lis ma longue histoire."),
    (act(HE, "wear", np(HER, "blue scarf")), "He wears her blue scarf.", "Il porte son écharpe bleue."),
    (act(np(HIS, "child", True), "sleep"), "His children sleep.", "Ses enfants dorment."),
    (act(YOU, "eat", np(THREE, "egg", True)), "You eat three eggs.", "Vous mangez trois œufs."),
    (act(WE, "eat", np(MANY, "orange", True)), "We eat many oranges.", "Nous mangeons beaucoup d'oranges."),
    # Negation, and what it does to "a".
    (
        act(np(THE, "dog"), "see", np(A_DENIED, "cat"), "not"),
        "The dog does not see a cat.",
        "Le chien ne voit pas de chat.",
    ),
    (
        act(THEY, "buy", np(A_DENIED, "orange", True), "never"),
        "They never buy any oranges.",
        "Ils n'achètent jamais d'oranges.",
    ),
    (act(I, "love", np(THE, "actress"), "not"), "I do not love the actress.", "Je n'aime pas l'actrice."),
    (act(I, "have", np(A, "apple")), "I have an apple.", "J'ai une pomme."),
    (act(I, "sleep", adverb="not", helper=CAN), "I cannot sleep.", "Je ne peux pas dormir."),
    (act(SHE, "go to", np(THE, "park"), "often"), "She often goes to the park.", "Elle va souvent au parc."),
    # Object pronouns go before their verb.
    (act_on(WE, "love", "she"), "We love her.", "Nous l'aimons."),
    (act_on(I, "look at", "they"), "I look at them.", "Je les regarde."),
    (act_on(HE, "wait for", "I", "not"), "He does not wait for me.", "Il ne m'attend pas."),
    (
        act_on(THEY, "follow", "he", "not", WANT),
        "They do not want to follow him.",
        "Ils ne veulent pas le suivre.",
    ),
    (act_on(SHE, "help", "we", None, CAN, True), "Can she help us?", "Est-ce qu'elle peut nous aider ?"),
    # Questions, contractions, "that".
    (
        act(np(THE, "cat"), "see", np(THE, "bird"), question=True),
        "Does the cat see the bird?",
        "Est-ce que le chat voit l'oiseau ?",
    ),
    (
        act(HE, "have", np(A_ASKED, "pear", True), question=True),
        "Does he have any pears?",
        "Est-ce qu'il a des poires ?",
    ),
    (act(THEY, "talk to", np(THE, "nurse", True)), "They talk to the nurses.", "Ils parlent aux infirmières."),
    (act(YOU, "go to", np(THE, "hotel")), "You go to the hotel.", "Vous allez à l'hôtel."),
    (act(I, "walk", end=near("museum")), "I walk near the museum.", "Je marche près du musée."),
    (act(I, "walk", end=near("school")), "I walk near the school.", "Je marche près de l'école."),
    (act(I, "walk", end=near("tree", A)), "I walk near a tree.", "Je marche près d'un arbre."),
    (
        act(SHE, "take", linked(np(THE, "key"), "of", "de|d'", np(THE, "old king"))),
        "She takes the key of the old king.",
        "Elle prend la clé du vieux roi.",
    ),
    (told(HE, np(A, "bee"), "sleep"), "He says that a bee sleeps.", "Il dit qu'une abeille dort."),
    (there(np(A, "black cat")), "There is a black cat.", "Il y a un chat noir."),
    (there(np(A_DENIED, "bear", True), "not"), "There are not any bears.", "Il n'y a pas d'ours."),
    (there(np(A_ASKED, "wolf", True), question=True), "Are there any wolves?", "Est-ce qu'il y a des loups ?"),
    # What something is.
    (be(np(THE, "black cat"), "big", question=True), "Is the black cat big?", "Est-ce que le chat noir est grand ?"),
    (be(np(THE, "hotel"), "old", "not"), "The hotel is not old.", "L'hôtel n'est pas vieux."),
    (be(SHE, "happy", very=True), "She is very happy.", "Elle est très heureuse."),
    (
        be(both(np(THE, "mouse"), np(THE, "dog")), "big"),
        "The mouse and the dog are big.",
        "La souris et le chien sont grands.",
    ),
    (
        be(both(np(THE, "cow"), np(THE, "bee")), "sad"),
        "The cow and the bee are sad.",
        "La vache et l'abeille sont tristes.",
    ),
]


@pytest.mark.parametrize(("sentence", "english", "french"), CASES, ids=[case[1] for case in CASES])
def test_rules(sentence, english, french):
    assert (sentence.english, sentence.french) == (english, french)


CONJUGATIONS = """
    être suis est sommes êtes sont              avoir ai a avons avez ont
    aller vais va allons allez vont             voir vois voit voyons voyez voient
    vouloir veux veut voulons voulez veulent    prendre prends prend prenons prenez prennent
    manger mange mange mangeons mangez mangent  acheter achète achète achetons achetez achètent
    dormir dors dort dormons dormez dorment     courir cours court courons courez courent
    écrire écris écrit écrivons écrivez écrivent  dire dis dit disons dites disent
    pouvoir peux peut pouvons pouvez peuvent    aimer aime aime aimons aimez aiment
    rire ris rit rions riez rient               choisir choisis choisit choisissons choisissez choisissent
"""


def test_conjugations():
    table = {row[0]: row[1:] for row in re.findall(r"(\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\s+", CONJUGATIONS)}
    conjugations = {verb.infinitive: tuple(verb.conjugation.values()) for verb in (*VERBS, BE, CAN, SAY)}
    assert len(table) == 16
    assert {infinitive: conjugations[infinitive] for infinitive in table} == table


@pytest.mark.parametrize(
    ("english", "forms"),
    [
        ("beautiful", "beau|bel belle beaux belles"),
        ("old", "vieux|vieil vieille vieux vieilles"),
        ("new", "nouveau|nouvel nouvelle nouveaux nouvelles"),
        ("fat", "gros grosse gros grosses"),
        ("good", "bon bonne bons bonnes"),
        ("long", "long longue longs longues"),
        ("white", "blanc blanche blancs blanches"),
        ("grey", "gris grise gris grises"),
        ("blue", "bleu bleue bleus bleues"),
        ("red", "rouge rouge rouges rouges"),
        ("happy", "heureux heureuse heureux heureuses"),
        ("expensive", "cher chère chers chères"),
        ("tired", "fatigué fatiguée fatigués fatiguées"),
    ],
)
def test_adjectives(english, forms):
    adjective = ADJECTIVE[english]
    assert [adjective.agree(gender, plural) for plural in (False, True) for gender in "mf"] == forms.split()
