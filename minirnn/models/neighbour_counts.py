"""A picture model that counts: a pixel's colour given its nearest neighbours among those before it, and nothing else.

Before a pixel, in raster order, are those in the rows above it and those to its left in its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer, number
from minirnn.errors import InputError

MOST_COLOURS = 2**24
"""Three channels of 8 bits; times as many pixels as fit into memory, it is far from the end of int64."""

FOLDS = 10
STRENGTHS = tuple(2.0**power for power in range(-4, 13))
"""Parts of the training pictures that are left out in turn, and what is tried on them; 4096 all but skips an order."""
USUAL_STRENGTH = 8.0  # where there is one picture, and none to leave out


def nearest_earlier(k: int) -> list[tuple[int, int]]:
    """Where the k nearest of the pixels before a pixel are.

    Of pixels at the same Euclidean distance, those in lower rows come first, and in a row those further left: left,
    above, above left, above right, two to the left, two above, and so on.

    Args:
        k: how many, 0 or more.

    Returns:
        (dy, dx) of each: dy < 0, or dy = 0 and dx < 0.

    Raises:
        InputError: k is no count.
    """
    k = integer("k", k, least=0)
    # A circle of radius r has all (dy, dx) with |dy| + |dx| <= r in it, of which r (r + 1) > k come before (0, 0).
    r = math.isqrt(k) + 1
    earlier = [(dy, dx) for dy in range(-r, 1) for dx in range(-r, r + 1) if dy < 0 or dx < 0]
    return sorted(earlier, key=lambda at: (at[0] ** 2 + at[1] ** 2, -at[0], at[1]))[:k]


class _Order(NamedTuple):
    """What is known about pixels with k neighbours; a gram is those, then the pixel.

    Attributes:
        contexts: (contexts,) ascending: number of the first k-1 neighbours, times K + 1, plus the colour of the k-th.
        grams: (grams,) ascending: number of the context, times K, plus the colour of the pixel.
        mass: (grams,) what each gram keeps of the probability, given its context.
        rest: (contexts,) the probability that is left for the order below.
    """

    contexts: np.ndarray
    grams: np.ndarray
    mass: np.ndarray
    rest: np.ndarray


class NeighbourCounts:
    """What `NGram` is for text, for pictures in K colours.

    With s the colours of the k nearest of the pixels before x, s' the same without the farthest, and
    c(s) = Σ_x c(s x) of the training pictures,

        P_k(x | s) = (c(s x) + a_k P_{k-1}(x | s')) / (c(s) + a_k)        (1)
        P_{-1}(x) = 1/K                                                   (2)

    which is P_{k-1}(x | s') for an s that never occurred. It is the mean of x under a Dirichlet prior whose own mean is
    the order below (MacKay and Peto 1995, "A hierarchical Dirichlet language model"): a_k says how many pixels the
    order below is worth. Beyond the edge everything has one more colour, K.

    Where a_k is not given, every tenth picture is left out of the counts in turn, and a_0, a_1, ... are, one after the
    other, those of `STRENGTHS` by which P_k finds what was left out likeliest. Pixels left out one by one would say too
    little about other pictures: those of the same area would still be counted.

    Args:
        pictures: (pictures, height, width) colour ids to count.
        num_colours: K; every id is below it.
        most: the largest k.
        strength: a_k of every order; None chooses each.

    Attributes:
        offsets: where the neighbours are, `nearest_earlier(most)`.
        strengths: a_0 to a_most.

    Raises:
        InputError: the pictures are no such array or have no pixels, an id is out of range, or an argument is.
    """

    def __init__(self, pictures: np.ndarray, num_colours: int, most: int = 16, *, strength: float | None = None):
        self.num_colours = K = integer("num_colours", num_colours)
        if K > MOST_COLOURS:
            raise InputError(f"num_colours must be at most {MOST_COLOURS:,}, not {K:,}")
        self.most = integer("most", most, least=0)
        self.offsets = nearest_earlier(self.most)
        strength = None if strength is None else number("strength", strength, above=0)
        pictures = self._check(pictures)
        if strength is None and len(pictures) == 1:
            strength = USUAL_STRENGTH
        pixels = pictures.ravel()
        fold = np.repeat(np.arange(len(pictures)) % FOLDS, pictures[0].size)
        left_out = np.full(len(pixels), 1 / K)  # P of each pixel by counts without its fold, (2)
        context, size = np.zeros(len(pixels), np.int64), 1
        self.strengths: list[float] = []
        self._orders: list[_Order] = []
        for neighbour in self._neighbours(pictures):
            contexts, context = _numbered(context * (K + 1) + neighbour, size * (K + 1))
            size = len(contexts)
            grams, gram = _numbered(context * K + pixels, size * K)
            counts, owner = np.bincount(gram), grams // K
            total = np.bincount(context)
            if strength is None:
                a, left_out = _chosen(counts, total, owner, gram, fold, left_out)
            else:
                a = strength
            self.strengths.append(a)
            self._orders.append(_Order(contexts, grams, counts / (total[owner] + a), a / (total + a)))

    def __repr__(self) -> str:
        return f"NeighbourCounts({self.num_colours} colours, up to {self.most} neighbours)"

    def _check(self, pictures: np.ndarray) -> np.ndarray:
        pictures = np.asarray(pictures)
        if pictures.ndim != 3 or pictures.dtype.kind not in "iu":
            raise InputError(
                f"expected (pictures, height, width) colour ids, not {pictures.dtype} of shape {pictures.shape}"
            )
        if not pictures.size:
            raise InputError(f"pictures of shape {pictures.shape} have no pixels")
        if not 0 <= pictures.min() <= pictures.max() < self.num_colours:
            raise InputError(f"a colour id is out of range: expected 0 to {self.num_colours - 1}")
        return pictures.astype(np.int64)

    def _neighbours(self, pictures: np.ndarray) -> Iterator[np.ndarray]:
        """For every order what its contexts have more than those below: (pixels,) ids of the k-th neighbours.

        Order 0 has nothing more than nothing, which is written 0.
        """
        K, (N, H, W) = self.num_colours, pictures.shape
        reach = max((max(-dy, abs(dx)) for dy, dx in self.offsets), default=0)
        padded = np.full((N, H + reach, W + 2 * reach), K, np.min_scalar_type(K))
        padded[:, reach:, reach : reach + W] = pictures
        yield np.zeros(pictures.size, np.int64)
        for dy, dx in self.offsets:
            yield padded[:, reach + dy : reach + dy + H, reach + dx : reach + dx + W].ravel()

    def nats(self, pictures: np.ndarray) -> np.ndarray:
        """-ln of the probability of each picture, with no neighbours up to `most` of them.

        Args:
            pictures: (pictures, height, width) colour ids; the size need not be that of the training pictures.

        Returns:
            (most + 1, pictures) float64.

        Raises:
            InputError: the pictures are no such array or have no pixels, or an id is out of range.
        """
        pictures, K = self._check(pictures), self.num_colours
        pixels = pictures.ravel()
        probs = np.full(len(pixels), 1 / K)  # (2)
        context = np.zeros(len(pixels), np.int64)
        nats = np.empty((self.most + 1, len(pictures)))
        for k, neighbour in enumerate(self._neighbours(pictures)):
            contexts, grams, mass, rest = self._orders[k]
            # What follows an unseen context, -1, has a key below 0, and is unseen as well.
            context = _find(contexts, context * (K + 1) + neighbour)
            gram = _find(grams, context * K + pixels)
            kept = np.where(gram >= 0, mass[gram], 0.0)
            probs = np.where(context >= 0, kept + rest[context] * probs, probs)  # (1)
            nats[k] = -np.log(probs).reshape(len(pictures), -1).sum(axis=1)
        return nats


def _numbered(keys: np.ndarray, bound: int) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of some numbers below `bound`, ascending, and which of them each is.

    `np.unique` sorts, which takes 25 times as long as a table where one fits.
    """
    if bound > 4 * len(keys):
        return np.unique(keys, return_inverse=True)
    seen = np.zeros(bound, bool)
    seen[keys] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[keys]


def _find(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which of the ascending `keys` each number is; -1 for none."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def _chosen(
    counts: np.ndarray, total: np.ndarray, owner: np.ndarray, gram: np.ndarray, fold: np.ndarray, below: np.ndarray
) -> tuple[float, np.ndarray]:
    """The strength of an order by which the pixels that are left out of the counts are likeliest.

    Args:
        counts: (grams,) c(s x).
        total: (contexts,) c(s).
        owner: (grams,) the context of each.
        gram: (pixels,) which gram each is.
        fold: (pixels,) with which others each is left out.
        below: (pixels,) what the order below makes of each, its fold left out.

    Returns:
        The strength, and (pixels,) what this order then makes of each pixel.
    """
    # All the pixels of one gram and one fold are alike.
    pairs, pair = _numbered(fold * len(counts) + gram, FOLDS * len(counts))
    inside = np.bincount(pair)
    folds, grams = np.divmod(pairs, len(counts))
    contexts = owner[grams]
    _, place = _numbered(folds * len(total) + contexts, FOLDS * len(total))
    kept = counts[grams] - inside
    divisor = total[contexts] - np.bincount(place, inside)[place]
    lower = np.empty(len(pairs))
    lower[pair] = below

    def left_out(a: float) -> np.ndarray:
        return (kept + a * lower) / (divisor + a)  # (1)

    best = min(STRENGTHS, key=lambda a: -float(inside @ np.log(left_out(a))))
    return best, left_out(best)[pair]
