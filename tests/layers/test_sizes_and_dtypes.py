"""What every layer and model is built from: sizes, which NumPy's integers are too, and one of two dtypes."""

import json

import numpy as np
import pytest

from minirnn import (
    GRU,
    LSTM,
    RNN,
    SCORES,
    AdaptiveSoftmax,
    Attention,
    AttentionDecoder,
    ClozeModel,
    ContextDecoder,
    Dropout,
    Embedding,
    EncoderDecoder,
    HandoverDecoder,
    InputError,
    LanguageModel,
    LayerNorm,
    Linear,
    PReLU,
    Recurrent,
    RecurrentEncoder,
    SequenceClassifier,
    Tensor,
)
from minirnn.inspection.bidirectional import NextToken
from minirnn.inspection.compare import remember_batches
from minirnn.models.encoders import BRIDGES
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster


def translator(bridge="learned", **options):
    encoder = RecurrentEncoder(5, 3, 4, rng=0)
    return EncoderDecoder(encoder, AttentionDecoder(5, 3, 4, 4, rng=0), bridge=bridge, rng=0, **options)


STACKED = ("input_size", "hidden_size", "num_layers")
CODER = ("vocabulary_size", "embedding_size", "hidden_size", "num_layers")
SIZED = {  # the builder, its sizes, and what else it must be given
    "Linear": (Linear, ("in_features", "out_features"), {}),
    "AdaptiveSoftmax": (AdaptiveSoftmax, ("in_features", "n_classes"), {"cutoffs": [1, 3]}),
    "Embedding": (Embedding, ("num_embeddings", "embedding_dim"), {}),
    "LayerNorm": (LayerNorm, ("features",), {}),
    "PReLU": (PReLU, ("num_parameters",), {}),
    "Recurrent": (Recurrent, STACKED, {"cell": "gru"}),
    "RNN": (RNN, STACKED, {}),
    "GRU": (GRU, STACKED, {}),
    "LSTM": (LSTM, STACKED, {}),
    "Attention": (Attention, ("query_size", "memory_size", "attention_size"), {"score": "additive"}),
    "LanguageModel": (LanguageModel, CODER, {}),
    "SequenceClassifier": (SequenceClassifier, (*CODER, "num_classes"), {}),
    "ClozeModel": (ClozeModel, ("vocabulary_size", "hidden_size", "embedding_size"), {}),
    "WindowForecaster": (WindowForecaster, ("window", "hidden_size"), {}),
    "RecurrentForecaster": (RecurrentForecaster, ("hidden_size",), {"cell": "gru"}),
    "RecurrentEncoder": (RecurrentEncoder, CODER, {}),
    "HandoverDecoder": (HandoverDecoder, (*CODER, "memory_size", "readout_size"), {}),
    "ContextDecoder": (ContextDecoder, (*CODER, "memory_size", "readout_size"), {}),
    "AttentionDecoder": (AttentionDecoder, (*CODER, "memory_size", "readout_size", "attention_size"), {}),
    "NextToken": (NextToken, ("vocabulary_size", "hidden_size"), {"bidirectional": True}),
}
OF_DTYPE = {
    **{name: lambda name=name, **options: built(name, **options) for name in SIZED},
    **{f"score {name}": lambda name=name, **options: Attention(name, 4, 4, 4, **options) for name in SCORES},
    **{f"bridge {name}": lambda name=name, **options: translator(name, **options) for name in BRIDGES},
    "lstm-layer-norm": lambda **options: Recurrent("lstm-layer-norm", 2, 3, **options),
    "rnn-prelu": lambda **options: Recurrent("rnn-prelu", 2, 3, **options),
    "orthogonal": lambda **options: GRU(2, 3, recurrent_init="orthogonal", **options),
}


def built(name, size=4, **options):
    build, sizes, rest = SIZED[name]
    return build(**dict.fromkeys(sizes, size) | rest | options)


@pytest.mark.parametrize("name", OF_DTYPE)
def test_only_float32_and_float64_are_dtypes_of_weights(name):
    for wrong in (int, np.float16, complex, bool, "text", None, np.int8):
        with pytest.raises(InputError, match="the dtype must be float32 or float64, not "):
            OF_DTYPE[name](dtype=wrong)
    for right in (np.float32, "float32", float, np.dtype("f8")):
        model = OF_DTYPE[name](dtype=right)
        drawn = model.bridge.parameters() if isinstance(model, EncoderDecoder) else model.parameters()
        assert {p.dtype for p in drawn} <= {np.dtype(right)}
        assert not drawn or max(abs(p.data).max() for p in drawn) > 0


@pytest.mark.parametrize("name", SIZED)
def test_sizes_are_integers_of_at_least_1(name):
    for size in SIZED[name][1]:
        for wrong in (0, -1, True, 4.0, "4", [4]):
            with pytest.raises(InputError, match=f"^{size} must be an integer of at least 1, not "):
                built(name, **{size: wrong})


@pytest.mark.parametrize("name", SIZED)
def test_sizes_of_numpy_give_the_same_model_and_can_be_written_as_json(name):
    seed = {} if name in ("LayerNorm", "PReLU") else {"rng": 0}
    ours, theirs = (built(name, size, **seed) for size in (4, np.int64(4)))
    for key, p in ours.named_parameters().items():
        np.testing.assert_array_equal(p.data, theirs.named_parameters()[key].data)
    layer = getattr(theirs, "recurrent", theirs)
    json.dumps({key: value for key, value in vars(layer).items() if key.endswith(("_size", "_layers", "warm_up"))})


def test_tied_embeddings_of_a_numpy_size_stay_float32():
    """np.int64(4) ** -0.5 is a float64, which would turn the product into one."""
    decoder = HandoverDecoder(
        np.int64(5), np.int64(4), np.int64(6), np.int64(4), readout_size=np.int64(4), tied=True, rng=0
    )
    assert {p.dtype for p in decoder.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("number", [np.float64(0.25), np.float32(0.25), np.array(0.25)])
def test_numbers_of_numpy_leave_the_dtype_alone(number):
    x = Tensor(np.ones((3, 2, 4), np.float32))
    for layer in (Dropout(number, rng=0), LayerNorm(4, epsilon=number), PReLU(init=number)):
        assert layer(x).dtype == np.float32
    for options in ({"dropout": number}, {"forget_bias": number}):
        y, state = GRU(4, 3, 2, rng=0, **options)(x)
        assert y.dtype == state.dtype == np.float32


def test_numbers_are_within_their_bounds():
    for p in (-0.1, 1.0, np.nan, np.inf, True, "0.5", None):
        for build in (Dropout, lambda p: GRU(2, 3, 2, dropout=p), lambda p: LanguageModel(4, 3, dropout=p)):
            with pytest.raises(InputError, match="the dropout probability must be a number of at least 0 and below 1"):
                build(p)
    assert Dropout(0.0).p == 0.0
    for epsilon in (0, -1e-5, np.nan, np.inf, True):
        with pytest.raises(InputError, match="epsilon must be a finite number above 0"):
            LayerNorm(4, epsilon)
    for wrong in (np.nan, np.inf, "1", True):
        with pytest.raises(InputError, match="init must be a finite number"):
            PReLU(init=wrong)
        with pytest.raises(InputError, match="forget_bias must be a finite number"):
            LSTM(2, 3, forget_bias=wrong)


def test_models_of_other_options_are_named():
    assert LanguageModel(5, 4).embedding is None
    assert AttentionDecoder(5, 3, 4, 6, attend="after", input_feeding=True).recurrent.input_size == 3 + 6
    with pytest.raises(InputError, match="readout_size must be an integer"):
        AttentionDecoder(5, 3, 4, 4, input_feeding=True, readout_size=0)
    assert AttentionDecoder(5, 3, 4, 4, attention_size=7).attention.score.w.shape == (7,)
    assert AttentionDecoder(5, 3, 4, 4).attention.score.w.shape == (4,)
    assert WindowForecaster(3).hidden is None
    with pytest.raises(InputError, match="unknown cell <class"):
        Recurrent(type(GRU(2, 3).cell), 2, 3)
    with pytest.raises(InputError, match=r"unknown cell \['gru'\]"):
        Recurrent(["gru"], 2, 3)


def test_generated_symbols_have_a_dtype_too():
    x, answers = next(remember_batches(np.random.default_rng(0), np.int64(3), np.int64(4), np.float64))
    assert (x.shape, x.dtype, answers.shape) == ((5, 3, 16), np.float64, (3,))
    for wrong in ({"dtype": int}, {"batch": 0}, {"delay": 0}):
        with pytest.raises(InputError, match="must be"):
            next(remember_batches(np.random.default_rng(0), **wrong))
