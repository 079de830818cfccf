"""Memory dialogues: talk in simple English that minirnn makes up itself, in which answers need a turn further back.

    my cousin anna lives in rome .                      i see .
    please repeat : my doctor ben lives in lima .       your doctor ben lives in lima .
    how are you ?                                       i am fine , thank you .
    where does anna live ?                              anna lives in rome .

A person and a machine take turns: those of even numbers are the person's, those of odd ones the machine's. The person
tells something and later asks for it. Between the two lies small talk, whose answers the turn before determines; and so
it does what the machine says when something is told: a word of thanks, or, if asked to repeat it, the same again.

**Questions** are of five kinds:

    name       the person's name, or the one that the machine was given
    two        two people live in two places: who lives where?
    changed    something else is liked now than was before: the latest counts
    plan       where, or with whom, the person goes on one of two days
    ellipsis   "and tomorrow ?": right after a question of the kind "plan", and only with it is it clear what is asked

**Distances.** The *distance* of a question is d if what it asks for was told, the last time, d turns before the answer:
odd if the person told it, even if the machine repeated it. It is 2 to 6, for the ellipsis 4 to 6. In between there is
nothing of it.

**Chance.** The turn that asks tells nothing of the answer but its wording. Who sees no other can only guess one of 20
names, places or things, and after "and tomorrow ?" one of 20 places and 20 names. Every answer is a whole sentence of
which one wording is right: that of the question, see `ASKING`.

**Held-out combinations.** A *combination* is what is told, two words, with the form in which it is told: ("anna",
"rome", 0). All that test dialogues tell is at home in "test": of any two words one form of six. Nothing that is told to
learn from, or to validate with, is, but every word in every form. Dialogues to validate with are one of sixteen of
those that could be learned from. (What was liked before, and is not asked for, is told in any form.)

The same dialogues come out everywhere where NumPy's generator gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, TypeVar

import numpy as np

from minirnn.data.shapes import begin
from minirnn.errors import InputError

SPLITS = {"train": 6_000, "valid": 500, "test": 500}
"""How many dialogues there are of each by default."""
KINDS = ("name", "two", "changed", "plan", "ellipsis")
"""Of questions."""
NAMES = (
    "anna", "ben", "clara", "david", "emma", "frank", "grace", "henry", "iris", "jack",
    "kate", "leo", "mary", "noah", "olga", "paul", "rosa", "sam", "tom", "vera",
)  # fmt: skip
UNSEEN = (
    "adam", "bella", "carl", "dora", "eric", "fiona", "george", "helen", "ivan", "julia",
    "kevin", "lucy", "martin", "nina", "oscar", "peter", "ruth", "simon", "tina", "victor",
)  # fmt: skip
"""Names that no dialogue has unless it is asked for."""
PLACES = (
    "rome", "paris", "oslo", "london", "berlin", "madrid", "vienna", "lisbon", "athens", "dublin",
    "prague", "warsaw", "cairo", "tokyo", "delhi", "lima", "boston", "sydney", "moscow", "geneva",
)  # fmt: skip
THINGS = (
    "tea", "coffee", "milk", "bread", "rice", "soup", "cheese", "honey", "music", "chess",
    "books", "films", "poems", "maps", "birds", "horses", "roses", "trains", "snow", "rain",
)  # fmt: skip
"""To like."""
OWNERS = ("me", "machine")
"""Who has a name."""
RELATIONS = ("friend", "cousin", "teacher", "doctor")
DAYS = ("today", "tomorrow")
MOST_EXCHANGES = 5
"""Of a turn and its answer each, in a dialogue."""
DISTANCES = (2, 3, 4, 5, 6)
FORMS = 6
"""In which each thing is told."""
REPEAT = "please repeat : "
"""Said before the second half of the forms: the machine says the same from its side then."""

Form = tuple[str, str]
TELLING: dict[str, tuple[Form, ...]] = {
    "me": (
        ("my name is {name} .", "your name is {name} ."),
        ("i am {name} .", "you are {name} ."),
        ("people call me {name} .", "people call you {name} ."),
    ),
    "machine": (
        ("your name is {name} .", "my name is {name} ."),
        ("you are {name} .", "i am {name} ."),
        ("people call you {name} .", "people call me {name} ."),
    ),
    "two": (
        ("my {relation} {name} lives in {place} .", "your {relation} {name} lives in {place} ."),
        ("{name} , my {relation} , lives in {place} .", "{name} , your {relation} , lives in {place} ."),
        ("in {place} lives my {relation} {name} .", "in {place} lives your {relation} {name} ."),
    ),
    "before": (
        ("i like {thing} .", "you like {thing} ."),
        ("i love {thing} .", "you love {thing} ."),
        ("what i like is {thing} .", "what you like is {thing} ."),
    ),
    "changed": (
        ("now i like {thing} .", "now you like {thing} ."),
        ("i changed my mind , i like {thing} .", "you changed your mind , you like {thing} ."),
        ("what i like now is {thing} .", "what you like now is {thing} ."),
    ),
    "plan": (
        ("today i go to {place} with {name} and tomorrow to {place2} with {name2} .",
         "today you go to {place} with {name} and tomorrow to {place2} with {name2} ."),
        ("i go to {place} with {name} today and to {place2} with {name2} tomorrow .",
         "you go to {place} with {name} today and to {place2} with {name2} tomorrow ."),
        ("tomorrow i go to {place2} with {name2} , but today to {place} with {name} .",
         "tomorrow you go to {place2} with {name2} , but today to {place} with {name} ."),
    ),
}  # fmt: skip
"""The first half of the forms: how something is told, and how it is repeated."""
THANKS = {
    "me": "nice to meet you .",
    "machine": "that is a good name .",
    "two": "i see .",
    "before": "that is nice .",
    "changed": "good to know .",
    "plan": "have a good time .",
}
"""What the machine says to what it is not to repeat."""
ASKING: dict[str, tuple[tuple[str, str, str], ...]] = {
    "me": (
        ("what is my name ?", "your name is {name} .", "name"),
        ("who am i ?", "you are {name} .", "name"),
        ("do you know my name ?", "yes , your name is {name} .", "name"),
    ),
    "machine": (
        ("what is your name ?", "my name is {name} .", "name"),
        ("who are you ?", "i am {name} .", "name"),
        ("do you know your name ?", "yes , my name is {name} .", "name"),
    ),
    "two": (
        ("where does {name} live ?", "{name} lives in {place} .", "place"),
        ("where does my {relation} live ?", "your {relation} lives in {place} .", "place"),
        ("who lives in {place} ?", "{name} lives in {place} .", "name"),
    ),
    "changed": (
        ("what do i like ?", "you like {thing} .", "thing"),
        ("do you know what i like ?", "yes , you like {thing} .", "thing"),
        ("what do i like now ?", "now you like {thing} .", "thing"),
    ),
    "plan": (
        ("where do i go {day} ?", "you go to {place} {day} .", "place"),
        ("do you know where i go {day} ?", "yes , you go to {place} {day} .", "place"),
        ("who goes with me {day} ?", "{name} goes with you {day} .", "name"),
        ("do you know who goes with me {day} ?", "yes , {name} goes with you {day} .", "name"),
    ),
}
"""Questions, their answers, and what of the answer only the fact tells."""
ELLIPSES = ("and {day} ?", "what about {day} ?")
"""Their answer is worded as the one before."""
SMALL_TALK = {
    "hello !": "hello !",
    "how are you ?": "i am fine , thank you .",
    "thank you .": "you are welcome .",
    "do you sleep ?": "no , i never sleep .",
    "can you sing ?": "no , but i can talk .",
    "what can you do ?": "i can talk to you .",
    "are you a machine ?": "yes , i am .",
    "what is one and one ?": "that is two .",
    "is it late ?": "no , it is early .",
    "i am tired .": "then you should sleep .",
    "it is cold here .": "then you should go home .",
    "do you know a joke ?": "no , i never joke .",
}
"""What says nothing that is asked for later, and its answers."""

T = TypeVar("T")
Combination = tuple[str, str, int]


class Question(NamedTuple):
    """A question that its own turn does not answer.

    Attributes:
        turn: the number of the turn that asks; the answer is the next.
        facts: the numbers of the turns one must look at, ascending: the last that told it, and for an ellipsis also the
            question before.
        distance: from the first of these to the answer, in turns: 2 to 6.
        kind: one of `KINDS`.
        value: the word of the answer that only the facts tell: a name, a place or a thing.
    """

    turn: int
    facts: tuple[int, ...]
    distance: int
    kind: str
    value: str

    @property
    def told(self) -> tuple[int, ...]:
        """The numbers of the turns that tell it: the person's, and the machine's if it has repeated it."""
        last = self.facts[0]
        return (last - 1, last) if last % 2 else (last,)


class Dialogue(NamedTuple):
    """What a person and a machine say.

    Attributes:
        turns: 4 to 10, by turns the person's and the machine's answers; lower case, a space between any two words or
            marks.
        questions: at least one, in their order. The answer to every turn that is none of these is determined by that
            turn alone.
    """

    turns: list[str]
    questions: list[Question]


def dialogues(split: str = "train", count: int | None = None, seed: int = 0, names: str = "seen") -> list[Dialogue]:
    """Memory dialogues, no two of them alike; the first n of a larger number are those of a smaller.

    Args:
        split: "train", "valid" or "test", which have no dialogue in common.
        count: how many; None: as `SPLITS` says.
        seed: of what is drawn.
        names: "seen": `NAMES`; "unseen", for "test" only: `UNSEEN`. Those are dialogues as with seen names, but for the
            names, and without the ones in which there are none.

    Raises:
        InputError: there is no such split, the count is below 1, or it has no such names.
    """
    count, rng = begin(SPLITS, split, count, seed)
    if names not in ("seen", "unseen"):
        raise InputError(f"unknown names {names!r}: expected 'seen' or 'unseen'")
    if names == "unseen" and split != "test":
        raise InputError(f"expected seen names in {split!r}: only 'test' has unseen ones")
    found: dict[str, Dialogue] = {}
    while len(found) < count:
        scenario = (_names, _two, _changed, _plan)[rng.integers(4)]
        facts, asked = scenario(rng, "test" if split == "test" else "train", NAMES if names == "seen" else UNSEEN)
        dialogue = _arrange(facts, asked, rng)
        if dialogue is None or (names == "unseen" and scenario is _changed):
            continue
        text = "\n".join(dialogue.turns)
        # So no dialogue to learn from is one to validate with, whatever the seeds; those to test with tell others.
        if split == "test" or (sha256(text.encode()).digest()[0] % 16 == 0) == (split == "valid"):
            found.setdefault(text, dialogue)
    return list(found.values())


def home(combination: Combination) -> str:
    """Where a combination is at home: "train" or "test".

    It is a name with its owner, a name with a place, or a thing with the one that takes its place, and the number of
    the form in which it is told, below `FORMS`.
    """
    *words, form = combination
    groups = (NAMES, UNSEEN, PLACES, THINGS, OWNERS)
    numbers = [group.index(word) for word in words for group in groups if word in group]
    return "test" if (sum(numbers) + form) % FORMS == 0 else "train"


class _Fact(NamedTuple):
    """What is told: in what words, and what the machine says to it."""

    said: str
    answer: str
    repeated: bool


class _Asked(NamedTuple):
    """A question, its answer, and the number of the fact that it is about."""

    said: str
    answer: str
    fact: int
    kind: str
    value: str


Scenario = tuple[list[_Fact], list[_Asked]]


def _pick(rng: np.random.Generator, group: Sequence[T], count: int) -> list[T]:
    """Different ones, in any order."""
    chosen: list[T] = []
    while len(chosen) < count:
        if (one := group[int(rng.integers(len(group)))]) not in chosen:
            chosen.append(one)
    return chosen


def _tell(kind: str, form: int, **slots: str) -> _Fact:
    repeated, number = divmod(form, FORMS // 2)
    said, back = (text.format(**slots) for text in TELLING[kind][number])
    return _Fact(REPEAT + said, back, True) if repeated else _Fact(said, THANKS[kind], False)


def _ask(rng: np.random.Generator, forms: str, fact: int, kind: str, **slots: str) -> _Asked:
    said, answer, value = ASKING[forms][rng.integers(len(ASKING[forms]))]
    return _Asked(said.format(**slots), answer.format(**slots), fact, kind, slots[value])


def _form(rng: np.random.Generator) -> int:
    return int(rng.integers(FORMS))


def _names(rng: np.random.Generator, where: str, names: Sequence[str]) -> Scenario:
    """One or two names, of which one or both are asked for."""
    owners = _pick(rng, OWNERS, int(rng.integers(1, 3)))
    while True:
        told, forms = _pick(rng, names, len(owners)), [_form(rng) for _ in owners]
        if all(home(one) == where for one in zip(told, owners, forms, strict=True)):
            break
    facts = [_tell(owner, form, name=name) for name, owner, form in zip(told, owners, forms, strict=True)]
    chosen = _pick(rng, range(len(owners)), int(rng.integers(1, len(owners) + 1)))
    return facts, [_ask(rng, owners[i], i, "name", name=told[i]) for i in chosen]


def _two(rng: np.random.Generator, where: str, names: Sequence[str]) -> Scenario:
    """Two people in two places, of whom one or both are asked for."""
    relations = _pick(rng, RELATIONS, 2)
    while True:
        told, places, forms = _pick(rng, names, 2), _pick(rng, PLACES, 2), [_form(rng), _form(rng)]
        if all(home(one) == where for one in zip(told, places, forms, strict=True)):
            break
    slots = [
        {"relation": relation, "name": name, "place": place}
        for relation, name, place in zip(relations, told, places, strict=True)
    ]
    facts = [_tell("two", form, **of_one) for form, of_one in zip(forms, slots, strict=True)]
    chosen = _pick(rng, range(2), int(rng.integers(1, 3)))
    return facts, [_ask(rng, "two", i, "two", **slots[i]) for i in chosen]


def _changed(rng: np.random.Generator, where: str, names: Sequence[str]) -> Scenario:
    """What was liked, and what is liked now. There are no names in it."""
    while True:
        (old, new), form = _pick(rng, THINGS, 2), _form(rng)
        if home((old, new, form)) == where:
            break
    facts = [_tell("before", _form(rng), thing=old), _tell("changed", form, thing=new)]
    return facts, [_ask(rng, "changed", 1, "changed", thing=new)]


def _plan(rng: np.random.Generator, where: str, names: Sequence[str]) -> Scenario:
    """Two days: one is asked for, and then the other."""
    while True:
        told, places, form = _pick(rng, names, 2), _pick(rng, PLACES, 2), _form(rng)
        if all(home((name, place, form)) == where for name, place in zip(told, places, strict=True)):
            break
    fact = _tell("plan", form, name=told[0], place=places[0], name2=told[1], place2=places[1])
    said, answer, value = ASKING["plan"][rng.integers(len(ASKING["plan"]))]
    first = int(rng.integers(2))
    questions = []
    for day, (text, kind) in zip(
        (first, 1 - first), ((said, "plan"), (ELLIPSES[rng.integers(len(ELLIPSES))], "ellipsis")), strict=True
    ):
        slots = {"name": told[day], "place": places[day], "day": DAYS[day]}
        questions.append(_Asked(text.format(**slots), answer.format(**slots), 0, kind, slots[value]))
    return [fact], questions


def _arrange(facts: list[_Fact], asked: list[_Asked], rng: np.random.Generator) -> Dialogue | None:
    """What is told, what is asked, and small talk before and between; None if a fact would be too far back."""
    exchanges: list[_Fact | _Asked | None] = [*facts, *asked]
    for _ in range(rng.integers(MOST_EXCHANGES - len(exchanges) + 1)):
        # Half of it stands before the first question: else what is far back would be rare.
        places = [i for i, one in enumerate(exchanges) if not (isinstance(one, _Asked) and one.kind == "ellipsis")]
        exchanges.insert(exchanges.index(asked[0]) if rng.integers(2) else places[rng.integers(len(places))], None)
    talk = iter(_pick(rng, list(SMALL_TALK.items()), exchanges.count(None)))
    turns: list[str] = []
    questions: list[Question] = []
    told: list[int] = []
    for one in exchanges:
        turn = len(turns)
        if isinstance(one, _Fact):
            told.append(turn + one.repeated)
        elif isinstance(one, _Asked):
            seen = (told[one.fact], turn - 2) if one.kind == "ellipsis" else (told[one.fact],)
            questions.append(Question(turn, seen, turn + 1 - seen[0], one.kind, one.value))
        turns += next(talk) if one is None else (one.said, one.answer)
    return Dialogue(turns, questions) if all(q.distance in DISTANCES for q in questions) else None
