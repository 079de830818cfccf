"""`minirnn show compare`: every cell on the same task with the same budget."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from minirnn.cells import CELL_NAMES
from minirnn.cli.options import number, path
from minirnn.cli.pictures import attempt, tell
from minirnn.errors import InputError
from minirnn.inspection.compare import DELAY, TASKS, Summary, compare, count_trainings, lesson, summarize
from minirnn.plots.compare import plot_comparison
from minirnn.runs.own import CELL, is_own, name_of_own

WIDTH = 79
"""Of a line, in columns."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "compare",
        help="every cell and variant, from best to worst",
        description="Train every cell on the same task with the same budget, and show their errors from best to worst, "
        "beside their parameters. A cell "
        "with a gate that keeps its memory is trained twice: with that gate's first bias like all other weights, and "
        f"with --chrono {DELAY} (see `minirnn train`), which lets it remember from the start. Results are kept in a "
        "CSV file; what it has already is not trained again, unless it is a cell of your own whose file has changed. "
        "Without options: some two minutes.",
        epilog="example: minirnn show compare --task memory --cells rnn gru lstm --seeds 3 --steps 1500",
    )
    count = number(int, 1)
    parser.add_argument(
        "--task",
        choices=tuple(TASKS),
        default="lm",
        help="; ".join(f"{name}: {about}" for name, (_, about) in TASKS.items()),
    )
    parser.add_argument(
        "--cells",
        nargs="+",
        **CELL.settings(),
        default=CELL_NAMES,
        metavar="CELL",
        help="which; `minirnn cells` explains each, and FILE.py:NAME is one of your own (default: all of minirnn's)",
    )
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="how often each is trained (default: 1)")
    parser.add_argument("--hidden", type=count, default=64, metavar="N", help="units (default: 64)")
    parser.add_argument("--steps", type=count, default=200, metavar="N", help="batches of 32 sequences (default: 200)")
    parser.add_argument("--out", type=path, default="compare", metavar="DIR", help="for the files (default: compare)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, and show a line for each cell."""
    from minirnn.training.bar import Bar  # here, as in the training loop

    folder, task, cells = Path(arguments.out), arguments.task, list(dict.fromkeys(arguments.cells))
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a directory: choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{task}.csv"
    names = {cell: name_of_own(cell) if is_own(cell) else cell for cell in cells}
    own = {names[cell]: CELL.own(cell) for cell in cells if is_own(cell)}
    trainings = count_trainings([own.get(name, name) for name in names.values()], arguments.seeds)
    with Bar(total=trainings, unit="model", disable=arguments.quiet, dynamic_ncols=True) as bar:

        def step(cell: str) -> None:
            bar.say(cell)
            bar.update()

        settings = {"hidden": arguments.hidden, "steps": arguments.steps, "own": own, "step": step}
        summaries = summarize(compare(table, task, list(names.values()), arguments.seeds, **settings))
    # What tells a file from what it was before is for the table alone.
    summaries = [row._replace(cell=row.cell.rpartition(" ")[0] if row.cell in own else row.cell) for row in summaries]
    print(f"{task}: {TASKS[task][1]}; {arguments.hidden} units, {arguments.steps} steps, {arguments.seeds} seed(s)")
    print("the best cell first, by the better of its starts:\n")
    print(as_text(summaries))
    if arguments.seeds < 3:
        print(
            "\nWith so few seeds, small differences are chance; and a budget this small favours cells that learn fast."
        )
    learned = lesson(summaries) if task == "memory" else ""
    if learned:
        print(f"\n{learned}")
    print(f"\nresults: {table}")
    tell(attempt(plot_comparison, {f"{task}, {arguments.steps} steps": summaries}, folder / f"{task}.png", learned))
    return 0


def as_text(summaries: list[Summary]) -> str:
    """A line for each cell and start: parameters, mean error, range, and a bar as long as the mean."""
    largest = max((row.mean for row in summaries if math.isfinite(row.mean)), default=1.0) or 1.0
    width = max(len(row.name) for row in summaries)
    figures = [
        f"{row.name:{width}}  {row.parameters:10,}  {row.mean:5.3f}   {row.lowest:.3f} to {row.highest:.3f}  "
        for row in summaries
    ]
    longest = WIDTH - max(map(len, figures))
    bars = ["#" * round(longest * row.mean / largest) if math.isfinite(row.mean) else "diverged" for row in summaries]
    return "\n".join([f"{'cell':{width}}  parameters  error   range", *map("".join, zip(figures, bars, strict=True))])
