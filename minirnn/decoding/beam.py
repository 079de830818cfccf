"""Decoding one path at a time, and beam search.

The model is a function `step(tokens, state) -> (log_probs, state)` from (rows,) ids to log-probabilities (rows, V), on
the host; nothing else about it is known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.arguments import integer
from minirnn.backend import Lengths
from minirnn.decoding.checks import (
    LengthPenalty,
    as_ids,
    check_beam,
    check_log_probs,
    next_log_probs,
    per_sentence,
)
from minirnn.decoding.hypotheses import (
    Attention,
    Hypothesis,
    Prefixes,
    Search,
    Select,
    latest_attention,
    power_penalty,
    select,
)
from minirnn.decoding.sampling import Choose, Step, greedy
from minirnn.errors import InputError
from minirnn.standing import weights_stand

PIECE = 64
"""Tokens of the vocabulary of which the most probable is looked for."""


@weights_stand()
def decode(
    step: Step,
    state: Any,
    start: Sequence[int] | np.ndarray,
    *,
    eos: int,
    max_length: int | Sequence[int] | np.ndarray,
    choose: Choose = greedy,
    attention: Attention | None = None,
) -> list[Hypothesis]:
    """Write each sentence token by token, never looking back.

    Args:
        step: the model.
        state: its state before `start`, of `batch` rows.
        start: (batch,) ids, the first tokens that it reads.
        eos: the id that ends a sentence.
        max_length: the most tokens to generate, <eos> included; one for all sentences or one for each.
        choose: `greedy`, or what `sampler` returns (which makes this ancestral sampling).
        attention: gives the weights (batch, S) of the latest step from a state.

    Returns:
        A hypothesis for each sentence; its score is its log-probability under the model.

    Raises:
        InputError: an argument is out of range, the step returns something else than log-probabilities, or a sentence
            has no possible continuation.

        >>> table = np.log([[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.9, 0.05, 0.05]])  # from a token to the next; 0 ends
        >>> [hypothesis] = decode(lambda tokens, state: (table[tokens], state), None, [0], eos=0, max_length=5)
        >>> hypothesis.tokens, hypothesis.finished
        ((1, 2), True)
    """
    start, eos = as_ids("start", start), integer("eos", eos, least=0)
    batch = len(start)
    limits = per_sentence("max_length", max_length, batch, least=1)
    live, log_prob, length = np.ones(batch, bool), np.zeros(batch), np.zeros(batch, np.int64)
    tokens, written, weights = start, [], []
    while live.any():
        log_probs, state = next_log_probs(step, tokens, state)
        if (stuck := live & (check_log_probs(log_probs, eos) == -np.inf)).any():
            raise InputError(f"sentence {stuck.argmax()}: every continuation is forbidden (-inf)")
        tokens = np.full(batch, eos)  # what has ended reads on, so that rows stay rows, but chooses no more
        tokens[live] = choose(log_probs[live])
        log_prob[live] += log_probs[live, tokens[live]]
        if not np.isfinite(log_prob).all():
            raise InputError(f"sentence {log_prob.argmin()}: a forbidden token (-inf) was chosen")
        written.append(tokens)
        if attention is not None:
            weights.append(latest_attention(attention, state))
        length[live] += 1
        live &= (tokens != eos) & (length < limits)
    return [
        _hypothesis([int(tokens[i]) for tokens in written[:n]], log_prob[i], eos, [row[i] for row in weights[:n]])
        for i, n in enumerate(length)
    ]


def _hypothesis(ids: list[int], log_prob: float, eos: int, weights: list[np.ndarray]) -> Hypothesis:
    finished = ids[-1] == eos
    tokens = tuple(ids[:-1] if finished else ids)
    return Hypothesis(tokens, float(log_prob), float(log_prob), finished, np.stack(weights) if weights else None)


@weights_stand()
def beam_search(
    step: Step,
    state: Any,
    start: Sequence[int] | np.ndarray,
    *,
    beam_size: int,
    eos: int,
    max_length: int | Sequence[int] | np.ndarray,
    n_best: int = 1,
    length_penalty: LengthPenalty = power_penalty(0.0),
    coverage_penalty: float = 0.0,
    attention: Attention | None = None,
    source_lengths: Lengths | None = None,
    select: Select = select,
) -> list[list[Hypothesis]]:
    """Write each sentence, keeping its `beam_size` most probable beginnings at every step (Sutskever et al. 2014).

    Every step extends each beginning by every token and keeps, for each sentence, the `beam_size` continuations of
    highest log-probability (of equal ones the one from the better beginning, then the lower id). Those that are
    complete leave the beam and are scored; the others go on, and the next step fills the beam again. With a beam of 2,
    "le" (-0.1) and "un" (-2.4) may continue as "le chat" (-0.4), "le chien" (-1.9), "un chat" (-2.9), …: the first two
    are kept, and "un" is given up. What can no longer come among the `n_best` best complete
    ones is dropped, and a sentence is done when nothing is left in its beam. That is often later than when the first is
    complete: a longer one may score higher. A beam of 1 is greedy search; one as wide as the space of sequences is
    exhaustive search.

    All sentences advance together: one call of `step` has a row for every beginning of every sentence that is not done.

    Args:
        step: the model.
        state: its state before `start`, of `batch` rows.
        start: (batch,) ids, the first tokens that it reads.
        beam_size: how many beginnings to keep for each sentence.
        eos: the id that ends a sentence.
        max_length: the most tokens to generate, <eos> included; one for all sentences or one for each.
        n_best: how many hypotheses to return for each sentence, at most `beam_size`.
        length_penalty: what a log-probability is divided by, given the length: see `power_penalty`, `gnmt_penalty`.
        coverage_penalty: β, the weight of `coverage` in the score.
        attention: gives the weights (rows, S) of the latest step from a state.
        source_lengths: (batch,) how many source positions of each sentence are not padding; None for all S.
        select: gives the state of some rows from a state.

    Returns:
        For each sentence its best hypotheses, best first: `n_best`, or fewer if the beam has met fewer.

    Raises:
        InputError: an argument is out of range, the step returns something else than log-probabilities, or a sentence
            has no possible continuation.

        >>> table = np.log([[0.1, 0.6, 0.3], [0.5, 0.1, 0.4], [0.9, 0.05, 0.05]])  # from a token to the next; 0 ends
        >>> def step(tokens, state):
        ...     return table[tokens], state
        >>> [found] = beam_search(step, None, [0], beam_size=3, eos=0, max_length=5, n_best=2)
        >>> [(hypothesis.tokens, round(float(np.exp(hypothesis.log_prob)), 3)) for hypothesis in found]
        [((1,), 0.3), ((2,), 0.27)]
    """
    beam_size, n_best = check_beam(beam_size, n_best)
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
    walk_beams(search, search.begin(state), beam_size, select)
    return search.results()


def walk_beams(search: Search, prefixes: Prefixes, beam_size: int, select: Select) -> None:
    """Beam search from `prefixes` on; what it finds is in `search.best`."""
    while len(prefixes):
        read, log_probs = search.read(prefixes)
        parents, tokens, log_prob = _best_continuations(log_probs, read.log_prob, read.sentence, beam_size)
        live = search.settle(read, parents, tokens, log_prob)
        # Dropping those that cannot win changes no result: what could come in their place is less probable still, and
        # cannot win either.
        live &= search.can_win(read.sentence[parents], log_prob)
        prefixes = read.extend(parents[live], tokens[live], log_prob[live], select)


def _best_continuations(
    log_probs: np.ndarray, before: np.ndarray, sentence: np.ndarray, beam_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each sentence the most probable continuations, most probable first, as (row, token, log-probability).

    Args:
        log_probs: (rows, V) log-probabilities of the next token.
        before: (rows,) of what is there already.
        sentence: (rows,) ascending: the rows of a sentence are neighbours.
        beam_size: how many for each sentence, if so many are possible.

    Returns:
        The rows, the tokens, and the log-probabilities with them, (n,) each.
    """
    # What is among the best of a sentence is among the best of its row, so all rows are looked through at once.
    bounds = np.maximum(_bounds(log_probs, beam_size), np.finfo(log_probs.dtype).min)  # above -inf
    row, token = np.divmod(np.flatnonzero(log_probs >= bounds), log_probs.shape[1])
    log_prob = before[row] + log_probs[row, token]
    order = np.lexsort((-log_prob, sentence[row]))  # stable: of equal ones the earlier row, then the lower id
    row, token, log_prob = row[order], token[order], log_prob[order]
    rank = np.arange(len(row)) - np.searchsorted(sentence[row], sentence[row])  # within the sentence, from 0
    best = rank < beam_size
    return row[best], token[best], log_prob[best]


def _bounds(values: np.ndarray, k: int) -> np.ndarray:
    """For each row a number that at least k of its numbers reach, and few others: (rows, 1); -inf if there are fewer.
    It is the k-th of the largest of each piece of a row: that takes one look at everything, the k-th of all several."""
    rows, V = values.shape
    width = max(1, min(PIECE, V // k))
    if k > V:
        return np.full((rows, 1), -np.inf)
    largest = values[:, : V // width * width].reshape(rows, V // width, width).max(axis=2)
    return np.partition(largest, -k, axis=1)[:, -k, None]
