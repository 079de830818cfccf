"""Exercises about cells with gates: GRU and LSTM."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from minirnn.cells import bptt
from minirnn.cells.gru import GRUCell
from minirnn.cells.lstm import LSTMCell
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import gate, normal, squashed


def _gru_backward(
    dh: np.ndarray,
    h_prev: np.ndarray,
    r: np.ndarray,
    z: np.ndarray,
    n: np.ndarray,
    U_r: np.ndarray,
    U_z: np.ndarray,
    U_n: np.ndarray,
) -> tuple[Any, ...]:
    cell, da = GRUCell(), np.empty((3 * len(dh), dh.shape[1]))
    kept = (r, z, n, r * h_prev, h_prev)
    (dh_prev,) = cell.backward(SimpleNamespace(U=np.concatenate([U_r, U_z, U_n])), kept, (dh,), da)
    dU_r, dU_z, dU_n = np.split(cell.weight_gradients(da, h_prev.T, [kept])["U"], 3)
    da_r, da_z, da_n = np.split(da, 3)
    return da_z, da_n, da_r, dh_prev, dU_r, dU_z, dU_n


GRU_BACKWARD = Exercise(
    name="gru-backward",
    title="One step of a gated recurrent unit, back",
    text="""
        Forward (z = 1 keeps the past, as in PyTorch; the reset gate stands before the product, as in the paper):

        r = σ(a_r)        a_r = W_r x_t + U_r h_{t-1} + b_r
        z = σ(a_z)        a_z = W_z x_t + U_z h_{t-1} + b_z
        n = tanh(a_n)     a_n = W_n x_t + U_n s + b_n           with s = r * h_{t-1}
        h_t = z * h_{t-1} + (1-z) * n

        Back, from dh = dL/dh_t. h_{t-1} is reached by four roads, so its gradient has four terms:

        dz = dh * (h_{t-1} - n)       da_z = dz * z * (1-z)
        dn = dh * (1-z)               da_n = dn * (1 - n²)
        ds = U_nᵀ da_n
        dr = ds * h_{t-1}             da_r = dr * r * (1-r)
        dh_{t-1} = z * dh + r * ds + U_rᵀ da_r + U_zᵀ da_z
        dU_r = da_r h_{t-1}ᵀ          dU_z = da_z h_{t-1}ᵀ      dU_n = da_n sᵀ
    """,
    inputs={
        "dh": normal("H B", "dL/dh_t"),
        "h_prev": squashed("H B", "h_{t-1}"),
        "r": gate("H B", "the reset gate"),
        "z": gate("H B", "the update gate"),
        "n": squashed("H B", "the candidate"),
        "U_r": normal("H H", "the weights of the past in r"),
        "U_z": normal("H H", "the weights of the past in z"),
        "U_n": normal("H H", "the weights of the past in n"),
    },
    outputs={
        "da_z": ("H B", "dL/da_z"),
        "da_n": ("H B", "dL/da_n"),
        "da_r": ("H B", "dL/da_r"),
        "dh_prev": ("H B", "dL/dh_{t-1}"),
        "dU_r": ("H H", "dL/dU_r"),
        "dU_z": ("H H", "dL/dU_z"),
        "dU_n": ("H H", "dL/dU_n"),
    },
    engine=_gru_backward,
    equations="""
s = r * h_prev
dz = dh * (h_prev - n)
da_z = dz * z * (1 - z)
dn = dh * (1 - z)
da_n = dn * (1 - n * n)
ds = U_n.T @ da_n
dr = ds * h_prev
da_r = dr * r * (1 - r)
dh_prev = z * dh + r * ds + U_r.T @ da_r + U_z.T @ da_z
dU_r = da_r @ h_prev.T
dU_z = da_z @ h_prev.T
dU_n = da_n @ s.T
""",
    sources=(GRUCell.backward, GRUCell.weight_gradients),
    slips={
        "z * dh +": {
            "(1 - z) * dh +": "z points the other way here: z = 1 keeps the past, so dh_prev has z * dh",
        },
        "dh * (h_prev - n)": {
            "dh * (n - h_prev)": (
                "the sign of dz is wrong: h_t = z * h_prev + (1-z) * n, so dz is dh * (h_prev - n). (Other texts call"
                " z what is 1-z here)"
            ),
        },
        "dh_prev = z * dh + r * ds": {
            "dh_prev = z * dh + ds": (
                "dh_prev lacks the factor r of r * ds: h_prev reaches the candidate through the reset gate"
            ),
        },
        "dU_n = da_n @ s.T": {
            "dU_n = da_n @ h_prev.T": (
                "dU_n is made with h_prev where s = r * h_prev belongs: that is what U_n multiplied"
            ),
        },
    },
)


def _lstm_forward(
    x: np.ndarray, h_prev: np.ndarray, c_prev: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray
) -> tuple[Any, ...]:
    cell, w = LSTMCell(), SimpleNamespace(W=W, U=U, b=b)
    (h, c), _ = cell.forward(w, bptt.input_products(cell, w, x.T[None])[0], (h_prev, c_prev))
    return c, h


LSTM_FORWARD = Exercise(
    name="lstm-forward",
    title="One step of a long short-term memory",
    text="""
        a = W x_t + U h_{t-1} + b         of four gates below one another: rows 0 to H-1 are a_i, then a_f, a_g, a_o

        i = σ(a_i)                        how much to write
        f = σ(a_f)                        how much to keep
        g = tanh(a_g)                     what to write
        o = σ(a_o)                        how much to show
        c_t = f * c_{t-1} + i * g         the memory
        h_t = o * tanh(c_t)
    """,
    inputs={
        "x": normal("D B", "x_t, the input"),
        "h_prev": squashed("H B", "h_{t-1}"),
        "c_prev": normal("H B", "c_{t-1}, the memory"),
        "W": normal("4H D", "the weights of the input, in the order i, f, g, o"),
        "U": normal("4H H", "the weights of the past, in the same order"),
        "b": normal("4H", "the biases, in the same order"),
    },
    outputs={"c": ("H B", "c_t"), "h": ("H B", "h_t")},
    engine=_lstm_forward,
    equations="""
a = W @ x + U @ h_prev + b[:, None]
a_i, a_f, a_g, a_o = np.split(a, 4)
i = sigmoid(a_i)
f = sigmoid(a_f)
g = np.tanh(a_g)
o = sigmoid(a_o)
c = f * c_prev + i * g
h = o * np.tanh(c)
""",
    sources=(LSTMCell.forward, bptt.input_products),
    slips={
        "a_i, a_f, a_g, a_o =": {
            "a_i, a_f, a_o, a_g =": (
                "the gates are read in the order i, f, o, g: their rows are in the order i, f, g, o"
            ),
            "a_f, a_i, a_o, a_g =": (
                "the gates are read in the order f, i, o, g: their rows are in the order i, f, g, o"
            ),
            "a_i, a_g, a_f, a_o =": (
                "the gates are read in the order i, g, f, o: their rows are in the order i, f, g, o"
            ),
        },
        "c = f * c_prev + i * g": {
            "c = f * c_prev + (1 - f) * g": "c has 1 - f where i belongs: here the input gate is one of its own",
            "c = i * c_prev + f * g": (
                "i and f are the wrong way round: f keeps, i writes, and the rows of a are in the order i, f, g, o"
            ),
        },
        "h = o * np.tanh(c)": {
            "h = o * c": "h lacks tanh: it is o * tanh(c), as c is a sum over time and may be large",
        },
    },
)


def _lstm_backward(
    dh: np.ndarray,
    dc_from_future: np.ndarray,
    i: np.ndarray,
    f: np.ndarray,
    g: np.ndarray,
    o: np.ndarray,
    c_prev: np.ndarray,
    U: np.ndarray,
) -> tuple[Any, ...]:
    da = np.empty((4 * len(dh), dh.shape[1]))
    kept = (i, f, g, o, np.tanh(f * c_prev + i * g), c_prev)
    dh_prev, dc_prev = LSTMCell().backward(SimpleNamespace(U=U), kept, (dh, dc_from_future), da)
    da_i, da_f, da_g, da_o = np.split(da, 4)
    return da_o, da_i, da_f, da_g, dc_prev, dh_prev


LSTM_BACKWARD = Exercise(
    name="lstm-backward",
    title="One step of a long short-term memory, back",
    text="""
        Forward:  i = σ(a_i)   f = σ(a_f)   g = tanh(a_g)   o = σ(a_o)
                  c_t = f * c_{t-1} + i * g
                  h_t = o * tanh(c_t)

        Back, from dh = dL/dh_t and from dc_from_future, which step t+1 handed back. c_t was used twice, by h_t and by
        step t+1, so its gradient is a sum:

        do = dh * tanh(c_t)           da_o = do * o * (1-o)
        dc = dc_from_future + dh * o * (1 - tanh²(c_t))
        di = dc * g                   da_i = di * i * (1-i)
        df = dc * c_{t-1}             da_f = df * f * (1-f)
        dg = dc * i                   da_g = dg * (1 - g²)
        dc_{t-1} = dc * f
        dh_{t-1} = Uᵀ da              with da_i, da_f, da_g, da_o below one another
    """,
    inputs={
        "dh": normal("H B", "dL/dh_t"),
        "dc_from_future": normal("H B", "what step t+1 says about c_t"),
        "i": gate("H B", "the input gate"),
        "f": gate("H B", "the forget gate"),
        "g": squashed("H B", "the candidate"),
        "o": gate("H B", "the output gate"),
        "c_prev": normal("H B", "c_{t-1}"),
        "U": normal("4H H", "the weights of the past, in the order i, f, g, o"),
    },
    outputs={
        "da_o": ("H B", "dL/da_o"),
        "da_i": ("H B", "dL/da_i"),
        "da_f": ("H B", "dL/da_f"),
        "da_g": ("H B", "dL/da_g"),
        "dc_prev": ("H B", "dL/dc_{t-1}"),
        "dh_prev": ("H B", "dL/dh_{t-1}"),
    },
    engine=_lstm_backward,
    equations="""
c = f * c_prev + i * g
tanh_c = np.tanh(c)
do = dh * tanh_c
da_o = do * o * (1 - o)
dc = dc_from_future + dh * o * (1 - tanh_c * tanh_c)
di = dc * g
da_i = di * i * (1 - i)
df = dc * c_prev
da_f = df * f * (1 - f)
dg = dc * i
da_g = dg * (1 - g * g)
dc_prev = dc * f
da = np.concatenate([da_i, da_f, da_g, da_o])
dh_prev = U.T @ da
""",
    sources=(LSTMCell.backward,),
    slips={
        "dc = dc_from_future + dh * o * (1 - tanh_c * tanh_c)": {
            "dc = dh * o * (1 - tanh_c * tanh_c)": (
                "dc lacks the term dc_from_future: c_t was used twice, by h_t and by step t+1"
            ),
            "dc = dc_from_future": "dc lacks the term dh * o * (1 - tanh_c²): h_t uses c_t too",
        },
        "dc_prev = dc * f": {
            "dc_prev = dc": "dc_prev lacks the factor f: on its way back c is multiplied by the forget gate",
            "dc_prev = dc_from_future * f": (
                "dc_prev is made from dc_from_future where dc, the sum of both sources, belongs"
            ),
        },
        "do = dh * tanh_c": {
            "do = dh * np.tanh(c_prev)": (
                "da_o is made with tanh(c_prev) where tanh(c) belongs: o was multiplied by what step t shows, c_t"
            ),
        },
        "dg = dc * i": {
            "dg = dc * g": "da_g is made with dc * g where dc * i belongs: in c_t = … + i * g the factor beside g is i",
        },
        "df = dc * c_prev": {
            "df = dc * c": "da_f is made with c where c_prev belongs: this is the value for c_t where c_{t-1} belongs",
        },
        "[da_i, da_f, da_g, da_o]": {
            "[di, df, dg, do]": (
                "dh_prev is made from the gradients of the gates where those of their pre-activations, da_i, da_f, "
                "da_g, da_o, belong"
            ),
            "[da_i, da_f, da_o, da_g]": (
                "dh_prev has da in the order da_i, da_f, da_o, da_g: the rows of U are in the order i, f, g, o"
            ),
            "[da_f, da_i, da_g, da_o]": (
                "dh_prev has da in the order da_f, da_i, da_g, da_o: the rows of U are in the order i, f, g, o"
            ),
            "[da_o, da_i, da_f, da_g]": (
                "dh_prev has da in the order da_o, da_i, da_f, da_g: the rows of U are in the order i, f, g, o"
            ),
        },
    },
)
