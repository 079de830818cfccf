"""Four decoders: how the source reaches the target.

    HandoverDecoder   as the first state only                 h_t = cell(x_t, h_{t-1})         (Sutskever et al. 2014)
    ContextDecoder    also as one vector fed at every step    h_t = cell([x_t; c], h_{t-1})    (Cho et al. 2014)
    MergeDecoder      as one vector beside the output only    h_t = cell(x_t, h_{t-1})         (Tanti et al. 2018)
    AttentionDecoder  as a context looked up at every step    h_t = cell([x_t; c_t], h_{t-1})  (Bahdanau et al. 2015)

x_t is the embedding of the target token before. All have the same two halves: `forward` walks along any number of steps
and returns features, `logits` scores the next token from them. One step of search is a `forward` over one token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Unpack, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Ids, array_module, like
from minirnn.cells import Cell
from minirnn.errors import InputError
from minirnn.layers import Dropout, Embedding, Linear, Module, Recurrent
from minirnn.layers.attention import Attention, Memory, Normalize, Score
from minirnn.models.decoder_options import Attend, DecoderOptions
from minirnn.models.encoders import Encoding

Hidden = Tensor | tuple[Tensor, ...]


@dataclass
class DecoderState:
    """Where a decoder is in each of its sentences. `hidden` is the recurrent layer's state, each (layers, B, H)."""

    hidden: Hidden
    context: Tensor | None = None  # (B, M): the source in one vector
    memory: Memory | None = None  # what attention looks at
    weights: Tensor | None = None  # (B, S): where it looked last
    feed: Tensor | None = None  # (B, R) or (B, M): the last readout or context, where it is fed back

    def select(self, rows: np.ndarray) -> DecoderState:
        """The state of the given rows of the batch, in that order; a row may be taken several times."""

        def take(x: Tensor) -> Tensor:
            return Tensor(x.data.take(like(np.asarray(rows), x.data), axis=-2))

        arrays = self.hidden if isinstance(self.hidden, tuple) else (self.hidden,)
        context, weights, feed = (None if x is None else take(x) for x in (self.context, self.weights, self.feed))
        memory = None if self.memory is None else self.memory.select(rows)
        return DecoderState(_unwrap(tuple(take(h) for h in arrays)), context, memory, weights, feed)


def _unwrap(arrays: tuple[Tensor, ...]) -> Hidden:
    """(h,) as h, and (h, c) as it is: the two forms a recurrent layer's state has."""
    return arrays if len(arrays) > 1 else arrays[0]


class Decoded(NamedTuple):
    """What a stretch of decoding gives: features (T, B, F), the state after it, where attention looked (T, B, S).

    F is R where there is a readout, else the size of what the decoder's output layer sees: H, and M and the embedding's
    with a deep output.
    """

    features: Tensor
    state: DecoderState
    attention: Tensor | None


class Decoder(Module):
    """What all decoders share: the embedding before the recurrent layer, and the way from features to logits after it.

    Args:
        vocabulary_size: V, the number of target tokens.
        embedding_size: the features of a token.
        hidden_size: H.
        memory_size: M, the features of what comes from the encoder: its `output_size`.
        cell, num_layers, forget_bias, chrono: of the recurrent layer.
        deep_output: whether the next token is scored from [h_t; context; x_t] and not from h_t alone (Pascanu et al.
            2014). A context that reaches the model nowhere else is always there.
        readout_size: R; the features are then r_t = tanh(W_r [h_t; …] + b_r) (Luong et al.'s "attentional vector").
        tied: the output layer's weights are the embedding's (Press & Wolf 2017); R must be the embedding's size.
        dropout, embedding_dropout, output_dropout: between layers, on x_t, and before the output layer.
        rng, dtype: as for every layer.

    Raises:
        InputError: a number or the dtype is out of its range, as `Recurrent`, or the embedding is tied but the features
            have another size.
    """

    sees_memory = True
    """Whether a part of M features comes from the encoder at every step."""

    attends = False
    """Whether it looks at the encoder's outputs."""

    context_in_input = True
    """Whether what comes from the encoder is part of each step's input; else it is always part of the output."""

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        *,
        cell: str | Cell = "gru",
        num_layers: int = 1,
        deep_output: bool = True,
        readout_size: int | None = None,
        tied: bool = False,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        vocabulary_size = integer("vocabulary_size", vocabulary_size)
        embedding_size, hidden_size = integer("embedding_size", embedding_size), integer("hidden_size", hidden_size)
        memory_size = integer("memory_size", memory_size)
        readout_size = None if readout_size is None else integer("readout_size", readout_size)
        rng = backend.generator(rng)
        options: dict[str, Any] = {"rng": rng, "dtype": dtype}
        self.deep_output, self.memory_size = deep_output, memory_size
        self.embedding = Embedding(vocabulary_size, embedding_size, **options)
        self.embedding_dropout = Dropout(embedding_dropout, rng=rng)
        input_size = embedding_size + self._extra_input_size(memory_size, readout_size)
        memory: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono}
        self.recurrent = Recurrent(cell, input_size, hidden_size, num_layers, dropout=dropout, **memory, **options)
        size = hidden_size + (embedding_size if deep_output else 0)
        if self.sees_memory and (deep_output or not self.context_in_input):
            size += memory_size
        self.readout = Linear(size, readout_size, **options) if readout_size else None
        size = readout_size or size
        self.output_dropout = Dropout(output_dropout, rng=rng)
        self.output = Linear(size, vocabulary_size, **options)
        if tied:
            if size != embedding_size:
                raise InputError(f"tied embeddings need a readout of their size, {embedding_size}, not {size} features")
            # As output weights, standard normal rows would give logits far too large.
            self.embedding.weight.data = self.embedding.weight.data * embedding_size**-0.5
            self.output.weight = self.embedding.weight

    def _extra_input_size(self, memory_size: int, readout_size: int | None) -> int:
        """How many features a step's input has beside the embedding."""
        return memory_size if self.sees_memory and self.context_in_input else 0

    def start(self, encoding: Encoding, hidden: tuple[Tensor, ...]) -> DecoderState:
        """The state before the first token, from what the encoder and the bridge say."""
        return DecoderState(_unwrap(hidden))

    def forward(self, ids: Ids, state: DecoderState) -> Decoded:
        """Read target tokens.

        Args:
            ids: (T, B), each the token before the one to be predicted.
            state: where the sentences are.

        Returns:
            T steps' features, from which `logits` scores the next tokens, and the state after them.

        Raises:
            InputError: there are no steps, a shape does not fit, or an id is out of range.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def embed(self, ids: Ids, state: DecoderState) -> Tensor:
        """ids (T, B) to x (T, B, embedding_size). Raises as `forward`."""
        x = self.embedding(ids)
        if x.ndim != 3 or len(x) == 0:
            raise InputError(f"expected target ids of shape (time, batch) with time > 0, not {x.shape[:-1]}")
        h = state.hidden[0] if isinstance(state.hidden, tuple) else state.hidden
        if x.shape[1] != h.shape[1]:
            raise InputError(f"expected target ids of {h.shape[1]} sentences, not of {x.shape[1]}")
        return self.embedding_dropout(x)

    def features(self, h: Tensor, context: Tensor | None, x: Tensor) -> Tensor:
        """What the next token is scored from, for h (…, H), context (…, M) and x (…, embedding_size)."""
        parts = [h]
        if context is not None and (self.deep_output or not self.context_in_input):
            parts.append(context)
        if self.deep_output:
            parts.append(x)
        seen = ops.concatenate(parts, axis=-1) if len(parts) > 1 else h
        return ops.tanh(self.readout(seen)) if self.readout else seen

    def logits(self, features: Tensor) -> Tensor:
        """features (…, F) to scores of the next token (…, V)."""
        return self.output(self.output_dropout(features))


class HandoverDecoder(Decoder):
    """The source is the first state, and nothing else (Sutskever, Vinyals & Le 2014). Arguments as for `Decoder`."""

    sees_memory = False

    def forward(self, ids: Ids, state: DecoderState) -> Decoded:
        """As `Decoder.forward`."""
        x = self.embed(ids, state)
        h, hidden = self.recurrent(x, state.hidden)
        return Decoded(self.features(h, None, x), replace(state, hidden=hidden), None)


class ContextDecoder(Decoder):
    """The encoder's final h, of the top layer, is part of every step's input and output (Cho et al. 2014). Arguments as
    for `Decoder`."""

    def start(self, encoding: Encoding, hidden: tuple[Tensor, ...]) -> DecoderState:
        """As `Decoder.start`, with c = the final h of the top layer, both directions side by side."""
        h, width = encoding.state[0], encoding.outputs.shape[2]
        directions = ops.unstack(h[h.shape[0] - width // h.shape[2] :])
        return DecoderState(_unwrap(hidden), context=ops.concatenate(directions, axis=-1))

    def forward(self, ids: Ids, state: DecoderState) -> Decoded:
        """As `Decoder.forward`."""
        assert state.context is not None
        x = self.embed(ids, state)
        context = ops.broadcast_to(state.context, (len(x), *state.context.shape))
        seen = ops.concatenate([x, context], axis=-1) if self.context_in_input else x
        h, hidden = self.recurrent(seen, state.hidden)
        return Decoded(self.features(h, context, x), replace(state, hidden=hidden), None)


class MergeDecoder(ContextDecoder):
    """The recurrent layer reads the target alone, and never sees the source; both meet in the output (Tanti, Gatt &
    Camilleri 2018). With a readout it has a layer in which they meet. Arguments as for `Decoder`."""

    context_in_input = False


class AttentionDecoder(Decoder):
    """At every step the decoder looks at the source, with its state as the query.

    attend="before" (Bahdanau, Cho & Bengio 2015): the query is h_{t-1}, and the context is part of the step's input:

        c_t = attention(h_{t-1})     h_t = cell([x_t; c_t], h_{t-1})

    attend="after" (Luong, Pham & Manning 2015): the query is h_t, and the context is part of the output alone. With a
    readout and without deep_output this is the paper's model:

        h_t = cell(x_t, h_{t-1})     c_t = attention(h_t)     r_t = tanh(W_r [h_t; c_t] + b_r)

    With input feeding (Luong et al.), the readout of the step before is part of the input too, and the decoder knows
    what was looked at and said:  h_t = cell([x_t; r_{t-1}], h_{t-1}). Without a readout it is the context, c_{t-1}.

    The query is always the h of the top layer.

    Args:
        vocabulary_size, embedding_size, hidden_size, memory_size: as for `Decoder`.
        score, normalize: of the `Attention`.
        attention_size: A, for scores that have it; H by default.
        attend: "before" or "after".
        input_feeding: whether.
        cell, num_layers, deep_output, readout_size, tied, dropout, embedding_dropout, output_dropout, forget_bias,
        chrono, rng, dtype: as for `Decoder`.

    Raises:
        InputError: as `Decoder` and `Attention`, or the place to attend is unknown.
    """

    attends = True

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        *,
        score: str | type[Score] = "additive",
        normalize: Normalize = "softmax",
        attention_size: int | None = None,
        attend: Attend = "before",
        input_feeding: bool = False,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
        **options: Unpack[DecoderOptions],
    ):
        if attend not in get_args(Attend):
            raise InputError(f"unknown place to attend {attend!r}: expected 'before' or 'after'")
        rng = backend.generator(rng)
        self.context_in_input, self.input_feeding = attend == "before", input_feeding
        super().__init__(vocabulary_size, embedding_size, hidden_size, memory_size, rng=rng, dtype=dtype, **options)
        size = hidden_size if attention_size is None else attention_size
        self.attention = Attention(score, hidden_size, memory_size, size, normalize=normalize, rng=rng, dtype=dtype)

    def _extra_input_size(self, memory_size: int, readout_size: int | None) -> int:
        fed = (readout_size or memory_size) if self.input_feeding else 0
        return fed + super()._extra_input_size(memory_size, readout_size)

    def start(self, encoding: Encoding, hidden: tuple[Tensor, ...]) -> DecoderState:
        """As `Decoder.start`, with the memory to look at, and nothing looked at or said yet."""
        S, B, _ = encoding.outputs.shape

        def zeros(n: int) -> Tensor:
            return Tensor(array_module(encoding.outputs.data).zeros((B, n), dtype=encoding.outputs.dtype))

        memory = self.attention.remember(encoding.outputs, encoding.lengths)
        fed = self.readout.weight.shape[0] if self.readout else self.memory_size
        feed = zeros(fed) if self.input_feeding else None
        return DecoderState(_unwrap(hidden), memory=memory, weights=zeros(S), feed=feed)

    def forward(self, ids: Ids, state: DecoderState) -> Decoded:
        """As `Decoder.forward`."""
        assert state.memory is not None
        x = self.embed(ids, state)
        stepper = self.recurrent.stepper(x, state.hidden)
        weights, feed = state.weights, state.feed
        hs, contexts, looks, said = [], [], [], []
        for x_t in ops.unstack(x):
            parts = [x_t] if feed is None else [x_t, feed]
            if self.context_in_input:
                context, weights = self.attention(stepper.output, state.memory, weights)
                h = stepper(ops.concatenate([*parts, context], axis=-1))
            else:
                h = stepper(ops.concatenate(parts, axis=-1))
                context, weights = self.attention(h, state.memory, weights)
            if feed is not None and self.readout:
                feed = self.features(h, context, x_t)
                said.append(feed)
            elif feed is not None:
                feed = context
            hs.append(h)
            contexts.append(context)
            looks.append(weights)
        # What is not fed back need not be computed step by step.
        features = ops.stack(said) if said else self.features(ops.stack(hs), ops.stack(contexts), x)
        after = replace(state, hidden=stepper.state(), weights=weights, feed=feed)
        return Decoded(features, after, ops.stack(looks))
