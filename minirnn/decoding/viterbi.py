"""The most probable continuation of a Markov model, exactly, by dynamic programming."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from minirnn.errors import InputError

CHUNK = 4_000_000  # log-probabilities that are held at a time
SLACK = 1e-9  # sums in another order differ by so much


class Markov(Protocol):
    """A model whose states can be compared: what has the same state has the same future. `NGram` is one."""

    def advance(self, tokens: np.ndarray, state: np.ndarray) -> np.ndarray:
        """The states (rows, k), integers, after reading the tokens (rows,)."""

    def log_probs(self, state: np.ndarray) -> np.ndarray:
        """The log-probabilities (rows, V) of the next token."""


class Continuation(NamedTuple):
    """What `viterbi` finds.

    Attributes:
        tokens: the ids, <eos> included if it ended there.
        log_prob: in nats; no other continuation has a higher one.
        states: how many different states each step looked at.
        prefixes: how many candidates those states had been merged from, at each step.
    """

    tokens: tuple[int, ...]
    log_prob: float
    states: tuple[int, ...]
    prefixes: tuple[int, ...]


class _Layer(NamedTuple):
    """Where each of some candidates came from, and its last token."""

    parent: np.ndarray
    token: np.ndarray


def viterbi(
    model: Markov,
    state: np.ndarray,
    *,
    length: int,
    eos: int | None = None,
    forbidden: Sequence[int] = (),
    limit: int = 20_000_000,
) -> Continuation:
    """The most probable continuation (Viterbi 1967), by Bellman's principle (1957).

    Of all beginnings that lead to the same state only the most probable can begin the best continuation, because
    whatever follows, follows all of them with the same probability. So each step keeps one beginning a state:

        best_t(s') = max over (s, w) with advance(s, w) = s' of best_{t-1}(s) + log P(w | s)

    What is already less probable than the greedy continuation is dropped as well: it can only fall. Both are exact.

    Args:
        model: `NGram` of any order, or another model with comparable states.
        state: (1, k), after the prefix.
        length: how many tokens; at most, with `eos`.
        eos: a token that ends the continuation early.
        forbidden: tokens that may not occur.
        limit: the most candidates in a step.

    Raises:
        InputError: length is below 1, nothing is allowed, or a step has more candidates than `limit`.
    """
    if length < 1:
        raise InputError(f"the length must be at least 1, not {length}")
    bound = _greedy(model, state, length, eos, forbidden) - SLACK
    best, layers, sizes, prefixes = np.zeros(1), [], [], []
    finished: tuple[float, int, int] = (-np.inf, 0, 0)  # the best that ended: log-probability, its step and its row
    candidates = 1
    for t in range(length):
        sizes.append(len(state))
        prefixes.append(candidates)
        parent, token, total = _extend(model, state, best, bound, forbidden, limit)
        ended = np.flatnonzero(
            (token == eos) if eos is not None and t + 1 < length else np.full(len(token), t + 1 == length)
        )
        if len(ended):
            i = ended[total[ended].argmax()]
            finished = max(finished, (float(total[i]), t, int(i)))
            bound = max(bound, finished[0] - SLACK)
        if t + 1 == length:
            layers.append(_Layer(parent, token))
            break
        going = (token != eos) if eos is not None else np.full(len(token), True)
        advanced = model.advance(token, state[parent])
        # The most probable first: the first of each state is then the one to keep. What has ended comes behind.
        state, kept = _merge(advanced, np.where(going, total, -np.inf), going)
        layers.append(_Layer(parent, token))
        candidates = int(going.sum())
        best = total[kept]
        layers.append(_Layer(kept, kept))
        if not len(kept):
            break
    return Continuation(_trace(layers, finished), finished[0], tuple(sizes), tuple(prefixes))
