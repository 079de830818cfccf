"""`minirnn show gradients`: vanishing and exploding gradients, clipping and truncation."""

from __future__ import annotations

import argparse
import csv
import io
from typing import Any

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.cli.options import check_output, number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.progress import Progress
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.inspection.compare import SYMBOLS, remember_batches
from minirnn.inspection.gradients import Reach, reach, weight_norms
from minirnn.layers import Linear, Recurrent
from minirnn.plots import chart
from minirnn.plots.gradients import plot_gradients

CURVES: dict[str, tuple[str, dict[str, Any], float]] = {
    "RNN": ("rnn", {}, 1.0),
    "RNN, orthogonal U": ("rnn", {"recurrent_init": "orthogonal"}, 1.0),
    "RNN (relu), U times 3": ("rnn-relu", {}, 3.0),
    "GRU": ("gru", {}, 1.0),
    "LSTM": ("lstm", {}, 1.0),
    "LSTM, forget bias 4": ("lstm", {"forget_bias": 4.0}, 1.0),
}
"""For each curve the cell, its options, and what U is multiplied by at the beginning."""

EXPLODING = 2.4
"""What U of the RNN that is trained with and without clipping is multiplied by."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "gradients",
        help="vanishing and exploding gradients",
        description="Measure ‖dL/dh_t‖ against t for RNN, GRU and LSTM on a long-memory task (which symbol came "
        "first?), full and truncated, and the gradient of the weights in training with and without clipping.",
        epilog="example: minirnn show gradients --steps 200 --hidden 128 --csv gradients.csv",
    )
    parser.add_argument("--steps", type=number(int, 2), default=100, metavar="T", help="time steps (default: 100)")
    parser.add_argument("--hidden", type=number(int, 1), default=64, metavar="N", help="units (default: 64)")
    parser.add_argument("--truncate", type=number(int, 1), default=30, metavar="K", help="steps kept (default: 30)")
    parser.add_argument("--clip", type=number(float, above=0), default=1.0, metavar="X", help="the norm (default: 1)")
    parser.add_argument("--seed", type=number(int, 0), default=0, metavar="N", help="of weights and data (default: 0)")
    parser.add_argument("--csv", type=path, metavar="FILE", help="write the norms of the cells, a line for each t")
    add_out(parser, "gradients.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table and a chart, and draw them."""
    check_picture(arguments.out)
    if arguments.csv:
        check_output(arguments.csv)
    if arguments.truncate > arguments.steps:
        raise InputError(f"--truncate {arguments.truncate} is more than the {arguments.steps} time steps")
    rng = np.random.default_rng([arguments.seed, 1])
    batch = next(remember_batches(rng, delay=arguments.steps - 1, dtype=np.float64))
    kept = f"last {arguments.truncate} steps"
    longest = "LSTM, forget bias 4"
    with Progress("measuring gradients") as doing:
        found = {name: reach(*_build(name, arguments), batch) for name in CURVES}
        truncated = {"full": found[longest].h, kept: reach(*_build(longest, arguments), batch, arguments.truncate).h}
        doing.now("training with and without clipping")
        training = _trained(arguments, batch)
    print(_table(found, arguments.steps))
    print()
    print(chart({name: list(enumerate(one.h, 1)) for name, one in found.items()}, log=True, height=24,
                x_label="time step t", y_label="norm of dL/dh_t"))  # fmt: skip
    print(f"\ntruncated to the {kept}: the gradient of earlier steps is exactly 0 in "
          f"{int((truncated[kept] == 0).sum())} of {arguments.steps} steps")  # fmt: skip
    print(f"an RNN (relu) with U times {EXPLODING}, trained by SGD; norm of the weights' gradient before clipping:")
    shown = {}
    for name, norms in training.items():
        broken = f" (diverges at step {int(np.isnan(norms).argmax()) + 1})" if np.isnan(norms).any() else ""
        shown[name + broken] = norms
        print(f"  {name}{broken}: at most {np.max(norms, where=np.isfinite(norms), initial=0):.3g}")
    if arguments.csv:
        _write(arguments.csv, found)
    tell(draw(plot_gradients, {k: one.h for k, one in found.items()}, truncated, shown, arguments.clip, arguments.out))
    return 0


def _trained(arguments: argparse.Namespace, batch: tuple[Tensor, np.ndarray]) -> dict[str, np.ndarray]:
    """The norms of the weights' gradient in training, not clipped and clipped."""
    return {
        name: weight_norms(
            *_build("RNN (relu), U times 3", arguments, gain=EXPLODING), batch, steps=60, learning_rate=0.1, clip=clip
        )
        for name, clip in (("not clipped", None), (f"clipped to {arguments.clip:g}", arguments.clip))
    }


def _build(name: str, arguments: argparse.Namespace, gain: float | None = None) -> tuple[Recurrent, Linear]:
    cell, options, usual = CURVES[name]
    rng = np.random.default_rng([arguments.seed, 2])
    layer = Recurrent(cell, 2 * SYMBOLS, arguments.hidden, rng=rng, dtype=np.float64, **options)
    U = layer.named_parameters()["U_l0"]
    U.data = U.data * (usual if gain is None else gain)
    return layer, Linear(arguments.hidden, SYMBOLS, rng=rng, dtype=np.float64)


def _table(found: dict[str, Reach], steps: int) -> str:
    width = max(map(len, found))
    lines = [f"{'':{width}}  ‖dL/dh_1‖  ‖dL/dh_{steps}‖  ratio"]
    lines += [f"{name:{width}}  {one.h[0]:9.1e}  {one.h[-1]:11.1e}  {one.ratio:.1e}" for name, one in found.items()]
    return "\n".join(lines)


def _write(file: str, found: dict[str, Reach]) -> None:
    columns = {f"dh {name}": one.h for name, one in found.items()}
    columns |= {f"dc {name}": one.c for name, one in found.items() if one.c is not None}
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(["t", *columns])
    writer.writerows([t, *row] for t, row in enumerate(zip(*columns.values(), strict=True), 1))
    write_atomically(file, table.getvalue().encode())
