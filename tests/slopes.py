"""Slopes of a loss by the weights of a whole model."""

import pytest


def assert_slopes(loss, parameter, rng, name):
    """The gradient in random directions. (So short a step meets no kink of a ReLU, as one of `gradcheck` would.)"""
    value, step = parameter.data, 1e-6
    for _ in range(3):
        direction = rng.standard_normal(value.shape)
        losses = []
        for sign in (1, -1):
            parameter.data = value + sign * step * direction
            losses.append(loss().item())
        parameter.data = value
        slope = (losses[0] - losses[1]) / (2 * step)
        expected = float((parameter.grad * direction).sum())
        assert slope == pytest.approx(expected, rel=1e-5, abs=2e-9), name
