"""Models that answer in a dialogue for `minirnn gradcheck`, by all their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.cli.recipes import DOUBLE, Recipe, module_recipe
from minirnn.data.histories import histories
from minirnn.models import AttentionDecoder, ContextDecoder, EncoderDecoder
from minirnn.models.copying import CopyingDecoder
from minirnn.models.history_encoders import FlatEncoder, HierarchicalEncoder


def chat_recipes() -> Iterator[tuple[str, Recipe]]:
    """Every way to read a history, by the features and the attention of three answers, of which two share turns."""
    turns = [np.array(ids) for ids in ([1, 4, 2], [3, 2], [4, 3, 1, 2], [2])]
    source, Y = histories(turns, [[0, 1, 2], [0], [3, 2]]), np.array([[4, 0, 2], [1, 3, 4]])

    def named(name: str, encoder: Callable[..., Any], decoder: Callable[..., Any]) -> tuple[str, Recipe]:
        def make(rng: np.random.Generator) -> EncoderDecoder:
            options: dict[str, Any] = {"rng": rng, **DOUBLE}
            reading = encoder(5, 2, 2, **options)
            return EncoderDecoder(
                reading, decoder(5, 2, 3, reading.output_size, **options), bridge="learned", **options
            )

        def outputs(model: EncoderDecoder) -> list[Tensor]:
            features, _, attention = model(source, None, Y)
            return [features, *([] if attention is None else [attention])]

        return f"chat {name}", module_recipe(make, outputs)

    after = partial(AttentionDecoder, attend="after", input_feeding=True)
    hierarchical = partial(HierarchicalEncoder, context_size=2)
    copying = partial(CopyingDecoder, attend="after", input_feeding=True)
    yield named("attentive", partial(hierarchical, words=True), after)
    yield named("attentive (matching, copying)", partial(hierarchical, words=True, matching=True), copying)
    yield named("hierarchical (matching)", partial(hierarchical, matching=True), ContextDecoder)
    yield named("hierarchical", hierarchical, ContextDecoder)
    yield named("flat", FlatEncoder, after)
