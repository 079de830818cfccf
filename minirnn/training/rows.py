"""The rows of a metrics file, one for each validation, and what is said of a training in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minirnn.metrics import perplexity
from minirnn.training.task import Keeping, Place, Task, counted


def row_of(task: Task, place: Place, measures: Mapping[str, float], rate: float | None) -> dict[str, Any]:
    """The row of a validation.

    Args:
        task: what is trained.
        place: where in the run, at the end of an epoch.
        measures: what the validation has found.
        rate: the learning rate, if there is a schedule.
    """
    row: dict[str, Any] = {"epoch": place.epoch + 1, "step": place.step, "train_loss": place.nll / place.tokens}
    if task.loss_is_nll:
        row["train_perplexity"] = perplexity(place.nll, place.tokens)
    row[f"{counted(task)}_per_second"] = round(_speed(place))
    if rate is not None:
        row["learning_rate"] = rate
    row |= measures
    if "valid_loss" in measures and task.valid_loss_is_nll:
        row["valid_perplexity"] = perplexity(measures["valid_loss"], 1)
    return row


def said_of(task: Task, place: Place) -> list[str]:
    """What is said beside the bar, the most important first."""
    loss = place.nll / place.tokens
    said = [f"loss {loss:.3f}"]
    said += [f"perplexity {perplexity(loss, 1):.2f}"] if task.loss_is_nll else []
    said += task.doing() if isinstance(task, Keeping) else []
    return [*said, f"{_speed(place):,.0f} {counted(task)}/s"]


def _speed(place: Place) -> float:
    return place.tokens / max(place.seconds, 1e-9)


def check_rows(rows: Any) -> None:
    """Refuse what is no history of a training: rows with numbers, among them epoch, step and train_loss.

    Raises:
        ValueError: it is none.
    """
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise ValueError("expected an object in every line")
    for row in rows:
        if not all(type(row.get(name)) is int for name in ("epoch", "step")) or "train_loss" not in row:
            raise ValueError("expected epoch, step and train_loss in every line")
        if strange := [name for name, value in row.items() if type(value) not in (int, float)]:
            raise ValueError(f"expected numbers, but {strange[0]} is {row[strange[0]]!r}")
