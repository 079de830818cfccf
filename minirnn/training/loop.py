"""The one training loop. It knows neither what is trained nor on what: a `Task` says that. Nor does it know what a
run that was killed goes on from: that is in `resuming`.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from minirnn.arguments import integer, number
from minirnn.autograd.recording import no_grad
from minirnn.backend import Array, array_module, to_host
from minirnn.errors import InputError, NonFiniteLossError
from minirnn.parallel import one_thread_each
from minirnn.training.callbacks import Callback, checked, wants_to_stop
from minirnn.training.optimizers import Optimizer, clip_grad_norm
from minirnn.training.ranks import ALONE, Ranks
from minirnn.training.resuming import advice, draw_anew, finite_weights, take_up_state, write_state
from minirnn.training.rows import row_of, said_of
from minirnn.training.run import Run
from minirnn.training.schedules import Schedule, badness, waited
from minirnn.training.sharing import begin_alike, divisible, gradient_together
from minirnn.training.task import Carry, Keeping, Place, Task

if TYPE_CHECKING:
    from minirnn.training.bar import Bar

AnyTask = TypeVar("AnyTask", bound=Task)

REST = 20
"""How many times as long as a checkpoint takes to write there is no other: no more than a twentieth of the time goes by
with that."""


class Trainer(Generic[AnyTask]):
    """Trains a task for some epochs and keeps its run directory.

    Args:
        task: what to train.
        optimizer: how.
        run: where the checkpoints and metrics go; None keeps nothing.
        seed: of the batches.
        clip: the largest gradient norm; None leaves gradients alone.
        validate_every: epochs between validations.
        save_every: seconds between checkpoints, at least; one is always written at the end. Those of a large model are
            further apart: at least `REST` times as long as writing the last one took. 0 writes one at each look at the
            loss, whatever that takes.
        check_every: steps between looks at the loss. Each look waits for a GPU.
        schedule: what the optimiser's learning rate is multiplied by as training goes on; see `schedules`.
        monitor: the measure by which the best checkpoint is chosen and training stops early: "valid_loss", or one that
            ends with "bleu" or "reward", of which more is better.
        patience: stop after so many validations in a row without a new best; None never stops early.
        callbacks: called after each step and each validation; they may end the training. See `Callback`.
        progress: whether to show a progress bar.
        ranks: the processes that train together, as `data_parallel` gives them; see `sharing`. Of all of them rank 0
            alone keeps the run and shows progress. Each draws from a stream of its own, which the task's generator is
            set to. Callbacks are called on every rank, and one answer is enough to stop.

    After `train`, `history` holds the rows of the metrics file, `stopped` says whether a callback has ended it, and the
    model is in evaluation mode.

    Raises:
        InputError: an interval, the patience or the clipping norm is out of its range, or the optimiser is that of
            another model.
        TypeError: the run is only the path of one, or a callback no `Callback`.
    """

    def __init__(
        self,
        task: AnyTask,
        optimizer: Optimizer,
        run: Run | None = None,
        *,
        seed: int = 0,
        clip: float | None = None,
        validate_every: int = 1,
        save_every: float = 10.0,
        check_every: int = 10,
        schedule: Schedule | None = None,
        monitor: str = "valid_loss",
        patience: int | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        ranks: Ranks = ALONE,
    ):
        if isinstance(run, (str, PathLike)):
            raise TypeError(f"expected a Run, such as Run.create(path, {{}}), not {run!r}")
        validate_every, check_every = integer("validate_every", validate_every), integer("check_every", check_every)
        clip = None if clip is None else number("the clipping norm", clip, above=0)
        patience = None if patience is None else integer("the patience", patience)
        save_every = number("save_every", save_every, least=0)
        if {id(p) for p in optimizer.parameters.values()}.isdisjoint(map(id, task.model.parameters())):
            raise InputError("the optimiser has no parameter of the model that is trained: give it model.parameters()")
        self.task, self.optimizer, self.seed, self.clip, self.ranks = task, optimizer, seed, clip, ranks
        self.run = run if ranks.leads else None
        self.schedule, self.monitor, self.patience = schedule, monitor, patience
        self.base_rate = optimizer.learning_rate
        self.validate_every, self.save_every, self.check_every = validate_every, save_every, check_every
        self.callbacks, self.progress = checked(callbacks), progress and ranks.leads
        self.stopped = False
        self.place = Place()
        self.carry: Carry = None
        self.history: list[dict[str, Any]] = []
        self._saved_at = self._save_took = 0.0
        self._unread: list[tuple[Array, int]] = []
        self._last_loss: Array | None = None
        if ranks.size > 1:
            divisible(task)
            draw_anew(self)

    def __repr__(self) -> str:
        where = f"epoch {self.place.epoch}, step {self.place.step:,}"
        return f"Trainer({type(self.task).__name__} at {where}, {self.optimizer!r})"

    def train(self, epochs: int) -> list[dict[str, Any]]:
        """Train until `epochs` epochs are done, counting those before a resume. Returns the history.

        Raises:
            NonFiniteLossError: the loss became infinite or nan; names the step. The checkpoints before it stay.
        """
        from minirnn.training.bar import Bar  # here: to load tqdm takes a tenth of the time in which a command starts

        epochs, self.stopped = integer("epochs", epochs, least=0), False
        total = epochs * self.task.num_batches
        show = self.progress and sys.stderr is not None
        bar = Bar(total=total, initial=self.place.step, unit="batch", disable=not show, dynamic_ncols=True)
        with bar, one_thread_each():
            begin_alike(self.ranks, self.task.model, self.optimizer)
            self._save_if(self.run is not None and not self.run.last.exists())
            self._saved_at = time.monotonic()
            while self.place.epoch < epochs and not (self.stopped or self.stopped_early()):
                self._train_epoch(bar)
                if not self.stopped:
                    self._finish_epoch(bar, last=self.place.epoch + 1 == epochs)
                else:
                    self._save_if(True)
            bar.total = bar.n
        self.task.model.eval()
        return self.history

    def best_row(self, *measures: str) -> dict[str, Any] | None:
        """The row of the history with the lowest loss on held-out data, of those that have it and these measures: what
        is taken up from a file may have others. None if there is no such row."""
        rows = [row for row in self.history if {"valid_loss", *measures} <= row.keys()]
        return min(rows, key=lambda row: row["valid_loss"], default=None)

    def stopped_early(self) -> bool:
        """Whether the patience has run out."""
        return self.patience is not None and waited(self.history, self.monitor) >= self.patience

    def _train_epoch(self, bar: Bar) -> None:
        place = self.place
        self.task.model.train()
        # From 1, because (seed, 0) would be the very stream that seed alone gives, from which the weights were drawn.
        batches = self.task.batches(np.random.default_rng([self.seed, place.epoch + 1]))
        started = time.perf_counter() - place.seconds
        for batch in itertools.islice(batches, place.batch, None):
            self._train_step(batch)
            place.batch += 1
            place.step += 1
            bar.update()
            if place.step % self.check_every == 0:
                self._read_losses()
                place.seconds = time.perf_counter() - started
                bar.say(*said_of(self.task, self.place))
                self._save_if(self._save_is_due())
            if self._answered("on_step"):
                break
        self._read_losses()
        place.seconds = time.perf_counter() - started

    def _train_step(self, batch: Any) -> None:
        if self.schedule is not None:
            self.optimizer.learning_rate = self.base_rate * self.schedule(self.place, self.history)
        loss, tokens, self.carry = self._gradient(batch)
        if self.clip is not None:
            clip_grad_norm(self.optimizer.parameters, self.clip)
        self.optimizer.step()
        self._unread.append((loss, tokens))
        self._last_loss = loss

    def _gradient(self, batch: Any) -> tuple[Array, int, Carry]:
        """Leave the gradient of the batch's loss in the parameters; returns the loss, its tokens, and the carry."""
        if self.ranks.size > 1:
            return gradient_together(self.ranks, self.task, self.optimizer, batch, self.carry, self.place.step)
        loss, tokens, carry = self.task.loss(batch, self.carry, self.place.step)
        self.optimizer.zero_grad()
        loss.backward()
        return loss.data, tokens, carry

    def _read_losses(self) -> None:
        """Bring the losses since the last look to the host, in one transfer, and add them up."""
        if not self._unread:
            return
        losses = to_host(array_module(self._unread[0][0]).stack([loss for loss, _ in self._unread])).astype(np.float64)
        if not np.isfinite(losses).all():
            bad = int(np.flatnonzero(~np.isfinite(losses))[0])
            step = self.place.step - len(losses) + bad + 1
            raise NonFiniteLossError(
                f"the loss became {losses[bad]} at step {step} (epoch {self.place.epoch + 1}): {advice(self.run)}"
            )
        counts = np.array([tokens for _, tokens in self._unread])
        self.place.nll += float(losses @ counts)
        self.place.tokens += int(counts.sum())
        self._unread.clear()

    def _finish_epoch(self, bar: Bar, last: bool) -> None:
        place = self.place
        if place.tokens == 0:
            raise InputError("an epoch without a single batch: the training text is too short")
        if last or (place.epoch + 1) % self.validate_every == 0:
            self._validate(bar)
        self.carry = None
        place.epoch, place.batch, place.nll, place.tokens, place.seconds = place.epoch + 1, 0, 0.0, 0, 0.0
        self._save_if(last or self.stopped or self.stopped_early() or self._save_is_due())

    def _validate(self, bar: Bar) -> None:
        """Measure on held-out text, log it, and keep the model if it is the best so far."""
        place = self.place
        bar.say("validating")
        bar.refresh()
        self.task.model.eval()
        row = self.ranks.first(lambda: self._measured(bar))
        if isinstance(self.task, Keeping):  # which validation may have changed
            self.task.kept.update(self.ranks.broadcast(self.task.kept))
        self.history.append(row)
        if self.ranks.leads:
            shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in row.items()}
            bar.print_parts([f"{name} {value}" for name, value in shown.items()])
        score = badness(row, self.monitor)
        self.ranks.first(lambda: self._log(row, score < place.best))
        place.best = min(place.best, score)
        self._answered("on_validation", row)

    def _measured(self, bar: Bar) -> dict[str, Any]:
        """The row of a validation."""
        place = self.place
        with no_grad():
            measures = self.task.validate()
        bar.say(*said_of(self.task, self.place))
        loss = measures.get("valid_loss", 0.0)
        if not math.isfinite(loss):
            raise NonFiniteLossError(
                f"the loss on held-out data became {loss} after step {place.step}: {advice(self.run)}"
            )
        rate = None if self.schedule is None else self.optimizer.learning_rate
        return row_of(self.task, place, measures, rate)

    def _log(self, row: dict[str, Any], best: bool) -> None:
        if self.run:
            self.run.append_metrics(row)
            if best:
                self.run.save_best(finite_weights(self), row)

    @property
    def last_loss(self) -> float:
        """The loss of the last step; on a GPU reading it waits for that step. nan before the first."""
        return math.nan if self._last_loss is None else float(to_host(self._last_loss))

    def _answered(self, name: str, *what: Any) -> bool:
        """Whether a callback, of which all are called, wants to stop."""
        answers = [wants_to_stop(name, getattr(callback, name)(self, *what)) for callback in self.callbacks]
        self.stopped = bool(answers) and any(self.ranks.gather(any(answers)))
        return self.stopped

    def _save_is_due(self) -> bool:
        interval = max(self.save_every, REST * self._save_took) if self.save_every else 0.0
        return time.monotonic() - self._saved_at > interval

    def _save_if(self, due: bool) -> None:
        """Write a checkpoint, if there is a run and rank 0 finds that one is due."""
        if self.ranks.broadcast(due and self.run is not None):
            self.save()

    def save(self) -> None:
        """Write the checkpoint to resume from. All ranks have to call it."""
        started = time.monotonic()
        write_state(self)
        self._saved_at = time.monotonic()
        self._save_took = self._saved_at - started

    def resume(self) -> None:
        """Take up the run where its last checkpoint was written; a run that has not begun begins. Rank 0 reads it.

        With as many ranks as it was written by, every number will be what it would have been. With more or fewer, each
        takes up its columns, and begins a new stream of what it draws.

        Raises:
            InputError: the checkpoint is damaged, missing from a run that has begun, or does not fit the task.
        """
        take_up_state(self)
