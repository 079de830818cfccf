"""A language model and its run directory: building it, loading it, letting it write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.cli.cells import cell_options, cell_settings
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import number, path
from minirnn.cli.runs import load_model
from minirnn.cli.texts import read_rules
from minirnn.cli.training import FLAG, Options, optimization_options, read_options
from minirnn.data import UNKNOWN, Vocabulary, detokenize, tokenize
from minirnn.data.text import CLEANING, TOKENS
from minirnn.decoding import generate
from minirnn.decoding.sampling import Choose
from minirnn.errors import InputError
from minirnn.layers.recurrent import RECURRENT_INITS
from minirnn.models import LanguageModel
from minirnn.training import Run

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
        raise InputError(f"{run_directory.path / 'run.json'}: damaged: {error}") from error


def build_model(vocabulary_size: int, options: dict[str, Any], rng: np.random.Generator) -> LanguageModel:
    """The language model a run's options describe, on their device."""
    model = LanguageModel(
        vocabulary_size,
        options["hidden"],
        **cell_settings(options),
        num_layers=options["layers"],
        embedding_size=options["embedding"] or None,
        dropout=options["dropout"],
        variational=options["variational"],
        recurrent_init=options["recurrent-init"],
        rng=rng,
    )
    model.to(options["device"])
    return model


def load_language_model(run_directory: Run, checkpoint: str, device: str) -> tuple[LanguageModel, Vocabulary]:
    """The trained model of a run, ready to be used, and its vocabulary.

    Raises:
        InputError: the run is not a language model's, or has no checkpoint.
    """
    config = read_config(run_directory)
    options, size = {**config.options, "device": device}, len(config.vocabulary)
    model = load_model(run_directory, lambda: build_model(size, options, backend.generator(0)), checkpoint)
    return model, config.vocabulary


def load_writer(
    run_directory: Run, prefix: str, checkpoint: str = "best", device: str = "cpu"
) -> Callable[[int, Choose], str]:
    """A function that continues `prefix` by so many tokens, chosen so, with the trained model of a run.

    Raises:
        InputError: the prefix is empty, or the run cannot be used; in writing, that the model gives no probabilities.
    """
    model, vocabulary = load_language_model(run_directory, checkpoint, device)
    config = read_config(run_directory)
    options = config.options
    pieces = tokenize(prefix if options["clean"] == "none" else prefix.lower(), options["tokens"], config.rules)
    if not pieces:
        raise InputError("the prefix must have at least one token")
    UnknownTokens(vocabulary).note(pieces)
    prefix_ids, unknown = vocabulary.encode(pieces).tolist(), vocabulary.ids[UNKNOWN]

    def step(tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        log_probs, state = model.step(tokens, state)
        if np.isnan(log_probs).any():
            raise InputError(f"the model in {run_directory.path} gives no probabilities: its training went wrong")
        log_probs[:, unknown] = -np.inf  # there is no text to print for it
        return log_probs, state

    def write(length: int, choose: Choose) -> str:
        ids = generate(step, prefix_ids, length, choose)[0]
        return detokenize([*pieces, *vocabulary.decode(ids)], options["tokens"])

    return write
