"""The most probable continuation of a Markov model, exactly, by dynamic programming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from minirnn.arguments import integer
from minirnn.decoding.checks import as_ids, check_log_probs
from minirnn.errors import InputError

SLACK = 1e-9  # sums in another order differ by less
LOWEST = np.finfo(np.float64).min  # of all that is not -inf


class Markov(Protocol):
    """A model whose states can be compared: what has the same state has the same future. `NGram` is one."""

    def advance(self, tokens: np.ndarray, state: np.ndarray) -> np.ndarray:
        """The states (rows, k), integers, after reading the tokens (rows,)."""
        ...

    def log_probs(self, state: np.ndarray) -> np.ndarray:
        """The log-probabilities (rows, V) of the next token."""
        ...


class Continuation(NamedTuple):
    """What `viterbi` finds.

    Attributes:
        tokens: the ids.
        log_prob: in nats; no other continuation has a higher one.
        states: how many different states each step looked at.
        beginnings: from how many beginnings each step merged them.
    """

    tokens: tuple[int, ...]
    log_prob: float
    states: tuple[int, ...]
    beginnings: tuple[int, ...]


def viterbi(
    model: Markov, state: np.ndarray, length: int, *, forbidden: Sequence[int] = (), limit: int = 50_000_000
) -> Continuation:
    """The most probable continuation (Viterbi 1967), by Bellman's principle (1957).

    Of all beginnings that lead to the same state only the most probable can begin the best continuation, because
    whatever follows, follows all of them with the same probability. So each step keeps one beginning a state:

        best_t(s') = max over (s, w) with advance(s, w) = s' of best_{t-1}(s) + log P(w | s)

    What is already less probable than the whole greedy continuation is dropped too, for it can only fall. Both are
    exact. The state of a recurrent network is a function of all that it has read: no two beginnings have the same one,
    nothing merges, and the number of beginnings to keep is V^t.

    Args:
        model: `NGram` of any order, or another model with states that can be compared.
        state: (1, k), after the prefix.
        length: how many tokens.
        forbidden: tokens that may not occur.
        limit: the most log-probabilities that a step may look at.

    Raises:
        InputError: an argument is out of its range, the model gives something else than log-probabilities, nothing is
            allowed, or a step would look at more than `limit`.
    """
    length, limit, banned = integer("length", length), integer("limit", limit), as_ids("forbidden", list(forbidden))
    if np.ndim(state) != 2 or len(state) != 1:
        raise InputError(f"expected the state after one prefix, of shape (1, k), not {np.shape(state)}")
    bound = max(_greedy(model, state, length, banned) - SLACK, LOWEST)
    best, layers, states, beginnings = np.zeros(1), [], [], []
    for t in range(length):
        log_probs = _allowed(model, state, banned)
        if log_probs.size > limit:
            raise InputError(
                f"step {t + 1} has {len(state):,} states: too many; choose a smaller n or a shorter length"
            )
        total = best[:, None] + log_probs
        kept = np.flatnonzero(total >= bound)
        if not len(kept):
            raise InputError("no continuation is allowed")
        parent, token, value = kept // log_probs.shape[1], kept % log_probs.shape[1], total.ravel()[kept]
        advanced = model.advance(token, state[parent])
        by_value = np.argsort(-value, kind="stable")
        _, first = np.unique(advanced[by_value], axis=0, return_index=True)  # the first of each state is its best
        chosen = by_value[first]
        state, best = advanced[chosen], value[chosen]
        layers.append((parent[chosen], token[chosen]))
        states.append(len(chosen))
        beginnings.append(len(kept))
    return Continuation(_trace(layers, int(best.argmax())), float(best.max()), tuple(states), tuple(beginnings))


def _allowed(model: Markov, state: np.ndarray, banned: np.ndarray) -> np.ndarray:
    log_probs = model.log_probs(state).copy()
    check_log_probs(log_probs)
    if len(banned) and not 0 <= banned.min() <= banned.max() < log_probs.shape[1]:
        raise InputError(f"a forbidden token is out of range: expected 0 to {log_probs.shape[1] - 1}")
    log_probs[:, banned] = -np.inf
    return log_probs


def _greedy(model: Markov, state: np.ndarray, length: int, banned: np.ndarray) -> float:
    """The log-probability of the greedy continuation: -inf if it runs into a dead end, as others need not."""
    total = 0.0
    for _ in range(length):
        log_probs = _allowed(model, state, banned)[0]
        token = int(log_probs.argmax())
        total += float(log_probs[token])
        state = model.advance(np.array([token]), state)
    return total


def _trace(layers: list[tuple[np.ndarray, np.ndarray]], row: int) -> tuple[int, ...]:
    """From the best last row back to the first token."""
    tokens = []
    for parent, token in reversed(layers):
        tokens.append(int(token[row]))
        row = int(parent[row])
    return tuple(reversed(tokens))
