"""Reverse-mode automatic differentiation: the tape, the primitives, and the check of their gradients."""

from minirnn.autograd import activations, functional, ops
from minirnn.autograd.functional import dropout, linear
from minirnn.autograd.gradcheck import GradcheckError, gradcheck
from minirnn.autograd.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    mse_loss,
    nll_loss,
    softmax,
)
from minirnn.autograd.recording import no_grad
from minirnn.autograd.sequences import embedding, one_hot
from minirnn.autograd.tensor import Parameter, Tensor, grad

__all__ = [
    "GradcheckError",
    "Parameter",
    "Tensor",
    "activations",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "functional",
    "grad",
    "gradcheck",
    "linear",
    "log_softmax",
    "mse_loss",
    "nll_loss",
    "no_grad",
    "one_hot",
    "ops",
    "softmax",
]
