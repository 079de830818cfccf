"""Recurrent layers beside torch.nn, the textbook's loop and their own matrix products: forward, forward and backward, and
a whole training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks import common
from benchmarks.common import Contender
from benchmarks.textbook import Textbook
from minirnn import Adam, Recurrent, Tensor, backend, clip_grad_norm, no_grad

CELLS = {"rnn": "RNN", "gru-after": "GRU (reset after)", "gru": "GRU (reset before)", "lstm": "LSTM"}
GATES = {"rnn": 1, "gru": 3, "gru-after": 3, "lstm": 4}
MODES = ("forward", "forward+backward", "training step")


class Shape(NamedTuple):
    """Steps, sequences, features and units of a layer, and how many layers in how many directions."""

    T: int
    B: int
    I: int
    H: int
    layers: int = 1
    directions: int = 1


SHAPES = [
    Shape(*sizes)
    for sizes in [
        (35, 32, 28, 256),
        (35, 32, 256, 256),
        (35, 32, 256, 512),
        (10, 64, 256, 256),
        (50, 64, 512, 512),
        (25, 128, 256, 512),
    ]
]
DEEP = [Shape(35, 32, 256, 256, 2, 1), Shape(35, 32, 256, 256, 1, 2), Shape(35, 32, 256, 256, 2, 2)]
GPU_SHAPES = [Shape(35, 32, 256, 256), Shape(100, 64, 512, 512), Shape(100, 128, 1024, 1024)]
QUICK = [Shape(10, 16, 64, 64)]


def data(shape: Shape, dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Random x (T, B, I) and dy (T, B, directions · H)."""
    rng = np.random.default_rng(0)
    sizes = (shape.T, shape.B, shape.I), (shape.T, shape.B, shape.directions * shape.H)
    x, dy = (rng.standard_normal(size).astype(dtype) for size in sizes)
    return x, dy


def minirnn_call(cell: str, shape: Shape, mode: str, device: str = "cpu") -> Callable[[], object]:
    """What minirnn does in one call."""
    x, dy = (backend.to_device(array, device) for array in data(shape))
    options = {"num_layers": shape.layers, "bidirectional": shape.directions == 2, "rng": 0}
    layer = Recurrent(cell, shape.I, shape.H, **options).to(device)
    X, optimizer = Tensor(x, requires_grad=True), Adam(layer.named_parameters(), 1e-3)

    def forward() -> None:
        with no_grad():
            layer(X)

    def backward() -> None:
        layer.zero_grad()
        X.grad = None
        output, _ = layer(X)
        output.backward(dy)

    def step() -> None:
        backward()
        clip_grad_norm(layer.parameters(), 1.0)
        optimizer.step()

    return dict(zip(MODES, (forward, backward, step), strict=True))[mode]


def torch_call(cell: str, shape: Shape, mode: str, device: str = "cpu") -> Callable[[], object]:
    """The same in torch.nn. Its GRU resets after the product; there is no other."""
    import torch

    where = "cuda" if device == "gpu" else "cpu"
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}.get(cell, torch.nn.GRU)
    layer = kind(shape.I, shape.H, shape.layers, bidirectional=shape.directions == 2).to(where)
    x, dy = (torch.tensor(array, device=where) for array in data(shape))
    x.requires_grad_()
    optimizer = torch.optim.Adam(layer.parameters(), 1e-3, fused=True)

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    def backward() -> None:
        layer.zero_grad()
        x.grad = None
        output, _ = layer(x)
        output.backward(dy)

    def step() -> None:
        backward()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()

    return dict(zip(MODES, (forward, backward, step), strict=True))[mode]


def textbook_call(cell: str, shape: Shape, mode: str, per_gate: bool) -> Callable[[], object]:
    """The row loop of `benchmarks.textbook`, one layer in one direction."""
    x, dy = data(shape)
    layer = Recurrent(cell, shape.I, shape.H, rng=0)
    weights = {name: p.data for name, p in layer._weights("_l0").items()}
    loop = Textbook(cell, weights, per_gate)
    if mode == "forward":
        return lambda: loop.forward(x)
    return lambda: (loop.forward(x), loop.backward(dy))


def products_call(cell: str, shape: Shape) -> Callable[[], object]:
    """Nothing but the matrix products of forward and backward, as NumPy does them: those with U one by one in each
    direction of time, the rest in one piece. A layer that multiplies so cannot be faster."""
    T, B, I, H = shape[:4]
    rows, rng = GATES[cell] * H, np.random.default_rng(0)
    array = lambda *size: rng.standard_normal(size).astype(np.float32)
    W, U, x, h, da = array(rows, I), array(rows, H), array(T, B, I), array(H, B), array(rows, B)
    all_da, rows_x, rows_h = array(rows, T * B), x.reshape(T * B, I), array(T * B, H)

    def products() -> None:
        W @ x.transpose(0, 2, 1)
        for _ in range(T):
            U @ h
        for _ in range(T):
            U.T @ da
        all_da @ rows_h, all_da @ rows_x, all_da.T @ W

    return products


def contenders(cell: str, shape: Shape, mode: str, devices: tuple[str, ...]) -> Iterator[Contender]:
    """All that there are of one row of the table."""
    torch, cupy = common.torch_or_none(), common.gpu()
    simple = shape.layers == shape.directions == 1
    if "cpu" in devices:
        yield Contender("minirnn", minirnn_call(cell, shape, mode))
        yield Contender("minirnn", minirnn_call(cell, shape, mode), threads=1)
        if simple and mode != "training step":
            yield Contender("textbook", textbook_call(cell, shape, mode, per_gate=True))
            yield Contender("row loop", textbook_call(cell, shape, mode, per_gate=False))
        if simple and mode == "forward+backward":
            yield Contender("products alone", products_call(cell, shape))
        if torch:
            yield Contender("torch", torch_call(cell, shape, mode))
    if "gpu" in devices and cupy:
        wait = lambda: backend.synchronize("gpu")
        yield Contender("minirnn", minirnn_call(cell, shape, mode, "gpu"), "gpu", synchronize=wait)
        if torch and torch.cuda.is_available():
            yield Contender("torch", torch_call(cell, shape, mode, "gpu"), "gpu", synchronize=torch.cuda.synchronize)


def run(timing: dict[str, Any], devices: tuple[str, ...], quick: bool, progress: Any) -> list[dict[str, Any]]:
    """All rows: every cell at every shape forward and backward, and one shape in all modes, depths and directions."""
    shapes = QUICK if quick else SHAPES
    jobs = [(cell, shape, "forward+backward") for cell in CELLS for shape in shapes]
    middle = shapes[min(1, len(shapes) - 1)]
    jobs += [(cell, middle, mode) for cell in CELLS for mode in ("forward", "training step")]
    deep = [Shape(*shape[:4], *deep[4:]) for deep in DEEP for shape in [middle]]
    jobs += [(cell, shape, "forward+backward") for cell in ("gru-after", "lstm") for shape in deep]
    if "gpu" in devices and common.gpu() and not quick:
        jobs += [(cell, shape, "forward+backward") for cell in ("gru-after", "lstm") for shape in GPU_SHAPES[1:]]
    rows = []
    for cell, shape, mode in progress(jobs, "layers"):
        slow = shape in GPU_SHAPES[1:]  # these take seconds on a CPU, and nothing is learned there
        there = ("gpu",) if slow else devices
        facts = {"benchmark": "layers", "model": CELLS[cell], "mode": mode, **shape._asdict(), "dtype": "float32"}
        rows += common.compare(list(contenders(cell, shape, mode, there)), timing, **facts)
    return rows


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """One line for each cell, shape and mode: milliseconds of each contender, and how often minirnn's time fits."""
    names = {
        "minirnn": ("minirnn", "cpu"),
        "minirnn, 1 thread": ("minirnn", "cpu"),
        "products alone": ("products alone", "cpu"),
        "torch": ("torch", "cpu"),
        "row loop": ("row loop", "cpu"),
        "textbook": ("textbook", "cpu"),
        "minirnn, GPU": ("minirnn", "gpu"),
        "cuDNN": ("torch", "gpu"),
    }
    key = lambda row: (row["model"], row["mode"], *(row[name] for name in Shape._fields))
    lines = []
    for group in dict.fromkeys(map(key, rows)):
        found: dict[str, dict[str, Any]] = {}
        for row in (row for row in rows if key(row) == group):
            one = row["implementation"] == "minirnn" and row["device"] == "cpu" and "minirnn" in found
            for label, (name, device) in names.items():
                if (row["implementation"], row["device"]) == (name, device) and (label == "minirnn, 1 thread") == one:
                    found.setdefault(label, row)
        cell = lambda label: f"{found[label]['median_ms']:.2f}" if label in found else "–"
        ratio = lambda other, one: (
            f"{found[other]['median_ms'] / found[one]['median_ms']:.2f}" if other in found and one in found else "–"
        )
        mine = found.get("minirnn", found.get("minirnn, GPU"))
        spread = f"{mine['p10_ms']:.2f} – {mine['p90_ms']:.2f}" if mine else "–"
        sizes = ", ".join(map(str, group[2:6])) + (f"; {group[6]} layers" if group[6] > 1 else "")
        sizes += "; both directions" if group[7] > 1 else ""
        ratios = [ratio(other, "minirnn") for other in ("torch", "products alone", "row loop", "textbook")]
        lines.append([group[0], group[1], sizes, *map(cell, names), spread, *ratios, ratio("cuDNN", "minirnn, GPU")])
    header = ["layer", "mode", "T, B, I, H", *(f"{name} ms" for name in names), "minirnn p10 – p90"]
    header += [f"{other} / minirnn" for other in ("torch", "products alone", "row loop", "textbook")]
    return [*header, "cuDNN / minirnn, GPU"], lines
