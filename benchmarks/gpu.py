"""What a GPU does for minirnn, within a number of minutes: checked first, then measured in the order of worth.

    python -m benchmarks gpu --minutes 8 --out DIR

Every table is on disk as soon as it has a row, so that a run that is cut off loses nothing that it had measured. What
there is no time for is left out, and said to be.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import common, gpu_checks
from benchmarks.common import Contender
from benchmarks.gpu_checks import CELLS
from benchmarks.gpu_timings import compare_layers, crossover, train_models, where_time_goes
from benchmarks.session import Budget, Session, Sheet
from minirnn import backend, make_cell
from minirnn.fast import cuda


def machine(session: Session) -> None:
    """The card and its libraries, what it can do at most, and whether every kernel compiles."""
    sheet = Sheet(session, "machine", "The machine", ["what", "value"])
    for what, value in [*facts(), *ceilings(session.quick)]:
        sheet.add([what, value], [{"what": what, "value": value}])
    variants = [
        (cell, dtype, units)
        for dtype, units in (("<f4", cuda.FEW_UNITS), ("<f4", cuda.MANY_UNITS), ("<f8", cuda.FEW_UNITS))
        for cell in CELLS
    ]
    with ThreadPoolExecutor(4) as pool:
        for (cell, dtype, units), said in zip(variants, pool.map(compile_kernels, variants), strict=True):
            what = f"kernels of {cell}, {np.dtype(dtype)}, {units} units a block"
            sheet.add([what, said], [{"what": what, "value": said}])
            if not said.startswith("compiled in "):
                session.problem(f"{what}: {said}")


def compile_kernels(variant: tuple[str, str, int]) -> str:
    """How long a cell's kernels take to compile, or why they do not."""
    cell, dtype, units = variant
    start = time.perf_counter()
    try:
        for kernel in cuda._kernels(len(make_cell(cell).gates), dtype, units).values():
            _ = kernel.kernel
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"compiled in {time.perf_counter() - start:.1f} s"


def facts() -> Iterator[tuple[str, str]]:
    """Names and versions."""
    runtime = backend.gpu_library().cuda.runtime
    properties, environment = runtime.getDeviceProperties(0), common.environment()
    yield "GPU", f"{properties['name'].decode()}, {properties['multiProcessorCount']} multiprocessors"
    memory, cache = properties["totalGlobalMem"] / 2**30, properties["l2CacheSize"] / 2**20
    yield "its memory", f"{memory:.1f} GiB; cache {cache:.0f} MiB"
    yield "CUDA", f"driver {runtime.driverGetVersion()}, runtime {runtime.runtimeGetVersion()}"
    if shutil.which("nvidia-smi"):
        asked = "driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.draw,power.limit,temperature.gpu"
        command = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        yield asked.replace(",", ", "), found.stdout.strip() or found.stderr.strip()
    yield "CPU", f"{environment['cpu']}, {environment['cores']} cores"
    for name in ("python", "numpy", "blas", "cupy", "torch", "numba", "commit", "date"):
        yield name, environment[name] or "–"


def ceilings(quick: bool) -> Iterator[tuple[str, str]]:
    """What no code here can exceed: the rates of a product and of a copy, and the rate of launches."""
    xp, clock = backend.gpu_library(), common.cupy_clock()
    n, size, many = (64, 2**10, 10) if quick else (8192, 2**28, 1000)
    rng = np.random.default_rng(0)
    a = xp.asarray(rng.standard_normal((n, n), dtype=np.float32))
    once = common.measure([Contender("product", lambda: a @ a, "gpu", clock=clock)], 3, pause=0.0, fewest=3)[0]
    how = "TF32" if common.tf32() else "no TF32"
    yield f"product {n}³, float32, {how}", f"{2 * n**3 / np.median(once.on_device) / 1e12:.1f} TFLOP/s"
    source, target = xp.ones(size, dtype=np.float32), xp.empty(size, dtype=np.float32)

    def copy() -> None:
        target[...] = source

    once = common.measure([Contender("copy", copy, "gpu", clock=clock)], 3, pause=0.0, fewest=3)[0]
    rate = 2 * source.nbytes / np.median(once.on_device) / 1e9
    yield "copy, bytes read and written", f"{rate:,.0f} GB/s"
    small = xp.ones(32, dtype=np.float32)

    def launches() -> None:
        nonlocal small
        for _ in range(many):
            small += 1

    launches()
    with backend.Timer("gpu") as timer:
        launches()
    yield "a small elementwise launch from Python", f"{timer.seconds / many * 1e6:.1f} µs"


def checks(session: Session) -> None:
    """Whether the GPU gives what the CPU gives."""
    header = ["what", "sizes", "dtype", "error", "allowed", "result"]
    note = "The error is the largest difference to the CPU, over the largest number of the array."
    sheet = Sheet(session, "checks", "Checks", header, note)
    failed: set[str] = set()

    def report(result: gpu_checks.Check) -> None:
        said = "passed" if result["passed"] else f"FAILED {result['problem']}".strip()
        error, allowed = f"{result['error']:.1e}", f"{result['tolerance']:.0e}"
        sheet.add([result["check"], result["sizes"], result["dtype"], error, allowed, said], [result])
        if not result["passed"]:
            session.problem(f"{result['check']}, {result['sizes']}, {result['dtype']}: {error} {result['problem']}")
            failed.update(name for name in CELLS if result["check"].startswith((f"{name}, kernels", f"kernels {name}")))

    seconds = min(90.0, session.budget.left - (5 if session.quick else 30))
    unchecked = gpu_checks.run(seconds, session.quick, report)
    for group in unchecked:
        session.problem(f"not checked to the end, for lack of time: {' '.join(group)}")
    unfinished = {group[1] for group in unchecked if group[0] == "kernels" and group[2] == "float32"}
    session.kernels.update(set(CELLS) - failed - unfinished)
    for cell in sorted(set(CELLS) - session.kernels):
        print(f"the kernels of {cell} are not timed")


PARTS: list[tuple[str, float, Callable[[Session], None]]] = [
    ("the machine", 0, machine),
    ("checks", 20, checks),
    ("layers", 5, compare_layers),
    ("where the time goes", 20, where_time_goes),
    ("crossover", 20, crossover),
    ("models", 20, train_models),
]
"""Name, fewest seconds it is worth beginning with, and what does it."""


def run(minutes: float, folder: Path | None, quick: bool, command: str) -> int:
    """All parts that there is time for.

    Returns:
        0 if nothing went wrong.
    """
    session = Session(Budget(60 * minutes), folder, quick, command, set(), [])
    for name, seconds, part in PARTS:
        if session.skips(seconds, name):
            continue
        print(f"\n== {name}", flush=True)
        before = session.budget.spent
        try:
            part(session)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            session.problem(f"{name}: {traceback.format_exc().strip().splitlines()[-1]}")
        used = session.budget.spent - before
        print(f"== {name}: {used:.0f} s, {session.budget.spent:.0f} of {60 * minutes:.0f} s in all", flush=True)
    print(f"\n{len(session.problems)} problems" + "".join(f"\n!! {problem}" for problem in session.problems))
    return int(bool(session.problems))
