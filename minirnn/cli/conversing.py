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
from minirnn.cli.progress import Progress
from minirnn.data import Codec
from minirnn.data.conversations import read_conversations, split
from minirnn.data.dialogues import DISTANCES, SPLITS, Dialogue, dialogues
from minirnn.data.histories import Talk
from minirnn.data.strangers import Strangers, encode_conversation, with_placeholders
from minirnn.data.vocabulary import EOS_ID, UNKNOWN, UNKNOWN_ID
from minirnn.errors import InputError
from minirnn.metrics import perplexity
from minirnn.models import EncoderDecoder, NGram
from minirnn.partner import Answer, Partner
from minirnn.runs.chats import HIDDEN, PLACEHOLDERS, Learned, check, is_on, load_chat, partner_of, turns_of
from minirnn.runs.data import load_again
from minirnn.training import Run
from minirnn.training.chatting import nats_of

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
    count = PLACEHOLDERS if is_on(options, "copying") else 0
    return Learned(with_placeholders(codec, count) if count else codec, 2 * longest + SPARE, count)


def talk_of(part: Sequence[Sequence[str]], learned: Learned, options: dict[str, Any]) -> Talk:
    """A part as a model learns from it: of built-in dialogues the machine's turns are answers, of others all turns but
    the first. A backward model is told conversations from their ends to their beginnings."""
    codec, count = learned.codec, learned.placeholders
    ids = [in_order(encode_conversation(codec, count, turns, options["max-length"]), options) for turns in part]
    own = None if options["data"] else [(c, i) for c, turns in enumerate(part) for i in range(1, len(turns), 2)]
    if own and options["model"] == "backward":
        own = [(c, len(part[c]) - i) for c, i in own]
    strangers = Strangers(len(codec.vocabulary) - count, count, HIDDEN) if count else None
    return Talk(ids, own, turns_of(options), strangers)


def evaluate(run: Run, arguments: argparse.Namespace) -> None:
    """Print the measures of a run on its test part."""
    model, learned, options = load_chat(run, arguments.checkpoint, arguments.device)
    if options["data"]:
        with Progress("reading the data of the run"):
            conversations = load_again(run, options, load, digest, mismatch, "train it again")
    else:
        conversations = load({**options, "examples": 1})  # of the built-in ones the test part alone is needed
    measure(model, learned, conversations, options)


def measure(
    model: EncoderDecoder, learned: Learned, conversations: Conversations, options: dict[str, Any]
) -> list[Answer]:
    """Print how good the answers of the test part are, and return them."""
    test, partner = conversations.test, partner_of(model, learned, options)
    talk = talk_of(test, learned, options)
    counted = None if conversations.truth else talk_of(conversations.train, learned, options)
    _print_perplexities(model, talk, counted)
    started = time.perf_counter()
    with Progress(f"writing {len(talk):,} answers"):
        answers = partner.answer([in_order(test[c], options)[:i] for c, i in talk.answers])
    seconds = time.perf_counter() - started
    texts = [one.text for one in answers]
    words = [text.split() for text in texts]
    print(f"{len(answers):,} answers written in {seconds:.1f} s: distinct-1 {distinct(words, 1):.3f}, distinct-2 "
          f"{distinct(words, 2):.3f}")  # fmt: skip
    text, most = Counter(texts).most_common(1)[0]
    print(f"the most frequent is {100 * most / len(texts):.1f} % of them: {text!r}")
    if conversations.truth and options["model"] != "backward":
        truth, answer_of = conversations.truth["test"], dict(zip(talk.answers, answers, strict=True))
        _print_exact(
            asked(partner, truth, [answer_of[c, q.turn + 1] for c, one in enumerate(truth) for q in one.questions])
        )
        _print_unseen(partner, dialogues("test", len(truth), names="unseen"))
    return answers


def in_order(turns: Sequence[Any], options: dict[str, Any]) -> Sequence[Any]:
    """The turns of a conversation as the model is told them: a backward model from the end to the beginning."""
    return turns[::-1] if options["model"] == "backward" else turns


def _print_perplexities(model: EncoderDecoder, talk: Talk, counted: Talk | None) -> None:
    """With the true, the shuffled and no history, by how many turns were before the answer: a model that makes use of
    the history is surprised where it is another's. Beside it what models know that have counted words."""
    before = np.array([i for _, i in talk.answers])
    with no_grad(), Progress("measuring the perplexity, with other histories too"):
        found = {history: nats_of(model, talk, history=history) for history in HISTORIES}
    tokens = found["true"][1]
    costs = {history: nats for history, (nats, _) in found.items()}
    if counted is not None:
        size = len(model.decoder.output.weight)
        with Progress("counting n-grams, to compare with"):
            costs |= {name: _counted_nats(counted, talk, size, n) for name, n in (("bigram", 2), ("trigram", 3))}
    print(f"{len(talk):,} answers of {len(talk.conversations):,} test conversations; perplexity, each token given the "
          "true ones before it")  # fmt: skip
    print(f"{'turns before':>16} {'answers':>8}" + "".join(f"{name:>12}" for name in costs))
    groups = [("all", 1, 10**9), ("1", 1, 1), ("2", 2, 2), ("3 to 4", 3, 4), ("5 to 8", 5, 8), ("9 or more", 9, 10**9)]
    for name, least, most in groups:
        at = (before >= least) & (before <= most)
        if at.any():
            row = (perplexity(nats[at].sum(), tokens[at].sum()) for nats in costs.values())
            print(f"{name:>16} {at.sum():8,}" + "".join(f"{cost:12.3f}" for cost in row))
    if counted is not None:
        print("(true, shuffled and empty history; bigrams and trigrams of the training part, Witten-Bell)")


def _counted_nats(counted: Talk, talk: Talk, size: int, n: int) -> np.ndarray:
    """The negative log-likelihood of each answer of a talk under the n-grams of another, which go on from turn to turn,
    with so many different tokens; to them all strangers are one."""
    every = [np.concatenate([[EOS_ID], *turns]) for turns in (*counted.conversations, *talk.conversations)]
    if (strangers := talk.strangers) is not None:
        size, every = strangers.first, [np.where(ids < strangers.first, ids, UNKNOWN_ID) for ids in every]
    spoken, heard = every[: len(counted.conversations)], every[len(counted.conversations) :]
    model = NGram(np.concatenate(spoken), size, n, smoothing="witten-bell")
    scores = [np.append(0.0, np.cumsum(model.score(ids))) for ids in heard]
    ends = [np.cumsum([0, *map(len, turns)]) for turns in talk.conversations]
    return np.array([scores[c][ends[c][i]] - scores[c][ends[c][i + 1]] for c, i in talk.answers])


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
        looked: whether, when the word was written that only the facts tell, the turn that was looked at most was one
            that tells it; None without attention, or where that word was not written.
    """

    distance: int
    kind: str
    right: bool
    looked: bool | None


def asked(partner: Partner, truth: Sequence[Dialogue], answers: Sequence[Answer]) -> list[Asked]:
    """All questions of some dialogues, with the answers that were given to them, in the same order."""
    found = []
    questions = ((dialogue.turns, question) for dialogue in truth for question in dialogue.questions)
    for (turns, question), answer in zip(questions, answers, strict=True):
        looked = None
        if answer.turns is not None and question.value in answer.tokens:
            weights = answer.turns[answer.tokens.index(question.value)]
            first = question.turn + 1 - len(weights)  # the oldest turn that the model looks back on
            looked = first + int(weights.argmax()) in question.told
        right = answer.text == exactly(partner.codec_of(turns), turns[question.turn + 1])
        right = right and UNKNOWN not in answer.tokens
        found.append(Asked(question.distance, question.kind, right, looked))
    return found


def _share(some: Sequence[bool | None]) -> str:
    return f"{100 * np.mean([bool(one) for one in some]):.1f} %" if len(some) else "none"


def _print_exact(found: Sequence[Asked]) -> None:
    """How often answers that need a turn further back are right, by how far back."""
    by_distance = (f"{d}: {_share([one.right for one in found if one.distance == d])}" for d in DISTANCES)
    kinds = sorted({one.kind for one in found})
    by_kind = (f"{kind}: {_share([one.right for one in found if one.kind == kind])}" for kind in kinds)
    right = _share([one.right for one in found])
    print(f"exact {right}  (of {len(found):,} questions whose answer was told further back)")
    print(f"  by turns back   {', '.join(by_distance)}")
    print(f"  by kind         {', '.join(by_kind)}")
    looked = [one.looked for one in found if one.looked is not None]
    if looked:
        print(f"looked most at a turn that tells the answer: {_share(looked)}")


def _print_unseen(partner: Partner, strange: Sequence[Dialogue]) -> None:
    """The same for names that were never heard before."""
    histories = [one.turns[: question.turn + 1] for one in strange for question in one.questions]
    with Progress("answering those with unseen names"):
        found = asked(partner, strange, partner.answer(histories))
    print(f"exact with unseen names {_share([one.right for one in found])}  (of {len(found):,} questions)")
