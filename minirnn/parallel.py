"""The CPU's threads: how many there are to use, and sharing work out among them.

NumPy's BLAS divides one product among the threads, and everything else in NumPy runs on one. But NumPy lets go of
Python's lock while it computes, so plain Python threads, each at work on its own part of a batch, do run at the same
time, as long as each asks NumPy for much at once.
"""

from __future__ import annotations

import contextvars
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import threadpoolctl

from minirnn.arguments import integer

Item = TypeVar("Item")
Result = TypeVar("Result")

UNPACKED_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}
"""The processors for which OpenBLAS multiplies small matrices as they lie in memory."""

SWITCH_INTERVAL = 1e-4
"""Seconds that a thread waits for Python's lock before it asks for it. (Python's 5 ms is as long as many steps.)"""

FEW_MULTIPLICATIONS = 30_000_000
"""Multiplications of a product up to which one thread does it: 0.6 ms in float32, at 95 GFLOP/s."""

_chosen: list[int] = []
_pools: dict[int, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_pools.clear)  # threads do not survive a fork


@functools.cache
def _libraries() -> list[Any]:
    """`threadpoolctl`'s handles on every BLAS of this process, that of NumPy first."""
    found = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    of_numpy = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy")
    return sorted(found, key=lambda library: not library.filepath.startswith(of_numpy))


def look_again() -> None:
    """To be called when another BLAS has been loaded, so that its threads are counted as well."""
    _libraries.cache_clear()


def _set_blas_threads(threads: int) -> None:
    for library in _libraries():
        library.set_num_threads(threads)


def blas() -> dict[str, Any]:
    """NumPy's BLAS: `internal_api` (such as "openblas"), `version`, `architecture`, `num_threads`, …; empty if
    `threadpoolctl` does not know it."""
    return _libraries()[0].info() if _libraries() else {}


@functools.cache
def multiplies_unpacked() -> bool:
    """Whether NumPy's BLAS multiplies small matrices as they lie in memory: OpenBLAS does, with its AVX-512 kernels."""
    return blas().get("internal_api") == "openblas" and blas().get("architecture") in UNPACKED_KERNELS


def num_threads() -> int:
    """How many threads minirnn computes with on the CPU: what `set_num_threads` said last, else as many as NumPy's
    BLAS began with (one for each core, unless OPENBLAS_NUM_THREADS or the like says otherwise)."""
    if not _chosen:
        _chosen.append(blas().get("num_threads", 1))
    return _chosen[0]


def set_num_threads(threads: int) -> None:
    """Compute with so many threads on the CPU from now on, every BLAS of this process included.

    Raises:
        InputError: `threads` is less than 1.
    """
    threads = integer("the number of threads", threads)
    _set_blas_threads(threads)
    _chosen[:] = [threads]


class _OneThreadEach:
    """Inside its block, every BLAS runs in the thread that calls it, and a thread that waits for Python's lock asks
    for it soon. Both hold for the whole process; blocks may be open in several threads."""

    def __init__(self) -> None:
        self._lock, self._open, self._interval = threading.Lock(), 0, 0.0
        self._threads: list[tuple[Any, int]] = []

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._open == 0:
                self._threads = [(library, library.get_num_threads()) for library in _libraries()]
                self._interval = sys.getswitchinterval()
                _set_blas_threads(1)
                sys.setswitchinterval(min(SWITCH_INTERVAL, self._interval))
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1
                if self._open == 0:
                    for library, threads in self._threads:
                        library.set_num_threads(threads)
                    sys.setswitchinterval(self._interval)


one_thread_each = _OneThreadEach()


def product(a: Any, b: Any) -> Any:
    """a @ b of two matrices, a small one in the calling thread alone.

    The threads of OpenBLAS that have helped with a product wait for the next for some 25 ms without giving up their
    core, which the threads of `in_parallel` need. So they are not called where little is gained.
    """
    if not isinstance(a, np.ndarray) or a.shape[0] * b.shape[0] * b.shape[1] > FEW_MULTIPLICATIONS:
        return a @ b
    if num_threads() == 1 or not multiplies_unpacked():
        return a @ b
    with one_thread_each():
        return a @ b


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`function` of each item, each in a thread of its own, the first in the caller's; the results in that order.

    Meanwhile NumPy's BLAS keeps to the thread that calls it. An exception of any is raised when all have ended.
    """
    if len(items) == 1:
        return [function(items[0])]
    others = len(items) - 1
    if others not in _pools:
        _pools[others] = ThreadPoolExecutor(others, thread_name_prefix="minirnn")
    with one_thread_each():
        # A copy of the context brings the caller's settings along, such as numpy.errstate.
        futures = [_pools[others].submit(contextvars.copy_context().run, function, item) for item in items[1:]]
        try:
            first = function(items[0])
        finally:
            errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None:
            raise error
    return [first, *(future.result() for future in futures)]
