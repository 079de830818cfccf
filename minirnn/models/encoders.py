"""From a source sentence to what a decoder starts from: the encoder, and the bridge between the two."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, Ids, Lengths, array_module, float_dtype, is_array, like
from minirnn.cells import Cell
from minirnn.cells.checks import lengths_or_all
from minirnn.errors import InputError
from minirnn.layers import Dropout, Embedding, Linear, Module, Recurrent
from minirnn.layers.basic import uniform

BridgeKind = Literal["copy", "learned", "zero", "z0"]
BRIDGES: tuple[BridgeKind, ...] = get_args(BridgeKind)


class Encoding(NamedTuple):
    """What an encoder hands on: its outputs (S, B, E), 0 on padding; for each array of its cell's state the final one,
    (layers · directions, B, H), never taken from padding; and the lengths (B,). What has no cell hands on one array,
    the whole source as a vector. What reads tokens says which ids (S, B) the outputs are of."""

    outputs: Tensor
    state: tuple[Tensor, ...]
    lengths: np.ndarray
    words: Array | None = None

    def repeat(self, rows: np.ndarray) -> Encoding:
        """The encoding of the given rows of the batch, for sources of which each has several targets."""
        if np.array_equal(rows, np.arange(self.outputs.shape[1])):
            return self
        outputs, *state = (ops.getitem(x, (slice(None), rows)) for x in (self.outputs, *self.state))
        words = None if self.words is None else self.words[:, like(rows, self.words)]
        return Encoding(outputs, tuple(state), self.lengths[rows], words)


class HandedOn(NamedTuple):
    """The shape of an `Encoding`'s state: of how many arrays it is made, each (layers · directions, B, H)."""

    num_states: int
    num_layers: int
    num_directions: int
    hidden_size: int


class Encoder(Module):
    """The base of encoders. A subclass sets these attributes and implements `forward(source, lengths) -> Encoding`."""

    output_size: int
    """E, the features of an output."""

    handed_on: HandedOn
    """Of the state that it hands on."""

    embedding: Embedding | None = None
    """Of the source tokens, if it reads tokens."""


def final_state(recurrent: Recurrent) -> HandedOn:
    """Of an encoder that hands on the final state of a recurrent layer."""
    sizes = recurrent.num_layers, recurrent.num_directions, recurrent.hidden_size
    return HandedOn(recurrent.cell.num_states, *sizes)


class RecurrentEncoder(Encoder):
    """An embedding and a recurrent layer (Sutskever, Vinyals & Le 2014; both directions: Bahdanau, Cho & Bengio 2015).

    Args:
        vocabulary_size: the number of source tokens.
        embedding_size: the features of a token.
        hidden_size: H, of each direction.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        num_layers, bidirectional: as for `Recurrent`.
        reverse: read each sentence from its end to its beginning, so that its first words, which the translation needs
            first, are seen last (Sutskever et al. 2014).
        dropout: between the layers.
        embedding_dropout: on the embedding.
        output_dropout: on the outputs that the decoder attends to.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: a number or the dtype is out of its range, or as `Recurrent`.
    """

    embedding: Embedding

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        *,
        cell: str | Cell = "gru",
        num_layers: int = 1,
        bidirectional: bool = False,
        reverse: bool = False,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        vocabulary_size = integer("vocabulary_size", vocabulary_size)
        embedding_size, rng = integer("embedding_size", embedding_size), backend.generator(rng)
        self.embedding = Embedding(vocabulary_size, embedding_size, rng=rng, dtype=dtype)
        self.recurrent = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers,
            bidirectional=bidirectional,
            reverse=reverse,
            dropout=dropout,
            forget_bias=forget_bias,
            chrono=chrono,
            rng=rng,
            dtype=dtype,
        )
        self.embedding_dropout = Dropout(embedding_dropout, rng=rng)
        self.output_dropout = Dropout(output_dropout, rng=rng)
        self.output_size = self.recurrent.hidden_size * self.recurrent.num_directions
        self.handed_on = final_state(self.recurrent)

    def forward(self, ids: Ids, lengths: Lengths | None) -> Encoding:
        """Encode source ids (S, B) of sentences of `lengths` (B,) host integers, None for S.

        Raises:
            InputError: a shape does not fit, or an id or length is out of range.
        """
        x = self.embedding_dropout(self.embedding(ids))
        outputs, state = self.recurrent(x, lengths=lengths)
        arrays = state if isinstance(state, tuple) else (state,)
        real = lengths_or_all(lengths, *outputs.shape[:2])
        return Encoding(self.output_dropout(outputs), arrays, real, ids if is_array(ids) else np.asarray(ids))


class Bridge(Module):
    """From the encoder's final state to the decoder's first, for h and, where both have it, for c.

        "copy"     the state itself; the sizes must agree, where the two directions of a layer count as one side by side
        "learned"  tanh(W h + b), from the top layer to each layer of the decoder (as Bahdanau et al. 2015, who take the
                   backward direction alone)
        "zero"     zero
        "z0"       a learned constant, the same for every sentence: the decoder must look up what it knows of one

    Args:
        kind: one of these four.
        source: what the encoder hands on, or its recurrent layer.
        target: the decoder's recurrent layer.
        rng, dtype: as for every layer.

    Raises:
        InputError: the kind is unknown, the dtype is neither float32 nor float64, or the state cannot be copied because
            the sizes differ.
    """

    def __init__(
        self,
        kind: BridgeKind,
        source: HandedOn | Recurrent,
        target: Recurrent,
        *,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        if kind not in BRIDGES:
            raise InputError(f"unknown bridge {kind!r}: expected one of {', '.join(BRIDGES)}")
        rng, dtype = backend.generator(rng), float_dtype(dtype)
        source = final_state(source) if isinstance(source, Recurrent) else source
        self.kind, self.directions = kind, source.num_directions
        self.num_states, self.num_layers, self.hidden_size = (
            target.cell.num_states,
            target.num_layers,
            target.hidden_size,
        )
        width = source.num_directions * source.hidden_size
        if kind == "copy" and (source.num_layers, width) != (target.num_layers, target.hidden_size):
            raise InputError(
                f"cannot copy the state of {source.num_layers} layer(s) of {width} units in all directions "
                f"to {target.num_layers} of {target.hidden_size}: make the sizes equal, or take the bridge 'learned'"
            )
        rows, H = target.num_layers * target.hidden_size, target.hidden_size
        self.maps: list[Linear] = []
        self.constants: list[Tensor] = []
        if kind == "learned":
            handed_on = min(self.num_states, source.num_states)
            self.maps = [Linear(width, rows, rng=rng, dtype=dtype) for _ in range(handed_on)]
        elif kind == "z0":
            shape = (target.num_layers, 1, H)
            self.constants = [uniform(rng, H**-0.5, shape, dtype) for _ in range(self.num_states)]

    def forward(self, encoding: Encoding) -> tuple[Tensor, ...]:
        """The decoder's first state: for each array of its cell, (layers, B, H)."""
        B, xp = encoding.outputs.shape[1], array_module(encoding.outputs.data)
        shape = (self.num_layers, B, self.hidden_size)
        if self.kind == "copy":
            arrays = [self._by_layer(s) for s in encoding.state]
        elif self.kind == "learned":
            tops = (self._by_layer(s)[-1] for s in encoding.state)
            mapped = (ops.tanh(m(top)) for m, top in zip(self.maps, tops, strict=False))
            arrays = [ops.transpose(ops.reshape(y, (B, *shape[::2])), (1, 0, 2)) for y in mapped]
        else:
            arrays = [ops.broadcast_to(constant, shape) for constant in self.constants]
        missing = self.num_states - len(arrays)  # a cell may carry more than the encoder's has
        zero = Tensor(xp.zeros(shape, dtype=encoding.outputs.dtype))
        return (*arrays[: self.num_states], *[zero] * missing)

    def _by_layer(self, state: Tensor) -> Tensor:
        """(layers · directions, B, H) to (layers, B, directions · H)."""
        rows, B, H = state.shape
        layers = rows // self.directions
        by_direction = ops.reshape(state, (layers, self.directions, B, H))
        return ops.reshape(ops.transpose(by_direction, (0, 2, 1, 3)), (layers, B, self.directions * H))
