"""What the tests of `minirnn.fast` share: what stands in for a cell is compared with it, and every batch is divided."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from minirnn import parallel, use_kernels
from minirnn.cells import bptt
from minirnn.fast import in_place, slices, walk


def assert_stands_in(step, cell, weights, x, state, tolerance=1e-13):
    """Walk forward with both, and back twice."""
    w = SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    wx, T = bptt.input_products(cell, w, x.data), len(x.data)
    rng, H = np.random.default_rng(0), state[0].shape[1]
    dh, results = rng.standard_normal((T, H, len(x.data[0]))), []
    for one in (cell, step):
        columns, states, kept = tuple(np.ascontiguousarray(s.data.T) for s in state), [], []
        for t in range(T):
            columns, step_kept = one.forward(w, wx[t].copy(), columns)
            states.append(columns)
            kept.append(step_kept)
        found = [array for arrays in states for array in arrays]
        for _ in range(2):
            da = np.empty((len(w.b) + cell.extra_blocks * H, T, wx.shape[2]))
            d_state = tuple(np.zeros_like(s) for s in columns)
            for t in reversed(range(T)):
                d_state = one.backward(w, kept[t], (d_state[0] + dh[t], *d_state[1:]), da[:, t])
            found += [da, *d_state]
        flat = da.reshape(len(da), -1), np.concatenate([state[0].data, *(s[0].T for s in states[:-1])]), kept
        results.append([*found, *one.weight_gradients(*flat).values()])
        assert (one.extra_blocks, one.adds_bias) == (cell.extra_blocks, cell.adds_bias)
    for expected, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


@contextmanager
def in_use(wanted=True):
    """Kernels, or none."""
    use_kernels(wanted)
    try:
        yield
    finally:
        use_kernels(None)


@contextmanager
def in_parts(threads, unpacked=True, chunk=2**18):
    """Every batch divided, whatever its size, with a BLAS that does or does not multiply small matrices unpacked, and
    what steps keep in chunks with `chunk` numbers a gate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "FEWEST_COLUMNS", 1)
        patch.setattr(walk, "worthwhile", lambda *_: threads)
        patch.setattr(parallel, "num_threads", lambda: threads)
        patch.setattr(slices, "multiplies_unpacked", lambda: unpacked)
        patch.setattr(in_place, "CHUNK", {"cpu": chunk})
        yield
