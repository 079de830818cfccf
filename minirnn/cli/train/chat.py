"""`minirnn train chat`: train a model that answers in a conversation."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli import rewarding
from minirnn.cli.conversing import Conversations, digest, in_order, learn, load, measure, mismatch, talk_of
from minirnn.cli.options import quoted
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_schedule, make_trainer
from minirnn.data.vocabulary import UNKNOWN_ID
from minirnn.runs.chats import OPTIONS, Learned, build_model, load_chat, read_learned, turns_of
from minirnn.training import Run, Trainer
from minirnn.training.chatting import Chatting

CHANGEABLE = ("data", "epochs", "device", "save-every")
SHOWN = 3
"""Conversations of the test part that the report shows."""


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("chat", OPTIONS, RECIPE.begin, RECIPE.reopen, _announce, _report, CHANGEABLE, rewarding.OPTIONS)
    command.add_to(
        tasks,
        "answers in a conversation",
        "Train a model that answers with what was said before in mind. Without options: about three minutes on "
        "built-in dialogues, in which names, places and preferences are told and asked for later.",
        "minirnn train chat --data talk.jsonl --vocabulary 5000 --epochs 10",
    )


class _Chatting(Chatting):
    """The task with what the report needs beside it."""

    conversations: Conversations
    learned: Learned
    weights_used: int


def _trainer(
    conversations: Conversations, learned: Learned, options: dict[str, Any], progress: bool
) -> Trainer[_Chatting]:
    rng, codec = backend.generator(options["seed"]), learned.codec
    train, valid = (talk_of(part, learned, options) for part in (conversations.train, conversations.valid))
    dialogues = [] if options["model"] == "backward" else conversations.truth.get("valid", [])
    place = {answer: i for i, answer in enumerate(valid.answers)}
    asked = [place[c, question.turn + 1] for c, dialogue in enumerate(dialogues) for question in dialogue.questions]
    expected = {i: tuple(valid.batch([i]).Y[:-1, 0].tolist()) for i in asked}

    def judge(written: list[tuple[int, ...]]) -> dict[str, float]:
        right = [written[i] == ids and UNKNOWN_ID not in ids for i, ids in expected.items()]
        return {"valid_exact": float(np.mean(right))}

    task = _Chatting(
        build_model(learned, options, rng),
        train,
        valid,
        batch_size=options["batch-size"],
        rng=rng,
        max_length=learned.max_length,
        judge=judge if expected else None,
        to_words=codec.words,
    )
    task.conversations, task.learned = conversations, learned
    task.weights_used = task.model.num_parameters() * turns_of(options)
    answers = [in_order(conversations.train[c], options)[i] for c, i in train.answers]
    more: dict[str, Any] = {"schedule": make_schedule(options, task.num_batches)}
    more |= rewarding.train_on(task, options, lambda: [[codec.reference(text)] for text in answers], len(valid))
    return make_trainer(task, options, progress, **more)


RECIPE = Recipe(load, digest, mismatch, _trainer, learn, Learned.to_json, read_learned)


def _announce(trainer: Trainer[_Chatting], options: dict[str, Any]) -> str:
    task = trainer.task
    numbers = [len(part) for part in task.conversations[:3]]
    return (
        f"{numbers[0]:,} conversations with {len(task.talk):,} answers to learn from, {numbers[1]:,} held out, "
        f"{numbers[2]:,} to test with, {len(task.learned.codec.vocabulary):,} different tokens; {options['cell']}, "
        f"{options['model']}, {task.model.num_parameters():,} parameters"
    )


def _report(run: Run, trainer: Trainer[_Chatting]) -> None:
    """The measures on the test part, some conversations with what the model would have said, and the loss curve."""
    conversations = trainer.task.conversations
    model, learned, options = load_chat(run, device=trainer.task.model.parameters()[0].device)
    answers = measure(model, learned, conversations, options)
    answer_of = dict(zip(talk_of(conversations.test, learned, options).answers, answers, strict=True))
    for c in np.linspace(0, len(conversations.test) - 1, min(SHOWN, len(conversations.test))).astype(int).tolist():
        print()
        for i, turn in enumerate(in_order(conversations.test[c], options)[:12]):
            said = f"  | {answer_of[c, i].text}" if (c, i) in answer_of else ""
            print(f"  {'ab'[i % 2]}: {turn}{said}")
    print("\n(behind the bar what the model would have said)")
    tell(attempt(draw_losses, run, trainer))
    chat = f"RUN --beam 10 --rerank {quoted(run.path)}" if options["model"] == "backward" else quoted(run.path)
    print(f"\nmore: minirnn chat {chat}\n      minirnn evaluate {quoted(run.path)}")
