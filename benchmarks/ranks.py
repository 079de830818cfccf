"""Data-parallel training: what it costs to add the gradients up, and tokens a second beside threads.

    python -m benchmarks.ranks

It starts `mpiexec` itself, with mpi4py and an MPI of this Python (`pip install mpi4py mpich`). Ways to use the same
cores take turns, each in processes of its own, several times; what each does before its first steps does not count.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from minirnn import SGD, Callback, LanguageModel, LanguageModeling, Trainer, data_parallel, num_threads, set_num_threads
from minirnn.training import Ranks

MODELS = {"small": (64, 128), "medium": (64, 512), "large": (2000, 512)}
"""V and H of an LSTM with an embedding of H / 2."""
BATCH, STEPS = 64, 35
NUMBERS = (10**3, 10**4, 10**5, 10**6, 10**7)
ROUNDS = 7
WIDTHS = (64, 32, 16, 8, 4, 2, 1)
COMMAND = "python -m benchmarks.ranks"
SECONDS, WARM = 3.0, 3


class Counted(Ranks):
    """Ranks whose sums are counted and timed."""

    def __init__(self, ranks: Ranks):
        self.ranks, self.rank, self.size = ranks, ranks.rank, ranks.size
        self.bytes, self.seconds = 0, 0.0

    def add_up(self, array: np.ndarray) -> np.ndarray:  # noqa: D102
        start = time.perf_counter()
        self.ranks.add_up(array)
        self.seconds += time.perf_counter() - start
        self.bytes += array.nbytes
        return array

    def broadcast(self, what: Any) -> Any:  # noqa: D102
        return self.ranks.broadcast(what)

    def gather(self, what: Any) -> list[Any]:  # noqa: D102
        return self.ranks.gather(what)


def train(ranks: Ranks, name: str, width: int = BATCH) -> dict[str, Any]:
    """Milliseconds of a step, for a few seconds, and what was said in it."""
    V, H = MODELS[name]
    rng = np.random.default_rng(0)
    model = LanguageModel(V, H, embedding_size=H // 2, rng=rng)
    text = rng.integers(0, V, 400_000)
    task = LanguageModeling(model, text, text[:0], batch_size=width, num_steps=STEPS, rng=rng)
    counted = Counted(ranks)
    trainer = Trainer(task, SGD(model.named_parameters(), 0.1), progress=False, ranks=counted)
    clock = Clock(counted)
    trainer.callbacks.append(clock)
    trainer.train(1)
    return {**clock.found(), "P": model.num_parameters()}


class Clock(Callback):
    """Measures a training from its fourth step on, and ends it after some seconds."""

    def __init__(self, counted: Counted):
        self.counted, self.steps, self.start, self.elapsed = counted, 0, 0.0, 0.0

    def on_step(self, trainer: Trainer[Any]) -> bool:  # noqa: D102
        if trainer.place.step == WARM:
            self.counted.bytes, self.counted.seconds, self.start = 0, 0.0, time.perf_counter()
        self.steps, self.elapsed = trainer.place.step - WARM, time.perf_counter() - self.start
        return self.steps > 0 and self.elapsed > SECONDS

    def found(self) -> dict[str, Any]:
        """Of a step."""
        return {
            "ms": 1e3 * self.elapsed / self.steps,
            "tokens_per_second": BATCH * STEPS * self.steps / self.elapsed,
            "bytes": self.counted.bytes / self.steps,
            "sum_ms": 1e3 * self.counted.seconds / self.steps,
        }


def sums(ranks: Ranks) -> list[dict[str, float]]:
    """Milliseconds of adding up so many float32 numbers: the median, when all have met before."""
    found = []
    for n in NUMBERS:
        array, times = np.ones(n, np.float32), []
        for _ in range(5 + min(200, 2 * 10**7 // n)):
            ranks.gather(0)
            start = time.perf_counter()
            ranks.add_up(array)
            times.append(time.perf_counter() - start)
            array[...] = 1
        found.append({"numbers": n, "ms": 1e3 * statistics.median(times[3:])})
    return found


def child(what: str, threads: int) -> None:
    """What one of the processes does, and rank 0 prints."""
    set_num_threads(threads)
    with data_parallel() as ranks:
        name, _, width = what.partition(":")
        result = sums(ranks) if name == "sums" else train(ranks, name, int(width or BATCH))
        if ranks.leads:
            print(json.dumps(result))


def start(size: int, what: str, threads: int) -> Any:
    """What so many processes find."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
    launch = [beside, "-n", str(size)] if size > 1 else []
    command = [*launch, sys.executable, "-m", "benchmarks.ranks", "--child", what, "--threads", str(threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=common.RESULTS, help="folder for the tables")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each way (default: {ROUNDS})")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.threads)
        return
    cores = num_threads()
    _compare(cores, options.rounds, options.out)
    _sums(cores, options.rounds, options.out)
    _widths(cores, options.rounds, options.out)


def _widths(cores: int, rounds: int, folder: Path) -> None:
    """What is left of a step where a batch is divided among many."""
    found: dict[int, list[float]] = {width: [] for width in WIDTHS}
    for _ in range(rounds):
        for width in WIDTHS:
            found[width].append(start(1, f"medium:{width}", cores)["ms"])
    times = {width: statistics.median(ms) for width, ms in found.items()}
    rows = [[str(w), f"{ms:.1f}", f"{ms / times[BATCH]:.3f}", f"{w / BATCH:.3f}"] for w, ms in times.items()]
    note = (
        f"The medium model of the table of processes, in one process with {cores} threads; medians of {rounds} turns."
    )
    header = ["sequences", "ms a step", "of the whole batch's", "of its sequences"]
    common.write_table("ranks_widths", "A step of fewer sequences", COMMAND, header, rows, folder, note)


def _compare(cores: int, rounds: int, folder: Path) -> None:
    ways = {
        "1 process, 1 thread": (1, 1),
        f"1 process, {cores} threads": (1, cores),
        f"{cores} processes, 1 thread each": (cores, 1),
    }
    rows = []
    for name in MODELS:
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, (size, threads) in ways.items():
                found[way].append(start(size, name, threads))
        for way, results in found.items():
            middle = {key: statistics.median(result[key] for result in results) for key in results[0]}
            said = [f"{middle['bytes'] / 1e6:.2f}", f"{middle['sum_ms']:.2f}"] if middle["bytes"] else ["–", "–"]
            speed = f"{middle['ms']:.1f}", f"{middle['tokens_per_second']:,.0f}"
            rows.append([name, f"{middle['P']:,}", way, *speed, *said])
            print(" | ".join(rows[-1]), flush=True)
    note = (
        f"An LSTM language model, float32, batches of {BATCH} sequences of {STEPS} tokens, SGD; medians of {rounds} "
        f"turns of {SECONDS:.0f} seconds each. The time of the sum includes waiting for the slower rank."
    )
    header = ["model", "P", "way", "ms a step", "tokens a second", "MB summed a step", "ms of the sum"]
    title = "Data-parallel training: processes beside threads"
    common.write_table("ranks", title, COMMAND, header, rows, folder, note)


def _sums(cores: int, rounds: int, folder: Path) -> None:
    several, rows = [start(cores, "sums", 1) for _ in range(rounds)], []
    for k, n in enumerate(NUMBERS):
        ms = statistics.median(one[k]["ms"] for one in several)
        rows.append([f"{n:,}", f"{ms:.3f}", f"{4e-6 * n / ms:.2f}"])
    note = f"Between {cores} processes of one machine, through its memory; medians of {rounds} turns."
    header = ["float32 numbers", "ms", "GB/s"]
    common.write_table("ranks_sums", "Allreduce", COMMAND, header, rows, folder, note)


if __name__ == "__main__":
    main()
