"""Sequences of ids to features, and padded sequences to their real steps."""

from __future__ import annotations

import numpy as np

from minirnn import backend
from minirnn.arguments import shown
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, Ids, Lengths, array_module, is_array, like
from minirnn.errors import InputError


def check_ids(ids: Ids, size: int, what: str = "id", ignore_index: int | None = None) -> Array:
    """Ids as an integer array, refused if one is outside 0 … size-1. Ids already on a GPU are trusted: looking would
    wait for it.

    Raises:
        InputError: names the first bad id. (NumPy would take -1 for the last row, and CuPy wraps any id.)
        TypeError: they are a Tensor, or another library's.
    """
    if isinstance(ids, (list, tuple, int, np.integer)):
        ids = np.asarray(ids, dtype=None if np.size(ids) else np.int64)
    if not is_array(ids):
        how = ": ids have no gradient, so give the integer array itself" if isinstance(ids, Tensor) else ""
        how = ": write ids.cpu().numpy()" if type(ids).__module__ == "torch" else how
        raise TypeError(f"{what}s must be an integer array, not {type(ids).__module__}.{type(ids).__name__}{how}")
    if not isinstance(ids, np.ndarray):
        return ids
    if ids.dtype.kind not in "iu":
        raise InputError(f"{what}s must be integers, not {ids.dtype}")
    bad = (ids < 0) | (ids >= size)
    if ignore_index is not None:
        bad &= ids != ignore_index
    if bad.any():
        raise InputError(f"{what} {ids[bad][0]} is out of range: expected 0 to {size - 1}")
    return ids


def embedding(weight: Tensor, ids: Ids) -> Tensor:
    """The rows of `weight` (entries, features) that the integer array `ids` (…) names: (…, features).

    Raises:
        InputError: a host id is out of range.
    """
    require_tensor(weight)
    rows = like(check_ids(ids, weight.shape[0]), weight.data)

    def by_weight(dy: Array) -> Array:
        dw = array_module(dy).zeros(weight.shape, dtype=weight.dtype)
        backend.add_rows(dw, rows.reshape(-1), dy.reshape(-1, weight.shape[1]))
        return dw

    return record(weight.data[rows], (weight, by_weight))


def one_hot(ids: Ids, size: int, reference: Array) -> Tensor:
    """A constant (…, size), 1 at each id and 0 elsewhere, in the dtype and on the device of `reference`.

    Raises:
        InputError: a host id is out of range.
    """
    xp, ids = array_module(reference), like(check_ids(ids, size), reference)
    return Tensor((ids[..., None] == xp.arange(size)).astype(reference.dtype))


def sum_by_id(weights: Tensor, ids: Array, size: int) -> Tensor:
    """For each id how much weight stands at it: y_tbv = Σ_s w_tbs [ids_bs = v], for weights (T, B, S) and ids (B, S):
    (T, B, size). Back, each weight gets what its id got.

    Raises:
        InputError: a host id is out of range.
    """
    require_tensor(weights)
    T, B, _ = weights.shape
    xp, ids = array_module(weights.data), like(check_ids(ids, size), weights.data).astype(np.int64)
    at = xp.arange(T * B).reshape(T, B, 1) * size + ids  # in y, if all its axes were one
    y = xp.zeros(T * B * size, dtype=weights.dtype)
    backend.scatter_add(y, at.reshape(-1), weights.data.reshape(-1))
    return record(y.reshape(T, B, size), (weights, lambda dy: dy.reshape(-1)[at]))


def pack(x: Tensor, lengths: Lengths | None) -> Tensor:
    """The real steps of padded sequences, without the padding: (T, B, features) to (Σ lengths, features), time by time.

    Args:
        x: (T, B, features).
        lengths: (B,) host integers, each 0 … T.

    Raises:
        InputError: a length is missing or out of range.
    """
    require_tensor(x)
    T, B, features = x.shape
    lengths = np.asarray(lengths)
    counts = lengths.shape == (B,) and (B == 0 or lengths.dtype.kind in "iu")  # [] is an array of floats
    if not counts or (B and not 0 <= lengths.min() <= lengths.max() <= T):
        raise InputError(f"expected {B} lengths between 0 and {T}, not {shown(lengths)}")
    real = like(np.flatnonzero(np.arange(T)[:, None] < lengths), x.data)

    def by_x(dy: Array) -> Array:
        dx = array_module(dy).zeros((T * B, features), dtype=x.dtype)
        dx[real] = dy
        return dx.reshape(T, B, features)

    return record(x.data.reshape(T * B, features)[real], (x, by_x))
