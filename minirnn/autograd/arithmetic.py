"""Arithmetic: sums, products, quotients, powers and matrix products."""

from __future__ import annotations

import numpy as np

from minirnn.autograd.operands import value, values
from minirnn.autograd.recording import record
from minirnn.autograd.tensor import Operand, Tensor
from minirnn.backend import Array
from minirnn.parallel import product


def add(a: Operand, b: Operand) -> Tensor:
    """a + b, broadcast."""
    x, y = values(a, b)
    return record(x + y, (a, lambda dy: dy), (b, lambda dy: dy))


def subtract(a: Operand, b: Operand) -> Tensor:
    """a - b, broadcast."""
    x, y = values(a, b)
    return record(x - y, (a, lambda dy: dy), (b, lambda dy: -dy))


def multiply(a: Operand, b: Operand) -> Tensor:
    """a * b, elementwise and broadcast."""
    x, y = values(a, b)
    return record(x * y, (a, lambda dz: dz * y), (b, lambda dz: dz * x))


def divide(a: Operand, b: Operand) -> Tensor:
    """a / b, elementwise and broadcast."""
    x, y = values(a, b)
    quotient = x / y
    return record(quotient, (a, lambda dq: dq / y), (b, lambda dq: -dq * quotient / y))


def negative(a: Tensor) -> Tensor:
    """-a."""
    return record(-value(a), (a, lambda dy: -dy))


def power(a: Tensor, exponent: float) -> Tensor:
    """a ** exponent, for a constant exponent."""
    if isinstance(exponent, Tensor) or not np.isscalar(exponent):
        raise TypeError("the exponent must be a number; for a tensor exponent write exp(b * log(a))")
    x, n = value(a), float(exponent)  # type: ignore[arg-type]
    return record(x**n, (a, lambda dy: dy * (n * x ** (n - 1) if n else 0.0)))  # 0 · x⁻¹ would be nan at 0


def matmul(a: Operand, b: Operand) -> Tensor:
    """The matrix product a @ b of (…, n, k) and (…, k, m), broadcast over the leading axes; either may be a
    vector (k,), as for NumPy."""
    x, y = values(a, b)
    z = product(x, y)
    X = x[None, :] if x.ndim == 1 else x  # a vector is a row on the left, a column on the right
    Y = y[:, None] if y.ndim == 1 else y
    batch = z.shape[: z.ndim - (x.ndim > 1) - (y.ndim > 1)]

    def as_matrix(dz: Array) -> Array:
        return dz.reshape(*batch, X.shape[-2], Y.shape[-1])

    def by_a(dz: Array) -> Array:
        dX = product(as_matrix(dz), Y.swapaxes(-1, -2))
        return dX[..., 0, :] if x.ndim == 1 else dX

    def by_b(dz: Array) -> Array:
        dY = product(X.swapaxes(-1, -2), as_matrix(dz))
        return dY[..., 0] if y.ndim == 1 else dY

    return record(z, (a, by_a), (b, by_b))
