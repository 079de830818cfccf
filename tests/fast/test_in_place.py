"""What stands in for a cell, step by step: the same state, gradients and sums as the plain cell."""

from types import SimpleNamespace

import device_double
import numpy as np
import pytest
from cases import random_case
from fast_cases import assert_stands_in

from minirnn import CELL_NAMES, backend, make_cell
from minirnn.cells import bptt
from minirnn.fast import fused, in_place, walk

KNOWN = [name for name in CELL_NAMES if in_place.steps_of(make_cell(name))]


def test_which_cells_have_one():
    assert set(KNOWN) == {"lstm", "lstm-peephole", "gru", "gru-after"}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("steps_in_a_chunk", [1, 2, 5, 9])
def test_in_place(name, steps_in_a_chunk, monkeypatch):
    monkeypatch.setattr(in_place, "CHUNK", {"cpu": steps_in_a_chunk * 6 * 4})
    cell, x, weights, state = random_case(name, 5, 4, 3, 6, seed=2)
    assert_stands_in(in_place.steps_of(cell)(cell, 5), cell, weights, x, state)


@pytest.mark.parametrize("name", [*KNOWN, *(name for name in CELL_NAMES if type(make_cell(name)) in fused.STEPS)])
@pytest.mark.parametrize("T", [1, 3])
def test_what_stands_in_on_a_gpu(name, T, monkeypatch):
    monkeypatch.setattr(backend, "gpu_library", lambda: device_double)
    monkeypatch.setattr(walk.kernels, "wanted", lambda device: False)
    cell, x, weights, state = random_case(name, T, 4, 3, 6, seed=2)
    w = SimpleNamespace(**{key: device_double.asarray(tensor.data) for key, tensor in weights.items()})
    (step,) = walk.steps_for(cell, w.W, 1, T)
    assert step is not cell
    host = SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    columns = tuple(np.ascontiguousarray(s.data.T) for s in state)
    there = tuple(map(device_double.asarray, columns))
    wx = bptt.input_products(cell, host, x.data)
    for t in range(T):
        columns, kept = cell.forward(host, wx[t], columns)
        there, kept_there = step.forward(w, device_double.asarray(wx[t]), there)
    d_state = tuple(np.random.default_rng(0).standard_normal(s.shape) for s in columns)
    da = np.empty((len(host.b) + cell.extra_blocks * 6, 4))
    da_there = device_double.asarray(np.zeros_like(da))
    expected = [*columns, *cell.backward(host, kept, d_state, da), da]
    found = [*there, *step.backward(w, kept_there, tuple(map(device_double.asarray, d_state)), da_there), da_there]
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b.get(), a, rtol=0, atol=1e-13)
