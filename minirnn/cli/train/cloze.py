"""`minirnn train cloze`: filling blanks from both sides."""

from __future__ import annotations

from typing import Any

from minirnn import backend
from minirnn.blanks import BLANK
from minirnn.cli.options import quoted, quoted_text
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.texts import Text, digest, hold_out, load_text, mismatch
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_trainer
from minirnn.data import Vocabulary, detokenize
from minirnn.models.cloze import SIDES
from minirnn.runs.cloze import OPTIONS, build_models, read_vocabulary
from minirnn.runs.options import read_options
from minirnn.training import Run, Trainer
from minirnn.training.cloze import Cloze


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


def _learn(text: Text, options: dict[str, Any]) -> Vocabulary:
    return text.ranks.first(lambda: Vocabulary.build(text.corpus.counts, options["min-frequency"]))


def _keep(vocabulary: Vocabulary) -> dict[str, Any]:
    return {"vocabulary": vocabulary.tokens}


def _trainer(text: Text, vocabulary: Vocabulary, options: dict[str, Any], progress: bool) -> Trainer[Cloze]:
    rng = backend.generator(options["seed"])
    ids = hold_out(text.encode(vocabulary), options["valid-fraction"])
    sizes = {"batch_size": options["batch-size"], "num_steps": options["steps"]}
    task = Cloze(build_models(len(vocabulary), options, rng), *ids, **sizes, rng=rng)
    return make_trainer(task, options, progress)


RECIPE = Recipe(load_text, digest, mismatch, _trainer, _learn, _keep, read_vocabulary)


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
