"""A trained classifier together with its vocabulary and its labels: from texts to labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minirnn.arguments import integer, strings
from minirnn.data.text import tokenize
from minirnn.data.vocabulary import Vocabulary
from minirnn.data.words import RULES, compose
from minirnn.errors import InputError
from minirnn.models import SequenceClassifier
from minirnn.training.classification import predict

LONGEST_TOKEN = 100
"""Characters of a text that are looked at for each token that is read."""


@dataclass(frozen=True)
class Classified:
    """What a text was taken for.

    Attributes:
        label: the most probable label.
        probabilities: of every label, the most probable first.
    """

    label: str
    probabilities: dict[str, float]


class Classifier:
    """Labels texts.

    Args:
        model: a trained model, in evaluation mode.
        vocabulary: what it reads.
        labels: of its classes.
        tokens: what texts are cut into; see `minirnn.data.tokenize`.
        max_length: how many tokens of a text are read.
        rules: the version of the rules by which words are cut.

    Raises:
        InputError: the model is for other numbers of tokens or of labels, or the length is out of its range.
    """

    def __init__(
        self,
        model: SequenceClassifier,
        vocabulary: Vocabulary,
        labels: Sequence[str],
        tokens: str = "char",
        max_length: int = 1000,
        rules: int = RULES,
    ):
        if model.num_classes != len(labels):
            raise InputError(f"the model has {model.num_classes} classes, but there are {len(labels)} labels")
        self.model, self.vocabulary, self.labels = model, vocabulary, list(labels)
        self.tokens, self.max_length, self.rules = tokens, integer("max_length", max_length), rules

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Classifier({len(self.labels)} labels by {model})"

    def classify(self, texts: Sequence[str]) -> list[Classified]:
        """Label texts.

        Raises:
            InputError: the texts are a single string.
        """
        found = []
        for row in self.probabilities(texts):
            best = np.argsort(-row, kind="stable").tolist()
            found.append(Classified(self.labels[best[0]], {self.labels[i]: float(row[i]) for i in best}))
        return found

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The probabilities (texts, labels) of each label for each text. Raises as `classify`."""
        texts = strings("texts", texts)
        if not texts:
            return np.zeros((0, len(self.labels)), np.float32)
        return np.exp(predict(self.model, self.encode(texts)))

    def read(self, text: str) -> list[str]:
        """The tokens of a text, as many as are read."""
        return cut(text[: LONGEST_TOKEN * self.max_length], self.tokens, self.rules)[: self.max_length]

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of texts, as the model reads them."""
        return encode(texts, self.vocabulary, self.tokens, self.max_length, self.rules)


def encode(texts: Sequence[str], vocabulary: Vocabulary, tokens: str, most: int, rules: int) -> list[np.ndarray]:
    """The ids of texts, of which so many tokens are read: one endless text would make all that stand in its batch as
    long. A text without any token is a single <unk>, for there is no sequence without a step."""
    pieces = (cut(text[: LONGEST_TOKEN * most], tokens, rules)[:most] for text in texts)
    return [ids if len(ids) else np.zeros(1, np.int64) for ids in map(vocabulary.encode, pieces)]


def cut(text: str, tokens: str, rules: int) -> list[str]:
    """The tokens of a text. Characters too are those of the composed form: what is only read need not come back."""
    return tokenize(compose(text, rules), tokens, rules)
