"""`minirnn train lm`: train a language model on a text."""

from __future__ import annotations

from typing import Any, NamedTuple

from minirnn import backend
from minirnn.cli.options import quoted
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.progress import Progress
from minirnn.cli.texts import Text, digest, hold_out, load_text, mismatch
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_trainer
from minirnn.data import Vocabulary, detokenize
from minirnn.errors import InputError
from minirnn.models import NGram
from minirnn.runs.lm import OPTIONS, build_model, load_writer, read_config
from minirnn.training import LanguageModeling, Run, Trainer


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("lm", OPTIONS, RECIPE.begin, RECIPE.reopen, _announce, _report, settle=_settle)
    command.add_to(
        tasks,
        "a language model",
        "Train a language model on a text, one character or word after the other, and keep everything in a "
        "run directory. Without options: about a minute on the English that ships with Python.",
        "minirnn train lm --data book.txt --cell lstm --layers 2 --dropout 0.2 --epochs 10",
    )


class Learned(NamedTuple):
    """What a run learns from its text when it begins."""

    vocabulary: Vocabulary
    prefix: str


class _LanguageModeling(LanguageModeling):
    """The task with its text and vocabulary, to be kept with the run."""

    def __init__(self, text: Text, vocabulary: Vocabulary, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.text, self.vocabulary = text, vocabulary


def _learn(text: Text, options: dict[str, Any]) -> Learned:
    return text.ranks.first(lambda: _learned(text, options))


def _learned(text: Text, options: dict[str, Any]) -> Learned:
    vocabulary = Vocabulary.build(text.corpus.counts, options["min-frequency"])
    if len(vocabulary) < 2:
        raise InputError(f"no token occurs {options['min-frequency']} times: lower --min-frequency")
    beginning = text.corpus.tokens(0, 20 if options["tokens"] == "char" else 4)
    return Learned(vocabulary, detokenize(beginning, options["tokens"]))


def _keep(learned: Learned) -> dict[str, Any]:
    return {"prefix": learned.prefix, "vocabulary": learned.vocabulary.tokens}


def _read(run: Run) -> Learned:
    config = read_config(run)
    return Learned(config.vocabulary, config.prefix)


def _trainer(text: Text, learned: Learned, options: dict[str, Any], progress: bool) -> Trainer[_LanguageModeling]:
    rng = backend.generator(options["seed"])
    model = build_model(len(learned.vocabulary), options, rng)
    task = _LanguageModeling(
        text,
        learned.vocabulary,
        model,
        *hold_out(text.encode(learned.vocabulary, until_kept=True), options["valid-fraction"]),
        batch_size=options["batch-size"],
        num_steps=options["steps"],
        partition=options["partition"],
        rng=rng,
    )
    return make_trainer(task, options, progress)


RECIPE = Recipe(load_text, digest, mismatch, _trainer, _learn, _keep, _read)


def _settle(run: Run, trainer: Trainer[_LanguageModeling]) -> None:
    """Keep the ids of a long text with the run, and learn from them where they lie."""
    task = trainer.task
    if (ids := task.text.keep(run, task.vocabulary)) is not None:
        task.corpus, task.valid = ids[: len(task.corpus)], ids[len(task.corpus) :]


def _announce(trainer: Trainer[LanguageModeling], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.corpus):,} tokens to learn from, {len(task.valid):,} held out, "
        f"{task.model.vocabulary_size} different; {options['cell']}, {task.model.num_parameters():,} parameters"
    )


COUNTED = 2_000_000
"""Tokens whose n-grams are counted: up to 5-grams of them, which takes some seconds and half a GB."""


def _baseline(task: LanguageModeling) -> str:
    """What counting n-grams gives on the same held-out text: what a network has to beat."""
    counted = task.corpus[:COUNTED]
    orders, found = range(1, min(5, len(counted)) + 1), []
    with Progress("counting n-grams, to compare with", len(orders), unit="order") as doing:
        for n in orders:
            found.append(NGram(counted, task.model.vocabulary_size, n).perplexity(task.valid))
            doing.step()
    of = "" if len(counted) == len(task.corpus) else f"the first {len(counted):,} tokens of "
    return f"n-gram models of {of}the same text (Kneser-Ney): " + ", ".join(
        f"{n}-gram {value:.3f}" for n, value in zip(orders, found, strict=True)
    )


def _report(run_directory: Run, trainer: Trainer) -> None:
    """The result in one line, the loss curve, and a sample."""
    last, best = trainer.history[-1], trainer.best_row("valid_perplexity")
    if best is not None:
        print(f"perplexity on held-out text: {best['valid_perplexity']:.3f} (best, after epoch {best['epoch']})")
        print(_baseline(trainer.task))
    if "train_perplexity" in last:
        print(f"perplexity on training text: {last['train_perplexity']:.3f} (last epoch)")
    tell(attempt(draw_losses, run_directory, trainer))
    writer = load_writer(run_directory, device=trainer.task.model.parameters()[0].device)
    print(f"\na sample, after {writer.prefix!r}:\n")
    print(writer.generate(length=300, temperature=0.8, seed=0))
    print(f"\nmore: minirnn generate {quoted(run_directory.path)} --prefix TEXT")
