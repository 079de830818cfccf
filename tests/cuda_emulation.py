"""CUDA kernels on the CPU: the source of `minirnn.cells.kernels.cuda`, compiled by a C++ compiler, with a thread for
each thread of a block. Blocks run one after the other, steps in launches of their own, and no block waits for another.
"""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from minirnn.cells.kernels import cuda

SHIM = r"""
#include <atomic>
#include <barrier>
#include <cmath>
#include <thread>
#include <vector>
using std::tanh;
struct dim3 { unsigned x, y, z; };
thread_local dim3 threadIdx, blockIdx;
static dim3 gridDim;
static std::barrier<>* gate;
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
template <class T> T __ldcg(const T* p) { return *p; }
#define __global__
#define __device__ static
#define __shared__ static
#define __launch_bounds__(n)
static void __syncthreads() { gate->arrive_and_wait(); }
static void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
static void atomicAdd(unsigned* p, unsigned n) { __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST); }
template <class Kernel> void launch(unsigned columns, unsigned units, Kernel kernel) {
    gridDim = {columns, units, 1};
    for (unsigned y = 0; y < units; y++)
        for (unsigned x = 0; x < columns; x++) {
            std::barrier<> here(THREADS);
            gate = &here;
            std::vector<std::thread> threads;
            for (unsigned t = 0; t < THREADS; t++)
                threads.emplace_back([=] { threadIdx = {t, 0, 0}; blockIdx = {x, y, 0}; kernel(); });
            for (auto& thread : threads) thread.join();
        }
}
"""
LAUNCHERS = r"""
extern "C" void run_forward(unsigned columns, unsigned units, const real* U, const real* b_u, const real* wx, real* h,
    real* c, real* rows, real* kept, const int* lengths, int T, int B, int H, int first, int last, int reverse) {
    for (int s = first; s < last; s++) { unsigned arrived = 0; launch(columns, units, [&] {
        forward(U, b_u, wx, h, c, rows, kept, lengths, T, B, H, s, s + 1, reverse, &arrived); }); }
}
extern "C" void run_backward(unsigned columns, unsigned units, const real* U, const real* d_output, const real* kept,
    real* da, real* direct, real* dc, const int* lengths, int T, int B, int H, int first, int last, int reverse) {
    for (int s = last - 1; s >= first; s--) { unsigned arrived = 0; launch(columns, units, [&] {
        backward(U, d_output, kept, da, direct, dc, lengths, T, B, H, s, s + 1, reverse, &arrived); }); }
}
"""


def compiler():
    """A C++ compiler, or None."""
    return shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library(gates, dtype):
    """The kernels of a cell and a dtype as a shared library."""
    folder = Path(tempfile.mkdtemp(prefix="minirnn-cuda-"))
    source, result = folder / "kernels.cpp", folder / "kernels.so"
    source.write_text(cuda.preamble(gates, dtype) + SHIM + cuda.SOURCE + LAUNCHERS)
    command = [compiler(), "-std=c++20", "-O1", "-pthread", "-shared", "-fPIC", "-o", result, source]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return ctypes.CDLL(str(result))


def kernels(gates, dtype):
    """What `cuda._kernels` gives, on NumPy arrays."""
    lib = library(gates, np.dtype(dtype))

    def kernel(function):
        def launch(grid, block, arguments):
            assert block == (cuda.THREADS,)
            *arrays_and_sizes, arrived = arguments
            assert arrived.dtype == np.uint32
            converted = []
            for argument in arrays_and_sizes:
                if isinstance(argument, np.ndarray):
                    assert argument.flags.c_contiguous
                    converted.append(ctypes.c_void_p(argument.ctypes.data))
                elif isinstance(argument, np.intp):
                    converted.append(ctypes.c_void_p(None))
                else:
                    assert isinstance(argument, np.int32)
                    converted.append(ctypes.c_int(int(argument)))
            function(ctypes.c_uint(grid[0]), ctypes.c_uint(grid[1]), *converted)

        return launch

    return kernel(lib.run_forward), kernel(lib.run_backward)


def applies(cell, w, x):
    """What `cuda.applies` says on a GPU, for NumPy arrays."""
    return w.U.shape[1] % 4 == 0 and x.shape[1] % 4 == 0 and (getattr(cell, "peepholes", False) is False)
