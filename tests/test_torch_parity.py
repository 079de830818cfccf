"""Against torch.nn, in float64: outputs, states, every gradient, optimisers. Skipped where torch is not installed."""

import numpy as np
import pytest

from minirnn import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    AdamW,
    AdaptiveSoftmax,
    AttentionDecoder,
    AvgPool2d,
    Conv2d,
    Embedding,
    EncoderDecoder,
    HandoverDecoder,
    InputError,
    LanguageModel,
    Linear,
    MaxPool2d,
    Parameter,
    RecurrentEncoder,
    ReLU,
    RMSProp,
    Sequential,
    Tensor,
    Translation,
    clip_grad_norm,
    functional,
)
from minirnn.training.sentences import shift_right

torch = pytest.importorskip("torch")

from benchmarks import torch_models as twins  # noqa: E402

LAYERS = {
    "rnn-tanh": (RNN, {}, torch.nn.RNN, {}),
    "rnn-relu": (RNN, {"nonlinearity": "relu"}, torch.nn.RNN, {"nonlinearity": "relu"}),
    "gru-after": (GRU, {"reset": "after"}, torch.nn.GRU, {}),
    "lstm": (LSTM, {}, torch.nn.LSTM, {}),
}
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def torch_gradients(layer, module):
    """torch's gradients, in our layout: b takes part in a sum of two biases, each of which receives its gradient."""
    gradients, ours = {name: p.grad.numpy() for name, p in layer.named_parameters()}, {}
    for _, suffix in module._suffixes():
        ours["W" + suffix], ours["U" + suffix] = gradients["weight_ih" + suffix], gradients["weight_hh" + suffix]
        ours["b" + suffix] = gradients["bias_ih" + suffix]
        if hasattr(module, "b_u" + suffix):
            ours["b_u" + suffix] = gradients["bias_hh" + suffix][2 * module.hidden_size :]
    return ours


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 2, 5, 1]])
def test_recurrent_layers(name, num_layers, bidirectional, lengths, rng):
    ours, options, theirs, torch_options = LAYERS[name]
    T, B, I, H = 7, 4, 3, 5
    torch.manual_seed(num_layers)
    layer = theirs(I, H, num_layers, bidirectional=bidirectional, **torch_options).double()
    module = ours(I, H, num_layers, bidirectional=bidirectional, dtype=np.float64, **options)
    module.load_torch(layer.state_dict())

    x = rng.standard_normal((T, B, I))
    states = [rng.standard_normal((num_layers * (1 + bidirectional), B, H)) for _ in range(1 + (name == "lstm"))]
    tx, ts = torch.tensor(x, requires_grad=True), [torch.tensor(s, requires_grad=True) for s in states]
    packed = tx if lengths is None else torch.nn.utils.rnn.pack_padded_sequence(tx, lengths, enforce_sorted=False)
    expected, expected_state = layer(packed, tuple(ts) if len(ts) == 2 else ts[0])
    if lengths is not None:
        expected, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, total_length=T)
    expected_state = expected_state if isinstance(expected_state, tuple) else (expected_state,)

    X, S = Tensor(x, requires_grad=True), [Tensor(s, requires_grad=True) for s in states]
    output, state = module(X, tuple(S) if len(S) == 2 else S[0], None if lengths is None else np.array(lengths))
    state = state if isinstance(state, tuple) else (state,)
    np.testing.assert_allclose(output.data, expected.detach().numpy(), **CLOSE)
    for s, e in zip(state, expected_state, strict=True):
        np.testing.assert_allclose(s.data, e.detach().numpy(), **CLOSE)

    cotangents = [rng.standard_normal(y.shape) for y in (output, *state)]
    sum((y * torch.tensor(c)).sum() for y, c in zip((expected, *expected_state), cotangents, strict=True)).backward()
    sum((y * c).sum() for y, c in zip((output, *state), cotangents, strict=True)).backward()
    np.testing.assert_allclose(X.grad, tx.grad.numpy(), **CLOSE)
    for s, e in zip(S, ts, strict=True):
        np.testing.assert_allclose(s.grad, e.grad.numpy(), **CLOSE)
    expected_gradients = torch_gradients(layer, module)
    assert set(expected_gradients) == set(module.named_parameters())
    for key, p in module.named_parameters().items():
        np.testing.assert_allclose(p.grad, expected_gradients[key], err_msg=key, **CLOSE)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_go_to_torch_and_back(name, rng):
    ours, options, theirs, torch_options = LAYERS[name]
    module = ours(3, 4, 2, bidirectional=True, rng=rng, dtype=np.float64, **options)
    layer = theirs(3, 4, 2, bidirectional=True, **torch_options).double()
    layer.load_state_dict({key: torch.from_numpy(value) for key, value in module.to_torch().items()})
    x = rng.standard_normal((5, 2, 3))
    np.testing.assert_allclose(module(Tensor(x))[0].data, layer(torch.tensor(x))[0].detach().numpy(), **CLOSE)
    copy = ours(3, 4, 2, bidirectional=True, rng=1, dtype=np.float64, **options)
    copy.load_torch(layer.state_dict())
    for key, value in module.state_dict().items():
        np.testing.assert_array_equal(value, copy.state_dict()[key])


def test_what_torch_does_not_have_is_refused():
    for layer in (GRU(2, 3, reset="before"), LSTM(2, 3, peepholes=True)):
        with pytest.raises(InputError, match=r"torch.nn has no"):
            layer.to_torch()
        with pytest.raises(InputError, match=r"torch.nn has no"):
            layer.load_torch({})
    with pytest.raises(InputError, match="missing parameters: bias_hh_l0"):
        LSTM(2, 3).load_torch({})


def test_linear_and_embedding(rng):
    for ours, theirs, x in (
        (Linear(3, 2, dtype=np.float64), torch.nn.Linear(3, 2), rng.standard_normal((4, 5, 3))),
        (Embedding(6, 2, dtype=np.float64), torch.nn.Embedding(6, 2), rng.integers(0, 6, (4, 5))),
    ):
        theirs.double()
        ours.load_torch(theirs.state_dict())
        y, expected = ours(x if x.dtype.kind == "i" else Tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(y.data, expected.detach().numpy(), **CLOSE)
        (y * y).sum().backward()
        (expected * expected).sum().backward()
        for key, p in theirs.named_parameters():
            np.testing.assert_allclose(getattr(ours, key).grad, p.grad.numpy(), **CLOSE)
        theirs.load_state_dict({key: torch.from_numpy(value) for key, value in ours.to_torch().items()})


def test_a_whole_model_under_the_names_of_its_parts():
    weights = LanguageModel(5, 3, embedding_size=2).to_torch()
    assert set(weights) == {
        "embedding.weight", "output.weight", "output.bias",
        *(f"recurrent.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    }  # fmt: skip
    other = LanguageModel(5, 3, embedding_size=2, rng=1)
    other.load_torch(weights)
    np.testing.assert_array_equal(other.to_torch()["recurrent.bias_ih_l0"], weights["recurrent.bias_ih_l0"])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("ignore_index", [2, -100])
def test_cross_entropy(reduction, label_smoothing, ignore_index, rng):
    logits, targets = rng.standard_normal((6, 5)), np.array([0, 4, 2, 2, 1, 3])
    z, tz = Tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    loss = functional.cross_entropy(z, targets, **options)
    expected = torch.nn.functional.cross_entropy(tz, torch.tensor(targets), **options)
    np.testing.assert_allclose(loss.data, expected.detach().numpy(), **CLOSE)
    loss.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(z.grad, tz.grad.numpy(), **CLOSE)


@pytest.mark.parametrize("head_bias", [True, False])
@pytest.mark.parametrize("targets", [[0, 29, 4, 5, 14, 15, 2], [20, 29, 15, 20, 16, 22, 19], [0, 3, 2, 0, 1, 1, 4]])
def test_adaptive_softmax(head_bias, targets, rng):
    options = {"cutoffs": [5, 10, 15], "div_value": 2.0, "head_bias": head_bias}
    ours = AdaptiveSoftmax(8, 30, **options, dtype=np.float64)
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 30, **options).double()
    ours.load_torch(theirs.state_dict())
    data = rng.standard_normal((7, 8))
    x, tx = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    np.testing.assert_allclose(ours(x).data, theirs.log_prob(tx).detach().numpy(), **CLOSE)
    loss, expected = ours.loss(x, np.array(targets)), theirs(tx, torch.tensor(targets)).loss
    np.testing.assert_allclose(loss.data, expected.detach().numpy(), **CLOSE)
    loss.backward()
    expected.backward()
    np.testing.assert_allclose(x.grad, tx.grad.numpy(), **CLOSE)
    for key, p in theirs.named_parameters():
        gradient = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
        np.testing.assert_allclose(ours.named_parameters()[key].grad, gradient, **CLOSE)
    theirs.load_state_dict({key: torch.from_numpy(value) for key, value in ours.to_torch().items()})


def attention_and_its_twin():
    encoder = RecurrentEncoder(7, 3, 4, cell="gru-after", bidirectional=True, rng=0, dtype=np.float64)
    decoder = AttentionDecoder(6, 3, 4, 8, cell="gru-after", rng=1, dtype=np.float64)
    return EncoderDecoder(encoder, decoder, rng=2, dtype=np.float64), twins.AttentionTwin(7, 6, 3, 4)


def handover_and_its_twin():
    options = {"cell": "lstm", "num_layers": 2, "dtype": np.float64}
    encoder = RecurrentEncoder(7, 3, 4, rng=0, **options)
    decoder = HandoverDecoder(6, 3, 4, 4, deep_output=False, rng=1, **options)
    return EncoderDecoder(encoder, decoder, bridge="copy", dtype=np.float64), twins.HandoverTwin(7, 6, 3, 4, 2)


@pytest.mark.parametrize("make", [attention_and_its_twin, handover_and_its_twin])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("X_lengths", "Y_lengths"), [([5, 1, 3], [2, 4, 1]), ([3, 3, 3], [2, 2, 2]), ([1], [1])])
def test_translation_models(make, label_smoothing, X_lengths, Y_lengths, rng):
    model, twin = make()
    twin.double()
    twins.copy_weights(model, twin)
    X_lengths, Y_lengths = np.array(X_lengths), np.array(Y_lengths)
    X = rng.integers(0, 7, (max(X_lengths), len(X_lengths)))
    Y = rng.integers(0, 6, (max(Y_lengths), len(Y_lengths)))
    batch = X, X_lengths, Y, Y_lengths
    task = Translation(model, ([X], [Y]), ([], []), batch_size=1, rng=rng, label_smoothing=label_smoothing)
    loss, expected = task.loss(batch, None, 0)[0], twins.twin_loss(twin, batch, shift_right(Y), label_smoothing)
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-10)
    loss.backward()
    expected.backward()
    gradients = {name: p.grad.numpy() for name, p in twin.named_parameters() if ".recurrent." not in name}
    for side in ("encoder", "decoder"):
        layers = getattr(twin, side).recurrent, getattr(model, side).recurrent
        gradients |= {f"{side}.recurrent.{name}": g for name, g in torch_gradients(*layers).items()}
    assert set(gradients) == set(model.named_parameters())
    for name, p in model.named_parameters().items():
        np.testing.assert_allclose(p.grad, gradients[name], err_msg=name, **CLOSE)


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (SGD, torch.optim.SGD, {}),
        (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
        (RMSProp, torch.optim.RMSprop, {"weight_decay": 0.1}),
        (Adam, torch.optim.Adam, {"weight_decay": 0.1}),
        (AdamW, torch.optim.AdamW, {"weight_decay": 0.1}),
    ],
)
def test_optimizers(ours, theirs, options, rng):
    start = rng.standard_normal((2, 3, 4))
    parameters = {str(i): Parameter(a.copy()) for i, a in enumerate(start)}
    torch_parameters = [torch.nn.Parameter(torch.tensor(a)) for a in start]
    optimizer, torch_optimizer = ours(parameters, 0.05, **options), theirs(torch_parameters, 0.05, **options)
    for _ in range(5):
        gradients = rng.standard_normal((2, 3, 4)) * 3
        for p, tp, g in zip(parameters.values(), torch_parameters, gradients, strict=True):
            p.grad, tp.grad = g.copy(), torch.tensor(g)
        optimizer.step()
        torch_optimizer.step()
        for p, tp in zip(parameters.values(), torch_parameters, strict=True):
            np.testing.assert_allclose(p.data, tp.detach().numpy(), **CLOSE)


@pytest.mark.parametrize("max_norm", [2.0, 100.0])
def test_clipping(max_norm, rng):
    gradients = rng.standard_normal((2, 3, 4)) * 3
    parameters = [Parameter(np.zeros((3, 4))) for _ in gradients]
    torch_parameters = [torch.nn.Parameter(torch.zeros(3, 4)) for _ in gradients]
    for p, tp, g in zip(parameters, torch_parameters, gradients, strict=True):
        p.grad, tp.grad = g.copy(), torch.tensor(g).float()
    norm = clip_grad_norm(parameters, max_norm)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(torch_parameters, max_norm).item(), rel=1e-6)
    for p, tp in zip(parameters, torch_parameters, strict=True):
        np.testing.assert_allclose(p.grad, tp.grad.numpy(), rtol=2e-6)  # torch divides by the norm + 1e-6


def test_convolution_and_pooling(rng):
    ours = Sequential(
        Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1, dtype=np.float64), ReLU(), MaxPool2d(3, stride=2, padding=1),
        Conv2d(4, 3, 3, padding=(2, 1), dtype=np.float64), AvgPool2d(2, padding=1),
    )  # fmt: skip
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2, 1),
        torch.nn.Conv2d(4, 3, 3, padding=(2, 1)), torch.nn.AvgPool2d(2, padding=1),
    ).double()  # fmt: skip
    ours.load_torch(theirs.state_dict())
    x = rng.standard_normal((3, 2, 11, 9))
    X, their_x = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, expected = ours(X), theirs(their_x)
    np.testing.assert_allclose(y.data, expected.detach().numpy(), **CLOSE)
    (y * y).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(X.grad, their_x.grad.numpy(), **CLOSE)
    for name, p in theirs.named_parameters():
        np.testing.assert_allclose(ours.named_parameters()[name].grad, p.grad.numpy(), **CLOSE)
    theirs.load_state_dict({key: torch.from_numpy(value) for key, value in ours.to_torch().items()})
