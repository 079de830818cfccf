"""What the searches are given, and what they are told by the model: refused where it makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minirnn.arguments import integer, shown
from minirnn.errors import InputError

CONVERSIONS = {  # by the library of what a step returns instead of a NumPy array
    "minirnn": "log_softmax(logits).numpy()",
    "torch": "log_probs.detach().cpu().numpy()",
    "cupy": "log_probs.get()",
}
LengthPenalty = Callable[[int], float]

ROUNDING = 1e-3  # how far above 0 rounding may carry a log-probability


def next_log_probs(step: Callable[[np.ndarray, Any], Any], tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
    """Let the model read a token (rows,) of each row: the log-probabilities (rows, V) of the next, and the state.

    Raises:
        InputError: the step returns something else.
    """
    found = step(tokens, state)
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        what = f"{len(found)} values" if isinstance(found, (tuple, list)) else type(found).__name__
        raise InputError(f"the step must return two values, log-probabilities and state, not {what}")
    log_probs, state = found
    if not isinstance(log_probs, np.ndarray):
        kind = type(log_probs)
        how = CONVERSIONS.get(kind.__module__.partition(".")[0], "np.array(log_probs)")
        what = f"{kind.__module__}.{kind.__name__}: return {how}"
        raise InputError(f"the step must return log-probabilities as a NumPy array (rows, V), not {what}")
    if log_probs.ndim != 2 or len(log_probs) != len(tokens) or log_probs.dtype.kind != "f" or not log_probs.shape[1]:
        what = f"{log_probs.dtype} of shape {log_probs.shape}"
        raise InputError(f"the step must return log-probabilities ({len(tokens)}, V), not {what}")
    return log_probs, state


def check_log_probs(log_probs: np.ndarray, eos: int | None = None) -> np.ndarray:
    """The highest log-probability of each row, (rows,), of log-probabilities (rows, V).

    Raises:
        InputError: one is above 0 or not a number, or the vocabulary has no `eos`.
    """
    if eos is not None and eos >= log_probs.shape[1]:
        raise InputError(f"eos is {eos}, but the model's ids are 0 to {log_probs.shape[1] - 1}")
    best = log_probs.max(axis=1)
    if not (best <= ROUNDING).all():  # nan is not
        highest = best.max()
        raise InputError(f"a log-probability is {highest}: expected at most 0 (did the step forget log_softmax?)")
    return best


def as_ids(name: str, ids: Any) -> np.ndarray:
    """`ids` as an integer array of one axis.

    Raises:
        InputError: they are something else; the message begins with `name`.
    """
    found = np.asarray(ids, dtype=None if np.size(ids) else np.int64)  # [] would be an array of floats
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise InputError(f"{name} must be a list of ids, not {found.dtype} of shape {found.shape}")
    return found


def per_sentence(name: str, value: Any, batch: int, least: int) -> np.ndarray:
    """One integer a sentence, (batch,), from an integer for all or one for each.

    Raises:
        InputError: another shape or type, or a number below `least`; the message begins with `name`.
    """
    value = np.asarray(value, dtype=None if np.size(value) else np.int64)
    if value.dtype.kind not in "iu" or value.shape not in ((), (batch,)):
        raise InputError(
            f"{name} must be an integer or one for each of {batch} sentences, not {value.dtype} {value.shape}"
        )
    if value.size and value.min() < least:
        raise InputError(f"{name} must be at least {least}, not {value.min()}")
    return np.broadcast_to(value, (batch,))


def check_beam(beam_size: Any, n_best: Any) -> tuple[int, int]:
    """The two as integers.

    Raises:
        InputError: one is below 1, or a beam of that size does not find so many.
    """
    beam_size, n_best = integer("beam_size", beam_size), integer("n_best", n_best)
    if n_best > beam_size:
        raise InputError(f"n_best must be at most beam_size, not n_best {n_best} and beam_size {beam_size}")
    return beam_size, n_best


def check_penalty(length_penalty: Any, longest: int) -> float:
    """lp(longest), the most that a log-probability may be divided by.

    Raises:
        InputError: the length penalty is no function, or not one of those that `power_penalty` describes.
    """
    if not callable(length_penalty):
        raise InputError(f"length_penalty must be a function, such as power_penalty(0.7), not {shown(length_penalty)}")
    try:
        first, last = length_penalty(1), length_penalty(longest)
    except OverflowError as error:
        raise InputError(f"the length penalty of {longest} tokens is more than a number holds: {error}") from error
    if not 0 < first <= last < np.inf:
        raise InputError(
            f"the length penalty must be above 0 and must not fall, but is {first} for 1 token and {last} for {longest}"
        )
    return float(last)
