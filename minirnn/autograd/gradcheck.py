"""Is a gradient right? Compare it, element by element, with finite differences.

A derivative is a limit of difference quotients, so any gradient can be checked by nudging every input and
watching the output. With float64 and the five-point formula

    f'(x) ≈ [8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))] / 12h        (error of order h⁴)

the two agree to about ten digits, so that a tolerance of 1e-6 leaves wrong gradients no place to hide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minirnn.autograd.recording import no_grad, recording
from minirnn.autograd.tensor import Tensor, grad
from minirnn.backend import Array, is_array
from minirnn.errors import InputError

STEP = 5e-4
FLOOR = 1e-3  # gradients smaller than this are compared absolutely: their difference quotient is mostly rounding


class GradcheckError(AssertionError):
    """A gradient disagrees with finite differences."""


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Array | Sequence[Tensor | ArrayLike] | Mapping[str, Tensor | ArrayLike],
    *,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> float:
    """Check the gradient of `function` with respect to every element of every input.

    The outputs are multiplied by random numbers before they are summed to the scalar that is differentiated. A
    plain sum would hide errors that cancel: the rows of a softmax sum to 1, so its gradient could be all zeros.

    Args:
        function: takes tensors and returns a tensor or a (nested) tuple of tensors; must be deterministic, and smooth
            within 0.001 of the inputs.
        inputs: float64 arrays or tensors, in the order of the function's arguments; a mapping gives them names, and one
            by itself counts as a list of one.
        tolerance: the largest relative error allowed, |a - n| / max(|a|, |n|, 1e-3).
        seed: of the random numbers.

    Returns:
        The largest relative error found.

    Raises:
        GradcheckError: names the input, the index of its worst element, both values, and whether a kink (such
            as relu at 0) is the likely cause.
        InputError: an input is not float64, or not an array on the CPU that can be changed; or inside no_grad().

        >>> x = np.array([0.5, -1.0, 2.0])
        >>> gradcheck(lambda x: x * x * x, x) < 1e-9
        True
    """
    if isinstance(inputs, Tensor) or is_array(inputs):
        inputs = [inputs]
    names = list(inputs) if isinstance(inputs, Mapping) else [f"input {i}" for i in range(len(inputs))]
    given = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)
    tensors = [x if isinstance(x, Tensor) else Tensor(np.array(x)) for x in given]
    for name, x in zip(names, tensors, strict=True):
        if x.dtype != np.float64:
            raise InputError(f"gradcheck needs float64, but {name} is {x.dtype}")
        if not isinstance(x.data, np.ndarray) or not x.data.flags.writeable:
            raise InputError(f"gradcheck needs arrays on the CPU that it can change for a moment; {name} is not one")
    if not recording.get():
        raise InputError("gradcheck inside no_grad() has no gradient to check")
    before = [(x.requires_grad, x.data.copy()) for x in tensors]
    try:
        return _check(function, tensors, names, tolerance, np.random.default_rng(seed))
    finally:
        for x, (required, data) in zip(tensors, before, strict=True):
            x.requires_grad = required
            x.data[...] = data


def _check(
    function: Callable[..., Any], tensors: list[Tensor], names: list[str], tolerance: float, rng: np.random.Generator
) -> float:
    """`gradcheck` on tensors that may be changed: the largest relative error, or GradcheckError."""
    for x in tensors:
        x.requires_grad = True
    outputs = _flatten(function(*tensors))
    cotangents = [rng.standard_normal(y.shape) for y in outputs]
    analytic = _analytic(outputs, cotangents, tensors)

    def difference(x: Tensor, index: Any, plus: float, minus: float) -> float:
        """L(x + plus) - L(x + minus), summed over the differences: small ones survive beside large outputs."""
        center = x.data[index]
        x.data[index] = center + plus
        # Copies, because an output may be a view of the input that is about to change again.
        after = [y.data.copy() for y in _flatten(function(*tensors))]
        x.data[index] = center + minus
        before = [y.data.copy() for y in _flatten(function(*tensors))]
        x.data[index] = center
        return sum(float(((a - b) * c).sum()) for a, b, c in zip(after, before, cotangents, strict=True))

    worst_overall = 0.0
    for name, x, dx in zip(names, tensors, analytic, strict=True):
        numeric = np.zeros(x.shape)
        with no_grad():
            for index in np.ndindex(x.shape):
                near, far = difference(x, index, STEP, -STEP), difference(x, index, 2 * STEP, -2 * STEP)
                numeric[index] = (8 * near - far) / (12 * STEP)
        if x.size == 0:
            continue
        error = np.abs(dx - numeric) / np.maximum(np.maximum(np.abs(dx), np.abs(numeric)), FLOOR)
        worst = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), x.shape)
        if not error[worst] <= tolerance:
            with no_grad():
                right = difference(x, worst, 2 * STEP, 0) / (2 * STEP)
                left = difference(x, worst, 0, -2 * STEP) / (2 * STEP)
            raise GradcheckError(_explain(name, worst, dx, numeric, error, right, left, tolerance))
        worst_overall = max(worst_overall, float(error[worst]))
    return worst_overall


def _analytic(outputs: list[Tensor], cotangents: list[np.ndarray], inputs: list[Tensor]) -> list[np.ndarray]:
    """The gradients of Σ cotangent · output, of all outputs together; zero where they do not depend on an input."""
    terms = [(y * cotangent).sum() for y, cotangent in zip(outputs, cotangents, strict=True) if y.requires_grad]
    if not terms:
        return [np.zeros(x.shape) for x in inputs]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return [np.zeros(x.shape) if dx is None else dx for x, dx in zip(inputs, grad(total, inputs), strict=True)]


def _flatten(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    return [tensor for item in outputs for tensor in _flatten(item)]


def _explain(name: str, index: Any, dx: Any, numeric: Any, error: Any, right: float, left: float, tol: float) -> str:
    where = f"{name}[{', '.join(str(int(i)) for i in index)}]" if index else name
    message = (
        f"gradient of {where}: backward gives {dx[index]:.9g}, finite differences {numeric[index]:.9g} "
        f"(relative error {error[index]:.1e}, allowed {tol:.1e}; {int((~(error <= tol)).sum())} of {error.size} wrong)"
    )
    # On a smooth function the two one-sided slopes differ by about 2h·f''; across a kink by a jump.
    if abs(right - left) > 100 * STEP * max(abs(right), abs(left), FLOOR):
        message += (
            f"; the slope jumps here from {left:.6g} on the left to {right:.6g} on the right: "
            "a kink (such as relu at 0) within the step is the likely cause"
        )
    return message
