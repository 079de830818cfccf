"""`minirnn gradcheck`: check every operation, cell and layer against finite differences."""

from __future__ import annotations

import argparse
import time
from typing import Any

from minirnn.autograd.gradcheck import GradcheckError, gradcheck
from minirnn.cli.catalogue import all_cases, cases_of_cell
from minirnn.cli.recipes import Function, Inputs
from minirnn.errors import InputError
from minirnn.runs.own import CELL, blamed, is_own


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "gradcheck",
        help="check all gradients against finite differences",
        description="Check the gradients of every operation, cell and layer, in float64 and for every element of every "
        "input, against finite differences.",
        epilog="examples: minirnn gradcheck 'cell lstm*'; minirnn gradcheck mycell.py:MyCell",
    )
    parser.add_argument(
        "PATTERN",
        nargs="?",
        default="*",
        help="only the cases whose name matches, with * and ?; or FILE.py:NAME, a cell of your own",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each case; the exit status is 1 if a gradient is wrong."""
    pattern = arguments.PATTERN
    if not is_own(pattern):
        return _check(all_cases(pattern=pattern), pattern)
    cell = CELL.own(pattern)
    with blamed(pattern):
        return _check(cases_of_cell(pattern.rpartition(":")[2], cell), pattern)


def _check(cases: list[tuple[str, Function, Inputs]], pattern: str) -> int:
    if not cases:
        own = ": a cell of your own is FILE.py:NAME" if pattern.endswith(".py") else ""
        raise InputError(f"no case matches {pattern!r}; without a pattern all are listed{own}")
    width = max(len(name) for name, _, _ in cases)
    print(f"{'':{width}}  elements  largest error  seconds")
    failures = []
    for name, function, inputs in cases:
        elements, start = sum(x.size for x in inputs.values()), time.perf_counter()
        try:
            error = f"{gradcheck(function, inputs):.1e}"
        except GradcheckError as failure:
            failures.append(f"{name}: {failure}")
            error = "WRONG"
        print(f"{name:{width}}  {elements:8d}  {error:>13}  {time.perf_counter() - start:7.2f}", flush=True)
    print(f"\n{len(cases) - len(failures)} right, {len(failures)} wrong (relative error at most 1e-6 allowed)")
    for line in failures:
        print(line)
    return 1 if failures else 0
