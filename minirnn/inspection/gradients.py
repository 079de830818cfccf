"""How far back gradients reach: the norm of dL/dh_t against t (Bengio, Simard & Frasconi 1994; Pascanu et al. 2013).

A loss at the last step only reaches h_t through T - t steps of the recurrence, and at each of them its gradient is
multiplied by the step's Jacobian, Uᵀ diag(φ') for the simple network:

    dL/dh_t = (∂h_{t+1}/∂h_t)ᵀ … (∂h_T/∂h_{T-1})ᵀ dL/dh_T

If these shrink vectors, the gradient vanishes exponentially in T - t; if they stretch them, it explodes. The memory of
an LSTM is multiplied by its forget gate instead, and where that is near 1 the gradient survives.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer
from minirnn.autograd.losses import cross_entropy
from minirnn.autograd.tensor import Tensor, grad, require_tensor
from minirnn.backend import to_host
from minirnn.errors import InputError
from minirnn.layers import Linear, Recurrent, detach
from minirnn.training import SGD, clip_grad_norm

Batch = tuple[Tensor, np.ndarray]


class Reach(NamedTuple):
    """Norms over a batch, for t = 1 … T. `h` is ‖dL/dh_t‖; `c` is ‖dL/dc_t‖ of the memory, None without one."""

    h: np.ndarray
    c: np.ndarray | None

    @property
    def ratio(self) -> float:
        """‖dL/dh_1‖ / ‖dL/dh_T‖."""
        return float(self.h[0] / self.h[-1])


def reach(layer: Recurrent, output: Linear, batch: Batch, truncate: int | None = None) -> Reach:
    """Measure how far back the gradient of a loss at the last step reaches.

    dL/dh_t is the whole gradient of h_t, along all roads to the loss. The layer is walked step by step, so that every
    h_t is a tensor of its own.

    Args:
        layer: one layer, from left to right.
        output: scores the classes from the last h.
        batch: the inputs (T, B, I) and the classes (B,).
        truncate: cut the gradient off before the last so many steps (truncated BPTT); None never cuts.

    Raises:
        InputError: the layer is deep or bidirectional, or `truncate` is not from 1 to T.
    """
    x, classes = batch
    if layer.num_layers > 1:
        raise InputError(f"expected a single layer, not {layer.num_layers}")
    require_tensor(x)
    if truncate is not None and not 1 <= integer("truncate", truncate, least=None) <= len(x):
        raise InputError(f"truncate must be between 1 and {len(x)} steps, not {truncate}")
    stepper, states = layer.stepper(x, None), []
    for t in range(len(x.data)):
        if truncate is not None and t == len(x.data) - truncate:
            stepper.states = [tuple(detach(s) for s in state) for state in stepper.states]
        stepper(Tensor(x.data[t]))
        states.append(stepper.states[0])
    loss = cross_entropy(output(stepper.output), classes)
    arrays = [list(array) for array in zip(*states, strict=True)][:2]
    found = [[_norm(d) for d in grad(loss, tensors)] for tensors in arrays]
    return Reach(np.array(found[0]), np.array(found[1]) if len(found) > 1 else None)


def _norm(gradient: np.ndarray | None) -> float:
    """0 where no gradient arrives; in float64, whose squares reach further down and up."""
    return 0.0 if gradient is None else float(np.linalg.norm(to_host(gradient).astype(np.float64)))


def weight_norms(
    layer: Recurrent, output: Linear, batch: Batch, *, steps: int, learning_rate: float, clip: float | None
) -> np.ndarray:
    """The norm of the gradient of all weights, before clipping, at each step of training by SGD on one batch.

    Args:
        layer, output, batch: as for `reach`; the weights are trained in place.
        steps: how many steps.
        learning_rate: η.
        clip: the largest norm that a step uses; None uses all of it.

    Returns:
        (steps,), nan from where training diverged.

    Raises:
        InputError: a number is out of its range.
    """
    x, classes = batch
    steps = integer("steps", steps)
    weights = {f"layer.{k}": p for k, p in layer.named_parameters().items()}
    weights |= {f"output.{k}": p for k, p in output.named_parameters().items()}
    optimizer, norms = SGD(weights, learning_rate), np.full(steps, np.nan)
    for step in range(steps):
        loss = cross_entropy(output(layer(x)[0][-1]), classes)
        optimizer.zero_grad()
        loss.backward()
        squares = [_norm(p.grad) ** 2 for p in weights.values()]
        norms[step] = np.sqrt(sum(squares))
        if not np.isfinite(norms[step]):
            break
        if clip is not None:
            clip_grad_norm(list(weights.values()), clip)
        optimizer.step()
    return norms
