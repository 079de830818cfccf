"""Optimisers, checkpoints, and the one training loop."""

from minirnn.training.captioning import Captioning
from minirnn.training.chatting import Chatting
from minirnn.training.checkpoint import load_checkpoint, save_checkpoint
from minirnn.training.drawing import Drawing
from minirnn.training.language_modeling import LanguageModeling
from minirnn.training.loop import Trainer
from minirnn.training.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Optimizer, RMSProp, clip_grad_norm
from minirnn.training.rewards import Rewards, named_reward
from minirnn.training.run import Run
from minirnn.training.translation import Translation

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "Captioning",
    "Chatting",
    "Drawing",
    "LanguageModeling",
    "Optimizer",
    "RMSProp",
    "Rewards",
    "Run",
    "Trainer",
    "Translation",
    "clip_grad_norm",
    "load_checkpoint",
    "named_reward",
    "save_checkpoint",
]
