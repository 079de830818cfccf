"""Sketches: pictures of 16 x 16 pixels in eleven colours that minirnn draws itself, to be drawn again pixel by pixel.

    a small red ring above a large blue star

One thing, or two side by side or one above the other, on a plain dark background. Captions, what is true of a picture
and which combinations are held out are those of scenes (`minirnn.data.scenes`); but a thing's edges are hard, it stands
on whole pixels and nothing is noisy: a sketch is determined by its things, and has three colours at most.

The same sketches come out everywhere where NumPy's generator gives the same numbers.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minirnn.data.colours import Palette
from minirnn.data.scenes import belongs, captions
from minirnn.data.shapes import COLOURS, SHAPES, Thing, begin

SIZE = 16
"""Pixels down and across."""
SPLITS = {"train": 8_000, "valid": 500, "test": 500}
"""How many sketches there are of each by default."""
ONE = 0.3
"""How many have one thing; the others have two. (A little fewer, since none is there twice.)"""
BACKGROUND = (25, 25, 35)
PALETTE = Palette(np.array([BACKGROUND, *COLOURS.values()], np.uint8))
"""The background, and the colours of things in their order."""
CLEARER = 3
"""By how many pixels two things are farther apart in the one direction than in the other."""


def _sprites(drawn: str) -> dict[str, np.ndarray]:
    names, *rows = (line.split() for line in drawn.strip().splitlines())
    columns = zip(*rows, strict=True)
    return {name: np.array([list(row) for row in column]) == "#" for name, column in zip(names, columns, strict=True)}


# So few pixels are best set by hand: what `shapes.coverage` makes of them confuses triangles with stars.
SPRITES = {
    "small": _sprites("""
        disc   ring   square triangle star   cross
        .###.  .###.  #####  ..#..    ..#..  ..#..
        #####  #...#  #####  ..#..    #####  ..#..
        #####  #...#  #####  .###.    .###.  #####
        #####  #...#  #####  .###.    .###.  ..#..
        .###.  .###.  #####  #####    #...#  ..#..
    """),
    "large": _sprites("""
        disc     ring     square   triangle star     cross
        ..###..  ..###..  #######  ...#...  ...#...  ...#...
        .#####.  .#####.  #######  ...#...  ..###..  ...#...
        #######  ##...##  #######  ..###..  #######  ...#...
        #######  ##...##  #######  ..###..  .#####.  #######
        #######  ##...##  #######  .#####.  ..###..  ...#...
        .#####.  .#####.  #######  .#####.  .##.##.  ...#...
        ..###..  ..###..  #######  #######  ##...##  ...#...
    """),
}
"""The pixels of every shape, by size and name."""


class Sketch(NamedTuple):
    """A picture and what is in it.

    Attributes:
        picture: (16, 16, 3), uint8.
        captions: five that are true, of which the first says all sizes.
        things: one or two, from top to bottom and from left to right; their middles are whole numbers.
    """

    picture: np.ndarray
    captions: list[str]
    things: list[Thing]


def sketches(split: str = "train", count: int | None = None, seed: int = 0) -> list[Sketch]:
    """Sketches, no two of them alike; the first n of a larger number are those of a smaller.

    Args:
        split: "train", "valid" or "test", which have no sketch in common.
        count: how many; None: as `SPLITS` says.
        seed: of what is drawn.

    Raises:
        InputError: there is no such split, or the count is below 1.
    """
    count, rng = begin(SPLITS, split, count, seed)
    found: dict[tuple[Thing, ...], Sketch] = {}
    while len(found) < count:
        how_many = 1 if rng.random() < ONE else 2
        things = _arrange(how_many, rng)
        while not belongs(things, split):
            things = _arrange(how_many, rng)
        if things not in found:
            found[things] = Sketch(draw(things), captions(things, rng), list(things))
    return list(found.values())


def covered(thing: Thing) -> np.ndarray:
    """The pixels (16, 16) of a thing: truth values."""
    sprite, inside = SPRITES[thing.size][thing.shape], np.zeros((SIZE, SIZE), bool)
    top, left = (int(middle) - len(sprite) // 2 for middle in thing.middle)
    inside[top : top + len(sprite), left : left + len(sprite)] = sprite
    return inside


def draw(things: Sequence[Thing]) -> np.ndarray:
    """The picture (16, 16, 3) of things, uint8."""
    ids = np.zeros((SIZE, SIZE), np.uint8)
    for thing in things:
        ids[covered(thing)] = 1 + list(COLOURS).index(thing.colour)
    return PALETTE.to_pixels(ids)


def things_in(picture: np.ndarray) -> list[Thing] | None:
    """The things of which a picture (16, 16, 3), uint8, is made, pixel for pixel; None if it is made of anything else,
    or of more than two."""
    return _read(PALETTE.to_ids(picture), [])


def _read(ids: np.ndarray, found: list[Thing]) -> list[Thing] | None:
    """The things that have been found, and those of the colours that are left."""
    left_over = np.argwhere(ids)
    if not len(left_over):
        return found
    if len(found) == 2:
        return None
    row, column = left_over[0]  # of the topmost the leftmost: what is there begins with it
    for size, of_size in SPRITES.items():
        for shape, sprite in of_size.items():
            first, half = column - int(sprite[0].argmax()), len(sprite) // 2
            window = ids[row : row + len(sprite), max(0, first) : first + len(sprite)]
            if window.shape == sprite.shape and (window[sprite] == ids[row, column]).all():
                rest = ids.copy()
                rest[row : row + len(sprite), first : first + len(sprite)][sprite] = 0
                thing = Thing(size, list(COLOURS)[ids[row, column] - 1], shape, (int(row) + half, int(first) + half))
                if (whole := _read(rest, [*found, thing])) is not None:
                    return whole
    return None


def _arrange(count: int, rng: np.random.Generator) -> tuple[Thing, ...]:
    """One thing or two, anywhere where there is room."""
    looks = [[list(group)[rng.integers(len(group))] for group in (SPRITES, COLOURS, SHAPES)] for _ in range(count)]
    places = _places(*(size for size, _, _ in looks))
    middles = places[rng.integers(len(places))]
    things = [
        Thing(size, colour, shape, (down, across))
        for (size, colour, shape), (down, across) in zip(looks, middles.tolist(), strict=True)
    ]
    return tuple(sorted(things, key=lambda thing: thing.middle))


@functools.cache
def _places(*sizes: str) -> np.ndarray:
    """All middles (places, things, 2) that things of these sizes can have: a pixel at least is between two things, and
    it is clear in which direction."""
    halves = [len(SPRITES[size]["disc"]) // 2 for size in sizes]
    ways = itertools.chain.from_iterable([range(half, SIZE - half)] * 2 for half in halves)
    places = np.stack(np.meshgrid(*ways, indexing="ij"), axis=-1).reshape(-1, len(sizes), 2)
    if len(sizes) == 1:
        return places
    near, far = np.sort(abs(places[:, 1] - places[:, 0]), axis=1).T
    return places[(far >= sum(halves) + 2) & (far - near >= CLEARER)]
