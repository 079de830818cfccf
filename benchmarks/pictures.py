"""The pictures of the benchmarks, drawn from their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common, layers
from minirnn.plots.common import new_figure, save

STYLES = {
    ("minirnn", "cpu"): {"color": "#1b6ca8", "marker": "o", "linestyle": "-"},
    ("torch", "cpu"): {"color": "#d95f02", "marker": "s", "linestyle": "--"},
    ("textbook", "cpu"): {"color": "#7a7a7a", "marker": "^", "linestyle": ":"},
    ("minirnn", "gpu"): {"color": "#1b9e77", "marker": "D", "linestyle": "-."},
    ("minirnn, one kernel", "gpu"): {"color": "#e6ab02", "marker": "P", "linestyle": "-"},
    ("torch", "gpu"): {"color": "#8c2d6f", "marker": "v", "linestyle": (0, (5, 1, 1, 1))},
}
NAMES = {
    ("minirnn", "cpu"): "minirnn, NumPy",
    ("torch", "cpu"): "torch.nn, CPU",
    ("textbook", "cpu"): "textbook loop",
    ("minirnn", "gpu"): "minirnn, CuPy",
    ("minirnn, one kernel", "gpu"): "minirnn, one kernel",
    ("torch", "gpu"): "torch.nn, cuDNN",
}
AXES = {"T": "steps T", "B": "sequences in a batch B", "H": "hidden units H"}


def ratio_bars(rows: list[dict[str, Any]], path: Path) -> Path | None:
    """torch's time over minirnn's, forward and backward, at every shape, on the CPU."""
    figure = new_figure(8, 4.2)
    simple = [r for r in rows if r["mode"] == "forward+backward" and r["layers"] == r["directions"] == 1]
    shapes = list(dict.fromkeys((r["T"], r["B"], r["I"], r["H"]) for r in simple))
    found: dict[Any, dict[str, Any]] = {}
    for r in simple:
        key = r["model"], (r["T"], r["B"], r["I"], r["H"]), r["implementation"], r["device"]
        found.setdefault(key, r)
    models = [m for m in layers.CELLS.values() if any((m, s, "torch", "cpu") in found for s in shapes)]
    shapes = [s for s in shapes if any((m, s, "torch", "cpu") in found for m in models)]
    if figure is None or not models:
        return None
    axes, width = figure.subplots(), 0.8 / len(models)
    hatches = ("", "//", "..", "xx")
    for i, model in enumerate(models):
        ratios = [common.ratio(found[model, s, "torch", "cpu"], found[model, s, "minirnn", "cpu"]) for s in shapes]
        at = np.arange(len(shapes)) + (i - (len(models) - 1) / 2) * width
        axes.bar(at, ratios, width * 0.95, label=model, hatch=hatches[i], edgecolor="white", color=f"C{i}")
    axes.axhline(1, color="black", linewidth=1)
    axes.set_xticks(range(len(shapes)), ["(" + ", ".join(map(str, s)) + ")" for s in shapes], fontsize=8)
    axes.set_xlabel("(T, B, I, H)")
    axes.set_ylabel("torch's time / minirnn's time")
    axes.set_title("Forward and backward on the CPU: above 1, minirnn is faster")
    axes.margins(y=0.15)
    axes.legend(ncols=len(models), fontsize=8)
    return save(figure, path)


def growth_curves(rows: list[dict[str, Any]], path: Path) -> Path | None:
    """Time against T, B and H for each cell, both axes logarithmic."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure = new_figure(9.5, 2.9 * len(models))
    if figure is None:
        return None
    grid = figure.subplots(len(models), len(AXES), squeeze=False, sharey="row")
    for i, model in enumerate(models):
        for j, (axis, name) in enumerate(AXES.items()):
            axes, there = grid[i][j], [r for r in rows if r["model"] == model and r["axis"] == axis]
            for key, style in STYLES.items():
                mine = [r for r in there if (r["implementation"], r["device"]) == key]
                if mine:
                    line = [r[axis] for r in mine], [r["median_ms"] for r in mine]
                    axes.plot(*line, label=NAMES[key], markersize=4, **style)
                    spread = [r["p10_ms"] for r in mine], [r["p90_ms"] for r in mine]
                    axes.fill_between(line[0], *spread, alpha=0.15, color=style["color"])
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            sizes = sorted({r[axis] for r in there})
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.minorticks_off()
            others = {k: there[0][k] for k in AXES if k != axis}
            axes.set_title(f"{model}; {', '.join(f'{k} = {v}' for k, v in others.items())}", fontsize=8)
            axes.set_xlabel(name)
            if j == 0:
                axes.set_ylabel("forward + backward, ms")
            if axis == "H":
                axes.legend(fontsize=7)
    return save(figure, path)


def crossover(rows: list[dict[str, Any]], path: Path) -> Path | None:
    """CPU against GPU over the hidden size: where the GPU begins to win. None without a GPU."""
    there = [r for r in rows if r["axis"] == "H"]
    figure = new_figure(9.5, 3.4)
    if figure is None or not any(r["device"] == "gpu" for r in there):
        return None
    models = list(dict.fromkeys(row["model"] for row in there))
    for axes, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        for key, style in STYLES.items():
            mine = [r for r in there if r["model"] == model and (r["implementation"], r["device"]) == key]
            if mine:
                axes.plot(
                    [r["H"] for r in mine], [r["median_ms"] for r in mine], label=NAMES[key], markersize=4, **style
                )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_title(f"{model}; T = {there[0]['T']}, B = {there[0]['B']}", fontsize=9)
        axes.set_xlabel("hidden units H (and inputs I)")
        axes.set_ylabel("forward + backward, ms")
        axes.legend(fontsize=7)
    return save(figure, path)
