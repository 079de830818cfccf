"""What every benchmark needs: honest timing of alternatives side by side, a description of the machine, and tables."""

from __future__ import annotations

import datetime
import importlib.util
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"


def side_by_side(
    alternatives: dict[str, Callable[[], object]], rounds: int = 7, block: int = 5, pause: float = 0.05
) -> dict[str, float]:
    """Median seconds of one call of each alternative.

    The alternatives take turns, in blocks with a pause between: what else the machine does hits all alike, and a BLAS
    whose threads are just falling asleep or waking up distorts only the first call of a block, which is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, call in alternatives.items():
            call()
            for _ in range(block):
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
            time.sleep(pause)
    return {name: statistics.median(values) for name, values in times.items()}


def machine() -> str:
    """One line: processor, cores, libraries, commit and date."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ]
        cpu = names[0] if names else cpu
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload,index]
    versions = [f"Python {platform.python_version()}", f"NumPy {np.__version__} ({blas['name']} {blas['version']})"]
    if importlib.util.find_spec("torch"):
        import torch

        versions.append(f"torch {torch.__version__} ({torch.get_num_threads()} threads)")
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    commit = git.stdout.strip() or "unknown"
    date = datetime.date.today().isoformat()
    return f"{cpu}, {os.cpu_count()} cores; {', '.join(versions)}; commit {commit}; {date}"


def write_table(name: str, title: str, command: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table and keep it as `results/<name>.md`, with the command and the machine."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    text = f"# {title}\n\n`{command}`\n\n{machine()}\n\n" + "\n".join(lines) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
