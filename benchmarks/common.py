"""What every benchmark needs: honest timing of alternatives side by side, a description of the machine, and tables."""

from __future__ import annotations

import csv
import datetime
import functools
import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn import DeviceError, backend, num_threads, set_num_threads
from minirnn.data.writing import write_atomically
from minirnn.parallel import blas

RESULTS = Path(__file__).parent / "results"
FEWEST_ROUNDS = 7
LONG = 0.2
"""Seconds of a call in which threads that slept have long found their cores."""


class Clock(NamedTuple):
    """What a device tells of time. Calls return before a GPU has done their work, so that the host's clock alone would
    measure how fast work is queued.

    Attributes:
        synchronize: waits until all work is done.
        stamp: queues an event that remembers when the device came to it.
        seconds: between two such events, after `synchronize`.
    """

    synchronize: Callable[[], object]
    stamp: Callable[[], Any]
    seconds: Callable[[Any, Any], float]


HOST = Clock(lambda: None, time.perf_counter, lambda start, end: end - start)


@dataclass
class Contender:
    """One of several ways to do the same.

    Attributes:
        name: "minirnn", "torch", "textbook", ….
        call: does it once.
        device: "cpu" or "gpu".
        threads: of the CPU; None for all.
        clock: of the device.
    """

    name: str
    call: Callable[[], object]
    device: str = "cpu"
    threads: int | None = None
    clock: Clock = HOST


@dataclass
class Timing:
    """Seconds of one contender by the host's clock: of its very first call, and of the counted calls of each round; and
    of all counted calls by the clock of its device."""

    first: float
    rounds: list[list[float]] = field(default_factory=list)
    on_device: list[float] = field(default_factory=list)

    @property
    def calls(self) -> list[float]:
        """All counted calls."""
        return [seconds for counted in self.rounds for seconds in counted]

    def percentile(self, p: float) -> float:
        """Seconds that p % of the counted calls took at most."""
        return float(np.percentile(self.calls, p))

    @property
    def median(self) -> float:
        """Seconds that half of the counted calls took at most."""
        return self.percentile(50)

    def relative_to(self, other: Timing) -> float:
        """This time over that of another contender: the median of the rounds' ratios. (A shared machine is slower at
        one time than at another. The two calls of one round are close together; those of the two medians need not be.)
        """
        pairs = zip(self.rounds, other.rounds, strict=True)
        return float(np.median([np.median(mine) / np.median(theirs) for mine, theirs in pairs]))


def one_call(contender: Contender) -> tuple[float, float]:
    """Seconds of one call by the host's clock, waiting for the device at both ends, and by the device's."""
    clock = contender.clock
    clock.synchronize()
    start = time.perf_counter()
    first = clock.stamp()
    contender.call()
    last = clock.stamp()
    clock.synchronize()
    return time.perf_counter() - start, clock.seconds(first, last)


def measure(
    contenders: Sequence[Contender],
    rounds: int = 21,
    seconds: float = 2.0,
    pause: float = 0.02,
    warm_up: float = 0.02,
    most: int = 3,
    fewest: int = FEWEST_ROUNDS,
) -> list[Timing]:
    """Time the contenders side by side in this process.

    They take turns, in short blocks with a pause between, so that what else the machine does hits all alike. The first
    calls of a block are not counted: threads that sleep in the pause wake up on one core, and the system needs some
    milliseconds to part them, as it had long done in a training of many steps. The first call of all, which allocates
    and compiles, is reported apart.

    Args:
        contenders: what to time.
        rounds: turns of each.
        seconds: about how long the slowest may take in all. Of slow contenders there are fewer turns, but at least
            `fewest`, or `rounds` if that is less.
        pause: seconds between blocks.
        warm_up: seconds at the beginning of a block whose calls are not counted; at least one call is not, unless it
            takes longer than `LONG`.
        most: calls of a block; as many as there is time for, at least one.
        fewest: turns that even slow contenders get.
    """
    threads, timings, typical = num_threads(), [], []
    try:
        for contender in contenders:
            set_num_threads(contender.threads or threads)
            timings.append(Timing(one_call(contender)[0]))
            typical.append(max(1e-6, min(one_call(contender)[0] for _ in range(2))))
        rounds = max(min(rounds, fewest), int(min(rounds, seconds / max(typical))))
        for _ in range(rounds):
            for contender, timing, once in zip(contenders, timings, typical, strict=True):
                set_num_threads(contender.threads or threads)
                for _ in range(int(once < LONG) + int(warm_up / once)):
                    one_call(contender)
                block = [one_call(contender) for _ in range(int(min(most, max(1, seconds / rounds / once))))]
                timing.rounds.append([by_host for by_host, _ in block])
                timing.on_device += [by_device for _, by_device in block]
                time.sleep(pause)
    finally:
        set_num_threads(threads)
    return timings


def side_by_side(
    alternatives: dict[str, Callable[[], object]], rounds: int = 7, block: int = 5, pause: float = 0.05
) -> dict[str, float]:
    """Median seconds of one call of each alternative on the CPU, measured as by `measure`."""
    contenders = [Contender(name, call) for name, call in alternatives.items()]
    timings = measure(contenders, rounds, seconds=np.inf, pause=pause, most=block)
    return {name: timing.median for name, timing in zip(alternatives, timings, strict=True)}


def record(contender: Contender, timing: Timing, first: Timing, **facts: Any) -> dict[str, Any]:
    """One row of the results: what was done, how long it took, also over the first contender's time, and on what."""
    on_gpu = contender.device == "gpu"
    return {
        **facts,
        "implementation": contender.name,
        "device": contender.device,
        "threads": contender.threads or num_threads(),
        "tf32": tf32() if on_gpu else False,
        "data": "resident on the device",
        "median_ms": round(timing.median * 1e3, 4),
        "p10_ms": round(timing.percentile(10) * 1e3, 4),
        "p90_ms": round(timing.percentile(90) * 1e3, 4),
        "median_ms_by_device": round(float(np.median(timing.on_device)) * 1e3, 4) if on_gpu else "",
        "over_first_contender": round(timing.relative_to(first), 4),
        "first_call_ms": round(timing.first * 1e3, 4),
        "calls": len(timing.calls),
        **environment(),
    }


def compare(contenders: Sequence[Contender], timing: dict[str, Any], **facts: Any) -> list[dict[str, Any]]:
    """`measure` with the arguments `timing`, as rows of the results."""
    timings = measure(contenders, **timing)
    return [record(c, t, timings[0], **facts) for c, t in zip(contenders, timings, strict=True)]


def ratio(a: dict[str, Any], b: dict[str, Any]) -> float:
    """The time of row a over that of row b, two contenders of one comparison."""
    return a["over_first_contender"] / b["over_first_contender"]


def torch_or_none() -> Any:
    """torch, if it is installed."""
    if not importlib.util.find_spec("torch"):
        return None
    import torch

    return torch


def gpu() -> Any:
    """cupy, if it can be used; None without a GPU."""
    try:
        return backend.gpu_library()
    except DeviceError:
        return None


def cupy_clock() -> Clock:
    """The GPU's clock for what minirnn queues there."""
    cuda = backend.gpu_library().cuda

    def stamp() -> Any:
        event = cuda.Event()
        event.record()
        return event

    return Clock(lambda: backend.synchronize("gpu"), stamp, lambda start, end: cuda.get_elapsed_time(start, end) / 1e3)


def torch_clock() -> Clock:
    """The same for what torch queues."""
    import torch

    def stamp() -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    return Clock(torch.cuda.synchronize, stamp, lambda start, end: start.elapsed_time(end) / 1e3)


def set_tf32(allowed: bool) -> None:
    """Let all sides round the factors of float32 products to TF32 on a GPU, or none. (torch by itself does so in its
    recurrent layers and not in its products; CuPy nowhere.)"""
    os.environ["CUPY_TF32"] = "1" if allowed else "0"
    torch = torch_or_none()
    if torch is not None:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed


def tf32() -> bool:
    """What `set_tf32` was told last."""
    return os.environ.get("CUPY_TF32") == "1"


def cpu_model() -> str:
    """The processor's name."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if "model name" in line:
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """Of the source: what MINIRNN_COMMIT says, for a copy that is not under git, else what git says."""
    if "MINIRNN_COMMIT" in os.environ:
        return os.environ["MINIRNN_COMMIT"]
    try:
        git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return git.stdout.strip() or "unknown"


@functools.cache
def environment() -> dict[str, Any]:
    """Versions, processors, commit and date."""
    torch, cupy = torch_or_none(), gpu()
    library = blas()
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": cupy.cuda.runtime.getDeviceProperties(0)["name"].decode() if cupy else "",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{library.get('internal_api')} {library.get('version')} {library.get('architecture', '')}".strip(),
        "numba": importlib.metadata.version("numba") if importlib.util.find_spec("numba") else "",
        "cupy": cupy.__version__ if cupy else "",
        "torch": torch.__version__ if torch else "",
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
    }


def machine() -> str:
    """One line: processor, cores, libraries, commit and date."""
    e = environment()
    parts = [f"{e['cpu']}, {e['cores']} cores", e["gpu"], f"Python {e['python']}", f"NumPy {e['numpy']} ({e['blas']})"]
    parts += [f"{name} {e[name]}" for name in ("numba", "cupy", "torch") if e[name]]
    return ", ".join(part for part in parts if part) + f"; commit {e['commit']}; {e['date']}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def write_table(
    name: str,
    title: str,
    command: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    folder: Path = RESULTS,
    note: str = "",
    show: bool = True,
) -> None:
    """Print a Markdown table, and keep it as `<name>.md` in `folder`, with the command and the machine. What was there
    before is replaced as a whole, at once."""
    parts = [f"# {title}", f"`{command}`", machine(), *([note] if note else []), markdown(header, rows)]
    text = "\n\n".join(parts) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{name}.md", text.encode())
    if show:
        print(text)


def write_records(name: str, records: Sequence[dict[str, Any]], folder: Path = RESULTS) -> None:
    """Keep all rows with all that is known of them, as `<name>.csv` and `<name>.json` in `folder`. What was there is
    replaced as a whole, at once."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in records for key in row))
    table = io.StringIO()
    writer = csv.DictWriter(table, columns)
    writer.writeheader()
    writer.writerows(records)
    write_atomically(folder / f"{name}.csv", table.getvalue().encode())
    write_atomically(folder / f"{name}.json", (json.dumps(list(records), indent=1) + "\n").encode())
