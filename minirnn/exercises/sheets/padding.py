"""An exercise about sequences of different lengths."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.cells import bptt
from minirnn.cells.padding import PaddingMask
from minirnn.cells.rnn import RNNCell
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import Given, Sizes, normal, squashed


def _masked(
    xs: np.ndarray, lengths: np.ndarray, h_initial: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray
) -> tuple[Any, ...]:
    x = xs.transpose(0, 2, 1)
    w = SimpleNamespace(W=W, U=U, b=b)
    output, (h,), _ = bptt.forward_through_time(RNNCell(), w, x, (h_initial.T,), PaddingMask(lengths, x))
    return output.transpose(0, 2, 1), h.T


def _lengths(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    """One sequence as long as the batch, one of a single step, and others."""
    lengths = rng.integers(1, sizes["T"] + 1, shape)
    lengths[:2] = sizes["T"], 1
    return rng.permutation(lengths)


MASKED = Exercise(
    name="masked-loop",
    title="Sequences of different lengths: padding must change nothing",
    text="""
        h = tanh(W x_t + U h + b)     where step t is real: t < length
        h stays as it is              where it is padding

        The output is h at real steps and 0 on padding. The final state of a sequence is thus the one after its last
        real step, as if the sequence had been alone.
    """,
    inputs={
        "xs": normal("T D B", "x_t of each step; whatever stands on the padding must not matter"),
        "lengths": Given("B", "how many steps of each sequence are real, 1 to T", _lengths),
        "h_initial": squashed("H B", "the state before the first step"),
        "W": normal("H D", "the weights of the input"),
        "U": normal("H H", "the weights of the past"),
        "b": normal("H", "the bias"),
    },
    outputs={
        "output": ("T H B", "h at each step, 0 on padding"),
        "h_final": ("H B", "the state after the last real step of each sequence"),
    },
    engine=_masked,
    equations="""
T = len(xs)
h = h_initial
output = np.zeros((T, *h_initial.shape))
for t in range(T):
    a = W @ xs[t] + U @ h + b[:, None]
    new = np.tanh(a)
    h = np.where(t < lengths, new, h)
    output[t] = np.where(t < lengths, h, 0)
h_final = h
""",
    sources=(bptt.forward_through_time, PaddingMask),
    slips={
        "h = np.where(t < lengths, new, h)": {
            "h = new": "the mask is forgotten in the state: on padding, h must stay as it is",
            "h = np.where(t < lengths, new, 0)": (
                "h_final is 0 where the last step is padding: there the state must stay as it is, and it is the state"
                " that is asked for, not the last output"
            ),
        },
        "np.where(t < lengths, h, 0)": {
            "h": "the mask is forgotten in the output: it must be 0 on padding",
        },
        "t < lengths": {
            "t <= lengths": (
                "the mask is one step too long: `t <= lengths` where `t < lengths` belongs, as t begins with 0"
            ),
            "t >= lengths": "the mask is the wrong way round: step t is real where t < lengths",
            "t > lengths": "the mask is the wrong way round: step t is real where t < lengths",
            "t < lengths - 1": "the mask is one step too short: step t is real where t < lengths",
        },
        "U @ h +": {
            "U @ h_initial +": "every step starts from h_initial: it must go on from the step before",
        },
        "h_final = h": {
            "h_final = new": "h_final is what the last step made, also where that was padding",
        },
    },
)
