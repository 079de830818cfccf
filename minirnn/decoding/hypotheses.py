"""What the searches share: hypotheses, how they are scored, and the state that follows them.

The searches maximise, over the sequences Y of up to `max_length` tokens of which only the last may be the end <eos>,

    score(Y) = log P(Y) / lp(|Y|) + β cp(Y),   cp(Y) = Σ_i log min(Σ_t α_ti, 1) over the source positions i

with lp a length penalty, α_ti the attention that step t pays to source position i, and |Y| counting <eos> (Wu et al.
2016, "Google's Neural Machine Translation System", equation 14). A sequence that reaches `max_length` without <eos> is
complete as it stands. A continuation of log-probability -inf is forbidden: sequences with one do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from minirnn.arguments import integer, number
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Lengths, array_module, like, to_host
from minirnn.decoding.checks import (
    LengthPenalty,
    as_ids,
    check_log_probs,
    check_penalty,
    next_log_probs,
    per_sentence,
)
from minirnn.decoding.sampling import Step
from minirnn.errors import InputError

Attention = Callable[[Any], Any]
Select = Callable[[Any, np.ndarray], Any]

UNCOVERED = 1e-10  # stands for the attention of a position that got none: log 0 would make all such sentences equal


@dataclass(frozen=True)
class Hypothesis:
    """A sentence that was found.

    Attributes:
        tokens: the generated ids, without the start and without <eos>.
        log_prob: the sum of the log-probabilities (nats) of the generated tokens, <eos> included.
        score: `log_prob` under the penalties: what the search compares.
        finished: whether <eos> ended it, and not the length limit.
        attention: (steps, S), one row for each generated token, <eos> included; None for a model without.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float
    finished: bool
    attention: np.ndarray | None = field(default=None, compare=False, repr=False)


def select(state: Any, rows: np.ndarray) -> Any:
    """The state of some rows of the batch.

    Args:
        state: None, an object with a method `select(rows)`, an array or Tensor, or a tuple, named tuple, list or dict
            of these. The batch axis of an array is the last but one, as in (layers, batch, features) and (batch, S); of
            a 1-d array it is the only one.
        rows: (n,) which rows, on the host, in the order wanted; a row may be wanted more than once.

    Returns:
        The same kind of thing with n rows, on the same device.

    Raises:
        InputError: the state is none of these.
    """
    if state is None:
        return None
    if hasattr(state, "select"):
        return state.select(rows)
    if isinstance(state, Tensor):
        return Tensor(select(state.data, rows))
    if isinstance(state, dict):
        return {key: select(member, rows) for key, member in state.items()}
    if isinstance(state, (tuple, list)):
        members = [select(member, rows) for member in state]
        return type(state)(*members) if hasattr(state, "_fields") else type(state)(members)
    if getattr(state, "ndim", 0) == 0:
        raise InputError(f"cannot tell the rows of a {type(state).__name__} in the state: give a `select` function")
    return array_module(state).take(state, like(np.asarray(rows), state), axis=max(state.ndim - 2, 0))


def power_penalty(alpha: float) -> LengthPenalty:
    """lp(L) = L^α: the score is a mean for α = 1, the plain sum for α = 0 (Sutskever et al. 2014 have 0; d2l 0.75).

    A length penalty maps a length L >= 1, <eos> counted, to the number that the log-probability is divided by. Every
    further token makes log P, which is negative, smaller, so that without a penalty short sentences win. Divided by a
    larger number it comes nearer to 0: the larger α, the more longer sentences are favoured. lp must be positive and
    must not fall as L grows: from that the searches know what an unfinished hypothesis can still reach.

    Raises:
        InputError: α is negative or not finite.

        >>> power_penalty(0.5)(4)
        2.0
    """
    alpha = number("the length penalty's alpha", alpha, least=0)
    return lambda length: float(length) ** alpha


def gnmt_penalty(alpha: float) -> LengthPenalty:
    """lp(L) = ((5 + L) / 6)^α, which grows more slowly over the first few tokens than `power_penalty` (Wu et al. 2016).

    Raises:
        InputError: α is negative or not finite.
    """
    alpha = number("the length penalty's alpha", alpha, least=0)
    return lambda length: ((5.0 + length) / 6.0) ** alpha


def coverage(attention: np.ndarray, source_lengths: np.ndarray | None = None) -> np.ndarray:
    """cp of Wu et al. 2016: 0 where every source position got attention of 1 in sum, negative where some got less.

    Args:
        attention: (rows, steps, S).
        source_lengths: (rows,) how many of the S positions are not padding; None for all.

    Returns:
        (rows,), in nats.
    """
    total = attention.sum(axis=1, dtype=np.float64)
    logs = np.log(np.clip(total, UNCOVERED, 1.0))
    if source_lengths is not None:
        logs = np.where(np.arange(logs.shape[1]) < source_lengths[:, None], logs, 0.0)
    return logs.sum(axis=1)


def latest_attention(attention: Attention, state: Any) -> np.ndarray:
    """The weights (rows, S) of the latest step, on the host."""
    weights = attention(state)
    return to_host(weights.data if isinstance(weights, Tensor) else weights)


@dataclass(frozen=True)
class Prefixes:
    """Beginnings of sentences, one a row, all t tokens long.

    Attributes:
        sentence: (rows,) which row of `start` each begins to answer.
        last: (rows,) the token that the model reads next.
        tokens: (rows, t) the tokens generated so far.
        log_prob: (rows,) their summed log-probability, float64.
        state: the model's.
        attention: (rows, steps, S), or None; a step more than tokens once `last` has been read.
    """

    sentence: np.ndarray
    last: np.ndarray
    tokens: np.ndarray
    log_prob: np.ndarray
    state: Any
    attention: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sentence)

    def extend(self, parents: np.ndarray, tokens: np.ndarray, log_prob: np.ndarray, select: Select) -> Prefixes:
        """Prefixes one token longer: row i is the prefix `parents[i]`, then `tokens[i]`."""
        return Prefixes(
            self.sentence[parents],
            tokens,
            np.column_stack([self.tokens[parents], tokens]),
            log_prob,
            select(self.state, parents),
            None if self.attention is None else self.attention[parents],
        )


class Search:
    """The space that a search looks through, and the best sentences found in it so far.

    The arguments are those of `beam_search`.

    Attributes:
        best: for each sentence its best complete hypotheses, at most `n_best`, best first.
        to_beat: (batch,) the score above which a hypothesis comes among them.
    """

    def __init__(
        self,
        step: Step,
        start: Sequence[int] | np.ndarray,
        *,
        eos: int,
        max_length: int | Sequence[int] | np.ndarray,
        n_best: int,
        length_penalty: LengthPenalty,
        coverage_penalty: float,
        attention: Attention | None,
        source_lengths: Lengths | None,
    ):
        self.step, self.start, self.eos = step, as_ids("start", start), integer("eos", eos, least=0)
        self.limits = per_sentence("max_length", max_length, len(self.start), least=1)
        self.n_best, self.length_penalty, self.attention = integer("n_best", n_best), length_penalty, attention
        self.coverage_penalty = number("the coverage penalty", coverage_penalty, least=0)
        self.highest_divisor = np.array([check_penalty(length_penalty, int(limit)) for limit in self.limits])
        self.source_lengths = None
        if source_lengths is not None:
            self.source_lengths = per_sentence("source_lengths", source_lengths, len(self.start), least=0)
        if self.coverage_penalty and attention is None:
            raise InputError("a coverage penalty needs the attention: give an `attention` function")
        self.best: list[list[Hypothesis]] = [[] for _ in self.start]
        self.to_beat = np.full(len(self.start), -np.inf)

    def begin(self, state: Any) -> Prefixes:
        """The empty prefix of every sentence."""
        batch = len(self.start)
        return Prefixes(np.arange(batch), self.start, np.empty((batch, 0), np.int64), np.zeros(batch), state)

    def read(self, prefixes: Prefixes) -> tuple[Prefixes, np.ndarray]:
        """Let the model read the last tokens.

        Returns:
            The prefixes with the state (and attention) after that, and log P(token | prefix) for every token (rows, V).
        """
        log_probs, state = next_log_probs(self.step, prefixes.last, prefixes.state)
        check_log_probs(log_probs, self.eos)
        weights = prefixes.attention
        if self.attention is not None:
            row = latest_attention(self.attention, state)[:, None]
            weights = row if weights is None else np.concatenate([weights, row], axis=1)
        return replace(prefixes, state=state, attention=weights), log_probs

    def settle(self, read: Prefixes, parents: np.ndarray, tokens: np.ndarray, log_prob: np.ndarray) -> np.ndarray:
        """Take the complete ones among some continuations into account.

        Args:
            read: what `read` returned.
            parents: (n,) rows of `read`.
            tokens: (n,) the token that each goes on with.
            log_prob: (n,) of the prefix and the token.

        Returns:
            (n,) whether the continuation is still incomplete.
        """
        length = read.tokens.shape[1] + 1
        sentence = read.sentence[parents]
        complete = (tokens == self.eos) | (length == self.limits[sentence])
        score = log_prob / self.length_penalty(length)
        if self.coverage_penalty and read.attention is not None:
            source_lengths = None if self.source_lengths is None else self.source_lengths[read.sentence]
            score = score + self.coverage_penalty * coverage(read.attention, source_lengths)[parents]
        for i in np.flatnonzero(complete & (score > self.to_beat[sentence])):
            row = parents[i]
            finished = bool(tokens[i] == self.eos)
            ids = (*read.tokens[row].tolist(), *([] if finished else [int(tokens[i])]))
            weights = None if read.attention is None else read.attention[row]
            self._offer(sentence[i], Hypothesis(ids, float(log_prob[i]), float(score[i]), finished, weights))
        return ~complete

    def _offer(self, sentence: int, hypothesis: Hypothesis) -> None:
        best = self.best[sentence]
        best.append(hypothesis)
        best.sort(key=lambda one: -one.score)  # stable: among equals, the one found first
        del best[self.n_best :]
        if len(best) == self.n_best:
            self.to_beat[sentence] = best[-1].score

    def can_win(self, sentence: np.ndarray, log_prob: np.ndarray) -> np.ndarray:
        """Whether prefixes of these log-probabilities (n,) may still become sentences among the best.

        A log-probability only falls as tokens are added, the length penalty divides it by most at the limit, and the
        coverage penalty is never positive: so no continuation scores above log_prob / lp(max_length).
        """
        return log_prob / self.highest_divisor[sentence] > self.to_beat[sentence]

    def results(self) -> list[list[Hypothesis]]:
        """`best`. Raises InputError if a sentence has none."""
        for sentence, best in enumerate(self.best):
            if not best:
                raise InputError(
                    f"sentence {sentence}: found no sequence, every continuation tried is forbidden (-inf)"
                )
        return self.best
