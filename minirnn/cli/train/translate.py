"""`minirnn train translate`: train an encoder-decoder model on pairs of sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn import backend
from minirnn.cli import rewarding
from minirnn.cli.corpora import Corpora, digest, load_corpora, mismatch, test_pairs
from minirnn.cli.notes import EMPTY
from minirnn.cli.options import quoted, quoted_text
from minirnn.cli.pictures import Drawn, attempt, tell
from minirnn.cli.progress import Progress
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_trainer
from minirnn.cli.translate import BEAM_PENALTY
from minirnn.data import Codec, Pair, encode_pairs, length_histogram
from minirnn.decoding import power_penalty
from minirnn.errors import InputError
from minirnn.metrics import corpus_bleu, exact_match
from minirnn.plots import AttentionMap, plot_attentions, plot_lengths
from minirnn.runs.tasks import read_run_options
from minirnn.runs.translation import OPTIONS, build_codecs, build_model
from minirnn.runs.translators import load_translator, read_codecs
from minirnn.training import Run, Trainer, Translation
from minirnn.training.schedules import (
    FORCING,
    Schedule,
    TeacherForcing,
    constant_forcing,
    plateau,
    product,
    step_decay,
    warmup,
)
from minirnn.translator import MOST_TOKENS

CHANGEABLE = (
    *("data", "source", "target", "valid-data", "valid-source", "valid-target"),
    *("epochs", "patience", "device", "save-every"),
)


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("translate", OPTIONS, begin, RECIPE.reopen, announce, report, CHANGEABLE, rewarding.OPTIONS)
    command.add_to(
        tasks,
        "a translation model",
        "Train an encoder-decoder model on pairs of sentences and keep everything in a run directory. Without options: "
        "about two minutes on a built-in English-French grammar.",
        "minirnn train translate --data fra.txt --tokens bpe --hidden 256 --dropout 0.3 --epochs 20",
    )


SHORT = 50
"""Characters that a sentence may have to be proposed."""


class _Translation(Translation):
    """The task with the text of its pairs, for the report: the files may be gone by then."""

    def __init__(self, corpora: Corpora, codecs: tuple[Codec, Codec], *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.corpora, self.codecs = corpora, codecs


def begin(options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
    """What a run of translation, or of a generated task, begins with."""
    _check_company(options)
    return RECIPE.begin(options, progress)


def _check_company(options: dict[str, Any]) -> None:
    """An option that would change nothing without another was meant to change something.

    Raises:
        InputError: such an option is given alone.
    """
    attends = options["decoder"] == "attention"
    needs = {
        "score": (attends, "--decoder attention"),
        "normalize": (attends, "--decoder attention"),
        "attend": (attends, "--decoder attention"),
        "attention-size": (attends, "--decoder attention"),
        "attention-target": (options["attention-penalty"], "--attention-penalty"),
        "sampling-steps": (options["sampling"] != "none", "--sampling"),
        "decay": (options["decay-every"] or options["plateau"], "--decay-every or --plateau"),
    }
    for name, (company, what) in needs.items():
        if options[name] != OPTIONS[name][0] and not company:
            raise InputError(f"--{name} goes with {what}")


def _learn(corpora: Corpora, options: dict[str, Any]) -> tuple[Codec, Codec]:
    if options["monitor"] == "bleu" and not corpora.valid:
        raise InputError("--monitor bleu needs pairs that are held out: raise --valid-fraction, or give --valid-data")
    return build_codecs(corpora.train, options)


def _keep(codecs: tuple[Codec, Codec]) -> dict[str, Any]:
    return {"source": codecs[0].to_json(), "target": codecs[1].to_json()}


def _trainer(
    corpora: Corpora, codecs: tuple[Codec, Codec], options: dict[str, Any], progress: bool
) -> Trainer[_Translation]:
    source, target = codecs

    def cut(pairs: Sequence[Pair], max_length: int | None) -> Any:
        tokens = ((source.cut(pair.source), target.cut(pair.target)) for pair in pairs)
        return encode_pairs(tokens, source.vocabulary, target.vocabulary, max_length)

    rng = backend.generator(options["seed"])
    model = build_model(len(source.vocabulary), len(target.vocabulary), options, rng)
    task = _Translation(
        corpora,
        codecs,
        model,
        cut(corpora.train, options["max-length"]),
        cut(corpora.valid, MOST_TOKENS),
        batch_size=options["batch-size"],
        rng=rng,
        references=[target.reference(pair.target) for pair in corpora.valid],
        to_words=target.words,
        teacher_forcing=_teacher_forcing(options),
        label_smoothing=options["label-smoothing"],
        attention_penalty=options["attention-penalty"],
        attention_target=options["attention-target"],
    )
    more: dict[str, Any] = {"monitor": f"valid_{options['monitor']}", "patience": options["patience"]}
    more |= rewarding.train_on(task, options, lambda: _references(corpora, target), len(corpora.valid))
    more["schedule"] = _schedule(options, more["monitor"])
    return make_trainer(task, options, progress, **more)


def _references(corpora: Corpora, target: Codec) -> list[list[list[str]]]:
    return [[target.reference(pair.target)] for pair in corpora.train]


RECIPE = Recipe(load_corpora, digest, mismatch, _trainer, _learn, _keep, read_codecs)


def _teacher_forcing(options: dict[str, Any]) -> TeacherForcing:
    ratio = options["teacher-forcing"]
    if options["sampling"] == "none":
        return constant_forcing(ratio)
    return FORCING[options["sampling"]](options["sampling-steps"], 0.0 if ratio == 1 else ratio)


def _schedule(options: dict[str, Any], monitor: str) -> Schedule | None:
    schedules = []
    if options["warmup"] is not None:
        schedules.append(warmup(options["warmup"]))
    if options["decay-every"] is not None:
        schedules.append(step_decay(options["decay-every"], options["decay"]))
    if options["plateau"]:
        schedules.append(plateau(options["decay"], options["plateau"], monitor))
    return product(schedules) if schedules else None


def announce(trainer: Trainer[_Translation], options: dict[str, Any]) -> str:
    """The line before training."""
    task = trainer.task
    sizes = [len(codec.vocabulary) for codec in task.codecs]
    dropped = f" ({task.corpora.dropped:,} with an empty side left out)" if task.corpora.dropped else ""
    return (
        f"{len(task.train_pairs[0]):,} pairs to learn from, {len(task.valid_pairs[0]):,} held out{dropped}, "
        f"{sizes[0]:,} and {sizes[1]:,} different tokens; {options['cell']}, {options['decoder']}, "
        f"{task.model.num_parameters():,} parameters"
    )


def report(run: Run, trainer: Trainer[_Translation]) -> None:
    """The result in a few lines, the loss curve, and some translations with where they looked."""
    if trainer.stopped_early():
        print(f"stopped early: no new best for {trainer.patience} validations")
    options = read_run_options(run)
    translator = load_translator(run, device=options["device"])
    sources, targets = trainer.task.train_pairs
    lengths = {"source": [len(ids) for ids in sources], "target": [len(ids) for ids in targets]}
    pictures = [
        attempt(draw_losses, run, trainer, what="the loss"),
        attempt(plot_lengths, lengths, run.path / "lengths.png", what="the lengths"),
    ]
    pairs, what = test_pairs(options, trainer.task.corpora)
    if pairs:
        with Progress(f"translating {what}", len(pairs), unit="sentence") as doing:
            found = translator.translate([pair.source for pair in pairs], step=doing.step)
        references = [translator.target.reference(pair.target) for pair in pairs]
        written = [best[0].words for best in found]
        print(f"BLEU on {len(pairs):,} {what}: {corpus_bleu(written, references):.2f} (greedy)")
        if options.get("task"):
            print(f"exact match on {len(pairs):,} {what}: {100 * exact_match(written, references):.2f} % (greedy)")
        pictures += _show(run, translator, pairs)
    if not pictures[1].path:
        print(f"\nlengths, <eos> included:\n{length_histogram(lengths)}")
    tell(*pictures)
    example = quoted_text(example_of([pair.source for pair in pairs or trainer.task.corpora.train]))
    print(f"\nmore: minirnn translate {quoted(run.path)} {example} --beam 5")
    print(f"      minirnn evaluate {quoted(run.path)} --beam 5")


def example_of(sources: Sequence[str]) -> str:
    """Something to try a model on, of what it is for: one of these sentences, which is not long."""
    return next((source for source in sources if 3 <= len(source) <= SHORT), sources[0][:SHORT])


def _show(run: Run, translator: Any, pairs: Sequence[Pair]) -> list[Drawn]:
    """Up to ten translations, greedy beside beam search, and the attention of four, if the model has any."""
    count = min(10, len(pairs))
    some = [pairs[i * len(pairs) // count] for i in range(count)]
    sources = [pair.source for pair in some]
    wide = {"beam_size": 5, "length_penalty": power_penalty(BEAM_PENALTY)}
    with Progress("translating some of them with a beam"):
        greedy, beam = ([best[0] for best in translator.translate(sources, **how)] for how in ({}, wide))
    for pair, one, other in zip(some, greedy, beam, strict=True):
        print(f"\n  source     {pair.source}\n  reference  {pair.target}\n  greedy     {one.text or EMPTY}")
        print(f"  beam 5     {other.text or EMPTY}{'' if other.text != one.text else '  (the same)'}")
    maps = [AttentionMap(one.attention, one.source, one.target) for one in greedy if one.attention is not None]
    return [attempt(plot_attentions, maps[:4], run.path / "attention.png", what="where it looked")] if maps else []
