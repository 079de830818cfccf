"""What is wrong with a learner's values: by planting mistakes until one gives just these.

A wrong gradient says little by itself. But mistakes are few and always the same: a term forgotten, a sign, a factor, a
transpose, h_t for h_{t-1}. Each of them is planted in the equations in turn, and the one that gives the learner's
numbers to nine digits, in every draw, is the one that was made. Where none does, the value (and how it differs from the
right one) is compared with everything that the equations name.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minirnn.exercises.closeness import close, unfit, where_wrong, wrong_shape
from minirnn.exercises.exercise import Exercise, Problem
from minirnn.exercises.program import Failed, run
from minirnn.exercises.slips import Mistake, mistakes

Values = Mapping[str, Any]  # by the name of the output: an array, or what to say of something that is none
MOST_PAIRS = 3000


def diagnose(exercise: Exercise, problems: Sequence[Problem], results: Sequence[Values]) -> dict[str, str]:
    """For each output what is wrong with it, in a sentence; "" where it is right in all draws.

    Args:
        exercise: the exercise.
        problems: some draws of it.
        results: the learner's outputs, for each draw.
    """
    said = {name: _plainly_wrong(exercise, problems, results, name) for name in exercise.outputs}
    puzzles = [
        name
        for name in exercise.outputs
        if not said[name]
        and not all(close(result[name], problem.outputs[name]) for problem, result in zip(problems, results, strict=True))
    ]
    if puzzles:
        search = Search(exercise, problems, results)
        said |= search.all_at_once(puzzles, [name for name in exercise.outputs if not said[name]])
        for name in puzzles:
            said[name] = said[name] or search.one(name, [other for other in puzzles if other != name])
    return said


def _plainly_wrong(exercise: Exercise, problems: Sequence[Problem], results: Sequence[Values], name: str) -> str:
    """What can be seen without looking for the mistake."""
    shape, _ = exercise.outputs[name]
    for problem, result in zip(problems, results, strict=True):
        got, expected = result[name], problem.outputs[name]
        if isinstance(got, str):
            return got
        if got.shape != expected.shape:
            return wrong_shape(got, expected, shape, problem.sizes)
        if sentence := unfit(got, expected, exercise.not_finite):
            return sentence
    return ""


class Search:
    """The search for the mistakes that explain what a learner has.

    Args: those of `diagnose`.
    """

    def __init__(self, exercise: Exercise, problems: Sequence[Problem], results: Sequence[Values]):
        self.exercise, self.problems, self.results = exercise, problems, results
        self.equations = ast.parse(exercise.equations)
        self.right = [run(self.equations, problem.inputs) for problem in problems]
        self.mistakes = mistakes(exercise, self.right[0])

    def all_at_once(self, wrong: list[str], comparable: list[str]) -> dict[str, str]:
        """Sentences if a single mistake explains everything: it is told with the first output, and the others follow."""
        for mistake in self.mistakes:
            if self._explains(mistake.equations, comparable, {}):
                first, *others = wrong
                return {first: mistake.sentence, **{name: f"it follows from {first}: the same mistake" for name in others}}
        return {}

    def one(self, name: str, others: Iterable[str]) -> str:
        """What is wrong with one output. `others` are wrong too: it may be made from the learner's own, or not."""
        order = list(self.exercise.outputs)
        before = [other for other in others if order.index(other) < order.index(name) and self._has(other)]
        for given in ([before, []] if before else [[]]):
            if given and self._explains(self.equations, [name], given):
                return f"it follows from {' and '.join(given)}: right once that is"
            for mistake in self.mistakes:
                if self._explains(mistake.equations, [name], given):
                    return mistake.sentence
        for sentence, holds in self._comparisons(name):
            if holds():
                return sentence
        shape, _ = self.exercise.outputs[name]
        i = next(i for i, p in enumerate(self.problems) if not close(self.results[i][name], p.outputs[name]))
        return where_wrong(self.results[i][name], self.problems[i].outputs[name], shape)

    def _has(self, name: str) -> bool:
        """Whether the learner has a value for this output that one can go on with."""
        pairs = zip(self.problems, self.results, strict=True)
        return all(isinstance(r[name], np.ndarray) and r[name].shape == p.outputs[name].shape for p, r in pairs)

    def _explains(self, equations: ast.Module, names: Iterable[str], given: Iterable[str]) -> bool:
        """Whether the equations give the learner's outputs, in all draws, with some of them `given`."""
        for problem, result in zip(self.problems, self.results, strict=True):
            try:
                values = run(equations, problem.inputs, {name: result[name] for name in given})
            except Failed:
                return False
            if not all(name in values and close(result[name], values[name]) for name in names):
                return False
        return True

    def _everywhere(self, name: str, test: Callable[[np.ndarray, np.ndarray, dict, Problem], bool]) -> bool:
        """Whether a test of what the learner has, and of what is right, holds in all draws."""
        with np.errstate(all="ignore"):
            return all(
                test(np.asarray(result[name], float), np.asarray(problem.outputs[name], float), right, problem)
                for problem, result, right in zip(self.problems, self.results, self.right, strict=True)
            )

    def _comparisons(self, name: str) -> Iterator[tuple[str, Callable[[], bool]]]:
        """What the value, its difference from the right one, and their ratio may be."""

        def everywhere(test: Callable[..., Any]) -> Callable[[], bool]:
            return lambda: self._everywhere(name, test)

        yield f"{name} is 0 everywhere", everywhere(lambda got, y, names, p: not got.any())
        yield f"{name} has the wrong sign", everywhere(lambda got, y, names, p: close(got, -y))
        yield f"{name} is transposed", everywhere(lambda got, y, names, p: y.ndim > 1 and close(got.T, y))
        backwards = f"{name} is in the wrong order: its first step stands last"
        yield backwards, everywhere(lambda got, y, names, p: y.ndim > 1 and close(got[::-1], y))
        for letter in self.problems[0].sizes:
            yield (
                f"{name} is {letter} times too small: a mean over {letter} where the sum belongs?",
                everywhere(lambda got, y, names, p, letter=letter: close(got * p.sizes[letter], y)),
            )
            yield (
                f"{name} is {letter} times too large: a sum over {letter} where the mean belongs?",
                everywhere(lambda got, y, names, p, letter=letter: close(got, y * p.sizes[letter])),
            )
        factor = self._factor(name)
        yield f"{name} is {factor:.6g} times what it should be", everywhere(
            lambda got, y, names, p: close(got, y * factor)
        )
        shape = self.problems[0].outputs[name].shape
        same = [other for other, value in self.right[0].items() if np.shape(value) == shape and other != name and shape]
        for v in same:
            yield f"this is {v}, not {name}", everywhere(lambda got, y, names, p, v=v: close(got, names[v]))
            yield f"{name} lacks {v}", everywhere(lambda got, y, names, p, v=v: close(got + names[v], y))
            yield f"{name} has {v} too much", everywhere(lambda got, y, names, p, v=v: close(got, y + names[v]))
            yield f"{name} lacks the factor {v}", everywhere(lambda got, y, names, p, v=v: close(got * names[v], y))
            yield (
                f"{name} has the factor {v} once too often",
                everywhere(lambda got, y, names, p, v=v: close(got, y * names[v])),
            )
            yield (
                f"{name} lacks the factor 1 - {v}",
                everywhere(lambda got, y, names, p, v=v: close(got * (1 - names[v]), y)),
            )
        for v, u in itertools.combinations(same, 2):
            yield (
                f"{name} lacks {v} * {u}",
                everywhere(lambda got, y, names, p, v=v, u=u: close(got + names[v] * names[u], y)),
            )
            yield (
                f"{name} has {v} * {u} too much",
                everywhere(lambda got, y, names, p, v=v, u=u: close(got - names[v] * names[u], y)),
            )
            yield (
                f"this is {v} * {u}, not {name}",
                everywhere(lambda got, y, names, p, v=v, u=u: close(got, names[v] * names[u])),
            )

    def _factor(self, name: str) -> float:
        got, right = (np.asarray(one[name], float) for one in (self.results[0], self.problems[0].outputs))
        return float((got * right).sum() / max((right * right).sum(), 1e-300))


