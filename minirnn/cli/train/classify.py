"""`minirnn train classify`: one label for each text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.cli.cells import cell_options, cell_settings
from minirnn.cli.options import number, path, quoted
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.texts import read_rules
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import FLAG, Command, Options, draw_losses, make_trainer, optimization_options, read_options
from minirnn.data import Vocabulary, tokenize
from minirnn.data.labelled import Labelled, brackets, names, read_labelled
from minirnn.data.text import TOKENS
from minirnn.data.words import compose
from minirnn.errors import InputError
from minirnn.models.classifier import POOLINGS, SequenceClassifier
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
    "max-length": (1000, {**_count, "help": "read the first N tokens of a text"}),
    **cell_options("gru"),
    "layers": (1, {**_count, "help": "recurrent layers"}),
    "hidden": (64, {**_count, "help": "units of each direction"}),
    "one-way": (False, {**FLAG, "help": "read from the left only"}),
    "pooling": ("last", {"choices": POOLINGS, "help": "what is read off: the last states, or the mean output"}),
    "embedding": (32, {**_count, "help": "features of the embedding"}),
    "dropout": (0.1, {"type": number(float, 0, 1), "metavar": "P", "help": "dropout probability"}),
    "batch-size": (64, {**_count, "help": "texts in a batch"}),
    **optimization_options(lr=0.003, epochs=8),
}
MOST_LABELS = 1000
"""More are texts that stand where labels should."""
MOST_SHOWN = 20
"""Labels in the table of confusions."""
LONGEST_TOKEN = 100
"""Characters of a text that are looked at for each token that is read."""
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


class Learned(NamedTuple):
    """What a run learns from its training texts when it begins, and the version of the rules by which it cuts words."""

    vocabulary: Vocabulary
    labels: list[str]
    rules: int


def _learn(splits: Splits, options: dict[str, Any]) -> Learned:
    rules = options["rules"]
    tokens = (token for one in splits[0] for token in _cut(one.text, options["tokens"], rules))
    vocabulary = Vocabulary.build(tokens, options["min-frequency"])
    labels = sorted({one.label for one in splits[0]})
    if len(labels) < 2:
        raise InputError(f"expected at least two different labels, found only {labels[0]!r}")
    if len(labels) > MOST_LABELS:
        raise InputError(f"found {len(labels):,} different labels, such as {labels[0][:40]!r}, and expected at most "
                         f"{MOST_LABELS:,}: a line is a label, a tab and a text")  # fmt: skip
    return Learned(vocabulary, labels, rules)


def _keep(learned: Learned) -> dict[str, Any]:
    return {"vocabulary": learned.vocabulary.tokens, "labels": learned.labels}


def read_learned(run: Run) -> Learned:
    """The vocabulary and the labels in a run's run.json.

    Raises:
        InputError: they are damaged.
    """
    try:
        labels = run.config["labels"]
        if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
            raise TypeError("the labels must be strings")
        vocabulary = Vocabulary(run.config["vocabulary"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.path / 'run.json'}: damaged: {error!r}") from error
    return Learned(vocabulary, labels, read_rules(run))


def encode(texts: Sequence[str], learned: Learned, options: Mapping[str, Any]) -> list[np.ndarray]:
    """The ids of texts, of which so many tokens are read as the options say: one endless text would make all that stand
    in its batch as long. A text without any token is a single <unk>, for there is no sequence without a step."""
    cut = (tokens_of(text, learned, options) for text in texts)
    return [ids if len(ids) else np.zeros(1, np.int64) for ids in map(learned.vocabulary.encode, cut)]


def tokens_of(text: str, learned: Learned, options: Mapping[str, Any]) -> list[str]:
    """The tokens of a text, as many as are read."""
    most = options["max-length"]
    return _cut(text[: LONGEST_TOKEN * most], options["tokens"], learned.rules)[:most]


def _cut(text: str, tokens: str, rules: int) -> list[str]:
    """The tokens of a text. Characters too are those of the composed form: what is only read need not come back."""
    return tokenize(compose(text, rules), tokens, rules)


def build_model(learned: Learned, options: dict[str, Any], rng: np.random.Generator) -> SequenceClassifier:
    """The classifier that a run's options describe, on their device."""
    model = SequenceClassifier(
        len(learned.vocabulary),
        len(learned.labels),
        options["hidden"],
        **cell_settings(options),
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


def _trainer(splits: Splits, learned: Learned, options: dict[str, Any], progress: bool) -> Trainer[_Classification]:
    rng = backend.generator(options["seed"])
    number_of = {label: i for i, label in enumerate(learned.labels)}
    # A label that training has not seen cannot be predicted; what has it is left out of the held-out parts.
    known = [[one for one in split if one.label in number_of] for split in splits]
    train, valid = (
        (encode([one.text for one in split], learned, options),
         np.array([number_of[one.label] for one in split], np.int64))
        for split in known[:2]
    )  # fmt: skip
    model = build_model(learned, options, rng)
    task = _Classification(model, train, valid, batch_size=options["batch-size"], rng=rng)
    task.test = known[2]
    return make_trainer(task, options, progress)


RECIPE = Recipe(_splits, _digest, _mismatch, _trainer, _learn, _keep, read_learned)


def _announce(trainer: Trainer[_Classification], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.train_examples[0]):,} texts to learn from, {len(task.valid_examples[0]):,} held out, "
        f"{len(task.test):,} to be tested; {options['cell']}, {task.model.num_parameters():,} parameters"
    )


def _report(run: Run, trainer: Trainer[_Classification]) -> None:
    """Accuracy against always saying the most frequent label, the confusions, some errors, and the loss curve."""
    task, options = trainer.task, read_options(run, "classify", OPTIONS)
    learned = read_learned(run)
    labels = learned.labels
    task.model.load_state_dict(run.model_state())
    texts, truth = [one.text for one in task.test], [one.label for one in task.test]
    if texts:
        log_probs = predict(task.model, encode(texts, learned, options))
        said = [labels[i] for i in log_probs.argmax(axis=1)]
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
