"""The primitive operations, under one name.

Every function computes its value and hands `record` one pair for each input: the input, and how the
gradient `dy` of the output becomes the gradient of that input. Inputs are tensors, arrays or numbers; arrays
and numbers are constants. Operands of different floating dtypes are refused rather than promoted, so a
float32 model never turns into a float64 one unnoticed.

Here they are under one name. They are written in `arithmetic.py`, `elementwise.py`, `reductions.py`, `shapes.py`,
`pieces.py`, `einsum.py` and `losses.py`, and are called as in NumPy, whose functions they are.
"""

from minirnn.autograd.arithmetic import add, divide, matmul, multiply, negative, power, subtract
from minirnn.autograd.einsum import einsum
from minirnn.autograd.elementwise import (
    abs,
    clip,
    exp,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sqrt,
    tanh,
    where,
)
from minirnn.autograd.losses import log_softmax, softmax
from minirnn.autograd.operands import value, values
from minirnn.autograd.pieces import concatenate, getitem, split, stack, unstack
from minirnn.autograd.reductions import argmax, argmin, cumsum, max, mean, min, norm, prod, std, sum, var
from minirnn.autograd.shapes import (
    astype,
    broadcast_to,
    clone,
    contiguous,
    expand_dims,
    flatten,
    pad,
    reshape,
    squeeze,
    to,
    transpose,
    unsqueeze,
)

__all__ = [
    "abs",
    "add",
    "argmax",
    "argmin",
    "astype",
    "broadcast_to",
    "clip",
    "clone",
    "concatenate",
    "contiguous",
    "cumsum",
    "divide",
    "einsum",
    "exp",
    "expand_dims",
    "flatten",
    "getitem",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "norm",
    "pad",
    "power",
    "prod",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "tanh",
    "to",
    "transpose",
    "unsqueeze",
    "unstack",
    "value",
    "values",
    "var",
    "where",
]
