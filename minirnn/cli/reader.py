"""A language model that reads a text to be looked at: a run's, or a small one that is trained for it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minirnn import backend
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import one_hot
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import path
from minirnn.cli.progress import Progress
from minirnn.cli.texts import digest, load_text, mismatch
from minirnn.data import Vocabulary, built_in_text, read_text, tokenize
from minirnn.data.reading import unify
from minirnn.data.words import RULES
from minirnn.errors import InputError
from minirnn.models import LanguageModel
from minirnn.runs.data import load_again
from minirnn.runs.lm import load_writer, read_config
from minirnn.training import Adam, LanguageModeling, Run, Trainer

TOKENS, HELD_OUT, EPOCHS, SIZE = 200_000, 2_000, 6, 64
READ = 2_000
"""Tokens of a text that are read."""
FEW = 200
"""Tokens that are too few to say anything of a model by: a correlation over so short a text is chance."""
ADVICE = "give a text with --text or --data"


class Reader(NamedTuple):
    """A model and what it needs to read.

    Attributes:
        model, vocabulary: of the language model.
        own: gives the tokens of a text that the model has not learned from, and what they are.
        tokens, clean, rules: what texts are cut into, how they are simplified, and the version of the rules for words.
    """

    model: LanguageModel
    vocabulary: Vocabulary
    own: Callable[[], tuple[list[str], str]]
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

    def read(self, arguments: argparse.Namespace) -> tuple[list[str], str]:
        """The tokens of the text that `add_text` lets a command be given, or of the model's own, at most `READ`; and a
        line that says how many they are, and of what.

        Raises:
            FileNotFoundError, InputError: the text cannot be read, or has no token.
        """
        if arguments.text is None and arguments.data is None:
            pieces, what = self.own()
        else:
            text = read_text(arguments.data) if arguments.text is None else arguments.text
            pieces, what = self.cut(text), arguments.data or "the text"
        pieces = pieces[:READ]
        return pieces, f"{len(pieces):,} token{'s' * (len(pieces) != 1)} read, of {what}"

    def inputs(self, pieces: list[str]) -> np.ndarray:
        """What the recurrent layer reads: (T, 1, I). Says what of it is unknown."""
        UnknownTokens(self.vocabulary).note(pieces)
        ids = self.vocabulary.encode(pieces)[:, None]
        with no_grad():
            if self.model.embedding is None:
                return one_hot(ids, self.model.vocabulary_size, self.model.parameters()[0].data).data
            return self.model.embedding(ids).data


def add_text(parser: argparse.ArgumentParser) -> None:
    """The options that name the text to read."""
    text = parser.add_mutually_exclusive_group()
    text.add_argument(
        "--text", type=unify, metavar="TEXT", help="what to read (default: from what the run held out of its text)"
    )
    text.add_argument("--data", type=path, metavar="FILE", help=f"or a file, of which at most {READ:,} tokens are read")


def of_run(run: Run) -> Reader:
    """The model of a run of `train lm`.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint; of `own`, that its text cannot be read
            again, or is another.
    """
    writer, config = load_writer(run), read_config(run)
    options = {**config.options, "rules": config.rules}

    def own() -> tuple[list[str], str]:
        with Progress("reading the data of the run"):
            corpus = load_again(run, options, load_text, digest, mismatch, ADVICE).corpus
        held_out = int(len(corpus) * options["valid-fraction"])
        if held_out >= min(READ, len(corpus) - held_out):
            start = len(corpus) - held_out
            return corpus.tokens(start, start + READ), "the text that the run held out"
        # Of the end some may have been learned from.
        return corpus.tokens(len(corpus) - READ, len(corpus)), "the end of the run's text"

    return Reader(writer.model, writer.vocabulary, own, writer.tokens, writer.clean, writer.rules)


def small(cell: str) -> Reader:
    """A model of the built-in text, trained for some seconds."""
    pieces = tokenize(built_in_text(), "char")[:TOKENS]
    vocabulary, rng = Vocabulary.build(pieces, 1), backend.generator(0)
    model = LanguageModel(len(vocabulary), SIZE, cell=cell, embedding_size=32, rng=rng)
    ids = vocabulary.encode(pieces)
    train, valid = ids[:-HELD_OUT], ids[-HELD_OUT:]
    task = LanguageModeling(model, train, valid, batch_size=32, num_steps=50, rng=rng)
    Trainer(task, Adam(model.named_parameters(), 0.005), clip=1.0, validate_every=EPOCHS).train(EPOCHS)
    return Reader(model, vocabulary, lambda: (pieces[-HELD_OUT:], "the built-in text, held out"), "char", "none")
