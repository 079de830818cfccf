"""Sentences of different length as padded batches, sentences of similar length together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minirnn.arguments import integer
from minirnn.data.vocabulary import EOS, SPECIALS, UNKNOWN, Vocabulary
from minirnn.errors import InputError

PairBatch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""X (S, batch), X_valid_len (batch,), Y (T, batch), Y_valid_len (batch,), all int64."""

_SPECIALS = frozenset(SPECIALS)
POOL = 20
"""Batches that are sorted by length together: more waste less padding, fewer mix the sentences better."""


def encode_sentence(tokens: Iterable[str], vocabulary: Vocabulary, max_length: int | None = None) -> np.ndarray:
    """The ids of a sentence, `<eos>` at its end: (length,) int64.

    A token of the text that happens to be spelled like a special one is read as `<unk>`, so that no text can end a
    sentence early.

    Args:
        tokens: the sentence; it may be empty.
        vocabulary: has `<unk>` and `<eos>`.
        max_length: longer sentences are cut to so many ids, `<eos>` included.

    Raises:
        InputError: `max_length` is below 2, the tokens are a string, or the vocabulary has no `<unk>` or `<eos>`.
    """
    if max_length is not None:
        max_length = integer("max_length", max_length, least=2)  # a token and <eos>
    if isinstance(tokens, str):
        raise InputError("expected a list of tokens, not one string: write text.split(), or list(text) for characters")
    words = list(tokens)
    if not _SPECIALS.isdisjoint(words):
        words = [UNKNOWN if token in _SPECIALS else token for token in words]
    if EOS not in vocabulary or UNKNOWN not in vocabulary:
        raise InputError(f"a vocabulary of sentences needs {UNKNOWN} and {EOS}: build it with specials=SPECIALS")
    return vocabulary.encode([*words[: None if max_length is None else max_length - 1], EOS])


def encode_pairs(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    max_length: int | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The ids of tokenised pairs, sources and targets, each as by `encode_sentence`, whose errors it raises."""
    sources, targets = [], []
    for source, target in pairs:
        sources.append(encode_sentence(source, source_vocabulary, max_length))
        targets.append(encode_sentence(target, target_vocabulary, max_length))
    return sources, targets


def pad(sequences: Sequence[np.ndarray], pad_id: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Sequences side by side, filled up to the longest.

    Args:
        sequences: batch arrays, each (length,).
        pad_id: what to fill up with.

    Returns:
        ids (T, batch) and lengths (batch,), int64, where T is the greatest length.

    Raises:
        InputError: there are no sequences, or one is not made of ids.

        >>> ids, lengths = pad([np.array([1, 2, 3]), np.array([4])])
        >>> ids.T.tolist(), lengths.tolist()
        ([[1, 2, 3], [4, 0, 0]], [3, 1])
    """
    if not len(sequences):
        raise InputError("expected at least one sequence to pad, found none")
    for sequence in sequences:
        _require_ids(sequence)
    pad_id = integer("pad_id", pad_id, least=None)
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    ids = np.full((lengths.max(), len(sequences)), pad_id, dtype=np.int64)
    for b, sequence in enumerate(sequences):
        ids[: len(sequence), b] = sequence
    return ids, lengths


def columns(ids: np.ndarray, lengths: np.ndarray, at: slice) -> tuple[np.ndarray, np.ndarray]:
    """Some columns of padded sequences (T, batch) of these lengths (batch,), as `pad` makes them of these alone.

    >>> ids, lengths = pad([np.array([1, 2, 3]), np.array([4])])
    >>> columns(ids, lengths, slice(1, 2))[0].tolist()
    [[4]]
    """
    return ids[: lengths[at].max(), at], lengths[at]


def _require_ids(sequence: Any) -> None:
    """Refuse what is no sequence of ids. (Into an array of ids NumPy writes 1.9 as 1.)"""
    ids = sequence if isinstance(sequence, np.ndarray) else np.asarray(sequence)
    if ids.ndim != 1 or (ids.dtype.kind not in "iu" and len(ids)):
        raise InputError(f"expected sequences of ids, each (length,), not {ids.dtype} of shape {ids.shape}")


def length_batches(
    lengths: Sequence[int] | np.ndarray, batch_size: int, rng: np.random.Generator | None = None
) -> Iterator[np.ndarray]:
    """Which sequences go together, so that little is padding. Each is in exactly one batch.

    Args:
        lengths: (N,), or (N, 2) to sort by the first and then by the second column.
        batch_size: sequences per batch; one batch may be smaller.
        rng: if given, the sequences are shuffled, sorted within pools of 20 batches only, and the batches dealt out in
            random order. If not, the shortest come first, which is quickest and always the same.

    Yields:
        The indices of a batch, (batch,). With them results find back to the order of the corpus:

        >>> lengths, result = [3, 1, 2], np.zeros(3, dtype=int)
        >>> for at in length_batches(lengths, batch_size=2):
        ...     result[at] = 10 * np.take(lengths, at)
        >>> result.tolist()
        [30, 10, 20]

    Raises:
        InputError: there are no sequences, or `batch_size` is below 1.
    """
    if not len(lengths):
        raise InputError("expected at least one sequence to make batches of, found none")
    batch_size = integer("batch_size", batch_size)
    keys = np.asarray(lengths).reshape(len(lengths), -1)
    shuffled = np.arange(len(keys)) if rng is None else rng.permutation(len(keys))
    pool = len(keys) if rng is None else POOL * batch_size
    batches = []
    for start in range(0, len(keys), pool):
        at = shuffled[start : start + pool]
        at = at[np.lexsort(keys[at].T[::-1])]  # stable: equal lengths stay in the order of the shuffle
        batches += [at[i : i + batch_size] for i in range(0, len(at), batch_size)]
    for k in range(len(batches)) if rng is None else rng.permutation(len(batches)):
        yield batches[k]


def pair_batches(
    sources: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    batch_size: int,
    rng: np.random.Generator | None = None,
    pad_id: int = 0,
) -> Iterator[PairBatch]:
    """Pairs as padded batches, in the order of `length_batches` by source length, then target length.

    Args:
        sources, targets: N arrays each, as by `encode_pairs`: with `<eos>`, without `<bos>`.
        batch_size: pairs per batch; one batch may be smaller.
        rng: see `length_batches`; one epoch of training takes one call with it.
        pad_id: what to fill up with.

    Yields:
        X (S, batch), X_valid_len (batch,), Y (T, batch), Y_valid_len (batch,): the ids and how many of each column
        count, `<eos>` included.

    Raises:
        InputError: there are no pairs, or unequally many sources and targets, or `batch_size` is below 1.
    """
    if len(sources) != len(targets):
        raise InputError(f"expected as many targets as sources, found {len(sources)} sources, {len(targets)} targets")
    lengths = [(len(source), len(target)) for source, target in zip(sources, targets, strict=True)]
    for at in length_batches(np.array(lengths), batch_size, rng):
        yield (*pad([sources[i] for i in at], pad_id), *pad([targets[i] for i in at], pad_id))


def length_histogram(lengths: Mapping[str, Sequence[int]], width: int = 50) -> str:
    """How long the sentences are, as bars of text.

    Args:
        lengths: the lengths of each kind, as in `{"source": [5, 7, …], "target": […]}`.
        width: characters of the longest bar.

    Returns:
        For each kind a line with its average, then one line per group of lengths.

    Raises:
        InputError: a kind has no lengths, or `width` is below 1.
    """
    width = integer("width", width)
    if empty := [name for name, values in lengths.items() if not len(values)]:
        raise InputError(f"expected lengths to count, found none of {empty[0]!r}")
    longest = max((max(values) for values in lengths.values()), default=0)
    step = next(size for k in range(19) for size in (10**k, 2 * 10**k, 5 * 10**k) if longest < 20 * size)
    groups = [np.bincount(np.asarray(values) // step) for values in lengths.values()]
    most = max((counts.max() for counts in groups), default=1)
    lines = []
    for (name, values), counts in zip(lengths.items(), groups, strict=True):
        lines.append(f"{name}: {len(values):,}, {np.mean(values):.1f} tokens on average, at most {max(values):,}")
        for group, count in enumerate(counts):
            label = f"{group * step:,}" if step == 1 else f"{group * step:,}-{(group + 1) * step - 1:,}"
            bar = "#" * max(round(width * int(count) / int(most)), int(count > 0))
            lines.append(f"{label:>12} {count:>9,} {bar}".rstrip())
    return "\n".join(lines)
