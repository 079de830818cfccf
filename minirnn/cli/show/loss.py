"""`minirnn show loss`: the loss curves of one or more runs together."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cli.options import path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.errors import InputError
from minirnn.plots import chart, plot_losses
from minirnn.training import Run


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
    rows = {name: Run(name).metrics() for name in dict.fromkeys(arguments.RUN)}
    if empty := [name for name, found in rows.items() if not found]:
        raise InputError(f"{empty[0]} has no metrics yet: let its training run a little longer")
    curves = {
        f"{name}, {label}": [(row["step"], row[key]) for row in found if key in row]
        for name, found in rows.items()
        for key, label in (("train_loss", "training"), ("valid_loss", "held-out"))
    }
    curves = {name: points for name, points in curves.items() if points}
    print(chart(curves, x_label="training step (batches)", y_label="loss (nats per token)"))
    tell(draw(plot_losses, rows, arguments.out))
    return 0
