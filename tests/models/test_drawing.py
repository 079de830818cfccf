"""Models of pictures: what a pixel is told of, that probabilities sum to one, and that drawing is what was trained."""

import itertools

import numpy as np
import pytest
from slopes import assert_slopes

from minirnn import InputError, Tensor, gradcheck, no_grad
from minirnn.autograd.losses import cross_entropy, log_softmax
from minirnn.cells.diagonals import skew, unskew
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.drawing import ORDERS, RasterModel, order_of
from minirnn.models.grid_drawing import DiagonalModel, RowModel

DOUBLE = {"rng": 0, "dtype": np.float64}


def made(name, rows=5, columns=5, colours=3, **options):
    """A model by its name: "raster columns", "row 5 2" (its window and layers), "diagonal 3 1"."""
    kind, *rest = name.split()
    if kind == "raster":
        model = RasterModel(rows, columns, colours, 4, order=rest[0], embedding_size=3, **DOUBLE, **options)
    else:
        window, layers = map(int, rest)
        model_of = {"row": RowModel, "diagonal": DiagonalModel}[kind]
        options = {"window": window, "num_layers": layers, "features": 16, **options}
        model = model_of(rows, columns, colours, 4, **DOUBLE, **options)
    model.eval()
    return model


RASTERS = [f"raster {order}" for order in ORDERS]
GRIDS = ["row 3 1", "row 5 1", "row 3 2", "diagonal 3 1", "diagonal 5 1", "diagonal 3 2", "diagonal 7 3"]


def jacobian(model, rows=5, columns=5, colours=3):
    """For each pixel (in the order of drawing) how much its logits depend on each of the pixels: (pixels, pixels)."""
    pictures = np.random.default_rng(0).integers(0, colours, (1, rows, columns))
    found = np.zeros((rows * columns, rows * columns))
    for t in range(rows * columns):
        for colour in range(colours):
            x = Tensor(model.embedding(model.drawn(pictures)).data, requires_grad=True)
            model.logits(x, None)[t, 0, colour].backward()
            found[t] += np.abs(x.grad).sum(axis=(1, 2))
    return found


@pytest.mark.parametrize("name", [*RASTERS, *GRIDS])
def test_nothing_later_is_seen(name):
    """Exactly nothing: neither of a pixel itself nor of any later one."""
    found = jacobian(made(name))
    assert (found[np.triu_indices(25)] == 0).all()
    assert found.any()


@pytest.mark.parametrize("name", [name for name in [*RASTERS, *GRIDS] if not name.startswith("row")])
@pytest.mark.parametrize("size", [(5, 5), (3, 5), (5, 2)])
def test_everything_earlier_is_seen(name, size):
    found = jacobian(made(name, *size), *size)
    assert (found[np.tril_indices(size[0] * size[1], -1)] > 0).all()


def triangle(row, column, half, rows, columns):
    """What the Row LSTM knows at a pixel: its window, and those of the states above it, which open by one pixel to
    either side with every row."""
    seen = set()
    for up in range(row + 1):
        for across in range(max(0, column - up), min(columns, column + up + 1)):
            r = row - up
            seen |= {(r, c) for c in range(across - half, across)}
            seen |= {(i, c) for i in range(r - half, r) for c in range(across - half, across + half + 1)}
    return {(r, c) for r, c in seen if 0 <= r < rows and 0 <= c < columns}


@pytest.mark.parametrize(("name", "half"), [("row 3 1", 1), ("row 5 1", 2), ("row 3 2", 1)])
def test_the_row_lstm_sees_its_triangle(name, half):
    found = jacobian(made(name))
    for t in range(25):
        seen = {divmod(int(u), 5) for u in np.flatnonzero(found[t])}
        assert seen == triangle(*divmod(t, 5), half, 5, 5), divmod(t, 5)


@pytest.mark.parametrize("name", [*RASTERS, *GRIDS])
def test_probabilities_of_all_pictures_sum_to_one(name):
    model = made(name, 3, 3, 2)
    pictures = np.array(list(itertools.product((0, 1), repeat=9))).reshape(-1, 3, 3)
    with no_grad():
        log_probs = log_softmax(model(pictures)).data
    of_each = np.take_along_axis(log_probs, model.drawn(pictures)[..., None], axis=-1)[..., 0].sum(axis=0)
    assert len(np.unique(np.round(of_each, 12))) > 100
    assert np.exp(of_each).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm-layer-norm"])
@pytest.mark.parametrize("name", [*RASTERS, *GRIDS])
def test_drawing_sees_what_training_saw(name, cell):
    """A pen, which has one pixel after the other, gives the logits of the model, which has all of them."""
    model = made(name, 4, 6, cell=cell, condition=ClassCondition(3, 4, **DOUBLE))
    pictures, classes = np.random.default_rng(1).integers(0, 3, (5, 4, 6)), np.array([0, 2, 1, 1, 0])
    with no_grad():
        expected, pen, colours = model(pictures, classes).data, model.pen(5, classes), model.drawn(pictures)
        found = [pen(colours[t - 1] if t else None).data for t in range(24)]
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["raster diagonal", "row 3 2", "diagonal 3 2"])
def test_slopes_by_all_weights(name):
    model = made(name, 2, 3, condition=CaptionCondition(5, 2, 4, **DOUBLE))
    pictures = np.random.default_rng(2).integers(0, 3, (2, 2, 3))
    told = np.array([[1, 4], [2, 0], [3, 0]]), np.array([3, 1])

    def loss():
        return cross_entropy(model(pictures, told), model.drawn(pictures))

    loss().backward()
    rng = np.random.default_rng(3)
    for name_of_weight, parameter in model.named_parameters().items():
        assert_slopes(loss, parameter, rng, name_of_weight)


def test_skewed_rows_begin_one_place_later():
    x = Tensor(np.arange(1.0, 10).reshape(3, 3))
    expected = [[1, 2, 3, 0, 0], [0, 4, 5, 6, 0], [0, 0, 7, 8, 9]]
    np.testing.assert_array_equal(skew(x).data, expected)
    np.testing.assert_array_equal(unskew(skew(x)).data, x.data)
    gradcheck(lambda x: unskew(skew(x) * skew(x)), [Tensor(np.random.default_rng(0).normal(size=(2, 4, 3)))])


def test_orders_visit_every_place_once():
    assert order_of("rows", 2, 3).tolist() == [0, 1, 2, 3, 4, 5]
    assert order_of("columns", 2, 3).tolist() == [0, 3, 1, 4, 2, 5]
    assert order_of("boustrophedon", 3, 3).tolist() == [0, 1, 2, 5, 4, 3, 6, 7, 8]
    assert order_of("diagonal", 3, 3).tolist() == [0, 1, 3, 2, 4, 6, 5, 7, 8]
    with pytest.raises(InputError, match="unknown order 'spiral'"):
        order_of("spiral", 3, 3)


def test_what_does_not_fit_is_refused():
    model = made("row 3 1")
    with pytest.raises(InputError, match=r"\(batch, 5, 5\)"):
        model(np.zeros((2, 5, 4), int))
    with pytest.raises(InputError, match="3"):
        model(np.full((2, 5, 5), 3))
    with pytest.raises(InputError, match="is told nothing"):
        model(np.zeros((2, 5, 5), int), np.array([0, 1]))
    with pytest.raises(InputError, match="has to be told"):
        made("diagonal 3 1", condition=ClassCondition(2, 3, **DOUBLE))(np.zeros((2, 5, 5), int))
    with pytest.raises(InputError, match="odd"):
        made("row 4 1")
    with pytest.raises(InputError, match="num_colours"):
        RasterModel(4, 4, 1, 3)
