"""`minirnn train lm`: train a language model on a text."""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.lm import OPTIONS, build_model, load_writer, read_config
from minirnn.cli.options import path
from minirnn.data import Vocabulary, built_in_text, clean_text, detokenize, read_text, tokenize
from minirnn.decoding import sampler
from minirnn.errors import InputError
from minirnn.plots import plot_losses
from minirnn.training import OPTIMIZERS, LanguageModeling, Run, Trainer

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
    parser.add_argument(
        "--out", type=path, metavar="DIR", help="the run directory to make (default: runs/lm-1, runs/lm-2, and so on)"
    )
    parser.add_argument(
        "--resume", type=path, metavar="RUN", help="go on with an interrupted run, or with more --epochs"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, or go on training, and show what came of it."""
    given = {name: value for name in OPTIONS if (value := vars(arguments).get(name.replace("-", "_"))) is not None}
    if arguments.resume is not None:
        if arguments.out is not None:
            raise InputError("--out does not go with --resume: the run stays in its directory")
        run_directory, trainer, options = _reopen(Path(arguments.resume), given, not arguments.quiet)
    else:
        run_directory, trainer, options = _begin(arguments.out, given, not arguments.quiet)
    with run_directory.lock():
        if arguments.resume is not None:
            trainer.resume()
            run_directory.update({"options": options})
        return _train(run_directory, trainer, options)


def _begin(out: str | None, given: dict[str, Any], progress: bool) -> tuple[Run, Trainer, dict[str, Any]]:
    """A new run directory, made only when everything else is known to be right, and its trainer."""
    options = {name: given.get(name, default) for name, (default, _) in OPTIONS.items()}
    backend.library(options["device"])  # a missing GPU is said before any work is done
    text = _text(options)
    tokens = _tokens(text, options)
    vocabulary = Vocabulary.build(tokens, options["min-frequency"])
    if len(vocabulary) < 2:
        raise InputError(f"no token occurs {options['min-frequency']} times: lower --min-frequency")
    trainer = _trainer(vocabulary.encode(tokens), len(vocabulary), options, progress)
    if options["data"]:  # absolute, so that --resume finds it from anywhere
        options["data"] = str(Path(options["data"]).resolve())
    config = {
        "task": "lm",
        "options": options,
        "sha256": _digest(text),
        "prefix": detokenize(tokens[: 20 if options["tokens"] == "char" else 4], options["tokens"]),
        "vocabulary": vocabulary.tokens,
    }
    trainer.run = Run.create(out, config) if out is not None else Run.create_numbered("runs/lm", config)
    return trainer.run, trainer, options


def _reopen(path: Path, given: dict[str, Any], progress: bool) -> tuple[Run, Trainer, dict[str, Any]]:
    """An existing run, with the few options that may change changed, and its trainer."""
    run_directory = Run(path)
    options, vocabulary, _, sha256 = read_config(run_directory)
    for name in given:
        if name not in CHANGEABLE:
            raise InputError(f"--{name} cannot change on --resume; only --{', --'.join(CHANGEABLE)} can")
    options |= given
    backend.library(options["device"])
    source = options["data"]
    if source and "data" not in given and Path(source).exists() and not Path(source).is_file():  # a pipe, perhaps
        raise InputError(f"{source} is not a file that can be read again: name the text with --data")
    text = _text(options)
    if _digest(text) != sha256:
        raise InputError(f"{options['data'] or 'the built-in text'} is not the text that {path} was trained on")
    trainer = _trainer(vocabulary.encode(_tokens(text, options)), len(vocabulary), options, progress)
    if options["data"]:
        options["data"] = str(Path(options["data"]).resolve())
    trainer.run = run_directory
    return run_directory, trainer, options


def _train(run_directory: Run, trainer: Trainer, options: dict[str, Any]) -> int:
    task = trainer.task
    print(
        f"{run_directory.path}: {len(task.corpus):,} tokens to learn from, {len(task.valid):,} held out, "
        f"{task.model.vocabulary_size} different; {options['cell']}, {task.model.num_parameters():,} parameters",
        flush=True,
    )
    try:
        trainer.train(options["epochs"])
    except KeyboardInterrupt:
        again = shlex.join(["minirnn", "train", "lm", "--resume", str(run_directory.path)])
        print(f"\ninterrupted; go on with: {again}", file=sys.stderr)
        return 130
    _report(run_directory, trainer)
    return 0


def _text(options: dict[str, Any]) -> str:
    return clean_text(read_text(options["data"]) if options["data"] else built_in_text(), options["clean"])


def _tokens(text: str, options: dict[str, Any]) -> list[str]:
    return tokenize(text, options["tokens"])[: options["max-tokens"]]


def _digest(text: str) -> str:
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
    if options["momentum"] and options["optimizer"] != "sgd":
        raise InputError(f"--momentum goes with --optimizer sgd, not with {options['optimizer']}")
    extra = {"momentum": options["momentum"]} if options["optimizer"] == "sgd" else {}
    if options["weight-decay"] is not None:
        extra["weight_decay"] = options["weight-decay"]
    optimizer = OPTIMIZERS[options["optimizer"]](model.named_parameters(), options["lr"], **extra)
    trainer = Trainer(
        task,
        optimizer,
        seed=options["seed"],
        clip=options["clip"],
        validate_every=options["validate-every"],
        save_every=options["save-every"],
        progress=progress,
    )
    return trainer


def _report(run_directory: Run, trainer: Trainer) -> None:
    """The result in one line, the loss curve, and a sample."""
    if not trainer.history:
        print(f"nothing has been validated yet: go on with more --epochs (so far {trainer.place.epoch})")
        return
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
    prefix = read_config(run_directory).prefix
    print(f"\na sample, after {prefix!r}:\n")
    write = load_writer(run_directory, prefix, device=trainer.task.model.parameters()[0].device)
    print(write(300, sampler(backend.generator(0), temperature=0.8)))
    print(f"\nmore: minirnn generate {run_directory.path} --prefix TEXT")
