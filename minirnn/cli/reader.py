"""A language model that reads a text to be looked at: a run's, or a small one that is trained for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minirnn import backend
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import one_hot
from minirnn.data import Vocabulary, built_in_text, tokenize
from minirnn.data.words import RULES
from minirnn.errors import InputError
from minirnn.models import LanguageModel
from minirnn.runs.lm import load_writer
from minirnn.training import Adam, LanguageModeling, Run, Trainer

TOKENS, HELD_OUT, EPOCHS, SIZE = 200_000, 2_000, 6, 64


class Reader(NamedTuple):
    """A model and what it needs to read.

    Attributes:
        model, vocabulary: of the language model.
        text: something to read: held out by the small model, the beginning of the training text of a run.
        tokens, clean, rules: what texts are cut into, how they are simplified, and the version of the rules for words.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    text: str
    tokens: str
    clean: str
    rules: int = RULES

    def cut(self, text: str) -> list[str]:
        """The tokens of a text.

        Raises:
            InputError: it has none.
        """
        pieces = tokenize(text if self.clean == "none" else text.lower(), self.tokens, self.rules)
        if not pieces:
            raise InputError("the text must have at least one token")
        return pieces

    def inputs(self, pieces: list[str]) -> np.ndarray:
        """What the recurrent layer reads: (T, 1, I)."""
        ids = self.vocabulary.encode(pieces)[:, None]
        with no_grad():
            if self.model.embedding is None:
                return one_hot(ids, self.model.vocabulary_size, self.model.output.weight.data).data
            return self.model.embedding(ids).data


def of_run(run: Run) -> Reader:
    """The model of a run of `train lm`.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    writer = load_writer(run)
    return Reader(writer.model, writer.vocabulary, writer.prefix, writer.tokens, writer.clean, writer.rules)


def small(cell: str) -> Reader:
    """A model of the built-in text, trained for some seconds."""
    pieces = tokenize(built_in_text(), "char")[:TOKENS]
    vocabulary, rng = Vocabulary.build(pieces, 1), backend.generator(0)
    model = LanguageModel(len(vocabulary), SIZE, cell=cell, embedding_size=32, rng=rng)
    ids = vocabulary.encode(pieces)
    train, valid = ids[:-HELD_OUT], ids[-HELD_OUT:]
    task = LanguageModeling(model, train, valid, batch_size=32, num_steps=50, rng=rng)
    Trainer(task, Adam(model.named_parameters(), 0.005), clip=1.0, validate_every=EPOCHS).train(EPOCHS)
    return Reader(model, vocabulary, "".join(pieces[-HELD_OUT:]), "char", "none")
