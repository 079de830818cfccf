"""Turning next-token probabilities into text, token by token.

The model is a function `step(tokens, state) -> (log_probs, state)` from (batch,) ids to (batch, V) log-probabilities;
nothing else about it is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minirnn.errors import InputError

Step = Callable[[np.ndarray, Any], tuple[np.ndarray, Any]]
Choose = Callable[[np.ndarray], np.ndarray]


def greedy(log_probs: np.ndarray) -> np.ndarray:
    """The most probable token of each row: (batch, V) to (batch,)."""
    return log_probs.argmax(axis=-1)


def sampler(
    rng: np.random.Generator, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Choose:
    """A function that draws one token from each row of log-probabilities (batch, V).

    Args:
        rng: where the draws come from.
        temperature: the log-probabilities are divided by it: below 1 the probable becomes more probable, above 1
            everything becomes more alike.
        top_k: keep only the k most probable tokens (Fan et al. 2018).
        top_p: keep only the fewest tokens whose probabilities sum to at least p (nucleus sampling, Holtzman et al.
            2020).

    Raises:
        InputError: an argument is out of its range; in drawing, that a row has nothing to draw from.
    """
    if not temperature > 0:
        raise InputError(f"the temperature must be above 0, not {temperature}; for its limit 0 choose greedily")
    if top_k is not None and top_k < 1:
        raise InputError(f"top-k must be at least 1, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError(f"top-p must be in (0, 1], not {top_p}")

    def choose(log_probs: np.ndarray) -> np.ndarray:
        best = log_probs.max(axis=-1, keepdims=True)
        if not np.isfinite(best).all():
            raise InputError("there is nothing to draw from: every log-probability is -inf, or one is not a number")
        with np.errstate(over="ignore"):  # at a very low temperature: exp(-inf) = 0 is right
            probs = np.exp((log_probs.astype(np.float64) - best) / temperature)
        probs /= probs.sum(axis=-1, keepdims=True)
        order = np.argsort(-probs, axis=-1, kind="stable")
        ranked = np.take_along_axis(probs, order, axis=-1)
        if top_k is not None:
            ranked[:, top_k:] = 0
            ranked /= ranked.sum(axis=-1, keepdims=True)
        if top_p is not None:
            enough = np.cumsum(ranked, axis=-1) >= top_p
            ranked[:, 1:][enough[:, :-1]] = 0  # where the more probable ones are enough already
        cumulative = np.cumsum(ranked, axis=-1)
        draws = rng.random((len(ranked), 1)) * cumulative[:, -1:]
        rank = (draws >= cumulative).sum(axis=-1, keepdims=True)
        return np.take_along_axis(order, rank, axis=-1)[:, 0]

    return choose


def generate(
    step: Step, prefix: Sequence[int], length: int, choose: Choose, state: Any = None, batch: int = 1
) -> np.ndarray:
    """Read a prefix, then write on.

    Args:
        step: the model.
        prefix: the ids that are given, at least one.
        length: how many tokens to write.
        choose: `greedy`, or what `sampler` returns.
        state: the model's state before the prefix.
        batch: how many continuations to write side by side.

    Returns:
        (batch, length) ids, without the prefix.

    Raises:
        InputError: the prefix is empty, or a number is below 1.
    """
    if len(prefix) == 0:
        raise InputError("the prefix must have at least one token")
    if length < 1 or batch < 1:
        raise InputError(f"length and batch must be at least 1, not {length} and {batch}")
    for token in prefix:
        log_probs, state = step(np.full(batch, token), state)
    written = np.empty((batch, length), dtype=np.int64)
    for i in range(length):
        written[:, i] = choose(log_probs)
        if i + 1 < length:
            log_probs, state = step(written[:, i], state)
    return written
