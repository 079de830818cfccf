"""How the options of a `minirnn train` command become a trainer, when a run begins and when it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from minirnn.cli.progress import Progress
from minirnn.data.words import RULES
from minirnn.runs.data import check_data
from minirnn.runs.options import read_rules
from minirnn.training import Run, Trainer

Data = TypeVar("Data")
Learned = TypeVar("Learned")


def _nothing(*_: Any) -> Any:
    return None


@dataclass(frozen=True)
class Recipe(Generic[Data, Learned]):
    """From options to a trainer, in steps that are the same for every task.

    A run that begins learns from its data what its model is built for, such as the vocabulary, and run.json keeps that.
    A run that goes on takes it from there, and sees that its data are still the same. The version of the rules by which
    words are cut is kept too, and every step finds it among the options; and where the run is, if it goes on.

    Attributes:
        load: the data that the options name.
        digest: what tells these data from others.
        mismatch: what is wrong where they are others, up to the name of the run: "book.txt is not the text that".
        trainer: from the data, what was learned of them, the options, and whether to show a progress bar.
        learn: what has to be known of the data. By default nothing.
        keep: that, as run.json has it.
        read: that, out of a run.
    """

    load: Callable[[dict[str, Any]], Data]
    digest: Callable[[Data], str]
    mismatch: Callable[[dict[str, Any]], str]
    trainer: Callable[[Data, Learned, dict[str, Any], bool], Trainer]
    learn: Callable[[Data, dict[str, Any]], Learned] = _nothing
    keep: Callable[[Learned], dict[str, Any]] = lambda learned: {}
    read: Callable[[Run], Learned] = _nothing

    def begin(self, options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
        """The trainer of a run that begins, and what its run.json keeps beside the options.

        Raises:
            FileNotFoundError, InputError: the data cannot be read or learned from, or options do not go together.
        """
        options = {**options, "rules": RULES}
        with Progress("reading the data") as doing:
            data = self.load(options)
            doing.now("learning the vocabulary, or what else there is in the data")
            learned = self.learn(data, options)
            doing.now("making the model and its data ready")
            trainer = self.trainer(data, learned, options, progress)
            return trainer, {"sha256": self.digest(data), "rules": RULES, **self.keep(learned)}

    def reopen(self, run: Run, options: dict[str, Any], progress: bool) -> Trainer:
        """The trainer of a run that goes on.

        Raises:
            FileNotFoundError, InputError: its run.json is damaged, or its data cannot be read or are others.
        """
        options = {**options, "rules": read_rules(run), "run": str(run.path)}
        learned = self.read(run)
        with Progress("reading the data") as doing:
            data = self.load(options)
            check_data(run, self.digest(data), self.mismatch(options))
            doing.now("making the model and its data ready")
            return self.trainer(data, learned, options, progress)
