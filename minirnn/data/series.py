"""Series of numbers: a noisy sine, files with a number a line, and the units in which models see them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from minirnn.arguments import integer
from minirnn.data.reading import read_text
from minirnn.errors import InputError

NOISE = 0.2
LARGEST = float(np.finfo(np.float32).max)


def noisy_sine(length: int = 1000, seed: int = 0) -> np.ndarray:
    """x_t = sin(0.01 t) + noise of standard deviation 0.2, for t = 1 … length, float32 (Zhang et al., "Dive into Deep
    Learning", section 9.1). Raises InputError if there is no such length."""
    length = integer("length", length)
    t = np.arange(1, length + 1)
    noise = NOISE * np.random.default_rng(seed).standard_normal(length)
    return (np.sin(0.01 * t) + noise).astype(np.float32)


def read_series(path: str | Path) -> np.ndarray:
    """The numbers in a file, one a line; blank lines are skipped. float64: a signal of 1 upon an offset of 1e8, which
    `standardize` takes away, would be lost in float32.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: a line is not a number, or not one within the range of float32; names it.
    """
    numbers = []
    for i, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = float(line)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            what = "a number up to ±3.4e38" if math.isfinite(value) else "a number"
            raise InputError(f"{path} line {i}: expected {what}, found {line.strip()[:40]!r}")
        numbers.append(value)
    return np.array(numbers)


def standardize(series: np.ndarray, num_train: int) -> tuple[np.ndarray, float, float]:
    """A series in the units of its first `num_train` values, the ones to learn from: x' = (x - mean) / deviation.

    Computed in the precision that the series has, and only then rounded to float32.

    Args:
        series: (T,) float32 or float64.
        num_train: how many values, at least 1.

    Returns:
        x' (T,) float32, the mean, and the standard deviation, which is 1 where all the values are the same.

    Raises:
        InputError: there are not so many values, or a later one is so far from them that float32 cannot hold it.
    """
    num_train = integer("num_train", num_train)
    if len(series) < num_train:
        raise InputError(f"a series of {len(series)} values has no {num_train} to learn from")
    known = series[:num_train]
    mean = float(known.mean())
    # Rounding would give a constant series a deviation of its own, and so make something of nothing.
    deviation = float(known.std()) or 1.0 if known.min() < known.max() else 1.0
    with np.errstate(over="ignore"):
        scaled = ((series - mean) / deviation).astype(np.float32)
    if not np.isfinite(scaled).all():
        at = int(np.flatnonzero(~np.isfinite(scaled))[0])
        raise InputError(
            f"value {at + 1} of the series, {series[at]}, is too far from the {num_train} to learn from, "
            f"of mean {mean:.4g} and standard deviation {deviation:.4g}"
        )
    return scaled, mean, deviation
