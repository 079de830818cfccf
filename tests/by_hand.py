"""Losses computed in numpy, one row of scores at a time."""

import numpy as np


def log_softmax(logits):
    """Of a row of scores (V,)."""
    e = np.exp(logits - logits.max())
    return np.log(e / e.sum())


def nll_of(logits, targets):
    """The negative log-likelihood of each target (T,), under the row of scores that is its own (T, V)."""
    return [-log_softmax(row)[target] for row, target in zip(logits, targets, strict=True)]
