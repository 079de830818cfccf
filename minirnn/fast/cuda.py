"""The time loop of the RNN, the LSTM and the GRU (reset after) in CUDA kernels.

A small recurrent step on a GPU takes longer to launch than to compute, and step by step it is some ten launches. Here
all steps of a sequence are one: `forward` and `backward` walk them, and between two steps the blocks of the GPU wait
for one another, because every unit needs the h of all units. (Persistent kernels: Diamos et al. 2016, "Persistent
RNNs".) A state so large that its blocks do not all fit on the GPU at once is walked in two launches a step: the product
U h, which is cuBLAS's and by then takes longer than its launch, and one of `forward_step` or `backward_step`, which do
all the rest.

The equations and their numbers are those of `rnn.py`, `lstm.py` and `gru.py`, whose steps are the reference. What is
kept are the factors by which the way back multiplies: in (9) of the LSTM, da_i = dc * [g * i * (1-i)], what stands in
brackets.

In `forward` and `backward` each block owns UNITS units and 32 sequences, with all gates of those units, so that a
unit's gates meet in one place. Its 256 threads share the sum over k among them, SPLITS parts for each 4 sequences, and
add the parts up at the end:

    forward:   sum_g[j, b] = Σ_k U_g[j, k] h[k, b]        a thread has some k for one j, four b and all gates g
    backward:  sum[j, b]   = Σ_k Uᵀ[j, k] da[k, b]        a thread has some k for all j of the block and four b

Then the owner of (j, b), one of the threads, does everything that is elementwise there. What it reads besides that sum,
it reads before, while all wait for one another.

Arrays are as in `bptt.py`, with the columns of a step side by side: kept (T, KEPT, H, B), h and c
(T+1, H, B), wx and da (rows, T, B), and here the gradient of the output too is (T, H, B).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, gpu_library
from minirnn.cells.bptt import Trace, sums_over_time
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell
from minirnn.cells.padding import PaddingMask
from minirnn.cells.rnn import RNNCell

COLUMNS, THREADS = 32, 256
"""Of a block."""

FEW_UNITS, MANY_UNITS = 4, 8
"""Units of a block: few where all blocks then fit on the GPU at once, so that each has little to do; else many."""

KEPT = {4: 6, 3: 5, 1: 1}
"""Arrays (H, B) that a step keeps for the way back, by the number of gates: of the LSTM, the GRU and the RNN."""

NAMES = "forward", "backward", "forward_step", "backward_step"

SOURCE = Path(__file__).with_name("cuda.cu").read_text(encoding="utf-8")


def preamble(gates: int, dtype: Any, units: int = FEW_UNITS) -> str:
    """What goes before `SOURCE` for the cell with 4 gates (LSTM), 3 (GRU) or 1 (RNN), a dtype, and units of a block."""
    name, sizes = {4: "LSTM", 3: "GRU", 1: "RNN"}[gates], {"UNITS": units, "COLUMNS": COLUMNS, "THREADS": THREADS}
    real = "typedef double real;\n#define DOUBLE\n" if np.dtype(dtype) == np.float64 else "typedef float real;\n"
    numbers = {**sizes, "GATES": gates, "KEPT": KEPT[gates]}
    return f"#define {name}\n{real}" + "".join(f"#define {key} {value}\n" for key, value in numbers.items())


def knows(cell: Cell) -> bool:
    """Whether these kernels know the cell."""
    return type(cell) in (RNNCell, LSTMCell, GRUResetAfterCell)


def units_of_block(gates: int, dtype: Any, B: int, H: int) -> int | None:
    """UNITS for all steps in one launch; None where they are two launches each, because the blocks of a state (H, B)
    do not all fit on the GPU at once, so that they could not wait for one another."""
    dtype = np.dtype(dtype)
    choices = (FEW_UNITS, MANY_UNITS) if dtype == np.float32 else (FEW_UNITS,)  # many float64 are too large for a block
    for units in choices:
        if H % units == 0 and B % 4 == 0 and math.prod(grid(B, H, units)) <= _resident_blocks(gates, dtype.str, units):
            return units
    return None


@functools.cache
def _resident_blocks(gates: int, dtype: str, units: int) -> int:
    """How many blocks fit on the GPU at once; 0 if it cannot promise that they all run."""
    gpu = gpu_library().cuda
    attributes, compiled = gpu.Device().attributes, _kernels(gates, dtype, units)
    each = (
        gpu.driver.occupancyMaxActiveBlocksPerMultiprocessor(compiled[name].kernel.ptr, THREADS, 0)
        for name in ("forward", "backward")
    )
    return attributes["MultiProcessorCount"] * min(each) if attributes["CooperativeLaunch"] else 0


@functools.cache
def _kernels(gates: int, dtype: str, units: int) -> dict[str, Any]:
    """The compiled kernels by name."""
    source = preamble(gates, dtype, units) + SOURCE
    together, alone = (
        gpu_library().RawModule(code=source, enable_cooperative_groups=cooperative) for cooperative in (True, False)
    )
    return {name: (alone if name.endswith("step") else together).get_function(name) for name in NAMES}


def grid(B: int, H: int, units: int) -> tuple[int, int]:
    """Blocks along the batch and along the units."""
    return -(-B // COLUMNS), H // units


def forward_through_time(
    cell: Cell, w: Weights, x: Array, state: State, mask: PaddingMask, keep: bool = True
) -> tuple[Array, State, Trace]:
    """As `bptt.forward_through_time`, for a cell that is known. In the trace `kept` is one array (T, KEPT, H, B), which
    the kernels write also without `keep`; it is then gone with the trace."""
    xp, (T, B, _), (rows, H), gates = array_module(x), x.shape, w.U.shape, len(cell.gates)
    real_x = mask.zeroed(x)
    wx = w.W @ real_x.reshape(T * B, -1).T  # (1) of `bptt.py`, as (rows, T · B), without b, which the kernels add
    kept = xp.empty((T, KEPT[gates], H, B), dtype=x.dtype)
    h, *c = (xp.empty((T + 1, H, B), dtype=x.dtype) for _ in state)
    for sequence, initial in zip((h, *c), state, strict=True):
        sequence[0] = initial.T
    arrays = (w.b, getattr(w, "b_u", None), wx, h, c[0] if c else None, kept, real_steps(mask))
    units = units_of_block(gates, x.dtype, B, H)
    compiled = _kernels(gates, x.dtype.str, units or FEW_UNITS)
    if units:
        _launch(compiled["forward"], units, (w.U, *arrays), T, B, H)
    else:
        uh = xp.empty((rows, B), dtype=x.dtype)
        step = _stepwise(compiled["forward_step"], (uh, *arrays), T, B, H)
        for t in range(T):
            xp.dot(w.U, h[t], out=uh)
            step(t)
    hs = xp.ascontiguousarray(h.transpose(0, 2, 1))
    return mask.zeroed(hs[1:]), (hs[T], *(memory[T].T for memory in c)), Trace(real_x, hs, kept, mask)


def backward_through_time(
    cell: Cell, w: Weights, trace: Trace, d_output: Array | None, d_final: Sequence[Array | None], needs_dx: bool = True
) -> tuple[Array | None, dict[str, Array], State]:
    """As `bptt.backward_through_time`, from the trace that `forward_through_time` left."""
    kept, mask, gates = trace.kept, trace.mask, len(cell.gates)
    xp, (T, _, H, B) = array_module(kept), kept.shape
    da = xp.empty((len(w.b) + cell.extra_blocks * H, T, B), dtype=kept.dtype)
    direct, *dc = (xp.zeros((H, B), kept.dtype) if d is None else xp.array(d.T, order="C") for d in d_final)
    if d_output is not None:
        d_output = xp.ascontiguousarray(mask.zeroed(d_output).transpose(0, 2, 1))
    ends = (direct, dc[0] if dc else None, real_steps(mask))
    units = units_of_block(gates, kept.dtype, B, H)
    compiled = _kernels(gates, kept.dtype.str, units or FEW_UNITS)
    if units:
        _launch(compiled["backward"], units, (xp.ascontiguousarray(w.U.T), d_output, kept, da, *ends), T, B, H)
        sent = xp.ascontiguousarray(da[: gates * H, 0])
        if gates == 3:
            sent[2 * H :] = da[3 * H :, 0]  # dq, not da_n
    else:
        sent, dh = xp.empty((gates * H, B), dtype=kept.dtype), xp.zeros((H, B), dtype=kept.dtype)
        step = _stepwise(compiled["backward_step"], (dh, d_output, kept, da, sent, *ends), T, B, H)
        for t in range(T - 1, -1, -1):
            step(t)
            if t:
                xp.dot(w.U.T, sent, out=dh)
    dx, dw = sums_over_time(cell, w, da, trace, needs_dx)
    return dx, dw, ((direct + w.U.T @ sent).T, *(d.T for d in dc))


def real_steps(mask: PaddingMask) -> Array | None:
    """(T, B), which steps are real; None if all are."""
    return mask.real_columns[:, 0] if any(mask.padded) else None


def _launch(kernel: Any, units: int, arrays: Sequence[Any], T: int, B: int, H: int) -> None:
    """Run a kernel over all steps."""
    arrived = array_module(arrays[0]).zeros(1, dtype=np.uint32)
    sizes = map(np.int32, (T, B, H, 0, T))
    kernel(grid(B, H, units), (THREADS,), (*map(_pointer, arrays), *sizes, arrived))


def _stepwise(kernel: Any, arrays: Sequence[Array | None], T: int, B: int, H: int) -> Callable[[int], None]:
    """A kernel of one step, as a function of the step's number."""
    blocks, arguments = (-(-H * B // THREADS),), (*map(_pointer, arrays), *map(np.int32, (T, B, H)))
    return lambda t: kernel(blocks, (THREADS,), (*arguments, np.int32(t)))


def _pointer(array: Array | None) -> Any:
    """An argument of a kernel: the array, or the null pointer."""
    return np.intp(0) if array is None else array
