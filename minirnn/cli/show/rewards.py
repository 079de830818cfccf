"""`minirnn show rewards`: how far estimates of a reward's gradient are off, and what rewards did in a run."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn.cli.options import number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.progress import Progress
from minirnn.errors import InputError
from minirnn.inspection.rewards import (
    ESTIMATORS,
    LIMIT,
    REFERENCE,
    Estimates,
    History,
    Sentences,
    axes_of,
    build_toy,
    estimates,
    history,
    measures_of,
    sum_up,
)
from minirnn.plots.rewards import plot_estimates, plot_history
from minirnn.training import Run

SAMPLES = 2
PROBABLE = 6
"""Sentences that are listed."""


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "rewards",
        help="how well rewards can be learned from, and what they did in a run",
        description="Without RUN: a model so small that all its sentences can be counted. How far is the gradient that "
        "two sampled sentences give off the exact one, with each baseline, and with minimum risk? With RUN: what "
        "training on rewards did there, epoch by epoch.",
        epilog="example: minirnn show rewards runs/translate-2 --out rewards.png",
    )
    parser.add_argument("RUN", nargs="?", type=path, help="a run that was trained --from another with a --reward")
    parser.add_argument("--seed", type=number(int, 0), metavar="N", help="without RUN: of the weights (default: 0)")
    add_out(parser, "rewards.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a table, and draw it."""
    check_picture(arguments.out)
    if arguments.RUN is None:
        return _count(arguments.seed or 0, arguments.out)
    if arguments.seed is not None:
        raise InputError("--seed goes without a run")
    found = history(Run(arguments.RUN))
    print(_epochs(found))
    tell(draw(plot_history, found, arguments.out))
    return 0


def _count(seed: int, out: str) -> int:
    with Progress("counting all sentences, and all pairs of them"):
        found = sum_up(build_toy(seed))
        results = {name: estimates(found, *how, SAMPLES) for name, how in ESTIMATORS.items()}
    shares = {name: one.variance / results["no baseline"].variance for name, one in results.items()}
    print(f"All {len(found.p)} sentences of up to {LIMIT} tokens to one source, whose reference is "
          f"'{' '.join(REFERENCE)}'.\nr is sentence BLEU, from 0 to 1; the most probable are\n")  # fmt: skip
    print(_sentences(found))
    print(f"\n  J = Σ p r = {found.expected:.3f}   (r of the greedy sentence: {found.greedy:.3f})\n")
    print(f"Its gradient, estimated from {SAMPLES} sampled sentences, over all {len(found.p) ** SAMPLES:,} pairs there "
          "are:\n")  # fmt: skip
    print(_table(found, results, shares))
    print(f"\n{_why(found.exact, results['minimum risk'])}")
    titles = {f"{name}\nvariance {shares[name]:.0%}": one for name, one in results.items()}
    axes = axes_of(found.exact, results["no baseline"])
    tell(draw(plot_estimates, titles, found.exact, axes, out))
    return 0


def _sentences(found: Sentences) -> str:
    lines = ["      p      r    p r   sentence"]
    for i in np.argsort(-found.p, kind="stable")[:PROBABLE]:
        p, r = found.p[i], found.r[i]
        lines.append(f"  {p:.3f}  {r:.3f}  {p * r:.3f}  {' '.join(found.written.sentences[i])}")
    return "\n".join(lines)


def _table(found: Sentences, results: dict[str, Estimates], shares: dict[str, float]) -> str:
    width = max(map(len, results))
    b = {"no baseline": "0", "mean": f"{found.expected:.3f}", "greedy": f"{found.greedy:.3f}", "others": "r_j"}
    lines = [f"{'estimator':{width}}      b  |E g - ∇J| / |∇J|  sqrt(E|g - ∇J|²) / |∇J|  variance left"]
    for name, one in results.items():
        numbers = f"{one.bias:17.1e}  {one.spread:23.2f}  {shares[name]:13.1%}"
        lines.append(f"{name:{width}}  {b.get(name, ''):>5}  {numbers}")
    return "\n".join(lines)


def _why(exact: np.ndarray, risk: Estimates) -> str:
    """What the numbers of minimum risk mean."""
    length, size = float(np.linalg.norm(risk.mean)), float(np.linalg.norm(exact))
    angle = float(np.degrees(np.arccos(min(1.0, risk.mean @ exact / (length * size)))))
    return (
        "With every baseline the mean is the gradient, but for rounding: b does not look at the sample that it is\n"
        "subtracted from. The nearer it is to what was to be expected, J, the less variance is left. Minimum risk is\n"
        f"biased: it takes the samples for all sentences there are, and {SAMPLES} samples tell little of the others.\n"
        f"Its mean is {length / size:.2f} times as long as the gradient and {angle:.0f}° off its direction; what is\n"
        "shorter also varies less."
    )


def _epochs(found: History) -> str:
    """A line for each epoch; that of the run before whose weights were taken is marked."""
    names = measures_of([*found.before, *found.rows])
    widths = {name: max(len(name), 9) for name in names}
    lines = ["  ".join([" epoch ", *(f"{name:>{widths[name]}}" for name in names)])]
    for rows, before in ((found.before, True), (found.rows, False)):
        if rows and not before:
            what = "on rewards, from the weights of *" if found.before else "on rewards; the run before is gone"
            lines.append(f"-- {what}")
        for row in rows:
            mark = "*" if before and row["epoch"] == found.begun else " "
            cells = (f"{row[name]:{widths[name]}.4g}" if name in row else " " * widths[name] for name in names)
            lines.append("  ".join([f"{row['epoch']:6}{mark}", *cells]).rstrip())
    return "\n".join(lines)
