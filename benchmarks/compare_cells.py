"""Every cell and every LSTM variant on a language model and on a long-memory task, three seeds each; gated cells also
with gates that begin open.

    python -m benchmarks.compare_cells --run lm        # and: memory; half an hour each, on one core
    python -m benchmarks.compare_cells                 # write the table and the picture

What is compared, and on what: `minirnn/inspection/compare.py`. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from benchmarks.common import RESULTS, write_table
from minirnn import CELL_NAMES
from minirnn.inspection.compare import (
    DELAY,
    TASKS,
    Summary,
    compare,
    count_trainings,
    lesson,
    read_results,
    starts,
    summarize,
)
from minirnn.plots.compare import plot_comparison

HIDDEN, SEEDS = 64, 3
STEPS = {"lm": 800, "memory": 1500}
NOTE = (
    "Each cell with a gate that keeps its memory stands here twice, trained from the same weights but for the first "
    "bias of that gate (and of the LSTM's input gate): like all other weights, or drawn so that up to "
    f"{DELAY} steps are remembered (`chrono`, Tallec & Ollivier 2018). {DELAY} is the delay of the memory task itself; "
    "where the delay is not known, T is a guess like any other setting."
)


def run(task: str) -> None:
    """Train every cell on one task; the results of each task are collected in a file of its own."""
    path = RESULTS / f"compare_cells_{task}.csv"
    with tqdm(total=count_trainings(CELL_NAMES, SEEDS)) as bar:
        compare(path, task, CELL_NAMES, SEEDS, hidden=HIDDEN, steps=STEPS[task], step=lambda _: bar.update())


def rows(summaries: dict[str, Sequence[Summary]]) -> list[list[str]]:
    """The table: a line for each cell and start, in the order of the first task."""
    by_name = {task: {row.name: row for row in found} for task, found in summaries.items()}
    table = []
    for row in next(iter(summaries.values())):
        gated = len(starts(row.cell)) > 1
        begins = "–" if not gated else "like all weights" if row.chrono is None else f"chrono, T = {row.chrono}"
        line = [row.cell, begins, f"{row.parameters:,}"]
        for found in by_name.values():
            own = found.get(row.name)
            line.append(f"{own.mean:.3f} ({own.lowest:.3f} to {own.highest:.3f})" if own else "not measured")
        table.append(line)
    return table


def price(summaries: Sequence[Summary]) -> str:
    """What the same start does to a task in which what is near matters most."""
    plain = {row.cell: row.mean for row in summaries if row.chrono is None}
    changes = [row.mean - plain[row.cell] for row in summaries if row.chrono is not None]
    if not changes:
        return ""
    return (
        "The same start changes the error of the language model, in which what is near matters most, by "
        f"{min(changes):+.2f} to {max(changes):+.2f} nats (median over the cells {np.median(changes):+.2f})."
    )


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
    learned = lesson(summaries["memory"])
    about = {task: f"{task}, {STEPS[task]} steps: {TASKS[task][1]}" for task in TASKS}
    header = ["cell", "the gate begins", "parameters (lm)", *about.values()]
    note = f"{learned} {NOTE} {price(summaries['lm'])}".strip()
    write_table("compare_cells", title, command, header, rows(summaries), note=note)
    titles = {
        "lm": "language model, by character",
        "memory": f"memory: the first of {DELAY + 1} symbols (guessing: 2.08)",
    }
    panels = {titles[task]: found for task, found in summaries.items()}
    plot_comparison(panels, RESULTS / "compare_cells.png", learned)


if __name__ == "__main__":
    main()
