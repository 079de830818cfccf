"""Drawing with a trained model: what is kept and seen, and that colours come as often as the model says."""

import itertools

import numpy as np
import pytest

from minirnn import InputError, artist, no_grad
from minirnn.artist import Artist
from minirnn.data.colours import Binary, Palette
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.drawing import ORDERS, RasterModel, order_of
from minirnn.models.grid_drawing import DiagonalModel, RowModel
from minirnn.training.drawing import Captions, Classes, Drawn, nats_of

DOUBLE = {"rng": 0, "dtype": np.float64}
COLOURS = Palette(np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8))
KINDS = ("diagonal", "row", *(f"raster {order}" for order in ORDERS))


def made(kind, rows=3, columns=4, colours=3, **options):
    """A model that has strong opinions."""
    if kind.startswith("raster"):
        model = RasterModel(rows, columns, colours, 6, order=kind.split()[1], embedding_size=4, **DOUBLE, **options)
    else:
        model_of = {"row": RowModel, "diagonal": DiagonalModel}[kind]
        model = model_of(rows, columns, colours, 6, window=3, features=5, **DOUBLE, **options)
    for parameter in model.parameters():
        parameter.data *= 2.5
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_stays_and_the_rest_is_blank(kind):
    model = made(kind)
    order = order_of(kind.split()[1] if " " in kind else "rows", 3, 4)
    begun = np.random.default_rng(1).integers(0, 3, (5, 3, 4))
    for given, stages, options in [(0, 12, {}), (0, 5, {}), (6, 3, {"begun": begun}), (12, 2, {"begun": begun})]:
        found = Artist(model, COLOURS).draw(5, keep=given / 12, stages=stages, seed=0, **options)
        assert found.shape == (stages, 5, 3, 4, 3)
        assert found.dtype == np.uint8
        in_order = found.reshape(stages, 5, 12, 3)[:, :, order]
        for stage, until in enumerate(np.linspace(given, 12, stages + 1)[1:].round().astype(int)):
            assert (in_order[stage, :, :until] == in_order[-1, :, :until]).all()
            assert (in_order[stage, :, until:] == artist.BLANK).all()
        assert not (found[-1] == artist.BLANK).any()
        if options:
            assert (in_order[-1, :, :given] == COLOURS.to_pixels(begun).reshape(5, 12, 3)[:, order[:given]]).all()
            kept = Artist(model, COLOURS).kept(begun, given / 12).reshape(5, 12, 3)[:, order]
            assert (kept[:, :given] == in_order[-1, :, :given]).all()
            assert (kept[:, given:] == artist.BLANK).all()


@pytest.mark.parametrize("kind", KINDS)
def test_of_what_is_not_kept_nothing_is_known(kind):
    model = Artist(made(kind), COLOURS)
    begun, other = np.random.default_rng(1).integers(0, 3, (2, 5, 3, 4))
    np.testing.assert_array_equal(model.draw(5, begun=begun, keep=0, seed=0), model.draw(5, seed=0))
    order = model.model.order[:5]
    other.reshape(5, 12)[:, order] = begun.reshape(5, 12)[:, order]
    found = [model.draw(5, begun=one, keep=5 / 12, seed=0) for one in (begun, other)]
    np.testing.assert_array_equal(*found)


def test_more_than_a_batch_of_pictures_each_have_their_own(monkeypatch):
    monkeypatch.setattr(artist, "BATCH", 4)
    begun, classes = np.random.default_rng(1).integers(0, 3, (10, 3, 4)), np.arange(10) % 3
    model = made("row", condition=ClassCondition(3, 4, **DOUBLE))
    surest = {"temperature": 0, "keep": 0.5}
    whole = Artist(model, COLOURS).draw(10, told=Classes(classes), begun=begun, **surest)
    alone = [
        Artist(model, COLOURS).draw(1, told=Classes(classes[i : i + 1]), begun=begun[i : i + 1], **surest)
        for i in range(10)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(alone, axis=1))
    assert len(np.unique(whole[-1], axis=0)) > 5


def test_what_is_told_decides_what_is_probable():
    captions = [[np.array([1, 2])], [np.array([3])], [np.array([4, 1, 1])]]
    for condition, told in [
        (ClassCondition(3, 4, **DOUBLE), Classes(np.arange(3))),
        (CaptionCondition(5, 3, 4, **DOUBLE), Captions(captions)),
    ]:
        drawn = Artist(made("diagonal", condition=condition), COLOURS).draw(3, told=told, temperature=0)[-1]
        assert len(np.unique(drawn, axis=0)) == 3


def probabilities(model, temperature, told):
    """All pictures in two colours, and how probable each is, with every pixel's odds to the power 1/temperature."""
    pictures = np.array(list(itertools.product((0, 1), repeat=model.rows * model.columns)))
    pictures = pictures.reshape(-1, model.rows, model.columns)
    told = None if told is None else Classes(np.full(len(pictures), told))
    if temperature == 1:
        return pictures, np.exp(-nats_of(model, Drawn(pictures, told)))
    with no_grad():
        logits = model(pictures, None if told is None else told.classes).data / temperature
    chosen = np.exp(np.take_along_axis(logits, model.drawn(pictures)[..., None], axis=-1)[..., 0])
    return pictures, (chosen / np.exp(logits).sum(axis=-1)).prod(axis=0)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_drawn_as_often_as_they_are_probable(kind, temperature):
    count, options = 4000, {} if temperature == 1 else {"condition": ClassCondition(2, 3, **DOUBLE)}
    model, told = made(kind, 2, 2, 2, **options), 1 if options else None
    pictures, expected = probabilities(model, temperature, told)
    assert expected.sum() == pytest.approx(1)
    assert expected.max() < 0.9
    told = None if told is None else Classes(np.full(count, told))
    drawn = Artist(model, Binary()).draw(count, told=told, temperature=temperature, seed=1)[-1, ..., 0] // 255
    found = (drawn[:, None] == pictures).all(axis=(2, 3)).mean(axis=0)
    assert found.sum() == pytest.approx(1)
    assert (abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / count) + 1 / count).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="the model has 3 colours, but there are 2"):
        Artist(made("row"), Binary())
    plain, telling = made("row"), made("row", condition=ClassCondition(3, 4, **DOUBLE))
    begun = np.zeros((2, 3, 4), int)
    for model, count, options, message in [
        (plain, 0, {}, "count"),
        (plain, 2, {"stages": 0}, "stages"),
        (plain, 2, {"keep": 1.1}, "the share to keep"),
        (plain, 2, {"temperature": -1.0}, "the temperature"),
        (plain, 2, {"temperature": float("nan")}, "the temperature"),
        (plain, 3, {"begun": begun}, r"expected begun pictures of shape \(3, 3, 4\)"),
        (plain, 2, {"begun": begun + 3}, "3"),
        (plain, 2, {"told": Classes(np.arange(2))}, "is told nothing"),
        (telling, 2, {}, "has to be told"),
        (telling, 2, {"told": Classes(np.arange(3))}, "2 pictures to draw, but it is told of 3"),
        (telling, 2, {"told": Classes(np.array([0, 3]))}, "3"),
    ]:
        with pytest.raises(InputError, match=message):
            Artist(model, COLOURS).draw(count, **options)
    plain.read[2].bias.data[:] = np.nan
    with pytest.raises(InputError, match="nothing to choose from"):
        Artist(plain, COLOURS).draw(2)
