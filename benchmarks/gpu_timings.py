"""What is timed on a GPU: layers beside NumPy and cuDNN, over the hidden size, whole models, and launch by launch."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common, layers, models, pictures, translation_step
from benchmarks.common import Clock, Contender
from benchmarks.gpu_checks import CELLS
from benchmarks.layers import Shape
from benchmarks.session import Session, Sheet

QUICK_SHAPES = [Shape(3, 4, 4, 4), Shape(2, 4, 4, 8)]
WIDTHS, QUICK_WIDTHS = (64, 128, 256, 512, 1024, 2048), (4, 8)
MODE = "forward+backward"
NOTE = (
    "float32, random data that lies where it is used; on the GPU every call takes another batch, together more than "
    "its cache holds. Calls alternate in one process; medians by the host's clock, waiting for the device at both "
    "ends. The time by the device's own clock, p10, p90 and the first call are in the CSV."
)

COLUMNS = {
    "NumPy": ("minirnn", "cpu"),
    "torch, CPU": ("torch", "cpu"),
    "CuPy": ("minirnn", "gpu"),
    "kernels": ("minirnn, kernels", "gpu"),
    "cuDNN": ("torch", "gpu"),
}
"""Of each column: the implementation and the device."""

RATIOS = [("NumPy", "kernels"), ("CuPy", "cuDNN"), ("kernels", "cuDNN")]

Maker = Callable[[], Contender]


def made(name: str, device: str, clock: Clock, make: Callable[..., Callable[[], object]], *arguments: Any) -> Contender:
    """A contender whose call is made by `make`."""
    return Contender(name, make(*arguments), device, clock=clock)


def contenders(ours: Callable[..., Any], theirs: Callable[..., Any], kernels: bool) -> list[Maker]:
    """All that there are of a comparison, each to be made when it is its turn.

    Args:
        ours, theirs: make the call of minirnn and of torch for a device; minirnn's with kernels if the second argument
            is true.
        kernels: whether minirnn's kernels may be used.
    """
    torch, partial = common.torch_or_none(), functools.partial
    result = [
        partial(made, "minirnn", "cpu", common.HOST, ours, "cpu", False),
        partial(made, "minirnn", "gpu", common.cupy_clock(), ours, "gpu", False),
    ]
    if kernels:
        result.append(partial(made, "minirnn, kernels", "gpu", common.cupy_clock(), ours, "gpu", True))
    if torch:
        result.append(partial(made, "torch", "cpu", common.HOST, theirs, "cpu"))
    if torch and torch.cuda.is_available():
        result.append(partial(made, "torch", "gpu", common.torch_clock(), theirs, "gpu"))
    return result


def layer_contenders(session: Session, cell: str, shape: Shape) -> list[Maker]:
    """All that there are of a layer."""
    ours = functools.partial(layers.minirnn_call, cell, shape, MODE)
    return contenders(ours, functools.partial(layers.torch_call, cell, shape, MODE), cell in session.kernels)


def by_column(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of one comparison by the column of the table."""
    kinds = {kind: column for column, kind in COLUMNS.items()}
    return {kinds[row["implementation"], row["device"]]: row for row in rows}


def times_and_ratios(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The cells of a table's row: milliseconds of every column, and the ratios."""
    found = by_column(rows)
    times = [f"{found[c]['median_ms']:.2f}" if c in found else "–" for c in COLUMNS]
    ratios = [f"{common.ratio(found[a], found[b]):.2f}" if {a, b} <= set(found) else "–" for a, b in RATIOS]
    return times + ratios


def layer_header(*first: str) -> list[str]:
    """The columns of a table of layers."""
    return [*first, *(f"{column} ms" for column in COLUMNS), *(f"{a} / {b}" for a, b in RATIOS)]


def compare_layers(session: Session) -> None:
    """Forward and backward of a layer, beside NumPy, torch and cuDNN."""
    header = layer_header("layer", "T, B, I, H")
    sheet = Sheet(session, "layers", "Recurrent layers on a GPU, forward and backward", header, NOTE)
    jobs = [(cell, shape) for shape in (QUICK_SHAPES if session.quick else layers.GPU_SHAPES) for cell in CELLS]
    for cell, shape in jobs:
        if session.skips(10 if sheet.rows else 0, f"{cell} at {', '.join(map(str, shape[:4]))}"):
            continue
        facts = {"benchmark": "gpu_layers", "model": layers.CELLS[cell], "mode": MODE, **shape._asdict()}
        rows = session.measure(layer_contenders(session, cell, shape), **facts, dtype="float32")
        sheet.add([layers.CELLS[cell], ", ".join(map(str, shape[:4])), *times_and_ratios(rows)], rows)


def where_time_goes(session: Session) -> None:
    """Launches, and where the time of a step goes, in a process of its own: a profiler slows what comes after it."""
    shape = QUICK_SHAPES[0] if session.quick else layers.GPU_SHAPES[0]
    header = ["layer", "how", "ms", "until queued, ms", "busy ms", "waiting ms", "launches", "a step", "most time"]
    sizes = ", ".join(map(str, shape[:4]))
    note = f"One call forward and backward at T, B, I, H = {sizes}; launches as torch's profiler sees them."
    sheet = Sheet(session, "launches", "Where the time of a call goes on the GPU", header, note)
    if common.torch_or_none() is None:
        print("skipped: only torch's profiler can tell, and torch is not installed")
        return
    command = [sys.executable, "-m", "benchmarks.profiling", *map(str, shape[:4])]
    command += [f"{cell}:kernels" if cell in session.kernels else cell for cell in CELLS]
    root, end = Path(__file__).parents[1], session.budget.left
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as profiler:
        stop = threading.Timer(min(90.0, end), profiler.kill)
        stop.start()
        for line in profiler.stdout or ():
            row = json.loads(line)
            most = "; ".join(f"{kind} {n} in {ms:.2f} ms" for kind, (n, ms) in list(row["kinds"].items())[:4])
            numbers = [f"{row[key]:.2f}" for key in ("ms", "queued_ms", "busy_ms", "waiting_ms")]
            launches = [str(row["launches"]), f"{row['launches'] / shape.T:.1f}"]
            sheet.add([layers.CELLS[row["cell"]], row["how"], *numbers, *launches, most], [row])
        stop.cancel()
        said = profiler.stderr.read().strip() if profiler.stderr else ""
    if profiler.returncode:
        session.problem(f"profile: {said.splitlines()[-1] if said else 'not done in time'}")


def crossover(session: Session) -> None:
    """From which hidden size on the GPU wins."""
    sheet = Sheet(session, "crossover", "CPU against GPU over the hidden size", layer_header("layer", "H = I"), NOTE)
    T, B = QUICK_SHAPES[0][:2] if session.quick else (35, 32)
    for cell in CELLS:
        for H in QUICK_WIDTHS if session.quick else WIDTHS:
            if session.skips(10, f"crossover of {cell} at {H}"):
                continue
            shape = Shape(T, B, H, H)
            facts = {"benchmark": "gpu_crossover", "axis": "H", "model": layers.CELLS[cell], "mode": MODE}
            rows = session.measure(layer_contenders(session, cell, shape), **facts, **shape._asdict(), dtype="float32")
            sheet.add([layers.CELLS[cell], str(H), *times_and_ratios(rows)], rows)
        if session.folder is not None and sheet.records:
            pictures.crossover(sheet.records, session.folder / "gpu_crossover.png")


def train_models(session: Session) -> None:
    """Training steps of whole models, in tokens per second."""
    header = ["model", *(f"{column}, tokens/s" for column in COLUMNS)]
    sheet = Sheet(session, "models", "Training steps on a GPU", header, NOTE)
    for name, tokens, makers, facts in model_jobs(session):
        if session.skips(10, name):
            continue
        facts = {"benchmark": "gpu_models", "model": name, "mode": "step", "dtype": "float32", **facts}
        rows = session.measure(makers, amount=tokens, unit="tokens", **facts)
        found = by_column(rows)
        rates = [f"{tokens / found[c]['median_ms'] * 1e3:,.0f}" if c in found else "–" for c in COLUMNS]
        sheet.add([name, *rates], rows)


def model_jobs(session: Session) -> Iterator[tuple[str, int, list[Maker], dict[str, int]]]:
    """Name, tokens of a step, contenders and sizes of every model."""
    hidden, steps = (8, 3) if session.quick else (models.HIDDEN, models.STEPS)
    for cell in CELLS:
        ours = functools.partial(models.language_model_call, cell, hidden, steps)
        theirs = functools.partial(models.torch_language_model_call, cell, hidden, steps)
        sizes = {"T": steps, "B": models.BATCH, "H": hidden}
        name = f"language model, {models.CELLS[cell]}, H {hidden}"
        yield name, steps * models.BATCH, contenders(ours, theirs, cell in session.kernels), sizes
    vocabularies = models.QUICK_VOCABULARIES if session.quick else models.VOCABULARIES
    for name, (E, H, size) in models.TRANSLATION.items():
        E, H, size = (8, 8, 4) if session.quick else (E, H, size)
        batch = translation_step.batch_of(size, vocabularies, np.random.default_rng(0))
        ours, theirs = (
            functools.partial(translation_call, side, (E, H), batch, vocabularies) for side in ("minirnn", "torch")
        )
        sizes = {"T": len(batch[2]), "B": size, "H": H}
        makers = contenders(ours, theirs, "gru-after" in session.kernels)
        yield f"translation, {name}", int(batch[3].sum()), makers, sizes


def translation_call(
    side: str, sizes: tuple[int, int], batch: Any, vocabularies: tuple[int, int], device: str, kernels: bool = False
) -> Callable[[], object]:
    """A training step of the translation model, or of its twin."""
    call = translation_step.training_steps(sizes, batch, vocabularies, device)[side]
    return layers.using_kernels(call, kernels) if side == "minirnn" else call
