"""A gradient that waits: the sum of what many uses of one tensor send back, kept as its summands until it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minirnn.backend import Array, array_module
from minirnn.parallel import product


class Pending:
    """A gradient that is a sum, kept as its summands until somebody needs the sum.

    A weight that is used at every step of a loop receives T summands dy_t x_tᵀ, each of the size of the weight. Adding
    them up one by one would move that much memory T times; collected first, they are one product of all the rows.

    Args:
        parts: the summands, in whatever form `total` takes them.
        total: from the collected parts of all summands to the gradient.
        shape: of the gradient.
        kind: only summands of the same kind are collected together.
    """

    __slots__ = ("kind", "parts", "shape", "total")
    __array_ufunc__ = None  # so that array + Pending asks Pending.__radd__

    def __init__(self, parts: list, total: Callable[[list], Any], shape: tuple[int, ...], kind: Any):
        self.parts, self.total, self.shape, self.kind = parts, total, shape, kind

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Pending) and other.kind == self.kind:
            return Pending(self.parts + other.parts, self.total, self.shape, self.kind)
        return settle(self) + settle(other)

    __radd__ = __add__


def settle(gradient: Any) -> Any:
    """The gradient as an array. (Of a `Stepper`'s token it is a list: what its steps have left for the node behind.)"""
    return gradient.total(gradient.parts) if isinstance(gradient, Pending) else gradient


def pending_product(a: Array, b: Array) -> Any:
    """aᵀ b for a (rows, n) and b (rows, m): at once where there are many rows, else `Pending`, to collect more."""
    if len(a) >= min(a.shape[1], b.shape[1]):
        return product(a.T, b)

    def total(parts: list) -> Array:
        xp = array_module(parts[0][0])
        return product(xp.concatenate([a for a, _ in parts]).T, xp.concatenate([b for _, b in parts]))

    return Pending([(a, b)], total, (a.shape[1], b.shape[1]), "product")
