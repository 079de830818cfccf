"""A language model with one softmax over the whole vocabulary beside one with an adaptive softmax.

    python -m benchmarks.adaptive_softmax speed                                         # three minutes
    MINIRNN_DATA=<folder with fra-eng.zip> python -m benchmarks.adaptive_softmax perplexity   # a quarter of an hour

**Speed**: a training step (forward, backward, clipping, Adam) of an LSTM, float32, on random words whose frequencies
follow Zipf's law. The two take turns in one process.

**Perplexity**: what the speed costs, on the French sentences of fra-eng, shuffled, every word of them in the
vocabulary. Both models begin from the same seed and see the same batches. They take turns by epochs, whichever has used
less time, so that they can be compared after as many steps and after as much time; that of the processor, on one
thread, since another program on the machine then changes little. Judging the held-out text is not counted.
"""

from __future__ import annotations

import argparse
import os
import time
import zipfile
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Contender, environment, measure, write_table
from minirnn import (
    Adam,
    LanguageModel,
    LanguageModeling,
    Vocabulary,
    clip_grad_norm,
    no_grad,
    perplexity,
    set_num_threads,
)
from minirnn.data import tokenize

DATA = Path(os.environ.get("MINIRNN_DATA", "../shared/data"))
COMMAND = "python -m benchmarks.adaptive_softmax"
KINDS = ("full", "adaptive")
SIZE, BATCH, STEPS = 256, 32, 35
VOCABULARIES = (10_000, 50_000)
TOKENS, DROPOUT, LEARNING_RATE = 400_000, 0.3, 2e-3


class Training:
    """A language model and what it learns from.

    Args:
        softmax: "full" or "adaptive".
        ids: (tokens,) of the text.
        vocabulary_size: V.
        held_out: how many tokens at its end are held out.
        size: units of the LSTM and features of the embedding.
        dropout: as for the model.
    """

    def __init__(
        self, softmax: Any, ids: np.ndarray, vocabulary_size: int, held_out: int, size: int = SIZE, dropout: float = 0.0
    ):
        options: dict[str, Any] = {"softmax": softmax, "embedding_size": size, "dropout": dropout, "rng": 0}
        self.model = LanguageModel(vocabulary_size, size, **options)
        train, valid, rng = ids[:-held_out], ids[-held_out:], np.random.default_rng(0)
        self.task = LanguageModeling(self.model, train, valid, batch_size=BATCH, num_steps=STEPS, rng=rng)
        self.optimizer = Adam(self.model.named_parameters(), LEARNING_RATE)
        self.epochs, self.seconds, self.carry = 0, 0.0, None
        self.rows: list[tuple[float, float]] = []

    def step(self, batch: Any) -> None:
        """One step of training."""
        loss, _, self.carry = self.task.loss(batch, self.carry)
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(self.model.parameters(), 1.0)
        self.optimizer.step()

    def epoch(self) -> None:
        """One epoch of training; keeps the seconds used so far, and the perplexity of the held-out text."""
        start, self.carry = time.process_time(), None
        self.model.train()
        for batch in self.task.batches(np.random.default_rng(self.epochs)):
            self.step(batch)
        self.epochs, self.seconds = self.epochs + 1, self.seconds + time.process_time() - start
        self.model.eval()
        with no_grad():
            nll = self.task.validate()["valid_loss"]
        self.rows.append((self.seconds, perplexity(nll, 1)))


def zipf(vocabulary_size: int, tokens: int) -> np.ndarray:
    """Random ids, of which id k comes with a probability proportional to 1 / (k+1) (Zipf 1935)."""
    weight = 1 / np.arange(1, vocabulary_size + 1)
    return np.random.default_rng(0).choice(vocabulary_size, tokens, p=weight / weight.sum())


def steps(training: Training) -> Callable[[], None]:
    """A function that takes one step, with the next batch of an endless text."""

    def endless() -> Any:
        while True:
            training.carry = None
            yield from training.task.batches(np.random.default_rng(0))

    batches = endless()
    return lambda: training.step(next(batches))


def speed(tiny: bool) -> None:
    """Measure both and write the table."""
    rows, size = [], 8 if tiny else SIZE
    for V in (40, 60) if tiny else VOCABULARIES:
        ids = zipf(V, 50 * BATCH * STEPS)
        models = {kind: Training(kind, ids, V, 2, size) for kind in KINDS}
        contenders = [Contender(kind, steps(training)) for kind, training in models.items()]
        full, adaptive = measure(contenders, rounds=2 if tiny else 15, seconds=np.inf, pause=0.1, most=2)
        rate = [f"{BATCH * STEPS / timing.median:,.0f}" for timing in (full, adaptive)]
        weights = [f"{models[kind].model.output.num_parameters():,}" for kind in KINDS]
        rows.append([f"{V:,}", *weights, *rate, f"{full.relative_to(adaptive):.1f}"])
        print(rows[-1], flush=True)
    if tiny:
        return
    header = ["V", "weights of the output, full", "adaptive", "tokens/s, full", "adaptive", "adaptive / full"]
    title = "Training step of a language model, full and adaptive softmax"
    note = (
        f"LSTM of {SIZE} units, embedding of {SIZE}, {BATCH} sequences of {STEPS} steps, Adam, float32; cutoffs V/25 "
        "and V/5. Steps alternate in one process; medians, and the median of the ratios of neighbouring steps."
    )
    write_table("adaptive_softmax_speed", title, f"{COMMAND} speed", header, rows, note=note)


def french(tokens: int) -> list[str]:
    """The first tokens of the French sentences, each sentence once, one a line, shuffled."""
    text = zipfile.ZipFile(DATA / "fra-eng.zip").read("fra-eng/fra.txt").decode()
    sentences = list(dict.fromkeys(line.split("\t")[1] for line in text.splitlines() if line))
    order = np.random.default_rng(0).permutation(len(sentences))
    return tokenize("\n".join(sentences[i] for i in order), "word")[:tokens]


def costs(tokens: list[str], minutes: float, size: int = SIZE) -> None:
    """Train both on a text, each for so many minutes of the processor, and write the table after every epoch."""
    set_num_threads(1)
    vocabulary = Vocabulary.build(tokens)
    ids, V = vocabulary.encode(tokens), len(vocabulary)
    runs = {kind: Training(kind, ids, V, len(ids) // 20, size, DROPOUT) for kind in KINDS}
    note = (
        f"French sentences of fra-eng, {len(ids):,} tokens, V = {V:,}, the last twentieth held out, which is what the "
        f"perplexity is of; LSTM of {size} units, embedding of {size}, dropout {DROPOUT}, {BATCH} sequences of {STEPS} "
        f"steps, Adam at {LEARNING_RATE}, untuned; {runs['full'].model.num_parameters():,} weights and "
        f"{runs['adaptive'].model.num_parameters():,}. Minutes are of the processor, one thread, in training."
    )
    while min(run.seconds for run in runs.values()) < 60 * minutes:
        kind, run = min(runs.items(), key=lambda item: item[1].seconds)
        run.epoch()
        print(kind, run.epochs, *run.rows[-1], flush=True)
        write_costs([run.rows for run in runs.values()], note, minutes)


def write_costs(found: list[list[tuple[float, float]]], note: str, minutes: float) -> None:
    """Write what both have reached so far: for each its epochs, as seconds used and perplexity."""
    rows = []
    for epoch, (full, adaptive) in enumerate(zip_longest(*found), start=1):
        rows.append([str(epoch), *_cells(full), *_cells(adaptive)])
    header = ["epochs", "full: minutes", "perplexity", "adaptive: minutes", "perplexity"]
    title = "What an adaptive softmax costs in perplexity"
    command = f"{COMMAND} perplexity --minutes {minutes:g}"
    write_table("adaptive_softmax_perplexity", title, command, header, rows, note=note, show=False)


def _cells(row: tuple[float, float] | None) -> tuple[str, str]:
    return ("", "") if row is None else (f"{row[0] / 60:.1f}", f"{row[1]:.1f}")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "perplexity"))
    parser.add_argument("--tiny", action="store_true", help="of speed: tiny models, and no table")
    parser.add_argument("--minutes", type=float, default=6.5, help="of perplexity: of each model (default: 6.5)")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        speed(arguments.tiny)
    else:
        environment()  # looked up now: the commit may be another when the training is over
        costs(french(TOKENS), arguments.minutes)


if __name__ == "__main__":
    main()
