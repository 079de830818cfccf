"""Every cell and every LSTM variant on a language model and on a long-memory task, three seeds each.

    python -m benchmarks.compare_cells --run lm        # and: memory; some 15 minutes each, on one core
    python -m benchmarks.compare_cells                 # write the table and the picture

What is compared, and on what: `minirnn/inspection/compare.py`. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tqdm import tqdm

from benchmarks.common import RESULTS, write_table
from minirnn import CELL_NAMES
from minirnn.inspection.compare import TASKS, Summary, compare, read_results, summarize
from minirnn.plots.compare import plot_comparison

HIDDEN, SEEDS = 64, 3
STEPS = {"lm": 800, "memory": 1500}


def run(task: str) -> None:
    """Train every cell on one task; the results of each task are collected in a file of its own."""
    path = RESULTS / f"compare_cells_{task}.csv"
    with tqdm(total=SEEDS * len(CELL_NAMES)) as bar:
        compare(path, task, CELL_NAMES, SEEDS, hidden=HIDDEN, steps=STEPS[task], step=lambda _: bar.update())


def rows(summaries: dict[str, Sequence[Summary]]) -> list[list[str]]:
    """The table: a line for each cell, in the order of the first task."""
    by_cell = {task: {row.cell: row for row in found} for task, found in summaries.items()}
    table = []
    for row in next(iter(summaries.values())):
        line = [row.cell, f"{row.parameters:,}"]
        for found in by_cell.values():
            own = found.get(row.cell)
            line.append(f"{own.mean:.3f} ({own.lowest:.3f} to {own.highest:.3f})" if own else "not measured")
        table.append(line)
    return table


def main() -> None:
    """Train, or write down what has been trained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", choices=tuple(TASKS), help="train instead of writing the table")
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.run)
        return
    summaries: dict[str, Sequence[Summary]] = {}
    for task in TASKS:
        results = read_results(RESULTS / f"compare_cells_{task}.csv")
        summaries[task] = summarize([r for r in results if (r.hidden, r.steps) == (HIDDEN, STEPS[task])])
    title = f"Cells compared: {HIDDEN} units, {SEEDS} seeds, mean (lowest to highest) of the error in nats"
    command = "python -m benchmarks.compare_cells --run lm (--run memory), then python -m benchmarks.compare_cells"
    header = ["cell", "parameters (lm)", *(f"{task}, {STEPS[task]} steps: {TASKS[task][1]}" for task in TASKS)]
    write_table("compare_cells", title, command, header, rows(summaries))
    titles = {"lm": "language model, by character", "memory": "long memory: the first of 41 symbols"}
    plot_comparison({titles[task]: found for task, found in summaries.items()}, RESULTS / "compare_cells.png")


if __name__ == "__main__":
    main()
