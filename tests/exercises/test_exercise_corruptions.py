"""Whatever is changed in a right answer so that it gives something else is not accepted."""

import ast
import copy
from collections import Counter

import numpy as np
import pytest
from right_answers import RIGHT

from minirnn.exercises import EXERCISES, check, diagnosis
from minirnn.exercises.calling import AnswerError, call
from minirnn.exercises.closeness import close
from minirnn.exercises.program import run

OTHER = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Pow: ast.Mult,
}
EACH = 12


def corrupted(source, rng):
    """A source with one operator, name, number or attribute in the function replaced at random."""
    tree = ast.parse(source)
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {"np", "Counter"})
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.BinOp, ast.Name, ast.Constant, ast.Attribute))]
    node = nodes[rng.integers(len(nodes))]
    if isinstance(node, ast.BinOp) and type(node.op) in OTHER:
        node.op = OTHER[type(node.op)]()
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        node.id = str(rng.choice(names))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += int(rng.choice([-1, 1]))
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "sum", "max"):
        node.attr = {"T": "real", "sum": "mean", "max": "min"}[node.attr]
    return ast.unparse(tree)


def function(name, source):
    names = {"np": np, "Counter": Counter}
    exec(source, names)
    return names[EXERCISES[name].function]


def differs(name, source):
    """Whether it gives something else than the engine on draws that `check` does not make."""
    exercise = EXERCISES[name]
    for seed in range(100, 104):
        problem = exercise.draw(seed)
        try:
            found = call(exercise, function(name, source), problem)
        except AnswerError:
            return True
        if not all(close(found[output], y) for output, y in problem.outputs.items()):
            return True
    return False


@pytest.mark.parametrize("name", RIGHT)
def test_no_corruption_that_changes_a_result_is_accepted(name, monkeypatch):
    monkeypatch.setattr(diagnosis, "pairs", lambda singles: [])  # which only cost time here
    rng, seen = np.random.default_rng(len(name)), 0
    for _ in range(EACH):
        for source in RIGHT[name]:
            changed = corrupted(source, rng)
            if differs(name, changed):
                seen += 1
                report = check(function(name, changed))
                assert not report.right, changed
                assert report.trouble or any(report.wrong.values())
    assert seen >= EACH // 2


@pytest.mark.parametrize("name", EXERCISES)
def test_the_equations_are_the_engine(name):
    """They decide nothing, but what they explain would be wrong if they were."""
    exercise = EXERCISES[name]
    for seed in range(8):
        problem = exercise.draw(seed)
        values = run(ast.parse(exercise.equations), copy.deepcopy(problem.inputs))
        assert all(close(values[output], y) for output, y in problem.outputs.items())
        assert all(y.dtype in (np.float64, np.int64) for y in problem.outputs.values())
        assert len(set(problem.sizes.values())) == len(problem.sizes)


@pytest.mark.parametrize("name", EXERCISES)
def test_every_slip_changes_a_result(name):
    exercise = EXERCISES[name]
    slips = [(old, new) for old, instead in exercise.slips.items() for new in instead]
    for old, new in slips:
        assert old in exercise.equations
        changed = ast.parse(exercise.equations.replace(old, new))
        problems = [exercise.draw(seed) for seed in range(6)]
        values = [run(changed, problem.inputs) for problem in problems]
        pairs = zip(values, problems, strict=True)
        assert not all(close(found[output], y) for found, p in pairs for output, y in p.outputs.items()), new


def test_both_sides_of_the_clipping_are_drawn():
    problems = [EXERCISES["clip-norm"].draw(seed) for seed in range(6)]
    assert {bool(p.outputs["norm"] > p.inputs["max_norm"]) for p in problems} == {True, False}
