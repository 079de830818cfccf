"""The time loop of the LSTM and of the GRU (reset after) as one CUDA kernel each way. Off until `use_kernels()`.

A small recurrent step on a GPU takes longer to launch than to compute: a step of `bptt.py` is some five launches, of
a few microseconds each. Here a sequence is two: `forward` and `backward` walk all steps, and between two steps the
blocks of the GPU wait for one another, because every unit needs the h of all units. (Persistent kernels: Diamos et al.
2016, "Persistent RNNs".) The equations and their numbers are those of `lstm.py` and `gru.py`, whose steps are the
reference: what is kept on the way forward is the same.

Each block owns 4 units and 32 sequences, with all gates of those units, so that a unit's gates meet in one place. Its
256 threads share the sum over k among them, SPLITS parts for each 4 sequences, and add the parts up at the end:

    forward:   sum_g[j, b] = Σ_k U_g[j, k] h[k, b]        a thread has some k for one j, four b and all gates g
    backward:  sum[j, b]   = Σ_k U[k, j] da[k, b]         a thread has some k for four j and four b

Arrays are as in `bptt.py`, with the columns of a step side by side: wx (T, rows, B), kept (T, KEPT, H, B), h and c
(T+1, H, B), da (rows, T, B); only what leaves the loop is (T, B, H).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.backend import Array, array_module, gpu_library
from minirnn.cells import kernels
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.gru import GRUResetAfterCell
from minirnn.cells.lstm import LSTMCell

UNITS, COLUMNS, THREADS = 4, 32, 256
"""Of a block."""

KEPT = {4: 6, 3: 5}
"""Arrays (H, B) that a step keeps for the way back, by the number of gates: of the LSTM, and of the GRU."""

MOST_STATE = 2**16
"""H · B up to which the loop is bound by its launches; beyond, cuBLAS multiplies better than these kernels."""

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

/* Thread t of the first UNITS * COLUMNS owns one (j, b): it does everything that is elementwise there. */
#define OWNER_J (blockIdx.y * UNITS + threadIdx.x / COLUMNS)
#define OWNER_B (blockIdx.x * COLUMNS + threadIdx.x % COLUMNS)
#define OWNS (threadIdx.x < UNITS * COLUMNS && OWNER_B < B)

extern "C" __global__ void __launch_bounds__(THREADS) forward(
    const real* U, const real* b_u, const real* wx, real* h, real* c, real* rows, real* kept, const int* lengths,
    int T, int B, int H, int first, int last, int reverse, unsigned* arrived)
{
    const int SPLITS = THREADS / (UNITS * COLUMNS / 4);
    __shared__ real partial[SPLITS][UNITS][GATES][COLUMNS];
    const int quad = threadIdx.x % (COLUMNS / 4), unit = threadIdx.x / (COLUMNS / 4) % UNITS;
    const int split = threadIdx.x / (COLUMNS / 4 * UNITS);
    const int j = blockIdx.y * UNITS + unit, b = blockIdx.x * COLUMNS + 4 * quad;
    const long HB = (long)H * B;

    for (int s = first; s < last; s++) {
        const int t = reverse ? T - 1 - s : s;
        const real* h_prev = h + s * HB;
        real sum[GATES][4] = {};
        if (b < B)
            for (int k = 4 * split; k < H; k += 4 * SPLITS) {
                vec4 column[4];
                for (int i = 0; i < 4; i++) column[i] = fresh(h_prev + (long)(k + i) * B + b);
                for (int g = 0; g < GATES; g++) {
                    vec4 u = weights(U + (long)(g * H + j) * H + k);
                    for (int i = 0; i < 4; i++)
                        for (int n = 0; n < 4; n++) sum[g][n] += u.v[i] * column[i].v[n];
                }
            }
        for (int g = 0; g < GATES; g++)
            for (int n = 0; n < 4; n++) partial[split][unit][g][4 * quad + n] = sum[g][n];
        __syncthreads();

        if (OWNS) {
            const int J = OWNER_J, C = OWNER_B;
            const long at = (long)J * B + C;
            real uh[GATES];
            for (int g = 0; g < GATES; g++) {
                uh[g] = 0;
                for (int p = 0; p < SPLITS; p++)
                    uh[g] += partial[p][threadIdx.x / COLUMNS][g][threadIdx.x % COLUMNS];
            }
            const real* a_x = wx + (long)t * GATES * HB + at;
            real* k = kept + (long)t * KEPT * HB + at;
            real h_new;
#ifdef LSTM
            const real c_prev = c[s * HB + at];
            real i = sigmoid(a_x[0] + uh[0]), f = sigmoid(a_x[HB] + uh[1]);              /* (1), (2) */
            real g = tanh(a_x[2 * HB] + uh[2]), o = sigmoid(a_x[3 * HB] + uh[3]);        /* (3), (5) */
            real written = i * g, remembered = f * c_prev, c_new = remembered + written;   /* (4) */
            real tanh_c = tanh(c_new);
            h_new = o * tanh_c;                                                          /* (6) */
            k[0] = written * (1 - i); k[HB] = f; k[2 * HB] = i - written * g;            /* (7) */
            k[4 * HB] = remembered * (1 - f);                                            /* (7) */
            k[3 * HB] = h_new * (1 - o); k[5 * HB] = o - h_new * tanh_c;                 /* (8) */
#else
            real r = sigmoid(a_x[0] + uh[0]), z = sigmoid(a_x[HB] + uh[1]);              /* (1), (2) */
            real q = uh[2] + b_u[J], rq = r * q, n = tanh(a_x[2 * HB] + rq);             /* (3) */
            real shift = z * (h_prev[at] - n);
            h_new = n + shift;                                                           /* (4) */
            k[0] = r; k[HB] = z; k[2 * HB] = (1 - z) * (1 - n * n);                      /* (5) */
            k[3 * HB] = shift * (1 - z); k[4 * HB] = rq * (1 - r);                       /* (5) */
#endif
            const bool real_step = !lengths || t < lengths[C];
            if (!real_step) h_new = h_prev[at];  /* a padded step leaves the state as it is */
            h[(s + 1) * HB + at] = h_new;
#ifdef LSTM
            c[(s + 1) * HB + at] = real_step ? c_new : c_prev;
#endif
            rows[((long)(reverse ? t : t + 1) * B + C) * H + J] = h_new;
        }
        if (s + 1 < last) wait_for_all(arrived, (s + 1 - first) * gridDim.x * gridDim.y);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) backward(
    const real* U, const real* d_output, const real* kept, real* da, real* direct, real* dc, const int* lengths,
    int T, int B, int H, int first, int last, int reverse, unsigned* arrived)
{
    const int SPLITS = THREADS / (COLUMNS / 4);
    __shared__ real partial[SPLITS][UNITS][COLUMNS];
    const int quad = threadIdx.x % (COLUMNS / 4), split = threadIdx.x / (COLUMNS / 4);
    const int j = blockIdx.y * UNITS, b = blockIdx.x * COLUMNS + 4 * quad;
    const long HB = (long)H * B, TB = (long)T * B;

    for (int s = last - 1; s >= first; s--) {
        const int t = reverse ? T - 1 - s : s, t_next = reverse ? t - 1 : t + 1;
        real sum[4][4] = {};
        if (b < B && s + 1 < T)
            for (int k = split; k < GATES * H; k += SPLITS) {
#ifdef LSTM
                const int row = k;
#else
                const int row = k < 2 * H ? k : k + H;  /* below da_r and da_z it is dq that U_n sends back, not da_n */
#endif
                vec4 u = weights(U + (long)k * H + j), d = fresh(da + row * TB + (long)t_next * B + b);
                for (int m = 0; m < 4; m++)
                    for (int n = 0; n < 4; n++) sum[m][n] += u.v[m] * d.v[n];
            }
        for (int m = 0; m < 4; m++)
            for (int n = 0; n < 4; n++) partial[split][m][4 * quad + n] = sum[m][n];
        __syncthreads();

        if (OWNS) {
            const int J = OWNER_J, C = OWNER_B;
            const long at = (long)J * B + C;
            real dh = direct[at] + (d_output ? d_output[((long)t * B + C) * H + J] : real(0));
            for (int p = 0; p < SPLITS; p++) dh += partial[p][threadIdx.x / COLUMNS][threadIdx.x % COLUMNS];
            const real* k = kept + (long)t * KEPT * HB + at;
            const bool real_step = !lengths || t < lengths[C];
            const real one = real_step ? real(1) : real(0);  /* a padded step only hands the state's gradient on */
            real* d = da + (long)J * TB + (long)t * B + C;
            const long gate = (long)H * TB;
#ifdef LSTM
            real dc_from_future = dc[at], dc_t = dc_from_future + dh * k[5 * HB];                 /* (10) */
            d[0] = one * dc_t * k[0]; d[gate] = one * dc_t * k[4 * HB];                           /* (11) */
            d[2 * gate] = one * dc_t * k[2 * HB];                                                 /* (11) */
            d[3 * gate] = one * dh * k[3 * HB];                                                   /* (9) */
            dc[at] = real_step ? dc_t * k[HB] : dc_from_future;                                   /* (12) */
            direct[at] = real_step ? real(0) : dh;
#else
            real da_z = dh * k[3 * HB], da_n = dh * k[2 * HB];                                    /* (6) */
            d[0] = one * da_n * k[4 * HB]; d[gate] = one * da_z; d[2 * gate] = one * da_n;        /* (6) */
            d[3 * gate] = one * da_n * k[0];                                                      /* (6): dq */
            direct[at] = real_step ? k[HB] * dh : dh;                                             /* (7) */
#endif
        }
        if (s > first) wait_for_all(arrived, (last - s) * gridDim.x * gridDim.y);
    }
}
"""


def preamble(gates: int, dtype: Any) -> str:
    """What goes before `SOURCE` for the cell with 4 gates (LSTM) or 3 (GRU), and a dtype."""
    name, sizes = "LSTM" if gates == 4 else "GRU", {"UNITS": UNITS, "COLUMNS": COLUMNS, "THREADS": THREADS}
    real = "typedef double real;\n#define DOUBLE\n" if np.dtype(dtype) == np.float64 else "typedef float real;\n"
    numbers = {**sizes, "GATES": gates, "KEPT": KEPT[gates]}
    return f"#define {name}\n{real}" + "".join(f"#define {key} {value}\n" for key, value in numbers.items())


def applies(cell: Cell, w: Weights, x: Array) -> bool:
    """Whether kernels are wanted, and these know the cell and fit the sizes of x (T, B, I)."""
    known = isinstance(cell, GRUResetAfterCell) or (isinstance(cell, LSTMCell) and not cell.peepholes)
    (_, B, _), H = x.shape, w.U.shape[1]
    fits = H % 4 == 0 and B % 4 == 0 and H * B <= MOST_STATE
    return kernels.wanted() and known and fits and array_module(x) is not np and _resident(cell, x, H)


def _resident(cell: Cell, x: Array, H: int) -> bool:
    """Whether all blocks fit on the GPU at once, so that they can wait for one another."""
    gpu = gpu_library().cuda
    limit = gpu.Device().attributes["MultiProcessorCount"]
    each = min(
        gpu.driver.occupancyMaxActiveBlocksPerMultiprocessor(kernel.kernel.ptr, THREADS, 0)
        for kernel in _kernels(len(cell.gates), x.dtype.str)
    )
    columns, units = grid(x.shape[1], H)
    return columns * units <= limit * each


@functools.cache
def _kernels(gates: int, dtype: str) -> tuple[Any, Any]:
    """The compiled kernels (forward, backward)."""
    source = preamble(gates, dtype) + SOURCE
    module = gpu_library().RawModule(code=source, enable_cooperative_groups=True)
    return module.get_function("forward"), module.get_function("backward")


def grid(B: int, H: int) -> tuple[int, int]:
    """Blocks along the batch and along the units."""
    return -(-B // COLUMNS), H // UNITS


def forward(
    cell: Cell,
    w: Weights,
    wx: Array,
    state: State,
    lengths: Array | None,
    hs: Array,
    reverse: bool,
) -> tuple[State, Array]:
    """All steps forward.

    Args:
        cell: an `LSTMCell` without peepholes or a `GRUResetAfterCell`.
        w: its weights.
        wx: (T, rows, B).
        state: the initial state, columns (H, B).
        lengths: (B,) int32 on the device, or None.
        hs: (T+1, B, H), of which all but the initial h is written.
        reverse: walk from the last step to the first.

    Returns:
        The state after the last step, columns (H, B), and for each t what the cell's own `forward` keeps, as one array
        (T, KEPT, H, B), without the memories that only peepholes need.
    """
    xp, (T, _, B), H = array_module(wx), wx.shape, w.U.shape[1]
    kept = xp.empty((T, KEPT[len(cell.gates)], H, B), dtype=wx.dtype)
    h, *c = (xp.empty((T + 1, H, B), dtype=wx.dtype) for _ in state)
    for sequence, initial in zip((h, *c), state, strict=True):
        sequence[0] = initial
    arrays = (w.U, getattr(w, "b_u", None), wx, h, c[0] if c else None, hs, kept, lengths)
    _launch(_kernels(len(cell.gates), wx.dtype.str)[0], arrays, T, B, H, reverse)
    return (h[T], *(array[T] for array in c)), kept


def backward(
    cell: Cell,
    w: Weights,
    kept: Array,
    d_output: Array | None,
    d_final: State,
    lengths: Array | None,
    da: Array,
    reverse: bool,
) -> State:
    """All steps back.

    Args:
        cell, w, lengths, reverse: as for `forward`.
        kept: (T, KEPT, H, B), of `forward`.
        d_output: (T, B, H), or None.
        d_final: the gradient of the final state, columns (H, B).
        da: (rows + extra_blocks · H, T, B), which is written.

    Returns:
        The gradient with respect to the initial state, columns (H, B).
    """
    xp, (T, _, H, B) = array_module(kept), kept.shape
    direct, *dc = (xp.array(d, order="C") for d in d_final)
    d_output = None if d_output is None else xp.ascontiguousarray(d_output)
    arrays = (w.U, d_output, kept, da, direct, dc[0] if dc else None, lengths)
    _launch(_kernels(len(cell.gates), kept.dtype.str)[1], arrays, T, B, H, reverse)
    rows = da[: 4 * H] if dc else xp.concatenate((da[: 2 * H], da[3 * H :]))
    first_step = rows[:, T - 1 if reverse else 0]
    return (direct + w.U.T @ xp.ascontiguousarray(first_step), *dc)


def _launch(kernel: Any, arrays: Sequence[Array | None], T: int, B: int, H: int, reverse: bool) -> None:
    """Run a kernel over all steps, from 0 to T as they are walked."""
    arrived = array_module(arrays[0]).zeros(1, dtype=np.uint32)
    sizes = map(np.int32, (T, B, H, 0, T, reverse))
    kernel(grid(B, H), (THREADS,), (*map(_pointer, arrays), *sizes, arrived))


def _pointer(array: Array | None) -> Any:
    """An argument of a kernel: the array, or the null pointer."""
    return np.intp(0) if array is None else array
