"""What all `minirnn train` commands share: options, beginning a run, resuming one, interrupting it."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minirnn import backend, use_kernels
from minirnn.cli.computing import in_words, kept_threads
from minirnn.cli.options import path, quoted
from minirnn.cli.progress import progress
from minirnn.cli.sections import RUN, TITLES, section_of
from minirnn.cli.streams import silent
from minirnn.errors import InputError
from minirnn.layers import Module
from minirnn.parallel import FEWEST_OF_A_STEP, num_threads, set_num_threads, worthwhile
from minirnn.plots import plot_losses
from minirnn.runs.options import Options, read_options
from minirnn.runs.own import chosen_optimizer, files_of
from minirnn.runs.weights import believed
from minirnn.training import Optimizer, Run, Trainer
from minirnn.training.loop import AnyTask
from minirnn.training.ranks import current, data_parallel
from minirnn.training.schedules import Schedule, cosine, product, warmup
from minirnn.training.task import loss_unit

RATE_AFTER = 0.1
"""Of the learning rate of a run, what is left for one that begins with its weights."""
TRAINING = (
    *("optimizer", "lr", "momentum", "weight-decay", "clip", "epochs", "patience", "monitor", "validate-every"),
    *("save-every", "seed", "device", "batch-size", "captions-per-picture", "warmup", "constant", "decay-every"),
    *("plateau", "decay", "dropout", "embedding-dropout", "output-dropout", "label-smoothing", "teacher-forcing"),
    *("sampling", "sampling-steps", "attention-penalty", "attention-target"),
)
"""The options that say how to train, and not what: those that may be others with --from."""


def make_schedule(options: Mapping[str, Any], batches: int) -> Schedule | None:
    """What `schedule_options` describe, for epochs of so many batches."""
    schedules = [warmup(options["warmup"])] if options["warmup"] else []
    schedules += [] if options["constant"] else [cosine(options["epochs"] * batches)]
    return product(schedules) if schedules else None


@dataclass(frozen=True)
class Command:
    """A `minirnn train` command.

    Attributes:
        task: what run.json calls it.
        options: all it can be told.
        begin: from the options to a trainer and what run.json keeps beside them.
        reopen: from an existing run and its options, changed where that is allowed, to a trainer.
        announce: the line before training.
        report: what to show after it.
        settle: puts into the run directory what belongs there beside run.json; called while no other process trains
            the run, and before this one does.
        changeable: the options that may change on --resume.
        rewarding: options of rewards. Where there are any, training can begin with another run's model.
    """

    task: str
    options: Options
    begin: Callable[[dict[str, Any], bool], tuple[Trainer, dict[str, Any]]]
    reopen: Callable[[Run, dict[str, Any], bool], Trainer]
    announce: Callable[[Trainer, dict[str, Any]], str]
    report: Callable[[Run, Trainer], None]
    changeable: tuple[str, ...] = ("data", "epochs", "device", "save-every")
    rewarding: Options = field(default_factory=dict)
    settle: Callable[[Run, Trainer], None] = lambda run, trainer: None

    def add_to(self, tasks: Any, help_line: str, description: str, example: str) -> None:
        """Add the command to the parser's `train` tasks."""
        parser = tasks.add_parser(self.task, help=help_line, description=description, epilog=f"example: {example}")
        sections = {name: self._section(name, settings) for name, (_, settings) in self.options.items()}
        for title in (title for title in TITLES if title in {*sections.values(), RUN}):
            for name in (name for name, own in sections.items() if own == title):
                default, settings = self.options[name]
                shown = "" if default is None or default is False else f" (default: {default})"
                parser.section(title).add_argument(
                    f"--{name}", default=argparse.SUPPRESS, **{**settings, "help": settings["help"] + shown}
                )
            if title == RUN:
                self._add_places(parser.section(RUN))
        parser.set_defaults(run=self.run)

    def _section(self, name: str, settings: dict[str, Any]) -> str:
        return section_of(name, self.rewarding, settings.get("type") is path)

    def _add_places(self, section: Any) -> None:
        """Where a run is, and where it comes from."""
        stem = f"runs/{self.task}"
        section.add_argument(
            "--out", type=path, metavar="DIR", help=f"the run directory to make (default: {stem}-1, {stem}-2, …)"
        )
        section.add_argument(
            "--resume", type=path, metavar="RUN", help="go on with an interrupted run, or with more --epochs"
        )
        if self.rewarding:
            section.add_argument(
                "--from",
                dest="source_run",
                type=path,
                metavar="RUN",
                help="begin with the best weights of this run, on its data, and with its options but for how to train: "
                "unless they are given, one epoch at a tenth of its learning rate",
            )
        section.add_argument("--quiet", action="store_true", help="no progress bar")

    def run(self, arguments: argparse.Namespace) -> int:
        """Train, or go on training, and show what came of it: alone, or together with the other processes of an
        `mpiexec`, of which rank 0 alone writes and speaks."""
        with data_parallel() as ranks, silent(not ranks.leads), progress(not arguments.quiet and ranks.leads):
            return self._run(arguments)

    def _run(self, arguments: argparse.Namespace) -> int:
        asked = vars(arguments)
        given = {name: value for name in self.options if (value := asked.get(name.replace("-", "_"))) is not None}
        source = getattr(arguments, "source_run", None)
        if arguments.resume is None:
            return self._begin_with(source, given, arguments) if source else self._begin(given, arguments)
        if source is not None:
            raise InputError("--from does not go with --resume: the run has begun")
        if arguments.out is not None:
            raise InputError("--out does not go with --resume: the run stays in its directory")
        return self._resume(Path(arguments.resume), given, arguments)

    def _begin(self, given: dict[str, Any], arguments: argparse.Namespace) -> int:
        options: dict[str, Any] = {name: given.get(name, default) for name, (default, _) in self.options.items()}
        if options.get("reward"):
            raise InputError("--reward goes with --from: who writes nothing that is worth anything learns nothing")
        backend.library(options["device"])  # a missing GPU is said before any work is done
        return self._train_anew(*self.begin(options, not arguments.quiet), options, arguments)

    def _begin_with(self, path: str, given: dict[str, Any], arguments: argparse.Namespace) -> int:
        """With another run's weights, and what it has learned of the data."""
        source = Run(path)
        options = {**read_options(source, self.task, self.options)}
        options |= {name: default for name, (default, _) in self.rewarding.items()}
        options["lr"] *= RATE_AFTER
        options["epochs"] = 1
        possible = {*TRAINING, *self.changeable, *self.rewarding} & set(self.options)
        for name in given:
            if name not in possible:
                raise InputError(f"--{name} cannot change with --from: {source.path} has decided it")
        options |= given
        backend.library(options["device"])
        with believed(source, "best"):
            trainer = self.reopen(source, options, not arguments.quiet)
        take_weights(source, trainer)
        own = ("task", "options", "kernels", "threads", "ranks", "from", "minirnn", "files")
        config = {name: value for name, value in source.config.items() if name not in own}
        return self._train_anew(trainer, {"from": str(source.path.resolve()), **config}, options, arguments)

    def _train_anew(
        self, trainer: Trainer, config: dict[str, Any], options: dict[str, Any], arguments: argparse.Namespace
    ) -> int:
        """A run directory is made only when everything else is known to be right."""
        out, ranks = arguments.out, trainer.ranks
        computed = {"kernels": arguments.kernels, "threads": settle_threads(trainer, options, arguments.threads)}
        computed |= {"ranks": ranks.size} if ranks.size > 1 else {}
        config = {"task": self.task, "options": absolute_paths(options), **computed, **files_of(options), **config}
        stem = f"runs/{self.task}"
        run = ranks.first(lambda: Run.create(out, config) if out is not None else Run.create_numbered(stem, config))
        with _kept_by_first(run, trainer):
            return self._train(run, trainer, options)

    def _resume(self, path: Path, given: dict[str, Any], arguments: argparse.Namespace) -> int:
        run, kernels, ranks = Run(path), arguments.kernels, current()
        as_many = run.config.get("ranks", 1) == ranks.size  # else the cores are divided otherwise
        threads = kept_threads(run) if arguments.threads is None and as_many else arguments.threads
        if kernels is None:  # kernels round differently, so a run goes on as it began
            kernels = run.config.get("kernels")
            if kernels not in (None, True, False):
                raise InputError(f"{run.path / 'run.json'}: damaged: kernels is {kernels!r}")
            use_kernels(kernels)
        options = read_options(run, self.task, self.options)
        for name in given:
            if name not in self.changeable:
                raise InputError(f"--{name} cannot change on --resume; only --{', --'.join(self.changeable)} can")
        options |= given
        backend.library(options["device"])
        for name in FILES:
            source = options.get(name)
            if name in given or not isinstance(source, str):
                continue
            if not Path(source).exists() and name in self.changeable:
                raise InputError(f"{source}: there is no such file: if it was moved, say where to with --{name}")
            if Path(source).exists() and not Path(source).is_file():  # a pipe, perhaps
                raise InputError(f"{source} is not a file that can be read again: name the text with --{name}")
        with believed(run, "last"):
            trainer = self.reopen(run, options, not arguments.quiet)
        if "from" in run.config and not run.last.exists():
            take_weights(Run(str(run.config["from"])), trainer)
        computed = {"kernels": kernels, "threads": settle_threads(trainer, options, threads)}
        computed |= {} if as_many else {"ranks": ranks.size}
        with _kept_by_first(run, trainer):
            trainer.resume()
            files = files_of(options, run.config.get("files"))
            ranks.first(lambda: run.update({"options": absolute_paths(options), **computed, **files}))
            return self._train(run, trainer, options)

    def _train(self, run: Run, trainer: Trainer, options: dict[str, Any]) -> int:
        again = f"minirnn train {self.task} --resume {quoted(run.path)}"
        try:
            self.settle(run, trainer)
            how = "" if options["device"] == "gpu" else f"; {in_words(num_threads())}"
            how += f" in each of {trainer.ranks.size} processes" if trainer.ranks.size > 1 else ""
            print(f"{run.path}: {self.announce(trainer, options)}{how}", flush=True)
            trainer.train(options["epochs"])
        except KeyboardInterrupt:
            if not trainer.ranks.leads:
                raise
            print(f"\ninterrupted; go on with: {again}", file=sys.stderr)
            sys.exit(130)  # and no `return`: ranks that do not know of it yet have to end too
        except (OSError, MemoryError) as error:  # a disk that is full or can no longer be written to, most likely
            if not isinstance(error, BrokenPipeError):
                print(f"\ninterrupted; when that is mended go on with: {again}", file=sys.stderr)
            raise
        if not trainer.ranks.leads:
            return 0
        if not trainer.history:
            print(f"nothing has been validated yet; go on with: {again} --epochs {trainer.place.epoch + 1}")
            return 0
        self.report(run, trainer)
        return 0


@contextmanager
def _kept_by_first(run: Run, trainer: Trainer) -> Iterator[None]:
    """Inside the block rank 0 holds the lock of the run, and its trainer alone keeps it."""
    with ExitStack() as stack:
        trainer.ranks.first(lambda: stack.enter_context(run.lock()))
        trainer.run = run if trainer.ranks.leads else None
        yield


def take_weights(source: Run, trainer: Trainer) -> None:
    """Give the model that is trained the best weights of another run.

    Raises:
        InputError: it has none, or they are another model's.
    """
    state = source.model_state("best")
    try:
        trainer.task.model.load_state_dict(state)
    except InputError as error:
        raise InputError(f"{source.path}: the best checkpoint does not fit its run.json: {error}") from error


def settle_threads(trainer: Trainer, options: Mapping[str, Any], threads: int | None) -> int:
    """Compute with so many threads; or, if that is None, with as many as pay for the model: for its weights, or, of
    filters that are used at many places, for what the task says of `weights_used` in a step. Returns how many."""
    if threads is None:
        used = getattr(trainer.task, "weights_used", trainer.task.model.num_parameters())
        threads = worthwhile(used * options["batch-size"] // trainer.ranks.size, FEWEST_OF_A_STEP)
    set_num_threads(threads)
    return threads


FILES = (
    *("data", "source", "target", "valid-data", "valid-source", "valid-target"),
    *("captions", "valid-captions", "features"),
)
PATHS = (*FILES, "images")
"""The options that name files, and those that name a file or a folder, if they are texts: a task may count features."""


def absolute_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with absolute paths, so that --resume finds the files from anywhere."""
    return {n: str(Path(v).resolve()) if n in PATHS and isinstance(v, str) else v for n, v in options.items()}


def make_trainer(task: AnyTask, options: Mapping[str, Any], progress: bool, **more: Any) -> Trainer[AnyTask]:
    """The trainer that the options describe.

    Args:
        task: what to train.
        options: those of `optimization_options`.
        progress: whether to show a progress bar.
        more: what else the `Trainer` is told.

    Raises:
        InputError: options do not go together.
    """
    optimizer = make_optimizer(task.model, options)
    settings = {name.replace("-", "_"): options[name] for name in ("seed", "clip", "validate-every", "save-every")}
    return Trainer(task, optimizer, **settings, **more, progress=progress, ranks=current())


def make_optimizer(model: Module, options: Mapping[str, Any]) -> Optimizer:
    """The optimiser that the options describe.

    Raises:
        InputError: an option does not go with it.
    """
    kind = chosen_optimizer(options["optimizer"])
    extra = {}
    if options["momentum"]:
        if "momentum" not in inspect.signature(kind).parameters:
            raise InputError(f"--momentum goes with --optimizer sgd, not with {options['optimizer']}")
        extra["momentum"] = options["momentum"]
    if options["weight-decay"] is not None:
        extra["weight_decay"] = options["weight-decay"]
    return kind(model.named_parameters(), options["lr"], **extra)


def draw_losses(run: Run, trainer: Trainer) -> Path | None:
    """The loss curve in the run directory; None if matplotlib is not installed."""
    return plot_losses({run.path.name: trainer.history}, run.path / "loss.png", loss_unit(trainer.task))
