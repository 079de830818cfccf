"""Models of pictures for `minirnn gradcheck`, by all their parameters, and the walk along diagonals by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.cells import make_cell
from minirnn.cells.diagonals import along_diagonals
from minirnn.cells.neighbours import NeighbourCell
from minirnn.cli.recipes import DOUBLE, Function, Inputs, Recipe, module_recipe
from minirnn.models.conditions import CaptionCondition, ClassCondition
from minirnn.models.drawing import PictureModel, RasterModel
from minirnn.models.grid_drawing import DiagonalModel, RowModel

ROWS, COLUMNS, COLOURS = 2, 3, 3


def drawing_recipes() -> Iterator[tuple[str, Recipe]]:
    """Every kind of model, told classes or captions, by the logits of all pixels of two pictures."""
    yield "along_diagonals", a_walk
    pictures = np.array([[[0, 1, 2], [2, 2, 1]], [[1, 1, 0], [0, 2, 0]]])
    classes, captions = np.array([1, 0]), (np.array([[3, 1], [0, 2], [2, 0]]), np.array([3, 2]))
    of_class, of_caption = partial(ClassCondition, 2, 2), partial(CaptionCondition, 4, 2, 2)

    def named(name: str, model: Any, condition: Callable[..., Any], told: Any) -> tuple[str, Recipe]:
        def make(rng: np.random.Generator) -> PictureModel:
            options: dict[str, Any] = {"rng": rng, **DOUBLE}
            return model(ROWS, COLUMNS, COLOURS, 2, condition=condition(**options), **options)

        return f"drawing {name}", module_recipe(make, lambda model: model(pictures, told))

    raster, grid = partial(RasterModel, embedding_size=2), dict[str, Any](window=3, features=2)
    yield named("raster", partial(raster, num_layers=2), of_caption, captions)
    yield named("raster (diagonal order)", partial(raster, order="diagonal"), of_class, classes)
    yield named("row", partial(RowModel, **grid), of_class, classes)
    yield named("row, two layers", partial(RowModel, cell="gru", num_layers=2, **grid), of_caption, captions)
    yield named("diagonal", partial(DiagonalModel, cell="gru", **grid), of_caption, captions)
    yield named("diagonal, two layers", partial(DiagonalModel, num_layers=2, **grid), of_class, classes)


def a_walk(rng: np.random.Generator) -> tuple[Function, Inputs]:
    """The recipe of a walk along diagonals: x and all weights."""
    B, I, H = 2, 2, 2
    cell = NeighbourCell(make_cell("lstm"), ROWS, (-1,))
    shapes = {"x": (ROWS, COLUMNS, B, I), **cell.weight_shapes(I, H)}

    def function(x: Tensor, *weights: Tensor) -> Tensor:
        return along_diagonals(cell, x, dict(zip(list(shapes)[1:], weights, strict=True)))

    return function, {name: rng.standard_normal(shape) for name, shape in shapes.items()}
