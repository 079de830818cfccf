"""How a case of the catalogue is written down: from a stream of random numbers to a function and its inputs."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

DOUBLE: dict[str, Any] = {"dtype": np.float64}
Function = Callable[..., Any]
"""Of tensors: gives a tensor, or several."""
Inputs = dict[str, Any]
"""By name, in the order of the function's arguments."""
Recipe = Callable[[np.random.Generator], tuple[Function, Inputs]]
Draw = Callable[[np.random.Generator], np.ndarray]


def stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of one case. (Python's own `hash` of a name differs from process to process.)"""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def normal(*shape: int) -> Draw:
    """Standard normal."""
    return lambda rng: rng.standard_normal(shape)


def positive(*shape: int) -> Draw:
    """From 0.5 to 2."""
    return lambda rng: rng.uniform(0.5, 2, shape)


def fraction(*shape: int) -> Draw:
    """From 0.1 to 0.9."""
    return lambda rng: rng.uniform(0.1, 0.9, shape)


def apart(*shape: int) -> Draw:
    """No two elements nearer to one another than 0.1, so that it stays the same one that is the greatest."""
    return lambda rng: 0.1 * rng.permutation(np.prod(shape)).reshape(shape)


def away_from(kinks: tuple[float, ...], *shape: int) -> Draw:
    """From -3 to 9, no element nearer to a kink than 0.1: at a kink, finite differences follow neither slope."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        a = rng.uniform(-3, 9, shape)
        while (near := np.any([abs(a - kink) < 0.1 for kink in kinks], axis=0)).any():
            a = np.where(near, rng.uniform(-3, 9, shape), a)
        return a

    return draw


def recipe(function: Function, **inputs: Draw) -> Recipe:
    """A function as it is, of inputs to be drawn."""
    return lambda rng: (function, {name: draw(rng) for name, draw in inputs.items()})


def module_recipe(make: Callable[[np.random.Generator], Any], call: Function | None = None, **inputs: Draw) -> Recipe:
    """A module, by its inputs and all its parameters; `call(module, *inputs)` says how, if it is not simply called."""

    def build(rng: np.random.Generator) -> tuple[Function, Inputs]:
        module = make(rng)
        given = {name: draw(rng) for name, draw in inputs.items()}
        function = module if call is None else partial(call, module)
        return lambda *tensors: function(*tensors[: len(given)]), {**given, **module.named_parameters()}

    return build
