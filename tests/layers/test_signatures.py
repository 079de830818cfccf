"""Signatures say what can be given: the keywords that a class hands on, and the words that an argument may be."""

import inspect
from typing import get_args, get_type_hints

import numpy as np
import pytest

import minirnn
from minirnn import GRU, LSTM, RNN, Attention, InputError, Recurrent, Tensor
from minirnn.autograd.activations import ACTIVATIONS
from minirnn.layers.named_recurrent import Nonlinearity, Reset
from minirnn.layers.recurrent import RecurrentOptions
from minirnn.metrics.bleu import SMOOTHINGS, Smoothing
from minirnn.models import AttentionDecoder, CopyingDecoder
from minirnn.models.decoder_options import AttentionOptions, DecoderOptions
from minirnn.models.decoders import Decoder

PUBLIC = {name: getattr(minirnn, name) for name in minirnn.__all__}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}


def keywords(function):
    """The keyword-only arguments of a function, with their types."""
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    return {p.name: hints[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}


def test_the_options_that_recurrent_layers_share_are_those_of_recurrent():
    assert keywords(Recurrent.__init__) == get_type_hints(RecurrentOptions)


def test_the_options_that_decoders_share_are_those_of_their_bases():
    known, of_each = keywords(Decoder.__init__), {"rng", "dtype"}
    assert {name: kind for name, kind in known.items() if name not in of_each} == get_type_hints(DecoderOptions)
    own = {name: kind for name, kind in keywords(AttentionDecoder.__init__).items() if name not in of_each}
    assert own.pop("normalize") == keywords(CopyingDecoder.__init__)["normalize"]
    assert {**own, **get_type_hints(DecoderOptions)} == get_type_hints(AttentionOptions)


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_every_shared_option_is_documented_and_arrives(kind):
    assert not [name for name in RecurrentOptions.__annotations__ if name not in kind.__doc__]
    layer = kind(2, 3, 2, bidirectional=True, dropout=0.5, variational=True, rng=0, dtype=np.float64)
    assert (layer.bidirectional, layer.dropout.p, layer.dropout.variational) == (True, 0.5, True)
    assert layer.U_l0.dtype == np.float64


@pytest.mark.parametrize("name", CLASSES)
def test_no_constructor_takes_what_it_does_not_name(name):
    for p in inspect.signature(CLASSES[name].__init__).parameters.values():
        unknown = p.kind is p.VAR_KEYWORD and not str(p.annotation).startswith("Unpack[")
        # Exceptions and named tuples inherit theirs.
        assert not unknown or CLASSES[name].__init__ is object.__init__ or issubclass(CLASSES[name], Exception)


def test_every_word_that_is_named_is_taken():
    assert set(get_args(Nonlinearity)) == {"tanh", "prelu", "rrelu", *ACTIVATIONS}
    for nonlinearity in get_args(Nonlinearity):
        RNN(2, 3, nonlinearity=nonlinearity)
    for reset in get_args(Reset):
        GRU(2, 3, reset=reset)
    with pytest.raises(InputError):
        GRU(2, 3, reset="behind")
    assert set(get_args(Smoothing)) == set(SMOOTHINGS)


@pytest.mark.parametrize("score", minirnn.SCORES)
def test_before_the_first_step_attention_has_looked_nowhere(score, rng):
    attention = Attention(score, 4, 4, 4, rng=0)
    memory = attention.remember(Tensor(rng.standard_normal((5, 2, 4)).astype(np.float32)), [5, 3])
    query = Tensor(rng.standard_normal((2, 4)).astype(np.float32))
    without = attention(query, memory)
    for found, expected in zip(without, attention(query, memory, Tensor(np.zeros((2, 5), np.float32))), strict=True):
        np.testing.assert_array_equal(found, expected)
