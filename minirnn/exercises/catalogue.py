"""The exercises by their names."""

from __future__ import annotations

from minirnn.errors import InputError
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.sheets import ALL

EXERCISES: dict[str, Exercise] = {exercise.name: exercise for exercise in ALL}


def find(name: str) -> Exercise:
    """An exercise by its name.

    Raises:
        InputError: there is none of this name.
    """
    if name not in EXERCISES:
        raise InputError(f"no exercise is called {name!r}: expected one of {', '.join(EXERCISES)}")
    return EXERCISES[name]
