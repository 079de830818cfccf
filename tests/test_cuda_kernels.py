"""The CUDA kernels of `minirnn.cells.kernels` against the cells that they stand for: run on the CPU where there is a
C++ compiler, and compiled for a GPU where there is a CUDA compiler."""

import shutil
import subprocess

import cuda_emulation
import numpy as np
import pytest
from test_cells import gradients, random_case

from minirnn import Recurrent, Tensor, make_cell, unroll
from minirnn.cells import bptt, kernels
from minirnn.cells.kernels import cuda

needs_compiler = pytest.mark.skipif(cuda_emulation.compiler() is None, reason="no C++ compiler to run the kernels with")
CELLS = ("lstm", "gru-after")


@pytest.fixture
def emulated(monkeypatch):
    monkeypatch.setattr(cuda, "_kernels", cuda_emulation.kernels)
    monkeypatch.setattr(cuda, "applies", cuda_emulation.applies)
    monkeypatch.setattr(bptt, "multiplies_unpacked", lambda: False)
    monkeypatch.setattr(bptt.slices, "multiplies_unpacked", lambda: False)


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("B", [4, 36])  # less than a block's columns, and a bit more than those of one
def test_a_sequence_is_walked_as_step_by_step(name, reverse, padded, B, request):
    cell, x, weights, state = random_case(name, 3, B, 3, 8, seed=1)
    lengths = np.arange(B) % 4 if padded else None
    inputs = [x, *weights.values(), *state]
    results = []
    for _ in range(2):
        output, final = unroll(cell, x, weights, state, lengths, reverse)
        results.append([output.data, *(s.data for s in final), *gradients(output, final, inputs)])
        request.getfixturevalue("emulated")
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
def test_each_step_keeps_what_the_cell_keeps(name, emulated, rng):
    cell, x, weights, state = random_case(name, 2, 4, 3, 8, seed=2)
    w = bptt.SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    wx, a = (bptt.pre_activations(cell, w, x.data, blocks) for blocks in (0, cell.kept_blocks))
    columns = tuple(np.ascontiguousarray(s.data.T) for s in state)
    hs = np.full((3, 4, 8), np.nan)
    end, kept = cuda.forward(cell, w, wx, columns, None, hs, False)
    for t in range(2):
        columns, expected = cell.forward(w, a[t], columns)
        cell.derivatives(a[t : t + 1])
        expected = expected[0] if name == "lstm" else expected  # which keeps more, with peepholes
        np.testing.assert_allclose(kept[t].reshape(expected.shape), expected, rtol=0, atol=1e-13)
        np.testing.assert_allclose(hs[t + 1], columns[0].T, rtol=0, atol=1e-13)
    for a, b in zip(columns, end, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-13)


@needs_compiler
def test_both_directions(request, rng):
    layer = Recurrent("lstm", 3, 8, bidirectional=True, rng=0, dtype=np.float64)
    x, dy = rng.standard_normal((3, 4, 3)), rng.standard_normal((3, 4, 16))
    results = []
    for _ in range(2):
        layer.zero_grad()
        layer(Tensor(x))[0].backward(dy)
        results.append([parameter.grad for parameter in layer.parameters()])
        request.getfixturevalue("emulated")
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("name", CELLS)
def test_float32(name, request):
    cell, x, weights, state = random_case(name, 4, 8, 5, 12, seed=3)
    for tensor in (x, *weights.values(), *state):
        tensor.data = tensor.data.astype(np.float32)
    expected = unroll(cell, x, weights, state)[0].data
    request.getfixturevalue("emulated")
    found = unroll(cell, x, weights, state)[0].data
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no CUDA compiler")
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernels_compile_for_a_gpu(name, dtype, tmp_path):
    source = tmp_path / "kernels.cu"
    source.write_text(cuda.preamble(len(make_cell(name).gates), dtype) + cuda.SOURCE)
    command = ["nvcc", "-arch=sm_90", "-std=c++14", "-cubin", "-Xptxas", "-v", "-Werror", "all-warnings"]
    made = subprocess.run([*command, "-o", tmp_path / "out", source], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "0 bytes spill stores" in made.stderr


def test_off_and_never_on_the_cpu(monkeypatch):
    cell, x, weights, _ = random_case("lstm", 3, 4, 3, 8, seed=0)
    w = bptt.SimpleNamespace(U=weights["U"].data)
    assert not cuda.applies(cell, w, x.data)
    monkeypatch.setattr(kernels, "wanted", lambda: True)
    assert not cuda.applies(cell, w, x.data)
