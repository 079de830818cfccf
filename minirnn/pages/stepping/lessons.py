"""The lessons that there are pages of, on small networks with weights that are easy to read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.arguments import integer
from minirnn.backend import generator
from minirnn.cells import Cell, bptt
from minirnn.errors import InputError
from minirnn.layers import Recurrent
from minirnn.layers.basic import uniform
from minirnn.pages.stepping import attention_lesson, recurrent_lesson
from minirnn.pages.stepping.backward_pass import Lesson
from minirnn.pages.stepping.no_padding import NoPadding
from minirnn.pages.stepping.recording import encode
from minirnn.pages.stepping.recurrent_lesson import contributions, reach, through_time
from minirnn.pages.stepping.state_names import state_names

MOST_LETTERS, MOST_UNITS = 8, 5
"""More would not fit on a screen."""
DECIMALS = 2
"""Of the numbers that a run begins with: few enough to work with them by hand."""


def recurrent(cell: str | Cell = "lstm", text: str = "hello", hidden: int = 3, seed: int = 0) -> Lesson:
    """Backpropagation through time: a recurrent network that is to tell each next letter of a text.

    Args:
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        text: 2 to 8 letters; the last is only told.
        hidden: H, 1 to 5 units.
        seed: of the weights.

    Raises:
        InputError: an argument is out of its range, or there is no such cell.
    """
    letters = _letters(text)
    rng, K, H = generator(integer("seed", seed, least=0)), len(set(letters)), _units(hidden)
    layer = Recurrent(cell, K, H, rng=rng, dtype=np.float64)
    w = {name: _rounded(weight.data) for name, weight in layer.weights_of("_l0").items()}
    out = {"V": _drawn(rng, H, (K, H)), "b_V": _drawn(rng, H, (K,))}
    at = _one_hot(letters)[:, None]
    names = state_names(layer.cell)
    name = cell if isinstance(cell, str) else type(cell).__name__
    objects = {"cell": layer.cell, "mask": NoPadding()}

    def unchangeable(result: Any) -> Mapping[str, Any]:
        _, trace, d_hs = result
        weights = SimpleNamespace(**w)
        triangle = [[encode(part) for part in row] for row in contributions(layer.cell, weights, trace, d_hs)]
        reached = [reach(layer.cell, weights, trace, i).tolist() for i in range(len(names))]
        return {"triangle": triangle, "reach": reached}

    return Lesson(
        title=f"Backpropagation through time, number by number: {name}",
        lead=f"The cell “{name}”, with {H} unit{'s' if H > 1 else ''}, reads “{text[:-1]}” letter by letter, and after "
        f"each it is to tell the next: “{text[1:]}”. All numbers are of a real run of minirnn, and all lines are its "
        "source. Go forward line by line, and then the way back.",
        entry=through_time,
        objects=objects,
        numbers={
            "w": SimpleNamespace(**w),
            "out": SimpleNamespace(**out),
            "x": at[:-1].copy(),  # for who changes an input does not mean the target
            "y": at[1:].copy(),
            "state": tuple(np.zeros((1, H)) for _ in range(layer.cell.num_states)),
        },
        beside=(contributions, reach),
        followed=frozenset({*_sources_of(layer.cell), bptt.__file__, recurrent_lesson.__file__}),
        facts={
            "lesson": "recurrent",
            "name": name,
            "text": letters[:-1],
            "alphabet": sorted(set(letters)),
            "steps": len(letters) - 1,
            "states": names,
            "cellBackward": type(layer.cell).backward.__qualname__,
            "gates": list(layer.cell.gates),
            "hidden": H,
            "back": ["read_out_back", "backward_through_time"],
            "panels": ["sources", "quiz", "over-time", "triangle", "check", "scale", "editor"],
        },
        unchangeable=unchangeable,
    )


def attention(text: str = "hello", hidden: int = 3, seed: int = 0) -> Lesson:
    """Attention: at each step a query looks at all letters of a text, and step t is to tell letter t.

    Args, Raises: as for `recurrent`, H being the features of a position and of a query.
    """
    letters = _letters(text)
    rng, H = generator(integer("seed", seed, least=0)), _units(hidden)
    K, S = len(set(letters)), len(letters)
    w = {"W": _drawn(rng, 1, (H, H)), "O": _drawn(rng, 1, (K, H)), "b_O": _drawn(rng, H, (K,))}
    return Lesson(
        title="Attention, number by number",
        lead=f"The letters of “{text}” are the source; each has a vector v_s, here a row of `memory`, as an encoder "
        "would give it. At each step a query q, a row of `queries`, looks at all of them, and step t is to tell letter "
        "t. All numbers are of a real run, and all lines are the source that made them. Go forward line by line, and "
        "then the way back.",
        entry=attention_lesson.attend,
        objects={},
        numbers={
            "w": SimpleNamespace(**w),
            "memory": _drawn(rng, 1, (S, H)),
            "queries": _drawn(rng, 1, (S, H)),
            "y": _one_hot(letters),
        },
        beside=(),
        followed=frozenset({attention_lesson.__file__}),
        facts={
            "lesson": "attention",
            "name": "attention",
            "text": letters,
            "alphabet": sorted(set(letters)),
            "steps": S,
            "states": [],
            "gates": [],
            "hidden": H,
            "back": ["look_back"],
            "panels": ["roads", "quiz", "check", "editor"],
        },
    )


def _letters(text: str) -> list[str]:
    letters = ["␣" if letter.isspace() else letter for letter in text]
    if not 2 <= len(letters) <= MOST_LETTERS:
        raise InputError(f"expected a text of 2 to {MOST_LETTERS} letters, not of {len(letters)}")
    if any(not letter.isprintable() for letter in letters):
        raise InputError(f"expected letters that can be shown, not {text!r}")
    return letters


def _units(hidden: int) -> int:
    if integer("hidden", hidden) > MOST_UNITS:
        raise InputError(f"expected 1 to {MOST_UNITS} hidden units, which a screen can show, not {hidden}")
    return hidden


def _one_hot(letters: list[str]) -> np.ndarray:
    alphabet = sorted(set(letters))
    return np.eye(len(alphabet))[[alphabet.index(letter) for letter in letters]]


def _drawn(rng: np.random.Generator, H: int, shape: tuple[int, ...]) -> np.ndarray:
    return _rounded(uniform(rng, H**-0.5, shape, np.float64).data)


def _rounded(weights: np.ndarray) -> np.ndarray:
    return np.round(weights, DECIMALS) + 0.0  # no -0.0


def _sources_of(cell: Cell) -> set[str]:
    """The files a cell's equations are in: its class's, and those of the classes it is made from."""
    found = {inspect.getsourcefile(cls) for cls in type(cell).__mro__ if issubclass(cls, Cell)}
    return {file for file in found if file}
