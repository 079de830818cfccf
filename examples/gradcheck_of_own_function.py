"""Check the gradient of a function of one's own: composed of operations, or an operation with its gradient by hand.

Prints:

    composed: largest relative error below 1e-8: True
    by hand:  largest relative error below 1e-8: True
    both:     largest relative error below 1e-8: True
    gradient of x[0, 0]: backward gives 0.0019..., finite differences 0.0059...
"""

import numpy as np

from minirnn import GradcheckError, Tensor, exp, gradcheck, softmax
from minirnn.autograd.recording import record


def swish(x: Tensor, beta: Tensor) -> Tensor:
    """x σ(β x), composed of operations, which know their gradients."""
    return x / (1 + exp(-beta * x))


def cube(x: Tensor) -> Tensor:
    """x³ as an operation of its own: its value, and beside it dL/dx for a given dL/dy."""
    value = x.data
    return record(value**3, (x, lambda dy: dy * 3 * value**2))


def wrong_cube(x: Tensor) -> Tensor:
    """The factor is forgotten."""
    value = x.data
    return record(value**3, (x, lambda dy: dy * value**2))


def main() -> None:
    """float64, for finite differences need its digits."""
    rng = np.random.default_rng(0)
    x, beta = rng.standard_normal((2, 3)), np.array(0.7)
    errors = {
        "composed:": gradcheck(swish, {"x": x, "beta": beta}),
        "by hand:": gradcheck(cube, x),
        "both:": gradcheck(lambda x: softmax(cube(x)), [x]),
    }
    for name, error in errors.items():
        print(f"{name:9} largest relative error below 1e-8: {error < 1e-8}")
    try:
        gradcheck(wrong_cube, {"x": x})
    except GradcheckError as found:
        print(found)


if __name__ == "__main__":
    main()
