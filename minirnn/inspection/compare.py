"""Every cell on the same task with the same budget: which errs least, and how many parameters it has for that.

After the charts of "LSTM: A Search Space Odyssey" (Greff et al. 2017) and "An Empirical Exploration of Recurrent
Network Architectures" (Jozefowicz, Zaremba & Sutskever 2015). All cells get the same data in the same order, the same
number of units, steps and sequences, and the same optimiser; nothing is tuned for any of them.

One thing is not left to a default: where the gate that keeps the memory begins. Small random weights put it near 1/2,
which keeps nothing for 40 steps, and then a gated cell that fails on a long task says nothing about its equations. So
each gated cell is trained twice, from the same weights: with the bias of that gate like all others, and with `chrono`
(see `minirnn.layers.first_memory`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer, strings
from minirnn.autograd.losses import cross_entropy
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import one_hot
from minirnn.autograd.tensor import Tensor
from minirnn.cells import Cell, make_cell
from minirnn.data import Vocabulary, built_in_text, tokenize
from minirnn.data.batches import random_batches
from minirnn.data.reading import read_text, split_lines
from minirnn.errors import InputError
from minirnn.layers import Linear, Module, Recurrent
from minirnn.models import LanguageModel
from minirnn.training import Adam, clip_grad_norm

SYMBOLS = 8
DELAY = 40


LESSON = (
    f"Whether a gated cell remembers over {DELAY} steps is decided by where its gates begin, "
    "not by the letters LSTM or GRU."
)
"""What is to be learned from the comparison on the task "memory"."""


class Result(NamedTuple):
    """One cell, trained once. `chrono` is as for `Recurrent`, None where the gates begin as all weights do. `error` is
    in nats, on data that training has not seen; nan if training diverged."""

    task: str
    cell: str
    chrono: int | None
    seed: int
    hidden: int
    steps: int
    parameters: int
    error: float


class _Problem(NamedTuple):
    model: Module
    batches: Iterator[Any]
    loss: Callable[[Any], Tensor]
    test: Any


class _Rememberer(Module):
    """A recurrent layer, and which symbol came first read off its last output."""

    def __init__(self, cell: str | Cell, hidden_size: int, chrono: int | None, rng: np.random.Generator):
        self.recurrent = Recurrent(cell, 2 * SYMBOLS, hidden_size, chrono=chrono, rng=rng)
        self.output = Linear(hidden_size, SYMBOLS, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.recurrent(x)[0][-1])


def remember_batches(
    rng: np.random.Generator, batch: int = 32, delay: int = DELAY, dtype: DTypeLike = np.float32
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """A long-memory task without end: the first of `delay` + 1 symbols is one of 8 and is asked for at the end; those
    after it are drawn from 8 others and mean nothing. Batches (time, batch, 16) of one-hot symbols and the answers."""
    batch, delay, dtype = integer("batch", batch), integer("delay", delay), backend.float_dtype(dtype)
    while True:
        first = rng.integers(0, SYMBOLS, batch)
        rest = rng.integers(SYMBOLS, 2 * SYMBOLS, (delay, batch))
        ids = np.concatenate((first[None], rest))
        yield one_hot(ids, 2 * SYMBOLS, np.zeros(0, dtype)), first


def _remember(cell: str | Cell, chrono: int | None, hidden: int, seed: int) -> _Problem:
    model = _Rememberer(cell, hidden, chrono, backend.generator([seed, 1]))  # type: ignore[arg-type]
    test = next(remember_batches(np.random.default_rng(0), 1000))
    loss = lambda batch: cross_entropy(model(batch[0]), batch[1])  # noqa: E731
    return _Problem(model, remember_batches(np.random.default_rng([seed, 2])), loss, test)


def _language(cell: str | Cell, chrono: int | None, hidden: int, seed: int) -> _Problem:
    ids, size = _text()
    rng = backend.generator([seed, 1])  # type: ignore[arg-type]
    model = LanguageModel(size, hidden, cell=cell, embedding_size=32, chrono=chrono, rng=rng)
    held_out = 20_000

    def batches() -> Iterator[Any]:
        rng = np.random.default_rng([seed, 2])
        while True:
            yield from random_batches(ids[:-held_out], 32, 50, rng)

    def loss(batch: Any) -> Tensor:
        return cross_entropy(model(batch[0])[0], batch[1])

    rows = ids[-held_out:].reshape(100, -1).T  # 100 stretches side by side
    return _Problem(model, batches(), loss, (rows[:-1], rows[1:]))


_texts: list[tuple[np.ndarray, int]] = []


def _text() -> tuple[np.ndarray, int]:
    """The built-in text by characters: ids, and how many different ones."""
    if not _texts:
        tokens = tokenize(built_in_text(), "char")
        vocabulary = Vocabulary.build(tokens, 1)
        _texts.append((vocabulary.encode(tokens), len(vocabulary)))
    return _texts[0]


TASKS: dict[str, tuple[Callable[[str | Cell, int | None, int, int], _Problem], str]] = {
    "lm": (_language, "the next character of the built-in text; error: held-out nats per character"),
    "memory": (
        _remember,
        f"which of {SYMBOLS} symbols came first, {DELAY} steps ago; error: nats, {np.log(SYMBOLS):.2f} by guessing",
    ),
}
"""The tasks, each with a line about it."""


def starts(cell: str | Cell) -> tuple[int | None, ...]:
    """The values of `chrono` that a cell is compared with: none, and where it has a gate that keeps its memory, the
    delay of the task "memory"."""
    return (None,) if make_cell(cell).memory_gate is None else (None, DELAY)


def train_once(
    task: str,
    cell: str | Cell,
    seed: int,
    *,
    chrono: int | None = None,
    hidden: int,
    steps: int,
    learning_rate: float = 0.005,
) -> Result:
    """Train one cell on one task.

    Args:
        task: one of `TASKS`.
        cell: one of `CELL_NAMES`, or a cell, which the result has under the name of its class.
        seed: of the weights and the data; the data are the same for all cells.
        chrono: as for `Recurrent`.
        hidden: the units.
        steps: the batches of 32 sequences.
        learning_rate: of Adam; gradients are clipped to norm 1.

    Raises:
        InputError: the task or the cell is unknown, the cell has no use for chrono, or a number is out of its range.
    """
    steps = integer("steps", steps)
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}: expected one of {', '.join(TASKS)}")
    problem = TASKS[task][0](cell, chrono, hidden, seed)
    model, optimizer = problem.model, Adam(problem.model.named_parameters(), learning_rate)
    for _, batch in zip(range(steps), problem.batches, strict=False):
        loss = problem.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with no_grad():
        error = problem.loss(problem.test).item()
    error = error if np.isfinite(error) else float("nan")
    name = cell if isinstance(cell, str) else type(cell).__name__
    return Result(task, name, chrono, seed, hidden, steps, model.num_parameters(), error)


def read_results(path: str | Path) -> list[Result]:
    """The results in a CSV file, none if there is no such file.

    Raises:
        InputError: the file is not such a table, or no text; names the line.
    """
    if not Path(path).exists():
        return []
    results, reader = [], csv.reader(split_lines(read_text(path)))
    try:
        if next(reader) != list(Result._fields):
            raise InputError(f"{path} line 1: expected the columns {','.join(Result._fields)}")
        for task, cell, chrono, *counts, error in reader:
            seed, hidden, steps, parameters = map(int, counts)
            start = int(chrono) if chrono else None
            results.append(Result(task, cell, start, seed, hidden, steps, parameters, float(error)))
    except InputError:
        raise
    except (ValueError, csv.Error) as wrong:
        raise InputError(
            f"{path} line {reader.line_num}: expected {len(Result._fields)} columns, two names and numbers: {wrong}"
        ) from wrong
    return results


def append_result(path: str | Path, result: Result) -> None:
    """Add a line to the CSV file."""
    fresh = not Path(path).exists()
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(Result._fields)
        writer.writerow(result)


def compare(
    path: str | Path,
    task: str,
    cells: Sequence[str],
    seeds: int,
    *,
    hidden: int,
    steps: int,
    own: Mapping[str, Cell] = MappingProxyType({}),
    step: Callable[[str], Any] = lambda cell: None,
) -> list[Result]:
    """Train every cell with every seed and from all its `starts`, keeping each result as it comes; what the file has
    already is not done again.

    Args:
        path: the CSV file.
        task, hidden, steps: as for `train_once`.
        cells: the names of the cells.
        own: of those that minirnn does not know, the cells themselves. What the file has under such a name is taken for
            theirs: a cell that has changed needs another name.
        seeds: how many times each is trained.
        step: called with the name of each cell before it is trained, for a progress bar: `count_trainings` times.

    Returns:
        The results of these cells with these settings, cell by cell.

    Raises:
        InputError: as `train_once` and `read_results`.
    """
    cells, seeds, steps = strings("cells", cells), integer("seeds", seeds), integer("steps", steps)
    hidden = integer("hidden", hidden)
    done = {result[:6]: result for result in read_results(path)}
    wanted = [
        (task, cell, chrono, seed, hidden, steps)
        for seed in range(seeds)
        for cell in cells
        for chrono in starts(own.get(cell, cell))
    ]
    for key in wanted:
        _, cell, chrono, seed, *_ = key
        step(cell)
        if key not in done:
            trained = train_once(task, own.get(cell, cell), seed, chrono=chrono, hidden=hidden, steps=steps)
            done[key] = trained._replace(cell=cell)
            append_result(path, done[key])
    return [done[key] for cell in cells for key in wanted if key[1] == cell]


def count_trainings(cells: Sequence[str | Cell], seeds: int) -> int:
    """How many models `compare` trains."""
    return seeds * sum(len(starts(cell)) for cell in cells)


class Summary(NamedTuple):
    """A cell with one start over its seeds."""

    cell: str
    chrono: int | None
    parameters: int
    mean: float
    lowest: float
    highest: float

    @property
    def name(self) -> str:
        """The cell, and its chrono if there is one."""
        return self.cell if self.chrono is None else f"{self.cell}, chrono {self.chrono}"


def summarize(results: Sequence[Result]) -> list[Summary]:
    """Mean and range of each cell's error with each of its starts. The starts of a cell stand together, the one without
    chrono first; the cell whose better start is best comes first. Where training diverged, all are nan, and last."""
    rows = []
    for cell, chrono in dict.fromkeys((result.cell, result.chrono) for result in results):
        own = [result for result in results if (result.cell, result.chrono) == (cell, chrono)]
        errors = np.array([result.error for result in own])
        mean, lowest, highest = (float(f(errors)) for f in (np.mean, np.min, np.max))
        rows.append(Summary(cell, chrono, own[0].parameters, mean, lowest, highest))
    best: dict[str, float] = {}
    for row in rows:
        best[row.cell] = min(best.get(row.cell, np.inf), np.inf if np.isnan(row.mean) else row.mean)
    return sorted(rows, key=lambda row: (best[row.cell], row.cell, row.chrono or 0))


def lesson(summaries: Sequence[Summary]) -> str:
    """`LESSON`, where a comparison on the task "memory" bears it out: most cells near chance without chrono have learnt
    the task with it. Else nothing, as after too few steps for any cell to learn."""
    plain = {row.cell: row.mean for row in summaries if row.chrono is None}
    near_chance = {cell for cell, error in plain.items() if error > 0.5 * np.log(SYMBOLS)}
    helped = [row.mean for row in summaries if row.chrono is not None and row.cell in near_chance]
    return LESSON if helped and np.median(helped) < 0.1 else ""
