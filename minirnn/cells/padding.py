"""Sequences of different lengths in one batch: which steps are real, and which are padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minirnn.backend import Array, Lengths, array_module, like
from minirnn.cells.checks import check_lengths


class PaddingMask:
    """Which steps of which sequences are real.

    Args:
        lengths: (B,) host integers, each 0 … T; None: all are T, and nothing is padding.
        x: the sequences (T, B, …), on the device that the masks will be used on.
        reverse: the sequences are walked from their last step to their first, so that padding comes first.

    Raises:
        InputError: `lengths` are not one integer 0 … T for each sequence.
    """

    def __init__(self, lengths: Lengths | None, x: Array, reverse: bool = False):
        T, B = x.shape[:2]
        self.padded = [False] * T  # for each step of the walk whether it is padding in some sequence
        if lengths is not None:
            host = np.asarray(lengths)
            check_lengths(host, T, B)
            times = np.arange(T)[::-1] if reverse else np.arange(T)
            real = times[:, None] < host
            self.padded = [not step.all() for step in real]
            self.real_columns = like(real[:, None, :], x)  # (T, 1, B), for arrays (features, B)
            self.real_rows = like(real[:, :, None], x)  # (T, B, 1), for sequences (T, B, features)

    def zeroed(self, sequence: Array) -> Array:
        """A sequence (T, B, features) with 0 on padding, also where nan stood there, which 0 · nan would not remove."""
        return array_module(sequence).where(self.real_rows, sequence, 0) if any(self.padded) else sequence

    def zeroed_columns(self, columns: Array) -> Array:
        """The same for (features, T, B)."""
        if not any(self.padded):
            return columns
        return array_module(columns).where(self.real_columns.transpose(1, 0, 2), columns, 0)

    def choose(self, t: int, if_real: Sequence[Array], if_padded: Sequence[Any]) -> tuple[Array, ...]:
        """For each pair: the first (features, B) where step t is real, the second where it is padding."""
        if not self.padded[t]:
            return tuple(if_real)
        xp = array_module(self.real_columns)
        return tuple(xp.where(self.real_columns[t], a, b) for a, b in zip(if_real, if_padded, strict=True))
