"""Models at their edges: batches of nothing, no lengths, no steps, and arguments that are something else."""

import numpy as np
import pytest

from minirnn import (
    AttentionDecoder,
    ClozeModel,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    InputError,
    LanguageModel,
    NGram,
    RecurrentEncoder,
    SequenceClassifier,
    Tensor,
)
from minirnn.models.classifier import POOLINGS
from minirnn.models.encoders import BRIDGES
from minirnn.models.forecasting import RecurrentForecaster, WindowForecaster, k_steps_ahead

DECODERS = (AttentionDecoder, ContextDecoder, HandoverDecoder)
IDS = np.ones((5, 3), int)
TARGETS = np.ones((4, 3), int)


def translator(decoder, bridge="learned"):
    return EncoderDecoder(RecurrentEncoder(10, 4, 6, rng=0), decoder(12, 4, 6, 6, rng=0), bridge=bridge, rng=0)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("bridge", BRIDGES)
def test_an_empty_batch_is_translated_forward_and_back(decoder, bridge):
    if decoder is HandoverDecoder and bridge in ("zero", "z0"):
        return  # which would never see the source
    model = translator(decoder, bridge)
    decoded = model(IDS[:, :0], np.zeros(0, int), TARGETS[:, :0])
    logits = model.decoder.logits(decoded.features)
    assert logits.shape == (4, 0, 12)
    assert decoder is not AttentionDecoder or decoded.attention.shape == (4, 0, 5)
    logits.sum().backward()
    assert all((p.grad == 0).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("decoder", DECODERS)
def test_no_lengths_mean_no_padding(decoder):
    model = translator(decoder)
    expected, found = model(IDS, np.full(3, 5), TARGETS), model(IDS, None, TARGETS)
    np.testing.assert_array_equal(found.features.data, expected.features.data)
    for wrong in ([5, 5], [5, 5, 6], [-1, 5, 5], [5.0, 5.0, 5.0]):
        with pytest.raises(InputError, match="lengths must be"):
            model(IDS, wrong, TARGETS)


@pytest.mark.parametrize("decoder", DECODERS)
def test_there_are_target_steps_and_a_batch(decoder):
    model = translator(decoder)
    for wrong in (TARGETS[:0], TARGETS[0], TARGETS[None]):
        with pytest.raises(InputError, match=r"expected target ids of shape \(time, batch\) with time > 0, not \("):
            model(IDS, None, wrong)
    with pytest.raises(InputError, match="expected target ids of 3 sentences, not of 2"):
        model(IDS, None, TARGETS[:, :2])
    with pytest.raises(InputError, match="time > 0"):
        model(IDS[:0], None, TARGETS)


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_coins_of_scheduled_sampling_are_one_for_each_target(decoder):
    model = translator(decoder)
    plain = model(IDS, None, TARGETS).features.data
    for none_own in (np.zeros((4, 3), bool), [[True] * 3] + [[False] * 3] * 3):
        np.testing.assert_array_equal(model(IDS, None, TARGETS, none_own).features.data, plain)
    assert model(IDS, None, TARGETS.tolist(), np.ones((4, 3), bool)).features.shape == plain.shape
    for wrong in (np.ones((3, 3), bool), np.ones((4, 2), bool), np.ones((4, 3)), True):
        with pytest.raises(InputError, match=r"own must be booleans of shape \(4, 3\), as the inputs are, not "):
            model(IDS, None, TARGETS, wrong)


def test_encoder_and_decoder_fit_together():
    encoder = RecurrentEncoder(10, 4, 6, rng=0)
    for decoder in (AttentionDecoder, ContextDecoder):
        with pytest.raises(InputError, match="outputs have 6 features, but the decoder expects memory_size = 5"):
            EncoderDecoder(encoder, decoder(12, 4, 6, 5, rng=0))
    assert EncoderDecoder(encoder, HandoverDecoder(12, 4, 6, 5, rng=0))(IDS, None, TARGETS).features.shape[0] == 4


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_classifier_reads_at_least_a_step(pooling):
    model = SequenceClassifier(10, 2, 4, pooling=pooling, rng=0, dtype=np.float64)
    assert np.isfinite(model.log_probs(IDS, [1, 5, 1])).all()
    np.testing.assert_array_equal(model(IDS, None).data, model(IDS, np.full(3, 5)).data)
    for wrong in ([0, 5, 5], [5, 5, 0], [6, 5, 5], [-1, 1, 1]):
        with pytest.raises(InputError, match="lengths must be between 1 and 5 steps"):
            model(IDS, wrong)
    with pytest.raises(InputError, match="lengths must be 3 integers"):
        model(IDS, [5, 5])
    with pytest.raises(InputError, match=r"expected ids of shape \(time, batch\), not \(5,\)"):
        model(IDS[:, 0], [5])
    logits = model(IDS[:, :0], [])
    assert logits.shape == (0, 2)
    logits.sum().backward()


@pytest.mark.parametrize(
    "read",
    [
        lambda ids: LanguageModel(10, 4, rng=0)(ids),
        lambda ids: LanguageModel(10, 4, embedding_size=3, rng=0)(ids),
        lambda ids: ClozeModel(10, 4, rng=0)(ids),
        lambda ids: SequenceClassifier(10, 2, 4, rng=0)(ids, None),
        lambda ids: RecurrentEncoder(10, 4, 6, rng=0)(ids, None),
        lambda ids: translator(AttentionDecoder)(IDS, None, ids),
        lambda ids: translator(ContextDecoder)(ids, None, TARGETS, np.ones((4, 3), bool)),
    ],
)
def test_ids_are_integers(read):
    read(IDS)
    read(IDS.tolist())
    with pytest.raises(TypeError, match=r"ids must be an integer array, not minirnn.*Tensor"):
        read(Tensor(IDS))
    with pytest.raises(InputError, match="ids must be integers, not float64"):
        read(IDS.astype(float))
    with pytest.raises(InputError, match="id 99 is out of range"):
        read(np.full_like(IDS, 99))


def test_a_language_model_takes_a_batch_of_nothing_and_a_state_of_tensors():
    model = LanguageModel(10, 4, cell="gru", rng=0)
    logits, state = model(IDS[:, :0])
    assert (logits.shape, state.shape) == ((5, 0, 10), (1, 0, 4))
    with pytest.raises(TypeError, match="expected a Tensor, not ndarray"):
        model(IDS, np.zeros((1, 3, 4), np.float32))


def test_forecasters_take_series_side_by_side():
    for model, fewest in ((WindowForecaster(3, rng=0), 3), (RecurrentForecaster("gru", 4, rng=0), 1)):
        x = Tensor(np.ones((5, 2), np.float32))
        assert model(x[:fewest]).shape == (1, 2)
        assert model(x[:, :0]).shape == (6 - fewest, 0)
        for wrong in (x[: fewest - 1], x[0], x[None]):
            with pytest.raises(InputError, match=rf"expected series of shape \(time, batch\) with time >= {fewest}"):
                model(wrong)
        with pytest.raises(TypeError, match="expected a Tensor, not ndarray"):
            model(x.data)
        assert k_steps_ahead(model, x.data[:, 0], np.int64(2)).shape == (2, 5)
        assert np.isnan(k_steps_ahead(model, x.data[:fewest, 0], 1)).all()  # it would be of a value after the last
        for steps in (0, 1.0, True):
            with pytest.raises(InputError, match="steps must be an integer of at least 1"):
                k_steps_ahead(model, x.data[:, 0], steps)
        for series in (x.data, x.data[: fewest - 1, 0]):
            with pytest.raises(InputError, match=f"expected a series of at least {fewest} values"):
                k_steps_ahead(model, series, 1)
        with pytest.raises(TypeError, match="float64"):
            k_steps_ahead(model, x.data[:, 0].astype(np.float64), 1)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "witten-bell", "additive"])
def test_a_model_that_counts_takes_numbers_of_numpy(smoothing, rng):
    ids = rng.integers(0, 5, 200)
    ours = NGram(ids, 5, 3, smoothing=smoothing, alpha=0.3, discount=0.25)
    theirs = NGram(ids, np.int64(5), np.int64(3), smoothing=smoothing, alpha=np.float64(0.3), discount=np.float32(0.25))
    np.testing.assert_array_equal(ours.score(ids), theirs.score(ids))
    assert ours.start(np.int64(2)).shape == (2, 2)
    for wrong in ({"n": 2.0}, {"n": True}, {"vocabulary_size": 0}, {"alpha": 0}, {"alpha": np.inf}, {"alpha": np.nan},
                  {"discount": -0.1}, {"discount": 1.1}, {"discount": np.nan}):  # fmt: skip
        with pytest.raises(InputError, match=f"^{next(iter(wrong))} must be "):
            NGram(ids, **{"vocabulary_size": 5, "n": 3} | wrong)
    assert all(np.isfinite(NGram(ids, 5, 3, discount=d).score(ids)).all() for d in (0, 1))
    with pytest.raises(InputError, match="rows must be an integer of at least 0"):
        ours.start(-1)
