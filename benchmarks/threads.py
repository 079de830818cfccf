"""What several threads of Python gain by computing at the same time, for arrays of different sizes.

NumPy lets go of Python's lock while it computes and asks for it again after every call. So threads that each make
short calls spend their time on handing the lock to and fro. This bounds what a layer of few units can gain by dividing
its batch (`minirnn.parallel`): an elementwise operation of an LSTM of 256 units on 16 sequences has 4,096 numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import common
from benchmarks.common import Contender
from minirnn import num_threads
from minirnn.parallel import in_parallel

SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
CALLS, QUICK_CALLS = 10_000, 100


def loop(size: int, calls: int) -> Callable[[object], None]:
    """Elementwise products of `size` float32 numbers, on arrays of its own. (So many that the start of a thread does
    not count.)"""

    def run(_: object) -> None:
        a, b = np.full(size, 0.5, np.float32), np.full(size, 1.5, np.float32)
        for _ in range(calls):
            np.multiply(a, b)

    return run


def run(timing: dict[str, Any], quick: bool, progress: Any) -> list[dict[str, Any]]:
    """All rows: the loop in one thread, and in all threads at once; none where there is only one."""
    rows: list[dict[str, Any]] = []
    threads, calls = num_threads(), QUICK_CALLS if quick else CALLS
    if threads < 2:
        return rows
    for size in progress(SIZES[:2] if quick else SIZES, "threads"):
        work = loop(size, calls)
        contenders = [
            Contender("in one thread", lambda work=work: work(None)),
            Contender("in all threads at once", lambda work=work: in_parallel(work, range(threads))),
        ]
        facts = {"benchmark": "threads", "model": "a * b", "mode": "elementwise", "size": size, "amount": calls}
        rows += common.compare(contenders, timing, **facts, dtype="float32")
    return rows


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Microseconds of a call in either case, and how often the work of one thread is done in the same time."""
    lines = []
    for alone, together in zip(rows[::2], rows[1::2], strict=True):
        times = [f"{row['median_ms'] * 1e3 / row['amount']:.2f}" for row in (alone, together)]
        gain = together["threads"] / common.ratio(together, alone)
        lines.append([f"{alone['size']:,}", *times, f"{gain:.2f}"])
    return ["numbers", "µs a call, one thread", "µs a call, each of all threads at once", "gain"], lines
