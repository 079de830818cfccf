"""An exercise about attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.autograd.attention import dot_scores, weighted_sum
from minirnn.autograd.losses import softmax
from minirnn.autograd.tensor import Tensor
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import Given, Sizes, normal


def _attention(dc: np.ndarray, q: np.ndarray, K: np.ndarray, V: np.ndarray, alpha: np.ndarray) -> tuple[Any, ...]:
    weights, values = Tensor(alpha, requires_grad=True), Tensor(V, requires_grad=True)
    weighted_sum(weights, values).backward(dc)
    scores = Tensor(np.log(alpha), requires_grad=True)  # softmax takes them back to alpha
    softmax(scores).backward(weights.grad)
    query, keys = Tensor(q, requires_grad=True), Tensor(K, requires_grad=True)
    dot_scores(query, keys).backward(scores.grad)
    return weights.grad, values.grad, scores.grad, query.grad, keys.grad


def _weights(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    return softmax(Tensor(rng.standard_normal(shape))).data


ATTENTION = Exercise(
    name="attention-backward",
    title="Back through attention: the weighted sum, the softmax, the dot score",
    text="""
        Forward, for each sequence of the batch:

        e_s = qᵀ k_s                      how well source position s fits the query
        α_s = exp(e_s) / Σ_u exp(e_u)     the weights
        c   = Σ_s α_s v_s                 the context

        Back, from dc = dL/dc:

        dα_s = v_sᵀ dc                    dv_s = α_s dc
        de_s = α_s (dα_s - Σ_u α_u dα_u)  all weights depend on all scores: they sum to 1
        dq   = Σ_s de_s k_s               dk_s = de_s q
    """,
    inputs={
        "dc": normal("B E", "dL/dc, a row for each sequence of the batch"),
        "q": normal("B A", "the queries"),
        "K": normal("B S A", "the keys k_s"),
        "V": normal("B S E", "the values v_s"),
        "alpha": Given("B S", "the weights α_s", _weights),
    },
    outputs={
        "dalpha": ("B S", "dL/dα"),
        "dV": ("B S E", "dL/dv_s"),
        "de": ("B S", "dL/de, of the scores"),
        "dq": ("B A", "dL/dq"),
        "dK": ("B S A", "dL/dk_s"),
    },
    engine=_attention,
    equations="""
dalpha = (V * dc[:, None, :]).sum(axis=2)
dV = alpha[:, :, None] * dc[:, None, :]
de = alpha * (dalpha - (alpha * dalpha).sum(axis=1, keepdims=True))
dq = (de[:, :, None] * K).sum(axis=1)
dK = de[:, :, None] * q[:, None, :]
""",
    sources=(weighted_sum, softmax, dot_scores),
    slips={
        "alpha * (dalpha - (alpha * dalpha).sum(axis=1, keepdims=True))": {
            "alpha * dalpha": (
                "de lacks the term Σ_u α_u dα_u: the weights sum to 1, so a score that rises lowers all other weights"
            ),
            "dalpha - (alpha * dalpha).sum(axis=1, keepdims=True)": "de lacks the factor alpha",
            "alpha * (1 - alpha) * dalpha": (
                "de has only the diagonal of the softmax's slopes, α * (1 - α): each score changes the other weights "
                "too"
            ),
        },
        "(alpha * dalpha).sum(axis=1, keepdims=True)": {
            "dalpha.sum(axis=1, keepdims=True)": "de lacks the factor alpha in its sum: it is Σ_u α_u dα_u",
            "dalpha.mean(axis=1, keepdims=True)": (
                "de has the plain mean of dalpha where that with the weights alpha belongs: Σ_u α_u dα_u"
            ),
            "(alpha * dalpha).sum(axis=0, keepdims=True)": (
                "de sums over the batch (axis 0) where the sum over the source positions (axis 1) belongs"
            ),
            "(alpha * dalpha).sum()": (
                "de sums over everything where the sum over the source positions (axis 1) belongs: each sequence has "
                "its own softmax"
            ),
        },
        "dq = (de[:, :, None] * K)": {
            "dq = (dalpha[:, :, None] * K)": "dq is made from dalpha where de belongs: it skips the softmax",
            "dq = (alpha[:, :, None] * K)": "dq is made from alpha where de belongs",
        },
        "dK = de": {
            "dK = dalpha": "dK is made from dalpha where de belongs: it skips the softmax",
            "dK = alpha": "dK is made from alpha where de belongs",
        },
    },
)
