"""Exercises about one step of the simplest recurrent network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.cells import bptt
from minirnn.cells.rnn import RNNCell
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import normal, squashed

CELL = RNNCell()


def _forward(x: np.ndarray, h_prev: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> tuple[Any, ...]:
    w = SimpleNamespace(W=W, U=U, b=b)
    (h,), _ = CELL.forward(w, bptt.input_products(CELL, w, x.T[None])[0], (h_prev,))
    return (h,)


RNN_FORWARD = Exercise(
    name="rnn-forward",
    title="One step of a simple recurrent network",
    text="""
        a   = W x_t + U h_{t-1} + b
        h_t = tanh(a)

        Each sequence of the batch is a column, so that W x is `W @ x` as in the textbook. b is the same for every
        sequence.
    """,
    inputs={
        "x": normal("D B", "x_t, the input"),
        "h_prev": squashed("H B", "h_{t-1}, what the network remembers"),
        "W": normal("H D", "the weights of the input"),
        "U": normal("H H", "the weights of the past"),
        "b": normal("H", "the bias"),
    },
    outputs={"h": ("H B", "h_t")},
    engine=_forward,
    equations="""
a = W @ x + U @ h_prev + b[:, None]
h = np.tanh(a)
""",
    sources=(RNNCell.forward, bptt.input_products),
    slips={
        "h = np.tanh(a)": {
            "h = sigmoid(a)": "h has σ where tanh belongs",
            "h = np.maximum(a, 0)": "h has relu where tanh belongs",
        },
    },
)


def _backward(
    dh: np.ndarray, x: np.ndarray, h_prev: np.ndarray, h: np.ndarray, W: np.ndarray, U: np.ndarray
) -> tuple[Any, ...]:
    w, da = SimpleNamespace(W=W, U=U, b=np.zeros(len(U))), np.empty_like(dh)
    (dh_prev,) = CELL.backward(w, h, (dh,), da)
    trace = bptt.Trace(x.T[None], np.stack([h_prev.T, h.T]), [h], None)  # type: ignore[arg-type]
    dx, dw = bptt.sums_over_time(CELL, w, da[:, None], trace, True)
    return da, dh_prev, dx[0].T, dw["W"], dw["U"], dw["b"]


RNN_BACKWARD = Exercise(
    name="rnn-backward",
    title="One step of a simple recurrent network, back",
    text="""
        Forward:   a = W x_t + U h_{t-1} + b      h_t = tanh(a)

        Back, from dh = dL/dh_t:

        da       = dh * tanh'(a)                  with tanh' = 1 - h_t²
        dh_{t-1} = Uᵀ da                          each unit of h_{t-1} reached all of a, through a column of U
        dx_t     = Wᵀ da
        dW = da x_tᵀ     dU = da h_{t-1}ᵀ         outer products, summed over the batch
        db = da, summed over the batch
    """,
    inputs={
        "dh": normal("H B", "dL/dh_t"),
        "x": normal("D B", "x_t, the input"),
        "h_prev": squashed("H B", "h_{t-1}"),
        "h": squashed("H B", "h_t = tanh(a)"),
        "W": normal("H D", "the weights of the input"),
        "U": normal("H H", "the weights of the past"),
    },
    outputs={
        "da": ("H B", "dL/da"),
        "dh_prev": ("H B", "dL/dh_{t-1}"),
        "dx": ("D B", "dL/dx_t"),
        "dW": ("H D", "dL/dW"),
        "dU": ("H H", "dL/dU"),
        "db": ("H", "dL/db"),
    },
    engine=_backward,
    equations="""
da = dh * (1 - h * h)
dh_prev = U.T @ da
dx = W.T @ da
dW = da @ x.T
dU = da @ h_prev.T
db = da.sum(axis=1)
""",
    sources=(RNNCell.backward, bptt.sums_over_time, bptt.weight_gradients),
    slips={
        "da @ h_prev.T": {
            "da @ h.T": (
                "dU is made with h where h_prev belongs: this is the gradient for h_t where h_{t-1} belongs, for U "
                "multiplied h_{t-1}"
            ),
            "(da @ h_prev.T).T": "dU lacks its transpose: this is dUᵀ, h_prev daᵀ and not da h_prevᵀ",
        },
        "dh * (1 - h * h)": {
            "dh * h * (1 - h)": "da has the slope of σ, h * (1 - h), where that of tanh belongs: 1 - h²",
        },
    },
)
