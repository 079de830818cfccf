"""What the training loop needs to know of a task, and where in a run it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.layers import Module

Carry = tuple[Tensor, ...] | Tensor | None


class Task(Protocol):
    """What the loop needs to know of a task."""

    @property
    def model(self) -> Module:
        """What is trained."""

    rng: np.random.Generator
    """What the model draws from during training (its dropout)."""

    num_batches: int
    """About how many batches an epoch has, for the progress bar."""

    loss_is_nll: bool
    """Whether the training loss is the plain negative log-likelihood, so that its exponential is a perplexity."""

    valid_loss_is_nll: bool
    """Whether that is so of the held-out loss."""

    def batches(self, rng: np.random.Generator) -> Iterator[Any]:
        """The batches of one epoch; all chance comes from `rng`."""

    def loss(self, batch: Any, carry: Carry, step: int) -> tuple[Tensor, int, Carry]:
        """The mean loss of a batch, over how many tokens (or whatever a `Counting` task counts), and the state to carry
        to the next batch (detached). `step` says how many steps were done before."""

    def validate(self) -> dict[str, float]:
        """Measures of the held-out data for a row of the metrics: `valid_loss`, by which the best weights are chosen,
        and perhaps more. Empty if nothing is held out."""


@runtime_checkable
class Keeping(Protocol):
    """A task with numbers of its own that go on from step to step, as part of the checkpoint, and something to tell
    beside the loss."""

    @property
    def kept(self) -> dict[str, float]:
        """The numbers, to be changed in place."""

    def doing(self) -> list[str]:
        """What the progress bar says after the loss, one thing or more or none."""


@runtime_checkable
class Counting(Protocol):
    """A task whose loss is not in nats per token."""

    counted: str
    """What the second of what `loss` returns counts: "pixels"."""

    loss_unit: str
    """What the loss is measured in: "nats per pixel"."""


def counted(task: Task) -> str:
    """What the batches of a task are counted in: tokens, unless it says something else."""
    return task.counted if isinstance(task, Counting) else "tokens"


def loss_unit(task: Task) -> str:
    """What the loss of a task is measured in: nats per token, unless it says something else."""
    return task.loss_unit if isinstance(task, Counting) else "nats per token"


@dataclass
class Place:
    """Where in a run we are, and what has been summed up in this epoch."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    nll: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    rng: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what stands in a file and is no place.

        Raises:
            ValueError: it is none.
        """
        for name in ("epoch", "batch", "step", "tokens"):
            if type(n := getattr(self, name)) is not int or not 0 <= n < 2**63:
                raise ValueError(f"{name} is no count: {n!r}")
        for name in ("nll", "seconds", "best"):
            if type(x := getattr(self, name)) not in (int, float) or math.isnan(x):
                raise ValueError(f"{name} is no number: {x!r}")
        if not (math.isfinite(self.nll) and 0 <= self.seconds < math.inf):
            raise ValueError(f"nll is {self.nll!r}, seconds {self.seconds!r}")
        if not isinstance(self.rng, dict):
            raise ValueError(f"rng is no state of a generator: {self.rng!r}")
