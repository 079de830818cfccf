"""Steps on a GPU in fewer launches, where `in_place.py` and `cuda.py` have none: what is elementwise between two
products or two means is one launch (`backend.fuse`). The equations are the cells' own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minirnn.backend import Array, array_module, fuse
from minirnn.cells.cell import Cell, State, Weights
from minirnn.cells.layer_norm import LayerNormGRUCell, LayerNormLSTMCell
from minirnn.cells.rnn import RNNCell
from minirnn.cells.rnn_activations import ActivatedRNNCell, RampRNNCell


class FusedLayerNormLSTM(LayerNormLSTMCell):
    """The cell with each of its elementwise functions as one launch."""

    write = staticmethod(fuse(LayerNormLSTMCell.write))
    read = staticmethod(fuse(LayerNormLSTMCell.read))
    read_back = staticmethod(fuse(LayerNormLSTMCell.read_back))
    write_back = staticmethod(fuse(LayerNormLSTMCell.write_back))


class FusedLayerNormGRU(LayerNormGRUCell):
    """The same of the GRU."""

    choose = staticmethod(fuse(LayerNormGRUCell.choose))
    choose_back = staticmethod(fuse(LayerNormGRUCell.choose_back))


@fuse
def tanh_back(dh: Array, h: Array, da: Array) -> Array:
    """(3) of `rnn.py`: da, which is also filled."""
    array_module(dh).multiply(dh, 1 - h * h, out=da)
    return dh * (1 - h * h)  # in one piece, as a product wants it, which `da` is not


@fuse
def slope_back(dh: Array, slope: Array, da: Array) -> Array:
    """(3) of `rnn_activations.py`, in the same way."""
    array_module(dh).multiply(dh, slope, out=da)
    return dh * slope


class FusedRNN:
    """What stands in for the RNN. Its forward is the cell's own.

    Args:
        cell: what it stands in for.
    """

    def __init__(self, cell: Cell):
        self.extra_blocks, self.adds_bias = cell.extra_blocks, cell.adds_bias
        self.forward, self.weight_gradients = cell.forward, cell.weight_gradients

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        (dh,) = dstate
        return (w.U.T @ tanh_back(dh, kept, da),)


class FusedActivatedRNN(FusedRNN):
    """The same of an RNN with another activation than tanh."""

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        (dh,) = dstate
        return (w.U.T @ slope_back(dh, kept, da),)


class FusedRampRNN(FusedRNN):
    """The same of an RNN with a ramp."""

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As `Cell.backward`."""
        (dh_da, below), (dh,) = kept, dstate
        H = len(dh)
        if self.extra_blocks:
            array_module(dh).multiply(dh, below, out=da[H:])
        return (w.U.T @ slope_back(dh, dh_da, da[:H]),)


STEPS: dict[type[Cell], Callable[[Any], Any]] = {
    LayerNormLSTMCell: lambda cell: FusedLayerNormLSTM(),
    LayerNormGRUCell: lambda cell: FusedLayerNormGRU(),
    RNNCell: FusedRNN,
    ActivatedRNNCell: FusedActivatedRNN,
    RampRNNCell: FusedRampRNN,
}
"""What makes the steps of a cell, by its type."""
