"""The models of `grid_drawing.py` at work, a pixel at a time.

A model that sees whole pictures computes a row or a diagonal at once. One that draws knows the next pixel only once the
one before has its colour; so here the same states come one by one, and none is computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from minirnn.autograd import ops
from minirnn.autograd.convolution import conv2d
from minirnn.autograd.tensor import Tensor
from minirnn.backend import Array, array_module
from minirnn.cells.bptt import input_products
from minirnn.cells.cell import State
from minirnn.layers import Recurrent

if TYPE_CHECKING:
    from minirnn.models.grid_drawing import GridModel


class GridPen:
    """What the two pens have in common: the canvas, and what a pixel is told of it."""

    def __init__(self, model: GridModel, batch: int, told: Any):
        self.model, self.about, self.batch, self.next = model, model.about(told), batch, 0
        half, E = model.half, model.embedding.weight.shape[1]
        self.canvas = model.zeros(model.rows + half, model.columns + 2 * half, batch, E)
        self.above: Tensor  # (columns, batch, features), of the row that is being drawn

    def __call__(self, colours: Array | None) -> Tensor:
        """As `Pen`."""
        model, half = self.model, self.model.half
        if colours is not None:
            row, column = divmod(self.next - 1, model.columns)
            self.canvas[row + half, column + half] = model.embedding(colours).data
        row, column = divmod(self.next, model.columns)
        self.next += 1
        if column == 0:
            self.above = self._told_of_above(row)
            self.begin_row()
        left = Tensor(self.canvas[row + half, column : column + half])  # (half, batch, E)
        filters = ops.transpose(model.window_left.weight[:, :, 0], (2, 1, 0))
        own = self.above[column] + ops.sum(left @ filters, axis=0)
        return model.read(self.state_at(column, ops.tanh(own)))

    def _told_of_above(self, row: int) -> Tensor:
        model, window = self.model, self.model.window_above
        rows = Tensor(self.canvas[row : row + model.half])
        seen = conv2d(ops.transpose(rows, (2, 3, 0, 1)), window.weight, window.bias)  # (batch, features, 1, columns)
        places = model.places[row * model.columns : (row + 1) * model.columns]
        above = ops.transpose(seen[:, :, 0], (2, 0, 1)) + ops.reshape(places, (model.columns, 1, -1))
        return above if self.about is None else above + self.about

    def begin_row(self) -> None:
        """What can be computed before the first pixel of a row."""
        raise NotImplementedError

    def state_at(self, column: int, own: Tensor) -> Tensor:
        """The state (batch, H) at the next pixel, of what it is told (batch, features)."""
        raise NotImplementedError

    def blank(self, walk: Recurrent) -> State:
        """The state of a site before it has seen anything, and beyond the edge."""
        return (self.model.zeros(walk.hidden_size, self.batch),) * walk.cell.num_states

    def blank_row(self, walk: Recurrent) -> list[State]:
        """So many states, side by side."""
        return [self.blank(walk)] * self.model.columns


class RowPen(GridPen):
    """The Row LSTM at work."""

    def __init__(self, model: GridModel, batch: int, told: Any):
        super().__init__(model, batch, told)
        self.row_above: list[list[State]] = []
        self.row = [self.blank_row(walk) for walk in model.walks]

    def begin_row(self) -> None:
        """As `GridPen`."""
        self.row_above, self.row = self.row, [[] for _ in self.row]

    def state_at(self, column: int, own: Tensor) -> Tensor:
        """As `GridPen`."""
        x = own
        for layer, (walk, above, row) in enumerate(zip(self.model.walks, self.row_above, self.row, strict=True)):
            in_margin = [self.blank(walk), *above, self.blank(walk)]
            neighbours = [in_margin[column][0], in_margin[column + 2][0]]
            row.append(_step(walk, x, above[column], neighbours))
            y = Tensor(row[-1][0].T)
            x = y if layer == 0 else x + y
        return x


class DiagonalPen(GridPen):
    """The Diagonal BiLSTM at work: the walk from the right, which knows the rows above only, goes along a row before
    the row is drawn."""

    def __init__(self, model: GridModel, batch: int, told: Any):
        super().__init__(model, batch, told)
        walks = list(zip(model.walks[::2], model.walks[1::2], strict=True))
        self.layers = [_DiagonalLayer(self, *both) for both in walks]

    def begin_row(self) -> None:
        """As `GridPen`."""
        told = [ops.tanh(above) for above in ops.unstack(self.above)]
        for layer in self.layers:
            told = layer.begin_row(told)

    def state_at(self, column: int, own: Tensor) -> Tensor:
        """As `GridPen`."""
        x = own
        for i, layer in enumerate(self.layers):
            y = layer.state_at(column, x)
            x = y if i == 0 else x + y
            layer.outputs.append(x)
        return x


class _DiagonalLayer:
    def __init__(self, pen: DiagonalPen, from_left: Recurrent, from_right: Recurrent):
        self.from_left, self.from_right, self.blank = from_left, from_right, pen.blank(from_left)
        # Of the row above; while a row is drawn, place by place of this one.
        self.left, self.right = pen.blank_row(from_left), pen.blank_row(from_right)
        zero = Tensor(pen.model.zeros(pen.batch, from_left.hidden_size))
        self.outputs = [zero] * pen.model.columns

    def begin_row(self, told: Sequence[Tensor]) -> list[Tensor]:
        """Walk from the right, over what each pixel of a row is told; returns the outputs of the row above."""
        state = self.blank
        for column in reversed(range(len(told))):
            state = _step(self.from_right, told[column], state, [self.right[column][0]])
            self.right[column] = state
        of_above, self.outputs = self.outputs, []
        return of_above

    def state_at(self, column: int, x: Tensor) -> Tensor:
        before = self.left[column - 1] if column else self.blank
        self.left[column] = _step(self.from_left, x, before, [self.left[column][0]])
        return Tensor((self.left[column][0] + self.right[column][0]).T)


def _step(walk: Recurrent, x: Tensor, state: State, neighbours: Sequence[Array]) -> State:
    """One step of one site: from x (batch, features), its state, and the h (H, batch) of its neighbours."""
    cell: Any = walk.cell
    w = SimpleNamespace(**{name: weight.data for name, weight in walk.weights_of("_l0").items()})
    wx = input_products(cell, w, x.data[None])[0]
    new, _ = cell.inner.forward(w, wx + w.N @ array_module(wx).concatenate(neighbours), state)
    return new
