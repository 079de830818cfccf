"""Products of matrices in tiles, in the place of NumPy's; and what is kept of weights while they stand still."""

import importlib.util

import numpy as np
import pytest
from fast_cases import in_use

from minirnn import AttentionDecoder, EncoderDecoder, Linear, RecurrentEncoder, Tensor, parallel
from minirnn.decoding import beam_search, decode, generate, greedy
from minirnn.standing import prepared, they_stand, weights_stand

if importlib.util.find_spec("numba"):
    from minirnn.fast import kernels, packed, products
else:
    pytest.skip("no numba to compile products with", allow_module_level=True)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("N", [16, 49, 101])
def test_tiles_give_the_product(dtype, N, rng):
    """Blocks and panels that are full, and that are not; weights that stand, and that do not."""
    for K in (1, 17, 64, packed.DEEPEST + 3):
        for L in (1, 16, 65, 130, products.WIDE + 66):
            a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((N, K), (K, L)))
            expected = a.astype(np.float64) @ b.astype(np.float64)
            tolerance = K**0.5 * 100 * np.finfo(dtype).eps
            for right in (b, np.ascontiguousarray(b.T).T, np.pad(b, 3)[3:-3, 3:-3], np.pad(b.T, 3)[3:-3, 3:-3].T):
                for parts in (1, 3):
                    found = [products.in_tiles(a, right, parts, False)]
                    with weights_stand():
                        found += [products.in_tiles(a, right, parts, True) for _ in range(2)]
                    for one in found:
                        np.testing.assert_allclose(one, expected, rtol=0, atol=tolerance)
                        assert one.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("K", [64, 71, packed.DEEPEST, packed.DEEPEST + 65])
def test_sums_of_outer_products(dtype, K, rng):
    for N in (48, 50, 97, 160):
        for L in (64, 65, 130):
            d, b = rng.standard_normal((K, N)).astype(dtype), rng.standard_normal((K, L)).astype(dtype)
            expected = d.T.astype(np.float64) @ b.astype(np.float64)
            for right in (b, np.pad(b, 3)[3:-3, 3:-3]):
                for parts in (1, 3):
                    found = products.in_tiles(d.T, right, parts, False)
                    np.testing.assert_allclose(found, expected, rtol=0, atol=K**0.5 * 100 * np.finfo(dtype).eps)
                    assert found.dtype == dtype


def test_it_is_tiles_that_are_used(rng, monkeypatch):
    monkeypatch.setattr(products, "by_numpy", None)
    a, b = rng.standard_normal((64, 20)).astype(np.float32), rng.standard_normal((20, 130)).astype(np.float32)
    for right in (b, np.ascontiguousarray(b.T).T):
        np.testing.assert_allclose(products.in_tiles(a, right, 2, False), a @ b, atol=1e-4)
    d = rng.standard_normal((64, 96)).astype(np.float32)
    b = rng.standard_normal((64, 130)).astype(np.float32)
    np.testing.assert_allclose(products.in_tiles(d.T, b, 2, False), d.T @ b, atol=1e-4)


def test_what_is_not_finite_stays_where_it_belongs(rng):
    a, b = rng.standard_normal((64, 70)).astype(np.float32), rng.standard_normal((70, 130)).astype(np.float32)
    a[3, 5], a[4, 6], b[7, 9] = np.nan, np.inf, np.inf
    for right in (b, np.ascontiguousarray(b.T).T):
        found, expected = products.in_tiles(a, right, 1, False), a @ b
        np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.parametrize(
    "change",
    [
        lambda a, b: (a[:15], b.T.copy().T),
        lambda a, b: (a[:63], b),
        lambda a, b: (a.T.copy().T, b.T.copy().T),
        lambda a, b: (a[:, ::-1], b[::-1]),
        lambda a, b: (a, b[:, ::-1]),
        lambda a, b: (a, b[:, ::2]),
        lambda a, b: (a, np.broadcast_to(b[:1], b.shape)),
        lambda a, b: (a, b.astype(np.float64)),
        lambda a, b: (a.astype(np.float16), b.astype(np.float16)),
        lambda a, b: (a[:, :0], b[:0]),
        lambda a, b: (a, b[:, :0]),
        lambda a, b: (a[:0], b),
    ],
    ids=[
        *("few rows", "few for rows", "columns", "backwards", "b backwards", "every other", "one row for all", "mixed"),
        *("half", "nothing summed", "no columns", "no rows"),
    ],
)
def test_what_does_not_fit_is_left_to_numpy(change, rng, monkeypatch):
    a, b = change(rng.standard_normal((64, 20)).astype(np.float32), rng.standard_normal((20, 70)).astype(np.float32))
    for name in ("multiply", "multiply_transposed", "multiply_columns", "multiply_packed"):
        monkeypatch.setattr(products, name, None)
    found = products.in_tiles(a, b, 1, True)
    np.testing.assert_allclose(found, a @ b, atol=1e-4)
    assert found.dtype == (a @ b).dtype


def test_shapes_that_do_not_fit_are_refused_as_ever():
    with in_use(), pytest.raises(ValueError, match="mismatch"):
        parallel.product(np.ones((64, 20), np.float32), np.ones((21, 70), np.float32))


def test_only_what_asked_for_it_multiplies_in_tiles(monkeypatch):
    seen = []
    monkeypatch.setattr(products, "in_tiles", lambda a, b, *_: seen.append(a.shape) or a @ b)
    a, b = np.ones((64, 20), np.float32), np.ones((20, 70), np.float32)
    parallel.product(a, b)
    with in_use():
        parallel.product(a, b)
    parallel.product(a, b)
    assert seen == [(64, 20)]


def test_a_linear_layer_and_its_gradients(rng):
    layer, x = Linear(40, 150, rng=0, dtype=np.float64), rng.standard_normal((3, 30, 40))
    found = []
    for compiled in (False, True):
        layer.zero_grad()
        inputs = Tensor(x, requires_grad=True)
        with in_use(compiled):
            y = layer(inputs)
            (y * y).sum().backward()
        found.append([y.data, inputs.grad, layer.weight.grad, layer.bias.grad])
    for expected, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-9)


def translator():
    """A model with a vocabulary wide enough for tiles, and a batch of sources."""
    rng = np.random.default_rng(0)
    encoder = RecurrentEncoder(30, 8, 12, cell="gru", rng=rng)
    model = EncoderDecoder(encoder, AttentionDecoder(90, 8, 12, 12, cell="gru", rng=rng), rng=rng)
    model.eval()
    return model, rng.integers(4, 30, (5, 20)), np.full(20, 5)


def test_weights_are_packed_once_a_search_and_anew_for_the_next(monkeypatch):
    model, X, lengths = translator()
    packings, loops = [], []
    pack, compiled = products.pack_transposed, kernels.compiled
    monkeypatch.setattr(products, "pack_transposed", lambda m: packings.append(m.shape) or pack(m))
    monkeypatch.setattr(kernels, "compiled", lambda *of: loops.append(of) or compiled(*of))

    def searches():
        start, limits = np.ones(20, int), {"eos": 2, "max_length": 6}
        yield lambda: [h.tokens for h in decode(model.step, model.start(X, lengths), start, **limits)]
        yield lambda: [
            [h.tokens for h in best]
            for best in beam_search(model.step, model.start(X, lengths), start, beam_size=3, n_best=2, **limits)
        ]
        yield lambda: generate(model.step, [1], 5, greedy, state=model.start(X, lengths), batch=20).tolist()

    for search in searches():
        for _ in range(2):
            expected = search()
            packings.clear(), loops.clear()
            with in_use():
                assert search() == expected
            assert packings.count((90, 32)) == 1
            assert len(loops) == 2  # the encoder's, and the decoder's for all steps
            model.decoder.output.weight.data = -model.decoder.output.weight.data


def test_what_is_prepared_is_kept_as_long_as_weights_stand(rng):
    w, made = np.ones((3, 4)), []

    def make():
        made.append(w.copy())
        return len(made)

    assert [prepared(make, "a", [w]) for _ in range(2)] == [1, 2]
    assert not they_stand()
    with weights_stand():
        assert they_stand()
        assert [prepared(make, "a", [w]), prepared(make, "b", [w]), prepared(make, "a", [w[:2]])] == [3, 4, 5]
        with weights_stand():
            assert prepared(make, "a", [w]) == 3
        assert [prepared(make, "a", [w]), prepared(make, "a", [w.T])] == [3, 6]
        assert [prepared(make, "a", [np.ones((3, 4))]) for _ in range(2)] == [7, 8]  # neither in the place of another
    assert prepared(make, "a", [w]) == 9
    assert not they_stand()


def test_what_is_no_weight_is_not_kept(rng):
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 20), (70, 20)))
    with weights_stand():
        products.in_tiles(a, b.T, 1, False)
        b *= 2
        np.testing.assert_allclose(products.in_tiles(a, b.T, 1, False), a @ b.T, atol=1e-4)
