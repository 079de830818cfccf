"""All exercises, in the order in which they build on one another."""

from __future__ import annotations

from minirnn.errors import InputError
from minirnn.exercises.beyond import BEYOND
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.gated import GATED
from minirnn.exercises.pieces import PIECES
from minirnn.exercises.simple_rnn import SIMPLE_RNN
from minirnn.exercises.through_time import MASKED, TIME

EXERCISES: dict[str, Exercise] = {one.name: one for one in (*PIECES, *SIMPLE_RNN, *TIME, *GATED, MASKED, *BEYOND)}


def find(name: str) -> Exercise:
    """An exercise by its name.

    Raises:
        InputError: there is none of this name.
    """
    if name not in EXERCISES:
        raise InputError(f"no exercise is called {name!r}: expected one of {', '.join(EXERCISES)}")
    return EXERCISES[name]
