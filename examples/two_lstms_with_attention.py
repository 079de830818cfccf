"""A model of one's own: one LSTM reads digits, another writes them backwards, looking at what was read.

Prints:

    13,370 parameters
    step   1: loss 2.3...
    step 200: loss 0.0...
    read [3, 1, 4, 1, 5], written [5, 1, 4, 1, 3]
    looked at places [4, 3, 2, 1, 0]
"""

import numpy as np

from minirnn import (
    LSTM,
    Adam,
    Embedding,
    Linear,
    Module,
    Tensor,
    concatenate,
    cross_entropy,
    no_grad,
    softmax,
    transpose,
)

DIGITS, START, LENGTH = 10, 10, 5


class Reverser(Module):
    """Two LSTMs and attention with dot products between them."""

    def __init__(self, hidden_size: int, rng: np.random.Generator):
        self.embedding = Embedding(DIGITS + 1, 16, rng=rng)
        self.reader = LSTM(16, hidden_size, rng=rng)
        self.writer = LSTM(16, hidden_size, rng=rng)
        self.output = Linear(2 * hidden_size, DIGITS, rng=rng)

    def forward(self, source: np.ndarray, inputs: np.ndarray) -> tuple[Tensor, Tensor]:
        """Digits (S, B), and those (T, B) before the ones to be written, to scores (T, B, digits) of what is to be
        written and weights (B, T, S) of what was looked at."""
        read, state = self.reader(self.embedding(source))
        written, _ = self.writer(self.embedding(inputs), state)
        keys, queries = transpose(read, (1, 0, 2)), transpose(written, (1, 0, 2))
        weights = softmax(queries @ transpose(keys, (0, 2, 1)), axis=-1)
        context = transpose(weights @ keys, (1, 0, 2))
        return self.output(concatenate([written, context], axis=-1)), weights


def shifted(targets: np.ndarray) -> np.ndarray:
    """What the writer reads: the start, then each digit but the last."""
    return np.concatenate([np.full((1, targets.shape[1]), START), targets[:-1]])


def write(model: Reverser, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write digit by digit: each is the most probable one, given those before."""
    written = np.zeros((0, source.shape[1]), dtype=np.int64)
    with no_grad():
        for _ in range(len(source)):
            inputs = np.concatenate([np.full((1, source.shape[1]), START), written])
            logits, _ = model(source, inputs)
            written = np.concatenate([written, logits[-1:].argmax(axis=-1)])
        _, weights = model(source, shifted(written))
    return written, weights.argmax(axis=-1)


def main() -> None:
    """Train on random digits, and write five that everybody knows."""
    rng = np.random.default_rng(0)
    model = Reverser(32, rng)
    print(f"{model.num_parameters():,} parameters")
    optimizer = Adam(model.parameters(), learning_rate=0.01)
    for step in range(1, 201):
        source = rng.integers(0, DIGITS, (LENGTH, 32))
        targets = source[::-1]
        logits, _ = model(source, shifted(targets))
        loss = cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (1, 200):
            print(f"step {step:3}: loss {loss:.2f}")

    source = np.array([[3], [1], [4], [1], [5]])
    written, looked = write(model.eval(), source)
    print(f"read {source[:, 0].tolist()}, written {written[:, 0].tolist()}")
    print(f"looked at places {looked[0].tolist()}")


if __name__ == "__main__":
    main()
