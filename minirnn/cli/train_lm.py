"""`minirnn train lm`: train a language model on a text."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cells import CELL_NAMES
from minirnn.cli.lm import build_model, continue_text
from minirnn.cli.options import number
from minirnn.data import Vocabulary, built_in_text, clean_text, detokenize, read_text, tokenize
from minirnn.data.text import CLEANING, TOKENS
from minirnn.errors import InputError
from minirnn.plots import plot_losses
from minirnn.training import OPTIMIZERS, LanguageModeling, Run, Trainer

# option: (default, argparse settings). Nothing is set by argparse itself, so that --resume can tell what was asked for.
OPTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "data": (None, {"metavar": "FILE", "help": "a UTF-8 text; without it, the English that ships with Python"}),
    "tokens": ("char", {"choices": TOKENS, "help": "what the text is cut into"}),
    "clean": ("none", {"choices": CLEANING, "help": "simplify the text: lower case, or lower-case letters only"}),
    "max-tokens": (None, {"type": number(int, 1), "metavar": "N", "help": "train on the first N tokens only"}),
    "min-frequency": (1, {"type": number(int, 1), "metavar": "N", "help": "rarer tokens become <unk>"}),
    "valid-fraction": (0.1, {"type": number(float, 0, 1), "metavar": "X", "help": "the end of the text to hold out"}),
    "cell": ("gru", {"choices": CELL_NAMES, "help": "the recurrent cell"}),
    "layers": (1, {"type": number(int, 1), "metavar": "N", "help": "recurrent layers"}),
    "hidden": (256, {"type": number(int, 1), "metavar": "N", "help": "units in a layer"}),
    "embedding": (64, {"type": number(int, 0), "metavar": "N", "help": "features of the embedding; 0: one-hot"}),
    "dropout": (0.0, {"type": number(float, 0, 1), "metavar": "P", "help": "dropout probability"}),
    "batch-size": (32, {"type": number(int, 1), "metavar": "N", "help": "sequences in a batch"}),
    "steps": (64, {"type": number(int, 1), "metavar": "N", "help": "time steps that gradients flow back"}),
    "partition": ("sequential", {"choices": ("sequential", "random"), "help": "carry the state on, or cut anywhere"}),
    "optimizer": ("adam", {"choices": tuple(OPTIMIZERS), "help": "the optimiser"}),
    "lr": (0.004, {"type": number(float, 0), "metavar": "X", "help": "the learning rate"}),
    "momentum": (0.0, {"type": number(float, 0, 1), "metavar": "X", "help": "momentum, for sgd"}),
    "weight-decay": (0.0, {"type": number(float, 0), "metavar": "X", "help": "weight decay"}),
    "clip": (1.0, {"type": number(float, above=0), "metavar": "X", "help": "the largest gradient norm"}),
    "epochs": (4, {"type": number(int, 1), "metavar": "N", "help": "passes through the text"}),
    "validate-every": (1, {"type": number(int, 1), "metavar": "N", "help": "epochs between validations"}),
    "save-every": (
        10.0,
        {"type": number(float, 0), "metavar": "SECONDS", "help": "between checkpoints to resume from"},
    ),
    "seed": (0, {"type": number(int, 0), "metavar": "N", "help": "of all randomness"}),
    "device": ("cpu", {"choices": backend.DEVICES, "help": "where to compute"}),
}
CHANGEABLE = ("data", "epochs", "device", "save-every")  # together with --resume


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    parser = tasks.add_parser(
        "lm",
        help="a language model",
        description="Train a language model on a text, one character or word after the other, and keep everything in a "
        "run directory. Without options: about a minute on the English that ships with Python.",
        epilog="example: minirnn train lm --data book.txt --cell lstm --layers 2 --dropout 0.2 --epochs 10",
    )
    for name, (default, settings) in OPTIONS.items():
        text = settings["help"] + ("" if default is None else f" (default: {default})")
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS, **{**settings, "help": text})
    parser.add_argument("--out", metavar="DIR", help="the run directory to make (default: runs/lm-1, runs/lm-2, …)")
    parser.add_argument("--resume", metavar="RUN", help="go on with an interrupted run, or with more --epochs")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, or go on training, and show what came of it."""
    given = {name: value for name in OPTIONS if (value := vars(arguments).get(name.replace("-", "_"))) is not None}
    if arguments.resume:
        if arguments.out:
            raise InputError("--out does not go with --resume: the run stays in its directory")
        run_directory, options = _reopen(Path(arguments.resume), given)
    else:
        run_directory, options = None, {name: given.get(name, default) for name, (default, _) in OPTIONS.items()}
    backend.library(options["device"])  # a missing GPU is said before any work is done

    text = _text(options)
    tokens = tokenize(text, options["tokens"])[: options["max-tokens"]]
    vocabulary = (
        Vocabulary(run_directory.config["vocabulary"])
        if run_directory
        else Vocabulary.build(tokens, options["min-frequency"])
    )
    if run_directory and run_directory.config["sha256"] != _digest(text):
        raise InputError(
            f"{options['data'] or 'the built-in text'} is not the text that {run_directory.path} was trained on"
        )
    trainer, task = _trainer(vocabulary.encode(tokens), len(vocabulary), options, not arguments.quiet)
    if run_directory is None:
        prefix = detokenize(tokens[: 20 if options["tokens"] == "char" else 4], options["tokens"])
        if options["data"]:  # absolute, so that --resume finds it from anywhere
            options["data"] = str(Path(options["data"]).resolve())
        config = {"task": "lm", "options": options, "sha256": _digest(text), "prefix": prefix}
        where = Path(arguments.out) if arguments.out else _next_free("runs/lm")
        run_directory = Run.create(where, {**config, "vocabulary": vocabulary.tokens})
        trainer.run = run_directory
    else:
        trainer.run = run_directory
        trainer.resume()
    print(
        f"{run_directory.path}: {len(task.corpus):,} tokens to learn from, {len(task.valid):,} held out, "
        f"{len(vocabulary)} different; {options['cell']}, {task.model.num_parameters():,} parameters"
    )
    try:
        trainer.train(options["epochs"])
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with: minirnn train lm --resume {run_directory.path}", file=sys.stderr)
        return 130
    _report(run_directory, trainer)
    return 0


def _reopen(path: Path, given: dict[str, Any]) -> tuple[Run, dict[str, Any]]:
    """The run to go on with and its options, with the few that may change changed."""
    run_directory = Run(path)
    if run_directory.config.get("task") != "lm":
        raise InputError(f"{path} is a run of {run_directory.config.get('task')!r}, not of 'lm'")
    for name in given:
        if name not in CHANGEABLE:
            raise InputError(f"--{name} cannot change on --resume; only --{', --'.join(CHANGEABLE)} can")
    return run_directory, {**run_directory.config["options"], **given}


def _text(options: dict[str, Any]) -> str:
    return clean_text(read_text(options["data"]) if options["data"] else built_in_text(), options["clean"])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _next_free(stem: str) -> Path:
    number = 1
    while Path(f"{stem}-{number}").exists():
        number += 1
    return Path(f"{stem}-{number}")


def _trainer(
    ids: np.ndarray, vocabulary_size: int, options: dict[str, Any], progress: bool
) -> tuple[Trainer, LanguageModeling]:
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
    extra = {"momentum": options["momentum"]} if options["optimizer"] == "sgd" else {}
    if options["momentum"] and not extra:
        raise InputError(f"--momentum goes with --optimizer sgd, not with {options['optimizer']}")
    optimizer = OPTIMIZERS[options["optimizer"]](
        model.named_parameters(), options["lr"], weight_decay=options["weight-decay"], **extra
    )
    trainer = Trainer(
        task,
        optimizer,
        seed=options["seed"],
        clip=options["clip"],
        validate_every=options["validate-every"],
        save_every=options["save-every"],
        progress=progress,
    )
    return trainer, task


def _report(run_directory: Run, trainer: Trainer) -> None:
    """The result in one line, the loss curve, and a sample."""
    last = trainer.history[-1]
    if "valid_perplexity" in last:
        best = min(trainer.history, key=lambda row: row["valid_loss"])
        print(f"perplexity on held-out text: {best['valid_perplexity']:.3f} (best, after epoch {best['epoch']})")
    print(f"perplexity on training text: {last['train_perplexity']:.3f} (last epoch)")
    picture = plot_losses({run_directory.path.name: trainer.history}, run_directory.path / "loss.png")
    print(
        f"loss curve: {picture}"
        if picture
        else "no loss curve: matplotlib is not installed (pip install 'minirnn[plot]')"
    )
    print(f"\na sample, after {run_directory.config['prefix']!r}:\n")
    print(
        continue_text(
            run_directory, run_directory.config["prefix"], 300, device=trainer.task.model.parameters()[0].device
        )
    )
    print(f"\nmore: minirnn generate {run_directory.path} --prefix TEXT")
