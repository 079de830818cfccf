"""A walk along the diagonals of a picture, in which a state sees those to its left and above.

What can be computed at the same time lies on a diagonal: a pixel waits for the one to its left and for the one above,
which both lie on the diagonal before. Shift every row by one pixel against the row above it ("skew"), and diagonals are
columns, which a `NeighbourCell` with the offset -1 walks along as any cell walks along time:

    a b c                a b c . .
    d e f      →         . d e f .
    g h i                . . g h i
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import array_module
from minirnn.cells.bptt import unroll
from minirnn.cells.neighbours import NeighbourCell
from minirnn.errors import InputError


def along_diagonals(cell: NeighbourCell, x: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """The states h at all pixels, each from x there, from the state to its left and from the one above; beyond the
    edges states are 0.

    Args:
        cell: with as many sites as there are rows, and the offset -1.
        x: (rows, columns, B, I).
        weights: the cell's, by name.

    Returns:
        (rows, columns, B, H).

    Raises:
        InputError: a shape, or the cell's sites or offsets, do not fit.
        TypeError: something is not a Tensor, or float32 meets float64.
    """
    check_diagonals(cell, x, weights)
    R, C, B, I = x.shape
    skewed = ops.reshape(ops.transpose(skew(x), (1, 2, 0, 3)), (R + C - 1, B * R, I))
    # Walked in reverse, padding comes first, and is gone over without a change: so a row begins with a state of 0, and
    # not with what becomes of a state that is told nothing for some steps.
    lengths = np.tile(R + C - 1 - np.arange(R), B)
    zero = Tensor(array_module(x.data).zeros((B * R, weights["U"].shape[1]), dtype=x.dtype))
    h, _ = unroll(cell, skewed[::-1], weights, (zero,) * cell.num_states, lengths, reverse=True)
    return unskew(ops.transpose(ops.reshape(h[::-1], (R + C - 1, B, R, -1)), (2, 0, 1, 3)))


def check_diagonals(cell: NeighbourCell, x: Tensor, weights: Mapping[str, Tensor]) -> None:
    """Refuse what does not fit together, as `along_diagonals` says."""
    require_tensor(x, *weights.values())
    ops.values(x, *weights.values())  # refuses a mix of float32 and float64
    if x.ndim != 4 or not x.shape[0] or not x.shape[1]:
        raise InputError(f"expected an input of shape (rows, columns, batch, features), not {x.shape}")
    if x.shape[3] != weights["W"].shape[1]:
        raise InputError(f"the input has {x.shape[3]} features, the layer expects {weights['W'].shape[1]}")
    if cell.sites != x.shape[0] or cell.offsets != (-1,):
        raise InputError(
            f"along diagonals of {x.shape[0]} rows goes a cell with as many sites and the offset -1, not one with "
            f"{cell.sites} and {cell.offsets}"
        )


def skew(x: Tensor) -> Tensor:
    """(rows, columns, …) to (rows, rows + columns - 1, …): row r begins r places further right, with zeros around it.

    With as many zeros as there are rows behind every row, all in one line, and cut again into rows that are shorter by
    one, each begins one place later.
    """
    (R, C), rest = x.shape[:2], x.shape[2:]
    zeros = Tensor(array_module(x.data).zeros((R, R, *rest), dtype=x.dtype))
    in_a_line = ops.reshape(ops.concatenate([x, zeros], axis=1), (R * (R + C), *rest))
    return ops.reshape(in_a_line[: R * (R + C - 1)], (R, R + C - 1, *rest))


def unskew(x: Tensor) -> Tensor:
    """The inverse of `skew`."""
    (R, D), rest = x.shape[:2], x.shape[2:]
    zeros = Tensor(array_module(x.data).zeros((R, *rest), dtype=x.dtype))
    in_a_line = ops.concatenate([ops.reshape(x, (R * D, *rest)), zeros])
    return ops.reshape(in_a_line, (R, D + 1, *rest))[:, : D + 1 - R]
