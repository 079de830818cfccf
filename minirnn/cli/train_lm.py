"""`minirnn train lm`: train a language model on a text."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.lm import OPTIONS, build_model, load_writer, read_config
from minirnn.cli.training import Command, loop_settings, make_optimizer
from minirnn.data import Vocabulary, built_in_text, clean_text, detokenize, read_text, tokenize
from minirnn.decoding import sampler
from minirnn.errors import InputError
from minirnn.models import NGram
from minirnn.plots import plot_losses
from minirnn.training import LanguageModeling, Run, Trainer


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("lm", OPTIONS, ("data", "epochs", "device", "save-every"), _begin, _reopen, _announce, _report)
    command.add_to(
        tasks,
        "a language model",
        "Train a language model on a text, one character or word after the other, and keep everything in a "
        "run directory. Without options: about a minute on the English that ships with Python.",
        "minirnn train lm --data book.txt --cell lstm --layers 2 --dropout 0.2 --epochs 10",
    )


def _begin(options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
    text = corpus_text(options)
    tokens = corpus_tokens(text, options)
    vocabulary = Vocabulary.build(tokens, options["min-frequency"])
    if len(vocabulary) < 2:
        raise InputError(f"no token occurs {options['min-frequency']} times: lower --min-frequency")
    trainer = _trainer(vocabulary.encode(tokens), len(vocabulary), options, progress)
    config = {
        "sha256": digest(text),
        "prefix": detokenize(tokens[: 20 if options["tokens"] == "char" else 4], options["tokens"]),
        "vocabulary": vocabulary.tokens,
    }
    return trainer, config


def _reopen(run_directory: Run, options: dict[str, Any], progress: bool) -> Trainer:
    _, vocabulary, _, sha256 = read_config(run_directory)
    text = corpus_text(options)
    if digest(text) != sha256:
        what = options["data"] or "the built-in text"
        raise InputError(f"{what} is not the text that {run_directory.path} was trained on")
    return _trainer(vocabulary.encode(corpus_tokens(text, options)), len(vocabulary), options, progress)


def _announce(trainer: Trainer[LanguageModeling], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.corpus):,} tokens to learn from, {len(task.valid):,} held out, "
        f"{task.model.vocabulary_size} different; {options['cell']}, {task.model.num_parameters():,} parameters"
    )


def corpus_text(options: dict[str, Any]) -> str:
    """The text that the options name, simplified as they say."""
    return clean_text(read_text(options["data"]) if options["data"] else built_in_text(), options["clean"])


def corpus_tokens(text: str, options: dict[str, Any]) -> list[str]:
    """The tokens of the text that the run is about."""
    return tokenize(text, options["tokens"])[: options["max-tokens"]]


def digest(text: str) -> str:
    """What tells a text from others."""
    return hashlib.sha256(text.encode()).hexdigest()


def _trainer(
    ids: np.ndarray, vocabulary_size: int, options: dict[str, Any], progress: bool
) -> Trainer[LanguageModeling]:
    """The model, its task and the trainer that the options describe."""
    rng = backend.generator(options["seed"])
    model = build_model(vocabulary_size, options, rng)
    held_out = int(len(ids) * options["valid-fraction"])
    task = LanguageModeling(
        model,
        ids[: len(ids) - held_out],
        ids[len(ids) - held_out :],
        batch_size=options["batch-size"],
        num_steps=options["steps"],
        partition=options["partition"],
        rng=rng,
    )
    return Trainer(
        task,
        make_optimizer(model, options),
        **loop_settings(options),
        progress=progress,
    )


def _baseline(task: LanguageModeling) -> str:
    """What counting n-grams gives on the same held-out text: what a network has to beat."""
    orders = range(1, min(5, len(task.corpus)) + 1)
    found = [NGram(task.corpus, task.model.vocabulary_size, n).perplexity(task.valid) for n in orders]
    return "n-gram models of the same text (Kneser-Ney): " + ", ".join(
        f"{n}-gram {value:.3f}" for n, value in zip(orders, found, strict=True)
    )


def _report(run_directory: Run, trainer: Trainer) -> None:
    """The result in one line, the loss curve, and a sample."""
    last = trainer.history[-1]
    if "valid_perplexity" in last:
        best = min(trainer.history, key=lambda row: row["valid_loss"])
        print(f"perplexity on held-out text: {best['valid_perplexity']:.3f} (best, after epoch {best['epoch']})")
        print(_baseline(trainer.task))
    print(f"perplexity on training text: {last['train_perplexity']:.3f} (last epoch)")
    picture = plot_losses({run_directory.path.name: trainer.history}, run_directory.path / "loss.png")
    print(
        f"loss curve: {picture}"
        if picture
        else "no loss curve: matplotlib is not installed (pip install 'minirnn[plot]')"
    )
    prefix = read_config(run_directory).prefix
    print(f"\na sample, after {prefix!r}:\n")
    write = load_writer(run_directory, prefix, device=trainer.task.model.parameters()[0].device)
    print(write(300, sampler(backend.generator(0), temperature=0.8)))
    print(f"\nmore: minirnn generate {run_directory.path} --prefix TEXT")
