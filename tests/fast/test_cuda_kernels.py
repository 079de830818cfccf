"""The CUDA kernels of `minirnn.fast` against the cells that they stand for: run on the CPU where there is a
C++ compiler, and compiled for a GPU where there is a CUDA compiler."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import cuda_emulation
import device_double
import numpy as np
import pytest
from cases import gradients, random_case

from minirnn import CELL_NAMES, Recurrent, Tensor, grad, make_cell, unroll
from minirnn.cells import bptt
from minirnn.cells.padding import PaddingMask
from minirnn.fast import cuda, slices, walk

needs_compiler = pytest.mark.skipif(cuda_emulation.compiler() is None, reason="no C++ compiler to run the kernels with")
CELLS = ("lstm", "gru-after", "rnn")


def emulate(monkeypatch, one_launch=True):
    """From now on every cell that the kernels know is walked by them, all steps in one launch or step by step."""
    cuda._kernels.cache_clear()
    blocks = cuda_emulation.RawKernel.resident_blocks
    monkeypatch.setattr(cuda, "gpu_library", lambda: cuda_emulation)
    monkeypatch.setattr(cuda, "_resident_blocks", lambda *_: blocks if one_launch else 0)
    plainly = walk.stand_in
    monkeypatch.setattr(
        walk, "stand_in", lambda cell, *rest: (cuda, cell) if cuda.knows(cell) else plainly(cell, *rest)
    )
    monkeypatch.setattr(slices, "multiplies_unpacked", lambda: False)


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(
    ("B", "H", "one_launch"),
    [
        (4, 4, True),  # one block, with fewer sequences than it has room for
        (36, 8, True),  # a bit more than those of one
        (36, 8, False),
        (3, 5, False),  # and what no block could have
    ],
)
def test_a_sequence_is_walked_as_step_by_step(name, reverse, padded, B, H, one_launch, monkeypatch):
    cell, x, weights, state = random_case(name, 4, B, 3, H, seed=1)
    lengths = np.arange(B) % 5 if padded else None
    inputs = [x, *weights.values(), *state]
    results = []
    for _ in range(2):
        output, final = unroll(cell, x, weights, state, lengths, reverse)
        results.append([output.data, *(s.data for s in final), *gradients(output, final, inputs)])
        emulate(monkeypatch, one_launch)
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_for_an_empty_batch_nothing_is_launched(name):
    cell = make_cell(name)
    w = SimpleNamespace(U=device_double.asarray(np.zeros(cell.weight_shapes(4, 6)["U"])))
    assert walk.stand_in(cell, w, device_double.asarray(np.zeros((3, 1, 4))), 1, 3)[0] is cuda
    assert walk.stand_in(cell, w, device_double.asarray(np.zeros((3, 0, 4))), 1, 3)[0] is bptt


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
def test_blocks_with_many_units(name, monkeypatch, rng):
    cell, x, weights, state = random_case(name, 3, 4, 3, 16, seed=1)
    for tensor in (x, *weights.values(), *state):
        tensor.data = tensor.data.astype(np.float32)
    inputs, results = [x, *weights.values(), *state], []
    for _ in range(2):
        output, _ = unroll(cell, x, weights, state)
        results.append([output.data, *grad(output, inputs, rng.standard_normal(output.shape).astype(np.float32))])
        rng = np.random.default_rng(0)
        emulate(monkeypatch)
        monkeypatch.setattr(cuda, "_resident_blocks", lambda gates, dtype, units: 2)
        assert cuda.units_of_block(len(cell.gates), np.float32, 4, 16) == cuda.MANY_UNITS
    for expected, found in zip(*results, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("one_launch", [True, False])
def test_the_kernels_stand_in_for_the_loops_of_bptt(name, one_launch, monkeypatch, rng):
    emulate(monkeypatch, one_launch)
    cell, x, weights, state = random_case(name, 3, 4, 3, 8, seed=2)
    w = bptt.SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    d_output, d_final = rng.standard_normal((3, 4, 8)), [rng.standard_normal((4, 8)), *[None] * (len(state) - 1)]
    for lengths in (None, [3, 1, 0, 2]):
        mask, initial, results = PaddingMask(lengths, x.data), tuple(s.data for s in state), []
        for loops in (bptt, cuda):
            output, final, trace = loops.forward_through_time(cell, w, x.data, initial, mask)
            dx, dw, d_initial = loops.backward_through_time(cell, w, trace, d_output, d_final)
            results.append([output, *final, trace.hs, dx, *(dw[key] for key in weights), *d_initial])
            assert loops.backward_through_time(cell, w, trace, None, d_final, needs_dx=False)[0] is None
        for expected, found in zip(*results, strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@needs_compiler
def test_a_grid_too_large_to_wait_for_is_never_launched(monkeypatch):
    emulate(monkeypatch)
    assert cuda.units_of_block(4, np.float32, 32, 256) == cuda.FEW_UNITS
    assert cuda.units_of_block(4, np.float32, 36, 256) == cuda.MANY_UNITS  # 2 · 32 blocks
    assert cuda.units_of_block(4, np.float64, 36, 256) is None
    assert cuda.units_of_block(4, np.float32, 68, 256) is None
    assert cuda.units_of_block(4, np.float32, 32, 258) is None
    assert cuda.units_of_block(4, np.float32, 33, 256) is None
    kernel = cuda._kernels(4, "<f4", cuda.FEW_UNITS)["forward"]
    with pytest.raises(RuntimeError, match="TOO_LARGE"):
        cuda._launch(kernel, cuda.FEW_UNITS, [np.zeros(1, np.float32)] + [None] * 7, 1, 32, 512)


@needs_compiler
def test_both_directions(monkeypatch, rng):
    layer = Recurrent("lstm", 3, 8, bidirectional=True, rng=0, dtype=np.float64)
    x, dy = rng.standard_normal((3, 4, 3)), rng.standard_normal((3, 4, 16))
    results = []
    for _ in range(2):
        layer.zero_grad()
        layer(Tensor(x))[0].backward(dy)
        results.append([parameter.grad for parameter in layer.parameters()])
        emulate(monkeypatch)
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
def test_float32(name, monkeypatch):
    cell, x, weights, state = random_case(name, 4, 8, 5, 12, seed=3)
    for tensor in (x, *weights.values(), *state):
        tensor.data = tensor.data.astype(np.float32)
    expected = unroll(cell, x, weights, state)[0].data
    emulate(monkeypatch)
    found = unroll(cell, x, weights, state)[0].data
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no CUDA compiler")
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    ("dtype", "units"), [(np.float32, cuda.FEW_UNITS), (np.float32, cuda.MANY_UNITS), (np.float64, cuda.FEW_UNITS)]
)
def test_the_kernels_compile_for_a_gpu(name, dtype, units, tmp_path):
    source = tmp_path / "kernels.cu"
    source.write_text(cuda.preamble(len(make_cell(name).gates), dtype, units) + cuda.SOURCE)
    command = ["nvcc", "-arch=sm_90", "-std=c++14", "-cubin", "-Xptxas", "-v", "-Werror", "all-warnings"]
    made = subprocess.run([*command, "-o", tmp_path / "out", source], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    spilled = re.findall(r"(\d+) bytes spill stores", made.stderr)
    assert spilled == ["0"] * len(cuda.NAMES)


def test_never_on_the_cpu(monkeypatch):
    cell, x, weights, _ = random_case("lstm", 3, 4, 3, 8, seed=0)
    w = bptt.SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    monkeypatch.setattr(walk.kernels, "wanted", lambda device: device == "gpu")
    assert walk.stand_in(cell, w, x.data, 1, 3)[0] is bptt


def test_what_the_kernels_know():
    known = {name for name in CELL_NAMES if cuda.knows(make_cell(name))}
    assert known == {"rnn", "lstm", "gru-after"}
