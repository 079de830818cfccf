"""Forward and backward of a convolution beside torch's, on the CPU.

python -m benchmarks.convolution    # a minute; the table goes to results/convolution.md
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import common
from benchmarks.common import Contender
from minirnn import Tensor, num_threads
from minirnn.autograd.functional import conv2d

SHAPES = [(64, 3, 16, 32), (64, 16, 16, 32), (64, 32, 32, 16), (64, 64, 64, 8)]
"""Pictures, channels, filters (3×3, with a margin of one pixel), and pixels down and across."""
TIMING = {"rounds": 21, "seconds": 2.0, "pause": 0.02}


def calls(shape: tuple[int, int, int, int]) -> dict[str, Callable[[], None]]:
    """Forward and backward, with the same numbers."""
    B, C, filters, size = shape
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in ((B, C, size, size), (filters, C, 3, 3), (filters,))]
    dy = rng.standard_normal((B, filters, size, size)).astype(np.float32)
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs, their_dy = [torch.tensor(a, requires_grad=True) for a in arrays], torch.tensor(dy)

    def minirnn() -> None:
        for tensor in ours:
            tensor.grad = None
        conv2d(*ours, padding=1).backward(dy)

    def pytorch() -> None:
        for tensor in theirs:
            tensor.grad = None
        torch.nn.functional.conv2d(*theirs, padding=1).backward(their_dy)

    return {"minirnn": minirnn, "torch": pytorch}


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=common.RESULTS, help="folder for the table")
    folder, rows = parser.parse_args().out, []
    for shape in SHAPES:
        for threads in sorted({1, num_threads()}):
            torch.set_num_threads(threads)
            contenders = [Contender(name, call, threads=threads) for name, call in calls(shape).items()]
            facts = {"benchmark": "convolution", "model": "conv2d", "mode": "step", "amount": 1, "dtype": "float32"}
            found = common.compare(contenders, TIMING, **facts)
            ours, theirs = (f"{row['median_ms']:.2f}" for row in found)
            ratio = f"{common.ratio(found[0], found[1]):.2f}"
            rows.append([str(shape), str(threads), ours, theirs, ratio])
            print(" | ".join(rows[-1]), flush=True)
    header = ["(pictures, channels, filters, size)", "threads", "minirnn, ms", "torch, ms", "ratio"]
    title, note = "Convolution, 3×3: forward and backward", "float32; medians of calls that alternate in one process."
    common.write_table("convolution", title, "python -m benchmarks.convolution", header, rows, folder, note)


if __name__ == "__main__":
    main()
