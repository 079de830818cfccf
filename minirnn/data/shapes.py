"""Coloured shapes, drawn with NumPy: what scenes and moving scenes are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer
from minirnn.errors import InputError

COLOURS = {
    "red": (215, 45, 40),
    "orange": (240, 140, 30),
    "yellow": (235, 215, 60),
    "green": (50, 165, 60),
    "cyan": (60, 205, 210),
    "blue": (50, 80, 220),
    "purple": (140, 60, 190),
    "pink": (245, 150, 190),
    "gray": (150, 150, 150),
    "white": (245, 245, 245),
}
SIZES = {"small": 3.5, "large": 5.2}
"""From the middle of a thing to its edge, in pixels."""
ARTICLES = ("a", "an")

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
_TIP, _NOTCH = 1.1, 0.45


def _triangle(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Inside of three lines: the base, and two sides from (-1, 0) down to it."""
    return np.maximum(y - 0.8, (1.8 * abs(x) - y - 1) / math.hypot(1.8, 1))


def _star(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Ten times the same edge, from a tip to a notch: every point is folded into the wedge between the two. (Beyond a
    tip the line of the edge goes on: there the circle of the tips ends it.)"""
    wedge = math.pi / 5
    radius, angle = np.hypot(y, x), abs((np.arctan2(x, -y) + wedge) % (2 * wedge) - wedge)
    along, across = _NOTCH * math.cos(wedge) - _TIP, _NOTCH * math.sin(wedge)
    outside = across * (radius * np.cos(angle) - _TIP) - along * radius * np.sin(angle)
    return np.maximum(outside / math.hypot(along, across), radius - _TIP)


SHAPES: dict[str, Distance] = {
    "disc": lambda y, x: np.hypot(y, x) - 1,
    "ring": lambda y, x: abs(np.hypot(y, x) - 0.75) - 0.25,
    "square": lambda y, x: np.maximum(abs(y), abs(x)) - 0.85,
    "triangle": _triangle,
    "star": _star,
    "cross": lambda y, x: np.minimum(np.maximum(abs(y) - 1, abs(x) - 0.32), np.maximum(abs(x) - 1, abs(y) - 0.32)),
}
"""By name how far a point lies outside of its edge (below 0: inside), of a shape of size 1 around 0."""

Box = tuple[int, int, int, int]


class Thing(NamedTuple):
    """Something in a picture.

    Attributes:
        size, colour, shape: by name.
        middle: (down, across), in pixels.
    """

    size: str
    colour: str
    shape: str
    middle: tuple[float, float]

    def name(self, with_size: bool = True) -> str:
        """As a caption says it."""
        words = f"{self.size} {self.colour} {self.shape}" if with_size else f"{self.colour} {self.shape}"
        return f"{ARTICLES[words[0] in 'aeiou']} {words}"

    def coverage(self, canvas: int) -> np.ndarray:
        """How much of each pixel of a picture (canvas, canvas) it covers."""
        return coverage(self.shape, SIZES[self.size], self.middle, canvas)

    def box(self, canvas: int) -> Box:
        """The rectangle around it, (top, left, bottom, right) in pixels; bottom and right are the first outside."""
        return box(self.coverage(canvas))


def begin(splits: dict[str, int], split: str, count: int | None, seed: int) -> tuple[int, np.random.Generator]:
    """How many pictures of a split are wanted, by default so many as it has, and what they are drawn from.

    Raises:
        InputError: there is no such split, or a number is out of its range.
    """
    if split not in splits:
        raise InputError(f"unknown split {split!r}: expected one of {', '.join(splits)}")
    count = splits[split] if count is None else integer("count", count)
    return count, np.random.default_rng([integer("seed", seed, least=0), list(splits).index(split)])


def coverage(shape: str, radius: float, middle: tuple[float, float], canvas: int) -> np.ndarray:
    """How much of each pixel of a picture (canvas, canvas) a shape covers: its edge is one pixel wide."""
    at = np.arange(canvas)
    y, x = (at[:, None] - middle[0]) / radius, (at[None, :] - middle[1]) / radius
    return np.clip(0.5 - radius * SHAPES[shape](y, x), 0, 1)


def box(covered: np.ndarray) -> Box:
    """The rectangle around what covers more than a quarter of a pixel."""
    inside = np.argwhere(covered > 0.25)
    (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
    return int(top), int(left), int(bottom), int(right)


def background(canvas: int, rng: np.random.Generator) -> np.ndarray:
    """A dark picture (canvas, canvas, 3) whose colour changes from top to bottom; floats."""
    slope = np.linspace(-1, 1, canvas)[:, None, None]
    return np.broadcast_to(rng.uniform(20, 90, 3) + rng.uniform(-15, 15, 3) * slope, (canvas, canvas, 3))


def as_pixels(picture: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """A picture of floats, or several, with noise, as uint8."""
    return np.clip(np.rint(picture + rng.normal(0, noise, picture.shape)), 0, 255).astype(np.uint8)
