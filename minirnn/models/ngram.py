"""Language models that count: the next token given the last n-1, and nothing before them."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from minirnn.arguments import integer, number
from minirnn.errors import InputError

Smoothing = Literal["kneser-ney", "witten-bell", "additive"]
SMOOTHINGS: tuple[Smoothing, ...] = get_args(Smoothing)
PIECE = 2**18
"""Tokens of a text that are scored at once."""
USUAL_DISCOUNT = 0.75  # where the counts of counts cannot say


class _Order(NamedTuple):
    """What is known about the grams of k tokens, all in the order of their ids.

    Attributes:
        keys: (grams,) ascending: id of the first k-1 tokens, times V, plus the last token.
        mass: (grams,) what each gram keeps of the probability, given its first k-1 tokens.
        first: (contexts + 1,) the grams that begin with context c are `first[c]` to `first[c + 1]`.
        rest: (contexts,) the probability that is left for the order below.
    """

    keys: np.ndarray
    mass: np.ndarray
    first: np.ndarray
    rest: np.ndarray


class NGram:
    """A Markov model of order n-1 over token ids.

    With h the last k-1 tokens, h' the same without the oldest, and c(h·) = Σ_w c(hw), every smoothing is

        P_k(w | h) = mass(hw) + rest(h) P_{k-1}(w | h')        (1)
        P_0(w) = 1/V                                           (2)

    and P_k(w | h) = P_{k-1}(w | h') for an h that never occurred. The smoothings differ in the two terms:

        kneser-ney   mass = max(c(hw) - D, 0) / c(h·)          (3)   rest = D N(h) / c(h·)
        witten-bell  mass = c(hw) / (c(h·) + N(h))             (4)   rest = N(h) / (c(h·) + N(h))
        additive     mass = c(hw) / (c(h·) + αV)               (5)   rest = αV / (c(h·) + αV), and then 1/V at once

    where N(h) is how many different tokens follow h. Kneser-Ney counts, below the highest order, not how often hw
    occurs but after how many different tokens: "Francisco" is frequent, but follows only "San". Its discount of each
    order is D = n1 / (n1 + 2 n2), with n1 and n2 the number of grams counted once and twice (Kneser and Ney 1995;
    interpolated as in Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling").

    A gram is a number: the place of (number of its first k-1 tokens, last token) in a sorted list. That is a trie laid
    out in arrays, and looking up all the grams of a text is one binary search an order.

    Args:
        ids: (tokens,) the text to count.
        vocabulary_size: V; every id is below it.
        n: the longest gram.
        smoothing: one of `SMOOTHINGS`.
        alpha: of the additive smoothing (1 is Laplace's).
        discount: D of every order, in [0, 1]; None estimates it.

    Raises:
        InputError: the text is shorter than n tokens, an id is out of range, or an argument is.
    """

    def __init__(
        self,
        ids: np.ndarray,
        vocabulary_size: int,
        n: int,
        *,
        smoothing: Smoothing = "kneser-ney",
        alpha: float = 1.0,
        discount: float | None = None,
    ):
        if smoothing not in SMOOTHINGS:
            raise InputError(f"unknown smoothing {smoothing!r}: expected one of {', '.join(SMOOTHINGS)}")
        self.vocabulary_size = vocabulary_size = integer("vocabulary_size", vocabulary_size)
        self.n = n = integer("n", n)
        self.smoothing, self.alpha = smoothing, number("alpha", alpha, above=0)
        discount = None if discount is None else number("discount", discount, least=0, most=1)
        ids = self._check(ids)
        if len(ids) < n:
            raise InputError(f"a text of {len(ids)} tokens has no {n}-gram: choose a smaller n or a longer text")
        keys, counts, suffixes = _count(ids, vocabulary_size, n)
        if smoothing == "kneser-ney":
            for k in range(n - 1):
                counts[k] = np.bincount(suffixes[k + 1], minlength=len(keys[k]))
        self._orders = []
        for k in range(n):
            contexts = len(keys[k - 1]) if k else 1
            self._orders.append(self._smooth(keys[k], counts[k], contexts, discount))

    def __repr__(self) -> str:
        return f"NGram(n={self.n}, {self.smoothing!r}, of {self.vocabulary_size:,} tokens)"

    def _check(self, ids: np.ndarray) -> np.ndarray:
        ids = np.asarray(ids)
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise InputError(f"expected (tokens,) ids, not {ids.dtype} of shape {ids.shape}")
        if ids.size and not 0 <= ids.min() <= ids.max() < self.vocabulary_size:
            raise InputError(f"an id is out of range: expected 0 to {self.vocabulary_size - 1}")
        return ids.astype(np.int64)

    def _smooth(self, keys: np.ndarray, counts: np.ndarray, contexts: int, discount: float | None) -> _Order:
        owner, counts = keys // self.vocabulary_size, counts.astype(np.float64)
        total = np.bincount(owner, counts, minlength=contexts)
        followers = np.bincount(owner, counts > 0, minlength=contexts)
        kept: np.ndarray
        left: np.ndarray
        divisor: np.ndarray
        if self.smoothing == "kneser-ney":
            D = _discount(counts) if discount is None else discount
            kept, left, divisor = np.maximum(counts - D, 0.0), D * followers, total  # (3)
        elif self.smoothing == "witten-bell":
            kept, left, divisor = counts, followers, total + followers  # (4)
        else:
            pseudo = self.alpha * self.vocabulary_size
            kept, left, divisor = counts, np.full(contexts, pseudo), total + pseudo  # (5)
        # A context without followers, such as the end of the text, leaves everything to the order below.
        seen = total > 0
        divisor = np.where(seen, divisor, 1.0)
        first = np.searchsorted(owner, np.arange(contexts + 1))
        return _Order(keys, kept / divisor[owner], first, np.where(seen, left / divisor, 1.0))

    def _find(self, order: int, context: np.ndarray, token: np.ndarray) -> np.ndarray:
        """The number of the gram `context`, then `token`, of `order` + 1 tokens; -1 if it never occurred."""
        keys = self._orders[order].keys
        key = context * self.vocabulary_size + token
        place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        return np.where((context >= 0) & (token >= 0) & (keys[place] == key), place, -1)

    def _used(self, order: int) -> bool:
        """Whether (1) has a term of this order: additive smoothing goes from the highest straight to 1/V."""
        return self.smoothing != "additive" or order == self.n - 1

    def score(self, ids: np.ndarray) -> np.ndarray:
        """The log-probability (nats) of every token of a text but the first, given those before it.

        Args:
            ids: (tokens,).

        Returns:
            (tokens - 1,) float64.
        """
        ids = self._check(ids)
        probs = np.full(len(ids), 1 / self.vocabulary_size)  # (2)
        context = np.zeros(len(ids), np.int64)  # the number of the `order` tokens before each
        for order, (_, mass, _, rest) in enumerate(self._orders):
            gram = self._find(order, context, ids)
            if self._used(order):
                kept = np.where(gram >= 0, mass[gram], 0.0)
                probs = np.where(context >= 0, kept + rest[context] * probs, probs)  # (1)
            context = np.concatenate([[-1], gram[:-1]])
        with np.errstate(divide="ignore"):  # a discount of 0 leaves nothing to what was never seen
            return np.log(probs[1:])

    def perplexity(self, ids: np.ndarray) -> float:
        """exp of the mean negative log-probability of all tokens but the first.

        Raises:
            InputError: there are fewer than two tokens.
        """
        if np.size(ids) < 2:
            raise InputError("a perplexity needs at least two tokens")
        # A piece at a time, for the search needs a hundred times the memory of the text; each with the n-1 tokens
        # before it, on which its first probability depends. (There is always one, which is not scored.)
        total = 0.0
        for start in range(1, len(ids), PIECE):
            before = min(max(self.n - 1, 1), start)
            total += self.score(ids[start - before : start + PIECE])[before - 1 :].sum()
        return float(np.exp(-total / (len(ids) - 1)))

    def start(self, rows: int) -> np.ndarray:
        """The state before any token: (rows, n-1), nothing but -1. Raises InputError if `rows` is no count."""
        return np.full((integer("rows", rows, least=0), self.n - 1), -1, np.int64)

    def advance(self, tokens: np.ndarray, state: np.ndarray | None) -> np.ndarray:
        """The state after reading a token.

        The state is the longest end of what was read, of at most n-1 tokens, that occurred in the counted text; -1
        stands where it is shorter. Older tokens change no probability, now or later: if they made a longer gram with
        what is still to come, they would have occurred together with what is there already.

        Args:
            tokens: (rows,) ids.
            state: (rows, n-1), the oldest token first; None at the beginning.
        """
        tokens = self._check(tokens)
        state = self.start(len(tokens)) if state is None else state
        state = np.concatenate([state, tokens[:, None]], axis=1)[:, 1:] if self.n > 1 else state
        longest = np.zeros(len(tokens), np.int64)
        for length in range(1, self.n):
            longest = np.where(self._context(state, length) >= 0, length, longest)
        return np.where(np.arange(self.n - 1) >= self.n - 1 - longest[:, None], state, -1)

    def _context(self, state: np.ndarray, length: int) -> np.ndarray:
        """The number of the last `length` tokens of each row, or -1."""
        context = np.zeros(len(state), np.int64)
        for i in range(length):
            context = self._find(i, context, state[:, self.n - 1 - length + i])
        return context

    def log_probs(self, state: np.ndarray) -> np.ndarray:
        """The log-probabilities (rows, V) of the next token, float64, after the states (rows, n-1)."""
        V = self.vocabulary_size
        probs = np.full((len(state), V), 1 / V)  # (2)
        for order, (keys, mass, first, rest) in enumerate(self._orders):
            if not self._used(order):
                continue
            context = self._context(state, order)
            rows = np.flatnonzero(context >= 0)
            known = context[rows]
            probs[rows] *= rest[known, None]
            count = first[known + 1] - first[known]
            # The grams of all the rows one after the other: each row's run of `count` numbers begins at first[known].
            grams = np.arange(count.sum()) + np.repeat(first[known] - np.cumsum(count) + count, count)
            probs[np.repeat(rows, count), keys[grams] % V] += mass[grams]  # (1)
        with np.errstate(divide="ignore"):
            return np.log(probs)

    def step(self, tokens: np.ndarray, state: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """What `minirnn.decoding` walks along: ids (rows,) to log-probabilities (rows, V), and the state."""
        state = self.advance(tokens, state)
        return self.log_probs(state), state


def _count(ids: np.ndarray, V: int, n: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """For every order the keys of its grams, how often each occurs, and which gram it is without its first token."""
    keys, counts, suffixes = [], [], []
    gram: np.ndarray = np.zeros(len(ids) + 1, np.int64)  # the gram that ends before each token
    for k in range(n):
        shorter = gram[1:]
        found, number, count = np.unique(gram[:-1] * V + ids[k:], return_inverse=True, return_counts=True)
        suffix = np.zeros(len(found), np.int64)
        suffix[number] = shorter
        keys.append(found)
        counts.append(count)
        suffixes.append(suffix)
        gram = number
    return keys, counts, suffixes


def _discount(counts: np.ndarray) -> float:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return once / (once + 2 * twice) if once and twice else USUAL_DISCOUNT
