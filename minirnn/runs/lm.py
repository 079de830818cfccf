"""What `minirnn train lm` can be told, what a run keeps of its text, and the model built from both."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import numpy as np

from minirnn import backend
from minirnn.data import UNKNOWN, Vocabulary
from minirnn.data.text import CLEANING, TOKENS
from minirnn.errors import InputError
from minirnn.layers.adaptive_softmax import SMALLEST
from minirnn.layers.recurrent import RECURRENT_INITS
from minirnn.models import LanguageModel
from minirnn.models.language_model import Softmax
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.options import FLAG, Options, number, optimization_options, path, read_options, read_rules
from minirnn.runs.weights import load_model
from minirnn.training import Run
from minirnn.writer import Writer


def cutoffs(text: str) -> str:
    """An argparse type: where the clusters of an adaptive softmax begin, "A,B"."""
    try:
        found = _numbers(text)
    except ValueError:
        found = []
    if not found or found[0] < 1 or found != sorted({*found}):
        raise argparse.ArgumentTypeError(f"expected ascending whole numbers such as 2000,10000, found {text!r}")
    return ",".join(map(str, found))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


OPTIONS: Options = {
    "data": (
        None,
        {"type": path, "metavar": "FILE", "help": "a UTF-8 text; without it, the English that ships with Python"},
    ),
    "tokens": ("char", {"choices": TOKENS, "help": "what the text is cut into"}),
    "clean": ("none", {"choices": CLEANING, "help": "simplify the text: lower case, or lower-case letters only"}),
    "max-tokens": (None, {"type": number(int, 1), "metavar": "N", "help": "train on the first N tokens only"}),
    "min-frequency": (1, {"type": number(int, 1), "metavar": "N", "help": "rarer tokens become <unk>"}),
    "valid-fraction": (0.1, {"type": number(float, 0, 1), "metavar": "X", "help": "the end of the text to hold out"}),
    **cell_options("gru"),
    "layers": (1, {"type": number(int, 1), "metavar": "N", "help": "recurrent layers"}),
    "hidden": (256, {"type": number(int, 1), "metavar": "N", "help": "units in a layer"}),
    "embedding": (64, {"type": number(int, 0), "metavar": "N", "help": "features of the embedding; 0: one-hot"}),
    "dropout": (0.0, {"type": number(float, 0, 1), "metavar": "P", "help": "dropout probability"}),
    "variational": (False, {**FLAG, "help": "one dropout mask for all steps of a sequence"}),
    "recurrent-init": ("uniform", {"choices": RECURRENT_INITS, "help": "the first recurrent weights"}),
    "softmax": (
        "full",
        {"choices": get_args(Softmax), "help": "over all tokens; adaptive: faster, from 10,000 on"},
    ),
    "cutoffs": (
        None,
        {
            "type": cutoffs,
            "metavar": "A,B",
            "help": "of the adaptive softmax: how many tokens, the most frequent, come before its first cluster, "
            "before its second, … (default: a 25th and a fifth of the vocabulary)",
        },
    ),
    "batch-size": (32, {"type": number(int, 1), "metavar": "N", "help": "sequences in a batch"}),
    "steps": (64, {"type": number(int, 1), "metavar": "N", "help": "time steps that gradients flow back"}),
    "partition": ("sequential", {"choices": ("sequential", "random"), "help": "carry the state on, or cut anywhere"}),
    **optimization_options(lr=0.004, epochs=4),
}


class LanguageModelConfig(NamedTuple):
    """What the run.json of a language model says."""

    options: dict[str, Any]
    vocabulary: Vocabulary
    prefix: str
    sha256: str
    rules: int


def read_config(run_directory: Run) -> LanguageModelConfig:
    """The configuration of a run, every part of it checked. An option that the run does not have yet has its default.

    Raises:
        InputError: the run is not a language model's, or its run.json is damaged.
    """
    options, config = read_options(run_directory, "lm", OPTIONS), run_directory.config
    rules = read_rules(run_directory)
    try:
        if not all(isinstance(text, str) for text in (*config["vocabulary"], config["prefix"], config["sha256"])):
            raise TypeError("expected strings in vocabulary, prefix and sha256")
        if UNKNOWN not in config["vocabulary"]:
            raise ValueError(f"the vocabulary has no {UNKNOWN}")
        return LanguageModelConfig(options, Vocabulary(config["vocabulary"]), config["prefix"], config["sha256"], rules)
    except (KeyError, TypeError, ValueError) as error:
        raise run_directory.damaged(error) from error


def _softmax(vocabulary_size: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say of the output, as the model takes it.

    Raises:
        InputError: they do not go together, or not with so small a vocabulary.
    """
    kind, ends = options["softmax"], options["cutoffs"]
    if kind == "full":
        if ends is not None:
            raise InputError("--cutoffs goes with --softmax adaptive")
        return {}
    if ends is None and vocabulary_size < SMALLEST:
        raise InputError(
            f"--softmax adaptive is for large vocabularies, and this one has {vocabulary_size} tokens: leave it out"
        )
    chosen = None if ends is None else _numbers(ends)
    if chosen is not None and chosen[-1] >= vocabulary_size:
        raise InputError(f"--cutoffs must be below the {vocabulary_size} tokens of the vocabulary, not {ends}")
    return {"softmax": kind, "cutoffs": chosen}


def build_model(vocabulary_size: int, options: dict[str, Any], rng: np.random.Generator) -> LanguageModel:
    """The language model a run's options describe, on their device.

    Raises:
        InputError: the options do not go together, or not with so small a vocabulary.
    """
    model = LanguageModel(
        vocabulary_size,
        options["hidden"],
        **cell_settings(options),
        num_layers=options["layers"],
        embedding_size=options["embedding"] or None,
        dropout=options["dropout"],
        variational=options["variational"],
        recurrent_init=options["recurrent-init"],
        **_softmax(vocabulary_size, options),
        rng=rng,
    )
    model.to(options["device"])
    return model


def load_writer(run_directory: Run, checkpoint: str = "best", device: str = "cpu") -> Writer:
    """The trained model of a run with its vocabulary.

    Raises:
        InputError: the run is not a language model's, is damaged, or has no checkpoint.
    """
    config = read_config(run_directory)
    options, vocabulary = {**config.options, "device": device}, config.vocabulary
    model = load_model(run_directory, lambda: build_model(len(vocabulary), options, backend.generator(0)), checkpoint)
    return Writer(model, vocabulary, options["tokens"], options["clean"], config.prefix, config.rules)
