"""The keywords that decoders hand on to the class above them, for their signatures: `**options: Unpack[…]`."""

from __future__ import annotations

from typing import Literal, TypedDict

from minirnn.cells import Cell
from minirnn.layers.attention import Score

Attend = Literal["before", "after"]


class DecoderOptions(TypedDict, total=False):
    """The keywords of `Decoder`, without `rng` and `dtype`."""

    cell: str | Cell
    num_layers: int
    deep_output: bool
    readout_size: int | None
    tied: bool
    dropout: float
    embedding_dropout: float
    output_dropout: float
    forget_bias: float | None
    chrono: int | None


class AttentionOptions(DecoderOptions, total=False):
    """The keywords of `AttentionDecoder`, without `normalize`, `rng` and `dtype`."""

    score: str | type[Score]
    attention_size: int | None
    attend: Attend
    input_feeding: bool
