"""Classify sequences of different lengths: the layer is told the lengths, and what is padding changes nothing.

Prints:

    200 sequences of 3 to 11 characters, padded to (11, 200)
    epoch  1: accuracy 0...
    epoch 60: accuracy 1.00
    aaaab has more a
    abbbabb has more b
    more padding changes nothing: True
"""

from collections.abc import Sequence

import numpy as np

from minirnn import GRU, Adam, Embedding, Linear, Module, Tensor, Vocabulary, cross_entropy, no_grad

PADDING = "-"
VOCABULARY = Vocabulary([PADDING, "a", "b"])


class Majority(Module):
    """Are there more of the one or of the other? Read off the state after the last real step."""

    def __init__(self, hidden_size: int, rng: np.random.Generator):
        self.embedding = Embedding(len(VOCABULARY), 8, rng=rng)
        self.gru = GRU(8, hidden_size, rng=rng)
        self.output = Linear(hidden_size, 2, rng=rng)

    def forward(self, ids: np.ndarray, lengths: np.ndarray) -> Tensor:
        """Ids (time, batch) and lengths (batch,) to scores (batch, 2)."""
        _, h = self.gru(self.embedding(ids), lengths=lengths)
        return self.output(h[-1])


def padded(texts: Sequence[str], longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts as ids (longest, batch), and their lengths (batch,)."""
    rows = [VOCABULARY.encode(text.ljust(longest, PADDING)) for text in texts]
    return np.stack(rows, axis=1), np.array([len(text) for text in texts])


def random_texts(count: int, rng: np.random.Generator) -> list[str]:
    """Texts of 3, 5, … or 11 characters, so that there is a majority."""
    return ["".join(rng.choice(["a", "b"], size=2 * int(rng.integers(1, 6)) + 1)) for _ in range(count)]


def main() -> None:
    """Train on random texts, and classify two."""
    rng = np.random.default_rng(0)
    texts = random_texts(200, rng)
    ids, lengths = padded(texts, 11)
    labels = np.array([text.count("b") > text.count("a") for text in texts]).astype(int)
    print(f"{len(texts)} sequences of {lengths.min()} to {lengths.max()} characters, padded to {ids.shape}")

    model = Majority(16, rng)
    optimizer = Adam(model.parameters(), learning_rate=0.02)
    for epoch in range(1, 61):
        logits = model(ids, lengths)
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch in (1, 60):
            print(f"epoch {epoch:2}: accuracy {(logits.argmax(axis=-1) == labels).mean():.2f}")

    model.eval()
    few = ["aaaab", "abbbabb"]
    with no_grad():
        scores, with_more_padding = model(*padded(few, 7)), model(*padded(few, 50))
    for text, label in zip(few, scores.argmax(axis=-1), strict=True):
        print(f"{text} has more {'ab'[label]}")
    print(f"more padding changes nothing: {np.allclose(scores, with_more_padding, atol=1e-6)}")


if __name__ == "__main__":
    main()
