"""Layers: things with weights."""

from minirnn.layers.attention import SCORES, Attention
from minirnn.layers.basic import Dropout, Embedding, Linear
from minirnn.layers.module import Module
from minirnn.layers.recurrent import GRU, LSTM, RNN, Recurrent, detach

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SCORES",
    "Attention",
    "Dropout",
    "Embedding",
    "Linear",
    "Module",
    "Recurrent",
    "detach",
]
