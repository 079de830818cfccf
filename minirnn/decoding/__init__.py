"""From a model's probabilities to sequences."""

from minirnn.decoding.beam import beam_search, decode
from minirnn.decoding.exact import ExactResult, exact_search, exhaustive_search, rescore
from minirnn.decoding.hypotheses import Hypothesis, gnmt_penalty, power_penalty
from minirnn.decoding.sampling import generate, greedy, sampler
from minirnn.decoding.viterbi import Continuation, viterbi

__all__ = [
    "Continuation",
    "ExactResult",
    "Hypothesis",
    "beam_search",
    "decode",
    "exact_search",
    "exhaustive_search",
    "generate",
    "gnmt_penalty",
    "greedy",
    "power_penalty",
    "rescore",
    "sampler",
    "viterbi",
]
