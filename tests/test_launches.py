"""How many launches a step costs on a GPU, where a launch takes longer than most of what it computes."""

import cuda_emulation
import device_double
import numpy as np
import pytest

from minirnn import Tensor, backend, grad, make_cell, unroll
from minirnn.fast import cuda, kernels

LAUNCHES = {
    "gru": (8, 9),
    "gru-after": (8, 10),
    "lstm-layer-norm": (34, 31),
    "gru-layer-norm": (40, 40),
    "lstm": (6, 9),
    "lstm-peephole": (12, 15),
    "lstm-nig": (15, 23),
    "lstm-nfg": (15, 23),
    "lstm-nog": (15, 23),
    "lstm-niaf": (17, 24),
    "lstm-noaf": (17, 24),
    "lstm-cifg": (16, 24),
    "lstm-fgr": (23, 27),
    "lstm-full-peephole": (18, 24),
    "lstm-coupled": (14, 22),
    "rnn": (4, 3),
    "rnn-relu": (4, 3),
    "rnn-relu6": (4, 3),
    "rnn-leaky-relu": (4, 3),
    "rnn-elu": (4, 3),
    "rnn-sigmoid": (4, 3),
    "rnn-prelu": (9, 4),
    "rnn-rrelu": (10, 3),
}
"""Of one more step, forward and back. What is done for many steps at once is not in it."""


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    """Device "gpu" is the double, and cells make their own steps."""
    monkeypatch.setattr(backend, "gpu_library", lambda: device_double)
    monkeypatch.setattr(kernels, "_wanted", [False])


def launches(name, T, lengths=None, H=4):
    """Launches of a walk along T steps forward, and of the way back."""
    cell, rng = make_cell(name), np.random.default_rng(0)
    tensor = lambda *shape: Tensor(device_double.asarray(rng.standard_normal(shape)), requires_grad=True)
    weights = {key: tensor(*shape) for key, shape in cell.weight_shapes(2, H).items()}
    x, state = tensor(T, 4, 2), [tensor(4, H) for _ in range(cell.num_states)]
    before = device_double.launches
    output, _ = unroll(cell, x, weights, state, lengths)
    between = device_double.launches
    grad(output, [x, *weights.values(), *state], device_double.asarray(rng.standard_normal(output.shape)))
    return between - before, device_double.launches - between


def of_a_step(name, **options):
    short, long = launches(name, 5, **options), launches(name, 9, **options)
    return tuple((b - a) / 4 for a, b in zip(short, long, strict=True))


def test_the_double_counts_launches():
    x, y = (device_double.asarray(np.full((3, 4), value)) for value in (1.0, 2.0))
    rows = device_double.asarray(np.array([0, 1]))
    for count, call in [
        (1, lambda: x + y),
        (1, lambda: x * 2.0),
        (1, lambda: x.__iadd__(y)),
        (1, lambda: device_double.tanh(x, out=y)),
        (2, lambda: x @ (y + y).T),
        (1, lambda: x.sum(axis=0)),
        (1, lambda: device_double.concatenate([x, y])),
        (1, lambda: device_double.zeros((2, 2))),
        (1, lambda: x.copy()),
        (1, lambda: x.__setitem__(0, 1.0)),
        (1, lambda: x[rows]),
        (1, lambda: device_double.add.at(x, rows, 1.0)),
        (1, lambda: device_double.fuse(lambda a, b: a * b + a - b)(x, y)),
        (1, lambda: device_double.ascontiguousarray(x.T)),
        (0, lambda: device_double.ascontiguousarray(x)),
        (0, lambda: device_double.empty((2, 2))),
        (0, lambda: x.reshape(4, 3)),
        (0, lambda: x.T[1:]),
    ]:
        before = device_double.launches
        call()
        assert device_double.launches - before == count


@pytest.mark.parametrize("name", LAUNCHES)
def test_launches_of_a_step(name):
    assert of_a_step(name) == LAUNCHES[name]


@pytest.mark.skipif(cuda_emulation.compiler() is None, reason="no C++ compiler to run the kernels with")
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru-after"])
def test_launches_of_a_step_in_kernels(name, monkeypatch):
    monkeypatch.setattr(kernels, "_wanted", [None])  # as it is before anybody says otherwise
    monkeypatch.setattr(cuda, "gpu_library", lambda: device_double)
    assert of_a_step(name, H=4) == (0, 0)
    assert of_a_step(name, H=5) == (2, 2)
