"""A recurrent language model: the probability of the next token given all before it (Mikolov et al. 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd.losses import Reduction, cross_entropy, log_softmax
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import one_hot
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, Ids, Lengths
from minirnn.cells import Cell
from minirnn.errors import InputError
from minirnn.layers import AdaptiveSoftmax, Dropout, Embedding, Linear, Module, Recurrent
from minirnn.layers.recurrent import RecurrentInit

State = Tensor | tuple[Tensor, ...] | None
Softmax = Literal["full", "adaptive"]


class LanguageModel(Module):
    """Token ids in, a score for every possible next token out.

        x_t = one-hot(token_t) or embedding(token_t);   h_t = recurrent(x_t, h_{t-1});   logits_t = W h_t + b

    Args:
        vocabulary_size: V, the number of different tokens.
        hidden_size: H.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        num_layers: how many recurrent layers.
        embedding_size: the features of a learned embedding; None feeds one-hot vectors.
        dropout: on the embedding, between the layers and before the output (Zaremba et al. 2014).
        variational, recurrent_init, forget_bias, chrono: as for `Recurrent`; the variational dropout is everywhere.
        softmax: "full", one over the whole vocabulary; or "adaptive", for large ones, whose tokens must be in the
            order of their frequency: see `AdaptiveSoftmax`.
        cutoffs: where the clusters of the adaptive softmax begin; None for those it has by default.
        rng: a generator or seed, for weights and dropout.
        dtype: float32 or float64.

    Raises:
        InputError: a number or the dtype is out of its range, or as `Recurrent`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        *,
        cell: str | Cell = "lstm",
        num_layers: int = 1,
        embedding_size: int | None = None,
        dropout: float = 0.0,
        variational: bool = False,
        recurrent_init: RecurrentInit = "uniform",
        forget_bias: float | None = None,
        chrono: int | None = None,
        softmax: Softmax = "full",
        cutoffs: Sequence[int] | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.vocabulary_size = vocabulary_size = integer("vocabulary_size", vocabulary_size)
        if softmax not in get_args(Softmax):
            raise InputError(f"unknown softmax {softmax!r}: expected 'full' or 'adaptive'")
        if cutoffs is not None and softmax == "full":
            raise InputError('cutoffs go with softmax="adaptive"')
        size = vocabulary_size if embedding_size is None else integer("embedding_size", embedding_size)
        rng = backend.generator(rng)
        self.embedding = None if embedding_size is None else Embedding(vocabulary_size, size, rng=rng, dtype=dtype)
        self.recurrent = Recurrent(
            cell,
            size,
            hidden_size,
            num_layers,
            dropout=dropout,
            variational=variational,
            recurrent_init=recurrent_init,
            forget_bias=forget_bias,
            chrono=chrono,
            rng=rng,
            dtype=dtype,
        )
        self.dropout = Dropout(dropout, variational=variational, rng=rng)
        made: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.output: Linear | AdaptiveSoftmax
        if softmax == "full":
            self.output = Linear(hidden_size, vocabulary_size, **made)
        else:
            self.output = AdaptiveSoftmax(hidden_size, vocabulary_size, cutoffs, head_bias=True, **made)

    def forward(self, ids: Ids, state: State = None, lengths: Lengths | None = None) -> tuple[Tensor, State]:
        """Score every next token.

        Args:
            ids: (time, batch) integers; host ids are checked.
            state: as for `Recurrent`.
            lengths: (batch,) host integers, for sequences of different lengths.

        Returns:
            The logits (time, batch, V) and the state after the last step. (The logits of an adaptive softmax are the
            logarithms of the probabilities: a softmax of those gives the probabilities, as of any logits.)

        Raises:
            InputError: a shape does not fit, or an id or a length is out of range.
            TypeError: the state is not made of Tensors.
        """
        features, state = self.features(ids, state, lengths)
        return self.output(features), state

    def features(self, ids: Ids, state: State = None, lengths: Lengths | None = None) -> tuple[Tensor, State]:
        """What the next tokens are read off: the last layer's outputs (time, batch, H), and the state after the last
        step. Arguments and errors as for `forward`."""
        if self.embedding is None:
            x = one_hot(ids, self.vocabulary_size, self.parameters()[0].data)
        else:
            x = self.dropout(self.embedding(ids))
        h, state = self.recurrent(x, state, lengths)
        return self.dropout(h), state

    def loss(
        self,
        ids: Ids,
        targets: Ids,
        state: State = None,
        *,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> tuple[Tensor, State]:
        """The negative log-likelihood, in nats, of `targets` after `ids`: `cross_entropy` of the logits, of which an
        adaptive softmax computes only those that it takes.

        Args:
            ids, targets: (time, batch) integers; host ids are checked.
            state: as for `Recurrent`.
            ignore_index, reduction: as for `cross_entropy`.

        Returns:
            The loss and the state after the last step.

        Raises:
            InputError, TypeError: as `forward` and `cross_entropy`.
        """
        features, state = self.features(ids, state)
        options: dict[str, Any] = {"ignore_index": ignore_index, "reduction": reduction}
        if isinstance(self.output, AdaptiveSoftmax):
            return self.output.loss(features, targets, **options), state
        return cross_entropy(self.output(features), targets, **options), state

    def step(self, tokens: Array, state: State) -> tuple[np.ndarray, State]:
        """One step of generation: the function that `minirnn.decoding` walks along.

        Args:
            tokens: (batch,) ids.
            state: the state so far; None at the beginning.

        Returns:
            The log-probabilities (batch, V) of the next token, on the host, and the new state.
        """
        with no_grad():
            logits, state = self(tokens[None], state)
            return backend.to_host(log_softmax(logits).data[0]), state
