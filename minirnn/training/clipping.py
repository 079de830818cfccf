"""Clipping: a limit to the length of a step, not to its direction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from minirnn.autograd.tensor import Tensor, require_tensor
from minirnn.backend import Array, array_module, device_of
from minirnn.errors import InputError

SAFE = 2.0**-30, 2.0**30
"""With the largest element between these, no square that counts is too large or too small for a float32."""


def clip_grad_norm(parameters: Mapping[str, Tensor] | Iterable[Tensor] | Tensor, max_norm: float) -> Array:
    """Scale all gradients down by one common factor so that their joint Euclidean norm is at most `max_norm`
    (Pascanu, Mikolov & Bengio 2013). The direction stays: only the length of the step is limited.

    Where the norm is infinite or not a number there is no direction to keep. The gradients stay as they are then, and
    the norm that is returned says so: skip the step, or let the loss of the next one show it.

    Args:
        parameters: one that is there twice, such as a tied weight, counts once; a frozen one does not count.
        max_norm: above 0; infinity only measures.

    Returns:
        The norm before clipping, as an array without axes on the parameters' device. (Nothing here waits for a GPU.)

    Raises:
        InputError: `max_norm` is not above 0, or there is no parameter.
        TypeError: something is not a parameter.

        >>> w = Parameter(np.array([3.0, 4.0]))
        >>> (w * w).sum().backward()
        >>> float(clip_grad_norm([w], 1.0)), w.grad.round(3).tolist()
        (10.0, [0.6, 0.8])
    """
    if not max_norm > 0:
        raise InputError(f"the clipping norm must be above 0, not {max_norm}")
    given = distinct(parameters).values()
    if not given:
        raise InputError("there are no parameters whose gradients could be clipped")
    gradients = [p.grad for p in given if p.grad is not None and p.requires_grad and p.size]
    if not gradients:
        return np.zeros(())
    clip = _clip_on_gpu if device_of(gradients[0]) == "gpu" else _clip_on_cpu
    return clip(gradients, float(max_norm))


def distinct(parameters: Mapping[str, Tensor] | Iterable[Tensor] | Tensor) -> dict[str, Tensor]:
    """Parameters by name, or else by number. One by itself is a list of one; to go over it would give its rows, tensors
    that nobody keeps. One that is there twice is there once: its gradient is the sum of all its uses already.

    Raises:
        TypeError: something is not a parameter, or is the result of an operation.
    """
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    is_model = hasattr(parameters, "parameters")  # which may be a list too, of modules
    if is_model or not isinstance(parameters, Iterable):
        kind = type(parameters).__name__
        how = ": give its parameters()" if is_model else ""
        raise TypeError(f"expected a list of parameters, not {kind}{how}")
    named = parameters.items() if isinstance(parameters, Mapping) else ((str(i), p) for i, p in enumerate(parameters))
    found: dict[int, tuple[str, Tensor]] = {}
    for name, p in named:
        require_tensor(p)
        if p.node is not None:
            raise TypeError(f"parameter {name} is the result of an operation: only what was made by itself is trained")
        found.setdefault(id(p), (name, p))
    return dict(found.values())


def _clip_on_cpu(gradients: list[np.ndarray], max_norm: float) -> Array:
    """The squares of a float32 overflow from 1.8e19 on and vanish below 1e-19, and the norm would be inf or 0. So where
    the largest element is extreme all are divided by it first; or rather by the power of two next to it, which rounds
    nothing."""
    with np.errstate(over="ignore"):
        norm, unit, ordinary = np.sqrt(sum(np.vdot(g, g) for g in gradients)), 1.0, True
    if not SAFE[0] <= norm <= SAFE[1]:
        largest = max(max(float(g.max()), -float(g.min())) for g in gradients)
        ordinary = SAFE[0] <= largest <= SAFE[1] or not 0 < largest < math.inf
    if not ordinary:
        unit = math.ldexp(1.0, math.frexp(largest)[1] - 1)
        norm = np.sqrt(sum(np.vdot(g, g) for g in [g / unit for g in gradients]))
    if max_norm / unit < float(norm) < math.inf:
        for g in gradients:
            if not ordinary:
                g /= unit
            g *= max_norm / norm
    return np.asarray(float(norm) * unit)


def _clip_on_gpu(gradients: list[Array], max_norm: float) -> Array:
    """As `_clip_on_cpu`, without a question that the host would have to wait for."""
    xp = array_module(gradients[0])
    largest = abs(xp.concatenate([g.reshape(-1) for g in gradients])).max()
    one = xp.ones_like(largest)
    size = xp.where(xp.isfinite(largest) & (largest > 0), largest, one)
    unit = xp.ldexp(one, xp.frexp(size)[1] - 1)
    norm = xp.sqrt(sum(xp.vdot(g, g) for g in (g / unit for g in gradients)))
    too_long = xp.isfinite(norm) & (norm > max_norm / unit)
    divisor, factor = xp.where(too_long, unit, one), xp.where(too_long, max_norm / norm, one)
    for g in gradients:
        g /= divisor
        g *= factor
    return norm.astype(np.float64) * unit
