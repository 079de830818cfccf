"""Turning next-token probabilities into text, token by token.

The model is a function `step(tokens, state) -> (log_probs, state)` from (batch,) ids to (batch, V) log-probabilities;
nothing else about it is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.arguments import integer, number
from minirnn.decoding.checks import as_ids, next_log_probs
from minirnn.errors import InputError
from minirnn.standing import weights_stand

Step = Callable[[np.ndarray, Any], tuple[np.ndarray, Any]]
Choose = Callable[[np.ndarray], np.ndarray]


def greedy(log_probs: np.ndarray) -> np.ndarray:
    """The most probable token of each row: (batch, V) to (batch,).

    Raises:
        InputError: a row has nothing to choose from.

        >>> greedy(np.log([[0.2, 0.8], [0.7, 0.3]])).tolist()
        [1, 0]
    """
    tokens = log_probs.argmax(axis=-1)
    _check_best(np.take_along_axis(log_probs, tokens[..., None], axis=-1))  # argmax takes nan for the largest
    return tokens


def _check_best(best: np.ndarray) -> None:
    """Refuse rows without a most probable token, given its log-probability."""
    if not np.isfinite(best).all():
        raise InputError("there is nothing to choose from: every log-probability is -inf, or one is not a number")


def sampler(
    rng: int | np.random.Generator | None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Choose:
    """A function that draws one token from each row of log-probabilities (batch, V).

    Args:
        rng: a generator or seed, where the draws come from.
        temperature: the log-probabilities are divided by it: below 1 the probable becomes more probable, above 1
            everything becomes more alike. In its limit 0 it is `greedy`.
        top_k: keep only the k most probable tokens (Fan et al. 2018).
        top_p: keep only the fewest tokens whose probabilities sum to at least p (nucleus sampling, Holtzman et al.
            2020).

    Raises:
        InputError: an argument is out of its range; in drawing, that a row has nothing to draw from.

        >>> choose = sampler(rng=0, top_k=2)
        >>> choose(np.log([[0.5, 0.4, 0.1]] * 1000)).max()
        np.int64(1)
    """
    generator, temperature = backend.generator(rng), number("the temperature", temperature, above=0)
    top_k = None if top_k is None else integer("top-k", top_k)
    top_p = None if top_p is None else number("top-p", top_p, above=0, most=1)

    def choose(log_probs: np.ndarray) -> np.ndarray:
        best = log_probs.max(axis=-1, keepdims=True)
        _check_best(best)
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
        draws = generator.random((len(ranked), 1)) * cumulative[:, -1:]
        rank = (draws >= cumulative).sum(axis=-1, keepdims=True)
        return np.take_along_axis(order, rank, axis=-1)[:, 0]

    return choose


@weights_stand()
def generate(
    step: Step, prefix: Sequence[int] | np.ndarray, length: int, choose: Choose, state: Any = None, batch: int = 1
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
        InputError: the prefix is empty or not made of ids, a number is below 1, the step returns something else than
            log-probabilities, or there is nothing to choose from.

        >>> table = np.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])  # from a token to the next
        >>> generate(lambda tokens, state: (table[tokens], state), [0], 5, greedy).tolist()
        [[1, 2, 0, 1, 2]]
    """
    length, batch = integer("length", length), integer("batch", batch)
    prefix_ids = as_ids("prefix", prefix)
    if not len(prefix_ids):
        raise InputError("the prefix must have at least one token")
    for token in prefix_ids:
        log_probs, state = next_log_probs(step, np.full(batch, token), state)
    written = np.empty((batch, length), dtype=np.int64)
    for i in range(length):
        written[:, i] = choose(log_probs)
        if i + 1 < length:
            log_probs, state = next_log_probs(step, written[:, i], state)
    return written
