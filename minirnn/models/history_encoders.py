"""From the turns of a dialogue to what a decoder starts from.

    FlatEncoder           all words of the history, one after the other, as if they were one sentence
    HierarchicalEncoder   each turn becomes a vector, and a second recurrent layer runs over the vectors  (HRED)

A history of ten turns has a hundred words, and through all of them a flat encoder has to carry what was said in the
first. In the hierarchy it has ten steps. What it gives up for that is the words: a turn is one vector. So there the
decoder can be let look at the words as well, each beside what was said up to its turn.

Who speaks is part of what is read: the one who is to answer, or the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.sequences import embedding
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Lengths, float_dtype, like
from minirnn.cells import Cell
from minirnn.data.histories import Histories
from minirnn.layers import Dropout, Embedding, Recurrent
from minirnn.models.encoders import Encoder, Encoding, final_state


class HistoryEncoder(Encoder):
    """The base of encoders of histories. A subclass implements `forward(source: Histories) -> Encoding`."""

    embedding: Embedding
    reads_turns = True
    """Whether a turn is read once for all answers that look back on it."""


class FlatEncoder(HistoryEncoder):
    """A recurrent layer in both directions over all words of a history.

        x_j = E w_j + P s_j        of word j, and of who has said it

    Args:
        vocabulary_size, embedding_size: of the words.
        hidden_size: H, of each direction.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        dropout: on the words and on the outputs.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: a number is out of its range, or as `Recurrent`.
    """

    reads_turns = False

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        *,
        cell: str | Cell = "gru",
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": float_dtype(dtype)}
        self.embedding = Embedding(vocabulary_size, embedding_size, **options)
        self.speakers = Embedding(2, embedding_size, **options)
        memory: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono}
        self.recurrent = Recurrent(cell, embedding_size, hidden_size, bidirectional=True, **memory, **options)
        self.dropout = Dropout(dropout, rng=options["rng"])
        self.output_size = 2 * self.recurrent.hidden_size
        self.handed_on = final_state(self.recurrent)

    def forward(self, source: Histories, lengths: Lengths | None = None) -> Encoding:
        """Encode the histories of M answers; the outputs (L, M, 2H) are of their words.

        Raises:
            InputError: an id is out of range.
        """
        ids = source.words[source.word_at, source.turn_at]
        own = np.take_along_axis(source.own, source.place_at, axis=0)
        x = self.dropout(self.embedding(ids) + self.speakers(own.astype(np.int64)))
        outputs, state = self.recurrent(x, lengths=source.num_words)
        handed_on = state if isinstance(state, tuple) else (state,)
        return Encoding(self.dropout(outputs), handed_on, source.num_words, ids)


class HierarchicalEncoder(HistoryEncoder):
    """A recurrent layer over the words of each turn, and one over the turns (Sordoni et al. 2015; Serban et al. 2016).

        v_i     = [→h; ←h]              the last states of both directions over the words of turn i
        c_i     = recurrent([v_i; P s_i], c_{i-1})        over the turns, with who has spoken
        outputs   c_1 … c_S, one for each turn
                  or, to look at words (after Xing et al. 2018), [h_ij; →c_i; ←c_i; E w_ij] of every word j of every
                  turn i, where ←c_i has been to the turns after i first: so it knows what is asked in the latest.
                  The word itself stands beside it because it is what an answer takes up

    Which turn speaks of what the latest one asks for? Of the same things, in the same words. But whether two turns have
    a word in common is a comparison, and in a recurrent state one word is mixed with all others. With `matching` it is
    laid before the layer over the turns: of each turn the words that the latest has too (such a word is an "exact
    match", Chen et al. 2017, who mark them in a text that is asked about), as a bag of words as in memory networks
    (Sukhbaatar et al. 2015):

        b_i     = Σ_j [w_ij is a word of turn S] E w_ij / √n_i        over the n_i words of turn i, in no order
        c_i     = recurrent([v_i; P s_i; b_i], c_{i-1})

    (A product of the two turns' bags, Σ_j E w_ij ∘ Σ_k E w_Sk, has the squares of these words in it, and between them
    the products of any two others. Of two people it then takes the wrong one now and then.)

    Args:
        vocabulary_size, embedding_size: of the words.
        hidden_size: H, of each direction over the words.
        context_size: of the states over the turns.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`), of both.
        words: whether the outputs are of words.
        matching: whether each turn is compared with the latest.
        dropout: on the words, the turns' vectors and the outputs.
        forget_bias, chrono: as for `Recurrent`; of the layer over the turns.
        rng, dtype: as for every layer.

    Raises:
        InputError: a number is out of its range, or as `Recurrent`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        context_size: int,
        *,
        cell: str | Cell = "gru",
        words: bool = False,
        matching: bool = False,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": float_dtype(dtype)}
        self.embedding = Embedding(vocabulary_size, embedding_size, **options)
        self.read = Recurrent(cell, embedding_size, hidden_size, bidirectional=True, **options)
        H = self.read.hidden_size
        self.speakers = Embedding(2, integer("embedding_size", embedding_size), **options)
        memory: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono}
        told = 2 * H + embedding_size * (2 if matching else 1)
        self.context = Recurrent(cell, told, context_size, bidirectional=words, **memory, **options)
        self.dropout = Dropout(dropout, rng=options["rng"])
        self.words, self.matching = words, matching
        self.output_size = self.context.hidden_size * self.context.num_directions
        self.output_size += 2 * H + embedding_size if words else 0
        self.handed_on = final_state(self.context)

    def forward(self, source: Histories, lengths: Lengths | None = None) -> Encoding:
        """Encode the histories of M answers; the outputs are of their turns (S, M, C), or of words (L, M, 2H + 2C + E).

        Raises:
            InputError: an id is out of range.
        """
        embedded = self.embedding(source.words)  # (T, N, E)
        read, state = self.read(self.dropout(embedded), lengths=source.word_lengths)
        h = state[0] if isinstance(state, tuple) else state
        vectors = ops.concatenate(ops.unstack(h), axis=-1)  # (N, 2H)
        told = [embedding(vectors, source.turns), self.speakers(source.own.astype(np.int64))]
        if self.matching:
            told.append(_matches(embedded, source))
        contexts, final = self.context(self.dropout(ops.concatenate(told, axis=-1)), lengths=source.lengths)
        handed_on = final if isinstance(final, tuple) else (final,)
        if not self.words:
            return Encoding(self.dropout(contexts), handed_on, source.lengths)
        T, N, D = read.shape
        S, M, C = contexts.shape
        of_words = embedding(ops.reshape(read, (T * N, D)), source.word_at * N + source.turn_at)
        of_turns = embedding(ops.reshape(contexts, (S * M, C)), source.place_at * M + np.arange(M))
        ids = source.words[source.word_at, source.turn_at]
        themselves = self.embedding(ids)
        outputs = ops.concatenate([of_words, of_turns, themselves], axis=-1)
        return Encoding(self.dropout(_zeroed(outputs, source.num_words)), handed_on, source.num_words, ids)


def _matches(embedded: Tensor, source: Histories) -> Tensor:
    """b_i (S, M, E) of every turn i of the histories, from the embeddings (T, N, E) of their words."""
    (T, N, E), (_, M) = embedded.shape, source.turns.shape
    words = np.where(np.arange(T)[:, None] < source.word_lengths, source.words, -1)
    latest = words[:, source.turns[source.lengths - 1, np.arange(M)]]  # (T, M)
    told = words[:, source.turns]  # (T, S, M)
    common = (told[:, None] == latest[:, None, :]).any(axis=1) & (told >= 0)
    weights = common / np.sqrt(source.word_lengths[source.turns])
    of_turns = embedding(ops.reshape(embedded, (T * N, E)), np.arange(T)[:, None, None] * N + source.turns)
    return ops.sum(of_turns * like(weights[..., None].astype(embedded.dtype), embedded.data), axis=0)


def _zeroed(outputs: Tensor, lengths: np.ndarray) -> Tensor:
    """(L, M, F) with 0 on padding."""
    real = np.arange(len(outputs.data))[:, None, None] < lengths[:, None]
    return ops.where(like(real, outputs.data), outputs, 0.0)
