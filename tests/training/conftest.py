"""A clock for the training loop."""

from types import SimpleNamespace

import pytest

from minirnn.training import loop


@pytest.fixture
def clock(monkeypatch):
    """In the place of the loop's clock: it stands still until a task moves it on."""
    clock = SimpleNamespace(now=1000.0)
    fake = SimpleNamespace(perf_counter=lambda: clock.now, monotonic=lambda: clock.now)
    monkeypatch.setattr(loop, "time", fake)
    return clock
