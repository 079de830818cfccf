"""`minirnn show loss`: the loss curves of one or more runs together."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cli.options import path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.errors import InputError
from minirnn.plots import chart, plot_losses
from minirnn.training import Run
from minirnn.training.classification import Classification
from minirnn.training.cloze import Cloze
from minirnn.training.drawing import Drawing
from minirnn.training.forecasting import Forecasting
from minirnn.training.sentences import REWARDED, SentenceTask

OTHER_UNITS = {
    "classify": Classification.loss_unit,
    "cloze": Cloze.loss_unit,
    "draw": Drawing.loss_unit,
    "forecast": Forecasting.loss_unit,
}
"""What the loss of a run is measured in, by its task, where that is not in nats per token."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "loss",
        help="loss curves of one or more runs together",
        description="Draw the training and held-out loss of one or more runs over their steps.",
        epilog="example: minirnn show loss runs/lm-1 runs/lm-2 --out losses.png",
    )
    parser.add_argument("RUN", nargs="+", type=path, help="the run directories")
    add_out(parser, "loss.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the chart, and draw it."""
    check_picture(arguments.out)
    runs = {name: Run(name) for name in dict.fromkeys(arguments.RUN)}
    rows = {name: run.metrics() for name, run in runs.items()}
    if empty := [name for name, found in rows.items() if not found]:
        raise InputError(f"{empty[0]} has no metrics yet: let its training run a little longer")
    units = {name: _unit(run) for name, run in runs.items()}
    unit, *others = set(units.values())
    if others:  # each curve says what it is measured in
        unit, rows = "", {f"{name} ({units[name]})": found for name, found in rows.items()}
    curves = {
        f"{name}, {label}": [(row["step"], row[key]) for row in found if key in row]
        for name, found in rows.items()
        for key, label in (("train_loss", "training"), ("valid_loss", "held-out"))
    }
    curves = {name: points for name, points in curves.items() if points}
    print(chart(curves, x_label="training step (batches)", y_label=f"loss ({unit})" if unit else "loss"))
    tell(draw(plot_losses, rows, arguments.out, unit))
    return 0


def _unit(run: Run) -> str:
    """What the loss of a run is measured in."""
    options = run.config.get("options")
    if isinstance(options, dict) and options.get("reward"):
        return REWARDED
    return OTHER_UNITS.get(str(run.config.get("task")), SentenceTask.loss_unit)
