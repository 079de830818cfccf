"""Scenes: small pictures of coloured shapes that minirnn draws itself, with captions that say all that is in them.

    a small red ring above a large blue star

One thing, two side by side, or three in a row stand on a noisy background, none on another. A caption begins with one
of two, or with the middle of three, and says how it stands to the others. Every picture has five captions, which name
every thing: only the order, and whether sizes are said, differs. So it can be told by `is_true` whether a caption says
the whole truth, and `nouns` tells of which thing in the picture a word speaks.

**Held-out combinations.** A *combination* is a colour with a shape, ("red", "ring"), or a shape in a relation to
another, ("ring", "above", "star"). Some are at home in "test": of every shape one colour of ten, and in every relation
to others one shape of six. No picture to learn from, or to validate with, has one of these, and every test picture has
at least one.

The same scenes come out everywhere where NumPy's generator gives the same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

import numpy as np

from minirnn.data.shapes import ARTICLES, COLOURS, SHAPES, SIZES, Thing, as_pixels, background, begin

SIZE = 32
"""Pixels down and across."""
RELATIONS = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
"""Each with its opposite."""
APART = 13.0
"""Pixels between the middles of neighbours."""
SPLITS = {"train": 16_000, "valid": 500, "test": 500}
"""How many pictures there are of each by default."""
CAPTIONS = 5
SHIFT = 4
"""The colour that a shape never has in training is so many after its own number."""
OPENINGS = ("", "there is ", "you see ")


class Shown(Protocol):
    """What captions are true of, or not: a scene, or whatever else has things in it."""

    @property
    def things(self) -> list[Thing]:
        """One to three."""


class Scene(NamedTuple):
    """A picture and what is in it.

    Attributes:
        picture: (32, 32, 3), uint8.
        captions: five that are true, of which the first says all sizes.
        things: one to three.
    """

    picture: np.ndarray
    captions: list[str]
    things: list[Thing]


def scenes(split: str = "train", count: int | None = None, seed: int = 0) -> list[Scene]:
    """Scenes, no two of them alike; the first n of a larger number are those of a smaller.

    Args:
        split: "train", "valid" or "test", which have no scene in common.
        count: how many; None: as `SPLITS` says.
        seed: of what is drawn.

    Raises:
        InputError: there is no such split, or the count is below 1.
    """
    count, rng = begin(SPLITS, split, count, seed)
    found: list[Scene] = []
    while len(found) < count:
        how_many = int(rng.choice([1, 2, 3], p=[0.2, 0.5, 0.3]))
        things = _arrange(how_many, rng)
        while not belongs(things, split):
            things = _arrange(how_many, rng)
        found.append(Scene(draw(things, rng), captions(things, rng), things))
    return found


def home(combination: tuple[str, ...]) -> str:
    """Where a combination is at home: "train" or "test"."""
    numbers = [list(group).index(one) for one in combination for group in (COLOURS, SHAPES, RELATIONS) if one in group]
    # A pair is a colour and a shape; of three, the sum makes one other shape for every shape and relation.
    held_out = numbers[0] == numbers[1] + SHIFT if len(numbers) == 2 else sum(numbers) % len(SHAPES) == 0
    return "test" if held_out else "train"


def relation(one: Thing, other: Thing) -> str:
    """How a thing stands to another."""
    down, across = other.middle[0] - one.middle[0], other.middle[1] - one.middle[1]
    if abs(down) > abs(across):
        return "above" if down > 0 else "below"
    return "left of" if across > 0 else "right of"


def combinations(things: Sequence[Thing]) -> set[tuple[str, ...]]:
    """The combinations in a scene: colours with shapes, and shapes in relation, where "below" and "right of" are the
    others said from the other side."""
    found: set[tuple[str, ...]] = {(thing.colour, thing.shape) for thing in things}
    for one, other in itertools.permutations(things, 2):
        if (how := relation(one, other)) in ("above", "left of"):
            found.add((one.shape, how, other.shape))
    return found


def belongs(things: Sequence[Thing], split: str) -> bool:
    """Whether scenes with just this in them are of a split: so no two splits have the same."""
    if any(home(one) == "test" for one in combinations(things)) != (split == "test"):
        return False
    words = " ".join(f"{thing.name()} {thing.middle}" for thing in things)
    return (sha256(words.encode()).digest()[0] % 16 == 0) == (split == "valid")


def _arrange(count: int, rng: np.random.Generator) -> list[Thing]:
    """Things that do not touch: one by itself, two side by side, or three in a row, the middle one first. (For three
    there is room if they are small.)"""
    step = np.array([(1, 0), (0, 1)][rng.integers(2)])
    places = {1: (0.0,), 2: (-0.5, 0.5), 3: (0.0, -0.83, 0.83)}[count]
    along, across = {1: (8.0, 8.0), 2: (2.0, 7.5), 3: (0.0, 7.5)}[count]
    shift = np.where(step, rng.uniform(-along, along), rng.uniform(-across, across))
    middles = [(SIZE - 1) / 2 + APART * place * step + shift + rng.uniform(-0.25, 0.25, 2) for place in places]
    things = [_thing(rng, middle, small=count == 3) for middle in middles]
    return things if count < 3 else [things[0], *(things[1 + i] for i in rng.permutation(2))]


def _thing(rng: np.random.Generator, middle: np.ndarray, small: bool) -> Thing:
    size, colour, shape = (list(group)[rng.integers(len(group))] for group in (SIZES, COLOURS, SHAPES))
    return Thing("small" if small else size, colour, shape, (round(float(middle[0]), 2), round(float(middle[1]), 2)))


def draw(things: Sequence[Thing], rng: np.random.Generator) -> np.ndarray:
    """The picture (32, 32, 3) of things, uint8."""
    picture = background(SIZE, rng)
    for thing in things:
        covered = thing.coverage(SIZE)[:, :, None]
        picture = covered * (np.array(COLOURS[thing.colour]) + rng.uniform(-20, 20, 3)) + (1 - covered) * picture
    return as_pixels(picture, 7, rng)


def captions(things: Sequence[Thing], rng: np.random.Generator) -> list[str]:
    """Five captions of things that are true, of which the first says all sizes."""
    orders = [order for order in itertools.permutations(things) if len(things) < 3 or order[0] is things[0]]
    said = [f"{opening}{_say(one, sizes)}" for sizes in (True, False) for opening in OPENINGS for one in orders]
    first = rng.integers(len(orders))  # one of those that say sizes, and no more than what there is
    rest = [i for i in rng.permutation(len(said)) if i != first]
    return [said[i] for i in (first, *rest)][:CAPTIONS]


def _say(things: Sequence[Thing], sizes: bool) -> str:
    """The first thing, and how it stands to the others."""
    facts = (f"{relation(things[0], other)} {other.name(sizes)}" for other in things[1:])
    return f"{things[0].name(sizes)} {' and '.join(facts)}".strip()


class Said(NamedTuple):
    """A thing as a caption has it: what it says of it, and the number of the noun among the caption's words."""

    size: str | None
    colour: str
    shape: str
    word: int


def parse(caption: str) -> tuple[list[Said], list[str]] | None:
    """What a caption says: its things, and how the first stands to each of the others. None if it is no caption."""
    words = caption.split()
    at = 2 if f"{' '.join(words[:2])} " in OPENINGS else 0
    things: list[Said] = []
    chosen: list[str] = []
    while True:
        thing = parse_thing(words, at)
        if thing is None:
            return None
        things.append(thing)
        at = thing.word + 1
        if at == len(words):
            return things, chosen
        if chosen:
            if words[at] != "and":
                return None
            at += 1
        how = next((r for r in RELATIONS if words[at : at + len(r.split())] == r.split()), None)
        if how is None:
            return None
        chosen.append(how)
        at += len(how.split())


def parse_thing(words: Sequence[str], at: int) -> Said | None:
    """The thing that is named from a word on, "a small red ring" or "a red ring"; None if there is none."""
    size = words[at + 1] if at + 1 < len(words) and words[at + 1] in SIZES else None
    phrase = words[at : at + (4 if size else 3)]
    if len(phrase) < (4 if size else 3) or phrase[0] not in ARTICLES:
        return None
    if phrase[-2] not in COLOURS or phrase[-1] not in SHAPES:
        return None
    return Said(size, phrase[-2], phrase[-1], at + len(phrase) - 1)


def is_true(caption: str, scene: Shown) -> bool:
    """Whether a caption names every thing of a scene and how the first stands to the others, and says nothing that is
    not so. A size need not be said."""
    return bool(nouns(caption, scene))


def nouns(caption: str, scene: Shown) -> list[tuple[int, Thing]]:
    """For each noun of a true caption its number among the words, and the thing of which it speaks; empty of others."""
    parsed = parse(caption)
    if parsed is None or len(parsed[0]) != len(scene.things):
        return []
    said, chosen = parsed
    for things in itertools.permutations(scene.things):
        if all(s.colour == t.colour and s.shape == t.shape and s.size in (None, t.size)
               for s, t in zip(said, things, strict=True)) and all(
            how == relation(things[0], other) for how, other in zip(chosen, things[1:], strict=True)
        ):  # fmt: skip
            return [(s.word, thing) for s, thing in zip(said, things, strict=True)]
    return []
