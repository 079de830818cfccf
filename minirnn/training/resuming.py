"""What a training goes on from: all that its next step depends on, written to a checkpoint and taken up again.

On the CPU, a run that is killed and resumed ends with the very weights of one that was never interrupted. For that,
everything a step depends on is a function of the seed and the place in the run, or is in the checkpoint: the batches
of an epoch are drawn from a generator seeded with (seed, epoch), and the checkpoint holds parameters, optimiser,
carried state, the model's generator, how many batches of the epoch are done, and the history, by which the schedule and
early stopping decide: a line of the metrics file that a crash has lost must not send a run another way.

With several ranks the carried state is that of the whole batch, so that any number of ranks can take it up.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minirnn.errors import InputError, NonFiniteLossError
from minirnn.training.checkpoint import load_checkpoint, subset
from minirnn.training.rows import check_rows
from minirnn.training.run import Run
from minirnn.training.sharing import check_alike, own_carry, send_arrays, stream, whole_carry
from minirnn.training.task import Keeping, Place

if TYPE_CHECKING:
    from minirnn.training.loop import Trainer

Checkpoint = tuple[dict[str, np.ndarray], dict[str, Any]]
"""Arrays by name, and what else there is to know."""


def advice(run: Run | None) -> str:
    """What to do about numbers that are not finite."""
    kept = f"; the last good checkpoint is {run.last}" if run and run.last.exists() else ""
    return f"try a lower learning rate or a smaller clipping norm{kept}"


def finite_weights(trainer: Trainer) -> dict[str, np.ndarray]:
    """The parameters, to be written.

    Raises:
        NonFiniteLossError: some are not finite; such never replace a good checkpoint.
    """
    model = trainer.task.model.state_dict()
    if bad := [name for name, array in model.items() if not np.isfinite(array).all()]:
        raise NonFiniteLossError(f"{bad[0]} became infinite or nan by step {trainer.place.step}: {advice(trainer.run)}")
    return model


def write_state(trainer: Trainer) -> None:
    """Write the checkpoint of a training. All ranks have to call it."""
    check_alike(trainer.ranks, trainer.task.model, trainer.place.step)
    streams = trainer.ranks.gather(dict(trainer.task.rng.bit_generator.state))
    carry = whole_carry(trainer.ranks, trainer.carry)
    trainer.ranks.first(lambda: _write(trainer, carry, streams))


def _write(trainer: Trainer, carry: list[np.ndarray], streams: list[dict[str, Any]]) -> None:
    assert trainer.run is not None
    trainer.place.rng = streams[0]
    arrays = {f"model/{name}": array for name, array in finite_weights(trainer).items()}
    arrays |= {f"optimizer/{name}": array for name, array in trainer.optimizer.state_dict().items()}
    arrays |= {f"carry/{i}": state for i, state in enumerate(carry)}
    decided: dict[str, Any] = {"history": trainer.history, "learning_rate": trainer.optimizer.learning_rate}
    if isinstance(trainer.task, Keeping) and trainer.task.kept:
        decided["kept"] = trainer.task.kept
    if len(streams) > 1:
        decided["streams"] = streams
    trainer.run.save_last(arrays, {**vars(trainer.place), **decided})


def take_up_state(trainer: Trainer) -> None:
    """Take up the last checkpoint of the run; see `Trainer.resume`. All ranks have to call it."""
    arrays: dict[str, np.ndarray] = {}
    last, rows, meta = trainer.ranks.first(lambda: _read(trainer.run, arrays))
    if meta is not None:
        checkpoint = send_arrays(trainer.ranks, arrays), meta
        try:
            rows = _take_up(trainer, checkpoint, rows)
        except InputError as error:
            raise InputError(f"{last}: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{last}: not a checkpoint to resume from, or damaged ({error!r})") from error
    # What was logged after the checkpoint will be logged again.
    trainer.history = [row for row in rows if row["epoch"] <= trainer.place.epoch]
    trainer.ranks.first(lambda: _tidy(trainer))


def _read(run: Run | None, arrays: dict[str, np.ndarray]) -> tuple[Path, list[dict[str, Any]], dict[str, Any] | None]:
    """Where the checkpoint is, the rows of the metrics file, and what is in the checkpoint beside `arrays`, which are
    put there; None if there is no checkpoint yet."""
    assert run is not None
    rows, meta = run.metrics(), None
    if run.last.exists():
        found, meta = load_checkpoint(run.last)
        arrays.update(found)
    elif rows or run.best.exists():
        raise InputError(f"{run.last} is missing: there is nothing to resume from")
    return run.last, rows, meta


def _take_up(trainer: Trainer, checkpoint: Checkpoint, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Go to the place of a checkpoint, and return its history; `rows` for one that has none, as of older runs."""
    arrays, meta = checkpoint
    task, optimizer, ranks = trainer.task, trainer.optimizer, trainer.ranks
    rows, rate = meta.pop("history", rows), meta.pop("learning_rate", optimizer.learning_rate)
    check_rows(rows)
    kept, streams = meta.pop("kept", {}), meta.pop("streams", None)
    place = Place(**meta)
    place.check()
    if type(rate) not in (int, float) or not 0 <= rate < math.inf:
        raise ValueError(f"the learning rate is {rate!r}")
    task.model.load_state_dict(subset(arrays, "model"))
    optimizer.load_state_dict(subset(arrays, "optimizer"))
    streams = [place.rng] if streams is None else streams
    task.rng.bit_generator.state = streams[min(ranks.rank, len(streams) - 1)]
    states = subset(arrays, "carry")
    carry = [states[str(i)] for i in range(len(states))]
    trainer.carry = own_carry(ranks, carry, task.model.parameters()[0].data)
    if trainer.schedule is not None:  # which sets it at the next step; but a validation may come first
        optimizer.learning_rate = rate
    trainer.place = place
    if len(streams) != ranks.size:
        draw_anew(trainer)
    if isinstance(task, Keeping):
        _take_up_kept(task.kept, kept)
    return rows


def _take_up_kept(current: dict[str, float], kept: dict[str, float]) -> None:
    """Change a task's numbers to those of a checkpoint.

    Raises:
        ValueError: they are others, or none.
    """
    if kept.keys() != current.keys() or not all(type(x) in (int, float) and math.isfinite(x) for x in kept.values()):
        raise ValueError(f"expected the numbers {', '.join(current) or 'none'}, not {kept!r}")
    current |= kept


def draw_anew(trainer: Trainer) -> None:
    """Let the rank draw from a stream of its own from here on."""
    generator = trainer.task.rng.bit_generator
    generator.state = stream(type(generator), trainer.seed, trainer.place.step, trainer.ranks.rank)


def _tidy(trainer: Trainer) -> None:
    assert trainer.run is not None
    trainer.run.remove_temporaries()
    trainer.run.write_metrics(trainer.history)
