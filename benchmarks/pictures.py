"""The pictures of the benchmarks, drawn from their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from minirnn.plots.common import new_figure, save

STYLES = {
    ("minirnn", "cpu"): {"color": "#1b6ca8", "marker": "o", "linestyle": "-"},
    ("torch", "cpu"): {"color": "#d95f02", "marker": "s", "linestyle": "--"},
    ("textbook", "cpu"): {"color": "#7a7a7a", "marker": "^", "linestyle": ":"},
    ("minirnn, kernels", "cpu"): {"color": "#7570b3", "marker": "P", "linestyle": "-"},
    ("minirnn", "gpu"): {"color": "#1b9e77", "marker": "D", "linestyle": "-."},
    ("minirnn, kernels", "gpu"): {"color": "#e6ab02", "marker": "X", "linestyle": "-"},
    ("torch", "gpu"): {"color": "#8c2d6f", "marker": "v", "linestyle": (0, (5, 1, 1, 1))},
}
NAMES = {
    ("minirnn", "cpu"): "minirnn, NumPy",
    ("torch", "cpu"): "torch.nn, CPU",
    ("textbook", "cpu"): "textbook loop",
    ("minirnn, kernels", "cpu"): "minirnn, kernels, CPU",
    ("minirnn", "gpu"): "minirnn, CuPy",
    ("minirnn, kernels", "gpu"): "minirnn, kernels, GPU",
    ("torch", "gpu"): "torch.nn, cuDNN",
}
AXES = {"T": "steps T", "B": "sequences in a batch B", "H": "hidden units H"}


def ratio_bars(rows: list[dict[str, Any]], path: Path) -> Path | None:
    """torch's time over minirnn's, forward and backward, at every shape, on the CPU: with NumPy alone, and below with
    kernels if these were measured."""
    simple = [r for r in rows if r["mode"] == "forward+backward" and r["layers"] == r["directions"] == 1]
    found: dict[Any, dict[str, Any]] = {}
    for r in simple:
        if r["device"] == "cpu":
            found.setdefault((r["model"], (r["T"], r["B"], r["I"], r["H"]), r["implementation"]), r)
    both = [key[:2] for key in found if key[2] == "torch"]
    models, shapes = (list(dict.fromkeys(key[i] for key in both)) for i in (0, 1))
    ours = [name for name in ("minirnn", "minirnn, kernels") if any(key[2] == name for key in found)]
    figure = new_figure(8, 1 + 3.2 * len(ours))
    if figure is None or not both:
        return None
    width = 0.8 / len(models)
    hatches = ("", "//", "..", "xx")
    for axes, name in zip(figure.subplots(len(ours), sharey=True, squeeze=False)[:, 0], ours, strict=True):
        for i, model in enumerate(models):
            ratios = [common.ratio(found[model, s, "torch"], found[model, s, name]) for s in shapes]
            at = np.arange(len(shapes)) + (i - (len(models) - 1) / 2) * width
            axes.bar(at, ratios, width * 0.95, label=model, hatch=hatches[i], edgecolor="white", color=f"C{i}")
        axes.axhline(1, color="black", linewidth=1)
        axes.set_xticks(range(len(shapes)), ["(" + ", ".join(map(str, s)) + ")" for s in shapes], fontsize=8)
        axes.set_xlabel("(T, B, I, H)")
        axes.set_ylabel("torch's time / minirnn's time")
        how = NAMES[name, "cpu"].removeprefix("minirnn, ").removesuffix(", CPU")
        axes.set_title(f"Forward and backward on the CPU, {how}: above 1, minirnn is faster", fontsize=10)
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
        sizes = sorted({r["H"] for r in there})
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_title(f"{model}; T = {there[0]['T']}, B = {there[0]['B']}", fontsize=9)
        axes.set_xlabel("hidden units H (and inputs I)")
        axes.set_ylabel("forward + backward, ms")
        axes.legend(fontsize=7)
    return save(figure, path)
