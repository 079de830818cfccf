"""Running the equations of an exercise, with some values given."""

from __future__ import annotations

import ast
import copy
import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from minirnn.backend import sigmoid

TOOLS = {"np": np, "sigmoid": sigmoid, "Counter": Counter}


class EquationError(Exception):
    """The equations, changed, cannot be computed."""


def run(equations: ast.Module, inputs: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All that the equations give a name to, and the inputs, by name.

    Args:
        equations: straight lines and loops.
        inputs: the names that they begin with.
        given: values to go on with, once a name is finished, in place of what the lines have made: with a learner's
            wrong da given, the lines after it show what a right dh_prev looks like that was made from this da.

    Raises:
        EquationError: a line could not be computed.
    """
    names = {**TOOLS, **{name: copy.copy(value) for name, value in inputs.items()}}
    finished = {name: at for at, line in enumerate(equations.body) for name in assigned(line)} if given else {}
    try:
        with np.errstate(all="ignore"):
            for at, line in enumerate(equations.body):
                exec(compiled(line), names)
                names.update({name: copy.copy(value) for name, value in (given or {}).items() if finished[name] == at})
    except Exception as error:
        raise EquationError from error
    return {name: value for name, value in names.items() if name not in TOOLS and name != "__builtins__"}


@functools.lru_cache(maxsize=4096)  # of the lines of a program with a mistake in it, all but one are the same as before
def compiled(line: ast.stmt) -> Any:
    """A line, ready to run."""
    return compile(ast.fix_missing_locations(ast.Module([line], [])), "<equations>", "exec")


def assigned(line: ast.stmt) -> list[str]:
    """The names that a line, with all the lines in it, gives a value to, in order."""
    stored = (node for node in ast.walk(line) if isinstance(node, (ast.Assign, ast.AugAssign)))
    targets = [
        target for node in stored for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return list(dict.fromkeys(base_name(part) for part in parts))


def base_name(target: ast.expr) -> str:
    """ "dh" of dh, and of dh[t]."""
    while isinstance(target, (ast.Subscript, ast.Attribute)):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ast.unparse(target)
