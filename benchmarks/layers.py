"""Recurrent layers beside torch.nn, the textbook's loop and their own matrix products: forward, forward and backward,
and a whole training step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks import common
from benchmarks.common import Contender
from benchmarks.textbook import Textbook
from minirnn import (
    Adam,
    DeviceError,
    Recurrent,
    Tensor,
    backend,
    clip_grad_norm,
    make_cell,
    no_grad,
    num_threads,
    use_kernels,
)
from minirnn.fast import cuda, kernels
from minirnn.parallel import in_parallel

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
DEEP = [(2, 1), (1, 2), (2, 2)]  # layers, directions
GPU_SHAPES = [Shape(35, 32, 256, 256), Shape(100, 64, 512, 512), Shape(100, 128, 1024, 1024)]
QUICK = [Shape(10, 16, 64, 64)]
MORE_THAN_CACHED = 2**27
"""Bytes of input that no GPU keeps in its cache (an H200 60 MB)."""

MOST_SETS = 64
"""Of inputs. Where these would still be cached they are small, and take no time either way."""


def data(shape: Shape, dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Random x (T, B, I) and dy (T, B, directions · H)."""
    rng = np.random.default_rng(0)
    sizes = (shape.T, shape.B, shape.I), (shape.T, shape.B, shape.directions * shape.H)
    x, dy = (rng.standard_normal(size).astype(dtype) for size in sizes)
    return x, dy


def input_sets(shape: Shape, device: str, move: Callable[[np.ndarray], Any]) -> Iterator[tuple[Any, Any]]:
    """Endless x and dy, moved to where they are used. On a GPU they are more than its cache holds, as the batches of a
    training are; on the CPU they are always the same."""
    x, dy = data(shape)
    sets = 1 if device == "cpu" else min(MOST_SETS, 1 + MORE_THAN_CACHED // (x.nbytes + dy.nbytes))
    return itertools.cycle([(move(np.roll(x, i)), move(np.roll(dy, i))) for i in range(sets)])


def minirnn_call(
    cell: str, shape: Shape, mode: str, device: str = "cpu", with_kernels: bool = False
) -> Callable[[], object]:
    """What minirnn does in one call: step by step, or `with_kernels` in those of `minirnn.fast`."""
    sets = input_sets(shape, device, lambda array: backend.to_device(array, device))
    options = {"num_layers": shape.layers, "bidirectional": shape.directions == 2, "rng": 0}
    layer = Recurrent(cell, shape.I, shape.H, **options).to(device)
    optimizer = Adam(layer.named_parameters(), 1e-3)

    def forward() -> None:
        x, _ = next(sets)
        with no_grad():
            layer(Tensor(x))

    def backward() -> None:
        x, dy = next(sets)
        layer.zero_grad()
        output, _ = layer(Tensor(x, requires_grad=True))
        output.backward(dy)

    def step() -> None:
        backward()
        clip_grad_norm(layer.parameters(), 1.0)
        optimizer.step()

    call = dict(zip(MODES, (forward, backward, step), strict=True))[mode]

    return using_kernels(call, with_kernels)


def using_kernels(call: Callable[[], object], wanted: bool = True) -> Callable[[], object]:
    """The call with, or without, the kernels of `minirnn.use_kernels`."""

    def call_so() -> None:
        use_kernels(wanted)
        try:
            call()
        finally:
            use_kernels(None)

    return call_so


def has_kernels() -> bool:
    """Whether minirnn has kernels for the CPU here."""
    try:
        use_kernels()
        return kernels.compiles(make_cell("lstm"), np.zeros(1))
    except DeviceError:
        return False
    finally:
        use_kernels(None)


def torch_call(cell: str, shape: Shape, mode: str, device: str = "cpu") -> Callable[[], object]:
    """The same in torch.nn. Its GRU resets after the product; there is no other."""
    import torch

    where = "cuda" if device == "gpu" else "cpu"
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}.get(cell, torch.nn.GRU)
    layer = kind(shape.I, shape.H, shape.layers, bidirectional=shape.directions == 2).to(where)
    sets = input_sets(shape, device, lambda array: torch.tensor(array, device=where))
    optimizer = torch.optim.Adam(layer.parameters(), 1e-3, fused=True)

    def forward() -> None:
        x, _ = next(sets)
        with torch.no_grad():
            layer(x)

    def backward() -> None:
        x, dy = next(sets)
        layer.zero_grad()
        output, _ = layer(x.detach().requires_grad_())
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
    weights = {name: p.data for name, p in layer.weights_of("_l0").items()}
    loop = Textbook(cell, weights, per_gate)
    if mode == "forward":
        return lambda: loop.forward(x)
    return lambda: (loop.forward(x), loop.backward(dy))


def products_call(cell: str, shape: Shape) -> Callable[[], object]:
    """Nothing but the matrix products of forward and backward, as NumPy does them: those with U one by one in each
    direction of time, the rest in one piece. A layer that multiplies so cannot be faster."""
    T, B, I, _ = shape[:4]
    W, U, x, h, da, all_da, all_h = factors(cell, shape)

    def products() -> None:
        W @ x.transpose(0, 2, 1)
        for _ in range(T):
            U @ h
        for _ in range(T):
            U.T @ da
        all_da @ all_h, all_da @ x.reshape(T * B, I), all_da.T @ W

    return products


def packed_products_call(cell: str, shape: Shape) -> Callable[[], object]:
    """The same products as minirnn's kernels do them: each thread for its part of the batch, in tiles."""
    from minirnn.fast import loops
    from minirnn.fast.packed import pack, pack_transposed

    threads = num_threads()
    T, B, I, H = shape._replace(B=shape.B // threads)[:4]
    rows, rng = GATES[cell] * H, np.random.default_rng(0)
    sizes = [(rows, I), (rows, H), (T * B, I), (T * B, H), (T * B, rows)]
    arrays = [[rng.standard_normal(size).astype(np.float32) for size in sizes] for _ in range(threads)]

    def products(part: Any) -> None:
        W, U, x, h, da = part
        forward, backward, a = [pack_transposed(m) for m in (W, U)], [pack(m) for m in (W, U)], np.zeros_like(da)
        loops.add_columns(x, forward[0], a)
        for t in range(T):
            loops.add_columns(h[t * B : (t + 1) * B], forward[1], a[t * B : (t + 1) * B])
        dh = np.zeros((B, H), np.float32)
        for t in range(T):
            loops.add_columns(da[t * B : (t + 1) * B], backward[1], dh)
        dW, dU = np.empty_like(W), np.empty_like(U)
        loops.rows_of_one_product(da, (pack(x), pack(h)), dW, dU, 0, rows, True)
        loops.add_columns(da, backward[0], np.zeros_like(x))

    return lambda: in_parallel(products, arrays)


LARGE = 1024
"""Rows and columns of a product that is large enough for the processor's peak."""


def large_product_call() -> Callable[[], object]:
    """A product of two square matrices, as fast as NumPy's BLAS gets."""
    a, b = np.random.default_rng(0).standard_normal((2, LARGE, LARGE)).astype(np.float32)
    return lambda: a @ b


def operations(cell: str, shape: Shape) -> int:
    """Floating-point operations of a layer's products, forward and backward: each of W x and U h has two ways back."""
    return 3 * 2 * GATES[cell] * shape.H * (shape.I + shape.H) * shape.T * shape.B


def factors(cell: str, shape: Shape) -> tuple[np.ndarray, ...]:
    """W, U, x, and of one step h and da, of all steps da and h: random."""
    T, B, I, H = shape[:4]
    rows, rng = GATES[cell] * H, np.random.default_rng(0)
    sizes = [(rows, I), (rows, H), (T, B, I), (H, B), (rows, B), (rows, T * B), (T * B, H)]
    return tuple(rng.standard_normal(size).astype(np.float32) for size in sizes)


def contenders(cell: str, shape: Shape, mode: str, devices: tuple[str, ...]) -> Iterator[Contender]:
    """All that there are of one row of the table."""
    torch, cupy = common.torch_or_none(), common.gpu()
    simple = shape.layers == shape.directions == 1
    if "cpu" in devices:
        yield Contender("minirnn", minirnn_call(cell, shape, mode))
        if torch:
            yield Contender("torch", torch_call(cell, shape, mode))
        if simple and mode != "training step":
            yield Contender("textbook", textbook_call(cell, shape, mode, per_gate=True))
            yield Contender("row loop", textbook_call(cell, shape, mode, per_gate=False))
        if simple and mode == "forward+backward":
            yield Contender("products alone", products_call(cell, shape))
            yield Contender("a large product", large_product_call())
        if has_kernels():
            yield Contender("minirnn, kernels", minirnn_call(cell, shape, mode, with_kernels=True))
            if simple and mode == "forward+backward":
                yield Contender("products in tiles", packed_products_call(cell, shape))
        yield Contender("minirnn", minirnn_call(cell, shape, mode), threads=1)
    if "gpu" in devices and cupy:
        call = minirnn_call(cell, shape, mode, "gpu")
        yield Contender("minirnn", call, "gpu", clock=common.cupy_clock())
        if cuda.knows(make_cell(cell)):
            call = minirnn_call(cell, shape, mode, "gpu", with_kernels=True)
            yield Contender("minirnn, kernels", call, "gpu", clock=common.cupy_clock())
        if torch and torch.cuda.is_available() and cell != "gru":
            yield Contender("torch", torch_call(cell, shape, mode, "gpu"), "gpu", clock=common.torch_clock())


def run(timing: dict[str, Any], devices: tuple[str, ...], quick: bool, progress: Any) -> list[dict[str, Any]]:
    """All rows: every cell at every shape forward and backward, and one shape in all modes, depths and directions."""
    shapes = QUICK if quick else SHAPES
    jobs = [(cell, shape, "forward+backward") for cell in CELLS for shape in shapes]
    middle = shapes[min(1, len(shapes) - 1)]
    jobs += [(cell, middle, mode) for cell in CELLS for mode in ("forward", "training step")]
    deep = [middle._replace(layers=layers, directions=directions) for layers, directions in DEEP]
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


COLUMNS = {
    "minirnn": ("minirnn", "cpu", False),
    "minirnn, kernels": ("minirnn, kernels", "cpu", False),
    "minirnn, 1 thread": ("minirnn", "cpu", True),
    "torch": ("torch", "cpu", False),
    "products alone": ("products alone", "cpu", False),
    "products in tiles": ("products in tiles", "cpu", False),
    "a large product": ("a large product", "cpu", False),
    "row loop": ("row loop", "cpu", False),
    "textbook": ("textbook", "cpu", False),
    "minirnn, GPU": ("minirnn", "gpu", False),
    "kernels, GPU": ("minirnn, kernels", "gpu", False),
    "cuDNN": ("torch", "gpu", False),
}
"""Of each column of the table: the implementation, the device, and whether it keeps to one thread of several."""

OTHERS = {"minirnn": "products alone", "minirnn, kernels": "products in tiles"}
RATIOS = [(other, ours) for ours, floor in OTHERS.items() for other in ("torch", floor, "row loop", "textbook")]
RATIOS += [("cuDNN", "minirnn, GPU"), ("cuDNN", "kernels, GPU")]
OF_PEAK = ("minirnn", "minirnn, kernels", "torch")
"""Whose operations a second, in the layer's products, are compared with those of a large product."""


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """One line for each cell, shape and mode: milliseconds of each contender, and how often minirnn's time fits."""
    groups: dict[Any, dict[str, dict[str, Any]]] = {}
    for row in rows:
        found = groups.setdefault((row["model"], row["mode"], *(row[name] for name in Shape._fields)), {})
        for column, (name, device, second) in COLUMNS.items():
            # Of minirnn on the CPU the one with all threads comes first.
            right = (row["implementation"], row["device"]) == (name, device) and ("minirnn" in found or not second)
            if right and column not in found and row not in found.values():
                found[column] = row
    lines = []
    for (model, mode, T, B, I, H, deep, directions), found in groups.items():
        sizes = f"{T}, {B}, {I}, {H}" + (f"; {deep} layers" if deep > 1 else "")
        sizes += "; both directions" if directions > 1 else ""
        times = [f"{found[column]['median_ms']:.2f}" if column in found else "–" for column in COLUMNS]
        mine = found.get("minirnn") or found.get("minirnn, GPU")
        spread = f"{mine['p10_ms']:.2f} – {mine['p90_ms']:.2f}" if mine else "–"
        ratios = [f"{common.ratio(found[a], found[b]):.2f}" if a in found and b in found else "–" for a, b in RATIOS]
        cell = next(name for name, title in CELLS.items() if title == model)
        work = operations(cell, Shape(T, B, I, H)) / (2 * LARGE**3)
        shares = [
            f"{work / common.ratio(found[column], found['a large product']):.0%}"
            if {column, "a large product"} <= set(found)
            else "–"
            for column in OF_PEAK
        ]
        lines.append([model, mode, sizes, times[0], spread, *times[1:], *ratios, *shares])
    columns = [f"{column} ms" for column in COLUMNS]
    header = ["layer", "mode", "T, B, I, H", columns[0], "p10 – p90", *columns[1:], *(f"{a} / {b}" for a, b in RATIOS)]
    return [*header, *(f"{column}, of peak" for column in OF_PEAK)], lines


def summary(rows: list[dict[str, Any]]) -> str:
    """The geometric means of torch's time over minirnn's, forward and backward of one layer on the CPU, over the cells
    that torch has too."""
    simple = [row for row in rows if row["mode"] == MODES[1] and row["layers"] == row["directions"] == 1]
    times: dict[Any, dict[str, Any]] = {}
    for row in simple:
        if row["device"] == "cpu" and row["model"] != CELLS["gru"]:
            there = times.setdefault((row["model"], *(row[name] for name in Shape._fields)), {})
            there.setdefault(row["implementation"], row)  # of minirnn the one with all threads
    means = []
    for ours in OTHERS:
        ratios = [common.ratio(t["torch"], t[ours]) for t in times.values() if {"torch", ours} <= set(t)]
        if ratios:
            means.append(f"torch / {ours}: {np.exp(np.mean(np.log(ratios))):.2f}")
    what = "Geometric means, forward and backward of RNN, GRU (reset after) and LSTM"
    return f"{what}: {', '.join(means)}." if means else ""
