"""How the time of forward and backward grows with steps, sequences and units, and the memory of a step with them."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks import common, layers
from benchmarks.common import Contender
from benchmarks.layers import Shape
from minirnn import Recurrent, Tensor, make_cell
from minirnn.fast import cuda, in_place, slices, walk

BASE = Shape(32, 32, 256, 256)
RANGES = {"T": (16, 32, 64, 128, 256), "B": (16, 32, 64, 128, 256), "H": (64, 128, 256, 512, 1024)}
QUICK_BASE, QUICK_RANGES = Shape(8, 8, 16, 16), {"T": (4, 8, 16), "B": (4, 8, 16), "H": (8, 16, 32)}
CELLS = ("rnn", "gru-after", "lstm")
MEMORY = [Shape(35, 32, 256, 256), Shape(140, 32, 256, 256), Shape(35, 128, 256, 256), Shape(35, 32, 256, 512)]
MANY_STEPS = 1000

KEPT = {"rnn": 1, "gru": 6, "gru-after": 5, "lstm": 6}
"""k: arrays (H, B) that each step of a cell keeps for the way back."""

DA = {"rnn": 1, "gru": 3, "gru-after": 4, "lstm": 4}
"""d: arrays (H, B) that each step back fills: the da of the gates and, for the GRU that resets after, dq."""


def shapes(axis: str, quick: bool) -> list[Shape]:
    """The shapes along one axis. With H the input grows too."""
    base, ranges = (QUICK_BASE, QUICK_RANGES) if quick else (BASE, RANGES)
    result = [base._replace(**{axis: value}) for value in ranges[axis]]
    return [shape._replace(I=shape.H) for shape in result] if axis == "H" else result


def contenders(cell: str, axis: str, shape: Shape, devices: tuple[str, ...]) -> Iterator[Contender]:
    """All that there are of one size along an axis."""
    torch, mode = common.torch_or_none(), "forward+backward"
    if "cpu" in devices:
        yield Contender("minirnn", layers.minirnn_call(cell, shape, mode))
        if layers.has_kernels():
            yield Contender("minirnn, kernels", layers.minirnn_call(cell, shape, mode, with_kernels=True))
        if cell != "rnn" and axis == "H" and shape.H <= 512:
            yield Contender("textbook", layers.textbook_call(cell, shape, mode, True))
        if torch:
            yield Contender("torch", layers.torch_call(cell, shape, mode))
    if "gpu" in devices and common.gpu():
        call = layers.minirnn_call(cell, shape, mode, "gpu")
        yield Contender("minirnn", call, "gpu", clock=common.cupy_clock())
        if cuda.knows(make_cell(cell)):
            call = layers.minirnn_call(cell, shape, mode, "gpu", with_kernels=True)
            yield Contender("minirnn, kernels", call, "gpu", clock=common.cupy_clock())
        if torch and torch.cuda.is_available():
            call = layers.torch_call(cell, shape, mode, "gpu")
            yield Contender("torch", call, "gpu", clock=common.torch_clock())


def run(timing: dict[str, Any], devices: tuple[str, ...], quick: bool, progress: Any) -> list[dict[str, Any]]:
    """The growth rows: every cell along every axis. All sizes take turns, for it is they that are compared."""
    rows = []
    for cell, axis in progress([(cell, axis) for cell in CELLS for axis in RANGES], "growth"):
        there = [(shape, c) for shape in shapes(axis, quick) for c in contenders(cell, axis, shape, devices)]
        timings = common.measure([contender for _, contender in there], **timing)
        facts = {"benchmark": "growth", "model": layers.CELLS[cell], "axis": axis, "mode": "forward+backward"}
        rows += [
            common.record(contender, t, timings[0], **facts, **shape._asdict(), dtype="float32")
            for (shape, contender), t in zip(there, timings, strict=True)
        ]
    return rows


def deviation_from_line(sizes: np.ndarray, times: np.ndarray) -> float:
    """How far the times are from a straight line a + b · size, at most, as a part of the time. The line is the one of
    least relative error; a is what a step costs whatever its size."""
    design = np.stack([np.ones(len(sizes)), sizes], axis=1) / times[:, None]
    (a, b), *_ = np.linalg.lstsq(design, np.ones(len(sizes)))
    return float(np.abs((a + b * sizes) / times - 1).max())


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Milliseconds along each axis, and how straight the line is."""
    lines = []
    series = dict.fromkeys((row["model"], row["axis"], row["implementation"], row["device"]) for row in rows)
    for model, axis, name, device in series:
        mine = [
            r for r in rows if (r["model"], r["axis"], r["implementation"], r["device"]) == (model, axis, name, device)
        ]
        text = ", ".join(f"{row[axis]}: {row['median_ms']:.1f}" for row in mine)
        sizes, times = (np.array([row[key] for row in mine], float) for key in (axis, "over_first_contender"))
        straight = f"{deviation_from_line(sizes, times):.0%}" if axis != "H" else "–"
        lines.append([model, name + (", GPU" if device == "gpu" else ""), axis, text, straight])
    return ["layer", "implementation", "along", "ms", "furthest from a straight line"], lines


def memory_formula(cell: str, shape: Shape) -> int:
    """Bytes that a float32 training step of one layer holds at its peak, beside its input and weights. The peak is
    either in the last steps forward, where W x + b of all g gates is still there,

        4 · T·B · (g + k + 1) · H

    (k arrays of H numbers kept for each step of each sequence, and h), or in the last steps on the way back,

        4 · [ T·B · (k + 1 + j + d) · H  +  3 m ]

    (d arrays of da; and where the derivatives of a chunk of steps are computed at once, three arrays of m numbers on
    the way to them), or in the products after them, which make dx, dW and dU,

        4 · [ T·B · ((k + 1 + j + d) · H + I)  +  p · g·H · (I + H)  +  r ]

    or at the end, where da is gone and the gradients are put together or copied to where they belong:

        4 · [ T·B · ((k + 1 + j) · H + 2·I)  +  (p + 1) · g·H · (I + H) ]

    With p > 1 parts of the batch in threads, each has its own dW and dU, and j = 1, because the output is once more in
    one piece. r is small: p · g·H² for a GRU, whose dU is put together from two, T·B·H for the GRU that resets before,
    which puts all s side by side, and g·H² for the slices of a large Uᵀ.
    """
    T, B, I, H = shape[:4]
    g, k, d, p = layers.GATES[cell], KEPT[cell], DA[cell], parts_of_batch(cell, shape)
    j, r = int(p > 1), 0
    r += p * g * H * H if cell.startswith("gru") else 0
    r += T * B * H if cell == "gru" else 0
    r += g * H * H if 4 * H >= slices.FAR_APART else 0
    kept = T * B * (k + 1 + j) * H
    forward, m = T * B * (g + k + 1) * H, 0 if cell == "rnn" else min(T * B * H, p * in_place.CHUNK["cpu"])
    last_steps = kept + T * B * d * H + 3 * m
    products = kept + T * B * (d * H + I) + p * g * H * (I + H) + r
    end = kept + T * B * 2 * I + (p + 1) * g * H * (I + H)
    return 4 * max(forward, last_steps, products, end)


def parts_of_batch(cell: str, shape: Shape) -> int:
    """Into how many parts minirnn divides a batch here."""
    weights = SimpleNamespace(U=np.empty((layers.GATES[cell] * shape.H, shape.H), np.float32))
    x = np.empty((shape.T, shape.B, shape.I), np.float32)
    one = make_cell(cell)
    return len(walk.divide(shape.B, walk.threads_for(one, weights, x, 1), one))


def peak_memory(cell: str, shape: Shape) -> int:
    """Bytes that a training step of one layer has allocated at most, beside its input and weights, as measured."""
    x, dy = layers.data(shape)
    layer, X = Recurrent(cell, shape.I, shape.H, rng=0), Tensor(x, requires_grad=True)

    def step() -> None:
        layer.zero_grad()
        X.grad = None
        output, _ = layer(X)
        output.backward(dy)

    step()
    layer.zero_grad()
    X.grad = None
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def left_after(cell: str, shape: Shape, steps: int) -> int:
    """Bytes that `steps` training steps leave behind, beyond what the first ten leave."""
    call = layers.minirnn_call(cell, shape, "training step")
    for _ in range(10):
        call()
    tracemalloc.start()
    try:
        call()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(steps):
            call()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def memory(quick: bool, progress: Any) -> tuple[list[str], list[list[str]]]:
    """The table of memory: formula and measurement side by side."""
    lines = []
    for cell, shape in progress(
        [(cell, s) for cell in layers.CELLS for s in (layers.QUICK if quick else MEMORY)], "memory"
    ):
        said, measured = memory_formula(cell, shape), peak_memory(cell, shape)
        sizes = ", ".join(map(str, shape[:4]))
        lines.append(
            [layers.CELLS[cell], sizes, f"{said / 2**20:.1f}", f"{measured / 2**20:.1f}", f"{measured / said:.2f}"]
        )
    for cell in layers.CELLS:
        steps = 20 if quick else MANY_STEPS
        left = left_after(cell, Shape(10, 16, 32, 32), steps)
        lines.append([layers.CELLS[cell], f"10, 16, 32, 32 after {steps:,} steps", "0.0", f"{left / 2**20:.3f}", "–"])
    return ["layer", "T, B, I, H", "MiB by the formula", "MiB measured", "measured / formula"], lines
