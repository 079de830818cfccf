"""A model small enough to search by hand, and what a continuation is worth."""

import numpy as np


class Markov:
    """The next token depends on the last one alone, by a table of probabilities: row `last`, column `next`.

    Its state, unless it begins with None, is what it has read of each text, (rows, steps), so that it can be seen when
    one gets that of another. It remembers all that it was asked to read, in `read`.
    """

    def __init__(self, *table):
        with np.errstate(divide="ignore"):
            self.log_probs, self.read = np.log(np.array(table, float)), []

    def __call__(self, tokens, state):
        self.read.append(tokens.tolist())
        assert len(self.read) < 100, "this search does not end"
        return self.log_probs[tokens], None if state is None else np.column_stack([state, tokens])

    def begin(self, start):
        """The first three arguments of a search."""
        return self, np.empty((len(start), 0), int), start


def log_prob_of(tokens, model, state):
    """What `viterbi` sums up: the log-probability of some tokens after a state of the model."""
    total = 0.0
    for token in tokens:
        total += model.log_probs(state)[0, token]
        state = model.advance(np.array([token]), state)
    return total
