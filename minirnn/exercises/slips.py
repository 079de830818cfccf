"""Mistakes to plant in equations: each is one place changed as people change it, with the sentence that says so."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from minirnn.exercises.exercise import Exercise
from minirnn.exercises.places import changed_expressions, read
from minirnn.exercises.program import assigned, base_name


class Mistake(NamedTuple):
    """Equations with one mistake in them, and what to say to who made it."""

    equations: ast.Module
    sentence: str


def mistakes(exercise: Exercise, reference: Mapping[str, Any]) -> list[Mistake]:
    """All single mistakes: first those that the exercise knows of, then those that could be made anywhere.

    Args:
        exercise: whose equations are changed.
        reference: the right value of every name in them; a name is only taken for one of the same shape.
    """
    planted = [
        Mistake(ast.parse(exercise.equations.replace(slip.old, slip.new)), slip.sentence) for slip in exercise.slips
    ]
    equations = ast.parse(exercise.equations)
    found = planted
    known = {name: np.shape(value) for name, value in reference.items() if not isinstance(value, (list, dict))}
    so_far = set(exercise.inputs)
    for at, line in enumerate(equations.body):
        so_far.update(assigned(line))
        shapes = {name: shape for name, shape in known.items() if name in so_far}
        for new, sentence in changed_lines(line, shapes):
            lines = [*equations.body[:at], *new, *equations.body[at + 1 :]]
            found.append(Mistake(ast.Module(lines, []), sentence))
    return found


def changed_lines(line: ast.stmt, shapes: Mapping[str, Any]) -> Iterator[tuple[list[ast.stmt], str]]:
    """A line (or loop, with the lines in it) with a mistake in it, again and again with another one."""
    for at, node in enumerate(ast.walk(line)):
        for new, sentence in changed_statements(node, shapes):
            yield [_replaced(line, at, new)], sentence
    for at, node in enumerate(ast.walk(line)):
        if isinstance(node, ast.If):
            yield [_replaced(line, at, ast.Pass())], f"the case `{read(node.test)}` is missing"
            always = ast.If(ast.Constant(True), node.body, [])
            yield [_replaced(line, at, always)], f"what belongs to the case `{read(node.test)}` alone is done always"


def changed_statements(node: ast.AST, shapes: Mapping[str, Any]) -> Iterator[tuple[ast.stmt, str]]:
    """A single statement with a mistake in it."""
    if isinstance(node, ast.AugAssign):
        target = base_name(node.target)
        assign = ast.Assign([_stored(node.target)], node.value)
        yield (
            assign,
            f"{target} is assigned where it should be added: `=` keeps only the last one, `+=` adds them all up",
        )
        yield (
            ast.AugAssign(node.target, ast.Sub(), node.value),
            f"{read(node.value)} is subtracted from {target} where it should be added",
        )
    if isinstance(node, (ast.Assign, ast.AugAssign)):
        target = base_name(node.target if isinstance(node, ast.AugAssign) else node.targets[0])
        for value, words in changed_expressions(node.value, shapes):
            changed = copy.copy(node)
            changed.value = value
            yield changed, words.replace("TARGET", target)
        if isinstance(node, ast.Assign):
            minus = copy.copy(node)
            minus.value = ast.UnaryOp(ast.USub(), node.value)
            yield minus, f"the sign of {target} is wrong: it is {read(node.value)}"
    if isinstance(node, (ast.For, ast.If)):
        field = "iter" if isinstance(node, ast.For) else "test"
        for value, words in changed_expressions(getattr(node, field), shapes):
            loop = copy.copy(node)
            setattr(loop, field, value)
            yield loop, words.replace("TARGET", "the loop" if field == "iter" else "the condition")


def _replaced(line: ast.stmt, at: int, new: ast.AST) -> ast.stmt:
    """A copy of a line, with another node in place of its `at`-th."""
    if at == 0:
        return ast.fix_missing_locations(copy.deepcopy(new))  # type: ignore[type-var]
    line = copy.deepcopy(line)
    old = list(ast.walk(line))[at]
    for parent in ast.walk(line):
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and any(one is old for one in value):
                value[[one is old for one in value].index(True)] = copy.deepcopy(new)
    return ast.fix_missing_locations(line)


def _stored(target: ast.expr) -> ast.expr:
    stored = copy.deepcopy(target)
    stored.ctx = ast.Store()  # type: ignore[attr-defined]
    return stored


