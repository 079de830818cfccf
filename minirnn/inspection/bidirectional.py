"""The warning example: a language model that reads in both directions has the answer among its inputs.

A language model gives P(x_{t+1} | x_1 … x_t). If its layer also reads from the right, the state at t has already read
x_{t+1}, and all after it: training only teaches it to pass on what it has seen. Its perplexity falls to nearly 1, and
says nothing, for when text is to be written there is nothing yet on the right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd.losses import cross_entropy, log_softmax
from minirnn.autograd.recording import no_grad
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, to_host
from minirnn.data.batches import random_batches
from minirnn.errors import InputError
from minirnn.layers import Embedding, Linear, Module, Recurrent
from minirnn.metrics import perplexity
from minirnn.training import Adam, clip_grad_norm


class NextToken(Module):
    """Scores for the next token from the output of a recurrent layer, in one direction as it should be, or in both.

    Args:
        vocabulary_size: V.
        hidden_size: the units of each direction.
        bidirectional: whether the layer also reads from the right.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size or the dtype is out of its range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        *,
        bidirectional: bool,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        vocabulary_size = integer("vocabulary_size", vocabulary_size)
        common: dict[str, Any] = {"rng": backend.generator(rng), "dtype": dtype}
        self.embedding = Embedding(vocabulary_size, 32, **common)
        self.recurrent = Recurrent("gru", 32, hidden_size, bidirectional=bidirectional, **common)
        width = self.recurrent.hidden_size * self.recurrent.num_directions
        self.output = Linear(width, vocabulary_size, **common)

    def forward(self, ids: Array) -> Tensor:
        """ids (T, B) to the logits (T, B, V) of what follows each."""
        return self.output(self.recurrent(self.embedding(ids))[0])


def train(
    model: NextToken,
    ids: np.ndarray,
    *,
    steps: int,
    num_steps: int = 50,
    batch_size: int = 32,
    seed: int = 0,
    done: Callable[[], Any] = lambda: None,
) -> np.ndarray:
    """Train as if nothing were wrong; the loss (nats per token) of every step, (steps,).

    Args:
        model: is trained in place.
        ids: (tokens,) the text.
        steps: how many batches, of `batch_size` pieces of `num_steps` tokens.
        seed: of the pieces.
        done: called after each step, for a progress bar.

    Raises:
        InputError: the text is too short, or a number is below 1.
    """
    steps = integer("steps", steps)
    optimizer, rng, losses = Adam(model.named_parameters(), 0.005), np.random.default_rng(seed), np.empty(steps)
    batches = random_batches(ids, batch_size, num_steps, rng)
    for step in range(steps):
        batch = next(batches, None)
        if batch is None:
            batches = random_batches(ids, batch_size, num_steps, rng)
            batch = next(batches)
        loss = cross_entropy(model(batch[0]), batch[1])
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        losses[step] = loss.item()
        done()
    return losses


def perplexity_of_the_past(model: NextToken, ids: np.ndarray, context: int = 50, count: int = 500) -> float:
    """The perplexity of `count` tokens of a text, when the model is given only the `context` tokens before each.

    Raises:
        InputError: the text has no token with so many before it, or a number is below 1.
    """
    context, count = integer("context", context), integer("count", count)
    if len(ids) <= context:
        raise InputError(f"a text of {len(ids)} tokens has none with {context} before it")
    starts = np.linspace(0, len(ids) - context - 1, count).astype(int)
    pieces = ids[starts + np.arange(context)[:, None]]
    with no_grad():
        log_probs = to_host(log_softmax(model(pieces)[-1]).data)
    nll = -log_probs[np.arange(count), ids[starts + context]].astype(np.float64)
    return perplexity(nll.sum(), count)


def write(model: NextToken, prefix: np.ndarray, length: int, rng: np.random.Generator) -> list[int]:
    """Draw tokens one after the other, reading all that is written anew before each. Raises InputError if there is no
    prefix, or the length is below 1."""
    ids = [int(i) for i in prefix]
    if not ids:
        raise InputError("the prefix must have at least one token")
    for _ in range(integer("length", length)):
        with no_grad():
            logits = to_host(log_softmax(model(np.array(ids)[:, None])[-1]).data)[0]
        p = np.exp(logits.astype(np.float64))
        ids.append(int(rng.choice(len(p), p=p / p.sum())))
    return ids[len(prefix) :]
