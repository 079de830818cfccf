"""The compiled loops of the CPU against the cells that they stand for. (`test_cuda_kernels.py` has the GPU's.)"""

import importlib.util
import inspect
import sys
import warnings
from types import SimpleNamespace

import hypothesis.strategies as st
import numpy as np
import pytest
from cases import random_case
from fast_cases import in_parts, in_use
from hypothesis import given, settings

from minirnn import (
    CELL_NAMES,
    GRU,
    LSTM,
    Adam,
    DeviceError,
    MinirnnWarning,
    Recurrent,
    Tensor,
    grad,
    gradcheck,
    make_cell,
    no_grad,
    parallel,
    unroll,
    use_kernels,
)
from minirnn.cells import bptt
from minirnn.cells.stepper import Stepper
from minirnn.cli.main import main
from minirnn.fast import kernels, stepping

CELLS = ("rnn", "gru", "gru-after", "lstm", "lstm-peephole")
OFTEN = ("gru", "lstm")
if importlib.util.find_spec("numba"):
    from minirnn.fast import loops, packed, registers, steps
else:
    pytest.skip("no numba to compile kernels with", allow_module_level=True)


def slow_but(often):
    """Every cell as a parameter, of which those that are not among `often` take their time to compile."""
    return [name if name in often else pytest.param(name, marks=pytest.mark.slow) for name in CELLS]


def results(name, reverse=False, lengths=None, dtype=np.float64, shape=(7, 5, 4, 6), change=None):
    """The output, the final state and all gradients of a random case, in which `change` may set some numbers."""
    cell, x, weights, state = random_case(name, *shape, seed=3)
    x, *others = (Tensor(t.data.astype(dtype), requires_grad=True) for t in (x, *weights.values(), *state))
    weights = dict(zip(weights, others, strict=False))
    if change:
        change(*(t.data for t in (x, *others[len(weights) :])))
    output, final = unroll(cell, x, weights, others[len(weights) :], lengths, reverse)
    rng = np.random.default_rng(4)
    loss = sum((y * rng.standard_normal(y.shape).astype(dtype)).sum() for y in (output, *final))
    return [y.data for y in (output, *final)] + grad(loss, [x, *others])


def assert_agreement(name, tolerance=1e-12, **options):
    """With kernels as without."""
    without = results(name, **options)
    with in_use():
        assert kernels.compiles(make_cell(name), np.zeros(1))
        compiled = results(name, **options)
    for expected, found in zip(without, compiled, strict=True):
        assert found.dtype == expected.dtype
        finite = np.abs(expected[np.isfinite(expected)])
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1, finite.max(initial=0)))


@pytest.mark.parametrize("name", slow_but(OFTEN))
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 2, 5, 0, 6]])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_sequence_is_walked_as_by_the_cell(name, reverse, lengths, threads):
    with in_parts(threads):
        assert_agreement(name, reverse=reverse, lengths=lengths)


@pytest.mark.parametrize("name", slow_but(()))
def test_float32(name):
    assert_agreement(name, dtype=np.float32, tolerance=1e-5, lengths=[7, 2, 5, 0, 6])


@pytest.mark.parametrize("names", [("lstm",), pytest.param(CELLS, marks=pytest.mark.slow)])
@settings(max_examples=40)
@given(data=st.data())
def test_any_shape_lengths_direction_and_parts(names, data):
    name = data.draw(st.sampled_from(names))
    T, B = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 14))
    features, H = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    lengths = data.draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B))
    strange = data.draw(st.none() | st.sampled_from([np.nan, np.inf, -np.inf]))
    place = [data.draw(st.integers(0, n - 1)) for n in (T, B, features)]

    def change(x, *state):
        if strange is not None:
            x[tuple(place)] = strange

    with in_parts(data.draw(st.sampled_from([1, 2, 3]))), np.errstate(all="ignore"):
        reverse = data.draw(st.booleans())
        options = {"reverse": reverse, "lengths": lengths, "shape": (T, B, features, H), "change": change}
        assert_agreement(name, tolerance=1e-10, **options)


@pytest.mark.parametrize("name", slow_but(OFTEN))
def test_what_is_not_finite_stays_where_it_belongs(name):
    def change(x, h, *c):
        h[2], x[2, 4] = np.nan, np.inf

    with np.errstate(all="ignore"):
        assert_agreement(name, change=change, lengths=[7, 2, 5, 0, 6])
    with in_use(), np.errstate(all="ignore"):
        output, *_ = results(name, change=lambda x, *state: x.__setitem__((1, 2), np.nan))
    assert np.isnan(output[1:, 2]).all()
    assert np.isfinite(output[:, [0, 1, 3, 4]]).all()
    assert np.isfinite(output[0]).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", slow_but(OFTEN))
def test_step_by_step(name, threads, rng, monkeypatch):
    monkeypatch.setattr(stepping, "worthwhile", lambda *_: threads)
    monkeypatch.setattr(parallel, "num_threads", lambda: threads)
    cell, x, weights, state = random_case(name, 4, 5, 3, 6, seed=2)
    found = []
    for compiled in (False, True):
        tensors = [Tensor(t.data, requires_grad=True) for t in (*weights.values(), *state)]
        own = dict(zip(weights, tensors, strict=False))
        inputs = Tensor(x.data, requires_grad=True)
        with in_use():
            stepper = kernels.compiled_stepper(cell, own) if compiled else Stepper(cell, own)
            at, outputs = tuple(tensors[len(own) :]), []
            for t in range(4):
                if t == 3:  # one sequence fewer
                    at = tuple(s[:4] for s in at)
                at = stepper(inputs[t, : len(at[0].data)], at)
                outputs.append(at[0])
            loss = sum((y * y).sum() for y in (*outputs, at[-1]))
            found.append([y.data for y in (*outputs, *at)] + grad(loss, [inputs, *tensors]))
    for expected, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))


def test_a_decoder_takes_compiled_steps():
    layer, x = Recurrent("lstm", 3, 8, 2, rng=0, dtype=np.float64), Tensor(np.ones((5, 2, 3)))
    plain = layer.stepper(x, None)
    with in_use():
        compiled = layer.stepper(x, None)
        assert type(compiled.cells[0]) is not type(plain.cells[0])
        for _ in range(3):
            np.testing.assert_allclose(compiled(x[0]).data, plain(x[0]).data, atol=1e-6)


@pytest.mark.parametrize("name", slow_but(OFTEN))
def test_an_empty_batch(name):
    with in_use():
        found = results(name, shape=(3, 0, 4, 6))
        layer = Recurrent(name, 4, 6, rng=0, dtype=np.float64)
        stepper = layer.stepper(Tensor(np.zeros((2, 0, 4))), None)
        stepper(Tensor(np.zeros((0, 4)))).sum().backward()
    assert found[0].shape == (3, 0, 6)
    assert not any(array.any() for array in found)
    assert not any(p.grad.any() for p in layer.parameters())


@registers.compiled
def product(h, at, m, out, to):
    packed.add_product(h, at, m, out, to)


@registers.compiled
def two_sums(d, at, m, out, at_other, other, out_other, fresh):
    packed.two_sums_of_products(d, at, m, out, at_other, other, out_other, fresh)


@pytest.mark.parametrize("N", [1, 6, 7, 100])
@pytest.mark.parametrize("K", [1, 5, 1100])
@pytest.mark.parametrize("L", [1, 15, 16, 33, 64, 131])
def test_products(N, K, L, rng):
    h, m = rng.standard_normal((N, K + 3)), rng.standard_normal((K, L))
    h[:, :2], h[:, K + 2] = np.nan, np.nan  # which no product may touch
    out = np.ones((N, L + 5))
    product(h, 2, packed.pack(m), out, 4)
    np.testing.assert_allclose(out[:, 4:-1], 1 + h[:, 2:-1] @ m, rtol=0, atol=1e-11)
    assert (out[:, :4] == 1).all()
    assert (out[:, -1] == 1).all()
    transposed, plain = np.ones((N, L)), np.ones((N, L))
    product(h, 2, packed.pack_transposed(np.ascontiguousarray(m.T)), transposed, 0)
    np.testing.assert_array_equal(transposed, out[:, 4:-1])
    product(h, 2, np.ascontiguousarray(m.T), plain, 0)
    np.testing.assert_allclose(plain, transposed, rtol=0, atol=1e-11)


@pytest.mark.parametrize("N", [1, 6, 7, 100])
@pytest.mark.parametrize("K", [0, 1, 5, 1100])
@pytest.mark.parametrize("L", [1, 33, 64, 131])
@pytest.mark.parametrize("fresh", [False, True])
def test_sums_of_products(N, K, L, fresh, rng):
    d, m, other = rng.standard_normal((K, 2 * N + 3)), rng.standard_normal((K, L)), rng.standard_normal((K, 16))
    old = np.nan if fresh else 1.0
    out, out_other = np.full((N, L), old), np.full((N, 16), old)
    old = 0 if fresh else old
    for at in (1, N + 2):  # of the same columns, and of others
        out[:], out_other[:] = (np.nan, np.nan) if fresh else (1, 1)
        two_sums(d, 1, packed.pack(m), out, at, packed.pack(other), out_other, fresh)
        np.testing.assert_allclose(out, old + d[:, 1 : N + 1].T @ m, rtol=0, atol=1e-11)
        np.testing.assert_allclose(out_other, old + d[:, at : at + N].T @ other, rtol=0, atol=1e-11)


def test_vectors_begin_where_lines_of_the_cache_do(rng):
    for size in range(1, 40):
        m = packed.pack(rng.standard_normal((size, 3)))
        assert m.numbers.ctypes.data % 64 == 0
        assert m[1:] == (size, 3, 0)


def test_a_matrix_with_near_rows_of_whole_vectors_is_left_as_it_is(rng):
    near, far = rng.standard_normal((5, 64)), rng.standard_normal((5, 64 + packed.NEAR // 8))
    assert np.shares_memory(packed.pack(near).numbers, near) == (packed.NEAR >= 64 * 8)
    assert not np.shares_memory(packed.pack(far).numbers, far)


@registers.compiled
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


@pytest.mark.parametrize("name", slow_but(OFTEN))
def test_one_part_after_the_other_gives_the_same_bits(name):
    """Threads decide nothing but who computes: with two parts of a batch, one thread or two."""
    found = []
    for threads in (1, 2):
        with in_parts(2), in_use(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("minirnn.parallel.num_threads", lambda threads=threads: threads)
            found.append(results(name))
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def test_without_a_way_back_nothing_is_kept(rng, monkeypatch):
    sizes = []
    walk = loops.walk
    monkeypatch.setattr(
        loops, "walk", lambda w, x, hs, c, kept, real: (sizes.append(len(kept)), walk(w, x, hs, c, kept, real))
    )
    layer, x = Recurrent("lstm", 3, 8, rng=0, dtype=np.float64), Tensor(rng.standard_normal((5, 4, 3)))
    with in_use():
        kept, _ = layer(x)
        with no_grad():
            gone, _ = layer(x)
    assert sizes == [5, 1]
    np.testing.assert_array_equal(kept.data, gone.data)


def test_which_cells_are_known():
    x = np.zeros((2, 3, 4))
    assert not any(kernels.compiles(make_cell(name), x) for name in CELL_NAMES)  # until they are wanted
    with in_use():
        assert {name for name in CELL_NAMES if kernels.compiles(make_cell(name), x)} == set(CELLS)
        assert not kernels.compiles(make_cell("lstm"), np.zeros((2, 0, 4)))
        output, _ = Recurrent("lstm-cifg", 4, 5, rng=0)(Tensor(np.ones((2, 3, 4), np.float32)))
    expected, _ = Recurrent("lstm-cifg", 4, 5, rng=0)(Tensor(np.ones((2, 3, 4), np.float32)))
    np.testing.assert_array_equal(output.data, expected.data)


def test_where_there_are_none_it_says_so(monkeypatch, capsys, request):
    def no_gpu():
        raise DeviceError("no GPU support")

    monkeypatch.setattr(kernels, "gpu_library", no_gpu)
    monkeypatch.setitem(sys.modules, "minirnn.fast.loops", None)
    kernels._loops.cache_clear()
    request.addfinalizer(kernels._loops.cache_clear)
    message = r"no kernels for the CPU: .*fast.loops.* \(.*pip install 'minirnn\[kernels\]'\)"
    with pytest.raises(DeviceError, match=message):
        use_kernels()
    with pytest.raises(SystemExit) as ended:
        main(["--kernels", "gradcheck", "cell rnn"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not kernels.wanted("cpu")
    monkeypatch.setattr(kernels, "gpu_library", lambda: None)
    with in_use():  # those of a GPU can be used, and on the CPU everything is as before
        assert not kernels.compiles(make_cell("lstm"), np.zeros((1, 1, 1)))


def test_where_nothing_can_be_kept_on_disk_it_compiles_all_the_same(monkeypatch):
    def nowhere(**_):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(registers, "njit", nowhere)
    with pytest.warns(MinirnnWarning, match="NUMBA_CACHE_DIR"):
        assert not registers._keeps()
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registers._keeps()


def test_what_is_kept_on_disk_is_that_of_all_files_together(monkeypatch, tmp_path):
    stamps = []
    for content in ("", "", "changed"):
        (tmp_path / "loops.py").write_text(content)
        monkeypatch.setattr(registers, "_TOGETHER", (str(tmp_path / "loops.py"),))
        registers._digest.cache_clear()
        stamps.append(registers.compiled(lambda a: a)._cache._cache_file._source_stamp)
    assert stamps[0] == stamps[1] != stamps[2]
    registers._digest.cache_clear()


def test_the_first_compilation_is_told_and_no_other():
    numba, calls = importlib.import_module("numba"), []
    numba.njit(lambda x: x)(1)  # the first of this process, where all kernels were on disk
    use_kernels(None, compiling=lambda: calls.append("told"))
    registers.at_first_compilation(lambda: [tell() for tell in kernels._to_tell])
    for n in (1, 2):
        use_kernels(None)
        assert numba.njit(lambda x: x + 1)(n) == n + 1
        assert calls == ["told"]
    kernels._to_tell.clear()


def test_from_the_command_line(monkeypatch):
    made = []
    monkeypatch.setattr(loops, "Loop", lambda *arguments, kind=loops.Loop: made.append(kind) or kind(*arguments))
    try:
        for arguments in (["gradcheck", "cell rnn"], ["--kernels", "gradcheck", "cell rnn"]):
            assert not made
            with pytest.raises(SystemExit) as ended:
                main(arguments)
            assert ended.value.code == 0
        assert made
    finally:
        use_kernels(None)


def interpreted(right="", wrong=""):
    """`steps.py` as plain Python, one place of its source changed: to compile each mistake would take minutes."""
    source = inspect.getsource(steps)
    assert not right or source.count(right) == 1, f"{source.count(right)} times in the source: {right}"

    def add_product(h, at, m, out, to):
        out[:, to : to + m.shape[1]] += h[:, at : at + len(m)] @ m

    source = (source.replace(right, wrong) if right else source).replace("@compiled", "")
    namespace = {"__name__": "interpreted"}
    exec(compile(source, "steps.py, interpreted", "exec"), namespace)
    namespace.update({"tanh": np.tanh, "add_product": add_product})
    return namespace


def assert_steps_agree(name, right="", wrong=""):
    """The steps of `steps.py`, interpreted, and those of the cell: forward and back, with a sequence of padding."""
    cell, x, weights, state = random_case(name, 3, 4, 3, 6, seed=2)
    w = SimpleNamespace(**{key: tensor.data for key, tensor in weights.items()})
    namespace, known = interpreted(right, wrong), loops.KNOWN[type(cell)]
    kinds = {kind.__name__: both for kind, both in namespace["STEPS"].items()}
    step, step_back = kinds[known.weights.__name__]

    def of(prepare):
        H, kind = w.U.shape[1], known.weights
        parts = (w.U[: 2 * H], w.U[2 * H :]) if "U_n" in kind._fields else (w.U,)
        return kind(
            prepare(w.W), *map(prepare, parts), *(getattr(w, field) for field in kind._fields[1 + len(parts) :])
        )

    real = np.array([True, False, True, True])
    (_, B, _), H = x.data.shape, w.U.shape[1]
    wx = bptt.input_products(cell, w, x.data)[0]
    new, kept = cell.forward(w, wx.copy(), tuple(s.data.T for s in state))
    h, c, own = np.zeros((B, H)), state[-1].data.copy(), np.zeros((known.kept, B, H))
    step(of(lambda m: m.T), np.ascontiguousarray(wx.T), state[0].data, h, c, own, real)
    for found, expected, before in zip((h, c), new, state, strict=False):
        np.testing.assert_allclose(found[real], expected.T[real], atol=1e-13)
        np.testing.assert_array_equal(found[~real], before.data[~real])
    rng = np.random.default_rng(0)
    above, *ends = (rng.standard_normal((B, H)) for _ in range(1 + len(state)))
    expected_da = np.empty((len(w.b) + cell.extra_blocks * H, B))
    expected = cell.backward(w, kept, ((above + ends[0]).T, *(d.T for d in ends[1:])), expected_da)
    found, da = [d.copy() for d in ends], np.empty_like(expected_da.T)
    step_back(of(lambda m: m), own, above, found[0], found[-1], da, real)
    np.testing.assert_allclose(da[real], expected_da.T[real], atol=1e-13)
    assert not da[~real].any()
    for one, other, before in zip(found, expected, ends, strict=True):
        np.testing.assert_allclose(one[real], other.T[real], atol=1e-13)
        np.testing.assert_array_equal(one[~real], before[~real])


@pytest.mark.parametrize("name", CELLS)
def test_steps_without_the_compiler(name):
    assert_steps_agree(name)


MISTAKES = {
    "∂c/∂a_f without 1 - f": ("lstm", "remembered - remembered * f  # (9)", "remembered  # (9)"),
    "dc without what h sends": ("lstm", "d_c = dc_n[u] + d * of_dh[u]  # (8)", "d_c = dc_n[u]  # (8)"),
    "a state lost on padding": (
        "lstm-peephole",
        "before[:], after[:] = h_prev[n], 0, 0",
        "before[:], after[:] = 0, 0, 0",
    ),
    "the old memory at the output gate": ("lstm-peephole", "p_o[u] * new, half)", "p_o[u] * old, half)"),
    "no way back through a peephole": ("lstm-peephole", " + p_f[u] * d_f  # (12)", "  # (12)"),
    "s without r": ("gru", "s = r * past[u]  # (3)", "s = past[u]  # (3)"),
    "r * ds dropped": ("gru", " + r[u] * ds_n[u]  # z", "  # z"),
    "b_u outside of the reset": ("gru-after", "q[n] = w.b_u", "q[n] = 0"),
    "da_n in the place of dq": ("gru-after", "(da, 3 * H, w.U_n, dh, 0)", "(da, 2 * H, w.U_n, dh, 0)"),
    "1 - h": ("rnn", "one - new * new\n", "one - new\n"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_caught(mistake):
    with pytest.raises(AssertionError, match=r"(?i)not equal"):
        assert_steps_agree(*MISTAKES[mistake])
