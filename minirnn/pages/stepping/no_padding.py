"""What stands in for a mask where nothing is padding. It is apart, for no page shows its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minirnn.backend import Array


class NoPadding:
    """A `PaddingMask` where all steps are real: everything stays as it is."""

    def zeroed(self, sequence: Array) -> Array:
        """As it is."""
        return sequence

    def zeroed_columns(self, columns: Array) -> Array:
        """As they are."""
        return columns

    def choose(self, t: int, if_real: Sequence[Array], if_padded: Sequence[Any]) -> tuple[Array, ...]:
        """The first: step t is real."""
        return tuple(if_real)
