"""Perplexity: among how many equally likely tokens the model seems to choose."""

from __future__ import annotations

import math

from minirnn.arguments import number


def perplexity(total_nll: float, total_tokens: int) -> float:
    """exp(total negative log-likelihood / total tokens).

    Each token is judged by the probability that the model gives it after the *true* tokens before it, never after its
    own guesses. `<eos>` is a token too, for where a sentence ends has to be known as well; padding is none: it belongs
    to no sentence, and would be easy to guess.

    The two are totals over a whole text: the mean of the perplexities of batches would be something else. A model that
    knows nothing has the size of the vocabulary, a perfect one has 1.

    Args:
        total_nll: in nats. Of nan the perplexity is nan.
        total_tokens: how many tokens it was summed over, `<eos>` counted and padding not.

    Raises:
        InputError: there are no tokens.

        >>> round(perplexity(10 * math.log(4), 10), 6)
        4.0
    """
    mean = total_nll / number("total_tokens", total_tokens, above=0)
    try:
        return math.exp(mean)
    except OverflowError:  # from e^709.8 on
        return math.inf
