"""What must fit together before a walk along time begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minirnn.arguments import shown
from minirnn.autograd import ops
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Lengths
from minirnn.cells.cell import Cell
from minirnn.errors import InputError


def check_shapes(cell: Cell, x: Tensor, weights: Mapping[str, Tensor], state: Sequence[Tensor]) -> None:
    """Refuse what does not fit together, as `bptt.unroll` says."""
    require_tensor(x, *weights.values(), *state)
    ops.values(x, *weights.values(), *state)  # refuses a mix of float32 and float64
    if x.ndim != 3 or x.shape[0] == 0:
        raise InputError(f"expected an input of shape (time, batch, features) with time > 0, not {x.shape}")
    if x.shape[2] != weights["W"].shape[1]:
        raise InputError(f"the input has {x.shape[2]} features, the layer expects {weights['W'].shape[1]}")
    if x.shape[1] % cell.sites:
        raise InputError(f"the input has {x.shape[1]} columns, which is no number of rows of {cell.sites} sites")
    expected = [(x.shape[1], weights["U"].shape[1])] * cell.num_states
    if [s.shape for s in state] != expected:
        raise InputError(f"the state must have the shapes (batch, hidden) = {expected}, not {[s.shape for s in state]}")


def check_lengths(lengths: np.ndarray, T: int, batch: int, least: int = 0) -> None:
    """Refuse lengths that are not one integer `least` … T for each sequence of a batch."""
    if lengths.shape != (batch,) or (batch and lengths.dtype.kind not in "iu"):  # [] is an array of floats
        raise InputError(f"lengths must be {batch} integers, one for each sequence, not {shown(lengths)}")
    if batch and (lengths.min() < least or lengths.max() > T):
        raise InputError(f"lengths must be between {least} and {T} steps, not {lengths.min()} to {lengths.max()}")


def lengths_or_all(lengths: Lengths | None, T: int, batch: int, least: int = 0) -> np.ndarray:
    """The lengths (batch,) of sequences of up to T steps: T for each where `lengths` is None.

    Raises:
        InputError: as `check_lengths`.
    """
    found = np.full(batch, T) if lengths is None else np.asarray(lengths)
    check_lengths(found, T, batch, least)
    return found
