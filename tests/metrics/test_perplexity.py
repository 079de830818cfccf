"""Perplexity, from numbers that can be worked out by hand."""

import math

import pytest

from minirnn import perplexity


def test_perplexity_is_among_how_many_tokens_the_model_seems_to_choose():
    assert perplexity(6 * math.log(5), 6) == pytest.approx(5, rel=1e-14)
    assert perplexity(math.log(2) + math.log(8), 2) == pytest.approx(4, rel=1e-14)
    assert perplexity(math.log(7), 1) == pytest.approx(7, rel=1e-14)
    assert perplexity(0.0, 3) == 1.0


def test_what_is_too_large_to_be_written_is_infinite():
    assert perplexity(600.0, 1) == pytest.approx(math.exp(600))
    assert perplexity(1200.0, 2) == pytest.approx(math.exp(600))
    for nll in (710.0, 1e308, math.inf):
        assert perplexity(nll, 1) == math.inf


@pytest.mark.parametrize("tokens", [0, -1])
def test_without_tokens_there_is_none(tokens):
    with pytest.raises(ValueError, match=f"{tokens}"):
        perplexity(1.0, tokens)
