"""NumPy or CuPy: one source for both array libraries.

Nothing here is a switch. Every function asks the array in its hands which library made it
(`array_module`), so CPU and GPU arrays can be in use in one process, and code written with
`xp = array_module(x)` runs wherever `x` lives. This is the only file that imports cupy.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import DTypeLike

from minirnn.errors import DeviceError, InputError, install

# Or cupy.ndarray. The two share no base class; what they have in common is all that is used of either, so that type
# checkers may take both for NumPy's.
Array = np.ndarray
Ids = Array | Sequence[int] | Sequence[Sequence[int]]  # of tokens or classes
Lengths = Sequence[int] | np.ndarray  # of the sequences of a batch: (batch,) integers on the host
DEVICES = ("cpu", "gpu")
FLOATS = "fd"
"""The type codes of float32 and float64, the two types that minirnn computes in."""

_tried: set[ModuleType] = set()
_libraries: dict[type, ModuleType] = {np.ndarray: np}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_memory(most: int = 2**30) -> bool:
    """Ask the C library to keep freed memory for the next array instead of giving it back to the system.

    A training step allocates the same arrays as the step before it. Given back and asked for again, their memory
    comes page by page, each cleared by the system first, which costs as much as a third of a step. So the process
    keeps the memory of its largest step, up to `most` bytes. Only glibc is asked, and not where the environment
    already says how its malloc should be.

    Returns:
        Whether it was asked.
    """
    told = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if told or not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_THRESHOLD, most) and mallopt(M_TRIM_THRESHOLD, most))


keep_freed_memory()


def array_module(array: Array) -> ModuleType:
    """The library `array` belongs to: `numpy` or `cupy`, read off the type that it has."""
    kind = type(array)
    if kind not in _libraries:
        _libraries[kind] = sys.modules[kind.__module__.partition(".")[0]]
    return _libraries[kind]


def is_array(x: Any) -> TypeGuard[Array]:
    """Whether `x` is an array of NumPy, or of the library on the GPU: neither a list, nor another library's tensor."""
    if isinstance(x, np.ndarray):
        return True
    library = sys.modules.get(type(x).__module__.partition(".")[0])
    return isinstance(x, getattr(library, "ndarray", ()))


def float_dtype(dtype: DTypeLike) -> np.dtype:
    """float32 or float64, given as NumPy's type, its name, or Python's float (which is float64).

    Raises:
        InputError: it is another type. (float16 is too coarse to add gradients up in; as integers, weights would be 0.)
    """
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    if found not in (np.float32, np.float64):
        raise InputError(f"the dtype must be float32 or float64, not {dtype if found is None else found}")
    return found


def gpu_library() -> ModuleType:
    """cupy, if it is installed and sees a GPU.

    Raises:
        DeviceError: says what is missing. cupy imports without a GPU and fails at its first allocation, and without
            the CUDA libraries it fails at its first product, so importing it proves nothing.
    """
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(
            f"no GPU support: cupy is not installed ({install('gpu-cuda12')} or 'minirnn[gpu-cuda13]')"
        ) from error
    if not cupy.is_available():
        raise DeviceError("no GPU: cupy is installed but finds no usable CUDA device")
    if cupy not in _tried:
        try:
            cupy.ones((1, 1)) @ cupy.ones((1, 1))
        except (ImportError, RuntimeError, OSError) as error:
            raise DeviceError(f"no GPU support: cupy finds a device but cannot compute on it: {error}") from error
        _tried.add(cupy)
    return cupy


def library(device: str) -> ModuleType:
    """The array library of a device.

    Raises:
        InputError: `device` is neither "cpu" nor "gpu".
        DeviceError: "gpu" was asked for and there is none.
    """
    if device not in DEVICES:
        raise InputError(f"unknown device {device!r}: expected 'cpu' or 'gpu'")
    return np if device == "cpu" else gpu_library()


def device_of(array: Array) -> str:
    """The device `array` lives on: "cpu" or "gpu"."""
    return "cpu" if array_module(array) is np else "gpu"


def to_device(array: Array, device: str) -> Array:
    """`array` on `device`; itself, uncopied, where it is there already. Raises as `library` does."""
    xp = library(device)
    return array if array_module(array) is xp else xp.asarray(to_host(array))


def to_host(array: Array) -> np.ndarray:
    """`array` as a NumPy array; from a GPU this waits for the work that makes it."""
    if array_module(array) is np:
        return np.asarray(array)
    on_gpu: Any = array
    return on_gpu.get()


def like(array: Array, reference: Array) -> Array:
    """`array` on the device of `reference`."""
    xp = array_module(reference)
    return array if array_module(array) is xp else xp.asarray(to_host(array))


def generator(seed: int | np.random.Generator | None = None) -> np.random.Generator:
    """The one source of randomness: a host generator. An existing generator is handed through, so that
    everything that draws from it shares one stream. Random numbers are drawn on the host and then moved,
    so the same seed gives the same run on either device."""
    return np.random.default_rng(seed)


def scatter_add(target: Array, index: Any, values: Array) -> None:
    """`target[index] += values`, in place, where a repeated index adds every time it occurs.

    (Plain `target[index] += values` keeps only the last of the repeats.)
    """
    array_module(target).add.at(target, index, values)


def add_rows(target: Array, rows: Array, values: Array) -> None:
    """`target[row] += value`, in place, for each of the integers `rows` (n,) and the lines of `values` (n, features).

    NumPy adds single numbers one by one; sorted by rows, whole stretches of lines can be summed, two to five times as
    fast.
    """
    if array_module(target) is not np or not len(rows):
        scatter_add(target, rows, values)
        return
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    target[ordered[first]] += np.add.reduceat(values[order], first, axis=0)


def fuse(function: Callable) -> Callable:
    """Decorate an elementwise function of arrays so that a GPU runs it as one kernel (`cupy.fuse`).

    On NumPy arrays it stays the plain function, evaluated expression by expression.
    """
    fused: dict[ModuleType, Callable] = {}

    @functools.wraps(function)
    def call(*arrays: Array) -> Any:
        if type(arrays[0]) is np.ndarray:
            return function(*arrays)
        xp = array_module(arrays[0])
        if xp not in fused:
            fused[xp] = xp.fuse(function)
        return fused[xp](*arrays)

    return call


_HALVES = {char: np.array(0.5, dtype=char) for char in np.typecodes["Float"]}


def _half(a: Array) -> Any:
    """1/2 for products with a. For NumPy an array of no axes: to turn a number into one takes it as long as a small
    product."""
    return _HALVES.get(a.dtype.char, 0.5) if type(a) is np.ndarray else 0.5


def sigmoid(a: Array) -> Array:
    """The logistic function 1 / (1 + exp(-a)).

    Written as a tanh, σ(a) = (1 + tanh(a/2)) / 2, which cannot overflow and which NumPy vectorises. Its error is
    absolute: values below the rounding of 1 become 0, which a gate does not notice.
    """
    half = _half(a)
    y = array_module(a).tanh(half * a)
    y *= half
    y += half
    return y


def tanh(a: Array) -> Array:
    """The hyperbolic tangent."""
    return array_module(a).tanh(a)


def synchronize(device: str) -> None:
    """Wait until the device has finished what was queued on it (on the CPU there is no queue)."""
    if device == "gpu":
        gpu_library().cuda.get_current_stream().synchronize()


class Timer:
    """Wall-clock seconds of a `with` block, waiting for the device at both ends.

    GPU calls return before the work is done; without the waits a clock would time the queueing.

        >>> with Timer("cpu") as timer:
        ...     work = sum(range(1000))
        >>> timer.seconds > 0
        True
    """

    def __init__(self, device: str = "cpu"):
        self.device = device
        self.seconds = 0.0

    def __enter__(self) -> Timer:
        synchronize(self.device)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        synchronize(self.device)
        self.seconds = time.perf_counter() - self._start
