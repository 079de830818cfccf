"""The cases of `minirnn gradcheck` with an adaptive softmax."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from minirnn.cli.recipes import DOUBLE, Recipe, module_recipe, normal
from minirnn.layers import AdaptiveSoftmax


def adaptive_softmax_recipes() -> Iterator[tuple[str, Recipe]]:
    """All probabilities of an adaptive softmax, and its loss, wherever the targets are."""

    def make(rng: np.random.Generator) -> AdaptiveSoftmax:
        return AdaptiveSoftmax(4, 9, [2, 5], 2.0, True, rng=rng, **DOUBLE)

    yield "layer AdaptiveSoftmax", module_recipe(make, x=normal(5, 4))
    losses: dict[str, tuple[list[int], dict[str, Any]]] = {
        "everywhere": ([0, 8, 2, 1, 4], {"reduction": "none"}),
        "a cluster without": ([1, 7, 0, 8, 0], {}),
        "all in one cluster": ([5, 8, 7, 5, 6], {"reduction": "sum"}),
        "shortlist alone": ([1, 0, 1, 1, 0], {}),
        "ignored": ([3, 0, 3, 8, 2], {"ignore_index": 3}),
        "a batch of one": ([7], {"reduction": "none"}),
    }
    for label, (targets, options) in losses.items():
        loss = partial(AdaptiveSoftmax.loss, targets=np.array(targets), **options)
        yield f"layer AdaptiveSoftmax ({label})", module_recipe(make, loss, x=normal(len(targets), 4))
