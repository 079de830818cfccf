"""One long text as batches of short sequences, in the two ways of the textbook (d2l, section 9.3)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minirnn.arguments import integer
from minirnn.errors import InputError

Batch = tuple[np.ndarray, np.ndarray]
"""Inputs and targets, each (num_steps, batch); the target is the input one token later."""


def sequential_batches(
    corpus: np.ndarray, batch_size: int, num_steps: int, rng: np.random.Generator | None = None
) -> Iterator[Batch]:
    """Cut the text into `batch_size` long strips and walk along all of them together.

    Row b of one batch continues row b of the batch before, so the state can be carried from batch to batch.

    Args:
        corpus: (tokens,) ids.
        batch_size, num_steps: B and T of a batch.
        rng: if given, the first up to `num_steps` tokens are skipped at random, so that the cuts differ between epochs.

    Raises:
        InputError: the text is too short for one batch, or a number is below 1.

        >>> inputs, targets = next(sequential_batches(np.arange(9), batch_size=2, num_steps=3))
        >>> inputs.T.tolist(), targets.T.tolist()
        ([[0, 1, 2], [4, 5, 6]], [[1, 2, 3], [5, 6, 7]])
    """
    batch_size, num_steps = _checked(len(corpus), batch_size, num_steps)
    slack = len(corpus) - 1 - batch_size * num_steps
    offset = int(rng.integers(0, min(num_steps, slack + 1))) if rng else 0
    strip = (len(corpus) - offset - 1) // batch_size
    used = offset + strip * batch_size
    inputs = corpus[offset:used].reshape(batch_size, strip).T
    targets = corpus[offset + 1 : used + 1].reshape(batch_size, strip).T
    for start in range(0, strip - num_steps + 1, num_steps):
        yield _ids(inputs[start : start + num_steps]), _ids(targets[start : start + num_steps])


def random_batches(corpus: np.ndarray, batch_size: int, num_steps: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Cut the text into pieces of `num_steps` from a random offset on, and deal them out in random order.

    Neighbours in the text are not neighbours in the batches, so every batch starts from the zero state.

    Args and raises: as `sequential_batches`.
    """
    batch_size, num_steps = _checked(len(corpus), batch_size, num_steps)
    slack = len(corpus) - 1 - batch_size * num_steps
    offset = int(rng.integers(0, min(num_steps, slack + 1)))
    starts = offset + num_steps * rng.permutation((len(corpus) - offset - 1) // num_steps)
    steps = np.arange(num_steps)[:, None]
    for i in range(0, len(starts) - batch_size + 1, batch_size):
        at = starts[i : i + batch_size] + steps
        yield _ids(corpus[at]), _ids(corpus[at + 1])


def num_batches(length: int, batch_size: int, num_steps: int) -> int:
    """How many batches a text of `length` tokens makes, up to one more or less by the random offset.

    Raises:
        InputError: the batch size or the number of steps is below 1.
    """
    batch_size, num_steps = integer("batch_size", batch_size), integer("num_steps", num_steps)
    return max(1, (length - 1) // (batch_size * num_steps))


def _ids(batch: np.ndarray) -> np.ndarray:
    """A batch of a text that may lie in a file, in a type that is too small to compute with, as int64."""
    return batch.astype(np.int64) if batch.dtype.kind == "u" else batch


def _checked(length: int, batch_size: int, num_steps: int) -> tuple[int, int]:
    """The batch size and the number of steps, for which a text of `length` tokens must be long enough."""
    batch_size, num_steps = integer("batch_size", batch_size), integer("num_steps", num_steps)
    needed = batch_size * num_steps + 1
    if length < needed:
        raise InputError(
            f"the text has {length} tokens, one batch of {batch_size} sequences of {num_steps} steps needs {needed}: "
            "take more text, or a smaller batch size or fewer steps"
        )
    return batch_size, num_steps
