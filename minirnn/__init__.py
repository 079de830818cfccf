"""minirnn: recurrent networks from scratch, on NumPy and on CuPy.

The names here are the public ones. To read the source, start in `minirnn/cells/`.
"""

from minirnn.autograd import (
    GradcheckError,
    Parameter,
    Tensor,
    cross_entropy,
    dropout,
    embedding,
    functional,
    grad,
    gradcheck,
    linear,
    log_softmax,
    no_grad,
    one_hot,
    ops,
    softmax,
)
from minirnn.cells import CELL_NAMES, Cell, make_cell, unroll
from minirnn.data import Vocabulary, random_batches, sequential_batches
from minirnn.decoding import generate, greedy, sampler
from minirnn.errors import DeviceError, InputError, MinirnnError, NonFiniteLossError
from minirnn.layers import GRU, LSTM, RNN, Dropout, Embedding, Linear, Module, Recurrent, detach
from minirnn.metrics import perplexity
from minirnn.models import LanguageModel
from minirnn.training import (
    SGD,
    Adam,
    AdamW,
    LanguageModeling,
    RMSProp,
    Run,
    Trainer,
    clip_grad_norm,
    load_checkpoint,
    save_checkpoint,
)

__version__ = "0.1.0"

__all__ = [
    "CELL_NAMES",
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AdamW",
    "Cell",
    "DeviceError",
    "Dropout",
    "Embedding",
    "GradcheckError",
    "InputError",
    "LanguageModel",
    "LanguageModeling",
    "Linear",
    "MinirnnError",
    "Module",
    "NonFiniteLossError",
    "Parameter",
    "RMSProp",
    "Recurrent",
    "Run",
    "Tensor",
    "Trainer",
    "Vocabulary",
    "clip_grad_norm",
    "cross_entropy",
    "detach",
    "dropout",
    "embedding",
    "functional",
    "generate",
    "grad",
    "gradcheck",
    "greedy",
    "linear",
    "load_checkpoint",
    "log_softmax",
    "make_cell",
    "no_grad",
    "one_hot",
    "ops",
    "perplexity",
    "random_batches",
    "sampler",
    "save_checkpoint",
    "sequential_batches",
    "softmax",
    "unroll",
]
