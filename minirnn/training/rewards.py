"""Rewards of whole sentences: training on what cannot be differentiated.

Cross-entropy judges word by word. What counts is the sentence that the model writes by itself, and measures of it, such
as BLEU, have no gradient by the weights. But their expectation has. With y drawn from the model, the sentence's reward
r(y) and a baseline b that does not depend on y,

    (1)  J      = E[r(y)] = Σ_y p(y) r(y)
    (2)  ∇J     = Σ_y r(y) ∇p(y) = E[r(y) ∇ log p(y)]        because ∇p = p ∇ log p       (REINFORCE; Williams 1992)
    (3)         = E[(r(y) - b) ∇ log p(y)]                   because Σ_y ∇p(y) = ∇1 = 0

The mean of (3) over some samples is right on average for every b, and the less far from that, the better b foretells
the reward: how good was it, compared with what was to be expected? There are four baselines of K samples of a source:

    none       b = 0
    mean       b = the mean reward of all steps before, recent ones counting more
    greedy     b = r(the sentence of the most probable words)      (self-critical; Rennie et al. 2017)
    others     b_k = the mean reward of the other K - 1 samples

*Minimum risk* (Shen et al. 2016) takes the K samples, each once, for all sentences there are, and the expectation over
them exactly:

    (4)  J      = Σ_k q_k r(y_k),   q_k = p(y_k)^α / Σ_j p(y_j)^α

Log-probability is summed over the very ids that were drawn, the first <eos> included, which is a choice like any other;
nothing after it exists. Samples, baseline and log-probabilities see the network without dropout: else it would be
another network's reward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from minirnn.arguments import integer, number
from minirnn.autograd import ops
from minirnn.autograd.losses import cross_entropy, log_softmax, softmax
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import pack, sum_by_id
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Lengths, array_module, like, to_host
from minirnn.data.sequences import pad
from minirnn.data.vocabulary import BOS_ID, EOS, EOS_ID, PAD_ID, UNKNOWN
from minirnn.decoding import Hypothesis, decode, greedy
from minirnn.decoding.sampling import Choose
from minirnn.errors import InputError
from minirnn.metrics import sentence_bleu
from minirnn.metrics.cider import cider_d_scores, document_frequencies
from minirnn.models import EncoderDecoder
from minirnn.training.sentences import NEVER, sentence_step, shift_right

Reward = Callable[[Sequence[str], Sequence[Sequence[str]]], float]
"""How good a sentence is, given its references: both as words."""
REWARDS = ("bleu", "cider", "exact")
Estimator = Literal["reinforce", "risk"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)
Control = Literal["constant", "shuffled", "no-end"]
CONTROLS: tuple[Control, ...] = get_args(Control)
"""What to train on instead, to see what the reward itself does (Choshen et al. 2020)."""
Baseline = Literal["none", "mean", "greedy", "others"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
SHOWN = ("reward", "length", "entropy")
FADING = 0.95
"""Of the running mean: what the past counts, at every step."""
NO_WORD = "\0"
"""Stands for an unknown word of a reference: a reader knows that it is not `<unk>`."""


def named_reward(name: str, references: Sequence[Sequence[Sequence[str]]] = ()) -> Reward:
    """One of `REWARDS`, from 0 to 1.

    "bleu" is sentence BLEU in which all counts but those of single words begin at 1 (Lin & Och 2004), divided by 100:
    else most sentences, without four words in a row that are right, would have 0. "cider" is CIDEr-D, divided by 10.
    "exact" is 1 for a sentence that is one of its references.

    Args:
        name: which.
        references: of each training example one or several; CIDEr-D weighs n-grams by how few examples have them.

    Raises:
        InputError: there is no such reward, or fewer than two examples for CIDEr-D.
    """
    if name == "bleu":
        return lambda words, those: sentence_bleu(words, those, smoothing="add-k", smooth_value=1.0) / 100
    if name == "exact":
        return lambda words, those: float(list(words) in [list(one) for one in those])
    if name == "cider":
        if len(references) < 2:
            raise InputError("the reward 'cider' weighs words by how few examples have them: give it two at least")
        ended: list[list[Sequence[str]]] = [[[*one, EOS] for one in those] for those in references]
        frequencies = document_frequencies(ended)
        return lambda words, those: float(cider_d_scores([words], [those], frequencies)[0]) / 10
    raise InputError(f"unknown reward {name!r}: expected one of {', '.join(REWARDS)}")


class Asked(NamedTuple):
    """What sentences are to be written for.

    Attributes:
        source, lengths: of N sources, as the encoder reads them.
        references: of each source, as words.
        limits: (N,) the most tokens of a sentence, `<eos>` included.
    """

    source: Any
    lengths: Lengths | None
    references: Sequence[Sequence[Sequence[str]]]
    limits: np.ndarray


class Written(NamedTuple):
    """Sentences that a model wrote, K for each of N sources, those of a source side by side.

    Attributes:
        Y, lengths: the ids (T, N·K), padded, with the first `<eos>` if there is one.
        sentences: as words, `<eos>` at the end of those that ended.
    """

    Y: np.ndarray
    lengths: np.ndarray
    sentences: list[list[str]]


class Rewards:
    """How a model is trained on rewards.

    Args:
        reward: of a sentence.
        to_words: from ids to words, as a reader sees them.
        estimator: "reinforce", (3); or "risk", (4).
        baseline: of "reinforce": "none", "mean", "greedy" or "others".
        samples: K, the sentences that are drawn for each source.
        cross_entropy: the share of the loss that stays with the cross-entropy (Ranzato et al. 2016, MIXER).
        sharpness: α of "risk".
        control: train not on the reward, but on 1 for every sentence ("constant"); on the reward of another sample of
            the batch ("shuffled"); or on the reward without the end of a sentence as one of its words ("no-end"): "the
            cat on the" has all the n-grams it needs then, and sentences come to end anywhere.

    Raises:
        InputError: a choice is unknown, a number is out of its range, or K is too small for the estimator.
    """

    def __init__(
        self,
        reward: Reward,
        to_words: Callable[[Sequence[int]], list[str]],
        *,
        estimator: Estimator = "reinforce",
        baseline: Baseline = "greedy",
        samples: int = 2,
        cross_entropy: float = 0.0,
        sharpness: float = 1.0,
        control: Control | None = None,
    ):
        if estimator not in ESTIMATORS:
            raise InputError(f"unknown estimator {estimator!r}: expected one of {', '.join(ESTIMATORS)}")
        if baseline not in BASELINES:
            raise InputError(f"unknown baseline {baseline!r}: expected one of {', '.join(BASELINES)}")
        if control is not None and control not in CONTROLS:
            raise InputError(f"unknown control {control!r}: expected one of {', '.join(CONTROLS)}")
        self.samples = integer("samples", samples)
        if self.samples < 2 and (estimator == "risk" or baseline == "others"):
            what = "minimum risk" if estimator == "risk" else "the baseline 'others'"
            raise InputError(f"{what} compares samples of the same source: it needs 2 at least")
        self.reward, self.to_words, self.estimator, self.baseline = reward, to_words, estimator, baseline
        self.control, self.end = control, control != "no-end"
        self.share = number("cross_entropy", cross_entropy, least=0, below=1)
        self.sharpness = number("sharpness", sharpness, above=0)
        self.kept = dict.fromkeys(("mean", "weight", "steps", *SHOWN), 0.0)
        """Of the running mean what was added up, and what its addends count; and what is shown, summed over steps."""

    def loss(self, model: EncoderDecoder, asked: Asked, rng: np.random.Generator) -> tuple[Tensor, int]:
        """A loss whose gradient is an estimate of -∇J, the mean over N sources, and how many tokens were drawn."""
        N, K = len(asked.limits), self.samples
        rows = np.repeat(np.arange(N), K)
        with no_grad():
            drawn = self.write(model, asked, rows, drawing(rng))
            rewards = self.judge(drawn.sentences, asked.references, rows).reshape(N, K)
            best = None
            if self.estimator == "reinforce" and self.baseline == "greedy":
                alone = np.arange(N)
                best = self.judge(self.write(model, asked, alone, greedy).sentences, asked.references, alone)
        reward = float(rewards.mean())
        if self.control == "constant":
            rewards = np.ones((N, K))
        elif self.control == "shuffled":
            rewards = rng.permutation(rewards.reshape(-1)).reshape(N, K)
        log_probs, entropy = score(model, asked, rows, drawn)
        log_probs = ops.reshape(log_probs, (N, K))
        if self.estimator == "risk":
            loss = minimum_risk(log_probs, rewards, distinct(drawn, N, K), self.sharpness)
        else:
            before = self.kept["mean"] / self.kept["weight"] if self.kept["weight"] else 0.0
            loss = reinforce(log_probs, rewards, baselines(self.baseline, rewards, best, before))
        self._keep(float(rewards.mean()), reward=reward, length=float(drawn.lengths.mean()), entropy=entropy)
        return loss, int(drawn.lengths.sum())

    def _keep(self, compared: float, **shown: float) -> None:
        for name, addend in (("mean", compared), ("weight", 1.0)):
            self.kept[name] = FADING * self.kept[name] + (1 - FADING) * addend
        self.kept["steps"] += 1
        for name, value in shown.items():
            self.kept[name] += value

    def so_far(self) -> dict[str, float]:
        """Since the last `measures`: the mean reward of the samples, their length in tokens, and the entropy of the
        choices in nats."""
        return {name: self.kept[name] / max(self.kept["steps"], 1.0) for name in SHOWN}

    def measures(
        self, tokens: Sequence[tuple[int, ...]], references: Sequence[Sequence[Sequence[str]]], limits: Any
    ) -> dict[str, float]:
        """As `SentenceTask.rewarded`."""
        row = {f"train_{name}": value for name, value in self.so_far().items()} if self.kept["steps"] else {}
        self.kept |= dict.fromkeys(("steps", *SHOWN), 0.0)
        sentences = []
        for ids, limit in zip(tokens, np.broadcast_to(limits, (len(tokens),)), strict=True):
            sentences.append(self.to_words(ids) + ([EOS] if self.end and len(ids) < limit else []))
        rewards = self.judge(sentences, references, np.arange(len(sentences)))
        return row | {"valid_reward": float(rewards.mean())}

    def write(self, model: EncoderDecoder, asked: Asked, rows: np.ndarray, choose: Choose) -> Written:
        """Sentences for the sources `rows` (any number,)."""
        state = model.start(asked.source, asked.lengths, rows)
        start, limits = np.full(len(rows), BOS_ID), asked.limits[rows]
        found = decode(sentence_step(model), state, start, eos=EOS_ID, max_length=limits, choose=choose)
        return written(found, self.to_words, self.end)

    def judge(
        self, sentences: Sequence[list[str]], references: Sequence[Sequence[Sequence[str]]], rows: np.ndarray
    ) -> np.ndarray:
        """The reward (n,) of each of some sentences, written for the sources `rows` (n,).

        Raises:
            InputError: a reward is not a finite number.
        """
        end = [EOS] if self.end else []
        known = [
            [[NO_WORD if word == UNKNOWN else word for word in one] + end for one in of_one] for of_one in references
        ]
        rewards = np.array(
            [self.reward(one, known[row]) for one, row in zip(sentences, rows, strict=True)], dtype=float
        )
        if not np.isfinite(rewards).all():
            raise InputError(f"the reward of a sentence is {rewards[~np.isfinite(rewards)][0]}, not a finite number")
        return rewards


def written(found: Sequence[Hypothesis], to_words: Callable[[Sequence[int]], list[str]], end: bool) -> Written:
    """What a search has found, as ids and as words."""
    ids = [np.array([*one.tokens, *([EOS_ID] if one.finished else [])], dtype=np.int64) for one in found]
    sentences = [to_words(one.tokens) + ([EOS] if end and one.finished else []) for one in found]
    return Written(*pad(ids, PAD_ID), sentences)


def drawing(rng: np.random.Generator) -> Choose:
    """Draw a token from each row of log-probabilities (batch, V), any that has one."""

    def choose(log_probs: np.ndarray) -> np.ndarray:
        until = np.cumsum(np.exp(log_probs, dtype=np.float64), axis=-1)
        if not (until[:, -1] > 0).all():
            raise InputError("there is nothing to choose from: every probability is 0, or one is not a number")
        drawn = rng.random((len(log_probs), 1)) * until[:, -1:]
        return (until > drawn).argmax(axis=-1)

    return choose


def score(model: EncoderDecoder, asked: Asked, rows: np.ndarray, drawn: Written) -> tuple[Tensor, float]:
    """log p(y) (n,) of sentences for the sources `rows` (n,), and the mean entropy of all choices in nats. As when they
    were drawn, there are only tokens to choose among that a sentence can contain."""
    decoded = model.decoder(shift_right(drawn.Y), model.start(asked.source, asked.lengths, rows))
    logits = model.decoder.logits(pack(decoded.features, drawn.lengths))
    possible = ~np.isin(np.arange(logits.shape[-1]), NEVER)
    logits = ops.where(like(possible, logits.data), logits, float(np.finfo(logits.dtype).min) / 4)
    real = np.arange(len(drawn.Y))[:, None] < drawn.lengths
    nll = cross_entropy(logits, drawn.Y[real], reduction="none")
    sentence = np.broadcast_to(np.arange(len(rows)), real.shape)[real]
    log_probs = -ops.reshape(sum_by_id(ops.reshape(nll, (1, 1, -1)), sentence[None], len(rows)), (-1,))
    with no_grad():
        log_p = log_softmax(logits.detach()).data
    xp = array_module(log_p)
    entropy = to_host(-(xp.exp(log_p) * log_p).sum(axis=-1).mean())
    return log_probs, float(entropy)


def baselines(kind: Baseline, rewards: np.ndarray, greedy_rewards: np.ndarray | None, mean: float) -> np.ndarray:
    """b (N, K) of rewards (N, K).

    Args:
        kind: one of `BASELINES`.
        rewards: of K samples of each of N sources.
        greedy_rewards: (N,), for "greedy".
        mean: of the steps before, for "mean".
    """
    if kind == "others":
        return (rewards.sum(axis=1, keepdims=True) - rewards) / (rewards.shape[1] - 1)
    if kind == "greedy":
        assert greedy_rewards is not None
        return np.broadcast_to(greedy_rewards[:, None], rewards.shape)
    return np.full(rewards.shape, mean if kind == "mean" else 0.0)


def reinforce(log_probs: Tensor, rewards: np.ndarray, baseline: np.ndarray) -> Tensor:
    """-mean (r - b) log p(y) of log_probs, rewards and baseline (N, K): its gradient is that of equation (3)."""
    advantage = like((rewards - baseline).astype(log_probs.dtype), log_probs.data)
    return -ops.mean(log_probs * advantage)


def minimum_risk(log_probs: Tensor, rewards: np.ndarray, counted: np.ndarray, sharpness: float) -> Tensor:
    """-J of equation (4), its mean over N sources.

    Args:
        log_probs, rewards: (N, K).
        counted: (N, K) booleans, true for one of any that are alike.
        sharpness: α.
    """
    q = softmax(sharpness * log_probs, mask=like(counted, log_probs.data))
    return -ops.mean(ops.sum(q * like(rewards.astype(log_probs.dtype), log_probs.data), axis=1))


def distinct(drawn: Written, N: int, K: int) -> np.ndarray:
    """(N, K): whether a sentence is the first of those of its source that are alike."""
    ids = [tuple(drawn.Y[:length, k].tolist()) for k, length in enumerate(drawn.lengths)]
    return np.array([[ids[n * K + k] not in ids[n * K : n * K + k] for k in range(K)] for n in range(N)])
