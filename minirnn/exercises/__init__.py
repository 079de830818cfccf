"""Exercises: write a piece of the engine yourself, and hear where a gradient is wrong and why.

`minirnn exercise` on the command line; in a notebook, define the function and `check` it.
"""

from minirnn.exercises.catalogue import EXERCISES, find
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.report import Report, check

__all__ = ["EXERCISES", "Exercise", "Report", "check", "find"]
