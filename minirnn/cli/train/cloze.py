"""`minirnn train cloze`: filling blanks from both sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.cells import cell_options, cell_settings
from minirnn.cli.lm import OPTIONS as LM_OPTIONS
from minirnn.cli.options import number, quoted, quoted_text
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.texts import Corpus, digest, hold_out, load_corpus, mismatch
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, Options, draw_losses, make_trainer, optimization_options, read_options
from minirnn.data import UNKNOWN, Vocabulary, detokenize
from minirnn.errors import InputError
from minirnn.models.cloze import SIDES, ClozeModel
from minirnn.training import Run, Trainer
from minirnn.training.cloze import Cloze, ClozeModels

BLANK = "_"
_SHARED = ("data", "tokens", "clean", "min-frequency", "valid-fraction", "dropout", "batch-size", "steps")
OPTIONS: Options = {
    **{name: LM_OPTIONS[name] for name in _SHARED},
    **cell_options("gru"),
    "max-tokens": (150_000, LM_OPTIONS["max-tokens"][1]),
    "hidden": (96, LM_OPTIONS["hidden"][1]),
    "embedding": (32, {"type": number(int, 1), "metavar": "N", "help": "features of the embedding"}),
    **optimization_options(lr=0.004, epochs=5),
}


def add_parser(tasks: Any) -> None:
    """Add `cloze` to the parser's `train` tasks."""
    command = Command("cloze", OPTIONS, RECIPE.begin, RECIPE.reopen, _announce, _report)
    command.add_to(
        tasks,
        "filling blanks from both sides",
        "Train three models to predict a token of a text from what stands to its left, to its right, and on both "
        "sides. Without options: about a minute on the English that ships with Python.",
        "minirnn train cloze --data book.txt --tokens word --min-frequency 3",
    )


def _learn(corpus: Corpus, options: dict[str, Any]) -> Vocabulary:
    return Vocabulary.build(corpus.tokens, options["min-frequency"])


def _keep(vocabulary: Vocabulary) -> dict[str, Any]:
    return {"vocabulary": vocabulary.tokens}


def read_vocabulary(run: Run) -> Vocabulary:
    """The vocabulary in a run's run.json.

    Raises:
        InputError: it is damaged.
    """
    try:
        vocabulary = Vocabulary(run.config["vocabulary"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.path / 'run.json'}: the vocabulary is damaged: {error!r}") from error
    if UNKNOWN not in vocabulary:
        raise InputError(f"{run.path / 'run.json'}: the vocabulary has no {UNKNOWN}")
    return vocabulary


def build_models(size: int, options: dict[str, Any], rng: np.random.Generator) -> ClozeModels:
    """The three models that a run's options describe, on their device, for a vocabulary of that size."""
    settings = {"embedding_size": options["embedding"], "dropout": options["dropout"], **cell_settings(options)}
    models = ClozeModels(**{s: ClozeModel(size, options["hidden"], sides=s, rng=rng, **settings) for s in SIDES})
    models.to(options["device"])
    return models


def _trainer(corpus: Corpus, vocabulary: Vocabulary, options: dict[str, Any], progress: bool) -> Trainer[Cloze]:
    rng = backend.generator(options["seed"])
    ids = hold_out(vocabulary.encode(corpus.tokens), options["valid-fraction"])
    sizes = {"batch_size": options["batch-size"], "num_steps": options["steps"]}
    task = Cloze(build_models(len(vocabulary), options, rng), *ids, **sizes, rng=rng)
    return make_trainer(task, options, progress)


RECIPE = Recipe(load_corpus, digest, mismatch, _trainer, _learn, _keep, read_vocabulary)


def _announce(trainer: Trainer[Cloze], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.corpus):,} tokens to learn from, {task.valid.size:,} held out; {options['cell']}, "
        f"{task.model.num_parameters():,} parameters in three models"
    )


def _report(run: Run, trainer: Trainer[Cloze]) -> None:
    """The three models side by side, and the loss curve."""
    best = trainer.best_row(*(f"{measure}_{sides}" for sides in SIDES for measure in ("perplexity", "accuracy")))
    if best is not None:
        print("\nheld-out tokens, each blanked in turn:\nsees   perplexity  accuracy")
        for sides in SIDES:
            print(f"{sides:5}  {best[f'perplexity_{sides}']:10.3f}  {100 * best[f'accuracy_{sides}']:7.2f} %")
    tell(attempt(draw_losses, run, trainer))
    print(f"\nmore: minirnn cloze {quoted(run.path)} {quoted_text(_example(run, trainer.task))}")


def _example(run: Run, task: Cloze) -> str:
    """A text with two blanks, such as the models have learned from: of their own, what was held out."""
    options, vocabulary = read_options(run, "cloze", OPTIONS), read_vocabulary(run)
    if not options["data"] and options["tokens"] == "char":
        return f"The stat{BLANK}ment is tr{BLANK}e."
    count = min(len(task.valid), 30 if options["tokens"] == "char" else 10)
    pieces = vocabulary.decode(task.valid[:count, 0])
    pieces[count // 3] = pieces[-(count // 3) - 1] = BLANK
    return detokenize(pieces, "char" if options["tokens"] == "char" else "space")
