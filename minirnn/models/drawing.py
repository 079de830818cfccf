"""Pictures drawn pixel by pixel, each colour a character: p(picture) = Π_t p(x_t | x_1 … x_{t-1}).

    RasterModel        the pixels in some order, one after the other, through a recurrent network as if they were text
    RowModel           a row of states that goes down the picture: the Row LSTM             (both in `grid_drawing.py`)
    DiagonalModel      states that go along diagonals, from both sides: the Diagonal BiLSTM

What makes them models of pictures is only what each pixel is told of those before it. A text has one past; a pixel has
neighbours to the left and above. In the raster order the one above was seen a whole row ago, and has to be carried all
that way in the state.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import DTypeLike

from minirnn import backend
from minirnn.arguments import integer
from minirnn.autograd import ops
from minirnn.autograd.sequences import check_ids
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module, float_dtype, like
from minirnn.cells import Cell
from minirnn.errors import InputError
from minirnn.layers import Dropout, Embedding, Linear, Module, Recurrent
from minirnn.layers.basic import uniform
from minirnn.models.conditions import Condition

Order = Literal["rows", "columns", "boustrophedon", "diagonal"]
ORDERS: tuple[Order, ...] = get_args(Order)


def order_of(name: str, rows: int, columns: int) -> np.ndarray:
    """The places (rows · columns,) of a picture, each row · columns + column, in the order in which they are drawn.

        rows            row by row, each from the left
        columns         column by column, each from the top
        boustrophedon   row by row, as the ox ploughs: every second from the right
        diagonal        along the diagonals, from the top left corner, each from its upper end

    Raises:
        InputError: there is no such order.
    """
    places = np.arange(rows * columns).reshape(rows, columns)
    if name == "rows":
        return places.ravel()
    if name == "columns":
        return places.T.ravel()
    if name == "boustrophedon":
        places[1::2] = places[1::2, ::-1]
        return places.ravel()
    if name == "diagonal":
        row, column = np.divmod(places.ravel(), columns)
        return np.lexsort((row, row + column))
    raise InputError(f"unknown order {name!r}: expected one of {', '.join(ORDERS)}")


class Pen(Protocol):
    """A model at work on a batch of pictures, a pixel at a time."""

    def __call__(self, colours: Array | None) -> Tensor:
        """Take what colours (B,) the last pixels have become, None before the first, and give the logits (B, K) of the
        next ones."""


class PictureModel(Module):
    """What models of pictures have in common: a pixel's colour becomes an embedding; every place has a learned vector,
    by which the model knows where it is; and what the picture is to be of is added to all of them.

    Args:
        rows, columns: of a picture.
        num_colours: K.
        features: of what each pixel is told.
        embedding_size: of a colour.
        order: the places as they are drawn, see `order_of`.
        start: whether there is one more embedding, of what stands before the first pixel.
        condition: from what is told (class or caption) to one vector; None: nothing is told.
        rng, dtype: as for every layer.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        num_colours: int,
        *,
        features: int,
        embedding_size: int,
        order: np.ndarray,
        start: bool,
        condition: Condition | None,
        rng: np.random.Generator,
        dtype: DTypeLike,
    ):
        self.rows, self.columns, self.num_colours = rows, columns, num_colours
        self.order = order
        self.embedding = Embedding(num_colours + start, embedding_size, rng=rng, dtype=dtype)
        self.places = uniform(rng, 0.5, (rows * columns, features), dtype)
        self.condition = condition
        self.told: Linear | None = None
        if condition is not None:
            self.told = Linear(condition.output_size, features, bias=False, rng=rng, dtype=dtype)

    def forward(self, pictures: Array, told: Any = None) -> Tensor:
        """Score every colour at every pixel, given those drawn before it.

        Args:
            pictures: (B, rows, columns) colours; host ids are checked.
            told: what the condition reads, of the pictures of the batch.

        Returns:
            The logits (rows · columns, B, K), the pixels in the order in which they are drawn.

        Raises:
            InputError: a shape does not fit, a colour is out of range, or a condition is missing or too much.
        """
        if pictures.ndim != 3 or pictures.shape[1:] != (self.rows, self.columns):
            raise InputError(f"expected pictures (batch, {self.rows}, {self.columns}), not {pictures.shape}")
        check_ids(pictures, self.num_colours, "colour")
        return self.logits(self.embedding(self.drawn(pictures)), self.about(told))

    def drawn(self, pictures: Array) -> Array:
        """The colours (rows · columns, B) of pictures (B, rows, columns) in the order in which they are drawn."""
        colours = pictures.reshape(len(pictures), -1).T
        return colours if (np.diff(self.order) == 1).all() else colours[like(self.order, colours)]

    def about(self, told: Any) -> Tensor | None:
        """What is added to the features of every pixel, (B, features); None without a condition."""
        if (self.condition is None) != (told is None):
            raise InputError("this model is told nothing of its pictures" if self.condition is None else
                             "this model has to be told what the pictures are of")  # fmt: skip
        return None if self.told is None or self.condition is None else self.told(self.condition(told))

    def logits(self, colours: Tensor, about: Tensor | None) -> Tensor:
        """As `forward`, from the embedded colours (rows · columns, B, embedding_size) in the order of drawing."""
        raise NotImplementedError

    def pen(self, batch: int, told: Any = None) -> Pen:
        """What draws so many pictures."""
        raise NotImplementedError

    def zeros(self, *shape: int) -> Array:
        """On the model's device and of its type."""
        return array_module(self.places.data).zeros(shape, dtype=self.places.dtype)


class RasterModel(PictureModel):
    """Pixels as the characters of a text: a recurrent network reads one after the other, and says which comes next.

        u_t = E x_{t-1} + P_t + V z          the pixel before, the place that is next, what the picture is to be of
        h_t = recurrent(u_t, h_{t-1});       logits_t = W h_t + b

    Args:
        rows, columns, num_colours: of the pictures.
        hidden_size: H.
        cell, num_layers: as for `Recurrent`.
        order: one of `ORDERS`.
        embedding_size: the features of u.
        condition: as for `PictureModel`.
        dropout: between layers and before the output.
        forget_bias, chrono: as for `Recurrent`.
        rng, dtype: as for every layer.

    Raises:
        InputError: a size is out of its range, the order is unknown, or as `Recurrent`.
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
        order: Order = "rows",
        embedding_size: int = 64,
        condition: Condition | None = None,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        chrono: int | None = None,
        rng: int | np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ):
        options: dict[str, Any] = {"rng": backend.generator(rng), "dtype": float_dtype(dtype)}
        E = integer("embedding_size", embedding_size)
        super().__init__(
            integer("rows", rows),
            integer("columns", columns),
            integer("num_colours", num_colours, least=2),
            features=E,
            embedding_size=E,
            order=order_of(order, rows, columns),
            start=True,
            condition=condition,
            **options,
        )
        memory: dict[str, Any] = {"forget_bias": forget_bias, "chrono": chrono}
        self.recurrent = Recurrent(cell, E, hidden_size, num_layers, dropout=dropout, **memory, **options)
        self.dropout = Dropout(dropout, rng=options["rng"])
        self.output = Linear(hidden_size, num_colours, **options)

    def logits(self, colours: Tensor, about: Tensor | None) -> Tensor:
        """As `PictureModel`."""
        B = colours.shape[1]
        start = self.embedding(np.full((1, B), self.num_colours))
        before = ops.concatenate([start, colours[:-1]])
        N, _, E = before.shape
        u = before + ops.reshape(self.places, (N, 1, E))
        h, _ = self.recurrent(u if about is None else u + about)
        return self.output(self.dropout(h))

    def pen(self, batch: int, told: Any = None) -> Pen:
        """As `PictureModel`."""
        return _RasterPen(self, batch, told)


class _RasterPen:
    def __init__(self, model: RasterModel, batch: int, told: Any):
        self.model, self.about, self.next = model, model.about(told), 0
        self.first = np.full(batch, model.num_colours)
        self.step = model.recurrent.stepper(Tensor(model.zeros(1, batch, model.places.shape[1])), None)

    def __call__(self, colours: Array | None) -> Tensor:
        model = self.model
        u = model.embedding(self.first if colours is None else colours) + model.places[self.next]
        self.next += 1
        return model.output(model.dropout(self.step(u if self.about is None else u + self.about)))
