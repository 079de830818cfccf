"""The words of the English-French grammar, and how each of them is inflected.

A word that looks different before a vowel sound is written with both shapes: `le|l'`, `beau|bel`, `ma|mon`, and in
English `a|an`. Which of the two it is depends on the next word and is settled when the sentence is complete
(`grammar.spell`).

Verbs have five forms, named after their French subjects in the order of `PERSONS`. There is no "tu": "you" is always
the polite "vous", said to one man.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PERSONS = ("je", "il", "nous", "vous", "ils")

ENGLISH_PLURALS = {"man": "men", "woman": "women", "child": "children", "mouse": "mice", "wolf": "wolves"}
ENGLISH_PLURALS |= {"scarf": "scarves"}
FRENCH_PLURALS = {"bleu": "bleus", "hibou": "hiboux"}
FEMININES = {"beau": "belle", "nouveau": "nouvelle", "vieux": "vieille", "gros": "grosse", "bon": "bonne"}
FEMININES |= {"long": "longue", "blanc": "blanche", "cher": "chère"}
BEFORE_VOWEL = {"beau": "beau|bel", "nouveau": "nouveau|nouvel", "vieux": "vieux|vieil"}
ASPIRATED = {"héros", "hibou", "hiboux"}  # no elision before these: le héros; but l'homme, l'hôtel


def with_s(word: str) -> str:
    """The English ending -s, of plurals and of the third person: cats, dresses, stories, goes."""
    if word.endswith(("s", "x", "ch", "sh", "o")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def french_plural(word: str) -> str:
    """Chat, chats; souris, souris; oiseau, oiseaux; cheval, chevaux."""
    if word in FRENCH_PLURALS:
        return FRENCH_PLURALS[word]
    if word.endswith(("s", "x", "z")):
        return word
    if word.endswith(("eau", "eu")):
        return word + "x"
    if word.endswith("al"):
        return word[:-1] + "ux"
    return word + "s"


def feminine(adjective: str) -> str:
    """Petit, petite; jeune, jeune; heureux, heureuse; beau, belle."""
    if adjective in FEMININES:
        return FEMININES[adjective]
    if adjective.endswith("eux"):
        return adjective[:-1] + "se"
    return adjective if adjective.endswith("e") else adjective + "e"


@dataclass(eq=False)
class Noun:
    """A noun: its gender, and the kinds of thing it names, which decide the adjectives and verbs that suit it."""

    english: str
    french: str
    gender: str
    kinds: str
    english_plural: str = field(init=False)
    french_plural: str = field(init=False)

    def __post_init__(self) -> None:
        self.english_plural = ENGLISH_PLURALS.get(self.english) or with_s(self.english)
        self.french_plural = french_plural(self.french)

    def is_a(self, kinds: str) -> bool:
        """Whether it is of one of these kinds."""
        return any(kind in self.kinds.split() for kind in kinds.split())


@dataclass(eq=False)
class Adjective:
    """An adjective: the kinds of noun it suits, and whether it precedes the noun in French (few do, the common ones).

    `gradable`: "very" can stand before it. `colour`: in English it can follow another adjective. `passing`: one can
    be it often, always or never.
    """

    english: str
    french: str
    kinds: str
    precedes: bool = False
    gradable: bool = True
    colour: bool = False
    passing: bool = False
    forms: dict[tuple[str, bool], str] = field(init=False)

    def __post_init__(self) -> None:
        masculine, she = self.french, feminine(self.french)
        self.forms = {("m", False): BEFORE_VOWEL.get(masculine, masculine), ("f", False): she}
        self.forms |= {("m", True): french_plural(masculine), ("f", True): french_plural(she)}

    def agree(self, gender: str, plural: bool) -> str:
        """Its French form for a noun of this gender and number."""
        return self.forms[gender, plural]


@dataclass(eq=False)
class Verb:
    """A verb: who does it, and to what.

    Args:
        english: the infinitive, with its preposition if there is one: "look at".
        french: the infinitive, with its preposition if there is one: "parler à".
        forms: the French forms for `PERSONS`; left out for regular verbs in -er.
        subjects, objects: the kinds of noun that suit it. No objects: an intransitive verb.
        stative: "want to" and "can" do not suit it.
        definite: what it is done to is always definite: "love the cats" (loving "a cat" or "cats" would be generic).
        english_forms: if they are not the infinitive and the third person in -s.
        auxiliary: in English it asks and negates without "do".
    """

    english: str
    french: str
    forms: str = ""
    objects: str = ""
    subjects: str = "person"
    stative: bool = False
    definite: bool = False
    english_forms: str = ""
    auxiliary: bool = False

    def __post_init__(self) -> None:
        self.base, _, self.english_preposition = self.english.partition(" ")
        self.infinitive, _, self.french_preposition = self.french.partition(" ")
        stem, bare, third = self.infinitive[:-2], self.base, with_s(self.base)
        french = self.forms or f"{stem}e {stem}e {stem}ons {stem}ez {stem}ent"
        english = self.english_forms or f"{bare} {third} {bare} {bare} {bare}"
        self.conjugation = dict(zip(PERSONS, french.split(), strict=True))
        self.english_conjugation = dict(zip(PERSONS, english.split(), strict=True))


@dataclass(eq=False)
class Determiner:
    """What begins a noun phrase. A number has no singular: its `singular` is empty."""

    singular: str
    plural: str
    masculine: str
    feminine: str
    french_plural: str


@dataclass(eq=False)
class Pronoun:
    """A personal pronoun as subject and as object, in English and French; French adjectives agree with `gender`."""

    english: str
    french: str
    person: str
    gender: str
    english_object: str
    french_object: str


@dataclass(eq=False)
class Adverb:
    """An adverb that follows the French verb; a negative one has "ne" before the verb as well."""

    english: str
    french: str
    negative: bool = False


def nouns(kinds: str, words: str) -> list[Noun]:
    """Nouns of the same kinds from "English French gender, ..."."""
    entries = (word.split() for word in words.split(", "))
    return [Noun(english, french, gender, kinds) for english, french, gender in entries]


# "unowned": "my" and "his" sound odd before it, or change its meaning ("ma femme" is my wife).
NOUNS = (
    *nouns("person adult unowned", "man homme m, hero héros m"),
    *nouns("person adult lady unowned", "woman femme f"),
    *nouns("person unowned", "boy garçon m"),
    *nouns("person lady unowned", "girl fille f"),
    *nouns("person", "child enfant m"),
    *nouns("person adult", "uncle oncle m"),
    *nouns("person adult role", "teacher professeur m, doctor médecin m, king roi m, nurse infirmière f"),
    *nouns("person adult role", "student étudiant m, friend ami m, neighbour voisin m"),
    *nouns("person adult lady role", "queen reine f, actress actrice f"),
    *nouns("animal", "cat chat m, dog chien m, bird oiseau m, horse cheval m, mouse souris f, cow vache f"),
    *nouns("animal", "rabbit lapin m, wolf loup m, bear ours m, owl hibou m, elephant éléphant m, bee abeille f"),
    *nouns("food", "apple pomme f, orange orange f, cake gâteau m, egg œuf m, pear poire f, strawberry fraise f"),
    *nouns(
        "clothes", "dress robe f, hat chapeau m, coat manteau m, shirt chemise f, scarf écharpe f, shoe chaussure f"
    ),
    *nouns("text", "book livre m, letter lettre f, newspaper journal m, story histoire f"),
    *nouns("object", "key clé f, clock horloge f, flower fleur f"),
    *nouns("object opening", "gift cadeau m"),
    *nouns("object hollow", "plate assiette f"),
    *nouns("object opening hollow", "box boîte f"),
    *nouns("opening", "door porte f, window fenêtre f"),
    *nouns("furniture", "table table f, chair chaise f, bed lit m"),
    *nouns("plant", "tree arbre m"),
    *nouns("vehicle", "car voiture f, boat bateau m"),
    *nouns("place", "garden jardin m, village village m"),
    *nouns("place unowned", "park parc m"),
    *nouns("place hollow", "house maison f, school école f, restaurant restaurant m"),
    *nouns("place hollow unowned", "hotel hôtel m, church église f, museum musée m, hospital hôpital m"),
)

ADJECTIVES = (
    Adjective("small", "petit", "person animal food clothes text object furniture plant vehicle opening place", True),
    Adjective("big", "grand", "animal furniture plant vehicle opening place", True),
    Adjective("beautiful", "beau", "lady animal clothes text object plant vehicle place", True),
    Adjective("old", "vieux", "adult animal clothes text object furniture plant vehicle opening place", True),
    Adjective("young", "jeune", "person animal plant", True),
    Adjective("new", "nouveau", "role clothes text furniture vehicle opening place", True, gradable=False),
    Adjective("pretty", "joli", "clothes object vehicle place", True),
    Adjective("good", "bon", "role food text", True),
    Adjective("fat", "gros", "animal", True),
    Adjective("long", "long", "text", True),
    Adjective("excellent", "excellent", "role food text", True, gradable=False),
    Adjective("black", "noir", "animal clothes object furniture vehicle opening", gradable=False, colour=True),
    Adjective("white", "blanc", "animal clothes object furniture vehicle opening", gradable=False, colour=True),
    Adjective("grey", "gris", "animal clothes object furniture vehicle opening", gradable=False, colour=True),
    Adjective("red", "rouge", "food clothes object furniture vehicle opening", gradable=False, colour=True),
    Adjective("green", "vert", "food clothes object furniture vehicle opening", gradable=False, colour=True),
    Adjective("blue", "bleu", "clothes object furniture vehicle opening", gradable=False, colour=True),
    Adjective("happy", "heureux", "person animal", passing=True),
    Adjective("sad", "triste", "person animal text", passing=True),
    Adjective("tired", "fatigué", "person animal", passing=True),
    Adjective("rich", "riche", "adult"),
    Adjective("famous", "célèbre", "adult text place"),
    Adjective("clever", "intelligent", "person animal"),
    Adjective("dangerous", "dangereux", "animal vehicle"),
    Adjective("expensive", "cher", "clothes object furniture vehicle"),
    Adjective("dirty", "sale", "clothes furniture vehicle opening", passing=True),
    Adjective("empty", "vide", "hollow", gradable=False),
    Adjective("heavy", "lourd", "furniture opening"),
    Adjective("modern", "moderne", "furniture place"),
    Adjective("delicious", "délicieux", "food", gradable=False),
    Adjective("interesting", "intéressant", "text place"),
)

CREATURE = "person animal"
GOODS = "food clothes text object furniture vehicle"
ANYTHING = "person animal food clothes text object furniture vehicle plant place"

BE = Verb("be", "être", "suis est sommes êtes sont", english_forms="am is are are are", auxiliary=True)
# "There is" and "there are" are both "il y a": English agrees with what there is, French with "il".
THERE_BE = Verb("be", "avoir", "a a a a a", english_forms="am is are are are", auxiliary=True)
CAN = Verb("can", "pouvoir", "peux peut pouvons pouvez peuvent", english_forms="can can can can can", auxiliary=True)
WANT = Verb("want", "vouloir", "veux veut voulons voulez veulent", GOODS, stative=True)
THINK, SAY = Verb("think", "penser"), Verb("say", "dire", "dis dit disons dites disent")

VERBS = (
    Verb("see", "voir", "vois voit voyons voyez voient", ANYTHING, CREATURE),
    Verb("look at", "regarder", "", ANYTHING, CREATURE),
    Verb("look for", "chercher", "", ANYTHING, CREATURE),
    Verb("find", "trouver", "", ANYTHING, CREATURE),
    Verb("love", "aimer", "", ANYTHING, CREATURE, stative=True, definite=True),
    Verb("hate", "détester", "", ANYTHING, CREATURE, stative=True, definite=True),
    Verb("hear", "entendre", "entends entend entendons entendez entendent", CREATURE, CREATURE),
    Verb("follow", "suivre", "suis suit suivons suivez suivent", CREATURE, CREATURE),
    Verb("know", "connaître", "connais connaît connaissons connaissez connaissent", "person place", stative=True),
    Verb("help", "aider", "", "person"),
    Verb("wait for", "attendre", "attends attend attendons attendez attendent", "person"),
    Verb("talk to", "parler à", "", "person animal"),
    Verb("go to", "aller à", "vais va allons allez vont", "place"),
    Verb("eat", "manger", "mange mange mangeons mangez mangent", "food", CREATURE),
    Verb(
        "have", "avoir", "ai a avons avez ont", GOODS + " animal", stative=True, english_forms="have has have have have"
    ),
    Verb("buy", "acheter", "achète achète achetons achetez achètent", GOODS + " animal"),
    Verb("sell", "vendre", "vends vend vendons vendez vendent", GOODS + " animal"),
    Verb("take", "prendre", "prends prend prenons prenez prennent", "food clothes text object"),
    Verb("choose", "choisir", "choisis choisit choisissons choisissez choisissent", GOODS),
    Verb("wear", "porter", "", "clothes"),
    Verb("read", "lire", "lis lit lisons lisez lisent", "text"),
    Verb("write", "écrire", "écris écrit écrivons écrivez écrivent", "text"),
    Verb("open", "ouvrir", "ouvre ouvre ouvrons ouvrez ouvrent", "opening"),
    Verb("sleep", "dormir", "dors dort dormons dormez dorment", "", CREATURE),
    Verb("run", "courir", "cours court courons courez courent", "", CREATURE),
    Verb("walk", "marcher", "", "", CREATURE),
    Verb("work", "travailler"),
    Verb("sing", "chanter"),
    Verb("laugh", "rire", "ris rit rions riez rient"),
    WANT,
)

THE = Determiner("the", "the", "le|l'", "la|l'", "les")
A = Determiner("a|an", "some", "un", "une", "des")
A_ASKED = Determiner("a|an", "any", "un", "une", "des")
A_DENIED = Determiner("a|an", "any", "de|d'", "de|d'", "de|d'")
THIS = Determiner("this", "these", "ce|cet", "cette", "ces")
POSSESSIVES = (
    Determiner("my", "my", "mon", "ma|mon", "mes"),
    Determiner("your", "your", "votre", "votre", "vos"),
    Determiner("his", "his", "son", "sa|son", "ses"),
    Determiner("her", "her", "son", "sa|son", "ses"),
    Determiner("our", "our", "notre", "notre", "nos"),
    Determiner("their", "their", "leur", "leur", "leurs"),
)
TWO, THREE = Determiner("", "two", "", "", "deux"), Determiner("", "three", "", "", "trois")
MANY = Determiner("", "many", "", "", "beaucoup de|d'")

PRONOUNS = (
    Pronoun("I", "je|j'", "je", "m", "me", "me|m'"),
    Pronoun("you", "vous", "vous", "m", "you", "vous"),
    Pronoun("he", "il", "il", "m", "him", "le|l'"),
    Pronoun("she", "elle", "il", "f", "her", "la|l'"),
    Pronoun("we", "nous", "nous", "m", "us", "nous"),
    Pronoun("they", "ils", "ils", "m", "them", "les"),
)

NOT = Adverb("not", "pas", negative=True)
ADVERBS = (
    NOT,
    NOT,
    NOT,
    NOT,
    Adverb("never", "jamais", True),
    Adverb("often", "souvent"),
    Adverb("always", "toujours"),
)

# English, French, and what it goes with.
PREPOSITIONS = (
    ("in", "dans", "place"),
    ("in", "dans", "place"),
    ("behind", "derrière", "place furniture plant vehicle"),
    ("in front of", "devant", "place vehicle"),
    ("near", "près de|d'", "place furniture plant vehicle"),
    ("under", "sous", "furniture plant"),
    ("with", "avec", "person"),
)
TIMES = (("every day", "tous les jours"), ("in the evening", "le soir"), ("on Sunday", "le dimanche"))
