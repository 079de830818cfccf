"""Signs of life: what a command is doing, on stderr, as soon as that takes longer than a moment."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

AFTER, SOON = 0.4, 0.1
"""Seconds that work may take without a word: what takes no longer needs none. And those of the first work of a process,
if it has been loaded for as long as that, and there has been no word of it."""
_silent_since: float | None = time.monotonic() - time.process_time()
"""When the process began, until its first work has."""


_shown: ContextVar[bool] = ContextVar("progress_shown", default=True)


@contextmanager
def progress(show: bool) -> Iterator[None]:
    """Whether progress is shown inside the block."""
    before = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(before)


def _patience() -> float:
    """Seconds until something is said of the work that now begins."""
    global _silent_since
    since, _silent_since = _silent_since, None
    return AFTER if since is None else min(AFTER, max(SOON, AFTER - (time.monotonic() - since)))


class Progress:
    """What is known of work that is being done: a line, or with `total` a bar, which appears if the work is not done
    within `AFTER` seconds, among which the first work of a process counts those in which that was loaded. It is another
    thread that shows it: the work itself may be one long call.

    Args:
        what: is being done: "reading book.txt".
        total: how many steps it has; None if that is not known.
        unit: what a step is.
    """

    def __init__(self, what: str, total: int | None = None, unit: str = "step"):
        self.what, self.total, self.unit, self.done = what, total, unit, 0
        self._bar: Any = None
        self._said = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(_patience(), self._show)
        self._timer.daemon = True

    def step(self, count: int = 1) -> None:
        """So many steps more are done."""
        with self._lock:
            self.done += count
            if self._bar is not None:
                self._bar.update(count)

    def now(self, what: str) -> None:
        """Something else is being done now. It is said at once if what was done before has been, and its time counts
        else."""
        with self._lock:
            self.what = what
            if self._said:
                self._say()

    def _say(self) -> None:
        print(f"{self.what} …", file=sys.stderr, flush=True)
        self._said = True

    def _show(self) -> None:
        with self._lock:
            if self._timer.finished.is_set():  # just now
                return
            if self.total is None:
                self._say()
            else:
                from minirnn.training.bar import Bar  # here, as in the training loop

                scaled = {"unit_scale": True} if self.unit == "B" else {}  # 4.2MB, and not 4200000B
                told = {"total": self.total, "initial": self.done, "desc": self.what, "unit": self.unit, **scaled}
                self._bar = Bar(**told, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        if _shown.get():
            self._timer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._timer.cancel()
        with self._lock:
            if self._bar is not None:
                self._bar.close()
