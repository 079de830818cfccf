"""A decoder that writes words of its own, or takes them over from what it looks at."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.autograd import ops
from minirnn.autograd.losses import softmax
from minirnn.autograd.sequences import check_ids, sum_by_id
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Ids, like
from minirnn.errors import InputError
from minirnn.layers import Linear
from minirnn.layers.attention import Normalize
from minirnn.models.decoder_options import AttentionOptions
from minirnn.models.decoders import AttentionDecoder, Decoded, DecoderState
from minirnn.models.encoders import Encoding

SMALLEST = 1e-30
"""Added to a probability, whose logarithm is taken."""


class CopyingDecoder(AttentionDecoder):
    """A pointer-generator (See, Liu & Manning 2017): at every step it either writes, as other decoders, or points.

        g_t           = σ(u · f_t + b)                     how far it writes, from the features f_t
        p_t(w)        = g_t softmax(W f_t + b)_w  +  (1 - g_t) Σ_{s: w_s = w} α_ts

    where w_s is the word at place s of the source, and α_ts how much it is looked at. Where to look is then learned
    from the words themselves: whoever looks at the wrong one writes the wrong one. Source and target need one
    vocabulary.

    Args:
        vocabulary_size, embedding_size, hidden_size, memory_size: as for `Decoder`; the vocabulary is the source's too.
        normalize: "softmax", because it takes attention for probabilities.
        score, attention_size, attend, input_feeding: as for `AttentionDecoder`.
        cell, num_layers, deep_output, readout_size, tied, dropout, embedding_dropout, output_dropout, forget_bias,
        chrono, rng, dtype: as for `Decoder`.

    Raises:
        InputError: as `AttentionDecoder`, or the attention is not normalised.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        memory_size: int,
        *,
        normalize: Normalize = "softmax",
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
        **options: Unpack[AttentionOptions],
    ):
        if normalize != "softmax":
            raise InputError("a decoder that copies takes attention for probabilities: it needs normalize='softmax'")
        rng = backend.generator(rng)
        sizes = (vocabulary_size, embedding_size, hidden_size, memory_size)
        super().__init__(*sizes, rng=rng, dtype=dtype, **options)
        self.writes = Linear(self.output.weight.shape[1], 1, rng=rng, dtype=dtype)

    def start(self, encoding: Encoding, hidden: tuple[Tensor, ...]) -> DecoderState:
        """As `Decoder.start`, with the words that can be taken over.

        Raises:
            InputError: the encoder's outputs are not of words.
        """
        if encoding.words is None:
            raise InputError("a decoder that copies needs an encoder whose outputs are of words")
        state = super().start(encoding, hidden)
        assert state.memory is not None
        words = check_ids(encoding.words, self.output.weight.shape[0], "id of a source word")
        state.memory.words = like(words, encoding.outputs.data).T
        return state

    def forward(self, ids: Ids, state: DecoderState) -> Decoded:
        """As `Decoder.forward`. Behind the F features stand the V probabilities of the words that are looked at."""
        features, after, attention = super().forward(ids, state)
        assert state.memory is not None
        assert state.memory.words is not None
        assert attention is not None
        pointed = sum_by_id(attention, state.memory.words, self.output.weight.shape[0])
        return Decoded(ops.concatenate([features, pointed], axis=-1), after, attention)

    def logits(self, features: Tensor) -> Tensor:
        """features (…, F + V) to scores of the next token (…, V), which here are log-probabilities."""
        size = self.output.weight.shape[1]
        seen = self.output_dropout(features[..., :size])
        written = softmax(self.output(seen))
        g = ops.sigmoid(self.writes(seen))
        return ops.log(g * written + (1 - g) * features[..., size:] + SMALLEST)
