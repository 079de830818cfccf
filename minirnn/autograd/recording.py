"""Whether operations go on the tape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

recording: ContextVar[bool] = ContextVar("recording", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this block operations compute but record nothing. Also usable as a decorator."""
    token = recording.set(False)
    try:
        yield
    finally:
        recording.reset(token)
