"""How good estimates of a reward's gradient are, where all sentences can be counted; and what rewards did in a run.

The gradient of the expected reward, (2) in `minirnn.training.rewards`, is a sum over all sentences there are. Where
these are few, it can be summed, and what an estimator g gives for each set of K samples as well. Then its mean and its
variance are exact, and no matter of chance:

    E[g]       = Σ over (y_1, …, y_K) of p(y_1) ⋯ p(y_K) g(y_1, …, y_K)
    E|g - ∇J|² = |E[g] - ∇J|² + E|g - E[g]|²        how far off it is: its bias, squared, and its variance
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.recording import no_grad
from minirnn.autograd.tensor import Tensor, grad
from minirnn.data.sequences import pad
from minirnn.data.vocabulary import EOS, EOS_ID, PAD_ID, SPECIALS
from minirnn.decoding import greedy
from minirnn.errors import InputError
from minirnn.models import ContextDecoder, EncoderDecoder, RecurrentEncoder
from minirnn.training import Adam, Run, load_checkpoint
from minirnn.training.rewards import (
    NEVER,
    Asked,
    Baseline,
    Estimator,
    Reward,
    Rewards,
    Written,
    baselines,
    distinct,
    minimum_risk,
    named_reward,
    reinforce,
    score,
)
from minirnn.training.sentences import sentence_loss, shift_right

VOCABULARY = (*SPECIALS, "the", "cat")
REFERENCE = ("the", "cat")
LIMIT = 3
"""The most tokens of a sentence of the toy, `<eos>` included."""
ESTIMATORS: dict[str, tuple[Estimator, Baseline]] = {
    "no baseline": ("reinforce", "none"),
    "mean": ("reinforce", "mean"),
    "greedy": ("reinforce", "greedy"),
    "others": ("reinforce", "others"),
    "minimum risk": ("risk", "none"),
}
"""By name the estimator and its baseline."""
MOST_SETS = 100_000


class Toy(NamedTuple):
    """A model that can only write few sentences, and what it is to write: one reference of one source."""

    model: EncoderDecoder
    asked: Asked
    rewards: Rewards


def build_toy(seed: int = 0, steps: int = 10, reward: Reward | None = None) -> Toy:
    """A model in float64 with two words and `<unk>`, that has learned its reference for some steps of cross-entropy.

    Args:
        seed: of the weights.
        steps: of Adam.
        reward: sentence BLEU by default, as `named_reward` has it.
    """
    rng, V = backend.generator(seed), len(VOCABULARY)
    double: dict[str, Any] = {"dtype": np.float64}
    encoder = RecurrentEncoder(V, 2, 3, cell="gru", rng=rng, **double)
    model = EncoderDecoder(encoder, ContextDecoder(V, 2, 4, 3, cell="gru", rng=rng, **double), rng=rng, **double)
    X = Y = np.array([[*map(VOCABULARY.index, REFERENCE), EOS_ID]]).T
    lengths = np.array([len(X)])
    optimizer = Adam(model.named_parameters(), 0.03)
    for _ in range(integer("steps", steps, least=0)):
        loss = sentence_loss(model, model(X, lengths, shift_right(Y)).features, Y, lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    rewards = Rewards(reward or named_reward("bleu"), lambda ids: [VOCABULARY[i] for i in ids])
    model.eval()
    return Toy(model, Asked(X, lengths, [[list(REFERENCE)]], np.array([LIMIT])), rewards)


def all_sentences(possible: Sequence[int], limit: int) -> list[tuple[int, ...]]:
    """Every sentence of up to `limit` tokens, the shorter first: each ends with its first `<eos>`, or at the limit.

    Args:
        possible: the ids of the words, without `<eos>`.
        limit: the most tokens, `<eos>` included.
    """
    ended = [(*words, EOS_ID) for n in range(limit) for words in itertools.product(possible, repeat=n)]
    return ended + list(itertools.product(possible, repeat=limit))


class Sentences(NamedTuple):
    """All S sentences that a model can write to a source.

    Attributes:
        written: their ids, and as words.
        p: (S,) their probabilities, which add up to 1.
        r: (S,) their rewards.
        slopes: (S, P) of each ∇ log p(y) by all weights of the model.
        expected: J.
        exact: (P,) ∇J.
        greedy: r of the sentence of the most probable words.
    """

    written: Written
    p: np.ndarray
    r: np.ndarray
    slopes: np.ndarray
    expected: float
    exact: np.ndarray
    greedy: float


def sum_up(toy: Toy) -> Sentences:
    """Probability, reward and gradient of every sentence, and of the expected reward, by the sums of (1) and (2)."""
    model, asked, rewards = toy
    words = [i for i in range(model.decoder.output.weight.shape[0]) if i not in (*NEVER, EOS_ID)]
    ids = all_sentences(words, int(asked.limits[0]))
    sentences = [rewards.to_words([i for i in one if i != EOS_ID]) + [EOS] * (one[-1] == EOS_ID) for one in ids]
    written = Written(*pad([np.array(one) for one in ids], PAD_ID), sentences)
    source = np.zeros(len(ids), dtype=np.int64)
    r = rewards.judge(sentences, asked.references, source)
    with no_grad():
        best = rewards.write(model, asked, source[:1], greedy)
        of_best = float(rewards.judge(best.sentences, asked.references, source[:1])[0])
    log_probs, _ = score(model, asked, source, written)
    J = ops.sum(ops.exp(log_probs) * r)
    parameters = model.parameters()
    slopes = np.stack([_flat(grad(log_probs, parameters, one), parameters) for one in np.eye(len(ids))])
    return Sentences(
        written, np.exp(log_probs.data), r, slopes, J.item(), _flat(grad(J, parameters), parameters), of_best
    )


def _flat(gradients: Sequence[Any], parameters: Sequence[Tensor]) -> np.ndarray:
    """The gradients of all weights side by side (P,)."""
    found = zip(gradients, parameters, strict=True)
    return np.concatenate([np.zeros(p.size) if g is None else g.reshape(-1) for g, p in found])


class Estimates(NamedTuple):
    """What an estimator gives for every set of K samples.

    Attributes:
        g: (sets, P).
        p: (sets,) how probable each set is.
        mean: (P,) E[g].
        bias: |E[g] - ∇J| / |∇J|.
        spread: sqrt(E|g - ∇J|²) / |∇J|.
        variance: E|g - E[g]|².
    """

    g: np.ndarray
    p: np.ndarray
    mean: np.ndarray
    bias: float
    spread: float
    variance: float


def estimates(found: Sentences, kind: Estimator, baseline: Baseline = "none", samples: int = 2) -> Estimates:
    """Mean and variance of an estimator, over all sets of samples.

    A weight moves the loss of a set only by way of its samples' log p. So the estimate is Σ_k w_k ∇ log p(y_k), with
    w_k = -∂loss/∂log p(y_k).

    Args:
        found: all sentences.
        kind: "reinforce" or "risk".
        baseline: of "reinforce". The running mean is taken for what it tends to while the weights change little: J.
        samples: K.

    Raises:
        InputError: there are too many sets.
    """
    K, S = integer("samples", samples, least=2), len(found.p)
    if S**K > MOST_SETS:
        raise InputError(f"there are {S}^{K} sets of {K} samples: take fewer than {K}")
    sets = np.array(list(itertools.product(range(S), repeat=K)))  # (N, K): each stands for a source of its own
    N, r = len(sets), found.r[sets]
    log_probs = Tensor(np.log(found.p)[sets], requires_grad=True)
    if kind == "risk":
        Y, lengths, sentences = found.written
        drawn = Written(Y[:, sets.reshape(-1)], lengths[sets.reshape(-1)], sentences)
        loss = minimum_risk(log_probs, r, distinct(drawn, N, K), 1.0)
    else:
        b = baselines(baseline, r, np.full(N, found.greedy), found.expected)
        loss = reinforce(log_probs, r, b)
    (slope,) = grad(loss, log_probs)
    assert slope is not None
    weights = -N * slope  # the loss is the mean over the sets
    g = sum(weights[:, k, None] * found.slopes[sets[:, k]] for k in range(K))
    p = np.prod(found.p[sets], axis=1)
    mean, size = p @ g, float(np.linalg.norm(found.exact))
    off = float(p @ np.sum((g - found.exact) ** 2, axis=1))
    variance = float(p @ np.sum((g - mean) ** 2, axis=1))
    return Estimates(g, p, mean, float(np.linalg.norm(mean - found.exact)) / size, off**0.5 / size, variance)


def axes_of(exact: np.ndarray, widest: Estimates) -> np.ndarray:
    """Two directions (2, P) to look along, at right angles: of ∇J, and of the largest spread of the rest.

    Args:
        exact: (P,) ∇J.
        widest: the estimates whose spread is meant.
    """
    first = exact / np.linalg.norm(exact)
    rest = widest.g - widest.mean
    rest = rest - np.outer(rest @ first, first)
    second = np.linalg.svd(np.sqrt(widest.p)[:, None] * rest, full_matrices=False)[2][0]
    return np.stack([first, second])


class History(NamedTuple):
    """What a run on rewards was, and what it began with.

    Attributes:
        before: the rows of the run that it began with; none if that is gone.
        begun: the epoch of that run whose weights it took; 0 if it is gone.
        rows: its own rows.
    """

    before: list[dict[str, Any]]
    begun: int
    rows: list[dict[str, Any]]


def history(run: Run) -> History:
    """Read what rewards did in a run.

    Raises:
        InputError: it is not a run on rewards, has no metrics yet, or is damaged.
    """
    options = run.config.get("options")
    if not isinstance(options, Mapping) or not options.get("reward"):
        raise InputError(f"{run.path} was not trained on rewards: expected what minirnn train --from RUN --reward made")
    rows = run.metrics()
    if not rows:
        raise InputError(f"{run.path} has no metrics yet: let its training run a little longer")
    if not measures_of(rows):
        raise InputError(f"{run.path} tells nothing of rewards: they are measured where something is held out")
    try:
        other = Run(str(run.config.get("from")))
        before, begun = other.metrics(), load_checkpoint(other.best)[1].get("epoch")
    except (InputError, OSError):  # it is another run's directory: nobody promised to keep it
        return History([], 0, rows)
    return History(before, begun, rows) if type(begun) is int else History([], 0, rows)


def measures_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of what the rows tell of rewards and of what is held out, in their order; a perplexity says the same as
    its loss."""
    names = dict.fromkeys(name for row in rows for name in row if name.startswith(("train_", "valid_")))
    return [name for name in names if name != "train_loss" and not name.endswith("perplexity")]
