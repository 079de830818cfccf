"""Exercises about writing sentences and judging them: the beam, and the precision of BLEU."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.autograd.losses import log_softmax
from minirnn.autograd.tensor import Tensor
from minirnn.decoding import beam
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import Given, Sizes
from minirnn.metrics import bleu


def _log_probs(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    return log_softmax(Tensor(rng.standard_normal(shape))).data


def _falling(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    return -np.sort(rng.uniform(0.1, 2, shape))


def _beam_step(log_prob: np.ndarray, log_probs: np.ndarray) -> tuple[Any, ...]:
    return beam._best_continuations(log_probs, log_prob, np.zeros(len(log_probs), int), len(log_probs))


BEAM_STEP = Exercise(
    name="beam-step",
    title="One step of beam search",
    text="""
        A beam holds the K most probable beginnings of a sentence. One step extends each by each of V tokens, and keeps
        the K most probable of all K·V continuations:

        log P(beginning k, token v) = log_prob_k + log_probs_kv

        Two continuations of one beginning may both stay, and a beginning may be given up altogether. The best stands
        first.
    """,
    inputs={
        "log_prob": Given("K", "of the beginnings, the highest first", _falling),
        "log_probs": Given("K V", "of the next token, for each beginning", _log_probs),
    },
    outputs={
        "parents": ("K", "which beginning each of the K best goes on from, 0 to K-1"),
        "tokens": ("K", "the token it goes on with, 0 to V-1"),
        "totals": ("K", "its log-probability, with that of the beginning"),
    },
    engine=_beam_step,
    equations="""
K, V = log_probs.shape
scores = log_prob[:, None] + log_probs
best = np.argsort(-scores.ravel(), kind='stable')[:K]
parents = best // V
tokens = best % V
totals = scores.ravel()[best]
""",
    sources=(beam._best_continuations, beam.walk_beams),
    slips={
        "log_prob[:, None] + log_probs": {
            "log_probs": (
                "the log-probability of the beginning is not added: a likely token of an unlikely beginning wins"
            ),
            "log_prob[:, None] * log_probs": (
                "log-probabilities are multiplied: probabilities multiply, so their logarithms add"
            ),
            "log_prob[:, None] + np.exp(log_probs)": "probabilities are added to log-probabilities",
        },
        "-scores.ravel()": {
            "scores.ravel()": "the K least probable are kept: the highest log-probability is best",
        },
        "best = np.argsort(-scores.ravel(), kind='stable')[:K]": {
            "best = np.arange(K) * V + scores.argmax(axis=1)": (
                "each beginning keeps its own best token: all K·V continuations compete, and one beginning may win "
                "twice"
            ),
            "best = (lambda own: own[np.argsort(-scores.ravel()[own])])(np.arange(K) * V + scores.argmax(axis=1))": (
                "each beginning keeps its own best token: all K·V continuations compete, and one beginning may win "
                "twice"
            ),
            "best = np.sort(np.argsort(-scores.ravel(), kind='stable')[:K])": (
                "the right continuations are kept, but not in order: the best stands first"
            ),
            "best = np.argsort(-scores.ravel(), kind='stable')[:K][::-1]": (
                "the right continuations are kept, but the worst stands first"
            ),
            "best = np.argsort(-scores[0], kind='stable')[:K]": "only the first beginning is extended: all K compete",
        },
        "best // V": {
            "best // K": "a row has V places, not K: the beginning is best // V",
        },
        "best % V": {
            "best % K": "a row has V places, not K: the token is best % V",
        },
        "totals = scores.ravel()[best]": {
            "totals = log_probs.ravel()[best]": (
                "totals is the log-probability of the token alone: it lacks that of the beginning"
            ),
            "totals = np.exp(scores.ravel()[best])": "totals holds probabilities where log-probabilities belong",
        },
    },
)


def _precision(hypothesis: list[str], reference: list[str], n: int) -> tuple[float]:
    details = bleu.bleu_details([hypothesis], [reference], max_order=n, smoothing="none")
    return (details.precisions[n - 1] / 100,)


def _sentence(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> list[str]:
    return [str(word) for word in rng.choice(["the", "the", "cat", "sat", "on", "mat"], rng.integers(7, 13))]


PRECISION = Exercise(
    name="clipped-precision",
    title="The clipped n-gram precision of BLEU",
    text="""
        p_n = Σ_g min(count of g in the hypothesis, count of g in the reference) / number of n-grams in the hypothesis

        over the different n-grams g of the hypothesis (n tokens in a row). The smaller count is the clipping: "the the
        the" has one match, not three, in a reference with one "the".
    """,
    inputs={
        "hypothesis": Given("", "a list of tokens, at least n", _sentence),
        "reference": Given("", "another", _sentence),
        "n": Given("", "how long an n-gram is, 1 or more", lambda rng, shape, sizes: int(rng.integers(1, 4))),
    },
    outputs={"precision": ("", "p_n, a number from 0 to 1")},
    engine=_precision,
    equations="""
found = Counter(tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1))
wanted = Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
matches = sum(min(count, wanted[gram]) for gram, count in found.items())
total = sum(found.values())
precision = matches / total
""",
    sources=(bleu._matches, bleu._ngrams, bleu.bleu_details),
    slips={
        "min(count, wanted[gram])": {
            "count * (gram in wanted)": (
                "the counts are not clipped: an n-gram matches at most as often as the reference has it"
            ),
            "(gram in wanted)": "each different n-gram is counted once: one that both have twice matches twice",
            "count": "every n-gram of the hypothesis counts as a match, whether the reference has it or not",
            "wanted[gram]": "the count of the reference is taken where the smaller of both belongs",
        },
        "total = sum(found.values())": {
            "total = sum(wanted.values())": (
                "it is divided by the n-grams of the reference: that is recall, and precision divides by those of the"
                " hypothesis"
            ),
            "total = len(found)": (
                "it is divided by the number of different n-grams: all of the hypothesis count, also the repeated ones"
            ),
            "total = len(hypothesis)": (
                "it is divided by the number of tokens: a sentence of m tokens has m - n + 1 n-grams"
            ),
        },
        "precision = matches / total": {
            "precision = matches": (
                "precision is the number of matches: divide by the number of n-grams in the hypothesis"
            ),
            "precision = 100 * matches / total": "precision is in percent: a number from 0 to 1 belongs there",
            "precision = matches // total": (
                "precision is 0 where not all match: does // round down where / belongs, or does nothing match?"
            ),
            "precision = len(set(found) & set(wanted)) / len(found)": (
                "sets forget how often an n-gram occurs: count them"
            ),
            "precision = (Counter(hypothesis) & Counter(reference)).total() / len(hypothesis)": (
                "single tokens are counted where n tokens in a row belong"
            ),
        },
        "- n + 1": {
            "- n": "the last n-gram is left out: a sentence of m tokens has m - n + 1 n-grams",
        },
    },
)
