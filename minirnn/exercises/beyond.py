"""Exercises about what stands around a cell: attention, clipping, the beam, BLEU."""

from __future__ import annotations

import numpy as np

from minirnn.autograd.attention import dot_scores, weighted_sum
from minirnn.autograd.losses import log_softmax, softmax
from minirnn.autograd.tensor import Tensor
from minirnn.decoding import beam
from minirnn.exercises.exercise import Exercise, Slip
from minirnn.exercises.given import Given, Sizes, normal
from minirnn.metrics import bleu
from minirnn.training import clipping


def _attention(
    dc: np.ndarray, q: np.ndarray, K: np.ndarray, V: np.ndarray, alpha: np.ndarray
) -> tuple[np.ndarray, ...]:
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
mean = (alpha * dalpha).sum(axis=1, keepdims=True)
de = alpha * (dalpha - mean)
dq = (de[:, :, None] * K).sum(axis=1)
dK = de[:, :, None] * q[:, None, :]
""",
    sources=(weighted_sum, softmax, dot_scores),
    slips=(
        Slip("alpha * (dalpha - mean)", "alpha * dalpha", "de lacks the term Σ_u α_u dα_u: the weights sum to 1, so a "
             "score that rises lowers all other weights"),
        Slip("alpha * (dalpha - mean)", "dalpha - mean", "de lacks the factor alpha"),
        Slip("alpha * (dalpha - mean)", "alpha * (1 - alpha) * dalpha", "de has only the diagonal of the softmax's "
             "slopes, α * (1 - α): each score changes the other weights too"),
        Slip("(alpha * dalpha).sum(axis=1, keepdims=True)", "dalpha.sum(axis=1, keepdims=True)", "de lacks the factor "
             "alpha in its sum: it is Σ_u α_u dα_u"),
        Slip("(alpha * dalpha).sum(axis=1, keepdims=True)", "dalpha.mean(axis=1, keepdims=True)", "de has the plain mean "
             "of dalpha where that with the weights alpha belongs: Σ_u α_u dα_u"),
        Slip("(alpha * dalpha).sum(axis=1, keepdims=True)", "(alpha * dalpha).sum(axis=0, keepdims=True)", "de sums over "
             "the batch (axis 0) where the sum over the source positions (axis 1) belongs"),
        Slip("(alpha * dalpha).sum(axis=1, keepdims=True)", "(alpha * dalpha).sum()", "de sums over everything where the "
             "sum over the source positions (axis 1) belongs: each sequence has its own softmax"),
        Slip("dq = (de[:, :, None] * K)", "dq = (dalpha[:, :, None] * K)", "dq is made from dalpha where de belongs: it "
             "skips the softmax"),
        Slip("dq = (de[:, :, None] * K)", "dq = (alpha[:, :, None] * K)", "dq is made from alpha where de belongs"),
        Slip("dK = de", "dK = dalpha", "dK is made from dalpha where de belongs: it skips the softmax"),
        Slip("dK = de", "dK = alpha", "dK is made from alpha where de belongs"),
    ),
)


def _clip(dW: np.ndarray, dU: np.ndarray, db: np.ndarray, max_norm: float) -> tuple[np.ndarray, ...]:
    parameters = [Tensor(np.zeros(g.shape), requires_grad=True) for g in (dW, dU, db)]
    for parameter, gradient in zip(parameters, (dW, dU, db), strict=True):
        parameter.grad = gradient.copy()
    norm = clipping.clip_grad_norm(parameters, max_norm)
    return norm, *(parameter.grad for parameter in parameters)  # type: ignore[return-value]


def _max_norm(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> float:
    """Below the norm of the gradients, or far above it."""
    return float(rng.choice([0.5, 100]) * rng.uniform(0.5, 2))


CLIP = Exercise(
    name="clip-norm",
    title="Clipping the norm of all gradients together",
    text="""
        norm = √(Σ over all elements of all gradients of g²)

        Where norm > max_norm, all gradients are multiplied by max_norm / norm, so that their joint norm is max_norm.
        Otherwise they stay as they are. It is one factor for all, so that the direction of the step stays.
        (minirnn does it in place. Here make new arrays.)
    """,
    inputs={
        "dW": normal("H D", "a gradient"),
        "dU": normal("H H", "another"),
        "db": normal("H", "and another"),
        "max_norm": Given("", "a number above 0, the most that the norm may be", _max_norm),
    },
    outputs={
        "norm": ("", "the norm before clipping, a single number"),
        "clipped_dW": ("H D", "dW after it"),
        "clipped_dU": ("H H", "dU after it"),
        "clipped_db": ("H", "db after it"),
    },
    engine=_clip,
    equations="""
norm = np.sqrt((dW * dW).sum() + (dU * dU).sum() + (db * db).sum())
factor = min(1.0, max_norm / norm)
clipped_dW = factor * dW
clipped_dU = factor * dU
clipped_db = factor * db
""",
    sources=(clipping.clip_grad_norm, clipping._clip_on_cpu),
    slips=(
        Slip("factor = min(1.0, max_norm / norm)", "factor = max_norm / norm", "gradients that are short enough are made "
             "longer: scale only where norm > max_norm"),
        Slip("factor = min(1.0, max_norm / norm)", "factor = 1.0", "nothing is clipped: scale by max_norm / norm where "
             "norm > max_norm"),
        Slip("factor = min(1.0, max_norm / norm)", "factor = min(1.0, 1 / norm)", "the factor is 1 / norm: it lacks "
             "max_norm"),
        Slip("factor = min(1.0, max_norm / norm)", "factor = min(1.0, max_norm / norm ** 2)", "the factor divides by the "
             "square of the norm: a square root is missing"),
        *(
            Slip(f"factor * {g}", f"np.clip({g}, -max_norm, max_norm)", f"clipped_{g} is clipped element by element, "
                 "which changes the direction: one factor for all belongs there")
            for g in ("dW", "dU", "db")
        ),
        *(
            Slip(f"factor * {g}", f"{g} * min(1.0, max_norm / np.sqrt(({g} * {g}).sum()))", f"clipped_{g} is scaled by "
                 "its own norm: the norm of all gradients together decides, and one factor is for all")
            for g in ("dW", "dU", "db")
        ),
        Slip("np.sqrt((dW * dW).sum() + (dU * dU).sum() + (db * db).sum())",
             "sum(np.sqrt((g * g).sum()) for g in (dW, dU, db))", "norm is the sum of the three norms: add the squares, "
             "and take one root of all"),
        Slip("np.sqrt((dW * dW).sum() + (dU * dU).sum() + (db * db).sum())",
             "sum(abs(g).sum() for g in (dW, dU, db))", "norm is the sum of the absolute values: the root of the sum of "
             "the squares belongs there"),
        Slip("np.sqrt((dW * dW).sum() + (dU * dU).sum() + (db * db).sum())",
             "max(abs(g).max() for g in (dW, dU, db))", "norm is the largest element: the root of the sum of the squares "
             "belongs there"),
    ),
)


def _log_probs(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    return log_softmax(Tensor(rng.standard_normal(shape))).data


def _falling(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    return -np.sort(rng.uniform(0.1, 2, shape))


def _beam_step(log_prob: np.ndarray, log_probs: np.ndarray) -> tuple[np.ndarray, ...]:
    totals = log_prob[:, None] + log_probs
    parents, tokens = beam._best_continuations(totals, np.zeros(len(totals), int), len(totals))
    return parents, tokens, totals[parents, tokens]


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
    sources=(beam._best_continuations, beam.largest, beam.walk_beams),
    slips=(
        Slip("log_prob[:, None] + log_probs", "log_probs", "the log-probability of the beginning is not added: a likely "
             "token of an unlikely beginning wins"),
        Slip("log_prob[:, None] + log_probs", "log_prob[:, None] * log_probs", "log-probabilities are multiplied: "
             "probabilities multiply, so their logarithms add"),
        Slip("log_prob[:, None] + log_probs", "log_prob[:, None] + np.exp(log_probs)", "probabilities are added to "
             "log-probabilities"),
        Slip("-scores.ravel()", "scores.ravel()", "the K least probable are kept: the highest log-probability is best"),
        Slip("best = np.argsort(-scores.ravel(), kind='stable')[:K]",
             "best = np.arange(K) * V + scores.argmax(axis=1)", "each beginning keeps its own best token: all K·V "
             "continuations compete, and one beginning may win twice"),
        Slip("best = np.argsort(-scores.ravel(), kind='stable')[:K]",
             "best = (lambda own: own[np.argsort(-scores.ravel()[own])])(np.arange(K) * V + scores.argmax(axis=1))",
             "each beginning keeps its own best token: all K·V continuations compete, and one beginning may win twice"),
        Slip("best = np.argsort(-scores.ravel(), kind='stable')[:K]",
             "best = np.sort(np.argsort(-scores.ravel(), kind='stable')[:K])", "the right continuations are kept, but "
             "not in order: the best stands first"),
        Slip("best = np.argsort(-scores.ravel(), kind='stable')[:K]",
             "best = np.argsort(-scores.ravel(), kind='stable')[:K][::-1]", "the right continuations are kept, but the "
             "worst stands first"),
        Slip("best = np.argsort(-scores.ravel(), kind='stable')[:K]",
             "best = np.argsort(-scores[0], kind='stable')[:K]", "only the first beginning is extended: all K compete"),
        Slip("best // V", "best // K", "a row has V places, not K: the beginning is best // V"),
        Slip("best % V", "best % K", "a row has V places, not K: the token is best % V"),
        Slip("totals = scores.ravel()[best]", "totals = log_probs.ravel()[best]", "totals is the log-probability "
             "of the token alone: it lacks that of the beginning"),
        Slip("totals = scores.ravel()[best]", "totals = np.exp(scores.ravel()[best])", "totals holds "
             "probabilities where log-probabilities belong"),
    ),
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
    slips=(
        Slip("min(count, wanted[gram])", "count * (gram in wanted)", "the counts are not clipped: an n-gram matches at "
             "most as often as the reference has it"),
        Slip("min(count, wanted[gram])", "(gram in wanted)", "each different n-gram is counted once: one that both have "
             "twice matches twice"),
        Slip("min(count, wanted[gram])", "count", "every n-gram of the hypothesis counts as a match, whether the "
             "reference has it or not"),
        Slip("min(count, wanted[gram])", "wanted[gram]", "the count of the reference is taken where the smaller of both "
             "belongs"),
        Slip("total = sum(found.values())", "total = sum(wanted.values())", "it is divided by the n-grams of the "
             "reference: that is recall, and precision divides by those of the hypothesis"),
        Slip("total = sum(found.values())", "total = len(found)", "it is divided by the number of different n-grams: "
             "all of the hypothesis count, also the repeated ones"),
        Slip("total = sum(found.values())", "total = len(hypothesis)", "it is divided by the number of tokens: a "
             "sentence of m tokens has m - n + 1 n-grams"),
        Slip("precision = matches / total", "precision = matches", "precision is the number of matches: divide by the "
             "number of n-grams in the hypothesis"),
        Slip("precision = matches / total", "precision = 100 * matches / total", "precision is in percent: a number "
             "from 0 to 1 belongs there"),
        Slip("precision = matches / total", "precision = matches // total", "// rounds down: / belongs there"),
        Slip("- n + 1", "- n", "the last n-gram is left out: a sentence of m tokens has m - n + 1 n-grams"),
        Slip("precision = matches / total",
             "precision = len(set(found) & set(wanted)) / len(found)", "sets forget how often an n-gram occurs: count "
             "them"),
        Slip("precision = matches / total", "precision = sum(min(hypothesis.count(w), reference.count(w)) for w in "
             "set(hypothesis)) / len(hypothesis)", "single tokens are counted where n tokens in a row belong"),
    ),
)

BEYOND = (ATTENTION, CLIP, BEAM_STEP, PRECISION)
