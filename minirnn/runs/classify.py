"""What `minirnn train classify` can be told, what a run keeps of its data, and the model built from both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.classifier import Classifier
from minirnn.data import Vocabulary
from minirnn.data.text import TOKENS
from minirnn.models.classifier import POOLINGS, SequenceClassifier
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.options import FLAG, Options, number, optimization_options, path, read_options, read_rules
from minirnn.runs.weights import load_model
from minirnn.training import Run

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


class Learned(NamedTuple):
    """What a run learns from its training texts when it begins, and the version of the rules by which it cuts words."""

    vocabulary: Vocabulary
    labels: list[str]
    rules: int

    def to_json(self) -> dict[str, Any]:
        """As run.json has it."""
        return {"vocabulary": self.vocabulary.tokens, "labels": self.labels}


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
        raise run.damaged(repr(error)) from error
    return Learned(vocabulary, labels, read_rules(run))


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


def load_classifier(run: Run, checkpoint: str = "best", device: str = "cpu") -> Classifier:
    """The trained model of a run with its vocabulary and its labels.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    options, learned = read_options(run, "classify", OPTIONS), read_learned(run)
    options = {**options, "device": device}
    model = load_model(run, lambda: build_model(learned, options, backend.generator(0)), checkpoint)
    return classifier_of(model, learned, options)


def classifier_of(model: SequenceClassifier, learned: Learned, options: dict[str, Any]) -> Classifier:
    """A model with what it reads and what it says."""
    reading = {"tokens": options["tokens"], "max_length": options["max-length"], "rules": learned.rules}
    return Classifier(model, learned.vocabulary, learned.labels, **reading)
