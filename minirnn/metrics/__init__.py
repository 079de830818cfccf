"""How good a model is."""

from minirnn.metrics.perplexity import perplexity

__all__ = ["perplexity"]
