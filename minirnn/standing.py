"""What is prepared from weights, and kept while they stand still.

Kernels multiply by matrices that are laid down in an order of their own. In training a weight is another after each
step, and is laid down anew. In a search it is the same from the first token to the last, however many steps that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from minirnn.backend import Array

Made = TypeVar("Made")

_kept: ContextVar[dict[Hashable, tuple[Any, Any]] | None] = ContextVar("kept", default=None)


@contextmanager
def weights_stand() -> Iterator[None]:
    """A block in which no weight changes."""
    before = _kept.set({} if (kept := _kept.get()) is None else kept)
    try:
        yield
    finally:
        _kept.reset(before)


def they_stand() -> bool:
    """Whether this is such a block."""
    return _kept.get() is not None


def prepared(make: Callable[[], Made], kind: Hashable, weights: Sequence[Array]) -> Made:
    """What `make` makes of some weights; in a block in which they stand, what it made of them before.

    Args:
        make: makes it.
        kind: what is made, so that it is not taken for something else that is made of the same weights.
        weights: what it is made of.
    """
    kept = _kept.get()
    if kept is None:
        return make()
    key = kind, *((w.__array_interface__["data"], w.shape, w.strides, w.dtype.str) for w in weights)
    if key not in kept:
        kept[key] = make(), weights  # which nothing else can take the place of in memory, as long as it is there
    made, _ = kept[key]
    return made
