"""The model of a run, with the weights of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from minirnn.errors import InputError, TooManyWeightsError
from minirnn.layers import Module
from minirnn.layers.basic import at_most
from minirnn.training import Run

SPARE_WEIGHTS = 1_000_000
AnyModule = TypeVar("AnyModule", bound=Module)


@contextmanager
def believed(run: Run, checkpoint: str) -> Iterator[None]:
    """Let a model be made inside the block as the run.json describes it, as long as the checkpoint has the weights for
    it. (A few more are made and not used, as for embeddings that share those of the output.)

    Raises:
        InputError: the checkpoint has far fewer.
    """

    def limit() -> float:
        weights = run.num_weights(checkpoint)
        return math.inf if weights is None else 2 * weights + SPARE_WEIGHTS

    try:
        with at_most(limit):
            yield
    except TooManyWeightsError as error:
        raise run.damaged(
            f"its {checkpoint} checkpoint has {run.num_weights(checkpoint):,} weights, but {error}"
        ) from error


def load_model(run: Run, build: Callable[[], AnyModule], checkpoint: str = "best") -> AnyModule:
    """The trained model of a run, ready to be used.

    Args:
        run: has the weights.
        build: makes the model that its run.json describes.
        checkpoint: "best" or "last".

    Raises:
        InputError: there is no checkpoint, it is damaged, or it is that of another model.
    """
    with believed(run, checkpoint):
        model = build()
    state = run.model_state(checkpoint)
    try:
        model.load_state_dict(state)
    except InputError as error:
        raise InputError(f"{run.path}: the {checkpoint} checkpoint does not fit its run.json: {error}") from error
    model.eval()
    return model
