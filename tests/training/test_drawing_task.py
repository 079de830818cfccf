"""The task of drawing: what a batch holds, what its loss is, and what is refused."""

import math

import numpy as np
import pytest

from minirnn import Adam, InputError, Trainer, no_grad
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.drawing import RasterModel
from minirnn.models.grid_drawing import DiagonalModel, RowModel
from minirnn.training.drawing import Captions, Classes, Drawing, Drawn, nats_of

DOUBLE = {"rng": 0, "dtype": np.float64}


def raster(condition=None, **options):
    return RasterModel(2, 3, 2, 5, order="columns", embedding_size=4, condition=condition, **DOUBLE, **options)


def pictures(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2, (count, 2, 3)).astype(np.uint8)


def task(model, train, valid=None, batch_size=3):
    valid = Drawn(train.pictures[:0], None) if valid is None else valid
    return Drawing(model, train, valid, batch_size=batch_size, rng=np.random.default_rng(0))


def numbered():
    """All 64 pictures, of which each says its number."""
    return np.array([[[i >> 3 * row + k & 1 for k in range(3)] for row in range(2)] for i in range(64)], np.uint8)


def number_of(picture):
    return int(picture.ravel() @ 2 ** np.arange(6))


def test_every_picture_comes_once_with_what_is_its_own():
    captions = [[np.full(1 + i % 3, i), np.full(2, i)][: 1 + i % 2] for i in range(64)]
    for told, condition in (
        (Classes(np.arange(64)), ClassCondition(64, 3, **DOUBLE)),
        (Captions(captions), CaptionCondition(64, 2, 4, **DOUBLE)),
        (None, None),
    ):
        found, orders = task(raster(condition), Drawn(numbered(), told), batch_size=10), []
        assert found.num_batches == 7
        for seed in (0, 1):
            seen = []
            for batch in found.batches(np.random.default_rng(seed)):
                numbers = [number_of(picture) for picture in batch.pictures]
                seen += numbers
                if isinstance(told, Classes):
                    assert batch.told.tolist() == numbers
                elif told is not None:
                    ids, lengths = batch.told
                    assert ids[0].tolist() == numbers
                    for i, column, length in zip(numbers, ids.T, lengths, strict=True):
                        assert any(column[:length].tolist() == one.tolist() for one in captions[i])
            assert sorted(seen) == list(range(64))
            orders.append(seen)
        assert orders[0] != orders[1]


def test_captions_are_drawn_by_chance_and_the_first_without_it():
    told, at = Captions([[np.array([1]), np.array([2, 3])]]), np.zeros(20, int)
    assert told.batch(at, None)[1].tolist() == [1] * 20
    assert set(told.batch(at, np.random.default_rng(0))[1].tolist()) == {1, 2}


@pytest.mark.parametrize("told", [None, Classes(np.arange(7) % 3)])
@pytest.mark.parametrize("kind", [RasterModel, RowModel, DiagonalModel])
def test_a_loss_is_the_mean_of_what_pixels_cost(kind, told):
    condition = None if told is None else ClassCondition(3, 4, **DOUBLE)
    model = kind(2, 3, 2, 5, condition=condition, **DOUBLE)
    found = task(model, Drawn(pictures(7), told), batch_size=7)
    (batch,) = found.batches(np.random.default_rng(0))
    loss, pixels, carry = found.loss(batch, None, 0)
    nats = found.nats(found.drawn)
    assert nats.shape == (7,)
    assert loss.item() == pytest.approx(nats.sum() / 42, abs=1e-12)
    assert (pixels, carry) == (42, None)
    for size in (1, 3, 64):  # neither the order nor the size of a batch matters
        np.testing.assert_allclose(nats_of(model, found.drawn, size), nats, rtol=0, atol=1e-12)
    assert nats_of(model, Drawn(pictures(0), None)).shape == (0,)


def test_held_out_pictures_are_measured_in_nats_and_bits():
    valid = Drawn(pictures(4, 2), None)
    found = task(raster(), Drawn(pictures(5), None), valid)
    with no_grad():
        row, nats = found.validate(), nats_of(found.model, valid).mean()
    assert row == pytest.approx({"valid_loss": nats / 6, "valid_bits": nats / 6 / math.log(2), "valid_nats": nats})
    assert task(raster(), Drawn(pictures(5), None)).validate() == {}


def test_it_learns_what_it_is_told():
    told = Classes(np.arange(64))
    found = task(raster(ClassCondition(64, 16, **DOUBLE)), Drawn(numbered(), told), batch_size=16)
    before = found.nats(found.drawn).mean()
    Trainer(found, Adam(found.model.named_parameters(), 0.05), seed=1, progress=False).train(40)
    after = found.nats(found.drawn).mean()
    assert before > 0.9 * math.log(64)
    assert after < 0.25 * math.log(64)
    assert found.nats(Drawn(numbered(), Classes(np.roll(np.arange(64), 1)))).mean() > 2 * math.log(64)


def test_what_does_not_fit_is_refused():
    some, none = Drawn(pictures(3), None), Drawn(pictures(0), None)
    with pytest.raises(InputError, match="no pictures to learn from"):
        task(raster(), none)
    for short in (Classes(np.zeros(2, int)), Captions([[np.array([1])]] * 2)):
        for parts in ((Drawn(pictures(3), short), none), (some, Drawn(pictures(3), short))):
            with pytest.raises(InputError, match="3 pictures, but it is told of 2"):
                task(raster(), *parts)
    with pytest.raises(InputError, match="batch_size"):
        task(raster(), some, none, batch_size=0)
    for wrong, model, message in [
        (some, raster(ClassCondition(2, 3, **DOUBLE)), "has to be told"),
        (Drawn(pictures(3), Classes(np.zeros(3, int))), raster(), "is told nothing"),
        (Drawn(pictures(3) + 1, None), raster(), "colour 2 is out of range"),
        (Drawn(pictures(3)[:, :1], None), raster(), r"expected pictures \(batch, 2, 3\)"),
    ]:
        found = task(model, wrong)
        with pytest.raises(InputError, match=message):
            found.loss(next(found.batches(np.random.default_rng(0))), None, 0)
