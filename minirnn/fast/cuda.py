"""The time loop of the RNN, the LSTM and the GRU (reset after) in CUDA kernels.

A small recurrent step on a GPU takes longer to launch than to compute: a step of `bptt.py` is some ten launches, of a
few microseconds each. Here a sequence is one: `forward` and `backward` walk all steps, and between two steps the blocks
of the GPU wait for one another, because every unit needs the h of all units. (Persistent kernels: Diamos et al. 2016,
"Persistent RNNs".) A state so large that its blocks do not all fit on the GPU at once is walked in two launches a step:
the product U h, which is cuBLAS's and by then takes longer than its launch, and one of `forward_step` or
`backward_step`, which do all the rest.

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

SOURCE = r"""
struct alignas(4 * sizeof(real)) vec4 { real v[4]; };

/* Past the cache of one multiprocessor, because another one may have written it just now. */
#ifdef DOUBLE
__device__ vec4 fresh(const real* p) {
    vec4 r; double2 a = __ldcg((const double2*)p), b = __ldcg((const double2*)p + 1);
    r.v[0] = a.x; r.v[1] = a.y; r.v[2] = b.x; r.v[3] = b.y; return r;
}
#else
__device__ vec4 fresh(const real* p) {
    vec4 r; float4 a = __ldcg((const float4*)p);
    r.v[0] = a.x; r.v[1] = a.y; r.v[2] = a.z; r.v[3] = a.w; return r;
}
#endif
__device__ vec4 weights(const real* p) { return *(const vec4*)p; }

__device__ real sigmoid(real a) { return real(0.5) + real(0.5) * tanh(real(0.5) * a); }

/* No block goes on before `target` blocks have come here, counted over the whole launch. */
__device__ void wait_for_all(unsigned* arrived, unsigned target) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrived, 1u);
        while (*(volatile unsigned*)arrived < target) { }
        __threadfence();
    }
    __syncthreads();
}

struct Walk {
    int T, B, H;
    const bool* real_steps;  /* (T, B): whether step t of a sequence is real; null: all are */
    __device__ long HB() const { return (long)H * B; }
    __device__ bool real_step(int t, int C) const { return !real_steps || real_steps[(long)t * B + C]; }
};

struct Forward { Walk walk; const real *b, *b_u, *wx; real *h, *c, *kept; };

/* W x + b of all gates of unit J in sequence C. */
__device__ void read_wx(const Forward& f, int t, int J, int C, real* a) {
    const Walk& w = f.walk;
    for (int g = 0; g < GATES; g++) {
        const long row = (long)g * w.H + J;
        a[g] = f.wx[(row * w.T + t) * w.B + C] + f.b[row];
    }
}

/* All of step t for unit J in sequence C, from W x + b and U h_{t-1}. The state goes in as it was, and comes out. */
__device__ void step_forward(
    const Forward& f, int t, int J, int C, const real* a, const real* uh, real& h, real& c)
{
    const Walk& w = f.walk;
    const long HB = w.HB(), at = (long)J * w.B + C;
    real* k = f.kept + (long)t * KEPT * HB + at;
    real h_new, c_new = c;
#if defined(LSTM)
    real i = sigmoid(a[0] + uh[0]), f_ = sigmoid(a[1] + uh[1]);                          /* (1), (2) */
    real g = tanh(a[2] + uh[2]), o = sigmoid(a[3] + uh[3]);                              /* (3), (5) */
    real written = i * g, remembered = f_ * c;
    c_new = remembered + written;                                                        /* (4) */
    real tanh_c = tanh(c_new);
    h_new = o * tanh_c;                                                                  /* (6) */
    k[0] = written * (1 - i); k[HB] = remembered * (1 - f_); k[2 * HB] = i - written * g; /* (9), (10), (11) */
    k[3 * HB] = h_new * (1 - o); k[4 * HB] = o - h_new * tanh_c; k[5 * HB] = f_;         /* (7), (8), (12) */
#elif defined(GRU)
    real r = sigmoid(a[0] + uh[0]), z = sigmoid(a[1] + uh[1]);                           /* (1), (2) */
    real q = uh[2] + f.b_u[J], rq = r * q, n = tanh(a[2] + rq);                          /* (3) */
    real stays = z * (h - n);
    h_new = n + stays;                                                                   /* (4) */
    k[0] = rq * (1 - r); k[HB] = stays * (1 - z); k[2 * HB] = (1 - z) * (1 - n * n);     /* (7), (5), (6) */
    k[3 * HB] = r; k[4 * HB] = z;                                                        /* (8), (9) */
#else
    h_new = tanh(a[0] + uh[0]);                                                          /* (1), (2) */
    k[0] = 1 - h_new * h_new;                                                            /* (3) */
#endif
    if (w.real_step(t, C)) { h = h_new; c = c_new; }  /* a padded step leaves the state as it is */
    f.h[(t + 1) * HB + at] = h;
    if (f.c) f.c[(t + 1) * HB + at] = c;
}

/* `direct` is what reaches h_{t-1} past U, and `dc` what reaches c_{t-1}: unit by unit. */
struct Backward { Walk walk; const real *d_output, *kept; real *da, *sent, *direct, *dc; };

/* What the owner of J and C needs beside Uᵀ da: what the step kept and, last, the gradient from above. */
__device__ void read_kept(const Backward& f, int t, int J, int C, real* k) {
    const Walk& w = f.walk;
    const long HB = w.HB(), at = (long)J * w.B + C;
    for (int i = 0; i < KEPT; i++) k[i] = f.kept[((long)t * KEPT + i) * HB + at];
    k[KEPT] = f.d_output ? f.d_output[t * HB + at] : real(0);
}

/* All of step t back for unit J in sequence C; dh_through_U is Uᵀ da of step t+1. `direct` and `dc` go in as step t+1
   left them and come out for step t-1. */
__device__ void step_backward(
    const Backward& f, int t, int J, int C, const real* k, real dh_through_U, real& direct, real& dc)
{
    const Walk& w = f.walk;
    const long TB = (long)w.T * w.B;
    const real dh = direct + dh_through_U + k[KEPT];
    const bool real_step = w.real_step(t, C);
    const real one = real_step ? real(1) : real(0);  /* a padded step only hands the state's gradient on */
    real* d = f.da + (long)J * TB + (long)t * w.B + C;
    real to_U[GATES];
#if defined(LSTM)
    const real dc_t = dc + dh * k[4];                                                    /* (8) */
    to_U[0] = one * dc_t * k[0]; to_U[1] = one * dc_t * k[1];                            /* (9), (10) */
    to_U[2] = one * dc_t * k[2]; to_U[3] = one * dh * k[3];                              /* (11), (7) */
    for (int g = 0; g < GATES; g++) d[g * w.H * TB] = to_U[g];
    if (real_step) dc = dc_t * k[5];                                                     /* (12) */
    direct = real_step ? real(0) : dh;
#elif defined(GRU)
    const real da_z = one * dh * k[1], da_n = one * dh * k[2];                           /* (5), (6) */
    to_U[0] = da_n * k[0]; to_U[1] = da_z; to_U[2] = da_n * k[3];                        /* (7): da_r; (8): dq */
    d[0] = to_U[0]; d[w.H * TB] = to_U[1]; d[2 * w.H * TB] = da_n; d[3 * w.H * TB] = to_U[2];
    direct = real_step ? k[4] * dh : dh;                                                 /* (9) */
#else
    d[0] = to_U[0] = one * dh * k[0];                                                    /* (3) */
    direct = real_step ? real(0) : dh;
#endif
    if (f.sent)
        for (int g = 0; g < GATES; g++) f.sent[((long)g * w.H + J) * w.B + C] = to_U[g];
}

/* Thread t of the first UNITS * COLUMNS owns one (j, b). */
#define OWNER_J (blockIdx.y * UNITS + threadIdx.x / COLUMNS)
#define OWNER_B (blockIdx.x * COLUMNS + threadIdx.x % COLUMNS)
#define OWNS(B) (threadIdx.x < UNITS * COLUMNS && OWNER_B < B)

extern "C" __global__ void __launch_bounds__(THREADS, 1) forward(
    const real* U, const real* b, const real* b_u, const real* wx, real* h, real* c, real* kept, const bool* real_steps,
    int T, int B, int H, int first, int last, unsigned* arrived)
{
    const int SPLITS = THREADS / (UNITS * COLUMNS / 4);
    __shared__ vec4 partial[SPLITS][UNITS][GATES][COLUMNS / 4];
    const Forward f = {{T, B, H, real_steps}, b, b_u, wx, h, c, kept};
    const int quad = threadIdx.x % (COLUMNS / 4), unit = threadIdx.x / (COLUMNS / 4) % UNITS;
    const int split = threadIdx.x / (COLUMNS / 4 * UNITS);
    const int j = blockIdx.y * UNITS + unit, column = blockIdx.x * COLUMNS + 4 * quad;
    const int J = OWNER_J, C = OWNER_B;
    const bool owns = OWNS(B);
    const long HB = (long)H * B, at = (long)J * B + C;
    real own_h = 0, own_c = 0;
    if (owns) { own_h = h[first * HB + at]; own_c = c ? c[first * HB + at] : real(0); }

    for (int t = first; t < last; t++) {
        real a[GATES];
        if (owns) read_wx(f, t, J, C, a);
        if (t > first) wait_for_all(arrived, (t - first) * gridDim.x * gridDim.y);
        vec4 sum[GATES] = {};
        if (column < B) {
            const real* h_prev = h + t * HB + column;
            #pragma unroll 4
            for (int k = 4 * split; k < H; k += 4 * SPLITS) {
                vec4 h_k[4];
                for (int i = 0; i < 4; i++) h_k[i] = fresh(h_prev + (long)(k + i) * B);
                for (int g = 0; g < GATES; g++) {
                    const vec4 u = weights(U + (long)(g * H + j) * H + k);
                    for (int i = 0; i < 4; i++)
                        for (int n = 0; n < 4; n++) sum[g].v[n] += u.v[i] * h_k[i].v[n];
                }
            }
        }
        for (int g = 0; g < GATES; g++) partial[split][unit][g][quad] = sum[g];
        __syncthreads();
        if (owns) {
            real uh[GATES] = {};
            for (int p = 0; p < SPLITS; p++)
                for (int g = 0; g < GATES; g++)
                    uh[g] += partial[p][threadIdx.x / COLUMNS][g][threadIdx.x % COLUMNS / 4].v[threadIdx.x % 4];
            step_forward(f, t, J, C, a, uh, own_h, own_c);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) backward(
    const real* UT, const real* d_output, const real* kept, real* da, real* direct, real* dc, const bool* real_steps,
    int T, int B, int H, int first, int last, unsigned* arrived)
{
    const int SPLITS = THREADS / (COLUMNS / 4), K = GATES * H;
    __shared__ vec4 partial[SPLITS][UNITS][COLUMNS / 4];
    const Backward f = {{T, B, H, real_steps}, d_output, kept, da, 0, direct, dc};
    const int quad = threadIdx.x % (COLUMNS / 4), split = threadIdx.x / (COLUMNS / 4);
    const int j = blockIdx.y * UNITS, column = blockIdx.x * COLUMNS + 4 * quad;
    const int J = OWNER_J, C = OWNER_B;
    const bool owns = OWNS(B);
    const long TB = (long)T * B, at = (long)J * B + C;
    real own_direct = 0, own_dc = 0;
    if (owns) { own_direct = direct[at]; own_dc = dc ? dc[at] : real(0); }

    for (int t = last - 1; t >= first; t--) {
        real k_own[KEPT + 1];
        if (owns) read_kept(f, t, J, C, k_own);
        if (t + 1 < last) wait_for_all(arrived, (last - 1 - t) * gridDim.x * gridDim.y);
        vec4 sum[UNITS] = {};
        if (column < B && t + 1 < T) {
            const real* da_next = da + (long)(t + 1) * B + column;
            #pragma unroll 2
            for (int k = 4 * split; k < K; k += 4 * SPLITS) {
#ifdef GRU
                const int row = k < 2 * H ? k : k + H;  /* below da_r and da_z it is dq that U_n sends back, not da_n */
#else
                const int row = k;
#endif
                vec4 da_k[4];
                for (int i = 0; i < 4; i++) da_k[i] = fresh(da_next + (row + i) * TB);
                for (int m = 0; m < UNITS; m++) {
                    const vec4 u = weights(UT + (long)(j + m) * K + k);
                    for (int i = 0; i < 4; i++)
                        for (int n = 0; n < 4; n++) sum[m].v[n] += u.v[i] * da_k[i].v[n];
                }
            }
        }
        for (int m = 0; m < UNITS; m++) partial[split][m][quad] = sum[m];
        __syncthreads();
        if (owns) {
            real dh = 0;
            for (int p = 0; p < SPLITS; p++)
                dh += partial[p][threadIdx.x / COLUMNS][threadIdx.x % COLUMNS / 4].v[threadIdx.x % 4];
            step_backward(f, t, J, C, k_own, dh, own_direct, own_dc);
        }
    }
    if (owns) { direct[at] = own_direct; if (dc) dc[at] = own_dc; }
}

/* One step, for all units and sequences, when U h_{t-1} (rows, B) is there. */
extern "C" __global__ void __launch_bounds__(THREADS) forward_step(
    const real* uh, const real* b, const real* b_u, const real* wx, real* h, real* c, real* kept,
    const bool* real_steps, int T, int B, int H, int t)
{
    const Forward f = {{T, B, H, real_steps}, b, b_u, wx, h, c, kept};
    const long HB = (long)H * B, at = (long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= HB) return;
    const int J = at / B, C = at % B;
    real a[GATES], own_uh[GATES], own_h = h[t * HB + at], own_c = c ? c[t * HB + at] : real(0);
    read_wx(f, t, J, C, a);
    for (int g = 0; g < GATES; g++) own_uh[g] = uh[g * HB + at];
    step_forward(f, t, J, C, a, own_uh, own_h, own_c);
}

/* One step back, when Uᵀ da (H, B) of step t+1 is there; `sent` gets the da that step t-1 will need it of. */
extern "C" __global__ void __launch_bounds__(THREADS) backward_step(
    const real* dh, const real* d_output, const real* kept, real* da, real* sent, real* direct, real* dc,
    const bool* real_steps, int T, int B, int H, int t)
{
    const Backward f = {{T, B, H, real_steps}, d_output, kept, da, sent, direct, dc};
    const long HB = (long)H * B, at = (long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= HB) return;
    const int J = at / B, C = at % B;
    real k[KEPT + 1], own_direct = direct[at], own_dc = dc ? dc[at] : real(0);
    read_kept(f, t, J, C, k);
    step_backward(f, t, J, C, k, dh ? dh[at] : real(0), own_direct, own_dc);
    direct[at] = own_direct;
    if (dc) dc[at] = own_dc;
}
"""


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
    """As `bptt.forward_through_time`, for a cell that is known. In the trace `kept` is one array (T, KEPT, H, B)."""
    xp, (T, B, _), (rows, H), gates = array_module(x), x.shape, w.U.shape, len(cell.gates)
    x = mask.zeroed(x)
    wx = w.W @ x.reshape(T * B, -1).T  # (1) of `bptt.py`, as (rows, T · B), without b, which the kernels add
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
    return mask.zeroed(hs[1:]), (hs[T], *(memory[T].T for memory in c)), Trace(x, hs, kept, mask)


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
    return mask.columns[:, 0] if any(mask.padded) else None


def _launch(kernel: Any, units: int, arrays: Sequence[Array | None], T: int, B: int, H: int) -> None:
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
