"""From a model's probabilities to sequences."""

from minirnn.decoding.sampling import generate, greedy, sampler

__all__ = ["generate", "greedy", "sampler"]
