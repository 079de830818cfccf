"""Series of numbers: a noisy sine, and files with a number a line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from minirnn.data.text import read_text
from minirnn.errors import InputError

NOISE = 0.2


def noisy_sine(length: int = 1000, seed: int = 0) -> np.ndarray:
    """x_t = sin(0.01 t) + noise of standard deviation 0.2, for t = 1 … length, float32 (Zhang et al., "Dive into Deep
    Learning", section 9.1)."""
    t = np.arange(1, length + 1)
    noise = NOISE * np.random.default_rng(seed).standard_normal(length)
    return (np.sin(0.01 * t) + noise).astype(np.float32)


def read_series(path: str | Path) -> np.ndarray:
    """The numbers in a file, one a line; blank lines are skipped. float32.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: a line is not a finite number; names it.
    """
    numbers = []
    for i, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = float(line)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{path} line {i}: expected a number, found {line.strip()[:40]!r}")
        numbers.append(value)
    return np.array(numbers, np.float32)
