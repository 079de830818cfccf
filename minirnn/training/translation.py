"""Translation as a task for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from minirnn.arguments import integer, number, shown
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import array_module, like
from minirnn.data.sequences import PairBatch, columns, length_batches, pad, pair_batches
from minirnn.data.vocabulary import BOS_ID, EOS_ID, PAD_ID
from minirnn.decoding import decode
from minirnn.errors import InputError
from minirnn.metrics import corpus_bleu, exact_match
from minirnn.models import EncoderDecoder
from minirnn.training.hard_attention import hard_loss, is_hard
from minirnn.training.rewards import Asked
from minirnn.training.schedules import TeacherForcing, constant_forcing
from minirnn.training.sentences import (
    SentenceTask,
    numbers_as_words,
    references_of,
    sentence_loss,
    sentence_step,
    shift_right,
)

Ids = Sequence[np.ndarray]


def length_limit(source_lengths: np.ndarray) -> np.ndarray:
    """The most tokens a translation may have, for sources of these lengths, all with `<eos>`: a function of the
    sentence alone, so that it is translated alike alone and in a batch."""
    return 2 * np.asarray(source_lengths) + 10


class Translation(SentenceTask):
    """Predict each target token from the source and the target tokens before it.

    Args:
        model: the model.
        train: sources and targets to learn from, each a sequence of id arrays that end with `<eos>`.
        valid: the same held out; may be empty.
        batch_size: pairs in a batch.
        rng: the generator the model draws its dropout from, and the coins of scheduled sampling.
        references: the words of the held-out targets; without them there is no BLEU.
        to_words: from ids that the model wrote to words.
        teacher_forcing: the probability of feeding the true token, by the number of steps done.
        label_smoothing: ε of the cross-entropy.
        attention_penalty, attention_target: λ and τ of `attention_regularizer`.

    Raises:
        InputError: there is nothing to learn from, sources, targets and references are not equally many, a number is
            out of its range, or the penalty does not fit the model.
    """

    def __init__(
        self,
        model: EncoderDecoder,
        train: tuple[Ids, Ids],
        valid: tuple[Ids, Ids],
        *,
        batch_size: int,
        rng: np.random.Generator,
        references: Sequence[Sequence[str]] | None = None,
        to_words: Callable[[Sequence[int]], list[str]] = numbers_as_words,
        teacher_forcing: TeacherForcing = constant_forcing(1.0),
        label_smoothing: float = 0.0,
        attention_penalty: float = 0.0,
        attention_target: float = 1.0,
    ):
        if not len(train[0]):
            raise InputError("there are no pairs to learn from")
        for sources, targets in (train, valid):
            if len(sources) != len(targets):
                raise InputError(f"there are {len(sources)} sources but {len(targets)} targets: expected one each")
        if references is not None and len(references) != len(valid[0]):
            raise InputError(f"there are {len(references)} references for {len(valid[0])} held-out targets")
        if attention_penalty and not model.decoder.attends:
            raise InputError("the attention penalty needs a decoder with attention")
        if attention_penalty and is_hard(model):
            raise InputError("the attention penalty is of weights, and hard attention has none")
        self.model, self.train_pairs, self.valid_pairs, self.rng = model, train, valid, rng
        self.batch_size, self.references, self.to_words = integer("batch_size", batch_size), references, to_words
        if not callable(teacher_forcing):
            example = f"constant_forcing({shown(teacher_forcing)})"
            raise InputError(f"teacher_forcing must be a function of the step, such as {example}")
        self.teacher_forcing = teacher_forcing
        self.label_smoothing = number("label_smoothing", label_smoothing, least=0, below=1)
        self.attention_penalty = number("attention_penalty", attention_penalty, least=0)
        self.attention_target = number("attention_target", attention_target)
        self.num_batches = -(-len(train[0]) // self.batch_size)
        self.loss_is_nll = label_smoothing == 0 and attention_penalty == 0

    def batches(self, rng: np.random.Generator) -> Iterator[PairBatch]:
        """The batches of one epoch, pairs of similar length together."""
        return pair_batches(*self.train_pairs, self.batch_size, rng, PAD_ID)

    def likelihood(self, batch: PairBatch, step: int) -> dict[str, Tensor]:
        """The mean over the real target tokens of a batch, and the attention's penalty, which is one over sentences."""
        X, X_lengths, Y, Y_lengths = batch
        ratio = self.teacher_forcing(step)
        own = self.rng.random(Y.shape) >= ratio if ratio < 1 else None
        if is_hard(self.model):
            read = partial(self.model, X, X_lengths, shift_right(Y), own)
            return {"tokens": hard_loss(self.model, read, Y, Y_lengths, self.label_smoothing)}
        decoded = self.model(X, X_lengths, shift_right(Y), own)
        smoothing = self.label_smoothing
        means = {"tokens": sentence_loss(self.model, decoded.features, Y, Y_lengths, label_smoothing=smoothing)}
        if self.attention_penalty and decoded.attention is not None:
            uneven = attention_regularizer(decoded.attention, X_lengths, Y_lengths, self.attention_target)
            means["sentences"] = self.attention_penalty * uneven
        return means

    def sizes(self, batch: PairBatch) -> dict[str, int]:
        """The real target tokens, and the pairs, which are sentences and sources."""
        pairs = len(batch[1])
        return {"tokens": int(batch[3].sum()), "sentences": pairs, "sources": pairs}

    def part(self, batch: PairBatch, at: slice) -> PairBatch:
        """Some pairs of a batch."""
        X, X_lengths, Y, Y_lengths = batch
        return *columns(X, X_lengths, at), *columns(Y, Y_lengths, at)

    def asked(self, batch: PairBatch) -> Asked:
        """Each source, with its one reference."""
        X, X_lengths, Y, Y_lengths = batch
        return Asked(X, X_lengths, references_of(Y, Y_lengths, self.to_words), length_limit(X_lengths))

    def validate(self) -> dict[str, float]:
        """Of the held-out pairs: loss per token (teacher-forced, `<eos>` counted, padding not), and of their greedy
        translations BLEU and the share of those that are exactly right."""
        if not len(self.valid_pairs[0]):
            return {}
        nll, tokens = self.nll(*self.valid_pairs)
        row = {"valid_loss": nll / tokens}
        if self.references is not None and np.isfinite(nll):  # a search needs probabilities
            found = self.greedy()
            limits = length_limit(np.array([len(source) for source in self.valid_pairs[0]]))
            row |= self.rewarded(found, [[list(one)] for one in self.references], limits)
            written = [self.to_words(ids) for ids in found]
            row["valid_bleu"] = corpus_bleu(written, self.references)
            row["valid_exact_match"] = exact_match(written, self.references)
        return row

    def nll(self, sources: Ids, targets: Ids) -> tuple[float, int]:
        """The summed negative log-likelihood of the targets, in nats, and how many tokens they have."""
        nll = 0.0
        for X, X_lengths, Y, Y_lengths in pair_batches(sources, targets, self.batch_size, None, PAD_ID):
            decoded = self.model(X, X_lengths, shift_right(Y))
            nll += sentence_loss(self.model, decoded.features, Y, Y_lengths, reduction="sum").item()
        return nll, sum(len(target) for target in targets)

    def greedy(self) -> list[tuple[int, ...]]:
        """Greedy translations of the held-out sources."""
        sources = self.valid_pairs[0]
        result: list[tuple[int, ...]] = [()] * len(sources)
        for at in length_batches([len(s) for s in sources], self.batch_size):
            X, lengths = pad([sources[i] for i in at], PAD_ID)
            state, start = self.model.start(X, lengths), np.full(len(at), BOS_ID)
            found = decode(sentence_step(self.model), state, start, eos=EOS_ID, max_length=length_limit(lengths))
            for i, hypothesis in zip(at, found, strict=True):
                result[i] = hypothesis.tokens
        return result


def attention_regularizer(
    attention: Tensor, source_lengths: np.ndarray, lengths: np.ndarray, target: float | None
) -> Tensor:
    """Σ_i (τ - Σ_t α_ti)² over the real source positions i and target steps t, averaged over the sentences: every
    source position should be looked at about τ times in all (Xu et al. 2015).

    At every step the weights add up to 1, so over T steps to T, which S positions can share alike only as τ = T / S:
    the paper's τ = 1 is out of reach where T is not S, and then pulls at all weights for nothing.

    Args:
        attention: α (T, B, S).
        source_lengths, lengths: (B,), how much of S and T is real.
        target: τ; None: T / S of each sentence.

    Returns:
        A tensor without axes.
    """
    T, B, S = attention.shape
    wanted = np.asarray(lengths)[:, None] / np.asarray(source_lengths)[:, None] if target is None else target
    xp, data = array_module(attention.data), attention.data
    real_steps = like(np.arange(T)[:, None] < lengths, data).astype(data.dtype)
    real_positions = like(np.arange(S) < source_lengths[:, None], data).astype(data.dtype)
    looked = ops.sum(attention * xp.expand_dims(real_steps, -1), axis=0)  # Σ_t α_ti: (B, S)
    missing = (like(np.asarray(wanted, data.dtype), data) - looked) * real_positions
    return ops.sum(missing * missing) / B
