"""The CPU's threads: how many there are to use, and sharing work out among them.

NumPy's BLAS can divide one product among threads of its own. While they wait for the next they do not give up their
core, and for each other they wait however long it takes: where another program wants the processor too, a product then
takes many times as long. So here the BLAS keeps to the thread that calls it, and the threads are minirnn's own. NumPy
lets go of Python's lock while it computes, so they do run at the same time, if each asks NumPy for much at once.

*What the parts of some work are* depends on its size and the number of threads alone, and with it every bit of the
result. *Who computes a part* is whoever is free: the caller takes those that no other thread has begun.
"""

from __future__ import annotations

import contextvars
import functools
import itertools
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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

FEWEST_MULTIPLICATIONS = 2_000_000
"""Multiplications of a product for each square of the number of parts: two are worth having from 8 million, which take
0.15 ms in float32 at 55 billion a second."""

FEWEST_OF_A_STEP = 2_000_000
"""Multiplications by all weights of a model, in one step of a batch, for each square of the number of threads."""

FEWEST_NUMBERS = 1 << 15
"""Numbers of which a few functions are computed, such as the exponentials of a softmax, for each square of the number
of threads."""

_chosen: list[int] = []
_pools: dict[int, ThreadPoolExecutor] = {}
os.register_at_fork(after_in_child=_pools.clear)  # threads do not survive a fork


@functools.cache
def _libraries() -> list[Any]:
    """`threadpoolctl`'s handles on every BLAS of this process, that of NumPy first."""
    found = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    of_numpy = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "numpy")
    return sorted(found, key=lambda library: not library.filepath.startswith(of_numpy))


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
    """How many threads minirnn computes with on the CPU at most: what `set_num_threads` said last, else as many as
    NumPy's BLAS began with (one for each core, unless OPENBLAS_NUM_THREADS or the like says otherwise). What is too
    small for so many is divided among fewer."""
    return _chosen[0] if _chosen else _at_first()


@functools.cache
def _at_first() -> int:
    """How many threads NumPy's BLAS began with: it is asked before anything here tells it another number."""
    return blas().get("num_threads", 1)


def set_num_threads(threads: int | None) -> None:
    """Compute with so many threads on the CPU from now on, every BLAS of this process included; with None, with as many
    as NumPy's BLAS began with.

    Results to the bit are those of a number of threads: how work is divided decides how its sums are rounded.

    Raises:
        InputError: `threads` is less than 1.
    """
    at_first = _at_first()
    _chosen[:] = [] if threads is None else [integer("the number of threads", threads)]
    one_thread_each.set_outside(at_first if threads is None else threads)


def limit_threads(most: int) -> None:
    """Where `set_num_threads` has said nothing, compute with at most so many threads."""
    if not _chosen:
        set_num_threads(max(1, min(_at_first(), most)))


class _OneThreadEach:
    """Inside its block, every BLAS runs in the thread that calls it, and a thread that waits for Python's lock asks
    for it soon. Both hold for the whole process; blocks may be open in several threads."""

    def __init__(self) -> None:
        self._lock, self._open, self._interval = threading.Lock(), 0, 0.0
        self._threads: list[tuple[Any, int]] = []

    def set_outside(self, threads: int) -> None:
        """Let every BLAS use so many threads where no block is open."""
        with self._lock:
            if self._open:
                self._threads = [(library, threads) for library in _libraries()]
            else:
                _set_blas_threads(threads)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._open == 0:
                _at_first()
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


def worthwhile(multiplications: int, fewest: int) -> int:
    """How many of the threads pay for so much work: n of them if there are n² · `fewest` multiplications.

    Another thread takes its share of the work from all others, but costs each of them a moment. With work w and a
    moment c, w/n + c n is least where n is the root of w/c.
    """
    return max(1, min(num_threads(), math.isqrt(multiplications // fewest)))


def cut(n: int, parts: int) -> list[slice]:
    """0 … n - 1 as so many slices of about one length."""
    bounds = [n * i // parts for i in range(parts + 1)]
    return [slice(first, end) for first, end in itertools.pairwise(bounds)]


def product(a: Any, b: Any, is_weight: bool = False) -> Any:
    """a @ b; on the CPU that of two matrices, or of two stacks of as many, in parts that the threads share.

    Args:
        a, b: arrays.
        is_weight: whether b is a weight, or its transpose, and so stands still in a search.
    """
    if not isinstance(a, np.ndarray):
        return a @ b
    parts, multiplications = 1, a.size * b.shape[-1] if b.ndim else 0
    if a.ndim == b.ndim == 2:
        return _multiply[-1](a, b, worthwhile(multiplications, FEWEST_MULTIPLICATIONS), is_weight)
    if a.ndim == b.ndim == 3 and len(a) == len(b) > 0:
        parts = min(len(a), worthwhile(multiplications, FEWEST_MULTIPLICATIONS))
    if parts == 1:
        with one_thread_each():
            return a @ b
    out = np.empty((*a.shape[:2], b.shape[2]), np.result_type(a, b))
    in_parallel(lambda part: np.matmul(a[part], b[part], out=out[part]), cut(len(a), parts))
    return out


def by_numpy(a: np.ndarray, b: np.ndarray, parts: int, is_weight: bool) -> np.ndarray:
    """a @ b of two matrices in parts of its rows or columns, whichever are more."""
    if parts == 1:
        with one_thread_each():
            return a @ b
    rows, columns = a.shape[0], b.shape[1]
    out = np.empty((rows, columns), np.result_type(a, b))
    if rows >= columns:
        in_parallel(lambda part: np.matmul(a[part], b, out=out[part]), cut(rows, parts))
    else:
        in_parallel(lambda part: np.matmul(a, b[:, part], out=out[:, part]), cut(columns, parts))
    return out


_multiply: list[Callable[[np.ndarray, np.ndarray, int, bool], np.ndarray]] = [by_numpy]


def multiply_by(own: Callable[[np.ndarray, np.ndarray, int, bool], np.ndarray] | None) -> None:
    """Compute the products of two matrices by something else than `by_numpy` from now on; with None, no longer."""
    _multiply[1:] = [] if own is None else [own]


def in_rows(function: Callable[..., Any], *arrays: Any) -> None:
    """`function` of arrays (rows, …), which changes them; on the CPU of parts of their rows, which the threads share.
    The first is the largest."""
    rows, parts = len(arrays[0]), 1
    if isinstance(arrays[0], np.ndarray):
        parts = max(1, min(rows, worthwhile(arrays[0].size, FEWEST_NUMBERS)))
    if parts == 1:
        function(*arrays)
    else:
        in_parallel(lambda part: function(*(array[part] for array in arrays)), cut(rows, parts))


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], threads: int | None = None) -> list[Result]:
    """`function` of each item; the results in that order.

    The caller begins with the first. Other threads take the others; but those that none has begun when the caller is
    free again, because the computer is busy with something else, the caller takes too. Meanwhile NumPy's BLAS keeps to
    the thread that calls it. An exception of any is raised when no other is at work any more.

    Args:
        function, items: what is to be done with what.
        threads: how many take part; None: all.
    """
    helpers = min(num_threads() if threads is None else threads, len(items)) - 1
    with one_thread_each():
        if helpers < 1:
            return [function(item) for item in items]
        if helpers not in _pools:
            _pools[helpers] = ThreadPoolExecutor(helpers, thread_name_prefix="minirnn")
        # A copy of the context brings the caller's settings along, such as numpy.errstate.
        futures = [_pools[helpers].submit(contextvars.copy_context().run, function, item) for item in items[1:]]
        try:
            own = {0: function(items[0])}
            for i in reversed(range(1, len(items))):  # the others come from the front
                if futures[i - 1].cancel():
                    own[i] = function(items[i])
        finally:
            wait([future for future in futures if not future.cancel()])
    return [own[i] if i in own else futures[i - 1].result() for i in range(len(items))]
