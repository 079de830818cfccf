"""The one training loop. It knows neither what is trained nor on what: a `Task` says that.

On the CPU, a run that is killed and resumed ends with the very weights of one that was never interrupted. For that,
everything a step depends on is a function of the seed and the place in the run, or is in the checkpoint: the batches
of an epoch are drawn from a generator seeded with (seed, epoch), and the checkpoint holds parameters, optimiser,
carried state, the model's generator, how many batches of the epoch are done, and the history, by which the schedule and
early stopping decide: a line of the metrics file that a crash has lost must not send a run another way.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from minirnn.arguments import integer, number
from minirnn.autograd.recording import no_grad
from minirnn.backend import Array, array_module, to_host
from minirnn.errors import InputError, NonFiniteLossError
from minirnn.metrics import perplexity
from minirnn.parallel import one_thread_each
from minirnn.training.callbacks import Callback, checked, wants_to_stop
from minirnn.training.checkpoint import load_checkpoint, subset
from minirnn.training.optimizers import Optimizer, clip_grad_norm
from minirnn.training.ranks import ALONE, Ranks
from minirnn.training.run import Run, check_rows
from minirnn.training.schedules import Schedule, badness, waited
from minirnn.training.sharing import (
    begin_alike,
    check_alike,
    divisible,
    gradient_together,
    own_carry,
    stream,
    whole_carry,
)
from minirnn.training.task import Carry, Keeping, Place, Task, counted

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
        TypeError: a callback is no `Callback`.
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
            self._draw_anew()

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
                bar.say(*self._speed())
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
                f"the loss became {losses[bad]} at step {step} (epoch {self.place.epoch + 1}): {self._advice()}"
            )
        counts = np.array([tokens for _, tokens in self._unread])
        self.place.nll += float(losses @ counts)
        self.place.tokens += int(counts.sum())
        self._unread.clear()

    def _advice(self) -> str:
        kept = f"; the last good checkpoint is {self.run.last}" if self.run and self.run.last.exists() else ""
        return f"try a lower learning rate or a smaller clipping norm{kept}"

    def _model_arrays(self) -> dict[str, np.ndarray]:
        """The parameters, to be written; parameters that are not finite never replace a good checkpoint."""
        model = self.task.model.state_dict()
        if bad := [name for name, array in model.items() if not np.isfinite(array).all()]:
            raise NonFiniteLossError(f"{bad[0]} became infinite or nan by step {self.place.step}: {self._advice()}")
        return model

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
        bar.say(*self._speed())
        loss = measures.get("valid_loss", 0.0)
        if not math.isfinite(loss):
            raise NonFiniteLossError(
                f"the loss on held-out data became {loss} after step {place.step}: {self._advice()}"
            )
        row: dict[str, Any] = {"epoch": place.epoch + 1, "step": place.step, "train_loss": place.nll / place.tokens}
        if self.task.loss_is_nll:
            row["train_perplexity"] = perplexity(place.nll, place.tokens)
        row[f"{counted(self.task)}_per_second"] = round(place.tokens / max(place.seconds, 1e-9))
        if self.schedule is not None:
            row["learning_rate"] = self.optimizer.learning_rate
        row |= measures
        if "valid_loss" in measures and self.task.valid_loss_is_nll:
            row["valid_perplexity"] = perplexity(loss, 1)
        return row

    def _log(self, row: dict[str, Any], best: bool) -> None:
        if self.run:
            self.run.append_metrics(row)
            if best:
                self.run.save_best(self._model_arrays(), row)

    @property
    def last_loss(self) -> float:
        """The loss of the last step; on a GPU reading it waits for that step. nan before the first."""
        return math.nan if self._last_loss is None else float(to_host(self._last_loss))

    def _answered(self, name: str, *what: Any) -> bool:
        """Whether a callback, of which all are called, wants to stop."""
        answers = [wants_to_stop(name, getattr(callback, name)(self, *what)) for callback in self.callbacks]
        self.stopped = bool(answers) and any(self.ranks.gather(any(answers)))
        return self.stopped

    def _speed(self) -> list[str]:
        """What is said beside the bar, the most important first."""
        place = self.place
        loss = place.nll / place.tokens
        said = [f"loss {loss:.3f}"]
        said += [f"perplexity {perplexity(loss, 1):.2f}"] if self.task.loss_is_nll else []
        said += self.task.doing() if isinstance(self.task, Keeping) else []
        return [*said, f"{place.tokens / max(place.seconds, 1e-9):,.0f} {counted(self.task)}/s"]

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
        check_alike(self.ranks, self.task.model, self.place.step)
        streams = self.ranks.gather(dict(self.task.rng.bit_generator.state))
        carry = whole_carry(self.ranks, self.carry)
        self.ranks.first(lambda: self._write(carry, streams))
        self._saved_at = time.monotonic()
        self._save_took = self._saved_at - started

    def _write(self, carry: list[np.ndarray], streams: list[dict[str, Any]]) -> None:
        assert self.run is not None
        self.place.rng = streams[0]
        arrays = {f"model/{name}": array for name, array in self._model_arrays().items()}
        arrays |= {f"optimizer/{name}": array for name, array in self.optimizer.state_dict().items()}
        arrays |= {f"carry/{i}": state for i, state in enumerate(carry)}
        decided: dict[str, Any] = {"history": self.history, "learning_rate": self.optimizer.learning_rate}
        if isinstance(self.task, Keeping) and self.task.kept:
            decided["kept"] = self.task.kept
        if len(streams) > 1:
            decided["streams"] = streams
        self.run.save_last(arrays, {**vars(self.place), **decided})

    def resume(self) -> None:
        """Take up the run where its last checkpoint was written; a run that has not begun begins. Rank 0 reads it.

        With as many ranks as it was written by, every number will be what it would have been. With more or fewer, each
        takes up its columns, and begins a new stream of what it draws.

        Raises:
            InputError: the checkpoint is damaged, missing from a run that has begun, or does not fit the task.
        """
        last, rows, checkpoint = self.ranks.first(self._read)
        if checkpoint is not None:
            try:
                rows = self._take_up(*checkpoint, rows)
            except InputError as error:
                raise InputError(f"{last}: {error}") from error
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise InputError(f"{last}: not a checkpoint to resume from, or damaged ({error!r})") from error
        # What was logged after the checkpoint will be logged again.
        self.history = [row for row in rows if row["epoch"] <= self.place.epoch]
        self.ranks.first(self._tidy)

    def _read(self) -> tuple[Path, list[dict[str, Any]], tuple[dict[str, np.ndarray], dict[str, Any]] | None]:
        """Where the checkpoint is, the rows of the metrics file, and the checkpoint, if there is one yet."""
        assert self.run is not None
        rows = self.run.metrics()
        if self.run.last.exists():
            return self.run.last, rows, load_checkpoint(self.run.last)
        if rows or self.run.best.exists():
            raise InputError(f"{self.run.last} is missing: there is nothing to resume from")
        return self.run.last, rows, None

    def _tidy(self) -> None:
        assert self.run is not None
        self.run.remove_temporaries()
        self.run.write_metrics(self.history)

    def _draw_anew(self) -> None:
        """Let the rank draw from a stream of its own from here on."""
        generator = self.task.rng.bit_generator
        generator.state = stream(type(generator), self.seed, self.place.step, self.ranks.rank)

    def _take_up(
        self, arrays: dict[str, np.ndarray], meta: dict[str, Any], rows: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Go to the place of a checkpoint, and return its history; `rows` for one that has none, as of older runs."""
        rows, rate = meta.pop("history", rows), meta.pop("learning_rate", self.optimizer.learning_rate)
        check_rows(rows)
        kept, streams = meta.pop("kept", {}), meta.pop("streams", None)
        place = Place(**meta)
        place.check()
        if type(rate) not in (int, float) or not 0 <= rate < math.inf:
            raise ValueError(f"the learning rate is {rate!r}")
        self.task.model.load_state_dict(subset(arrays, "model"))
        self.optimizer.load_state_dict(subset(arrays, "optimizer"))
        streams = [place.rng] if streams is None else streams
        self.task.rng.bit_generator.state = streams[min(self.ranks.rank, len(streams) - 1)]
        states = subset(arrays, "carry")
        carry = [states[str(i)] for i in range(len(states))]
        self.carry = own_carry(self.ranks, carry, self.task.model.parameters()[0].data)
        if self.schedule is not None:  # which sets it at the next step; but a validation may come first
            self.optimizer.learning_rate = rate
        self.place = place
        if len(streams) != self.ranks.size:
            self._draw_anew()
        if isinstance(self.task, Keeping):
            _take_up_kept(self.task.kept, kept)
        return rows


def _take_up_kept(current: dict[str, float], kept: dict[str, float]) -> None:
    """Change a task's numbers to those of a checkpoint.

    Raises:
        ValueError: they are others, or none.
    """
    if kept.keys() != current.keys() or not all(type(x) in (int, float) and math.isfinite(x) for x in kept.values()):
        raise ValueError(f"expected the numbers {', '.join(current) or 'none'}, not {kept!r}")
    current |= kept
