"""`minirnn exercise`: write a piece of the engine yourself, and hear where a gradient is wrong and why."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cli import computing
from minirnn.cli.options import Parser, check_output, path, quoted
from minirnn.exercises.catalogue import EXERCISES
from minirnn.exercises.files import check_file, start

DESCRIPTION = (
    "Write a piece of the engine yourself: from the slope of σ to the way back through an LSTM. `start` writes a file "
    "with the equations and the head of a function, `check` says of each gradient whether it is right, and where it is "
    "not, what is wrong. Without either, all exercises are listed, in an order to do them in."
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "exercise",
        help="write forward and backward steps yourself, and hear what is wrong",
        description=DESCRIPTION,
        epilog="example: minirnn exercise start rnn-backward && minirnn exercise check rnn_backward.py",
    )
    parser.set_defaults(run=run_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", parser_class=Parser)
    begin = actions.add_parser("start", help="write the file to fill in", description="Write the file to fill in.")
    begin.add_argument("NAME", choices=EXERCISES, metavar="NAME", help="of the exercise")
    begin.add_argument("--out", type=path, metavar="FILE", help="where to (default: the name of the function, .py)")
    begin.add_argument(
        "--derive", action="store_true", help="leave out the equations of the way back: you derive them first"
    )
    begin.set_defaults(run=run_start)
    check = actions.add_parser(
        "check",
        help="check what you have written",
        description="Run the function in a file on random arrays, in float64 and in a process of its own, and compare "
        "with minirnn. The exit status is 1 if something is wrong.",
    )
    check.add_argument("FILE", type=path, help="the file")
    check.set_defaults(run=run_check)
    solution = actions.add_parser(
        "solution", help="show how minirnn does it", description="Show how minirnn does it: its own source."
    )
    solution.add_argument("NAME", choices=EXERCISES, metavar="NAME", help="of the exercise")
    solution.set_defaults(run=run_solution)
    for action in actions.choices.values():
        computing.add_options(action)


def run_list(arguments: argparse.Namespace) -> int:
    """Print a line for each exercise."""
    width = max(map(len, EXERCISES))
    for number, (name, exercise) in enumerate(EXERCISES.items(), 1):
        print(f"{number:2}  {name:{width}}  {exercise.title}")
    print(f"\nBegin with: minirnn exercise start {next(iter(EXERCISES))}")
    return 0


def run_start(arguments: argparse.Namespace) -> int:
    """Write the file to fill in."""
    exercise = EXERCISES[arguments.NAME]
    file = arguments.out or f"{exercise.function}.py"
    check_output(file)
    start(exercise, file, arguments.derive)
    print(f"{exercise.title}: write it in {file}, then: minirnn exercise check {quoted(file)}")
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Print what is right and what is wrong; the exit status is 1 if anything is wrong."""
    report, printed = check_file(arguments.FILE)
    if printed:
        print(f"(your file prints:)\n{printed.rstrip()}\n")
    print(report)
    return 0 if report.right else 1


def run_solution(arguments: argparse.Namespace) -> int:
    """Print the source of the engine."""
    print(EXERCISES[arguments.NAME].solution(), end="")
    return 0
