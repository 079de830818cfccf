"""Whole encoder-decoder models for `minirnn gradcheck`, by all their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minirnn import functional
from minirnn.autograd.tensor import Tensor
from minirnn.cli.recipes import DOUBLE, Recipe, module_recipe
from minirnn.layers.attention import SCORES
from minirnn.models import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    MergeDecoder,
    PictureEncoder,
    RecurrentEncoder,
    RegionEncoder,
    VideoEncoder,
)
from minirnn.models.encoders import BridgeKind, Encoder
from minirnn.training.translation import attention_regularizer


def translation_recipes() -> Iterator[tuple[str, Recipe]]:
    """Whole encoder-decoder models, by all their parameters: every decoder, attention score and bridge, on padded
    sentences, with the attention's weights and penalty among the outputs."""
    X, X_lengths = np.array([[1, 4, 0], [3, 2, 2], [0, 1, 4], [2, 3, 3]]), np.array([3, 2, 4])
    Y, Y_lengths = np.array([[4, 0, 2], [1, 3, 4], [2, 2, 0]]), np.array([3, 1, 2])

    def outputs(model: EncoderDecoder) -> list[Tensor]:
        features, state, attention = model(X, X_lengths, Y)
        packed = functional.pack(features, Y_lengths)
        found = [model.decoder.logits(packed), *(state.hidden if isinstance(state.hidden, tuple) else ())]
        if attention is not None:
            found += [attention, attention_regularizer(attention, X_lengths, Y_lengths, 0.7)]
        return found

    def named(
        name: str, decoder: Any, cell: str, bridge: BridgeKind, layers: int = 1, tied: bool = False
    ) -> tuple[str, Recipe]:
        def make(rng: np.random.Generator) -> EncoderDecoder:
            options: dict[str, Any] = {"cell": cell, "num_layers": layers, "rng": rng, **DOUBLE}
            both = bridge != "zero"
            encoder = RecurrentEncoder(5, 2, 2 if both else 4, bidirectional=both, reverse=not both, **options)
            return EncoderDecoder(encoder, decoder(5, 2, 4, 4, **options), bridge=bridge, tied=tied, rng=rng, **DOUBLE)

        return f"translation {name}", module_recipe(make, outputs)

    yield named("handover (copy)", HandoverDecoder, "lstm", "copy", layers=2)
    yield named("context (zero, reversed source)", partial(ContextDecoder, deep_output=False), "gru", "zero")
    yield named("context (learned)", ContextDecoder, "gru-after", "learned", layers=2)
    for score in SCORES:
        yield named(f"attention ({score})", partial(AttentionDecoder, score=score), "gru", "learned")
    fed: dict[str, Any] = {"readout_size": 2, "input_feeding": True}
    before = partial(AttentionDecoder, score="location", **fed)
    yield named("attention (before, fed, z0)", before, "lstm", "z0", layers=2)
    after = partial(AttentionDecoder, score="general", attend="after", deep_output=False, tied=True, **fed)
    yield named("attention (after, fed, tied)", after, "rnn", "copy", tied=True)
    plain = partial(AttentionDecoder, score="dot", attend="after", normalize="none", readout_size=3)
    yield named("attention (after, no softmax)", plain, "lstm-peephole", "learned")
    context_fed = partial(AttentionDecoder, attend="after", input_feeding=True)
    yield named("attention (after, context fed)", context_fed, "gru", "learned")
    yield named("merge (zero)", partial(MergeDecoder, readout_size=3), "lstm", "zero")


LIVE = 6.0
"""A bias that keeps what goes into a ReLU above its kink at 0, and with another sign below it."""


def caption_recipes() -> Iterator[tuple[str, Recipe]]:
    """Whole models that caption pictures, regions and videos, by all their parameters."""
    rng = np.random.default_rng(0)
    pictures, regions, frames = (rng.standard_normal(n) for n in ((2, 3, 8, 8), (2, 3, 2), (3, 2, 3, 8, 8)))
    rows, Y = np.array([0, 1, 1]), np.array([[4, 0, 2], [1, 3, 4]])

    def named(
        name: str, encoder: Callable[..., Encoder], decoder: Any, seen: np.ndarray, lengths: Any = None
    ) -> tuple[str, Recipe]:
        def make(rng: np.random.Generator) -> EncoderDecoder:
            options: dict[str, Any] = {"rng": rng, **DOUBLE}
            looking = encoder(**options)
            for at, parameter in looking.named_parameters().items():
                if at.endswith("bias"):
                    parameter.data = np.where(np.arange(parameter.size) % 4 == 3, -LIVE, LIVE)
            return EncoderDecoder(looking, decoder(5, 2, 3, looking.output_size, **options), **options)

        def outputs(model: EncoderDecoder) -> list[Tensor]:
            features, _, attention = model(seen, lengths, Y, rows=rows)
            return [features, *([] if attention is None else [attention])]

        return f"captions {name}", module_recipe(make, outputs)

    after = partial(AttentionDecoder, attend="after", input_feeding=True)
    yield named("attention (picture)", partial(PictureEncoder, 8, 17, filters=2), after, pictures)
    yield named("attention (regions)", partial(RegionEncoder, 3, 2, 17), after, regions)
    yield named("merge (regions)", partial(RegionEncoder, 3, 2, 17), partial(MergeDecoder, readout_size=2), regions)
    yield named("attention (video)", partial(VideoEncoder, 8, 3, 2, filters=2), after, frames, np.array([3, 2]))
