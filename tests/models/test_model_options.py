"""What the options of the models do: shapes, first values, and where dropout is."""

from functools import partial

import numpy as np
import pytest

from minirnn import (
    AttentionDecoder,
    ClozeModel,
    ContextDecoder,
    HandoverDecoder,
    LanguageModel,
    RecurrentEncoder,
    SequenceClassifier,
    Tensor,
)
from minirnn.layers import Dropout
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster

MODELS = {
    "language model": partial(LanguageModel, 7, 5),
    "language model, embedding": partial(LanguageModel, 7, 5, embedding_size=3),
    "language model, adaptive softmax": partial(LanguageModel, 7, 5, softmax="adaptive", cutoffs=[2, 4]),
    "classifier": partial(SequenceClassifier, 7, 3, 5),
    "cloze": partial(ClozeModel, 7, 5),
    "encoder": partial(RecurrentEncoder, 7, 3, 5),
    "handover": partial(HandoverDecoder, 7, 3, 5, 4),
    "context": partial(ContextDecoder, 7, 3, 5, 4),
    "attention": partial(AttentionDecoder, 7, 3, 5, 4),
    "forecaster": partial(RecurrentForecaster, "lstm", 5),
}
PLAIN = {**MODELS, "linear": partial(WindowForecaster, 4), "window": partial(WindowForecaster, 4, 5)}

# The shapes of W, U and b of one layer, and of what stands before and after it, of the models as they come.
SHAPES = {
    "language model": {
        "recurrent.W_l0": (20, 7), "recurrent.U_l0": (20, 5), "recurrent.b_l0": (20,),
        "output.weight": (7, 5), "output.bias": (7,),
    },
    "language model, embedding": {
        "embedding.weight": (7, 3), "recurrent.W_l0": (20, 3), "recurrent.U_l0": (20, 5), "recurrent.b_l0": (20,),
        "output.weight": (7, 5), "output.bias": (7,),
    },
    "language model, adaptive softmax": {
        "recurrent.W_l0": (20, 7), "recurrent.U_l0": (20, 5), "recurrent.b_l0": (20,),
        "output.head.weight": (4, 5), "output.head.bias": (4,),
        "output.tail.0.0.weight": (1, 5), "output.tail.0.1.weight": (2, 1),
        "output.tail.1.0.weight": (1, 5), "output.tail.1.1.weight": (3, 1),
    },
    "classifier": {
        "embedding.weight": (7, 32), "recurrent.W_l0": (15, 32), "recurrent.U_l0": (15, 5), "recurrent.b_l0": (15,),
        "recurrent.W_l0_reverse": (15, 32), "recurrent.U_l0_reverse": (15, 5), "recurrent.b_l0_reverse": (15,),
        "output.weight": (3, 10), "output.bias": (3,),
    },
    "cloze": {
        "embedding.weight": (7, 32),
        **{f"{side}.{w}_l0": shape for side in ("left", "right")
           for w, shape in {"W": (15, 32), "U": (15, 5), "b": (15,)}.items()},
        "output.weight": (7, 10), "output.bias": (7,),
    },
    "encoder": {
        "embedding.weight": (7, 3), "recurrent.W_l0": (15, 3), "recurrent.U_l0": (15, 5), "recurrent.b_l0": (15,),
    },
    "handover": {
        "embedding.weight": (7, 3), "recurrent.W_l0": (15, 3), "recurrent.U_l0": (15, 5), "recurrent.b_l0": (15,),
        "output.weight": (7, 8), "output.bias": (7,),
    },
    "context": {
        "embedding.weight": (7, 3), "recurrent.W_l0": (15, 7), "recurrent.U_l0": (15, 5), "recurrent.b_l0": (15,),
        "output.weight": (7, 12), "output.bias": (7,),
    },
    "attention": {
        "embedding.weight": (7, 3), "recurrent.W_l0": (15, 7), "recurrent.U_l0": (15, 5), "recurrent.b_l0": (15,),
        "output.weight": (7, 12), "output.bias": (7,), "attention.score.w": (5,),
        "attention.score.query.weight": (5, 5), "attention.score.key.weight": (5, 4), "attention.score.key.bias": (5,),
    },
    "forecaster": {
        "recurrent.W_l0": (20, 1), "recurrent.U_l0": (20, 5), "recurrent.b_l0": (20,),
        "output.weight": (1, 5), "output.bias": (1,),
    },
    "linear": {"output.weight": (1, 4), "output.bias": (1,)},
    "window": {"hidden.weight": (5, 4), "hidden.bias": (5,), "output.weight": (1, 5), "output.bias": (1,)},
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_as_it_comes(name):
    model = PLAIN[name]()
    assert {key: p.shape for key, p in model.named_parameters().items()} == SHAPES[name]
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert {p.dtype for p in PLAIN[name](dtype=np.float64).parameters()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("name", PLAIN)
def test_the_first_weights_are_drawn_from_the_generator(name):
    one, same, other = (PLAIN[name](rng=seed).state_dict() for seed in (3, np.random.default_rng(3), 4))
    for key, array in one.items():
        np.testing.assert_array_equal(array, same[key])
        assert not np.array_equal(array, other[key])
        for further, another in one.items():
            if further != key and array.size == another.size > 3:  # one stream for all, not one like another
                assert not np.array_equal(array.ravel(), another.ravel())


DROPPING = {name: make for name, make in MODELS.items() if name != "forecaster"}


@pytest.mark.parametrize("name", MODELS)
def test_the_memory_at_first(name):
    cell = {} if name == "forecaster" else {"cell": "lstm"}
    biases = lambda model: [p.data for key, p in model.named_parameters().items() if key.split(".")[-1][:2] == "b_"]
    for b in biases(MODELS[name](forget_bias=2.5, **cell)):
        np.testing.assert_array_equal(b[5:10], 2.5)
    for b in biases(MODELS[name](chrono=20, **cell)):
        np.testing.assert_array_equal(b[:5], -b[5:10])
        assert (b[5:10] >= 0).all()
        assert (b[5:10] <= np.log(19)).all()
    for b in biases(MODELS[name](**cell)):
        assert (abs(b) <= 5**-0.5).all()


@pytest.mark.parametrize("name", [name for name in DROPPING if name != "cloze"])
def test_layers_are_stacked(name):
    one, two = DROPPING[name](cell="rnn"), DROPPING[name](cell="rnn", num_layers=2)
    assert {key for key in two.named_parameters() if "_l1" in key}
    assert not {key for key in one.named_parameters() if "_l1" in key}
    assert (one.recurrent.num_layers, two.recurrent.num_layers) == (1, 2)


@pytest.fixture
def met(monkeypatch):
    """The probability and the shape of what each dropout meets, in order."""
    found = []
    monkeypatch.setattr(Dropout, "forward", lambda self, x: found.append((self.p, self.variational, x.shape)) or x)
    return found


IDS, LENGTHS = np.array([[1, 2], [3, 4], [5, 6]]), np.array([3, 2])


def test_dropout_of_a_language_model(met):
    LanguageModel(7, 5, embedding_size=4, num_layers=2, dropout=0.3)(IDS)
    assert met == [(0.3, False, (3, 2, 4)), (0.3, False, (3, 2, 5)), (0.3, False, (3, 2, 5))]
    met.clear()
    LanguageModel(7, 5, dropout=0.3, variational=True)(IDS)  # one-hot vectors are not dropped
    assert met == [(0.3, True, (3, 2, 5))]
    met.clear()
    LanguageModel(7, 5, embedding_size=4, num_layers=2)(IDS)
    assert {p for p, _, _ in met} == {0.0}


def test_dropout_of_a_classifier(met):
    SequenceClassifier(7, 3, 5, num_layers=2, embedding_size=4, dropout=0.3)(IDS, LENGTHS)
    assert met == [(0.3, False, (3, 2, 4)), (0.3, False, (3, 2, 10)), (0.3, False, (2, 10))]
    met.clear()
    SequenceClassifier(7, 3, 5)(IDS, LENGTHS)
    assert {p for p, _, _ in met} == {0.0}


def test_dropout_of_a_cloze_model(met):
    ClozeModel(7, 5, embedding_size=4, dropout=0.3)(IDS)
    assert met == [(0.3, False, (3, 2, 4)), (0.3, False, (3, 2, 10))]
    met.clear()
    ClozeModel(7, 5)(IDS)
    assert {p for p, _, _ in met} == {0.0}


def test_dropout_of_encoder_and_decoder(met):
    options = {"num_layers": 2, "dropout": 0.1, "embedding_dropout": 0.2, "output_dropout": 0.3}
    encoding = RecurrentEncoder(7, 4, 5, **options)(IDS, LENGTHS)
    assert met == [(0.2, False, (3, 2, 4)), (0.1, False, (3, 2, 5)), (0.3, False, (3, 2, 5))]
    hidden = (Tensor(np.zeros((2, 2, 6), np.float32)),)
    for make, width in ((HandoverDecoder, 10), (ContextDecoder, 15), (AttentionDecoder, 15)):
        met.clear()
        decoder = make(7, 4, 6, 5, **options)
        decoded = decoder(IDS, decoder.start(encoding, hidden))
        decoder.logits(decoded.features)
        steps = [(0.1, False, (2, 6))] * 3 if make is AttentionDecoder else [(0.1, False, (3, 2, 6))]
        assert met == [(0.2, False, (3, 2, 4)), *steps, (0.3, False, (3, 2, width))]
        plain = make(7, 4, 6, 5)
        assert {d.p for d in (plain.recurrent.dropout, plain.embedding_dropout, plain.output_dropout)} == {0.0}
    plain = RecurrentEncoder(7, 4, 5)
    assert {d.p for d in (plain.recurrent.dropout, plain.embedding_dropout, plain.output_dropout)} == {0.0}


@pytest.mark.parametrize("name", DROPPING)
def test_dropout_draws_from_the_models_generator(name):
    rng = np.random.default_rng(0)
    model = DROPPING[name](rng=rng)
    modules = [model, *model.children()]
    dropouts = [d for module in modules for d in module.children() if isinstance(d, Dropout)]
    assert len(dropouts) >= 2
    assert all(d.rng is rng for d in dropouts)


def test_orthogonal_weights_of_a_language_model():
    U = LanguageModel(7, 5, cell="rnn", recurrent_init="orthogonal", dtype=np.float64, rng=0).recurrent.U_l0.data
    np.testing.assert_allclose(U @ U.T, np.eye(5), atol=1e-12)
    U = LanguageModel(7, 5, cell="rnn", dtype=np.float64, rng=0).recurrent.U_l0.data
    assert abs(U @ U.T - np.eye(5)).max() > 0.1


def test_a_language_model_scores_what_its_layer_says(rng):
    for size in (None, 4):
        model = LanguageModel(7, 5, embedding_size=size, rng=0, dtype=np.float64)
        state = tuple(Tensor(rng.standard_normal((1, 2, 5))) for _ in range(2))
        x = np.eye(7)[IDS] if size is None else model.embedding.weight.data[IDS]
        h, after = model.recurrent(Tensor(x), state, LENGTHS)
        logits, (h_after, c_after) = model(IDS, state, LENGTHS)
        expected = h.data @ model.output.weight.data.T + model.output.bias.data
        np.testing.assert_allclose(logits.data, expected, rtol=0, atol=1e-14)
        np.testing.assert_array_equal(h_after.data, after[0].data)
        np.testing.assert_array_equal(c_after.data, after[1].data)
        log_probs, stepped = model.step(IDS[0], state)
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=1e-12)
        single = logits.data[0] - np.log(np.exp(logits.data[0]).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(log_probs, single, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(model.recurrent(Tensor(x[:1]), state)[1][1].data, stepped[1].data)
        assert not stepped[0].requires_grad


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [True, False])
def test_a_classifier_looks_at_the_end_of_each_direction_or_at_the_mean(both, layers):
    for pooling in ("last", "mean"):
        model = SequenceClassifier(
            7, 3, 4, cell="lstm", num_layers=layers, bidirectional=both, pooling=pooling, rng=0, dtype=np.float64
        )
        output = model.recurrent(model.embedding(IDS), None, LENGTHS)[0].data
        for b, n in enumerate(LENGTHS):
            ends = np.concatenate([output[n - 1, b, :4], output[0, b, 4:]])
            summary = ends if pooling == "last" else output[:n, b].mean(axis=0)
            expected = model.output.weight.data @ summary + model.output.bias.data
            np.testing.assert_allclose(model(IDS, LENGTHS).data[b], expected, rtol=0, atol=1e-14)
            log_probs = expected - np.log(np.exp(expected).sum())
            np.testing.assert_allclose(model.log_probs(IDS, LENGTHS)[b], log_probs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sides", ["left", "right", "both"])
def test_a_cloze_model_reads_up_to_the_blank_and_down_to_it(sides):
    model = ClozeModel(7, 4, sides=sides, rng=0, dtype=np.float64)
    x, zero = model.embedding(IDS), np.zeros((1, 2, 4))
    contexts = []
    if sides != "right":
        contexts.append(np.concatenate([zero, model.left(x)[0].data[:-1]]))
    if sides != "left":
        contexts.append(np.concatenate([model.right(x)[0].data[1:], zero]))
    expected = np.concatenate(contexts, axis=-1) @ model.output.weight.data.T + model.output.bias.data
    np.testing.assert_allclose(model(IDS).data, expected, rtol=0, atol=1e-14)
    assert (model.left is None, model.right is None) == (sides == "right", sides == "left")
