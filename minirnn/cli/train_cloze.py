"""`minirnn train cloze` and `minirnn cloze`: filling blanks from both sides."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.autograd import functional
from minirnn.autograd.tape import no_grad
from minirnn.cli.lm import OPTIONS as LM_OPTIONS
from minirnn.cli.options import number, path
from minirnn.cli.pictures import tell
from minirnn.cli.train_lm import corpus_text, corpus_tokens, digest
from minirnn.cli.training import (
    Command,
    Options,
    loop_settings,
    make_optimizer,
    optimization_options,
    read_options,
)
from minirnn.data import UNKNOWN, Vocabulary, detokenize, tokenize
from minirnn.errors import InputError
from minirnn.models.cloze import SIDES, ClozeModel
from minirnn.plots import plot_losses
from minirnn.training import Run, Trainer
from minirnn.training.cloze import Cloze, ClozeModels

BLANK = "_"
_SHARED = ("data", "tokens", "clean", "min-frequency", "valid-fraction", "cell", "dropout", "batch-size", "steps")
OPTIONS: Options = {
    **{name: LM_OPTIONS[name] for name in _SHARED},
    "max-tokens": (150_000, LM_OPTIONS["max-tokens"][1]),
    "hidden": (96, LM_OPTIONS["hidden"][1]),
    "embedding": (32, {"type": number(int, 1), "metavar": "N", "help": "features of the embedding"}),
    **optimization_options(lr=0.004, epochs=5),
}


def add_parser(tasks: Any) -> None:
    """Add `cloze` to the parser's `train` tasks."""
    command = Command("cloze", OPTIONS, ("data", "epochs", "device", "save-every"), _begin, _reopen, _announce, _report)
    command.add_to(
        tasks,
        "filling blanks from both sides",
        "Train three models to predict a token of a text from what stands to its left, to its right, and on both "
        "sides. Without options: about a minute on the English that ships with Python.",
        "minirnn train cloze --data book.txt --tokens word --min-frequency 3",
    )


def _begin(options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
    text = corpus_text(options)
    tokens = corpus_tokens(text, options)
    vocabulary = Vocabulary.build(tokens, options["min-frequency"])
    config = {"sha256": digest(text), "vocabulary": vocabulary.tokens}
    return _trainer(tokens, vocabulary, options, progress), config


def _reopen(run: Run, options: dict[str, Any], progress: bool) -> Trainer:
    text = corpus_text(options)
    if digest(text) != run.config.get("sha256"):
        raise InputError(f"{options['data'] or 'the built-in text'} is not the text that {run.path} was trained on")
    return _trainer(corpus_tokens(text, options), _vocabulary(run), options, progress)


def _vocabulary(run: Run) -> Vocabulary:
    try:
        vocabulary = Vocabulary(run.config["vocabulary"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.path / 'run.json'}: the vocabulary is damaged: {error!r}") from error
    if UNKNOWN not in vocabulary:
        raise InputError(f"{run.path / 'run.json'}: the vocabulary has no {UNKNOWN}")
    return vocabulary


def _build(size: int, options: dict[str, Any], rng: np.random.Generator) -> ClozeModels:
    settings = {"cell": options["cell"], "embedding_size": options["embedding"], "dropout": options["dropout"]}
    models = ClozeModels(**{s: ClozeModel(size, options["hidden"], sides=s, rng=rng, **settings) for s in SIDES})
    models.to(options["device"])
    return models


def _trainer(tokens: list[str], vocabulary: Vocabulary, options: dict[str, Any], progress: bool) -> Trainer[Cloze]:
    rng, ids = backend.generator(options["seed"]), vocabulary.encode(tokens)
    model = _build(len(vocabulary), options, rng)
    end = len(ids) - int(len(ids) * options["valid-fraction"])
    sizes = {"batch_size": options["batch-size"], "num_steps": options["steps"]}
    task = Cloze(model, ids[:end], ids[end:], **sizes, rng=rng)
    return Trainer(task, make_optimizer(model, options), **loop_settings(options), progress=progress)


def _announce(trainer: Trainer[Cloze], options: dict[str, Any]) -> str:
    task = trainer.task
    return (
        f"{len(task.corpus):,} tokens to learn from, {task.valid.size:,} held out; {options['cell']}, "
        f"{task.model.num_parameters():,} parameters in three models"
    )


def _report(run: Run, trainer: Trainer[Cloze]) -> None:
    """The three models side by side, and the loss curve."""
    best = min(trainer.history, key=lambda row: row["valid_loss"])
    print("\nheld-out tokens, each blanked in turn:\nsees   perplexity  accuracy")
    for sides in SIDES:
        print(f"{sides:5}  {best[f'perplexity_{sides}']:10.3f}  {100 * best[f'accuracy_{sides}']:7.2f} %")
    tell(plot_losses({run.path.name: trainer.history}, run.path / "loss.png"))
    print(f"\nmore: minirnn cloze {run.path} 'The stat{BLANK}ment is tr{BLANK}e.'")


class UseCommand:
    """`minirnn cloze`: fill the blanks of a text."""

    @staticmethod
    def add_parser(commands: Any) -> None:
        """Add the command to the parser."""
        parser = commands.add_parser(
            "cloze",
            help="fill the blanks of a text",
            description=f"Fill every {BLANK} of a text with the most probable token, and say how sure each model is.",
            epilog=f"example: minirnn cloze runs/cloze-1 'The stat{BLANK}ment is tr{BLANK}e.'",
        )
        parser.add_argument("RUN", type=path, help="a run of `train cloze`")
        parser.add_argument("TEXT", help=f"a text with blanks, each a {BLANK}; by word, with spaces around it")
        parser.set_defaults(run=use)


def use(arguments: argparse.Namespace) -> int:
    """Print the filled text, and the three best for every blank by what is seen."""
    run = Run(arguments.RUN)
    options, vocabulary = read_options(run, "cloze", OPTIONS), _vocabulary(run)
    models = _build(len(vocabulary), {**options, "device": "cpu"}, backend.generator(0))
    models.load_state_dict(run.model_state())
    models.eval()
    text = arguments.TEXT if options["clean"] == "none" else arguments.TEXT.lower()
    pieces = tokenize(text, options["tokens"])
    blanks = [t for t, piece in enumerate(pieces) if piece == BLANK]
    if not blanks:
        raise InputError(f"the text has no blank: write {BLANK} where a token is to be found")
    # Another blank is read as <unk>: nothing is known of it.
    ids = vocabulary.encode([UNKNOWN if piece == BLANK else piece for piece in pieces])
    found = {}
    for sides, model in models.models().items():
        with no_grad():
            log_probs = functional.log_softmax(model(ids[:, None])).data[:, 0]
        log_probs[:, vocabulary.ids[UNKNOWN]] = -np.inf
        found[sides] = np.exp(log_probs)
    for t in blanks:
        pieces[t] = vocabulary.tokens[int(found["both"][t].argmax())]
    print(detokenize(pieces, options["tokens"]))
    for number_, t in enumerate(blanks, 1):
        for sides, probs in found.items():
            best = np.argsort(-probs[t], kind="stable")[:3]
            shown = "  ".join(f"{vocabulary.tokens[i]!r} {probs[t][i]:.3f}" for i in best)
            print(f"  blank {number_}, seeing {sides:5}  {shown}")
    return 0
