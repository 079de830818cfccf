"""CUDA kernels on the CPU: the source of `minirnn.fast.cuda`, compiled by a C++ compiler. The threads of
a block take turns, and blocks run one after the other. As none waits for another, the steps of a walk by several blocks
are launches of their own; a single block walks all steps at once.
"""

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from minirnn.fast import cuda

SHIM = r"""
#include <cmath>
#include <ucontext.h>
#include <vector>
using std::tanh;
struct dim3 { unsigned x, y, z; };
static dim3 threadIdx, blockIdx, gridDim;
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
template <class T> T __ldcg(const T* p) { return *p; }
#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
static void __threadfence() { }
static void atomicAdd(unsigned* p, unsigned n) { *p += n; }

/* The threads of a block take turns: each runs until all have to wait for one another. */
struct Thread { ucontext_t context; std::vector<char> stack = std::vector<char>(1 << 16); bool ended; };
static std::vector<Thread> block(THREADS);
static ucontext_t scheduler;
static void (*run_kernel)(const void*);
static const void* kernel_of_all;
static void run_thread() { run_kernel(kernel_of_all); block[threadIdx.x].ended = true; }
static void __syncthreads() { swapcontext(&block[threadIdx.x].context, &scheduler); }
template <class Kernel> void launch(unsigned columns, unsigned rows, Kernel kernel) {
    run_kernel = [](const void* k) { (*(const Kernel*)k)(); };
    kernel_of_all = &kernel;
    gridDim = {columns, rows, 1};
    for (blockIdx.y = 0; blockIdx.y < rows; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < columns; blockIdx.x++) {
            for (Thread& thread : block) {
                getcontext(&thread.context);
                thread.context.uc_stack.ss_sp = thread.stack.data();
                thread.context.uc_stack.ss_size = thread.stack.size();
                thread.context.uc_link = &scheduler;
                makecontext(&thread.context, run_thread, 0);
                thread.ended = false;
            }
            for (bool waiting = true; waiting;) {
                waiting = false;
                for (threadIdx.x = 0; threadIdx.x < THREADS; threadIdx.x++)
                    if (!block[threadIdx.x].ended) {
                        waiting = true;
                        swapcontext(&scheduler, &block[threadIdx.x].context);
                    }
            }
        }
}
"""
LAUNCHERS = r"""
extern "C" void run_forward(unsigned columns, unsigned units, const real* U, const real* b, const real* b_u,
    const real* wx, real* h, real* c, real* kept, const bool* real_steps, int T, int B, int H, int first, int last,
    unsigned* arrived) {
    const int steps = columns * units == 1 ? last - first : 1;
    for (int s = first; s < last; s += steps) { *arrived = 0; launch(columns, units, [&] {
        forward(U, b, b_u, wx, h, c, kept, real_steps, T, B, H, s, s + steps, arrived); }); }
}
extern "C" void run_backward(unsigned columns, unsigned units, const real* UT, const real* d_output, const real* kept,
    real* da, real* direct, real* dc, const bool* real_steps, int T, int B, int H, int first, int last,
    unsigned* arrived) {
    const int steps = columns * units == 1 ? last - first : 1;
    for (int s = last - steps; s >= first; s -= steps) { *arrived = 0; launch(columns, units, [&] {
        backward(UT, d_output, kept, da, direct, dc, real_steps, T, B, H, s, s + steps, arrived); }); }
}
extern "C" void run_forward_step(unsigned blocks, unsigned one, const real* uh, const real* b, const real* b_u,
    const real* wx, real* h, real* c, real* kept, const bool* real_steps, int T, int B, int H, int t) {
    launch(blocks, one, [&] { forward_step(uh, b, b_u, wx, h, c, kept, real_steps, T, B, H, t); });
}
extern "C" void run_backward_step(unsigned blocks, unsigned one, const real* dh, const real* d_output, const real* kept,
    real* da, real* sent, real* direct, real* dc, const bool* real_steps, int T, int B, int H, int t) {
    launch(blocks, one, [&] {
        backward_step(dh, d_output, kept, da, sent, direct, dc, real_steps, T, B, H, t); });
}
"""


KINDS = {"b": "bool", "u": "unsigned"}


def compiler():
    """A C++ compiler, or None."""
    return shutil.which("g++") or shutil.which("clang++")


@functools.cache
def _library(code):
    """The compiled source, kept for other processes under the hash of what it was made from."""
    at = code.index(cuda.SOURCE)
    whole = code[:at] + SHIM + code[at:] + LAUNCHERS
    name = hashlib.sha256(whole.encode()).hexdigest()[:16]
    result = Path(tempfile.gettempdir()) / f"minirnn-cuda-{os.getuid()}-{name}.so"
    if not result.exists():
        with tempfile.TemporaryDirectory() as folder:
            source, made = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            source.write_text(whole)
            options = ["-std=c++20", "-O1", "-Wno-unknown-pragmas", "-shared", "-fPIC"]
            command = [compiler(), *options, "-o", made, source]
            compiled = subprocess.run(command, capture_output=True, text=True, check=False)
            assert compiled.returncode == 0, compiled.stderr
            shutil.copy(made, result.with_suffix(f".{os.getpid()}"))
            os.replace(result.with_suffix(f".{os.getpid()}"), result)
    return ctypes.CDLL(str(result))


class RawModule:
    """`cupy.RawModule` for that source, on arrays in the host's memory."""

    def __init__(self, code, enable_cooperative_groups=False, launched=lambda: None):
        self.code, self.cooperative, self.launched = code, enable_cooperative_groups, launched

    def get_function(self, name):
        return RawKernel(self, name)


class RawKernel:
    """`cupy.RawKernel`: checks what a GPU does not, and refuses a grid whose blocks would not all be there at once."""

    resident_blocks = 64

    def __init__(self, module, name):
        self.name, self.module, self._function = name, module, getattr(_library(module.code), f"run_{name}")
        (parameters,) = re.findall(rf"__global__ [^;{{]* {name}\(([^)]*)\)", cuda.SOURCE)
        self._parameters = re.split(r",\s*", parameters.strip())
        self.kernel = SimpleNamespace(ptr=1)

    def __call__(self, grid, block, arguments):
        assert block == (cuda.THREADS,)
        assert len(arguments) == len(self._parameters)
        blocks = int(np.prod(grid))
        self.module.launched()
        if os.environ.get("CUDA_EMULATION_HANGS") == self.name:
            time.sleep(3600)
        if self.module.cooperative and blocks > self.resident_blocks:
            raise RuntimeError("CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE: too many blocks in cooperative launch")
        converted = []
        for parameter, argument in zip(self._parameters, map(_inside, arguments), strict=True):
            if isinstance(argument, np.ndarray):
                assert "*" in parameter
                assert argument.flags.c_contiguous
                assert argument.dtype.kind == next((k for k in "bu" if KINDS[k] in parameter), "f")
                converted.append(ctypes.c_void_p(argument.ctypes.data))
            elif isinstance(argument, np.intp):
                assert "*" in parameter
                converted.append(ctypes.c_void_p(None))
            else:
                assert isinstance(argument, np.int32)
                assert parameter.startswith("int ")
                converted.append(ctypes.c_int(int(argument)))
        columns, rows = (*grid, 1)[:2]
        self._function(ctypes.c_uint(columns), ctypes.c_uint(rows), *converted)


def _inside(argument):
    """The array in a `DeviceArray`."""
    return getattr(argument, "_wrapped", argument)
