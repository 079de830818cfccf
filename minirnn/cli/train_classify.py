"""`minirnn train classify` and `minirnn classify`: one label for each text."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cells import CELL_NAMES
from minirnn.cli.options import number, path
from minirnn.cli.pictures import tell
from minirnn.cli.training import (
    FLAG,
    Command,
    Options,
    loop_settings,
    make_optimizer,
    optimization_options,
    read_options,
)
from minirnn.data import Vocabulary, tokenize
from minirnn.data.labelled import Labelled, brackets, names, read_labelled
from minirnn.data.text import TOKENS
from minirnn.errors import InputError
from minirnn.models.classifier import POOLINGS, SequenceClassifier
from minirnn.plots import plot_losses
from minirnn.training import Run, Trainer
from minirnn.training.classification import Classification, predict

_count: dict[str, Any] = {"type": number(int, 1), "metavar": "N"}
OPTIONS: Options = {
    "data": (None, {"type": path, "metavar": "FILE", "help": "label, tab, text in every line (default: --task)"}),
    "task": (
        "brackets",
        {"choices": ("brackets", "names"), "help": "do the brackets close; which of 12 languages is a name in"},
    ),
    "tokens": ("char", {"choices": TOKENS, "help": "what texts are cut into"}),
    "min-frequency": (1, {**_count, "help": "rarer tokens become <unk>"}),
    "cell": ("gru", {"choices": CELL_NAMES, "help": "the recurrent cell"}),
    "layers": (1, {**_count, "help": "recurrent layers"}),
    "hidden": (64, {**_count, "help": "units of each direction"}),
    "one-way": (False, {**FLAG, "help": "read from the left only"}),
    "pooling": ("last", {"choices": POOLINGS, "help": "what is read off: the last states, or the mean output"}),
    "embedding": (32, {**_count, "help": "features of the embedding"}),
    "dropout": (0.1, {"type": number(float, 0, 1), "metavar": "P", "help": "dropout probability"}),
    "batch-size": (64, {**_count, "help": "texts in a batch"}),
    **optimization_options(lr=0.003, epochs=8),
}
Splits = tuple[list[Labelled], list[Labelled], list[Labelled]]


def add_parser(tasks: Any) -> None:
    """Add `classify` to the parser's `train` tasks."""
    command = Command(
        "classify", OPTIONS, ("data", "epochs", "device", "save-every"), _begin, _reopen, _announce, _report
    )
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


def _begin(options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
    splits = _splits(options)
    vocabulary = Vocabulary.build((t for one in splits[0] for t in tokenize(one.text, options["tokens"])),
                                  options["min-frequency"])  # fmt: skip
    labels = sorted({one.label for one in splits[0]})
    if len(labels) < 2:
        raise InputError(f"expected at least two different labels, found only {labels[0]!r}")
    config = {"sha256": _digest(splits), "vocabulary": vocabulary.tokens, "labels": labels}
    return _trainer(splits, vocabulary, labels, options, progress), config


def _reopen(run: Run, options: dict[str, Any], progress: bool) -> Trainer:
    splits = _splits(options)
    if _digest(splits) != run.config.get("sha256"):
        raise InputError(f"{options['data'] or options['task']} is not what {run.path} was trained on")
    return _trainer(splits, *_read_config(run), options, progress)


def _read_config(run: Run) -> tuple[Vocabulary, list[str]]:
    try:
        labels = run.config["labels"]
        if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
            raise TypeError("the labels must be strings")
        return Vocabulary(run.config["vocabulary"]), labels
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.path / 'run.json'}: damaged: {error!r}") from error


def _encode(texts: Sequence[str], vocabulary: Vocabulary, tokens: str) -> list[np.ndarray]:
    """The ids of texts; one without any token is a single <unk>, for there is no sequence without a step."""
    encoded = [vocabulary.encode(tokenize(text, tokens)) for text in texts]
    return [ids if len(ids) else np.zeros(1, np.int64) for ids in encoded]


def _build(vocabulary: Vocabulary, labels: list[str], options: dict[str, Any], rng: Any) -> SequenceClassifier:
    model = SequenceClassifier(
        len(vocabulary),
        len(labels),
        options["hidden"],
        cell=options["cell"],
        num_layers=options["layers"],
        bidirectional=not options["one-way"],
        pooling=options["pooling"],
        embedding_size=options["embedding"],
        dropout=options["dropout"],
        rng=rng,
    )
    model.to(options["device"])
    return model


class _Classification(Classification):
    """The task with what the report needs beside it."""

    test: list[Labelled]


def _trainer(
    splits: Splits, vocabulary: Vocabulary, labels: list[str], options: dict[str, Any], progress: bool
) -> Trainer[_Classification]:
    rng = backend.generator(options["seed"])
    number_of = {label: i for i, label in enumerate(labels)}
    # A label that training has not seen cannot be predicted; what has it is left out of the held-out parts.
    known = [[one for one in split if one.label in number_of] for split in splits]
    train, valid = (
        (_encode([one.text for one in split], vocabulary, options["tokens"]),
         np.array([number_of[one.label] for one in split], np.int64))
        for split in known[:2]
    )  # fmt: skip
    model = _build(vocabulary, labels, options, rng)
    task = _Classification(model, train, valid, batch_size=options["batch-size"], rng=rng)
    task.test = known[2]
    return Trainer(task, make_optimizer(model, options), **loop_settings(options), progress=progress)


def _announce(trainer: Trainer[_Classification], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.train_examples[0]):,} texts to learn from, {len(task.valid_examples[0]):,} held out, "
        f"{len(task.test):,} to be tested; {options['cell']}, {task.model.num_parameters():,} parameters"
    )


def _report(run: Run, trainer: Trainer[_Classification]) -> None:
    """Accuracy against always saying the most frequent label, the confusions, some errors, and the loss curve."""
    task, options = trainer.task, run.config["options"]
    vocabulary, labels = _read_config(run)
    task.model.load_state_dict(run.model_state())
    texts, truth = [one.text for one in task.test], [one.label for one in task.test]
    if texts:
        log_probs = predict(task.model, _encode(texts, vocabulary, options["tokens"]))
        said = [labels[i] for i in log_probs.argmax(axis=1)]
        right = np.mean([a == b for a, b in zip(said, truth, strict=True)])
        most = Counter(labels[int(i)] for i in task.train_examples[1]).most_common(1)[0][0]
        always = np.mean([label == most for label in truth])
        print(f"accuracy on {len(texts):,} test texts: {100 * right:.2f} %; always {most!r}: {100 * always:.2f} %\n")
        print(confusions(truth, said, labels))
        wrong = [(t, a, b) for t, a, b in zip(texts, truth, said, strict=True) if a != b][:5]
        for text, label, guess in wrong:
            print(f"  wrong: {text!r} is {label}, not {guess}")
    tell(plot_losses({run.path.name: trainer.history}, run.path / "loss.png"))
    print(f"\nmore: minirnn classify {run.path} TEXT")


def confusions(truth: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> str:
    """A row for each label of the truth, a column for each that was said."""
    counts = Counter(zip(truth, said, strict=True))
    width = max(6, *(len(label) for label in labels)) + 1
    lines = ["is \\ said".ljust(width) + "".join(label.rjust(width) for label in labels)]
    lines += [a.ljust(width) + "".join(str(counts[a, b]).rjust(width) for b in labels) for a in labels]
    return "\n".join(lines)


class UseCommand:
    """`minirnn classify`: what a trained classifier says of texts."""

    @staticmethod
    def add_parser(commands: Any) -> None:
        """Add the command to the parser."""
        parser = commands.add_parser(
            "classify",
            help="label texts with a trained classifier",
            description="Label the texts given, or else the lines of the standard input, with probabilities.",
            epilog="example: minirnn classify runs/classify-1 '([]{})' '([)]'",
        )
        parser.add_argument("RUN", type=path, help="the run directory")
        parser.add_argument("TEXT", nargs="*", help="what to label (default: the lines of the standard input)")
        parser.set_defaults(run=use)


def use(arguments: argparse.Namespace) -> int:
    """Print a line for each text."""
    run = Run(arguments.RUN)
    options = read_options(run, "classify", OPTIONS)
    vocabulary, labels = _read_config(run)
    model = _build(vocabulary, labels, {**options, "device": "cpu"}, backend.generator(0))
    model.load_state_dict(run.model_state())
    model.eval()
    texts = arguments.TEXT or [line.rstrip("\r\n") for line in sys.stdin]
    if not texts:
        return 0
    for text, row in zip(texts, np.exp(predict(model, _encode(texts, vocabulary, options["tokens"]))), strict=True):
        best = np.argsort(-row, kind="stable")[:3]
        print(f"{text}\t" + "  ".join(f"{labels[i]} {row[i]:.3f}" for i in best))
    return 0
