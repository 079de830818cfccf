"""What a training takes of a long text before its first batch: processor time, and the most memory.

    python -m benchmarks.long_texts                      # 100 MB by character and by word, and each resumed
    python -m benchmarks.long_texts --gigabyte           # and ten times as much; 12 GB of disk, several minutes
    MINIRNN_DATA=<folder with fra-eng.zip> python -m benchmarks.long_texts    # and all the pairs of that file

Each is a whole command with its default model, in a process of its own, up to where it would compute with its first
batch: starting Python and importing minirnn, reading, the vocabulary, the model, and the first checkpoint included. The
text is drawn here: words of which the kth comes with a probability proportional to 1/k (Zipf), and marks and line ends.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common import RESULTS, write_table

TYPES, MEGABYTE = 62_000, 10**6
UP_TO_A_BATCH = """
import os, resource, sys
from minirnn.training import Trainer

def stop(*_):
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("until", used.ru_utime + used.ru_stime, used.ru_maxrss, flush=True)
    os._exit(0)

Trainer._train_step = stop
from minirnn.cli.main import main
main(sys.argv[1:])
"""
HEADER = ["text", "command", "processor time, s", "most memory, MB"]


class Taken(NamedTuple):
    """Processor time in seconds, and the most memory in MB."""

    seconds: float
    megabytes: float


def taken(arguments: Sequence[str], folder: Path) -> Taken:
    """What a training takes before its first batch."""
    command = [sys.executable, "-c", UP_TO_A_BATCH, *arguments, "--quiet"]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    out = subprocess.run(command, cwd=folder, env=here, check=True, capture_output=True, text=True).stdout
    _, seconds, kibibytes = out.splitlines()[-1].split()
    return Taken(float(seconds), float(kibibytes) * 1024 / MEGABYTE)


def write_text(path: Path, size: int, types: int = TYPES, seed: int = 0) -> None:
    """Write a text of about so many bytes, of so many different words."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlcumwfgypb"))
    made = dict.fromkeys("".join(rng.choice(letters, rng.integers(2, 11))) for _ in range(2 * types))
    words = np.array(list(made)[:types], dtype=object)
    ranks = np.cumsum(1 / np.arange(1, len(words) + 1))
    marks = np.array([" ", ", ", ". ", "\n", "! "], dtype=object)
    with path.open("w") as file:
        while file.tell() < size:
            drawn = words[np.searchsorted(ranks, ranks[-1] * rng.random(200_000))]
            file.write("".join(drawn + rng.choice(marks, len(drawn), p=[0.84, 0.06, 0.04, 0.05, 0.01])))


def rows_of(text: Path, name: str) -> list[list[str]]:
    """A text by character and by word, begun and gone on with."""
    rows = []
    for tokens in ("char", "word"):
        begun = taken(["train", "lm", "--data", text.name, "--tokens", tokens, "--out", tokens], text.parent)
        resumed = taken(["train", "lm", "--resume", tokens], text.parent)
        rows.append(row(name, f"`train lm --tokens {tokens}`", begun))
        rows.append(row(name, "the same, `--resume`", resumed))
    return rows


def row(text: str, command: str, found: Taken) -> list[str]:
    """A line of the table."""
    return [text, command, f"{found.seconds:.1f}", f"{found.megabytes:,.0f}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabyte", action="store_true", help="also 1,000 MB")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the table")
    options = parser.parse_args(arguments)
    rows = []
    for size in (100, 1000) if options.gigabyte else (100,):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            write_text(Path(name, "text.txt"), size * MEGABYTE)
            rows += rows_of(Path(name, "text.txt"), f"{size:,} MB")
    if data := os.environ.get("MINIRNN_DATA"):
        with tempfile.TemporaryDirectory() as name:
            Path(name, "fra.txt").write_bytes(zipfile.ZipFile(Path(data, "fra-eng.zip")).read("fra-eng/fra.txt"))
            found = taken(["train", "translate", "--data", "fra.txt", "--hidden", "256", "--out", "r"], Path(name))
            rows.append(row("fra-eng, 167,130 pairs", "`train translate --hidden 256`", found))
    command = "python -m benchmarks.long_texts" + " --gigabyte" * options.gigabyte
    write_table("long_texts", "Long texts, up to the first batch", command, HEADER, rows, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
