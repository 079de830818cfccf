"""A task small enough to follow by hand: one weight, and a clock that only training moves."""

import math

import numpy as np

from minirnn import SGD, Parameter, Tensor, Trainer
from minirnn.autograd.recording import recording
from minirnn.layers import Module

BATCHES = [(1.0, 3), (2.0, 1), (4.0, 6)]
"""Targets, and how many tokens each stands for."""


class Weight(Module):
    def __init__(self):
        self.w = Parameter(np.zeros(1))


class FollowedTask:
    """Learn w by (w - target)², and report the held-out losses that are given. The state that is carried is the number
    of the step; each step takes 4 seconds of the clock."""

    loss_is_nll = valid_loss_is_nll = True

    def __init__(self, valid=(), batches=BATCHES, clock=None):
        self.model, self.rng, self.num_batches = Weight(), np.random.default_rng(0), len(batches)
        self.given, self.valid, self.clock = batches, iter(valid), clock
        self.seen, self.validated = [], []

    def batches(self, rng):
        return iter(self.given)

    def loss(self, batch, carry, step):
        target, tokens = batch
        self.seen.append((target, None if carry is None else carry.item(), step, self.model.training))
        if self.clock is not None:
            self.clock.now += 4.0
        missed = self.model.w - target
        return (missed * missed).sum(), tokens, Tensor(np.array([float(step)]))

    def validate(self):
        self.validated.append((self.model.training, recording.get()))
        found = next(self.valid, None)
        return found if isinstance(found, dict) else {} if found is None else {"valid_loss": found}


def trainer_of(task, run=None, rate=0.1, **options):
    return Trainer(task, SGD(task.model.named_parameters(), rate), run, **{"progress": False, **options})


def by_hand(epochs, rate=0.1, batches=BATCHES, clip=math.inf, factor=lambda step: 1.0):
    """The mean loss of each epoch, weighted by tokens, and the weight after it."""
    w, step, found = 0.0, 0, []
    for _ in range(epochs):
        total = 0.0
        for target, tokens in batches:
            total += tokens * (w - target) ** 2
            slope = 2 * (w - target)
            w -= rate * factor(step) * slope * min(1.0, clip / abs(slope))
            step += 1
        found.append((total / sum(tokens for _, tokens in batches), w))
    return found
