"""Encoders of pictures and videos: shapes, gradients through every way a picture can go, and what padding changes."""

import numpy as np
import pytest
from slopes import assert_slopes

from minirnn import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    InputError,
    MergeDecoder,
    PictureEncoder,
    RegionEncoder,
    VideoEncoder,
)
from minirnn.models.picture_encoders import PLACE
from minirnn.training.sentences import sentence_loss, shift_right
from minirnn.training.translation import attention_regularizer

DOUBLE = {"dtype": np.float64}
V, E, H, S = 7, PLACE + 3, 4, 8
Y, LENGTHS = np.array([[4, 5, 6, 4], [5, 2, 2, 6], [2, 0, 0, 2]]), np.array([3, 2, 2, 3])
ROWS = np.array([0, 0, 1, 2])
INJECT = {
    "attention": lambda sizes: AttentionDecoder(*sizes, attend="after", input_feeding=True, rng=0, **DOUBLE),
    "as Xu": lambda sizes: AttentionDecoder(*sizes, rng=0, **DOUBLE),
    "start": lambda sizes: HandoverDecoder(*sizes, rng=0, **DOUBLE),
    "each": lambda sizes: ContextDecoder(*sizes, deep_output=False, rng=0, **DOUBLE),
    "merge": lambda sizes: MergeDecoder(*sizes, readout_size=5, rng=0, **DOUBLE),
}


def picture_model(inject, encoder):
    decoder = INJECT[inject]((V, 3, H, encoder.output_size))
    return EncoderDecoder(
        encoder, decoder, bridge="zero" if inject in ("each", "merge") else "learned", rng=0, **DOUBLE
    )


def encoders(summary="mean"):
    return {
        "picture": PictureEncoder(S, E, summary=summary, filters=2, rng=0, **DOUBLE),
        "regions": RegionEncoder(4, 5, E, summary=summary, rng=0, **DOUBLE),
        "video": VideoEncoder(S, 5, 3, filters=2, rng=0, **DOUBLE),
    }


def seen(kind, rng, count=3):
    """What an encoder of this kind reads, and lengths."""
    if kind == "video":
        return rng.standard_normal((4, count, 3, S, S)), np.array([4, 2, 3])[:count]
    return rng.standard_normal((count, 4, 5) if kind == "regions" else (count, 3, S, S)), None


@pytest.mark.parametrize("inject", INJECT)
@pytest.mark.parametrize("kind", ["picture", "regions", "video"])
def test_gradients_are_right_through_every_model(kind, inject, rng):
    summary = "mean" if inject in ("attention", "as Xu") else "max"
    model = picture_model(inject, encoders(summary)[kind])
    X, lengths = seen(kind, rng)

    def loss(*_):
        decoded = model(X, lengths, shift_right(Y), rows=ROWS)
        total = sentence_loss(model, decoded.features, Y, LENGTHS)
        if decoded.attention is not None:
            regions = np.full(4, decoded.attention.shape[2]) if lengths is None else lengths[ROWS]
            total = total + 0.3 * attention_regularizer(decoded.attention, regions, LENGTHS, None)
        return total

    loss().backward()
    for name, parameter in model.named_parameters().items():
        assert_slopes(loss, parameter, rng, name)


@pytest.mark.parametrize("kind", ["picture", "regions", "video"])
def test_a_picture_of_several_captions_counts_as_often(kind, rng):
    model = picture_model("attention", encoders()[kind])
    X, lengths = seen(kind, rng)
    together = model(X, lengths, shift_right(Y), rows=ROWS)
    repeated = np.take(X, ROWS, axis=1 if kind == "video" else 0), None if lengths is None else lengths[ROWS]
    apart = model(*repeated, shift_right(Y))
    np.testing.assert_allclose(together.features.data, apart.features.data, rtol=0, atol=1e-12)
    np.testing.assert_allclose(together.attention.data, apart.attention.data, rtol=0, atol=1e-12)


def test_padding_of_a_video_changes_nothing(rng):
    model = picture_model("attention", encoders()["video"])
    X, lengths = seen("video", rng)
    found = model(X, lengths, shift_right(Y), rows=ROWS)
    for column, length in enumerate(lengths):
        X[length:, column] = 1e3
    longer = model(np.concatenate([X, X + 7]), lengths, shift_right(Y), rows=ROWS)
    np.testing.assert_allclose(longer.features.data, found.features.data, rtol=0, atol=1e-12)
    np.testing.assert_allclose(longer.attention.data[:, :, :4], found.attention.data, rtol=0, atol=1e-12)
    assert not longer.attention.data[:, 2, 2:].any()  # the third caption is of the second video, of two frames


def test_the_layer_that_sums_up_keeps_its_name_in_checkpoints():
    encoder = RegionEncoder(4, 5, 20)
    assert {"summary.weight", "summary.bias"} <= set(encoder.state_dict())
    assert encoder.summary().total == encoder.num_parameters()


def test_regions_come_row_by_row_and_know_their_place(rng):
    encoder = PictureEncoder(16, E, filters=2, rng=0, **DOUBLE)
    assert encoder.grid == (4, 4)
    X = np.zeros((2, 3, 16, 16))
    X[1, :, 9, 14] = 5.0  # in the third row and the last column of places of four pixels
    outputs, (whole,), lengths, _ = encoder(X, None)
    assert outputs.shape == (16, 2, E)
    assert whole.shape == (1, 2, E)
    assert lengths.tolist() == [16, 16]
    changed = np.flatnonzero(abs(outputs.data[:, 1] - outputs.data[:, 0]).sum(axis=1))
    assert 2 * 4 + 3 in changed
    assert set(changed) <= {4 * row + column for row in (1, 2, 3) for column in (2, 3)}
    places = outputs.data[:, :, E - PLACE :]
    np.testing.assert_array_equal(places[:, 0], places[:, 1])
    assert len(np.unique(places[:, 0], axis=0)) == 16


@pytest.mark.parametrize(("size", "grid"), [(8, 2), (16, 4), (24, 6), (28, 7), (32, 8), (64, 8), (128, 8)])
def test_a_map_has_about_eight_places_of_a_side(size, grid):
    encoder = PictureEncoder(size, E, filters=2, rng=0)
    assert encoder.grid == (grid, grid)
    assert encoder(np.zeros((1, 3, size, size), np.float32), None).outputs.shape == (grid**2, 1, E)


def test_what_does_not_fit_is_refused(rng):
    for size in (7, 30, 50):
        with pytest.raises(InputError, match="pictures"):
            PictureEncoder(size, E)
    with pytest.raises(InputError, match=r"expected pictures of shape \(batch, 3, 8, 8\), not \(2, 3, 9, 8\)"):
        encoders()["picture"](rng.standard_normal((2, 3, 9, 8)))
    with pytest.raises(InputError, match=r"expected features of shape \(batch, 4, 5\), not \(2, 4, 6\)"):
        encoders()["regions"](rng.standard_normal((2, 4, 6)))
    with pytest.raises(InputError, match="unknown summary 'sum'"):
        RegionEncoder(4, 5, E, summary="sum")
    with pytest.raises(InputError, match="output_size must be an integer of at least 17"):
        RegionEncoder(4, 5, PLACE)
    encoder, decoder = encoders()["regions"], INJECT["start"]((V, 3, H, E))
    with pytest.raises(InputError, match="reads no tokens"):
        EncoderDecoder(encoder, decoder, tied=True)
