"""Arguments as users give them: numbers of Python or of NumPy, and lists that are not strings.

A number that was let in is one of Python's from then on. NumPy's would turn float32 arrays into float64 ones
(`x * np.float64(2)`) and cannot be written as JSON.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from minirnn.errors import InputError


def integer(name: str, value: Any, least: int | None = 1) -> int:
    """`value` as an int. True and False are none, and neither is 4.0.

    Raises:
        InputError: it is no integer, or below `least`; the message begins with `name`.
    """
    try:
        found = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        bound = "" if least is None else f" of at least {least}"
        raise InputError(f"{name} must be an integer{bound}, not {shown(value)}")
    return found


def number(
    name: str,
    value: Any,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> float:
    """`value` as a float: finite, `least` ≤ value ≤ `most`, and `above` < value < `below`.

    Raises:
        InputError: it is no such number; the message begins with `name`.
    """
    found = _as_float(value)
    if not (math.isfinite(found) and least <= found <= most and above < found < below):
        words = {"of at least": least, "above": above, "at most": most, "below": below}
        bounds = " and ".join(f"{word} {bound}" for word, bound in words.items() if math.isfinite(bound))
        noun = "a finite number" if most == below == math.inf else "a number"
        raise InputError(f"{name} must be {f'{noun} {bounds}'.strip()}, not {shown(value)}")
    return found


def _as_float(value: Any) -> float:
    """nan for what is no number."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer of more than 300 digits
        return math.inf


def strings(name: str, value: Iterable[str]) -> list[str]:
    """`value` as a list of strings.

    Raises:
        InputError: it is a single string, which would be taken for a list of letters, or holds something else.
    """
    if isinstance(value, (str, bytes)):
        raise InputError(f"{name} must be a list of strings, not one string: write [{shown(value)}]")
    found = list(value)
    if strangers := [one for one in found if not isinstance(one, str)]:
        raise InputError(f"{name} must be strings, not {shown(strangers[0])} of type {type(strangers[0]).__name__}")
    return found


def shown(value: Any) -> str:
    """`value` as it is written in Python, in one line, and not too long a one."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
