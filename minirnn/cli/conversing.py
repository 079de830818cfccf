"""The conversations that a run learns from, is validated on, and is judged by; and how good its answers are."""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn.autograd.recording import no_grad
from minirnn.cli.chats import Learned, check, load_chat, turns_of
from minirnn.cli.training import load_again
from minirnn.data import Codec
from minirnn.data.conversations import read_conversations, split
from minirnn.data.dialogues import DISTANCES, SPLITS, Dialogue, dialogues
from minirnn.data.histories import Talk
from minirnn.errors import InputError
from minirnn.metrics import perplexity
from minirnn.partner import Answer, Partner
from minirnn.training import Run
from minirnn.training.chatting import Chatting

SPARE = 10
"""Tokens that an answer may have beyond twice the longest of training."""
HISTORIES = ("true", "shuffled", "empty")


class Conversations(NamedTuple):
    """Conversations in three parts, each a list of turns, and of built-in dialogues what is asked in them."""

    train: list[list[str]]
    valid: list[list[str]]
    test: list[list[str]]
    truth: dict[str, list[Dialogue]]


def load(options: dict[str, Any]) -> Conversations:
    """The conversations that the options name.

    Raises:
        FileNotFoundError, InputError: a file is missing or damaged, or has too few conversations.
    """
    check(options)
    if options["data"]:
        found = read_conversations(options["data"])
        if len(found) < 3:
            raise InputError(f"{options['data']}: expected at least 3 conversations, found {len(found)}")
        train, valid, test = ([found[i] for i in part] for part in split(len(found), options["test-every"]))
        return Conversations(train, valid, test, {})
    truth = {name: dialogues(name, options["examples"] if name == "train" else None) for name in SPLITS}
    train, valid, test = ([one.turns for one in truth[name]] for name in SPLITS)
    return Conversations(train, valid, test, {name: truth[name] for name in ("valid", "test")})


def digest(conversations: Conversations) -> str:
    """What tells conversations from others."""
    sha256 = hashlib.sha256()
    for part in conversations[:3]:
        sha256.update(repr(part).encode("utf-8", "backslashreplace"))
    return sha256.hexdigest()


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds other conversations than its own, up to the name of the run."""
    return f"{options['data'] or 'the built-in dialogues'}: these are not the conversations that"


def learn(conversations: Conversations, options: dict[str, Any]) -> Learned:
    """What has to be known of the data."""
    texts = [turn for turns in conversations.train for turn in turns]
    limits = {"min_frequency": options["min-frequency"], "max_vocabulary": options["vocabulary"]}
    codec = Codec.build(texts, options["tokens"], options["clean"], **limits)
    longest = max(len(codec.encode(text, options["max-length"])) for text in texts)
    return Learned(codec, 2 * longest + SPARE)


def talk_of(part: Sequence[Sequence[str]], codec: Codec, options: dict[str, Any]) -> Talk:
    """A part as a model learns from it: of built-in dialogues the machine's turns are answers, of others all turns but
    the first."""
    ids = [[codec.encode(turn, options["max-length"]) for turn in turns] for turns in part]
    own = None if options["data"] else [(c, i) for c, turns in enumerate(part) for i in range(1, len(turns), 2)]
    return Talk(ids, own, turns_of(options))


def partner_of(model: Any, learned: Learned, options: dict[str, Any]) -> Partner:
    """What answers."""
    return Partner(model, learned.codec, turns_of(options), learned.max_length, options["max-length"])


def evaluate(run: Run, arguments: argparse.Namespace) -> None:
    """Print the measures of a run on its test part."""
    model, learned, options = load_chat(run, arguments.checkpoint, arguments.device)
    if options["data"]:
        conversations = load_again(run, options, load, digest, mismatch, "train it again")
    else:
        conversations = load({**options, "examples": 1})  # of the built-in ones the test part alone is needed
    measure(partner_of(model, learned, options), conversations, options)


def measure(partner: Partner, conversations: Conversations, options: dict[str, Any]) -> list[Answer]:
    """Print how good the answers of the test part are, and return them."""
    test = conversations.test
    talk = talk_of(test, partner.codec, options)
    _print_perplexities(partner, talk)
    started = time.perf_counter()
    answers = partner.answer([test[c][:i] for c, i in talk.answers])
    seconds = time.perf_counter() - started
    texts = [one.text for one in answers]
    words = [text.split() for text in texts]
    print(f"{len(answers):,} answers written in {seconds:.1f} s: distinct-1 {distinct(words, 1):.3f}, distinct-2 "
          f"{distinct(words, 2):.3f}")  # fmt: skip
    text, most = Counter(texts).most_common(1)[0]
    print(f"the most frequent is {100 * most / len(texts):.1f} % of them: {text!r}")
    if conversations.truth:
        _print_exact(partner.codec, talk, answers, conversations.truth["test"])
    return answers


def _print_perplexities(partner: Partner, talk: Talk) -> None:
    """With the true, the shuffled and no history, by how many turns were before the answer: a model that makes use of
    the history is surprised where it is another's."""
    task = Chatting(partner.model, talk, talk, batch_size=64, rng=np.random.default_rng(0))
    before = np.array([i for _, i in talk.answers])
    with no_grad():
        found = {history: task.nats(talk, history) for history in HISTORIES}
    print(f"{len(talk):,} answers of {len(talk.conversations):,} test conversations; perplexity, each token given the "
          "true ones before it")  # fmt: skip
    print(f"{'turns before':>16} {'answers':>8}" + "".join(f"{history:>12}" for history in HISTORIES))
    groups = [("all", 1, 10**9), ("1", 1, 1), ("2", 2, 2), ("3 to 4", 3, 4), ("5 to 8", 5, 8), ("9 or more", 9, 10**9)]
    for name, least, most in groups:
        at = (before >= least) & (before <= most)
        if at.any():
            costs = [perplexity(nats[at].sum(), tokens[at].sum()) for nats, tokens in found.values()]
            print(f"{name:>16} {at.sum():8,}" + "".join(f"{cost:12.3f}" for cost in costs))


def distinct(answers: Sequence[Sequence[str]], n: int) -> float:
    """The share of different n-grams among all n-grams of answers (Li et al. 2016)."""
    grams = [tuple(words[i : i + n]) for words in answers for i in range(len(words) - n + 1)]
    return len(set(grams)) / max(1, len(grams))


def exactly(codec: Codec, turn: str) -> str:
    """A turn as it comes out if it is written without a mistake."""
    return codec.decode(codec.encode(turn)[:-1])


class Asked(NamedTuple):
    """A question of a test dialogue, and what was answered.

    Attributes:
        distance, kind: of the question.
        right: whether the answer is, word for word.
        looked: whether, when the word was written that only the facts tell, the turn that was looked at most was one of
            the facts; None without attention, or where that word was not written.
    """

    distance: int
    kind: str
    right: bool
    looked: bool | None


def asked(codec: Codec, talk: Talk, answers: Sequence[Answer], truth: Sequence[Dialogue]) -> list[Asked]:
    """All questions of the dialogues."""
    answer_of = dict(zip(talk.answers, answers, strict=True))
    found = []
    for c, dialogue in enumerate(truth):
        for question in dialogue.questions:
            answer = answer_of[c, question.turn + 1]
            looked = None
            if answer.turns is not None and question.value in answer.tokens:
                weights = answer.turns[answer.tokens.index(question.value)]
                first = question.turn + 1 - len(weights)  # the oldest turn that the model looks back on
                looked = first + int(weights.argmax()) in question.facts
            right = answer.text == exactly(codec, dialogue.turns[question.turn + 1])
            found.append(Asked(question.distance, question.kind, right, looked))
    return found


def _print_exact(codec: Codec, talk: Talk, answers: Sequence[Answer], truth: Sequence[Dialogue]) -> None:
    """How often answers that need a turn further back are right, by how far back."""
    found = asked(codec, talk, answers, truth)

    def share(some: Sequence[bool | None]) -> str:
        return f"{100 * np.mean([bool(one) for one in some]):.1f} %" if len(some) else "none"

    by_distance = (f"{d}: {share([one.right for one in found if one.distance == d])}" for d in DISTANCES)
    kinds = sorted({one.kind for one in found})
    by_kind = (f"{kind}: {share([one.right for one in found if one.kind == kind])}" for kind in kinds)
    right = share([one.right for one in found])
    print(f"exact {right}  (of {len(found):,} questions whose answer was told further back)")
    print(f"  by turns back   {', '.join(by_distance)}")
    print(f"  by kind         {', '.join(by_kind)}")
    looked = [one.looked for one in found if one.looked is not None]
    if looked:
        print(f"looked most at a turn that tells the answer: {share(looked)}")
