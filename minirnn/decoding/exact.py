"""Searches that are certain: all sequences, or all that could still be the best. They say what a beam has missed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from minirnn.arguments import integer
from minirnn.backend import Lengths
from minirnn.decoding.beam import walk_beams
from minirnn.decoding.checks import LengthPenalty, check_log_probs, next_log_probs
from minirnn.decoding.hypotheses import (
    Attention,
    Hypothesis,
    Prefixes,
    Search,
    Select,
    power_penalty,
    select,
)
from minirnn.decoding.sampling import Step
from minirnn.errors import InputError
from minirnn.standing import weights_stand

EXHAUSTIVE_CHUNK = 1024  # prefixes in one call of the step
EXACT_CHUNK = 64  # few, so that what the first of them find can cut the others


class ExactResult(NamedTuple):
    """What `exact_search` says about a sentence.

    Attributes:
        hypothesis: the best sequence found.
        proven: whether none scores higher.
        expanded: how many prefixes the model has read to find that out, beside those of the beam search.
    """

    hypothesis: Hypothesis
    proven: bool
    expanded: int


class _Continuations(NamedTuple):
    """Prefixes one token longer than `read`, whose state is not selected yet: most of them wait for long."""

    read: Prefixes
    parents: np.ndarray
    tokens: np.ndarray
    log_prob: np.ndarray

    @property
    def sentence(self) -> np.ndarray:
        return self.read.sentence[self.parents]

    def pick(self, rows: Any) -> _Continuations:
        return _Continuations(self.read, self.parents[rows], self.tokens[rows], self.log_prob[rows])


@weights_stand()
def exhaustive_search(
    step: Step,
    state: Any,
    start: Sequence[int] | np.ndarray,
    *,
    eos: int,
    max_length: int | Sequence[int] | np.ndarray,
    n_best: int = 1,
    length_penalty: LengthPenalty = power_penalty(0.0),
    coverage_penalty: float = 0.0,
    attention: Attention | None = None,
    source_lengths: Lengths | None = None,
    select: Select = select,
    limit: int = 1_000_000,
) -> list[list[Hypothesis]]:
    """Score every sequence there is: up to V^max_length of them, so for small vocabularies and short sentences only.

    Args:
        step, state, start, eos, max_length, n_best, length_penalty, coverage_penalty, attention, source_lengths,
            select: as for `beam_search`.
        limit: the most sequences for a sentence.

    Returns:
        For each sentence its `n_best` best hypotheses, best first (fewer if fewer exist).

    Raises:
        InputError: there are more sequences than `limit`, or as for `beam_search`.
    """
    search = Search(
        step,
        start,
        eos=eos,
        max_length=max_length,
        n_best=n_best,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        attention=attention,
        source_lengths=source_lengths,
    )
    roots, limit = search.begin(state), integer("limit", limit)
    if len(roots):
        V, T = search.read(roots)[1].shape[1], int(search.limits.max())
        sequences = V**T
        if sequences > limit:
            count = f"{sequences:,}" if sequences < 10**18 else f"{Decimal(sequences):.3e}"
            raise InputError(f"exhaustive search would score up to {V}^{T} = {count} sequences, the limit is {limit:,}")
        _walk(search, roots, select, EXHAUSTIVE_CHUNK)
    return search.results()


@weights_stand()
def exact_search(
    step: Step,
    state: Any,
    start: Sequence[int] | np.ndarray,
    *,
    eos: int,
    max_length: int | Sequence[int] | np.ndarray,
    length_penalty: LengthPenalty = power_penalty(0.0),
    coverage_penalty: float = 0.0,
    attention: Attention | None = None,
    source_lengths: Lengths | None = None,
    select: Select = select,
    beam_size: int = 5,
    max_steps: int = 100_000,
) -> list[ExactResult]:
    """Find the best sequence and prove that it is (Stahlberg and Byrne 2019, "On NMT Search Errors and Model Errors").

    This is branch and bound. A beam search gives a first score to beat. Then every prefix is followed, depth first and
    the most probable first, except where no continuation can score above the best complete sequence so far: a
    log-probability only falls. The surer the model, the less there is to follow; the more a penalty
    favours long sentences, the more.

    Args:
        step, state, start, eos, max_length, length_penalty, coverage_penalty, attention, source_lengths, select: as for
            `beam_search`.
        beam_size: of the beam search before.
        max_steps: the most prefixes to read for a sentence before giving up the proof.

    Returns:
        A result for each sentence.

    Raises:
        InputError: as for `beam_search`, or `max_steps` is below 1.
    """
    beam_size, max_steps = integer("beam_size", beam_size), integer("max_steps", max_steps)
    search = Search(
        step,
        start,
        eos=eos,
        max_length=max_length,
        n_best=1,
        length_penalty=length_penalty,
        coverage_penalty=coverage_penalty,
        attention=attention,
        source_lengths=source_lengths,
    )
    roots = search.begin(state)
    walk_beams(search, roots, beam_size, select)
    walks = []
    for i in range(len(roots)):
        row = np.array([i])
        root = Prefixes(row, roots.last[row], roots.tokens[row], roots.log_prob[row], select(state, row))
        walks.append(_walk(search, root, select, EXACT_CHUNK, cut=True, max_steps=max_steps))
    return [ExactResult(best[0], *walk) for best, walk in zip(search.results(), walks, strict=True)]


def _walk(
    search: Search, roots: Prefixes, select: Select, chunk: int, cut: bool = False, max_steps: int | None = None
) -> tuple[bool, int]:
    """Follow the prefixes from `roots` depth first, so that few wait at a time.

    Args:
        search: what is looked through, and gathers what is found.
        roots: where to begin.
        select: gives the state of some rows from a state.
        chunk: the most prefixes that are read together.
        cut: whether to leave out what cannot win.
        max_steps: give up rather than read more prefixes than this.

    Returns:
        Whether it came to the end, and how many prefixes were read.
    """
    pending = _continuations(search, roots, chunk)
    expanded = len(roots)
    while pending:
        waiting = pending.pop()
        if cut:
            waiting = waiting.pick(search.can_win(waiting.sentence, waiting.log_prob))
        count = len(waiting.tokens)
        if not count:
            continue
        if max_steps is not None and expanded + count > max_steps:
            return False, expanded
        expanded += count
        prefixes = waiting.read.extend(waiting.parents, waiting.tokens, waiting.log_prob, select)
        pending += _continuations(search, prefixes, chunk)
    return True, expanded


def _continuations(search: Search, prefixes: Prefixes, chunk: int) -> list[_Continuations]:
    """Read the prefixes, settle what is complete then, and return the rest in chunks: the most probable last."""
    read, log_probs = search.read(prefixes)
    parents, tokens = np.nonzero(log_probs > -np.inf)
    every = _Continuations(read, parents, tokens, read.log_prob[parents] + log_probs[parents, tokens])
    live = np.flatnonzero(search.settle(*every))
    ascending = live[np.argsort(every.log_prob[live], kind="stable")]
    edges = range(len(ascending), 0, -chunk)
    return [every.pick(ascending[max(edge - chunk, 0) : edge]) for edge in edges][::-1]


def rescore(step: Step, state: Any, start: int, tokens: Sequence[int] | np.ndarray, *, eos: int | None = None) -> float:
    """The log-probability (nats) that the model gives to a sentence, token by token.

    Args:
        step: the model.
        state: its state before `start`, of one row.
        start: the id that it reads first.
        tokens: the ids of the sentence.
        eos: the id that ends it; None for a sentence that does not end here.

    Raises:
        InputError: an id is out of range, or the step returns something else than log-probabilities.
    """
    total, last = 0.0, integer("start", start, least=0)
    for token in [*tokens, *([] if eos is None else [eos])]:
        log_probs, state = next_log_probs(step, np.array([last]), state)
        check_log_probs(log_probs)
        last = integer("a token", token, least=0)
        if last >= log_probs.shape[1]:
            raise InputError(f"token {last} is out of range: expected 0 to {log_probs.shape[1] - 1}")
        total += float(log_probs[0, last])
    return total
