"""`minirnn train classify`: one label for each text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.classifier import Classifier, cut
from minirnn.cli.options import quoted
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_trainer
from minirnn.data import Vocabulary
from minirnn.data.labelled import Labelled, brackets, names, read_labelled
from minirnn.errors import InputError
from minirnn.runs.classify import OPTIONS, Learned, build_model, classifier_of, read_learned
from minirnn.training import Run, Trainer
from minirnn.training.classification import Classification

MOST_LABELS = 1000
"""More are texts that stand where labels should."""
MOST_SHOWN = 20
"""Labels in the table of confusions."""
Splits = tuple[list[Labelled], list[Labelled], list[Labelled]]


def add_parser(tasks: Any) -> None:
    """Add `classify` to the parser's `train` tasks."""
    command = Command("classify", OPTIONS, RECIPE.begin, RECIPE.reopen, _announce, _report)
    command.add_to(
        tasks,
        "a label for each text",
        "Train a recurrent network that reads a text from both sides and gives it a label. Without options: whether "
        "the brackets of a string close, less than a minute.",
        "minirnn train classify --data labelled.tsv --tokens word --epochs 5",
    )


def _splits(options: dict[str, Any]) -> Splits:
    """Training, validation and test examples; of a file a tenth each is held out, equal texts together."""
    if not options["data"]:
        if options["task"] == "names":
            return names(0)
        found = brackets(12_000)
        return found[2000:], found[:1000], found[1000:2000]
    by_text: dict[str, list[Labelled]] = {}
    for one in read_labelled(options["data"]):
        by_text.setdefault(one.text, []).append(one)
    texts = sorted(by_text)
    if len(texts) < 10:
        raise InputError(f"{options['data']}: expected at least 10 different texts, found {len(texts)}")
    order, tenth = np.random.default_rng(options["seed"]).permutation(len(texts)), len(texts) // 10
    parts = order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]
    train, valid, test = ([one for i in part for one in by_text[texts[i]]] for part in parts)
    return train, valid, test


def _digest(splits: Splits) -> str:
    lines = (f"{one.label}\t{one.text}" for split in splits for one in split)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _mismatch(options: dict[str, Any]) -> str:
    return f"{options['data'] or options['task']} is not what"


def _learn(splits: Splits, options: dict[str, Any]) -> Learned:
    rules = options["rules"]
    tokens = (token for one in splits[0] for token in cut(one.text, options["tokens"], rules))
    vocabulary = Vocabulary.build(tokens, options["min-frequency"])
    labels = sorted({one.label for one in splits[0]})
    if len(labels) < 2:
        raise InputError(f"expected at least two different labels, found only {labels[0]!r}")
    if len(labels) > MOST_LABELS:
        raise InputError(f"found {len(labels):,} different labels, such as {labels[0][:40]!r}, and expected at most "
                         f"{MOST_LABELS:,}: a line is a label, a tab and a text")  # fmt: skip
    return Learned(vocabulary, labels, rules)


class _Classification(Classification):
    """The task with what the report needs beside it."""

    test: list[Labelled]
    classifier: Classifier


def _trainer(splits: Splits, learned: Learned, options: dict[str, Any], progress: bool) -> Trainer[_Classification]:
    rng = backend.generator(options["seed"])
    classifier = classifier_of(build_model(learned, options, rng), learned, options)
    number_of = {label: i for i, label in enumerate(learned.labels)}
    # A label that training has not seen cannot be predicted; what has it is left out of the held-out parts.
    known = [[one for one in split if one.label in number_of] for split in splits]
    train, valid = (
        (classifier.encode([one.text for one in split]),
         np.array([number_of[one.label] for one in split], np.int64))
        for split in known[:2]
    )  # fmt: skip
    task = _Classification(classifier.model, train, valid, batch_size=options["batch-size"], rng=rng)
    task.test, task.classifier = known[2], classifier
    return make_trainer(task, options, progress)


RECIPE = Recipe(_splits, _digest, _mismatch, _trainer, _learn, Learned.to_json, read_learned)


def _announce(trainer: Trainer[_Classification], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.train_examples[0]):,} texts to learn from, {len(task.valid_examples[0]):,} held out, "
        f"{len(task.test):,} to be tested; {options['cell']}, {task.model.num_parameters():,} parameters"
    )


def _report(run: Run, trainer: Trainer[_Classification]) -> None:
    """Accuracy against always saying the most frequent label, the confusions, some errors, and the loss curve."""
    task = trainer.task
    labels = task.classifier.labels
    task.model.load_state_dict(run.model_state())
    texts, truth = [one.text for one in task.test], [one.label for one in task.test]
    if texts:
        said = [labels[i] for i in task.classifier.probabilities(texts).argmax(axis=1)]
        right = np.mean([a == b for a, b in zip(said, truth, strict=True)])
        most = Counter(labels[int(i)] for i in task.train_examples[1]).most_common(1)[0][0]
        always = np.mean([label == most for label in truth])
        always_most = f"always {shortened(most)!r}: {100 * always:.2f} %"
        print(f"accuracy on {len(texts):,} test texts: {100 * right:.2f} %; {always_most}\n")
        print(confusions(truth, said, labels))
        wrong = [(t, a, b) for t, a, b in zip(texts, truth, said, strict=True) if a != b][:5]
        for text, label, guess in wrong:
            print(f"  wrong: {shortened(text)!r} is {shortened(label)}, not {shortened(guess)}")
    tell(attempt(draw_losses, run, trainer))
    print(f"\nmore: minirnn classify {quoted(run.path)} TEXT")


def confusions(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> str:
    """A row for each label of the truth, a column for each that was said; of many labels, for the most frequent."""
    counts, frequent = Counter(zip(truth, said, strict=True)), dict(Counter(truth).most_common(MOST_SHOWN))
    shown = [label for label in labels if label in frequent] if len(labels) > MOST_SHOWN else labels
    names = [shortened(label) for label in shown]
    width = max(6, *map(len, names)) + 1
    lines = ["is \\ said".ljust(width) + "".join(name.rjust(width) for name in names)]
    for a, name in zip(shown, names, strict=True):
        lines.append(name.ljust(width) + "".join(str(counts[a, b]).rjust(width) for b in shown))
    if len(shown) < len(labels):
        lines.append(f"… and {len(labels) - len(shown)} labels more")
    return "\n".join(lines)


def shortened(text: str, most: int = 3 * MOST_SHOWN) -> str:
    """The text, or its beginning if it is long."""
    return text if len(text) <= most else text[: most - 1] + "…"
