r"""Two models of pictures whose states lie on the pixels (van den Oord, Kalchbrenner & Kavukcuoglu 2016).

A pixel is told of the window of pixels before it, by two convolutions that cannot see any others: one over the rows
above, which moves down by whole rows, and one over what is to the left in its own row. What is further away comes by
the states.

    Row LSTM              Diagonal BiLSTM, from the left       and from the right, a row above
    \ | /                      |                                     |
     \|/                     --x                                     x--
      x

**Row LSTM.** A row of states goes down the picture; each takes up what the three above it have become. Once a row is
begun all its states can be computed together, but what they know of the past is a triangle that opens upwards: the
pixels to its left and right are lost.

**Diagonal BiLSTM.** A state takes up that of the pixel to the left and that of the pixel above, so it knows all there
is above and to the left (`minirnn/cells/diagonals.py`). A second walk does the same from the right. Its states would
know pixels of their own row that are not drawn yet; so it is told of the rows above only, and further layers get what
stood one row above. With both a pixel knows all pixels that were drawn before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor
from minirnn.backend import float_dtype
from minirnn.cells import Cell, make_cell
from minirnn.cells.neighbours import NeighbourCell
from minirnn.errors import InputError
from minirnn.fast import along_diagonals_together
from minirnn.layers import Conv2d, Dropout, Linear, Recurrent, Sequential, Tanh
from minirnn.models.conditions import Condition
from minirnn.models.drawing import Pen, PictureModel, order_of
from minirnn.models.grid_pens import DiagonalPen, RowPen


class GridModel(PictureModel):
    """What both have in common: the window, and the way from states to colours.

        own    = tanh(A ⊛ rows above + L ⊛ left in the row + P + V z)        what a pixel is told
        above  = tanh(A ⊛ rows above + P + V z)                             the same without its own row
        logits = W_2 tanh(W_1 h + b_1) + b_2

    Args:
        rows, columns, num_colours: of the pictures.
        hidden_size: H, of each state.
        cell: a cell, or the name of one (`minirnn.CELL_NAMES`).
        num_layers: how many walks follow one another.
        window: across, in pixels, an odd number; half of it up, and to the left. As far as the picture goes.
        features: of what a pixel is told.
        condition: as for `PictureModel`.
        dropout: before the output, and between the layers.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size is out of its range, the window is even or below 3, or as `Recurrent`.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        num_colours: int,
        hidden_size: int,
        *,
        cell: str | Cell = "lstm",
        num_layers: int = 1,
        window: int = 7,
        features: int = 32,
        condition: Condition | None = None,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        rows, columns = integer("rows", rows), integer("columns", columns)
        num_colours = integer("num_colours", num_colours, least=2)
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": float_dtype(dtype)}
        E, features = min(num_colours, 16), integer("features", features)
        window, hidden_size = integer("window", window, least=3), integer("hidden_size", hidden_size)
        self.num_layers = integer("num_layers", num_layers)
        if window % 2 == 0:
            raise InputError(f"the window must be odd, so that a pixel is in its middle, not {window}")
        order = order_of("rows", rows, columns)
        super().__init__(
            rows,
            columns,
            num_colours,
            features=features,
            embedding_size=E,
            order=order,
            start=False,
            condition=condition,
            **options,
        )
        self.half = half = max(1, min(window // 2, max(rows, columns) - 1))  # further away is no pixel
        self.window_above = Conv2d(E, features, (half, window), padding=half, **options)
        self.window_left = Conv2d(E, features, (1, half), padding=(0, half), bias=False, **options)
        self.dropout = Dropout(dropout, rng=options["rng"])
        self.read = Sequential(
            Linear(hidden_size, hidden_size, **options), Tanh(), Linear(hidden_size, num_colours, **options)
        )
        self.walks: list[Recurrent] = []
        self.cell = NeighbourCell(make_cell(cell), *self.neighbourhood())
        for layer in range(self.num_layers):
            for side in self.sides:
                size = features if layer == 0 else hidden_size
                memory: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono}
                self.walks.append(Recurrent(self.cell, size, hidden_size, **memory, **options))
                setattr(self, f"layer{layer}_{side}", self.walks[-1])

    sides: tuple[str, ...] = ()
    """The walks of a layer, by name."""

    def neighbourhood(self) -> tuple[int, tuple[int, ...]]:
        """How many sites walk together, and at which offsets they look for neighbours."""
        raise NotImplementedError

    def hidden(self, own: Tensor, above: Tensor) -> Tensor:
        """The states (rows, columns, B, H) at all pixels, from what they are told, (rows, columns, B, features)."""
        raise NotImplementedError

    def logits(self, colours: Tensor, about: Tensor | None) -> Tensor:
        """As `PictureModel`."""
        R, C, B = self.rows, self.columns, colours.shape[1]
        x = ops.transpose(ops.reshape(colours, (R, C, B, -1)), (2, 3, 0, 1))
        # Half a window further down and to the right than a window around the pixel: its last row is the one above.
        above = ops.transpose(self.window_above(x)[:, :, :R], (2, 3, 0, 1))
        left = ops.transpose(self.window_left(x)[:, :, :, :C], (2, 3, 0, 1))
        above = above + ops.reshape(self.places, (R, C, 1, -1))
        above = above if about is None else above + about
        h = self.hidden(ops.tanh(above + left), ops.tanh(above))
        return ops.reshape(self.read(self.dropout(h)), (R * C, B, self.num_colours))


class RowModel(GridModel):
    """The Row LSTM. Arguments as `GridModel`."""

    sides = ("down",)

    def neighbourhood(self) -> tuple[int, tuple[int, ...]]:
        """As `GridModel`."""
        return self.columns, (-1, 1)

    def hidden(self, own: Tensor, above: Tensor) -> Tensor:
        """As `GridModel`."""
        R, C, B, _ = own.shape
        x = ops.reshape(ops.transpose(own, (0, 2, 1, 3)), (R, B * C, -1))
        for layer, walk in enumerate(self.walks):
            y, _ = walk(self.dropout(x) if layer > 0 else x)
            x = x + y if layer > 0 else y
        return ops.transpose(ops.reshape(x, (R, B, C, -1)), (0, 2, 1, 3))

    def pen(self, batch: int, told: Any = None) -> Pen:
        """As `PictureModel`."""
        return RowPen(self, batch, told)


class DiagonalModel(GridModel):
    """The Diagonal BiLSTM. Arguments as `GridModel`."""

    sides = ("from_left", "from_right")

    def neighbourhood(self) -> tuple[int, tuple[int, ...]]:
        """As `GridModel`."""
        return self.rows, (-1,)

    def hidden(self, own: Tensor, above: Tensor) -> Tensor:
        """As `GridModel`."""
        x = own
        for layer in range(self.num_layers):
            if layer > 0:
                own = self.dropout(x)
                above = ops.concatenate([Tensor(self.zeros(1, *x.shape[1:])), own[:-1]])
            walks = zip(self.walks[2 * layer : 2 * layer + 2], (own, above[:, ::-1]), strict=True)
            both = [(self.cell, told, walk.weights_of("_l0")) for walk, told in walks]
            from_left, from_right = along_diagonals_together(both)
            y = from_left + from_right[:, ::-1]
            x = x + y if layer > 0 else y
        return x

    def pen(self, batch: int, told: Any = None) -> Pen:
        """As `PictureModel`."""
        return DiagonalPen(self, batch, told)
