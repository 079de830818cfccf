"""What things look like when they are printed: vocabularies, tensors, modules and the table of their parameters, and
optimisers.

Prints:

    Vocabulary(5 tokens: '<unk>', 'the', 'bird', 'cat', 'sees')
    Tensor([[1., 2.],
            [3., 4.]], requires_grad=True)
    Tensor(20., operation='sum')
    Tagger(  # 3,819 parameters, 40 of them frozen
      (embedding): Embedding(5, 8)  # 40 parameters, frozen
      (lstm): LSTM(8, 16, bidirectional=True)  # 3,200 parameters
      (head): Sequential(  # 579 parameters
        (0): Linear(32, 16)  # 528 parameters
        (1): Tanh()
        (2): Dropout(0.1)
        (3): Linear(16, 3)  # 51 parameters
      )
    )
    name               layer      shape     parameters
    --------------------------------------------------
    embedding.weight   Embedding  (5, 8)     40 frozen
    lstm.W_l0          LSTM       (64, 8)          512
    lstm.U_l0          LSTM       (64, 16)       1,024
    lstm.b_l0          LSTM       (64,)             64
    lstm.W_l0_reverse  LSTM       (64, 8)          512
    lstm.U_l0_reverse  LSTM       (64, 16)       1,024
    lstm.b_l0_reverse  LSTM       (64,)             64
    head.0.weight      Linear     (16, 32)         512
    head.0.bias        Linear     (16,)             16
    head.3.weight      Linear     (3, 16)           48
    head.3.bias        Linear     (3,)               3
    --------------------------------------------------
    total                                        3,819
    of them trained                              3,779
    Adam(learning_rate=0.01, weight_decay=0.0, betas=(0.9, 0.999), epsilon=1e-08)  # of 3,819 parameters, after 0 steps
"""

import numpy as np

from minirnn import LSTM, Adam, Dropout, Embedding, Linear, Module, Sequential, Tanh, Tensor, Vocabulary


class Tagger(Module):
    """A label for each word; the words in one language or another."""

    def __init__(self, vocabulary_size: int, rng: np.random.Generator):
        self.embedding = Embedding(vocabulary_size, 8, rng=rng)
        self.lstm = LSTM(8, 16, bidirectional=True, rng=rng)
        self.head = Sequential(Linear(32, 16, rng=rng), Tanh(), Dropout(0.1), Linear(16, 3, rng=rng))


def main() -> None:
    """Print them."""
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary.build(["the", "cat", "sees", "the", "bird"])
    tagger = Tagger(len(vocabulary), rng)
    tagger.embedding.requires_grad_(False)
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    print(vocabulary)
    print(x)
    print((x * 2).sum())
    print(tagger)
    print(tagger.summary())
    print(Adam(tagger.parameters(), learning_rate=0.01))


if __name__ == "__main__":
    main()
