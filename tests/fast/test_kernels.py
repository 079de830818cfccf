"""The compiled steps of the CPU against the cells that they stand for. (`test_cuda_kernels.py` has the GPU's.)"""

import importlib.util
import inspect
import sys
import textwrap
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from cases import random_case
from fast_cases import assert_stands_in, in_parts

from minirnn import (
    CELL_NAMES,
    GRU,
    LSTM,
    Adam,
    DeviceError,
    Recurrent,
    Tensor,
    grad,
    gradcheck,
    make_cell,
    num_threads,
    parallel,
    set_num_threads,
    unroll,
    use_kernels,
)
from minirnn.cli.main import main
from minirnn.fast import kernels

CELLS = ("rnn", "gru", "gru-after", "lstm")
if importlib.util.find_spec("numba"):
    from minirnn.fast import steps
else:
    pytest.skip("no numba to compile kernels with", allow_module_level=True)


@pytest.fixture(autouse=True)
def on_any_processor(monkeypatch):
    """The kernels are right on all, though of use only on some."""
    monkeypatch.setattr(kernels, "multiplies_unpacked", lambda: True)


@contextmanager
def in_use():
    use_kernels()
    try:
        yield
    finally:
        use_kernels(None)


@pytest.fixture
def small_tiles(monkeypatch):
    """Several tiles down and across, also for few units."""
    monkeypatch.setattr(steps, "MOST_ROWS", 3)
    monkeypatch.setattr(steps, "MOST_COLUMNS", 2)


def results(name, reverse=False, lengths=None, dtype=np.float64, shape=(7, 5, 4, 6)):
    """The output, the final state and all gradients of a random case."""
    cell, x, weights, state = random_case(name, *shape, seed=3)
    x, *others = (Tensor(t.data.astype(dtype), requires_grad=True) for t in (x, *weights.values(), *state))
    weights = dict(zip(weights, others, strict=False))
    output, final = unroll(cell, x, weights, others[len(weights) :], lengths, reverse)
    rng = np.random.default_rng(4)
    loss = sum((y * rng.standard_normal(y.shape).astype(dtype)).sum() for y in (output, *final))
    return [y.data for y in (output, *final)] + grad(loss, [x, *others])


def assert_agreement(*arguments, tolerance=1e-12, **options):
    """With kernels as without."""
    without = results(*arguments, **options)
    with in_use():
        assert kernels.compiles(make_cell(arguments[0]), without[0])
        compiled = results(*arguments, **options)
    for expected, found in zip(without, compiled, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 2, 5, 0, 6]])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_sequence_is_walked_as_by_the_cell(name, reverse, lengths, threads, small_tiles):
    with in_parts(threads):
        assert_agreement(name, reverse, lengths)


@pytest.mark.parametrize("name", CELLS)
def test_float32(name):
    assert_agreement(name, dtype=np.float32, tolerance=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_step_by_step(name, small_tiles):
    cell, x, weights, state = random_case(name, 3, 4, 3, 6, seed=2)
    w = SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    assert_stands_in(steps.Steps(cell, w), cell, weights, x, state)


@pytest.mark.parametrize("name", CELLS)
def test_an_empty_batch(name):
    with in_use():
        found = results(name, shape=(3, 0, 4, 6))
        layer = Recurrent(name, 4, 6, rng=0)
        stepper = layer.stepper(Tensor(np.zeros((2, 0, 4), np.float32)), None)
        stepper(Tensor(np.zeros((0, 4), np.float32))).sum().backward()
    assert found[0].shape == (3, 0, 6)
    assert not any(array.any() for array in found)
    assert not any(p.grad.any() for p in layer.parameters())


@pytest.mark.parametrize("H", [256, 96, 7, 131])
@pytest.mark.parametrize("B", [1, 16, 64])
def test_tiles_multiply_like_the_matrix(H, B, rng):
    U, h, da = rng.standard_normal((3 * H, H)), rng.standard_normal((H, B)), rng.standard_normal((3 * H, B))
    tiles = steps.tiles(U, B)
    assert tiles.shape[0] * tiles.shape[2] == 3 * H
    assert len(tiles) % 3 == 0  # no tile has rows of two gates
    np.testing.assert_allclose(steps.product(tiles, 0, len(tiles), h), U @ h, rtol=0, atol=1e-10)
    last = len(tiles) // 3
    np.testing.assert_allclose(steps.product(tiles, last, 2 * last, h), U[H : 2 * H] @ h, rtol=0, atol=1e-10)
    dh = np.ones((H, B))
    steps.add_transposed_product(tiles, last, len(tiles), da[: 2 * H], dh)
    np.testing.assert_allclose(dh, 1 + U[H:].T @ da[: 2 * H], rtol=0, atol=1e-10)


@steps.compiled
def tanh_of(a):
    """The compiled tanh of every number."""
    y = np.empty_like(a)
    for n in range(len(a)):
        y[n] = steps.tanh(a[n])
    return y


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 4e-7), (np.float64, 1e-15)])
def test_tanh(dtype, tolerance):
    a = np.concatenate([[0.0], np.logspace(-30, 2, 100_000)]).astype(dtype)
    a = np.concatenate([-a[::-1], a])
    y = tanh_of(a)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, np.tanh(a.astype(np.float64)), rtol=tolerance, atol=0)
    assert np.abs(y).max() <= 1
    np.testing.assert_allclose(tanh_of(np.array([np.nan, np.inf, -np.inf], dtype)), [np.nan, 1, -1], rtol=tolerance)


@pytest.mark.parametrize("name", CELLS)
def test_what_is_not_finite_stays_so(name):
    cell, x, weights, state = random_case(name, 3, 4, 3, 6, seed=2)
    x.data[1, 2] = np.nan
    with in_use():
        output, _ = unroll(cell, x, weights, state)
    assert np.isnan(output.data[1:, 2]).all()
    assert np.isfinite(output.data[:, [0, 1, 3]]).all()
    assert np.isfinite(output.data[0]).all()


def test_gradients_are_those_of_finite_differences(rng):
    x = rng.standard_normal((4, 3, 2))
    for layer in (LSTM(2, 3, bidirectional=True, rng=0, dtype=np.float64), GRU(2, 3, 2, rng=0, dtype=np.float64)):
        with in_use():
            gradcheck(lambda x, *weights, layer=layer: layer(x)[0], {"x": x, **layer.named_parameters()})


def test_training_goes_the_same_way(rng):
    x, y = rng.standard_normal((6, 20, 3)), rng.standard_normal((6, 20, 40))
    losses = []
    for context in (in_parts(1), in_use()):
        layer, found = Recurrent("lstm", 3, 40, 2, rng=0, dtype=np.float64), []
        optimizer = Adam(layer.parameters(), 0.01)
        with context:
            for _ in range(5):
                output, _ = layer(Tensor(x))
                loss = ((output - y) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                found.append(loss.item())
        losses.append(found)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
    assert losses[1][-1] < losses[1][0]


def test_which_cells_are_known():
    x = np.zeros((2, 3, 4))
    assert not any(kernels.compiles(make_cell(name), x) for name in CELL_NAMES)  # until they are wanted
    with in_use():
        assert tuple(name for name in CELL_NAMES if kernels.compiles(make_cell(name), x)) == tuple(
            name for name in CELL_NAMES if name in CELLS
        )
        assert not kernels.compiles(make_cell("lstm"), np.zeros((2, 0, 4)))
        output, _ = Recurrent("lstm-peephole", 4, 5, rng=0)(Tensor(np.ones((2, 3, 4), np.float32)))
    expected, _ = Recurrent("lstm-peephole", 4, 5, rng=0)(Tensor(np.ones((2, 3, 4), np.float32)))
    np.testing.assert_array_equal(output.data, expected.data)


def test_every_blas_keeps_to_the_number_of_threads():
    """SciPy brings a second one, with threads that would take the cores from ours."""
    with in_use():
        libraries = parallel._libraries()
    assert "numpy" in libraries[0].filepath
    assert len(libraries) > 1
    before = num_threads()
    try:
        set_num_threads(2)
        assert [library.get_num_threads() for library in libraries] == [2] * len(libraries)
        with parallel.one_thread_each():
            assert [library.get_num_threads() for library in libraries] == [1] * len(libraries)
        libraries[1].set_num_threads(3)  # each is given back what it had
        with parallel.one_thread_each():
            pass
        assert [library.get_num_threads() for library in libraries[:2]] == [2, 3]
    finally:
        set_num_threads(before)


def test_where_there_are_none_it_says_so(monkeypatch, capsys, request):
    def no_gpu():
        raise DeviceError("no GPU support")

    monkeypatch.setattr(kernels, "gpu_library", no_gpu)
    monkeypatch.setattr(kernels, "multiplies_unpacked", lambda: False)
    with pytest.raises(DeviceError, match="no kernels for the CPU: they would gain nothing with this BLAS"):
        use_kernels()
    monkeypatch.setattr(kernels, "multiplies_unpacked", lambda: True)
    monkeypatch.setitem(sys.modules, "minirnn.fast.steps", None)
    kernels._imported.cache_clear()
    request.addfinalizer(kernels._imported.cache_clear)
    with pytest.raises(
        DeviceError, match=r"no kernels for the CPU: .*fast.steps.* \(.*pip install 'minirnn\[kernels\]'\)"
    ):
        use_kernels()
    with pytest.raises(SystemExit) as ended:
        main(["--kernels", "gradcheck", "cell rnn"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not kernels.wanted("cpu")
    monkeypatch.setattr(kernels, "gpu_library", lambda: None)
    with in_use():  # those of a GPU can be used, and on the CPU everything is as before
        assert not kernels.compiles(make_cell("lstm"), np.zeros((1, 1, 1)))


def test_from_the_command_line(monkeypatch):
    made = []
    monkeypatch.setattr(steps, "Steps", lambda *arguments, kind=steps.Steps: made.append(kind) or kind(*arguments))
    try:
        for arguments in (["gradcheck", "cell rnn"], ["--kernels", "gradcheck", "cell rnn"]):
            assert not made
            with pytest.raises(SystemExit) as ended:
                main(arguments)
            assert ended.value.code == 0
        assert made
    finally:
        use_kernels(None)


MISTAKES = {
    "U h of the wrong step": ("lstm", steps.lstm, "u[F, n], half)", "u[I, n], half)"),
    "∂c/∂a_f without 1 - f": ("lstm", steps.lstm, "remembered - remembered * f", "remembered"),
    "dc without what h sends": ("lstm", steps.lstm_back, "dc_from_future[n] + dh[n] * kept[4, n]", "dc_from_future[n]"),
    "s without r": ("gru", steps.gru, "s = r * h_prev[n]", "s = h_prev[n]"),
    "r * ds dropped": ("gru", steps.gru_back, " + kept[3, n] * ds[n]", ""),
    "b_u outside of the reset": ("gru-after", steps.gru_after, "r * (u[N, n] + b_u[n])", "r * u[N, n] + b_u[n]"),
    "da_n in the place of dq": ("gru-after", steps.gru_after_back, "da[3 * H :]", "da[2 * H : 3 * H]"),
    "1 - h": ("rnn", steps.rnn, "one - h_n * h_n", "one - h_n"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_caught(name, monkeypatch):
    cell, function, right, wrong = MISTAKES[name]
    source = textwrap.dedent(inspect.getsource(function.py_func))
    assert source.count(right) == 1
    namespace = {**vars(steps), "compiled": steps.njit(nogil=True)}
    exec(compile(source.replace(right, wrong), "a deliberate mistake", "exec"), namespace)
    kind = type(make_cell(cell))
    both = tuple(namespace[f.__name__] if f is function else f for f in steps.STEPS[kind])
    monkeypatch.setitem(steps.STEPS, kind, both)
    with pytest.raises(AssertionError):
        assert_agreement(cell)
