"""Layers: things with weights."""

from minirnn.layers.activations import ELU, LeakyReLU, PReLU, ReLU, ReLU6, RReLU, Sigmoid, Tanh
from minirnn.layers.adaptive_softmax import AdaptiveSoftmax
from minirnn.layers.attention import SCORES, Attention, Score
from minirnn.layers.basic import Dropout, Embedding, LayerNorm, Linear
from minirnn.layers.containers import ModuleDict, ModuleList, Sequential
from minirnn.layers.convolution import AvgPool2d, Conv2d, MaxPool2d
from minirnn.layers.module import Module
from minirnn.layers.named_recurrent import GRU, LSTM, RNN
from minirnn.layers.recurrent import Recurrent, detach

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "SCORES",
    "AdaptiveSoftmax",
    "Attention",
    "AvgPool2d",
    "Conv2d",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Recurrent",
    "Score",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "detach",
]
