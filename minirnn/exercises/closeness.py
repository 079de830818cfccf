"""What counts as right, and what is wrong with a value that can be seen without knowing the equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.exercises.given import Sizes, shape_of, written

TOLERANCE = 1e-9
"""Relative. Another order of the same sums differs by 1e-15 or so, and a mistake by more than this."""


def close(got: Any, expected: Any) -> bool:
    """Whether two values are the same but for rounding."""
    try:
        got, expected = np.asarray(got), np.asarray(expected)
        fit = got.shape == expected.shape and bool(np.isfinite(expected).all())
        return fit and bool(right_elements(got, expected).all())
    except (TypeError, ValueError):  # no numbers, or rows of different lengths
        return False


def right_elements(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Which elements are. Where large numbers cancel, what is left may be off by as much as they were rounded."""
    scale = np.abs(expected).max(initial=0.0)
    with np.errstate(all="ignore"):
        return np.abs(got - expected) <= TOLERANCE * np.abs(expected) + 1e-3 * TOLERANCE * scale


def wrong_shape(got: np.ndarray, expected: np.ndarray, shape: str, sizes: Sizes) -> str:
    """What to say to an array whose shape is not that of `expected`, which is `shape` in letters."""
    if got.ndim > 1 and got.shape == expected.shape[::-1]:
        rest = ": all else in it is right" if close(got.T, expected) else ""
        return f"it is transposed, {_letters(got.shape, sizes)} where {written(shape)} belongs{rest}"
    if expected.size == got.size and [n for n in got.shape if n > 1] == [n for n in expected.shape if n > 1]:
        return f"an axis of length 1 is too many or missing: {got.shape} where {written(shape)} belongs (keepdims?)"
    for axis in range(got.ndim):
        letter = _letters(got.shape, sizes)[1:-1].split(",")[axis]
        if close(got.sum(axis=axis), expected):
            return f"it is still to be summed over its axis {axis} ({letter.strip()}): {written(shape)} belongs here"
    wanted = "a single number" if not shape else f"{written(shape)}, here {shape_of(shape, sizes)},"
    if got.ndim == 0:
        return f"it is a single number, and {wanted} belongs here"
    return f"its shape is {_letters(got.shape, sizes)}, here {got.shape}: {wanted} belongs here"


def unfit(got: np.ndarray, expected: np.ndarray, not_finite: str) -> str:
    """What to say to an array of the right shape that does not hold the numbers it should hold; "" if it does."""
    if got.dtype in (np.float16, np.float32):
        return f"it is in {got.dtype}, which is good to {np.finfo(got.dtype).precision} digits: stay in float64"
    if got.dtype.kind == "f" and expected.dtype.kind == "i":
        return f"it holds {got.dtype} where whole numbers belong, which can be used as an index"
    if got.dtype.kind == "f" and not np.isfinite(got).all():
        first = tuple(map(int, np.argwhere(~np.isfinite(got))[0])) if got.ndim else ()
        where = f" (first at {list(first)})" if first else ""
        return f"it holds {'nan' if np.isnan(got).any() else 'inf'}{where}: {not_finite}"
    return ""


def where_wrong(got: np.ndarray, expected: np.ndarray, shape: str) -> str:
    """Which places are wrong, when it is not all of them; and how far off the worst is."""
    right = right_elements(got, expected)
    letters = shape.split()
    for axis, letter in enumerate(letters):
        others = tuple(i for i in range(right.ndim) if i != axis)
        fine = np.asarray(right.all(axis=others))
        if 0 < fine.sum() < len(fine):
            name, few = letter.lower() if len(letter) == 1 else "the row", np.flatnonzero(~fine)
            listed = ", ".join(map(str, few[:6])) + ("" if len(few) <= 6 else ", …")
            return f"it is right but where {name} (axis {axis}) is {listed}"
    if expected.ndim == 0:
        return f"no mistake that is known gives this: it is {float(got):.6g} where {float(expected):.6g} is right"
    off = np.abs(got - expected)
    at = [int(i) for i in np.unravel_index(off.argmax(), off.shape)]
    worst = f"{got[tuple(at)]:.6g} where {expected[tuple(at)]:.6g} is right"
    return f"no mistake that is known gives this: at {at} it is {worst}"


def _letters(shape: tuple[int, ...], sizes: Sizes) -> str:
    """A shape in the letters of the sizes, where it has them."""
    by_size = {size: letter for letter, size in sizes.items()}
    return written(" ".join(by_size.get(n, str(n)) for n in shape)) if shape else "()"
