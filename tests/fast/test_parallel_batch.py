"""Parts of a batch in threads of their own, and matrices that are multiplied slice by slice."""

import sys
import threading
import time

import numpy as np
import pytest
from cases import gradients, random_case
from fast_cases import in_parts
from hypothesis import given
from hypothesis import strategies as st

from minirnn import (
    CELL_NAMES,
    InputError,
    Recurrent,
    Tensor,
    backend,
    cross_entropy,
    grad,
    log_softmax,
    num_threads,
    parallel,
    set_num_threads,
    unroll,
)
from minirnn.cells import bptt, stepper
from minirnn.fast import slices, walk
from minirnn.fast.slices import Slices


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_walked_in_parts_and_chunks_a_batch_gives_the_same_as_plainly(name, reverse, padded):
    cell, x, weights, state = random_case(name, 7, 5, 4, 6, seed=3)
    lengths = np.array([7, 2, 5, 0, 6]) if padded else None
    inputs = [x, *weights.values(), *state]

    def outcome(walked):
        output, final = walked(cell, x, weights, state, lengths, reverse)
        return [output.data, *(s.data for s in final), *gradients(output, final, inputs)]

    plain = outcome(bptt.unroll)
    for threads, unpacked, steps in ((2, False, 7), (1, True, 3), (2, True, 1), (3, True, 2)):
        with in_parts(threads, unpacked, chunk=steps * 6 * (5 // threads)):
            for expected, found in zip(plain, outcome(unroll), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_the_batch_is_divided_where_it_pays(monkeypatch):
    monkeypatch.setattr(parallel, "num_threads", lambda: 2)
    layer = Recurrent("lstm", 8, 256, rng=0)

    def parts(layer, B, walks=1):
        weights, state = layer.weights_of("_l0"), [Tensor(np.zeros((B, layer.hidden_size), np.float32))] * 2
        x = Tensor(np.zeros((5, B, 8), np.float32))
        return walk._Walker(walks, layer.cell, x, weights, state[: layer.cell.num_states]).parts

    assert parts(layer, 32) == [slice(0, 16), slice(16, 32)]
    assert parts(layer, 33) == [slice(0, 16), slice(16, 33)]
    assert parts(layer, 32, walks=2) == [slice(0, 32)]  # a thread for each direction
    assert parts(layer, 8) == [slice(0, 8)]
    assert parts(layer, 0) == [slice(0, 0)]
    assert parts(Recurrent("lstm", 8, 16, rng=0), 32) == [slice(0, 32)]
    drawing = Recurrent("rnn-rrelu", 8, 512, rng=0)
    drawing.cell.rng = np.random.default_rng(0)
    assert parts(drawing, 128) == [slice(0, 128)]
    drawing.cell.rng = None
    assert len(parts(drawing, 128)) == 2
    monkeypatch.setattr(parallel, "num_threads", lambda: 16)  # as many as pay, and not as many as there are
    assert len(parts(layer, 32)) == 2
    assert len(parts(layer, 64)) == 3
    assert len(parts(layer, 64, walks=2)) == 2
    monkeypatch.setattr(walk.kernels, "compiles", lambda *_: True)  # compiled loops do not wait for Python's lock
    monkeypatch.setattr(walk.kernels, "compiled", lambda cell, *_: (walk.bptt, cell))
    assert len(parts(layer, 64)) == 6
    assert len(parts(layer, 8)) == 2
    assert len(parts(Recurrent("lstm", 8, 16, rng=0), 32)) == 1


@pytest.mark.parametrize("name", ["gru", "lstm-peephole", "rnn-rrelu"])
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("used", [(0, 1, 2, 3), (0,), (3,), (1, 2)])
def test_two_directions_at_once_give_what_each_gives_by_itself(name, threads, used):
    """Also where the loss depends on some of the outcomes alone, and where one direction is frozen."""
    cell, x, _, state = random_case(name, 4, 6, 3, 5, seed=1)
    lengths = np.array([4, 1, 0, 3, 2, 4])
    weights = [random_case(name, 4, 6, 3, 5, seed=seed)[2] for seed in (2, 3)]
    for tensor in weights[1].values():
        tensor.requires_grad = threads != 2
    walks = [(cell, x, w, state, lengths, reverse) for w, reverse in zip(weights, (False, True), strict=True)]
    tensors = [x, *state, *weights[0].values(), *weights[1].values()]

    def outcome(together):
        for tensor in tensors:
            tensor.grad = None
        (a, finals), (b, finals_back) = together(walks)
        found = [a, finals[0], b, finals_back[0]]
        seed, loss = np.random.default_rng(0), Tensor(np.zeros(()))
        for i, tensor in enumerate(found):
            factor = seed.standard_normal(tensor.shape)
            if i in used:
                loss = loss + (tensor * factor).sum()
        loss.backward()
        loss.backward()
        return [t.data for t in found], [t.grad for t in tensors]

    expected, expected_gradients = outcome(lambda walks: [bptt.unroll(*w) for w in walks])
    with in_parts(threads):
        found, gradients_found = outcome(walk.unroll_together)
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-12)
    for a, b in zip(expected_gradients, gradients_found, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-11)


def check_slices(rows, K, B, stack, transposed, dtype, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((K, rows) if transposed else (rows, K)).astype(dtype)
    matrix = matrix.T if transposed else matrix
    x, y = rng.standard_normal((*stack, K, B)).astype(dtype), rng.standard_normal((3, rows)).astype(dtype)
    sliced, tolerance = Slices(matrix), 1e-12 if dtype == np.float64 else 1e-4
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * K)
    for _ in range(2):  # the second time from the slices that were cut the first time
        product = sliced @ x
        assert product.dtype == dtype
        assert product.flags.c_contiguous
        close(product, matrix @ x)
        below = np.empty((*stack, rows + 2, B), dtype)[..., :rows, :]
        assert np.shares_memory(sliced.multiply(x, out=below), below)
        close(below, matrix @ x)
        close(sliced.T @ y.T, matrix.T @ y.T)
        close(y @ sliced, y @ matrix)
        close(sliced[rows // 3 :].T @ y.T[rows // 3 :], matrix[rows // 3 :].T @ y.T[rows // 3 :])
        close(sliced[: rows // 2] @ x, matrix[: rows // 2] @ x)


@given(
    rows=st.integers(1, 300),
    K=st.integers(1, 300),
    B=st.integers(1, 110),
    stack=st.sampled_from([(), (2,)]),
    transposed=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_slices_of_any_shape(rows, K, B, stack, transposed, dtype):
    check_slices(rows, K, B, stack, transposed, dtype)


def test_slices_multiply_like_the_array():
    for rows, K in [(2048, 512), (512, 2048), (1030, 514), (257, 1021)]:  # 1021 is prime: no pieces
        for B in (16, 64):
            for transposed in (False, True):
                check_slices(rows, K, B, (), transposed, np.float32)


def test_slices_are_small_enough_not_to_be_packed():
    for rows, K in [(1024, 256), (256, 1024), (2048, 512), (512, 2048), (4096, 1024)]:
        for B in (8, 16, 32, 64, 96):
            (_, n, s, k), rest = Slices(np.zeros((rows, K), np.float32))._cut(B)[0].shape, rows
            assert s * k * B <= slices.UNPACKED_LIMIT
            assert n * s <= rest


def test_a_transposed_input_is_copied_and_not_packed():
    matrix, x = np.random.default_rng(0).standard_normal((2, 40, 40))
    np.testing.assert_allclose(Slices(matrix) @ x.T, matrix @ x.T)


def test_a_product_in_parts_is_the_product(monkeypatch):
    rng, shares = np.random.default_rng(0), []
    in_parallel = parallel.in_parallel
    monkeypatch.setattr(parallel, "in_parallel", lambda f, items: shares.append(len(items)) or in_parallel(f, items))
    monkeypatch.setattr(parallel, "num_threads", lambda: 3)
    for m, k, n in [(401, 300, 200), (200, 300, 401), (3, 70_000, 90), (1, 10, 1), (0, 5, 4), (4, 0, 5)]:
        a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
        for left, right in [(a, b), (np.asfortranarray(a), b), (a, np.asfortranarray(b))]:
            found = parallel.product(left, right)
            assert found.flags.c_contiguous
            np.testing.assert_allclose(found, a @ b, rtol=1e-12, atol=1e-10)
    assert shares == [3] * 9
    assert parallel.product(a.astype(np.float32), b.astype(np.float32)).dtype == np.float32


def test_stacks_and_vectors_are_multiplied_as_by_numpy(monkeypatch):
    rng, shares = np.random.default_rng(0), []
    in_parallel = parallel.in_parallel
    monkeypatch.setattr(parallel, "in_parallel", lambda f, items: shares.append(len(items)) or in_parallel(f, items))
    monkeypatch.setattr(parallel, "num_threads", lambda: 3)
    monkeypatch.setattr(parallel, "FEWEST_MULTIPLICATIONS", 1)
    for left, right, parts in [
        ((5, 4, 6), (5, 6, 3), 3),
        ((2, 4, 6), (2, 6, 3), 2),
        ((0, 4, 6), (0, 6, 3), None),
        ((1, 4, 6), (5, 6, 3), None),
        ((5, 4, 6), (6, 3), None),
        ((4, 6), (5, 6, 3), None),
        ((2, 5, 4, 6), (5, 6, 3), None),
        ((5, 4, 6), (6,), None),
        ((6,), (6, 3), None),
        ((6,), (6,), None),
    ]:
        a, b = rng.standard_normal(left), rng.standard_normal(right)
        np.testing.assert_allclose(parallel.product(a, b), a @ b, rtol=1e-12)
        assert shares == ([] if parts is None else [parts])
        shares.clear()
    with pytest.raises(ValueError, match="mismatch"):
        parallel.product(rng.standard_normal((5, 4, 6)), rng.standard_normal((5, 4, 6)))


def test_rows_are_shared_out(monkeypatch):
    monkeypatch.setattr(parallel, "num_threads", lambda: 3)
    monkeypatch.setattr(parallel, "FEWEST_NUMBERS", 1)
    seen, a = [], np.arange(14.0).reshape(7, 2)

    def add(a, b):
        seen.append(len(a))
        a += b

    parallel.in_rows(add, a, 2 * np.arange(14.0).reshape(7, 2))
    np.testing.assert_array_equal(a, 3 * np.arange(14.0).reshape(7, 2))
    assert sorted(seen) == [2, 2, 3]
    for n in (0, 1):
        parallel.in_rows(add, a[:n], a[:n])
    assert seen[3:] == [0, 1]


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_losses_in_parts_are_those_of_the_whole(axis, monkeypatch):
    logits, ids = np.random.default_rng(0).standard_normal((7, 5)), np.array([0, 4, -1, 2, 2, 1, 3])

    def outcome():
        x = Tensor(logits, requires_grad=True)
        losses = cross_entropy(x, ids, ignore_index=-1, label_smoothing=0.1, reduction="none")
        y = log_softmax(x, axis=axis)
        ((losses * np.arange(7.0)).sum() + (y * logits).sum()).backward()
        return [losses.data, y.data, x.grad]

    whole = outcome()
    monkeypatch.setattr(parallel, "num_threads", lambda: 3)
    monkeypatch.setattr(parallel, "FEWEST_NUMBERS", 1)
    for expected, found in zip(whole, outcome(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_steps_whose_products_are_shared_out_give_the_same(name):
    cell, x, weights, state = random_case(name, 4, 5, 3, 6, seed=2)

    def outcome(kind):
        tensors = [Tensor(t.data, requires_grad=True) for t in (x, *weights.values(), *state)]
        own = dict(zip(weights, tensors[1:], strict=False))
        step, at, loss = kind(cell, own), tuple(tensors[1 + len(own) :]), 0.0
        for x_t in tensors[0]:
            at = step(x_t, at)
            loss = loss + sum((s * s).sum() for s in at)
        return [s.data for s in at] + grad(loss, tensors)

    expected = outcome(stepper.Stepper)
    with in_parts(3), pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "FEWEST_MULTIPLICATIONS", 1)
        found = outcome(walk.Stepper)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-10)


def test_who_computes_a_part_does_not_change_it(monkeypatch):
    """The caller takes what a busy helper has not begun: a computer that others use costs what they take, no wait."""
    monkeypatch.setattr(parallel, "num_threads", lambda: 2)
    me, a = threading.get_ident(), np.random.default_rng(0).standard_normal((3000, 300)).astype(np.float32)
    together = parallel.product(a, a.T[:, :500])
    parallel.in_parallel(lambda i: i, [0, 1])
    (helper,) = [pool for n, pool in parallel._pools.items() if n == 1]
    gate = threading.Event()
    blocked = helper.submit(gate.wait)
    try:
        assert parallel.in_parallel(lambda _: threading.get_ident(), range(4)) == [me] * 4
        alone = parallel.product(a, a.T[:, :500])
    finally:
        gate.set()
    blocked.result()
    np.testing.assert_array_equal(alone, together)


def test_no_more_threads_than_pay(monkeypatch):
    monkeypatch.setattr(parallel, "num_threads", lambda: 8)
    assert [parallel.worthwhile(n, 100) for n in (0, 100, 399, 400, 899, 900, 6399, 6400, 10**9)] == [
        *(1, 1, 1, 2, 2, 3, 7, 8, 8),
    ]


def test_results_in_order_and_the_blas_as_before():
    before, interval, seen = parallel.blas().get("num_threads"), sys.getswitchinterval(), set()

    def work(i):
        seen.add((threading.get_ident(), parallel.blas().get("num_threads")))
        return i * i

    assert parallel.in_parallel(work, [3, 1, 2]) == [9, 1, 4]
    assert parallel.in_parallel(work, [3, 1, 2], threads=1) == [9, 1, 4]
    assert parallel.in_parallel(work, [3]) == [9]
    assert parallel.in_parallel(work, []) == []
    assert {threads for _, threads in seen} <= {1, None}
    assert parallel.blas().get("num_threads") == before
    assert sys.getswitchinterval() == interval


@pytest.mark.parametrize("which", [0, 1])
def test_an_exception_in_a_thread_is_raised(which):
    before = parallel.blas().get("num_threads")

    def work(i):
        if i == which:
            raise ZeroDivisionError(f"item {i}")
        return i

    with pytest.raises(ZeroDivisionError, match=f"item {which}"):
        parallel.in_parallel(work, [0, 1])
    assert parallel.blas().get("num_threads") == before


def test_settings_of_the_caller_hold_in_the_threads():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        parallel.in_parallel(lambda i: np.ones(3) / np.array([1.0, 1.0, float(i)]), [1, 0])


def test_number_of_threads():
    before = num_threads()
    try:
        set_num_threads(1)
        assert num_threads() == 1
        assert parallel.blas().get("num_threads", 1) == 1
        with pytest.raises(InputError, match="at least 1, not 0"):
            set_num_threads(0)
    finally:
        set_num_threads(before)
    assert num_threads() == before


def test_two_training_steps_in_parts_change_weights_alike():
    results = []
    for threads in (1, 2):
        layer = Recurrent("gru-after", 4, 6, 2, bidirectional=True, rng=0, dtype=np.float64)
        rng = np.random.default_rng(1)
        with in_parts(threads):
            for _ in range(2):
                output, _ = layer(Tensor(rng.standard_normal((5, 7, 4))), lengths=np.arange(7) % 6)
                layer.zero_grad()
                (output * output).sum().backward()
                for parameter in layer.parameters():
                    parameter.data -= 0.1 * parameter.grad
        results.append([p.data for p in layer.parameters()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_freed_memory_is_kept_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not backend.keep_freed_memory()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts page faults as Linux does")
def test_a_step_asks_the_system_for_no_memory_anew():
    import resource

    layer, x = Recurrent("lstm", 64, 128, rng=0), Tensor(np.ones((20, 32, 64), np.float32))

    def step():
        layer.zero_grad()
        layer(x)[0].sum().backward()

    if not backend.keep_freed_memory():
        pytest.skip("the C library is not glibc, or is told by the environment how to allocate")
    for _ in range(5):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        step()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10 < 200  # some 1,250 otherwise


def test_all_threads_are_at_work_also_on_more_parts_than_there_are_threads(monkeypatch):
    monkeypatch.setattr(parallel, "num_threads", lambda: 2)
    at_work, most, lock = [0], [0], threading.Lock()

    def work(i):
        with lock:
            at_work[0] += 1
            most[0] += at_work[0] == 2
        time.sleep(0.01)
        with lock:
            at_work[0] -= 1
        return -i

    assert parallel.in_parallel(work, range(20)) == [-i for i in range(20)]
    assert most[0] >= 8
