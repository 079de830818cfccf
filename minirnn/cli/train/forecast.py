"""`minirnn train forecast`: forecast a series of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, make_trainer
from minirnn.data.series import NOISE, standardize
from minirnn.forecaster import Forecaster
from minirnn.plots import bars, chart
from minirnn.plots.forecast import plot_forecast
from minirnn.runs.forecast import OPTIONS, Units, build_model, count_train, digest, learn, load, mismatch
from minirnn.training import Run, Trainer
from minirnn.training.forecasting import Forecasting

AHEAD = (1, 4, 16, 64)


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("forecast", OPTIONS, RECIPE.begin, RECIPE.reopen, _announce, _report)
    command.add_to(
        tasks,
        "forecasts of a series of numbers",
        "Train a linear model and an MLP on a window of the last values, and a recurrent network, side by side; then "
        "see how their errors grow when they look further ahead. Without options: a noisy sine, less than a minute.",
        "minirnn train forecast --data temperatures.txt --window 12 --cell lstm",
    )


def _trainer(series: np.ndarray, _: Any, options: dict[str, Any], progress: bool) -> Trainer[Forecasting]:
    rng = backend.generator(options["seed"])
    num_train = count_train(series, options)
    model, values = build_model(options, rng), standardize(series, num_train)[0]
    sizes = {"batch_size": options["batch-size"], "num_steps": options["steps"]}
    task = Forecasting(model, values, num_train, **sizes, rng=rng)
    return make_trainer(task, options, progress)


RECIPE: Recipe[np.ndarray, Any] = Recipe(load, digest, mismatch, _trainer, learn, Units.to_json)


def _announce(trainer: Trainer[Forecasting], options: dict[str, Any]) -> str:
    task = trainer.task
    held_out = len(task.series) - task.num_train
    return (
        f"{task.num_train:,} values to learn from, {held_out:,} held out; a linear model and an MLP on "
        f"{options['window']} values, and {options['cell']}; {task.model.num_parameters():,} parameters in all"
    )


def _report(run: Run, trainer: Trainer[Forecasting]) -> None:
    """The errors by distance, as a table, a chart and a picture."""
    task, options = trainer.task, run.config["options"]
    task.model.load_state_dict(run.model_state())  # the best on held-out values
    series = load(options)
    furthest = min(AHEAD[-1], len(series) - task.num_train)
    ahead = Forecaster(task.model, *learn(series, options)).ahead(series, furthest)
    cell = options["cell"]
    found = {cell: ahead["recurrent"], "linear": ahead["linear"], "MLP": ahead["mlp"]}
    found["last value"] = _repeat_last(series, furthest)
    errors = {
        name if name == cell else f"{name} (baseline)": errors_by_distance(one, series, task.num_train)
        for name, one in found.items()
    }
    noise = None if options["data"] else NOISE
    shown = [k for k in AHEAD if k <= furthest]
    _print_errors(errors, shown, noise)
    if explained := why_worse(errors, cell):
        print(f"\n{explained}")
    print()
    if furthest > 1:
        curves = {name: list(enumerate(found, 1)) for name, found in errors.items()}
        print(chart(curves, x_label="steps ahead", y_label="root mean squared error"))
    else:
        print(bars({name: float(found[0]) for name, found in errors.items()}))
    drawn = {k: ahead["recurrent"][k - 1] for k in shown}
    tell(attempt(plot_forecast, series, task.num_train, drawn, cell, errors, noise, run.path / "forecast.png"))


def _print_errors(errors: dict[str, np.ndarray], shown: list[int], noise: float | None) -> None:
    width = max(len(name) for name in errors) + 1
    print(f"\nroot mean squared error on held-out values{'' if noise is None else f' (the noise alone: {noise})'}:")
    print(f"{'steps ahead':{width}}" + "".join(f"{k:8}" for k in shown))
    for name, found in errors.items():
        print(f"{name:{width}}" + "".join(f"{found[k - 1]:8.3f}" for k in shown))


def why_worse(errors: dict[str, np.ndarray], cell: str) -> str:
    """What makes the recurrent network lose to a baseline that learns nothing, from which distance on; nothing where it
    does not."""
    own, last = errors[cell], errors["last value (baseline)"]
    if own[-1] <= last[-1]:
        return ""
    begins = int(np.flatnonzero(own <= last)[-1]) + 2 if (own <= last).any() else 1
    if begins == 1:
        return (
            f"Even one step ahead the {cell} is no better than the last value: it has not learned the series yet. Give "
            "it more --epochs, or more values."
        )
    return (
        f"From {begins} steps ahead on, the {cell} is further off than the last value. It has learned one step alone, "
        "from true\nvalues; further ahead it reads its own predictions, which training never showed it, and what is "
        f"wrong with one\nis carried on by its state into the next: {own[0]:.3f} after one step, {own[-1]:.3f} after "
        f"{len(own)}. To repeat the last value feeds\nnothing back: its error grows only as far as the series moves."
    )


def errors_by_distance(ahead: np.ndarray, series: np.ndarray, num_train: int) -> np.ndarray:
    """For predictions (steps, T) the root mean squared error of each distance, on values that even the furthest
    prediction reaches from values that were held out or learnt: all distances are judged on the same ones."""
    first = max(num_train, int(np.isnan(ahead[-1]).sum()))
    return np.sqrt(((ahead[:, first:] - series[first:]) ** 2).mean(axis=1))


def _repeat_last(series: np.ndarray, steps: int) -> np.ndarray:
    found = np.full((steps, len(series)), np.nan)
    for k in range(1, steps + 1):
        found[k - 1, k:] = series[:-k]
    return found
