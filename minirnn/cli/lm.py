"""A language model and its run directory: building it, loading it, letting it write."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.data import UNKNOWN, Vocabulary, detokenize, tokenize
from minirnn.decoding import generate, greedy, sampler
from minirnn.errors import InputError
from minirnn.models import LanguageModel
from minirnn.training import Run


def build_model(vocabulary_size: int, options: dict[str, Any], rng: np.random.Generator) -> LanguageModel:
    """The language model a run's options describe, on their device."""
    model = LanguageModel(
        vocabulary_size,
        options["hidden"],
        cell=options["cell"],
        num_layers=options["layers"],
        embedding_size=options["embedding"] or None,
        dropout=options["dropout"],
        rng=rng,
    )
    model.to(options["device"])
    return model


def load_language_model(run_directory: Run, checkpoint: str, device: str) -> tuple[LanguageModel, Vocabulary]:
    """The trained model of a run, ready to be used, and its vocabulary.

    Raises:
        InputError: the run is not a language model's, or has no checkpoint.
    """
    if run_directory.config.get("task") != "lm":
        raise InputError(f"{run_directory.path} is a run of {run_directory.config.get('task')!r}, not of 'lm'")
    vocabulary = Vocabulary(run_directory.config["vocabulary"])
    options = {**run_directory.config["options"], "device": device}
    model = build_model(len(vocabulary), options, backend.generator(0))
    model.load_state_dict(run_directory.model_state(checkpoint))
    model.eval()
    return model, vocabulary


def continue_text(
    run_directory: Run,
    prefix: str,
    length: int,
    *,
    greedily: bool = False,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    checkpoint: str = "best",
    device: str = "cpu",
) -> str:
    """The prefix and what the model of a run writes after it.

    Raises:
        InputError: the prefix is empty, or an argument is out of range.
    """
    model, vocabulary = load_language_model(run_directory, checkpoint, device)
    options = run_directory.config["options"]
    pieces = tokenize(prefix if options["clean"] == "none" else prefix.lower(), options["tokens"])
    if not pieces:
        raise InputError("the prefix must have at least one token")
    if strangers := sorted({piece for piece in pieces if piece not in vocabulary}):
        print(f"note: not in the vocabulary, read as {UNKNOWN}: {' '.join(map(repr, strangers))}", file=sys.stderr)
    unknown = vocabulary.ids[UNKNOWN]

    def step(tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        log_probs, state = model.step(tokens, state)
        log_probs[:, unknown] = -np.inf  # there is no text to print for it
        return log_probs, state

    choose = greedy if greedily else sampler(backend.generator(seed), temperature, top_k, top_p)
    ids = generate(step, vocabulary.encode(pieces).tolist(), length, choose)[0]
    return detokenize([*pieces, *vocabulary.decode(ids)], options["tokens"])
