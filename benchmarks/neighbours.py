"""What the default commands take on a computer that others use too: beside no, one and four processes that never rest.

    python -m benchmarks.neighbours             # all commands, three rounds; about half an hour
    python -m benchmarks.neighbours lm cloze    # some of them

Each is a whole command with its default model, shortened to few passes through few data. The busy processes are begun
and ended here. Of c cores, one program's share beside n others is c / (n + 1) of a core, if that is less than what it
asks for: on two cores beside four others 0.4, so that what runs in one thread takes 2.5 times as long at best.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.common import RESULTS, write_table

TRAININGS = {
    "translate": ["train", "translate", "--max-pairs", "6000", "--epochs", "1"],
    "lm": ["train", "lm", "--max-tokens", "120000", "--epochs", "2"],
    "task": ["train", "task", "--examples", "5000", "--epochs", "1"],
    "classify": ["train", "classify", "--epochs", "2"],
    "cloze": ["train", "cloze", "--max-tokens", "60000", "--epochs", "1"],
    "forecast": ["train", "forecast", "--epochs", "20"],
}
USES = {
    "evaluate": ["evaluate", "translate", "--max-pairs", "300", "--beam", "5"],
    "translate RUN": ["translate", "translate", "The old cat sees a white bird.", "--beam", "5"],
    "generate": ["generate", "lm", "--length", "400"],
    "show gradients": ["show", "gradients"],
    "show gates": ["show", "gates"],
    "gradcheck": ["gradcheck", "cell lstm*"],
}
BESIDE = (0, 1, 4)
BUSY = [sys.executable, "-c", "while True: pass"]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that never rest, while the block lasts."""
    started = [subprocess.Popen(BUSY) for _ in range(processes)]
    try:
        time.sleep(0.2)  # until they are at work
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def seconds(command: Sequence[str], folder: Path) -> float:
    """What a command takes, from its start to its end.

    Raises:
        RuntimeError: it fails.
    """
    started = time.perf_counter()
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "minirnn", *command],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"minirnn {' '.join(command)}: {done.stderr.strip()}")
    return time.perf_counter() - started


def measure(name: str, folder: Path, rounds: int, beside: Sequence[int] = BESIDE) -> list[float]:
    """The median seconds of a command beside each number of busy processes, in turn."""
    times: dict[int, list[float]] = {n: [] for n in beside}
    for k in range(rounds):
        for n in beside:
            command = [*TRAININGS[name], "--quiet", "--out", f"{name}-{n}-{k}"] if name in TRAININGS else USES[name]
            with busy(n):
                times[n].append(seconds(command, folder))
    return [median(times[n]) for n in beside]


def main() -> None:
    """Measure, and write the table."""
    names = [*TRAININGS, *USES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", metavar="command", help=f"{', '.join(names)} (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the table")
    options = parser.parse_args()
    chosen, rows = options.commands or names, []
    if unknown := set(chosen).difference(names):
        parser.error(f"unknown command {min(unknown)!r}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for model in ("translate", "lm"):
            if set(chosen) & set(USES):  # which use their runs
                seconds([*TRAININGS[model], "--quiet", "--out", model], folder)
        for name in chosen:
            quiet, *crowded = measure(name, folder, options.rounds)
            command = " ".join((TRAININGS | USES)[name])
            rows.append([command, f"{quiet:.2f}", *(f"{t:.2f} ({t / quiet:.2f})" for t in crowded)])
            print(" | ".join(rows[-1]), flush=True)
    header = ["command", "quiet, s", *(f"beside {n}, s (times)" for n in BESIDE[1:])]
    note = "Medians of whole commands, beside processes that never rest."
    title, command = "On a computer that others use too", "python -m benchmarks.neighbours"
    write_table("neighbours", title, command, header, rows, options.out, note)


if __name__ == "__main__":
    main()
