"""What the arrays of a cell's state are called: as in the first thing that its `forward` returns."""

from __future__ import annotations

import ast
import inspect
import textwrap

from minirnn.cells import Cell


def state_names(cell: Cell) -> list[str]:
    """A name for each of `cell.num_states` arrays: h, and c for an LSTM."""
    function = ast.parse(textwrap.dedent(inspect.getsource(type(cell).forward))).body[0]
    names: list[str] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and node.value.elts:
            state = node.value.elts[0]
            if isinstance(state, ast.Tuple):
                names = [one.id for one in state.elts if isinstance(one, ast.Name)]
    names = names[: cell.num_states]
    return names + [f"s{i + 1}" for i in range(len(names), cell.num_states)]
