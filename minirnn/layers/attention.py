"""Attention: a weighted look at all source positions, where the weights depend on what is being looked for.

    (1)  e_s = score(q, k_s)                         how well source position s fits the query q
    (2)  α_s = exp(e_s) / Σ_s' exp(e_s')             over the real positions only; padding gets exactly 0
    (3)  c   = Σ_s α_s v_s                           the context

The query q is the decoder's h; the values v_s are the encoder's outputs, and so are the keys k_s where a score does not
make its own. What does not depend on the query, such as a projection of the keys, is computed once a sentence
(`Score.keys`) and not at every step. Without softmax α_s = e_s, and 0 on padding.

*Hard* attention (Xu et al. 2015) looks at one position: in training at one drawn with the probabilities α, else at the
most probable. Then c = v_s, and where to look is learned from whether it has helped: see `training.hard_attention`.

To add a score, write a subclass of `Score` with a `name` here; everything else finds it by that. One that is written
elsewhere is given as the class itself, or on the command line as `--score FILE.py:NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.attention import additive_scores, dot_scores, pointed, weighted_sum
from minirnn.autograd.losses import softmax
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, Lengths, array_module, float_dtype, like
from minirnn.cells.checks import lengths_or_all
from minirnn.errors import InputError
from minirnn.layers.basic import Linear, constant, uniform
from minirnn.layers.module import Module

Normalize = Literal["softmax", "none", "hard"]
NORMALIZE: tuple[Normalize, ...] = get_args(Normalize)
"""How scores become weights."""


class Score(Module):
    """How well a query fits each key. For each source position s: e_s = score(q, k_s). Scores without weights compare
    them number by number, so that query and key must have as many features.

    Args:
        query_size: Q, the features of the query.
        memory_size: E, the features of an encoder output.
        attention_size: A, the features of the space in which the two are compared, for scores that have one.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size or the dtype is out of its range, or a score without weights is to compare different sizes.
    """

    name: ClassVar[str] = ""
    """What the score is called on the command line."""

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        attention_size: int,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        Q, E = integer("query_size", query_size), integer("memory_size", memory_size)
        A = integer("attention_size", attention_size)
        self.build(Q, E, A, {"rng": backend.generator(rng), "dtype": float_dtype(dtype)})

    def build(self, Q: int, E: int, A: int, options: dict[str, Any]) -> None:
        """Make the weights. Without any, query and memory must be of the same size."""
        if Q != E:
            raise InputError(f"the {self.name} score compares sizes that must be equal, not {Q} and {E}: try 'general'")

    def keys(self, outputs: Tensor) -> Tensor:
        """The encoder's outputs (B, S, E) made ready to be compared: (B, S, …)."""
        return outputs

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """The scores (B, S) of a query (B, Q), given the keys and the attention weights (B, S) of the step before."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")


class DotScore(Score):
    """e_s = qᵀ k_s (Luong, Pham & Manning 2015)."""

    name = "dot"

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """As `Score.forward`."""
        return dot_scores(query, keys)


class ScaledDotScore(Score):
    """e_s = qᵀ k_s / √Q (Vaswani et al. 2017): for independent features of mean 0 and variance 1 the score
    has variance 1 too."""

    name = "scaled-dot"

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """As `Score.forward`."""
        return dot_scores(query * query.shape[1] ** -0.5, keys)


class GeneralScore(Score):
    """e_s = qᵀ W v_s, a bilinear form (Luong, Pham & Manning 2015). W v_s is the key."""

    name = "general"

    def build(self, Q: int, E: int, A: int, options: dict[str, Any]) -> None:
        """W (Q, E)."""
        self.key = Linear(E, Q, bias=False, **options)

    def keys(self, outputs: Tensor) -> Tensor:
        """W v_s."""
        return self.key(outputs)

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """As `Score.forward`."""
        return dot_scores(query, keys)


class CosineScore(Score):
    """e_s = β qᵀ k_s / (|q| |k_s|) (Graves, Wayne & Danihelka 2014). The cosine alone is at most 1, from which the
    softmax could not make a clear choice, so there is a learned strength β, 5 at first."""

    name = "cosine"

    def build(self, Q: int, E: int, A: int, options: dict[str, Any]) -> None:
        """β, one number."""
        super().build(Q, E, A, options)
        self.strength = constant(5, (1,), options["dtype"])

    @staticmethod
    def _unit(x: Tensor) -> Tensor:
        return x / ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True) + 1e-8)

    def keys(self, outputs: Tensor) -> Tensor:
        """The outputs, scaled to length 1."""
        return self._unit(outputs)

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """As `Score.forward`."""
        return dot_scores(self.strength * self._unit(query), keys)


class AdditiveScore(Score):
    """e_s = wᵀ tanh(W q + U v_s + b), a network with one hidden layer (Bahdanau, Cho & Bengio 2015). U v_s + b is the
    key."""

    name = "additive"

    def build(self, Q: int, E: int, A: int, options: dict[str, Any]) -> None:
        """W (A, Q), U (A, E), b (A,), w (A,)."""
        self.query, self.key = Linear(Q, A, bias=False, **options), Linear(E, A, **options)
        self.w = uniform(options["rng"], A**-0.5, (A,), options["dtype"])

    def keys(self, outputs: Tensor) -> Tensor:
        """U v_s + b."""
        return self.key(outputs)

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """As `Score.forward`."""
        return additive_scores(self.query(query), keys, self.w)


class LocationAwareScore(AdditiveScore):
    """e_s = wᵀ tanh(W q + U v_s + V f_s + b), where f = F * α_{t-1} is a convolution, along the source, of the weights
    of the step before: attention that knows where it has just been (Chorowski et al. 2015). Here F has 8 filters that
    see 5 positions each."""

    name = "location"
    filters, width = 8, 5

    def build(self, Q: int, E: int, A: int, options: dict[str, Any]) -> None:
        """As for the additive score, and F (filters, width), V (A, filters)."""
        super().build(Q, E, A, options)
        self.convolution = Linear(self.width, self.filters, bias=False, **options)
        self.location = Linear(self.filters, A, bias=False, **options)

    def forward(self, query: Tensor, keys: Tensor, previous: Tensor) -> Tensor:
        """As `Score.forward`."""
        require_tensor(previous)
        B, S = previous.shape
        xp, side = array_module(previous.data), self.width // 2
        margin = Tensor(xp.zeros((B, side), dtype=previous.dtype))
        padded = ops.concatenate((margin, previous, margin), axis=1)
        windows = ops.stack([padded[:, i : i + S] for i in range(self.width)], axis=-1)  # (B, S, width)
        return additive_scores(self.query(query), keys + self.location(self.convolution(windows)), self.w)


def _named(base: type[Score]) -> dict[str, type[Score]]:
    found = {base.name: base} if base.name else {}
    for subclass in base.__subclasses__():
        found |= _named(subclass)
    return found


SCORES: dict[str, type[Score]] = _named(Score)
"""The scores by name."""


@dataclass
class Memory:
    """What a decoder can look at: one source sentence for each row of the batch.

    keys (B, S, …), values (B, S, E), mask (B, S) true at real positions, sentence (B,), the number of each row's
    sentence among those that were encoded, and words (B, S), what stands there, if it is of tokens.
    """

    keys: Tensor
    values: Tensor
    mask: Array
    sentence: np.ndarray
    words: Array | None = None

    def select(self, rows: np.ndarray) -> Memory:
        """The memory of the given rows. Where each row only changes its place with another row of the same sentence, as
        in most steps of a beam search, nothing is copied."""
        sentence = self.sentence[rows]
        if np.array_equal(sentence, self.sentence):
            return self
        at = like(np.asarray(rows), self.mask)
        keys, values = Tensor(self.keys.data[at]), Tensor(self.values.data[at])
        words = None if self.words is None else self.words[at]
        return replace(self, keys=keys, values=values, mask=self.mask[at], sentence=sentence, words=words)


class Attention(Module):
    """A score, made to weights, made to a context: equations (1) to (3).

    Args:
        score: the name of a score (`minirnn.SCORES`), or a subclass of `Score`.
        query_size, memory_size, attention_size: Q, E and A; see `Score`.
        normalize: "softmax"; "none": the weights are the scores themselves, 0 on padding, and may be negative; or
            "hard": the weight of one position is 1, and that of the others 0.
        rng, dtype: as for every layer; the positions of hard attention are drawn from `rng` too.

    Raises:
        InputError: the score or the normalisation is unknown, or a size does not fit the score.

        >>> attention = Attention("additive", query_size=4, memory_size=6, attention_size=5, rng=0)
        >>> memory = attention.remember(Tensor(np.zeros((3, 2, 6), np.float32)), lengths=[3, 2])  # of an encoder
        >>> query, previous = Tensor(np.zeros((2, 4), np.float32)), Tensor(np.zeros((2, 3), np.float32))
        >>> context, weights = attention(query, memory, previous)
        >>> context.shape, weights.numpy()[1].tolist()
        ((2, 6), [0.5, 0.5, 0.0])
    """

    def __init__(
        self,
        score: str | type[Score],
        query_size: int,
        memory_size: int,
        attention_size: int,
        *,
        normalize: Normalize = "softmax",
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        kind = SCORES.get(score) if isinstance(score, str) else score
        if not (isinstance(kind, type) and issubclass(kind, Score)):
            raise InputError(f"unknown attention score {score!r}: expected one of {', '.join(SCORES)}")
        if normalize not in NORMALIZE:
            raise InputError(f"unknown normalisation {normalize!r}: expected one of {', '.join(NORMALIZE)}")
        self.rng = backend.generator(rng)
        self.score = kind(query_size, memory_size, attention_size, rng=self.rng, dtype=dtype)
        self.normalize = normalize

    def remember(self, outputs: Tensor, lengths: Lengths | None) -> Memory:
        """Make the encoder's outputs (S, B, E) of sentences of these lengths (B,), None for S, ready to be looked at.

        Raises:
            InputError: the shape or a length does not fit.
            TypeError: the outputs are not a Tensor.
        """
        require_tensor(outputs)
        if outputs.ndim != 3:
            raise InputError(f"expected outputs of shape (time, batch, features), not {outputs.shape}")
        S, B, _ = outputs.shape
        mask = like(np.arange(S) < lengths_or_all(lengths, S, B)[:, None], outputs.data)
        # Sentence by sentence in memory, so that the contexts are products of matrices without gaps.
        values = ops.contiguous(ops.transpose(outputs, (1, 0, 2)))
        return Memory(self.score.keys(values), values, mask, np.arange(B))

    def forward(self, query: Tensor, memory: Memory, previous: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Look.

        Args:
            query: (B, Q).
            memory: what there is to look at.
            previous: (B, S), the weights of the step before, which only the location-aware score reads; None, all 0,
                before the first step.

        Returns:
            The context (B, E) and the weights (B, S).
        """
        if previous is None:
            previous = Tensor(array_module(memory.mask).zeros(memory.mask.shape, dtype=query.dtype))
        hard = self.normalize == "hard"
        scores = self.score(query, memory.keys, previous.detach() if hard else previous)  # (1)
        if self.normalize == "none":
            weights = ops.where(memory.mask, scores, 0.0)
            return weighted_sum(weights, memory.values), weights
        weights = softmax(scores, mask=memory.mask)  # (2): the shares of real words alone add up to 1
        if not hard:
            return weighted_sum(weights, memory.values), weights  # (3)
        weights = pointed(weights, self._choose(weights.data))
        return weighted_sum(weights.detach(), memory.values), weights

    def _choose(self, alpha: Array) -> Array:
        """A position (B,) for each line of probabilities (B, S)."""
        if not self.training:
            return alpha.argmax(axis=1)
        until = alpha.cumsum(axis=1)
        drawn = like(self.rng.random((len(alpha), 1)).astype(alpha.dtype), alpha)
        return (until > drawn * until[:, -1:]).argmax(axis=1)
