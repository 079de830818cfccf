"""What `minirnn train cloze` can be told, what a run keeps of its data, and the models built from both."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn import backend
from minirnn.blanks import BlankFiller
from minirnn.data import UNKNOWN, Vocabulary
from minirnn.errors import InputError
from minirnn.models.cloze import SIDES, ClozeModel
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.lm import OPTIONS as LM_OPTIONS
from minirnn.runs.options import Options, number, optimization_options, read_options, read_rules
from minirnn.runs.weights import load_model
from minirnn.training import Run
from minirnn.training.cloze import ClozeModels

_SHARED = ("data", "tokens", "clean", "min-frequency", "valid-fraction", "dropout", "batch-size", "steps")
OPTIONS: Options = {
    **{name: LM_OPTIONS[name] for name in _SHARED},
    **cell_options("gru"),
    "max-tokens": (150_000, LM_OPTIONS["max-tokens"][1]),
    "hidden": (96, LM_OPTIONS["hidden"][1]),
    "embedding": (32, {"type": number(int, 1), "metavar": "N", "help": "features of the embedding"}),
    **optimization_options(lr=0.004, epochs=5),
}


def read_vocabulary(run: Run) -> Vocabulary:
    """The vocabulary in a run's run.json.

    Raises:
        InputError: it is damaged.
    """
    try:
        vocabulary = Vocabulary(run.config["vocabulary"])
    except (KeyError, TypeError, ValueError) as error:
        raise run.damaged(f"the vocabulary: {error!r}") from error
    if UNKNOWN not in vocabulary:
        raise InputError(f"{run.path / 'run.json'}: the vocabulary has no {UNKNOWN}")
    return vocabulary


def build_models(size: int, options: dict[str, Any], rng: np.random.Generator) -> ClozeModels:
    """The three models that a run's options describe, on their device, for a vocabulary of that size."""
    settings = {"embedding_size": options["embedding"], "dropout": options["dropout"], **cell_settings(options)}
    models = ClozeModels(**{s: ClozeModel(size, options["hidden"], sides=s, rng=rng, **settings) for s in SIDES})
    models.to(options["device"])
    return models


def load_blank_filler(run: Run, checkpoint: str = "best", device: str = "cpu") -> BlankFiller:
    """The trained models of a run with their vocabulary.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    options, vocabulary, rules = read_options(run, "cloze", OPTIONS), read_vocabulary(run), read_rules(run)
    options, size = {**options, "device": device}, len(vocabulary)
    model = load_model(run, lambda: build_models(size, options, backend.generator(0)), checkpoint)
    return BlankFiller(model, vocabulary, options["tokens"], options["clean"], rules)
