"""On a real GPU: the same results as on the CPU. Skipped where there is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from minirnn import (
    CELL_NAMES,
    Adam,
    AttentionDecoder,
    DeviceError,
    EncoderDecoder,
    LanguageModel,
    Recurrent,
    RecurrentEncoder,
    Tensor,
    Translation,
    backend,
    beam_search,
    clip_grad_norm,
    cross_entropy,
    use_kernels,
)
from minirnn.fast import cuda, walk
from minirnn.layers.attention import SCORES

try:
    cupy = backend.gpu_library()
except DeviceError as reason:
    pytest.skip(str(reason), allow_module_level=True)

pytestmark = pytest.mark.gpu
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-10}


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lengths", [None, np.array([20, 7, 1, 13])])
def test_layers(name, dtype, lengths, rng):
    x, dy = rng.standard_normal((20, 4, 8)).astype(dtype), rng.standard_normal((20, 4, 32)).astype(dtype)
    results = []
    for device in ("cpu", "gpu"):
        layer = Recurrent(name, 8, 16, 2, bidirectional=True, rng=0, dtype=dtype).to(device)
        X = Tensor(backend.to_device(x, device), requires_grad=True)
        output, _ = layer(X, lengths=lengths)
        assert output.dtype == dtype
        output.backward(backend.to_device(dy, device))
        results.append([backend.to_host(a) for a in (output.data, X.grad, *(p.grad for p in layer.parameters()))])
    tolerance = TOLERANCE[dtype] * (10 if name == "lstm-layer-norm" else 1)  # it divides by something small
    for on_cpu, on_gpu in zip(*results, strict=True):
        assert on_gpu.dtype == dtype
        scale = np.abs(on_cpu).max()
        np.testing.assert_allclose(on_gpu, on_cpu, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru-after"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("B", "H"), [(32, 256), (64, 512), (4, 8), (36, 64), (5, 7), (128, 1024)])
@pytest.mark.parametrize("padded", [False, True])
def test_kernels(name, dtype, B, H, padded, rng):
    x = cupy.asarray(rng.standard_normal((20, B, 16)).astype(dtype))
    dy = cupy.asarray(rng.standard_normal((20, B, 2 * H)).astype(dtype))
    lengths = rng.integers(0, 21, B) if padded else None
    results = []
    for wanted in (False, None):
        layer = Recurrent(name, 16, H, bidirectional=True, rng=0, dtype=dtype).to("gpu")
        use_kernels(wanted)
        try:
            w = SimpleNamespace(U=layer.U_l0.data)
            assert (walk.stand_in(layer.cell, w, x, 1, 20)[0] is cuda) == (wanted is None)
            X = Tensor(x, requires_grad=True)
            output, _ = layer(X, lengths=lengths)
            output.backward(dy)
        finally:
            use_kernels(None)
        results.append([backend.to_host(a) for a in (output.data, X.grad, *(p.grad for p in layer.parameters()))])
    for by_steps, in_kernels in zip(*results, strict=True):
        scale = np.abs(by_steps).max()
        np.testing.assert_allclose(in_kernels, by_steps, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_training(name, rng):
    ids = rng.integers(0, 30, (2, 20, 8))
    losses = {}
    for device in ("cpu", "gpu"):
        model = LanguageModel(30, 32, cell=name, embedding_size=16, dropout=0.2, rng=1, dtype=np.float64).to(device)
        optimizer = Adam(model.named_parameters(), 0.01)
        losses[device] = []
        for _ in range(5):
            logits, _ = model(ids[0])
            loss = cross_entropy(logits, ids[1])
            model.zero_grad()
            loss.backward()
            clip_grad_norm(model.parameters(), 1.0)
            optimizer.step()
            losses[device].append(loss.item())
    np.testing.assert_allclose(losses["gpu"], losses["cpu"], rtol=1e-9)
    assert losses["cpu"][-1] < losses["cpu"][0]


@pytest.mark.parametrize("score", SCORES)
def test_translation(score, rng):
    X, Y = [rng.integers(4, 30, n) for n in (9, 1, 5, 7)], [rng.integers(2, 30, n) for n in (3, 8, 1, 6)]
    results = []
    for device in ("cpu", "gpu"):
        options = {"cell": "lstm", "num_layers": 2, "embedding_dropout": 0.2, "rng": 0, "dtype": np.float64}
        encoder = RecurrentEncoder(30, 16, 16, bidirectional=True, **options)
        decoder = AttentionDecoder(
            30, 16, 32, 32, score=score, readout_size=16, input_feeding=True, tied=True, **options
        )
        model = EncoderDecoder(encoder, decoder, bridge="copy", dtype=np.float64).to(device)
        task = Translation(
            model, (X, Y), (X, Y), batch_size=4, rng=np.random.default_rng(1), label_smoothing=0.1,
            attention_penalty=0.1, teacher_forcing=lambda step: 1 - step / 4,
        )  # fmt: skip
        optimizer, losses = Adam(model.named_parameters(), 0.01), []
        (batch,) = task.batches(np.random.default_rng(2))
        for step in range(3):
            loss, _, _ = task.loss(batch, None, step)
            model.zero_grad()
            loss.backward()
            clip_grad_norm(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        found = beam_search(
            model.step, model.start(*batch[:2]), np.full(4, 1), beam_size=3, n_best=2, eos=2, max_length=6,
            attention=model.attention, coverage_penalty=0.1, source_lengths=batch[1],
        )  # fmt: skip
        hypotheses = [one for best in found for one in best]
        results.append((losses, task.nll(X, Y)[0], [h.score for h in hypotheses], [h.tokens for h in hypotheses]))
    (*on_cpu, texts), (*on_gpu, texts_on_gpu) = results
    assert texts == texts_on_gpu
    for a, b in zip(on_cpu, on_gpu, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9)


def test_the_timer_waits_for_the_work():
    a = cupy.ones((4000, 4000))
    a @ a
    with backend.Timer("gpu") as timer:
        a @ a
    assert timer.seconds > 2 * 4000**3 / 200e12  # faster than any GPU could
