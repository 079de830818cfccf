"""Mistakes to plant in equations: each is one place changed as people change it, with the sentence that says so."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from minirnn.exercises.exercise import Exercise
from minirnn.exercises.places import Changed, misspelt, read, renamed
from minirnn.exercises.program import assigned, base_name

MOST_PAIRS = 5000
KNOWN, MISSPELT, RENAMED, FROM_THE_START = range(4)
"""The ranks of mistakes: those that an exercise knows of; one in an expression; another name; another input."""


class Mistake(NamedTuple):
    """Equations with one mistake in them.

    Attributes:
        equations: they.
        sentence: what to say to who made it.
        rank: which to believe, of several that come to the same: the lowest.
        changed: what the line with the mistake gives a value to.
        at: the number of this line; -1, if it is not one line.
    """

    equations: ast.Module
    sentence: str
    rank: int
    changed: tuple[str, ...] = ()
    at: int = -1


def mistakes(exercise: Exercise, reference: Mapping[str, Any]) -> list[Mistake]:
    """All single mistakes.

    Args:
        exercise: whose equations are changed.
        reference: the right value of every name in them; a name is only taken for another of the same shape.
    """
    found = [
        Mistake(ast.parse(exercise.equations.replace(old, new)), sentence, KNOWN)
        for old, instead in exercise.slips.items()
        for new, sentence in instead.items()
    ]
    lines = ast.parse(exercise.equations).body
    shapes = {name: np.shape(value) for name, value in reference.items() if not isinstance(value, (list, dict))}
    so_far = set(exercise.inputs)
    for at, line in enumerate(lines):
        so_far.update(assigned(line))
        near = {name: shape for name, shape in shapes.items() if name in so_far}
        changed = [(new, sentence, MISSPELT) for new, sentence in changed_lines(line)]
        changed += [(new, sentence, RENAMED) for new, sentence in changed_lines(line, near)]
        for new, sentence, rank in changed:
            equations = ast.Module([*lines[:at], new, *lines[at + 1 :]], [])
            found.append(Mistake(equations, sentence, rank, tuple(assigned(line)), at))
    return found + _from_the_start(exercise, lines, shapes)


def _from_the_start(exercise: Exercise, lines: list[ast.stmt], shapes: Mapping[str, Any]) -> list[Mistake]:
    """Inputs that are taken for one another, or for 0."""
    arrays = [name for name in exercise.inputs if shapes.get(name)]
    starts = [(f"{a}, {b} = {b}, {a}", f"{a} and {b} are the wrong way round") for a, b in _twins(arrays, shapes)]
    starts += [(f"{a} = 0 * {a}", f"this comes out where {a} is 0: is it left out?") for a in arrays]
    starts += [(f"{a} = -{a}", f"the sign of {a} is wrong, wherever it is used") for a in arrays]
    return [Mistake(ast.Module([*ast.parse(new).body, *lines], []), said, FROM_THE_START) for new, said in starts]


def _twins(names: list[str], shapes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((a, b) for a, b in itertools.combinations(names, 2) if shapes[a] == shapes[b])


def pairs(singles: list[Mistake]) -> Iterator[Mistake]:
    """Two mistakes at once, in one line or in two; not all there are, but the most that can be looked through soon."""
    single = [one for one in singles if one.rank == MISSPELT]
    return itertools.islice(itertools.chain(_in_one_line(single), _in_two_lines(single)), MOST_PAIRS)


def _in_one_line(single: list[Mistake]) -> Iterator[Mistake]:
    for one in single:
        body = one.equations.body
        for new, sentence in changed_lines(body[one.at]):
            yield _two(one, sentence, [*body[: one.at], new, *body[one.at + 1 :]])


def _in_two_lines(single: list[Mistake]) -> Iterator[Mistake]:
    for one, other in itertools.combinations(single, 2):
        if one.at != other.at:
            body, line = one.equations.body, other.equations.body[other.at]
            yield _two(one, other.sentence, [*body[: other.at], line, *body[other.at + 1 :]])


def _two(one: Mistake, sentence: str, lines: list[ast.stmt]) -> Mistake:
    said = f"twice: {sentence}" if one.sentence == sentence else f"two mistakes: {one.sentence}; and {sentence}"
    return Mistake(ast.Module(lines, []), said, MISSPELT)


def changed_lines(line: ast.stmt, names: Mapping[str, Any] | None = None) -> Iterator[tuple[ast.stmt, str]]:
    """A line (or loop, with the lines in it) with a mistake in it, again and again with another one.

    Args:
        line: the line.
        names: their shapes, and the mistake is one of them in place of another; None for all other mistakes.
    """
    yield from _changed_here(line, names)
    inner = getattr(line, "body", [])
    for at, part in enumerate(inner):
        for new, sentence in changed_lines(part, names):
            yield _with(line, "body", [*inner[:at], new, *inner[at + 1 :]]), sentence


def _changed_here(node: ast.stmt, names: Mapping[str, Any] | None) -> Iterator[tuple[ast.stmt, str]]:
    """A line with a mistake in it, not in those within it."""

    own = assigned(node)

    def changed(part: ast.expr) -> Changed:
        return misspelt(part) if names is None else renamed(part, {n: s for n, s in names.items() if n not in own})

    if isinstance(node, (ast.Assign, ast.AugAssign)):
        place = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        target = base_name(place)
        for value, words in changed(node.value):
            yield _with(node, "value", value), words.replace("TARGET", target)
        if names is None and isinstance(node, ast.AugAssign):
            only_last = f"{target} is assigned where it should be added: `=` keeps only the last one, `+=` adds them up"
            yield ast.Assign([place], node.value), only_last
            minus = f"the sign of {target} is wrong: {read(node.value)} is subtracted where it should be added"
            yield ast.AugAssign(node.target, ast.Sub(), node.value), minus
        elif names is None:
            minus = f"the sign of {target} is wrong: right is {target} = {read(node.value)}"
            yield _with(node, "value", ast.UnaryOp(ast.USub(), node.value)), minus
    elif isinstance(node, ast.For):
        for steps, words in changed(node.iter):
            yield _with(node, "iter", steps), words.replace("TARGET", "the loop")
    elif isinstance(node, ast.If):
        for test, words in changed(node.test):
            yield _with(node, "test", test), words.replace("TARGET", "the condition")
        if names is None:
            yield ast.Pass(), f"the case `{read(node.test)}` is missing"
            always = f"what belongs to the case `{read(node.test)}` alone is done always"
            yield _with(node, "test", ast.Constant(True)), always


def _with(node: ast.stmt, field: str, value: Any) -> ast.stmt:
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed
