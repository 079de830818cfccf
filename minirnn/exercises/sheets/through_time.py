"""Exercises about time: two sources of a gradient, sums over steps, and truncation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.backend import Array
from minirnn.cells import bptt
from minirnn.cells.cell import State, Weights
from minirnn.cells.padding import PaddingMask
from minirnn.cells.rnn import RNNCell
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import Given, normal, squashed
from minirnn.layers.recurrent import detach


class Watched(RNNCell):
    """A simple recurrent network that remembers which dh each step was given on the way back."""

    variants = {}

    def __init__(self) -> None:
        self.dhs: list[Array] = []

    def backward(self, w: Weights, kept: Any, dstate: State, da: Array) -> State:
        """As of every cell."""
        self.dhs.insert(0, dstate[0])
        return super().backward(w, kept, dstate, da)


def _back_through_time(d_output: np.ndarray, hs: np.ndarray, U: np.ndarray) -> tuple[Any, ...]:
    """dh of all steps, dh before the first, and dU, from hs (T+1, H, B) and no gradient behind the last step."""
    cell, (T, H, B) = Watched(), d_output.shape
    w = SimpleNamespace(W=np.zeros((H, 1)), U=U, b=np.zeros(H))
    x, rows = np.zeros((T, B, 1)), hs.transpose(0, 2, 1)
    trace = bptt.Trace(x, rows, list(hs[1:]), PaddingMask(None, x))
    _, dw, (d_initial,) = bptt.backward_through_time(cell, w, trace, d_output.transpose(0, 2, 1), (None,), False)
    return np.stack(cell.dhs), d_initial.T, dw["U"]


TWO_SOURCES = Exercise(
    name="two-sources",
    title="The gradient of h_t has two sources: from above and from the future",
    text="""
        h_t was used twice: as the output at time t, and as the input of step t+1. So two gradients add:

        dh_t = dh_from_above + dh_from_future          from_above is d_output_t
        da_t = dh_t * (1 - h_t²)
        dh_from_future = Uᵀ da_t                       for step t-1; behind the last step it is 0

        The steps are walked from the last to the first. What goes back from the first is dL/dh_0.
    """,
    inputs={
        "d_output": normal("T H B", "what the loss says about each h_t directly"),
        "hs": squashed("T H B", "h_t of each step"),
        "U": normal("H H", "the weights of the past"),
    },
    outputs={
        "dh": ("T H B", "dL/dh_t of each step, from both sources"),
        "dh_initial": ("H B", "dL/dh_0, of the state before the first step"),
    },
    engine=lambda d_output, hs, U: _back_through_time(d_output, np.concatenate([hs[:1], hs]), U)[:2],
    equations="""
T = len(d_output)
dh = np.zeros(d_output.shape)
dh_from_future = np.zeros(d_output[0].shape)
for t in reversed(range(T)):
    dh[t] = d_output[t] + dh_from_future
    da = dh[t] * (1 - hs[t] * hs[t])
    dh_from_future = U.T @ da
dh_initial = dh_from_future
""",
    sources=(bptt.backward_through_time, RNNCell.backward),
    slips={
        "d_output[t] + dh_from_future": {
            "d_output[t]": "dh lacks the source dh_from_future: what step t+1 sends back is not added",
            "(d_output[t] if t == T - 1 else 0) + dh_from_future": (
                "dh lacks the source d_output[t] in all steps but the last: what comes from above is not added"
            ),
        },
        "da = dh[t] *": {
            "da = d_output[t] *": "da is made from d_output alone where dh, the sum of both sources, belongs",
        },
        "dh_from_future = U.T @ da\n": {
            "dh_from_future = dh_from_future + U.T @ da\n": (
                "dh_from_future piles up: only step t+1 sends to step t, so it is assigned and not added"
            ),
        },
        "U.T @ da\n": {
            "U.T @ dh[t]\n": "dh_from_future is made from dh where da belongs: it skips tanh",
        },
        "dh_initial = dh_from_future": {
            "dh_initial = dh[0]": (
                "dh_initial is dh of the first step: it has still to go back through that step's tanh and U"
            ),
        },
        "(1 - hs[t] * hs[t])": {
            "(1 - hs[t - 1] * hs[t - 1])": "da has h_{t-1} where h_t belongs: hs[t] is what the tanh of step t gave",
        },
    },
)


def _sums(da: np.ndarray, xs: np.ndarray, hs: np.ndarray) -> tuple[Any, ...]:
    rows, before = xs.transpose(0, 2, 1), hs.transpose(0, 2, 1)
    trace = bptt.Trace(rows, before, list(hs[1:]), None)  # type: ignore[arg-type]
    w = SimpleNamespace(b=np.zeros(da.shape[1]))
    _, dw = bptt.sums_over_time(RNNCell(), w, np.ascontiguousarray(da.transpose(1, 0, 2)), trace, False)
    return dw["W"], dw["U"], dw["b"]


TIME_SUMS = Exercise(
    name="time-sums",
    title="The gradients of the weights are sums over time",
    text="""
        a_t = W x_t + U h_{t-1} + b at every step, with the same W, U and b. So each step adds its share:

        dW = Σ_t da_t x_tᵀ        dU = Σ_t da_t h_{t-1}ᵀ        db = Σ_t da_t, over the batch too

        hs begins with the state before the first step: hs[t] is what step t began with, and hs[t + 1] what it made of
        it (t from 0).
    """,
    inputs={
        "da": normal("T H B", "dL/da_t of each step"),
        "xs": normal("T D B", "x_t of each step"),
        "hs": squashed("T+1 H B", "the state before the first step, and after each"),
    },
    outputs={"dW": ("H D", "dL/dW"), "dU": ("H H", "dL/dU"), "db": ("H", "dL/db")},
    engine=_sums,
    equations="""
dW = np.zeros((da.shape[1], xs.shape[1]))
dU = np.zeros((da.shape[1], da.shape[1]))
db = np.zeros(da.shape[1])
for t in range(len(da)):
    dW += da[t] @ xs[t].T
    dU += da[t] @ hs[t].T
    db += da[t].sum(axis=1)
""",
    sources=(bptt.sums_over_time, bptt.weight_gradients, RNNCell.weight_gradients),
    slips={
        "dW +=": {
            "dW =": "dW is only the last step's outer product: sum over the steps (`+=`)",
        },
        "dU +=": {
            "dU =": "dU is only the last step's outer product: sum over the steps (`+=`)",
        },
        "db +=": {
            "db =": "db is only the last step's: sum over the steps (`+=`)",
        },
        "hs[t].T": {
            "hs[t + 1].T": "dU is made with h_t where h_{t-1} belongs: U multiplied hs[t], what the step began with",
        },
        "dU += da[t] @ hs[t].T": {
            "dU += hs[t] @ da[t].T": (
                "dU lacks its transpose: this is Σ h_{t-1} da_tᵀ, and Σ da_t h_{t-1}ᵀ belongs there"
            ),
            "dU += da[t] @ hs[t].T * (t > 0)": "dU lacks the first step, which began with hs[0]",
            "dU += da[t] @ hs[t].T / len(da)": "dU is the mean over the steps where the sum belongs",
        },
        "da[t].sum(axis=1)": {
            "da[t].mean(axis=1)": "db is the mean over the batch where the sum belongs",
        },
        "dW += da[t] @ xs[t].T": {
            "dW += da[t] @ xs[t].T / len(da)": "dW is the mean over the steps where the sum belongs",
        },
    },
)


def _truncated(d_output: np.ndarray, hs: np.ndarray, U: np.ndarray, k: int) -> tuple[Any, ...]:
    """Each stretch goes back on its own: the state is handed on, and no gradient comes back for it."""
    parts = [_back_through_time(d_output[t : t + k], hs[t : t + k + 1], U) for t in range(0, len(d_output), k)]
    return np.concatenate([dh for dh, _, _ in parts]), np.sum([dU for _, _, dU in parts], axis=0)


TRUNCATED = Exercise(
    name="truncated-bptt",
    title="Truncated backpropagation through time: what detach does",
    text="""
        The T steps are cut into stretches of k: steps 0 to k-1, k to 2k-1, … (the last may be shorter). The state goes
        on from one stretch to the next, but is detached there: its value goes on, and the way back ends.

        dh_t = d_output_t + dh_from_future             dh_from_future is 0 behind the last step of each stretch
        da_t = dh_t * (1 - h_t²)
        dU   = Σ_t da_t h_{t-1}ᵀ                       over all steps: the first of a stretch uses the detached h too
        dh_from_future = Uᵀ da_t                       for step t-1

        hs begins with the state before the first step: hs[t] is what step t began with, and hs[t + 1] what it made.
    """,
    inputs={
        "d_output": normal("T H B", "what the loss says about each h_t directly"),
        "hs": squashed("T+1 H B", "the state before the first step, and after each"),
        "U": normal("H H", "the weights of the past"),
        "k": Given("", "how many steps a stretch has", lambda rng, shape, sizes: int(rng.integers(2, sizes["T"]))),
    },
    outputs={"dh": ("T H B", "dL/dh_t of each step"), "dU": ("H H", "dL/dU")},
    engine=_truncated,
    equations="""
T = len(d_output)
dh = np.zeros(d_output.shape)
dU = np.zeros(U.shape)
dh_from_future = np.zeros(d_output[0].shape)
for t in reversed(range(T)):
    if (t + 1) % k == 0:
        dh_from_future = np.zeros(d_output[0].shape)
    dh[t] = d_output[t] + dh_from_future
    da = dh[t] * (1 - hs[t + 1] * hs[t + 1])
    dU += da @ hs[t].T
    dh_from_future = U.T @ da
""",
    sources=(detach, bptt.backward_through_time),
    slips={
        "if (t + 1) % k == 0:": {
            "if False:": (
                "nothing is cut: the gradient goes back through all steps, and it must end where a stretch begins"
            ),
            "if t % k == 0:": (
                "the cut is one step off: it lies behind the last step of a stretch, where t + 1 is a multiple of k"
            ),
            "if (T - 1 - t) % k == 0:": (
                "the stretches are counted from the end: the first begins at step 0, and the last may be shorter"
            ),
        },
        "dU += da": {
            "dU = da": "dU is only one step's outer product: sum over the steps (`+=`)",
        },
        "dU += da @ hs[t].T": {
            "dU += da @ hs[t].T * (t % k > 0)": (
                "dU lacks the first step of each stretch: the detached state is a constant there, but U multiplied it"
                " all the same"
            ),
            "dU += da @ hs[t].T * (t >= (T - 1) // k * k)": "dU has only the last stretch: sum over all of them",
            "dU += da @ hs[t + 1].T": "dU is made with h_t where h_{t-1} belongs",
        },
        "hs[t + 1] * hs[t + 1]": {
            "hs[t] * hs[t]": "da has h_{t-1} where h_t belongs: hs[t + 1] is what the tanh of step t gave",
        },
        "    dh[t] = d_output[t] + dh_from_future": {
            "    dh[t] = d_output[t]": (
                "dh lacks the source dh_from_future: within a stretch, what step t+1 sends back is added"
            ),
        },
    },
)
