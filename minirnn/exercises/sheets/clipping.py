"""An exercise about clipping."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.autograd.tensor import Tensor
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import Given, Sizes, normal
from minirnn.training import clipping


def _clip(dW: np.ndarray, dU: np.ndarray, db: np.ndarray, max_norm: float) -> tuple[Any, ...]:
    parameters = [Tensor(np.zeros(g.shape), requires_grad=True) for g in (dW, dU, db)]
    for parameter, gradient in zip(parameters, (dW, dU, db), strict=True):
        parameter.grad = gradient.copy()
    norm = clipping.clip_grad_norm(parameters, max_norm)
    return norm, *(parameter.grad for parameter in parameters)


def _max_norm(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> float:
    """Below the norm of the gradients, or far above it."""
    return float(rng.choice([0.5, 100]) * rng.uniform(0.5, 2))


CLIP = Exercise(
    name="clip-norm",
    title="Clipping the norm of all gradients together",
    text="""
        norm = √(Σ over all elements of all gradients of g²)

        scale = min(1, max_norm / norm)

        All gradients are multiplied by scale: where norm > max_norm, their joint norm is then max_norm, and otherwise
        they stay as they are. It is one factor for all, so that the direction of the step stays.
        (minirnn does it in place. Here make new arrays.)
    """,
    inputs={
        "dW": normal("H D", "a gradient"),
        "dU": normal("H H", "another"),
        "db": normal("H", "and another"),
        "max_norm": Given("", "a number above 0, the most that the norm may be", _max_norm),
    },
    outputs={
        "norm": ("", "the norm before clipping, a single number"),
        "clipped_dW": ("H D", "dW after it"),
        "clipped_dU": ("H H", "dU after it"),
        "clipped_db": ("H", "db after it"),
    },
    engine=_clip,
    equations="""
norm = np.sqrt((dW * dW).sum() + (dU * dU).sum() + (db * db).sum())
scale = min(1.0, max_norm / norm)
clipped_dW = scale * dW
clipped_dU = scale * dU
clipped_db = scale * db
""",
    sources=(clipping.clip_grad_norm, clipping._clip_on_cpu),
    slips={
        "scale = min(1.0, max_norm / norm)": {
            "scale = max_norm / norm": (
                "gradients that are short enough are made longer: scale only where norm > max_norm"
            ),
            "scale = 1.0": "nothing is clipped: scale by max_norm / norm where norm > max_norm",
            "scale = min(1.0, 1 / norm)": "the factor is 1 / norm: it lacks max_norm",
            "scale = min(1.0, max_norm / norm ** 2)": (
                "the factor divides by the square of the norm: a square root is missing"
            ),
        },
        "scale * dW": {
            "np.clip(dW, -max_norm, max_norm)": (
                "clipped_dW is clipped element by element, which changes the direction: one factor for all belongs "
                "there"
            ),
            "dW * min(1.0, max_norm / np.sqrt((dW * dW).sum()))": (
                "clipped_dW is scaled by its own norm: the norm of all gradients together decides, and one factor is "
                "for all"
            ),
        },
        "scale * dU": {
            "np.clip(dU, -max_norm, max_norm)": (
                "clipped_dU is clipped element by element, which changes the direction: one factor for all belongs "
                "there"
            ),
            "dU * min(1.0, max_norm / np.sqrt((dU * dU).sum()))": (
                "clipped_dU is scaled by its own norm: the norm of all gradients together decides, and one factor is "
                "for all"
            ),
        },
        "scale * db": {
            "np.clip(db, -max_norm, max_norm)": (
                "clipped_db is clipped element by element, which changes the direction: one factor for all belongs "
                "there"
            ),
            "db * min(1.0, max_norm / np.sqrt((db * db).sum()))": (
                "clipped_db is scaled by its own norm: the norm of all gradients together decides, and one factor is "
                "for all"
            ),
        },
        "np.sqrt((dW * dW).sum() + (dU * dU).sum() + (db * db).sum())": {
            "sum(np.sqrt((g * g).sum()) for g in (dW, dU, db))": (
                "norm is the sum of the three norms: add the squares, and take one root of all"
            ),
            "sum(abs(g).sum() for g in (dW, dU, db))": (
                "norm is the sum of the absolute values: the root of the sum of the squares belongs there"
            ),
            "max(abs(g).max() for g in (dW, dU, db))": (
                "norm is the largest element: the root of the sum of the squares belongs there"
            ),
        },
    },
)
