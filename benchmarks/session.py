"""What the parts of a benchmark with a limit of time share: the time, and tables that are on disk with every row."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import common
from benchmarks.common import Contender
from minirnn import backend

TIMING = {"rounds": 9, "seconds": 1.5, "pause": 0.01, "fewest": 3}
QUICK = {"rounds": 1, "seconds": 0.01, "pause": 0.0, "warm_up": 0.0, "fewest": 1}


class Budget:
    """Seconds to spend."""

    def __init__(self, seconds: float):
        self.start, self.seconds = time.monotonic(), seconds

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.seconds - self.spent


class Session(NamedTuple):
    """What all parts share.

    Attributes:
        budget: the time.
        folder: where tables go; None for nowhere.
        quick: whether sizes are tiny.
        command: for the tables.
        kernels: the cells whose kernels have passed their checks, in float32.
        problems: what went wrong.
    """

    budget: Budget
    folder: Path | None
    quick: bool
    command: str
    kernels: set[str]
    problems: list[str]

    @property
    def timing(self) -> dict[str, Any]:
        """The arguments of `common.measure`."""
        return QUICK if self.quick else TIMING

    def problem(self, what: str) -> None:
        """Say, and remember for the end, that something went wrong."""
        print(f"!! {what}", flush=True)
        self.problems.append(what)

    def skips(self, seconds: float, what: str) -> bool:
        """Whether less than `seconds` are left for something, which is then said."""
        if self.budget.left >= (min(seconds, 1) if self.quick else seconds):
            return False
        print(f"skipped, for lack of time: {what}", flush=True)
        return True

    def measure(self, contenders: Sequence[Callable[[], Contender]], **facts: Any) -> list[dict[str, Any]]:
        """Rows of those contenders that can be made and called once. What one of them needs too much of, such as
        memory, is said, and costs the others nothing."""
        ready: list[Contender] = []
        for make in contenders:
            try:
                contender = make()
                common.one_call(contender)
                ready.append(contender)
            except Exception as error:
                sizes = ", ".join(f"{k} {facts[k]}" for k in ("T", "B", "I", "H") if k in facts)
                self.problem(f"{facts['model']} at {sizes}: {type(error).__name__}: {error}")
        rows = common.compare(ready, self.timing, **facts) if ready else []
        del ready  # with the arrays that they hold
        free_memory()
        return rows


class Sheet:
    """A table that is written anew with every row.

    Args:
        session: says where.
        name: of the file.
        title: above the table.
        header: the columns.
        note: below the title.
    """

    def __init__(self, session: Session, name: str, title: str, header: Sequence[str], note: str = ""):
        self.session, self.name, self.title, self.header, self.note = session, f"gpu_{name}", title, header, note
        self.rows: list[list[str]] = []
        self.records: list[dict[str, Any]] = []

    def add(self, row: Sequence[str], records: Sequence[dict[str, Any]]) -> None:
        """A further row, and what is known of it."""
        print(" | ".join(row), flush=True)
        self.rows.append(list(row))
        self.records += records
        self.write()

    def write(self) -> None:
        """Put all rows on disk."""
        s = self.session
        if s.folder is not None:
            common.write_table(self.name, self.title, s.command, self.header, self.rows, s.folder, self.note, False)
            common.write_records(self.name, self.records, s.folder)


def free_memory() -> None:
    """Give back what the libraries keep for later on the GPU, so that each may have it."""
    xp, torch = backend.gpu_library(), common.torch_or_none()
    if hasattr(xp, "get_default_memory_pool"):
        xp.get_default_memory_pool().free_all_blocks()
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
