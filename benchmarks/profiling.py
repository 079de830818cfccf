"""What a GPU does during one call, launch by launch: told by torch's profiler, which sees every library's launches."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import common, layers
from benchmarks.gpu_checks import end_with
from minirnn.fast import cuda

KINDS = {
    "product": ("gemm", "gemv", "cutlass", "xmma", "splitk", "cublas", "nvjet"),
    "recurrent kernel of cuDNN": ("rnn", "persist", "lstm", "gru", "elemwise", "cudnn"),
    "copy": ("memcpy", "memset", "copy"),
    "sum": ("sum", "reduce", "reduction"),
}
"""Kinds of launches, each with what the names of its kernels have in them, looked for in this order. All others are
elementwise."""


class Launch(NamedTuple):
    """One thing that the GPU did.

    Attributes:
        name: of the kernel, or "Memcpy …".
        start: seconds, on the profiler's clock.
        seconds: how long it took.
    """

    name: str
    start: float
    seconds: float

    @property
    def kind(self) -> str:
        """One of `KINDS`, "minirnn's kernel", or "elementwise"."""
        if self.name in cuda.NAMES:
            return "minirnn's kernel"
        name = self.name.lower()
        return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), "elementwise")


def launches_of(call: Callable[[], object], synchronize: Callable[[], object]) -> list[Launch] | None:
    """What the GPU does during one call, in order. The call has been made before, so that nothing is compiled.

    Returns:
        None where torch is not installed or sees no GPU.
    """
    torch = common.torch_or_none()
    if torch is None or not torch.cuda.is_available():
        return None
    synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        call()
        synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(path))
        trace = json.loads(path.read_text())
    return launches_in(trace)


def launches_in(trace: dict[str, Any]) -> list[Launch]:
    """The launches of a trace in Chrome's format, whose times are microseconds."""
    found = [
        Launch(event["name"], event["ts"] / 1e6, event["dur"] / 1e6)
        for event in trace["traceEvents"]
        if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")
    ]
    return sorted(found, key=lambda launch: launch.start)


def by_kind(launches: list[Launch]) -> dict[str, tuple[int, float]]:
    """Number and seconds of the launches of each kind, those of most time first."""
    result: dict[str, tuple[int, float]] = {}
    for launch in launches:
        count, seconds = result.get(launch.kind, (0, 0.0))
        result[launch.kind] = count + 1, seconds + launch.seconds
    return dict(sorted(result.items(), key=lambda item: -item[1][1]))


def waiting(launches: list[Launch]) -> float:
    """Seconds between the first launch and the end of the last in which the GPU did nothing."""
    idle, busy_until = 0.0, launches[0].start if launches else 0.0
    for launch in launches:
        idle += max(0.0, launch.start - busy_until)
        busy_until = max(busy_until, launch.start + launch.seconds)
    return idle


def describe(how: str, call: Callable[[], object], clock: common.Clock) -> dict[str, Any] | None:
    """Where the time of a call goes; None where nothing can tell."""
    for _ in range(3):
        call()
    seconds, queued = [], []
    for _ in range(9):
        clock.synchronize()
        start = time.perf_counter()
        call()
        queued.append(time.perf_counter() - start)
        clock.synchronize()
        seconds.append(time.perf_counter() - start)
    launches = launches_of(call, clock.synchronize)
    if launches is None:
        return None
    names: dict[str, tuple[int, float]] = {}
    for launch in launches:
        count, total = names.get(launch.name, (0, 0.0))
        names[launch.name] = count + 1, total + launch.seconds * 1e3
    return {
        "how": how,
        "ms": statistics.median(seconds) * 1e3,
        "queued_ms": statistics.median(queued) * 1e3,
        "busy_ms": sum(launch.seconds for launch in launches) * 1e3,
        "waiting_ms": waiting(launches) * 1e3,
        "launches": len(launches),
        "kinds": {kind: (count, total * 1e3) for kind, (count, total) in by_kind(launches).items()},
        "names": dict(sorted(names.items(), key=lambda item: -item[1][1])[:20]),
    }


def main() -> None:
    """A line of JSON for each way to do each layer forward and backward."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs=4, metavar="N", help="T, B, I, H")
    parser.add_argument("cells", nargs="+", metavar="CELL", help="its name, or NAME:kernels where these may be used")
    options = parser.parse_args()
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    common.set_tf32(common.tf32())
    torch, shape, mode = common.torch_or_none(), layers.Shape(*options.sizes), "forward+backward"
    for cell, _, kernels in (asked.partition(":") for asked in options.cells):
        calls = {"CuPy": (layers.minirnn_call(cell, shape, mode, "gpu"), common.cupy_clock())}
        if kernels:
            calls["kernels"] = layers.minirnn_call(cell, shape, mode, "gpu", True), common.cupy_clock()
        if torch is not None and torch.cuda.is_available():
            calls["cuDNN"] = layers.torch_call(cell, shape, mode, "gpu"), common.torch_clock()
        for how, (call, clock) in calls.items():
            row = describe(how, call, clock)
            if row is not None:
                print(json.dumps({"cell": cell, **row}), flush=True)


if __name__ == "__main__":
    main()
