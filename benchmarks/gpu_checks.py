"""What must be right on a GPU before anything is timed there: the same results as on the CPU.

    python -m benchmarks.gpu_checks kernels lstm float32    # one group of checks, a line of JSON for each

Each group runs in a process of its own, several at a time: a kernel that writes where it should not, or waits for ever,
takes no other check along, and what one process compiles the others find on disk.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from minirnn import (
    CELL_NAMES,
    SGD,
    AttentionDecoder,
    EncoderDecoder,
    LanguageModel,
    Recurrent,
    RecurrentEncoder,
    Tensor,
    Translation,
    backend,
    beam_search,
    clip_grad_norm,
    cross_entropy,
    make_cell,
    use_kernels,
)
from minirnn.fast import cuda

Check = dict[str, Any]

CELLS = ("lstm", "gru-after", "rnn")
"""The cells that the kernels know, in the order of worth."""

SIZES = [(32, 256), (64, 512), (128, 1024), (36, 64), (5, 7)]
"""B and H of the kernels' checks: those that are timed, blocks that are not full, and what fits no block."""

QUICK_SIZES = [(4, 8), (5, 7)]
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
LIMIT = 20.0
"""Seconds after which a launch of a kernel counts as one that would never end."""

PATIENCE = 60.0
"""Seconds of a whole group, most of which compile what CuPy needs."""


def groups(quick: bool = False) -> list[tuple[str, ...]]:
    """The groups of checks, those first on which most depends."""
    kernels = [("kernels", cell, dtype) for dtype in TOLERANCE for cell in CELLS]
    cells = CELLS if quick else (*CELLS, *(name for name in CELL_NAMES if name not in CELLS))
    parts = 1 if quick else 4
    shares = [("cells", *sorted(cells[i::parts])) for i in range(parts)]
    return [*(kernels[:3] if quick else kernels), ("refusal",), ("language-model",), ("translation",), *shares]


def difference(on_cpu: Iterable[np.ndarray], on_gpu: Iterable[np.ndarray]) -> float:
    """The largest difference between arrays, each over the largest number of its array on the CPU."""
    worst = 0.0
    for a, b in zip(on_cpu, on_gpu, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype or not np.isfinite(b).all():
            return math.inf
        worst = max(worst, float(np.abs(a - b).max(initial=0)) / max(float(np.abs(a).max(initial=0)), 1e-30))
    return worst


def check(what: str, sizes: str, error: float, dtype: str, problem: str = "", tolerance: float | None = None) -> Check:
    """A result. (An error that is no number never passes.)"""
    allowed = TOLERANCE[dtype] if tolerance is None else tolerance
    facts = {"check": what, "sizes": sizes, "dtype": dtype, "error": error, "tolerance": allowed}
    return {**facts, "passed": bool(error <= allowed), "problem": problem}


def layer_results(
    cell: str, dtype: str, sizes: tuple[int, int, int, int], lengths: Any, device: str, **options: Any
) -> list[np.ndarray]:
    """Output, final state and all gradients of a layer at sizes T, B, I, H, from the same numbers on every device."""
    (T, B, I, H), rng = sizes, np.random.default_rng(0)
    layer = Recurrent(cell, I, H, rng=0, dtype=np.dtype(dtype), **options).eval().to(device)
    features = H * layer.num_directions
    x, dy = (rng.standard_normal(shape).astype(dtype) for shape in ((T, B, I), (T, B, features)))
    X = Tensor(backend.to_device(x, device), requires_grad=True)
    output, state = layer(X, lengths=lengths)
    output.backward(backend.to_device(dy, device))
    states = [s.data for s in state] if isinstance(state, tuple) else [state.data]
    arrays = [output.data, *states, X.grad, *(p.grad for p in layer.parameters())]
    return [backend.to_host(array) for array in arrays]


def check_kernels(cell: str, dtype: str, quick: bool, limit: float) -> Iterator[Check]:
    """The kernels of a cell, and its plain steps on the GPU, against the CPU."""
    for B, H in QUICK_SIZES if quick else SIZES:
        T, options = 3 if quick else 6, {"bidirectional": H < 512}
        for lengths in (None, np.arange(B) % (T + 1)):
            case = (cell, dtype, (T, B, 16, H), lengths)
            sizes = f"T {T}, B {B}, H {H}" + ("" if lengths is None else ", padded")
            expected = layer_results(*case, "cpu", **options)
            use_kernels(False)
            found = layer_results(*case, "gpu", **options)
            yield check(f"{cell}, step by step", sizes, difference(expected, found), dtype)
            one = cuda.units_of_block(len(make_cell(cell).gates), dtype, B, H)
            use_kernels()
            faulthandler.dump_traceback_later(limit, exit=True)
            found = layer_results(*case, "gpu", **options)
            faulthandler.cancel_dump_traceback_later()
            what = f"{cell}, kernels, {'all steps in one launch' if one else 'two launches a step'}"
            yield check(what, sizes, difference(expected, found), dtype)


def check_refusal(quick: bool, limit: float) -> Iterator[Check]:
    """A grid whose blocks do not all fit on the GPU must be refused: they would wait for one another for ever."""
    xp, H = backend.gpu_library(), 8 if quick else 1024
    B = 2**15
    arrays = [xp.zeros((4 * H, H), dtype=np.float32), xp.zeros(4 * H, dtype=np.float32), None]
    arrays += [xp.zeros((4 * H, 1, B), dtype=np.float32), *(xp.zeros((2, H, B), dtype=np.float32) for _ in range(2))]
    arrays += [xp.zeros((1, 6, H, B), dtype=np.float32), None]
    kernel = cuda._kernels(4, "<f4", cuda.FEW_UNITS)["forward"]
    faulthandler.dump_traceback_later(limit, exit=True)
    try:
        cuda._launch(kernel, cuda.FEW_UNITS, arrays, 1, B, H)
        xp.cuda.get_current_stream().synchronize()
        error, problem = math.inf, "it was launched"
    except (ValueError, RuntimeError) as refused:  # CuPy's own check, or the driver's
        error, problem = 0.0, str(refused)
    faulthandler.cancel_dump_traceback_later()
    blocks = math.prod(cuda.grid(B, H, cuda.FEW_UNITS))
    yield check("a grid too large is refused", f"{blocks:,} blocks", error, "float32", problem)


def check_cells(*names: str) -> Iterator[Check]:
    """Each cell's own steps once: two layers, both directions, sequences of different lengths.

    What is rounded otherwise comes out otherwise, and by more where a cell divides by something small, as layer
    normalisation does. So where float32 on the CPU is further from float64 than usual, the GPU may be, too.
    """
    use_kernels(False)
    sizes, lengths, options = (20, 4, 8, 16), np.array([20, 7, 1, 13]), {"num_layers": 2, "bidirectional": True}
    for name in names:
        single, double = (layer_results(name, dtype, sizes, lengths, "cpu", **options) for dtype in TOLERANCE)
        rounding = difference([a.astype(np.float32) for a in double], single)
        for dtype, expected in (("float32", single), ("float64", double)):
            error = difference(expected, layer_results(name, dtype, sizes, lengths, "gpu", **options))
            tolerance = max(TOLERANCE[dtype], 16 * rounding) if dtype == "float32" else TOLERANCE[dtype]
            where = "T 20, B 4, H 16, 2 layers, both directions, padded"
            yield check(name, where, error, dtype, tolerance=tolerance)


def check_language_model() -> Iterator[Check]:
    """Two training steps of a language model: all its weights afterwards."""
    ids, weights = np.random.default_rng(0).integers(0, 30, (2, 20, 8)), []
    for device in ("cpu", "gpu"):
        model = LanguageModel(30, 32, cell="lstm", embedding_size=16, dropout=0.2, rng=1).to(device)
        optimizer = SGD(model.named_parameters(), 1.0)
        for _ in range(2):
            loss = cross_entropy(model(ids[0])[0], ids[1])
            model.zero_grad()
            loss.backward()
            clip_grad_norm(model.parameters(), 1.0)
            optimizer.step()
        weights.append([*model.state_dict().values(), np.array([loss.item()], np.float32)])
    yield check("language model, two training steps", "LSTM, T 20, B 8, H 32", difference(*weights), "float32")


def check_translation() -> Iterator[Check]:
    """A training step of a translation model with attention, and a beam search."""
    rng = np.random.default_rng(0)
    X, Y = ([rng.integers(low, 30, n) for n in ns] for low, ns in ((4, (9, 1, 5, 7)), (2, (3, 8, 1, 6))))
    results: list[list[np.ndarray]] = []
    found = []
    for device in ("cpu", "gpu"):
        options = {"cell": "gru-after", "embedding_dropout": 0.2, "rng": 0, "dtype": np.float64}
        encoder = RecurrentEncoder(30, 16, 16, bidirectional=True, **options)
        decoder = AttentionDecoder(30, 16, 32, 32, readout_size=16, **options)
        model = EncoderDecoder(encoder, decoder, rng=0, dtype=np.float64).to(device)
        task = Translation(model, (X, Y), (X, Y), batch_size=4, rng=np.random.default_rng(1))
        (batch,) = task.batches(np.random.default_rng(2))
        loss, _, _ = task.loss(batch, None, 0)
        loss.backward()
        gradients = [backend.to_host(p.grad) for p in model.parameters()]
        model.eval()
        beams = beam_search(
            model.step, model.start(*batch[:2]), np.full(4, 1), beam_size=3, n_best=2, eos=2, max_length=6,
            attention=model.attention,
        )  # fmt: skip
        hypotheses = [one for best in beams for one in best]
        found.append([one.tokens for one in hypotheses])
        results.append([np.array([loss.item()]), *gradients, np.array([one.score for one in hypotheses])])
    yield check("translation, a training step", "GRU, additive attention, B 4, H 32", difference(*results), "float64")
    yield check("translation, beam search", "beam 3, 4 sentences", 0.0 if found[0] == found[1] else math.inf, "float64")


def run_group(group: Sequence[str], quick: bool, limit: float) -> Iterator[Check]:
    """The checks of one group, in this process."""
    what, *rest = group
    faulthandler.dump_traceback_later(3 * limit, exit=True)  # most of which compiles what CuPy needs
    if what == "kernels":
        yield from check_kernels(rest[0], rest[1], quick, limit)
    elif what == "refusal":
        yield from check_refusal(quick, limit)
    elif what == "cells":
        yield from check_cells(*rest)
    else:
        yield from {"language-model": check_language_model, "translation": check_translation}[what]()


class Child:
    """A group of checks in a process of its own.

    Args:
        group: what to check.
        options: for the command.
    """

    def __init__(self, group: Sequence[str], options: Sequence[str]):
        self.group, self.started = group, time.monotonic()
        self.folder = tempfile.TemporaryDirectory()
        self.out, self.errors = (Path(self.folder.name) / name for name in ("out", "errors"))
        command = [sys.executable, "-m", "benchmarks.gpu_checks", *group, *options]
        with open(self.out, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=Path(__file__).parents[1])
        self.read = 0

    def new_results(self) -> list[Check]:
        """What has been checked since the last question."""
        lines = self.out.read_text().split("\n")[:-1]
        fresh, self.read = lines[self.read :], len(lines)
        return [json.loads(line) for line in fresh]

    def failure(self) -> Check | None:
        """Why the ended process did not check all it should."""
        if self.process.returncode == 0:
            return None
        said = self.errors.read_text().strip().splitlines()
        hung = next((line for line in said if line.startswith("Timeout (")), None)
        problem = f"a kernel did not end: {hung}" if hung else (said[-1] if said else "killed")
        return check(" ".join(self.group), "", math.inf, "float32", problem)

    def close(self) -> None:
        """End the process, if it has not ended."""
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def run(
    seconds: float, quick: bool, report: Callable[[Check], None], limit: float = LIMIT, at_once: int | None = None
) -> list[tuple[str, ...]]:
    """All groups, each in a process of its own.

    Args:
        seconds: after which those still running are ended.
        quick: tiny sizes.
        report: is given every result as soon as it is there.
        limit: seconds for a launch of a kernel.
        at_once: how many processes; as many as cores, at most 8, if None.

    Returns:
        The groups that were not checked to the end, for lack of time.
    """
    waiting, running, end = groups(quick), [], time.monotonic() + seconds
    at_once = at_once or min(8, os.cpu_count() or 1)
    options = ["--limit", str(limit), *(["--quick"] if quick else [])]
    try:
        while (waiting or running) and time.monotonic() < end:
            while waiting and len(running) < at_once:
                running.append(Child(waiting.pop(0), options))
            for child in list(running):
                ended = child.process.poll() is not None or time.monotonic() - child.started > PATIENCE
                if ended:
                    child.process.kill()
                    child.process.wait()
                for result in child.new_results():
                    report(result)
                if ended:
                    running.remove(child)
                    failure = child.failure()
                    if failure is not None:
                        report(failure)
                    child.close()
            time.sleep(0.05)
        return [tuple(child.group) for child in running] + waiting
    finally:
        for child in running:
            child.close()


def end_with(parent: int) -> None:
    """End this process when its parent has ended, be it killed: the GPU is to be free again."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def main() -> None:
    """Check one group in this process, and print each result as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", nargs="+")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--limit", type=float, default=LIMIT)
    options = parser.parse_args()
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    common.set_tf32(False)
    for result in run_group(options.group, options.quick, options.limit):
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
