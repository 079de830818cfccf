"""A character language model by hand: an embedding, an LSTM, a training loop that carries the state, and sampling.

Prints:

    540 characters, of which 14 are different
    epoch  1: perplexity 12...
    epoch 40: perplexity 1.0
    most probable: the rain in spain stays mainly in the plain.
    drawn:         the r...
"""

import numpy as np

from minirnn import (
    LSTM,
    Adam,
    Embedding,
    Linear,
    Module,
    Tensor,
    Vocabulary,
    clip_grad_norm,
    cross_entropy,
    detach,
    generate,
    greedy,
    log_softmax,
    no_grad,
    perplexity,
    sampler,
    sequential_batches,
)

State = tuple[Tensor, Tensor] | None

TEXT = "the rain in spain stays mainly in the plain. " * 12


class CharacterModel(Module):
    """Ids of characters in, scores of the next ones out."""

    def __init__(self, vocabulary_size: int, hidden_size: int, rng: np.random.Generator):
        self.embedding = Embedding(vocabulary_size, 16, rng=rng)
        self.lstm = LSTM(16, hidden_size, rng=rng)
        self.output = Linear(hidden_size, vocabulary_size, rng=rng)

    def forward(self, ids: np.ndarray, state: State = None) -> tuple[Tensor, State]:
        """Ids (time, batch) to scores (time, batch, vocabulary), and the state to go on from."""
        h, state = self.lstm(self.embedding(ids), state)
        return self.output(h), state

    def step(self, tokens: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """One step of writing: the latest tokens (batch,) to log-probabilities (batch, vocabulary) of the next."""
        with no_grad():
            logits, state = self(tokens[None], state)
            return log_softmax(logits[0]).numpy(), state


def train(model: CharacterModel, ids: np.ndarray, epochs: int, rng: np.random.Generator) -> None:
    """Truncated backpropagation through time: the state is carried from batch to batch, its gradient is not."""
    optimizer = Adam(model.parameters(), learning_rate=0.01)
    for epoch in range(1, epochs + 1):
        nll, count, state = 0.0, 0, None
        for inputs, targets in sequential_batches(ids, batch_size=4, num_steps=20, rng=rng):
            logits, state = model(inputs, detach(state))
            loss = cross_entropy(logits, targets)
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm(model.parameters(), 1.0)
            optimizer.step()
            nll, count = nll + loss.item() * targets.size, count + targets.size
        if epoch in (1, epochs):
            print(f"epoch {epoch:2}: perplexity {perplexity(nll, count):.1f}")


def main() -> None:
    """Train on one sentence, again and again, and let the model continue it."""
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary.build(TEXT, specials=())
    print(f"{len(TEXT)} characters, of which {len(vocabulary)} are different")
    model = CharacterModel(len(vocabulary), 32, rng)
    train(model, vocabulary.encode(TEXT), epochs=40, rng=rng)

    model.eval()
    prefix = vocabulary.encode("the rain")
    for name, choose in (("most probable:", greedy), ("drawn:", sampler(rng, temperature=0.5))):
        written = generate(model.step, prefix, length=36, choose=choose)[0]
        print(f"{name:14} the rain{''.join(vocabulary.decode(written))}")


if __name__ == "__main__":
    main()
