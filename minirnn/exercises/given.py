"""What an exercise hands to the learner's function: random arrays whose shapes are written in letters.

Every letter stands for another size, and for another one in each draw. So no two axes are alike by chance: what sums
over the wrong axis, or has a size written as a number, cannot come out right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minirnn.backend import sigmoid

Sizes = dict[str, int]  # by letter
Draw = Callable[[np.random.Generator, tuple[int, ...], Sizes], Any]
AXIS = re.compile(r"(\d*)([A-Z])(\+1)?")


@dataclass(frozen=True)
class Given:
    """An argument of the learner's function.

    Attributes:
        shape: its axes, such as "H B", "4H D" or "T+1 H B"; "" for what is no array.
        meaning: in a few words.
        draw: makes one.
    """

    shape: str
    meaning: str
    draw: Draw


def normal(shape: str, meaning: str) -> Given:
    """Numbers of all sizes and both signs: gradients, weights, inputs, pre-activations."""
    return Given(shape, meaning, lambda rng, shape, sizes: rng.standard_normal(shape))


def gate(shape: str, meaning: str) -> Given:
    """Numbers between 0 and 1, as σ makes them."""
    return Given(shape, meaning, lambda rng, shape, sizes: sigmoid(rng.standard_normal(shape)))


def squashed(shape: str, meaning: str) -> Given:
    """Numbers between -1 and 1, as tanh makes them."""
    return Given(shape, meaning, lambda rng, shape, sizes: np.tanh(rng.standard_normal(shape)))


def draw_sizes(shapes: Iterable[str], rng: np.random.Generator) -> Sizes:
    """A size from 3 on for each letter, all different."""
    letters = sorted({letter for shape in shapes for _, letter, _ in AXIS.findall(shape)})
    return dict(zip(letters, map(int, rng.permutation(np.arange(3, 4 + len(letters)))), strict=False))


def shape_of(shape: str, sizes: Sizes) -> tuple[int, ...]:
    """ "4H T+1" as numbers."""
    return tuple(int(times or 1) * sizes[letter] + len(more) // 2 for times, letter, more in AXIS.findall(shape))


def written(shape: str) -> str:
    """ "H B" as "(H, B)", and "T" as "(T,)"."""
    axes = shape.split()
    return f"({axes[0]},)" if len(axes) == 1 else f"({', '.join(axes)})"
