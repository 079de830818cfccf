"""Scenes: small pictures of coloured shapes that minirnn draws itself, with captions that say all that is in them.

    a small red ring above a large blue star

One to three things stand on a noisy background, none on another. The first is what the caption begins with; the others
are said to be above, below, left of or right of it. Every picture has five captions, which name every thing and every
relation: only where to begin with two things, and whether sizes are said, differs. So it can be told by `is_true`
whether a caption says the whole truth, and `nouns` tells where in the picture the thing stands of which a word speaks.

**Held-out combinations.** A *combination* is a colour with a shape, ("red", "ring"), or a shape in a relation to
another, ("ring", "above", "star"). A hash decides for each whether it is at home in "train" or in "test" (a sixth). No
picture to learn from, or to validate with, has one of the test's, and every test picture has at least one.

The same scenes come out everywhere where NumPy's generator gives the same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer
from minirnn.errors import InputError

SIZE = 32
"""Pixels down and across."""

COLOURS = {
    "red": (215, 45, 40),
    "green": (50, 165, 60),
    "blue": (50, 90, 220),
    "yellow": (235, 205, 45),
    "purple": (150, 60, 175),
    "white": (245, 245, 245),
}
SIZES = {"small": 3.2, "large": 5.2}
"""From the middle of a thing to its edge, in pixels."""
RELATIONS = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
"""Each with its opposite."""
AWAY = {"above": (1, 0), "below": (-1, 0), "left of": (0, 1), "right of": (0, -1)}
"""Of each relation of the first thing to another, where the other is: (down, across)."""
APART = 13.0
"""Pixels between the middles of neighbours."""
SPLITS = {"train": 8000, "valid": 500, "test": 500}
"""How many pictures there are of each by default."""
CAPTIONS = 5
OPENINGS = ("", "there is ", "you see ")

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _polygon(corners: Sequence[tuple[float, float]]) -> Distance:
    """Signed distance to a polygon, inside below 0, by its edges (Quilez 2020)."""
    points = np.array(corners)

    def distance(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        nearest, sign = np.full(np.broadcast(y, x).shape, np.inf), np.ones(np.broadcast(y, x).shape)
        for (ay, ax), (by, bx) in zip(points, np.roll(points, 1, axis=0), strict=True):
            ey, ex, wy, wx = by - ay, bx - ax, y - ay, x - ax
            along = np.clip((wy * ey + wx * ex) / (ey * ey + ex * ex), 0, 1)
            nearest = np.minimum(nearest, (wy - along * ey) ** 2 + (wx - along * ex) ** 2)
            over, under, right = y >= ay, y < by, ex * wy > ey * wx
            sign = np.where((over & under & right) | ~(over | under | right), -sign, sign)
        return sign * np.sqrt(nearest)

    return distance


def _star(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    corners = [(-np.cos(k * np.pi / 5), np.sin(k * np.pi / 5)) for k in range(10)]
    return _polygon([(r * a, r * b) for (a, b), r in zip(corners, itertools.cycle((1.1, 0.45)), strict=False)])(y, x)


SHAPES: dict[str, Distance] = {
    "disc": lambda y, x: np.hypot(y, x) - 1,
    "ring": lambda y, x: abs(np.hypot(y, x) - 0.75) - 0.25,
    "square": lambda y, x: np.maximum(abs(y), abs(x)) - 0.85,
    "triangle": _polygon([(-1.0, 0.0), (0.8, 1.0), (0.8, -1.0)]),
    "star": _star,
    "cross": lambda y, x: np.minimum(np.maximum(abs(y) - 1, abs(x) - 0.32), np.maximum(abs(x) - 1, abs(y) - 0.32)),
}
"""By name the signed distance to its edge, of a shape of size 1 around 0."""


class Thing(NamedTuple):
    """Something in a scene.

    Attributes:
        size, colour, shape: by name.
        middle: (down, across), in pixels.
        box: the rectangle around it, (top, left, bottom, right), in pixels; bottom and right are the first outside.
    """

    size: str
    colour: str
    shape: str
    middle: tuple[float, float]
    box: tuple[int, int, int, int]

    def name(self, with_size: bool = True) -> str:
        """As a caption says it."""
        return f"a {self.size} {self.colour} {self.shape}" if with_size else f"a {self.colour} {self.shape}"


class Scene(NamedTuple):
    """A picture and what is in it.

    Attributes:
        picture: (32, 32, 3), uint8.
        captions: five that are true, of which the first says all sizes.
        things: the first, and what stands around it.
        relations: of each thing but the first, how the first stands to it: "above".
    """

    picture: np.ndarray
    captions: list[str]
    things: list[Thing]
    relations: list[str]


def scenes(split: str = "train", count: int | None = None, seed: int = 0) -> list[Scene]:
    """Scenes, no two of them alike; the first n of a larger number are those of a smaller.

    Args:
        split: "train", "valid" or "test", which have no scene in common.
        count: how many; None: as `SPLITS` says.
        seed: of what is drawn.

    Raises:
        InputError: there is no such split, or the count is below 1.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
    count = SPLITS[split] if count is None else integer("count", count)
    rng = np.random.default_rng([integer("seed", seed, least=0), list(SPLITS).index(split)])
    found: list[Scene] = []
    while len(found) < count:
        things, relations = _arrange(rng)
        at_home = {home(one) for one in combinations(things, relations)}
        if ("test" in at_home) == (split == "test") and _share(things, relations) == (split == "valid"):
            found.append(Scene(draw(things, rng), _captions(things, relations, rng), things, relations))
    return found


def home(combination: tuple[str, ...]) -> str:
    """Where a combination is at home: "train" or "test"."""
    return "test" if sha256(" ".join(combination).encode()).digest()[0] % 6 == 0 else "train"


def combinations(things: Sequence[Thing], relations: Sequence[str]) -> set[tuple[str, ...]]:
    """The combinations in a scene: colours with shapes, and shapes in relation, said from either side."""
    found: set[tuple[str, ...]] = {(thing.colour, thing.shape) for thing in things}
    for relation, other in zip(relations, things[1:], strict=True):
        straight = relation in ("above", "left of")
        one, two = (things[0], other) if straight else (other, things[0])
        found.add((one.shape, relation if straight else RELATIONS[relation], two.shape))
    return found


def _share(things: Sequence[Thing], relations: Sequence[str]) -> bool:
    """Whether scenes with just this in them are kept for validation: so no two splits have the same."""
    words = " ".join([*(thing.name() for thing in things), *relations, str([thing.middle for thing in things])])
    return sha256(words.encode()).digest()[0] % 16 == 0


def _arrange(rng: np.random.Generator) -> tuple[list[Thing], list[str]]:
    """Things that do not touch: the first, and up to two on different sides of it."""
    relations = [str(one) for one in rng.permutation(list(RELATIONS))[: rng.choice(3, p=[0.2, 0.5, 0.3])]]
    away = [np.array(AWAY[one]) for one in relations]
    # Off the middle, to leave room for the others; between two on opposite sides there is none to be left.
    jitter = 0.4 if relations else 8.0
    first = (SIZE - 1) / 2 - APART / 2 * sum(away, np.zeros(2)) + rng.uniform(-jitter, jitter, 2)
    in_a_row = len(relations) == 2 and relations[1] == RELATIONS[relations[0]]
    middles = [first, *(first + APART * step + rng.uniform(-0.3, 0.3, 2) for step in away)]
    if in_a_row:
        middles = [np.clip(middle, 4.5, SIZE - 5.5) for middle in middles]
    return [_thing(rng, middle, in_a_row) for middle in middles], relations


def _thing(rng: np.random.Generator, middle: np.ndarray, small: bool) -> Thing:
    size = "small" if small else str(rng.choice(list(SIZES)))
    colour, shape = str(rng.choice(list(COLOURS))), str(rng.choice(list(SHAPES)))
    y, x = (round(float(v), 2) for v in middle)
    inside = np.argwhere(_coverage(shape, SIZES[size], (y, x)) > 0.25)
    (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
    return Thing(size, colour, shape, (y, x), (int(top), int(left), int(bottom), int(right)))


def _coverage(shape: str, radius: float, middle: tuple[float, float]) -> np.ndarray:
    """How much of each pixel a shape covers, (32, 32): its edge is one pixel wide."""
    y, x = np.arange(SIZE)[:, None] - middle[0], np.arange(SIZE)[None, :] - middle[1]
    return np.clip(0.5 - radius * SHAPES[shape](y / radius, x / radius), 0, 1)


def draw(things: Sequence[Thing], rng: np.random.Generator) -> np.ndarray:
    """The picture (32, 32, 3) of things, uint8."""
    base = rng.uniform(20, 90, 3) + rng.uniform(-15, 15, 3) * np.linspace(-1, 1, SIZE)[:, None, None]
    picture = base + rng.normal(0, 8, (SIZE, SIZE, 3))
    for thing in things:
        covered = _coverage(thing.shape, SIZES[thing.size], thing.middle)[:, :, None]
        colour = np.array(COLOURS[thing.colour]) + rng.uniform(-15, 15, 3) + rng.normal(0, 4, (SIZE, SIZE, 3))
        picture = covered * colour + (1 - covered) * picture
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _captions(things: Sequence[Thing], relations: Sequence[str], rng: np.random.Generator) -> list[str]:
    first, around = things[0], list(zip(relations, things[1:], strict=True))
    tellings = [(first, order) for order in itertools.permutations(around)]
    if len(things) == 2:
        tellings.append((things[1], ((RELATIONS[relations[0]], first),)))
    ways = [_say(*telling, sizes) for telling in tellings for sizes in (True, False)]
    said = [f"{opening}{one}" for opening in OPENINGS for one in ways]
    return [said[0], *(said[i] for i in 1 + rng.permutation(len(said) - 1))][:CAPTIONS]


def _say(first: Thing, around: Sequence[tuple[str, Thing]], sizes: bool) -> str:
    """A thing, and how it stands to others."""
    facts = " and ".join(f"{relation} {other.name(sizes)}" for relation, other in around)
    return f"{first.name(sizes)} {facts}".strip()


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
    relations: list[str] = []
    while True:
        phrase = words[at : at + 4]
        size = phrase[1] if len(phrase) > 1 and phrase[1] in SIZES else None
        length = 4 if size else 3
        if len(phrase) < length or phrase[0] != "a":
            return None
        colour, shape = phrase[length - 2 : length]
        if colour not in COLOURS or shape not in SHAPES:
            return None
        things.append(Said(size, colour, shape, at + length - 1))
        at += length
        if at == len(words):
            return things, relations
        if relations:
            if words[at] != "and":
                return None
            at += 1
        relation = next((r for r in RELATIONS if words[at : at + len(r.split())] == r.split()), None)
        if relation is None:
            return None
        relations.append(relation)
        at += len(relation.split())


def is_true(caption: str, scene: Scene) -> bool:
    """Whether a caption names every thing of a scene and every relation, and says nothing that is not so. A size need
    not be said."""
    return bool(nouns(caption, scene))


def nouns(caption: str, scene: Scene) -> list[tuple[int, Thing]]:
    """For each noun of a true caption its number among the words, and the thing of which it speaks; empty of others."""
    parsed = parse(caption)
    if parsed is None or len(parsed[0]) != len(scene.things):
        return []
    said, relations = parsed
    facts = dict(zip(range(1, len(scene.things)), scene.relations, strict=True))
    for order in itertools.permutations(range(len(scene.things))):
        things = [scene.things[i] for i in order]
        if not all(s.colour == t.colour and s.shape == t.shape and s.size in (None, t.size)
                   for s, t in zip(said, things, strict=True)):  # fmt: skip
            continue
        if order[0] == 0:
            right = all(facts[i] == relation for i, relation in zip(order[1:], relations, strict=True))
        else:
            right = len(things) == 2 and relations == [RELATIONS[facts[1]]]
        if right:
            return [(s.word, thing) for s, thing in zip(said, things, strict=True)]
    return []
