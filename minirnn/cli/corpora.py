"""The pairs of sentences that a run learns from, is validated on, and is judged by."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from minirnn.data import Pair, Pairs, english_french, read_aligned, read_pairs
from minirnn.data.tasks import task_pairs
from minirnn.errors import InputError
from minirnn.runs.own import chosen_task

VALID_QUESTIONS, TEST_QUESTIONS = 500, 5000
"""How many questions of a generated task are kept from training."""


class Corpora(NamedTuple):
    """What a run learns from, and what it is validated on."""

    train: list[Pair]
    valid: list[Pair]
    dropped: int


def load_corpora(options: dict[str, Any]) -> Corpora:
    """The pairs that the options name.

    Raises:
        FileNotFoundError, InputError: a file is missing or damaged, or options do not go together.
    """
    if options.get("task"):
        train, valid, _ = (Pairs(split) for split in generated(options))
        return Corpora(train, valid, 0)
    for kind in ("", "valid-"):
        if options[kind + "data"] and (options[kind + "source"] or options[kind + "target"]):
            raise InputError(f"--{kind}data goes without --{kind}source and --{kind}target: it has both sides")
        if bool(options[kind + "source"]) != bool(options[kind + "target"]):
            raise InputError(f"--{kind}source and --{kind}target go together: give both or neither")
    own = _read(options, "", options["max-pairs"])
    given = _read(options, "valid-")
    if own is None:
        if given is not None:
            raise InputError("validation pairs go with training pairs: give --data, or --source and --target")
        train = Pairs(Pair(*pair) for pair in english_french("train")[: options["max-pairs"]])
        valid = Pairs(Pair(*pair) for pair in english_french("valid"))
    elif given is not None:
        train, valid = own, given
    else:
        train, valid = hold_out(own, options["valid-fraction"], options["seed"])
    if options["swap"]:
        train, valid = (Pairs((Pair(*pair[::-1]) for pair in pairs), pairs.dropped) for pairs in (train, valid))
    return Corpora(train, valid, train.dropped + valid.dropped)


def generated(options: dict[str, Any]) -> list[list[Pair]]:
    """The training, validation and test pairs of a generated task."""
    return task_pairs(chosen_task(options["task"]), (options["examples"], VALID_QUESTIONS, TEST_QUESTIONS))


def _read(options: dict[str, Any], kind: str, max_pairs: int | None = None) -> Pairs | None:
    if options[kind + "data"]:
        return read_pairs(options[kind + "data"], max_pairs)
    if options[kind + "source"]:
        return read_aligned(options[kind + "source"], options[kind + "target"], max_pairs)
    return None


def digest(corpora: Corpora) -> str:
    """What tells corpora from others."""
    sha256 = hashlib.sha256()
    for pairs in (corpora.train, corpora.valid):
        sha256.update("\n".join("\t".join(pair) for pair in pairs).encode("utf-8", "surrogateescape"))
    return sha256.hexdigest()


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds other pairs than its own, of which another part would be held out, up to the name
    of the run."""
    return f"{options['data'] or options['source'] or 'the built-in corpus'} does not hold the pairs that"


def test_pairs(options: dict[str, Any], corpora: Corpora | None) -> tuple[list[Pair], str]:
    """The pairs to judge a run by, and what they are: the built-in corpus has a test set, other corpora what was held
    out. `corpora` are those of the run; None will do for the built-in one."""
    if options.get("task"):
        return generated(options)[2], "test questions"
    if options["data"] or options["source"]:
        return (corpora or load_corpora(options)).valid, "held-out pairs"
    pairs = [Pair(*pair) for pair in english_french("test")]
    return [Pair(*pair[::-1]) for pair in pairs] if options["swap"] else pairs, "test pairs"


def hold_out(pairs: Pairs, fraction: float, seed: int) -> tuple[Pairs, Pairs]:
    """Split at random, all translations of one source sentence to the same side: a corpus that lists several would
    otherwise be tested on sentences it was trained on."""
    sources = sorted({pair.source for pair in pairs})
    drawn = np.random.default_rng(seed).permutation(len(sources))[: int(fraction * len(sources))]
    held_out = {sources[i] for i in drawn}
    train = Pairs((pair for pair in pairs if pair.source not in held_out), pairs.dropped)
    return train, Pairs(pair for pair in pairs if pair.source in held_out)
