"""Exercises before there is time: slopes, the loss, and the table of embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from minirnn.autograd import ops
from minirnn.autograd.losses import cross_entropy
from minirnn.autograd.sequences import embedding
from minirnn.autograd.tensor import Tensor
from minirnn.backend import add_rows
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.given import Given, Sizes, normal


def _slopes(a_i: np.ndarray, a_g: np.ndarray, di: np.ndarray, dg: np.ndarray) -> tuple[Any, ...]:
    pre_i, pre_g = Tensor(a_i, requires_grad=True), Tensor(a_g, requires_grad=True)
    ops.sigmoid(pre_i).backward(di)
    ops.tanh(pre_g).backward(dg)
    return pre_i.grad, pre_g.grad


SLOPES = Exercise(
    name="slopes",
    title="Back through σ and tanh",
    text="""
        i = σ(a_i)        σ'(a)    = σ(a) * (1 - σ(a))
        g = tanh(a_g)     tanh'(a) = 1 - tanh(a)²

        A small change of a_i changes i by σ'(a_i) times as much, and i changes the loss L by di times as much:
        da_i = dL/da_i is the product of both, element by element. The same holds for g. Both slopes are written with
        the value that the function had, so that nothing needs to be computed twice.
    """,
    inputs={
        "a_i": normal("H B", "the pre-activation of a gate"),
        "a_g": normal("H B", "the pre-activation of a candidate"),
        "di": normal("H B", "dL/di, the gradient of the gate i = σ(a_i)"),
        "dg": normal("H B", "dL/dg, the gradient of the candidate g = tanh(a_g)"),
    },
    outputs={"da_i": ("H B", "dL/da_i"), "da_g": ("H B", "dL/da_g")},
    engine=_slopes,
    equations="""
i = sigmoid(a_i)
da_i = di * i * (1 - i)
g = np.tanh(a_g)
da_g = dg * (1 - g * g)
""",
    sources=(ops.sigmoid, ops.tanh),
    slips={
        "i * (1 - i)": {
            "a_i * (1 - a_i)": "da_i has a_i * (1 - a_i): σ' is i * (1 - i) with i = σ(a_i)",
        },
        "1 - g * g": {
            "1 - a_g * a_g": "da_g has 1 - a_g²: tanh' is 1 - g² with g = tanh(a_g)",
        },
    },
)


def _loss(logits: np.ndarray, targets: np.ndarray) -> tuple[Any, ...]:
    scores = Tensor(logits, requires_grad=True)
    loss = cross_entropy(scores, targets)
    loss.backward()
    return loss.data, scores.grad


def _shifted_logits(rng: np.random.Generator, shape: tuple[int, ...], sizes: Sizes) -> np.ndarray:
    """Softmax does not mind a number that is added to a whole row; exp does, from 710 on."""
    return rng.standard_normal(shape) + rng.choice([0, 800], size=(shape[0], 1))


SOFTMAX = Exercise(
    name="softmax-cross-entropy",
    title="Softmax with cross-entropy, and its gradient",
    text="""
        p_nv = exp(z_nv) / Σ_u exp(z_nu)              each row becomes probabilities
        L    = -1/N Σ_n log p_n,target(n)             the mean over the N rows, in nats

        dL/dz_nv = (p_nv - [v is target(n)]) / N      what it said, minus what it should have said

        exp(800) is more than a float can hold. Subtract from each row its largest logit first: p stays the same.
    """,
    inputs={
        "logits": Given("N V", "the scores z of V classes, in each of N rows", _shifted_logits),
        "targets": Given(
            "N", "the right class of each row, 0 to V-1", lambda rng, shape, sizes: rng.integers(0, sizes["V"], shape)
        ),
    },
    outputs={"loss": ("", "L, a single number"), "dlogits": ("N V", "dL/dz")},
    engine=_loss,
    equations="""
N, V = logits.shape
shifted = logits - logits.max(axis=1, keepdims=True)
e = np.exp(shifted)
p = e / e.sum(axis=1, keepdims=True)
loss = -np.log(p[np.arange(N), targets]).sum() / N
one_hot = np.eye(V)[targets]
dlogits = (p - one_hot) / N
""",
    sources=(cross_entropy,),
    slips={
        "e.sum(axis=1, keepdims=True)": {
            "e.sum(axis=0, keepdims=True)": (
                "softmax sums over the rows (axis 0): each row must sum to 1, over its V classes (axis 1)"
            ),
        },
        ").sum() / N": {
            ").sum()": "the loss is the sum over the rows, and their mean is asked for: divide by N",
        },
        "(p - one_hot) / N": {
            "p - one_hot": "dlogits is not divided by N: the loss is a mean over N rows",
            "(p - one_hot) / V": "dlogits is divided by V, the number of classes: it is the mean over the N rows",
            "(one_hot - p) / N": "dlogits has the wrong sign: it is p minus the one-hot target",
            "p * (1 - p) / N": (
                "dlogits is p * (1 - p), the diagonal of the softmax's own slopes: with the cross-entropy behind it, "
                "p minus the one-hot target is left"
            ),
            "-one_hot / p / N": "this is the gradient of p, dL/dp: it has still to go back through the softmax",
        },
        "np.log(": {
            "np.log2(": "the loss is in bits: take the natural logarithm",
        },
    },
    not_finite=(
        "exp of a large logit is infinite, so subtract the row's largest from all first (and the logarithm of a "
        "negative number is nan)"
    ),
)


def _embedding(ids: np.ndarray, dy: np.ndarray, V: int) -> tuple[Any, ...]:
    weight = Tensor(np.zeros((V, dy.shape[-1])), requires_grad=True)
    embedding(weight, ids).backward(dy)
    return (weight.grad,)


EMBEDDING = Exercise(
    name="embedding-backward",
    title="Back into a table of embeddings, where words occur more than once",
    text="""
        y_tb = row ids_tb of the table                 forward: each id takes its row

        dtable_v = Σ over all (t, b) with ids_tb = v of dy_tb

        A row that was taken three times has changed the loss in three ways, and its gradient is the sum of the three.
        A row that was never taken has gradient 0.
    """,
    inputs={
        "ids": Given(
            "T B", "whole numbers from 0 to V-1", lambda rng, shape, sizes: rng.integers(0, sizes["V"] - 1, shape)
        ),
        "dy": normal("T B E", "dL/dy, the gradient of what was taken"),
        "V": Given("", "how many rows the table has", lambda rng, shape, sizes: sizes["V"]),
    },
    outputs={"dtable": ("V E", "dL/dtable")},
    engine=_embedding,
    equations="""
dtable = np.zeros((V, dy.shape[2]))
for t in range(ids.shape[0]):
    for b in range(ids.shape[1]):
        dtable[ids[t, b]] += dy[t, b]
""",
    sources=(embedding, add_rows),
    slips={
        "+= dy[t, b]": {
            "= dy[t, b]": (
                "dtable is assigned where it should be added: an id that occurs twice keeps only one of its gradients"
                " (`dtable[ids] += dy` does that too: NumPy adds once for each id; np.add.at adds for each use)"
            ),
            "+= dy[t, b] / (ids == ids[t, b]).sum()": (
                "dtable has the mean over the uses of a row: each use adds its whole gradient"
            ),
            "+= dy[t, b] * (ids[t, b] not in ids[t, b + 1 :])": (
                "dtable adds over the steps, but an id that occurs twice in one step keeps only one of its gradients "
                "there: NumPy's `dtable[ids] += dy` adds once for each id, np.add.at once for each use"
            ),
            "+= dy[t, b] * (ids[t, b] not in ids[t + 1 :, b])": (
                "dtable adds over the batch, but an id that occurs twice in one sequence keeps only one of its "
                "gradients there: NumPy's `dtable[ids] += dy` adds once for each id, np.add.at once for each use"
            ),
        },
        "range(ids.shape[0])": {
            "range(ids.shape[0] - 1, ids.shape[0])": "dtable has only the last step: sum over the steps",
        },
        "range(ids.shape[1])": {
            "range(1)": "dtable has only the first sequence: sum over the batch",
        },
    },
)
