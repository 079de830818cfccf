"""Optimisers, checkpoints, and the one training loop."""

from minirnn.training import optimizers
from minirnn.training.callbacks import Callback
from minirnn.training.captioning import Captioning
from minirnn.training.chatting import Chatting
from minirnn.training.checkpoint import load_checkpoint, save_checkpoint
from minirnn.training.drawing import Drawing
from minirnn.training.language_modeling import LanguageModeling
from minirnn.training.loop import Trainer
from minirnn.training.optimizers import *  # noqa: F403
from minirnn.training.ranks import Ranks, data_parallel
from minirnn.training.rewards import Rewards, named_reward
from minirnn.training.run import Run
from minirnn.training.translation import Translation
from minirnn.training.weights import save

__all__ = [
    "Callback",
    "Captioning",
    "Chatting",
    "Drawing",
    "LanguageModeling",
    "Ranks",
    "Rewards",
    "Run",
    "Trainer",
    "Translation",
    "data_parallel",
    "load_checkpoint",
    "named_reward",
    "save",
    "save_checkpoint",
]
__all__ += optimizers.__all__
