"""What is wrong with a learner's values: by planting mistakes until one gives just these.

A wrong gradient says little by itself. But mistakes are few and always the same: a term forgotten, a sign, a factor, a
transpose, h_t for h_{t-1}. Each of them is planted in the equations in turn, and the one that gives the learner's
numbers to nine digits, in every draw, is the one that was made. Where none does, the value itself is compared with
everything that the equations name; and then mistakes are planted two at a time.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from minirnn.exercises.closeness import close, unfit, where_wrong, wrong_shape
from minirnn.exercises.comparisons import Case, compared
from minirnn.exercises.exercise import Exercise, Problem
from minirnn.exercises.program import EquationError, run
from minirnn.exercises.slips import Mistake, mistakes, pairs

Values = Mapping[str, Any]  # by the name of the output: an array, or what to say of something that is none


def diagnose(exercise: Exercise, problems: Sequence[Problem], results: Sequence[Values]) -> dict[str, str]:
    """For each output what is wrong with it, in a sentence; "" where it is right in all draws.

    Args:
        exercise: the exercise.
        problems: some draws of it.
        results: the learner's outputs, for each draw.
    """
    draws = list(zip(problems, results, strict=True))
    said = {name: _plainly_wrong(exercise, draws, name) for name in exercise.outputs}
    whole = [name for name, sentence in said.items() if not sentence]
    puzzles = [name for name in whole if not all(close(result[name], p.outputs[name]) for p, result in draws)]
    if puzzles:
        search = Search(exercise, problems, results)
        said |= search.one_for_all(puzzles, whole)
        for at, name in enumerate(puzzles):
            said[name] = said[name] or search.one_by_itself(name, puzzles[:at])
        said |= search.two([name for name in puzzles if not said[name]])
        for name in puzzles:
            said[name] = said[name] or search.unknown(name)
    return said


def _plainly_wrong(exercise: Exercise, draws: Sequence[tuple[Problem, Values]], name: str) -> str:
    """What can be seen without looking for the mistake."""
    shape, _ = exercise.outputs[name]
    for problem, result in draws:
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

    def one_for_all(self, wrong: Sequence[str], whole: Sequence[str]) -> dict[str, str]:
        """Sentences for the wrong outputs, if a single mistake explains them and leaves the rest of the whole right."""
        first, *others = wrong
        mistake = self._made(self._nearest(first), whole, [])
        if mistake is None:
            return {}
        return {first: mistake.sentence} | {
            name: self._following(name, [first]) or f"it comes from the same mistake as {first}" for name in others
        }

    def one_by_itself(self, name: str, before: Sequence[str]) -> str:
        """What is wrong with one output, if it is known. Those before it are wrong too: it may be made from the
        learner's own."""
        if follows := self._following(name, before):
            return follows
        for given in [before, []] if before else [[]]:
            if mistake := self._made(self._nearest(name), [name], given):
                return mistake.sentence
        return compared(name, self._cases(name))

    def two(self, names: Sequence[str]) -> dict[str, str]:
        """Sentences for those of some outputs that two mistakes at once explain."""
        said: dict[str, str] = {}
        names = [name for name in names if self.problems[0].outputs[name].size > 1]
        for both in pairs(self.mistakes) if names else ():
            explained = [name for name in self._alike(both, names) if self._explains(both.equations, [name], [])]
            names = [name for name in names if name not in explained]
            said |= dict.fromkeys(explained[1:], "the same two mistakes as in " + "".join(explained[:1]))
            said |= dict.fromkeys(explained[:1], both.sentence)
            if not names:
                break
        return said

    def unknown(self, name: str) -> str:
        """What can be said where no mistake is known that gives an output."""
        shape, _ = self.exercise.outputs[name]
        wrong = next(case for case in self._cases(name) if not close(case.got, case.right))
        return where_wrong(wrong.got, wrong.right, shape)

    def _cases(self, name: str) -> list[Case]:
        return [
            Case(result[name], problem.outputs[name], right, problem.sizes)
            for problem, result, right in zip(self.problems, self.results, self.right, strict=True)
        ]

    def _alike(self, mistake: Mistake, names: Sequence[str]) -> list[str]:
        """Those of the outputs that a mistake gives in the first draw."""
        try:
            values = run(mistake.equations, self.problems[0].inputs)
        except EquationError:
            return []
        return [name for name in names if name in values and close(self.results[0][name], values[name])]

    def _following(self, name: str, before: Sequence[str]) -> str:
        """A sentence if an output is wrong only because it was made, rightly, from others that are wrong."""
        for given in [*([one] for one in before), before]:
            if given and self._explains(self.equations, [name], given):
                return f"it follows from {' and '.join(given)}: right once that is"
        return ""

    def _nearest(self, name: str) -> list[Mistake]:
        """The mistakes, those of a kind in the order in which they lie near the line that makes an output."""
        return sorted(self.mistakes, key=lambda one: (one.rank, name not in one.changed))

    def _made(self, candidates: Sequence[Mistake], names: Sequence[str], given: Sequence[str]) -> Mistake | None:
        return next((one for one in candidates if self._explains(one.equations, names, given)), None)

    def _explains(self, equations: ast.Module, names: Sequence[str], given: Sequence[str]) -> bool:
        """Whether the equations give the learner's outputs, in all draws, with some of them `given`."""
        for problem, result in zip(self.problems, self.results, strict=True):
            try:
                values = run(equations, problem.inputs, {name: result[name] for name in given})
            except EquationError:
                return False
            if not all(name in values and close(result[name], values[name]) for name in names):
                return False
        return True
