"""What `minirnn train` can be told of rewards, for the tasks whose models write sentences."""

from __future__ import annotations

from minirnn.runs.options import Options, number
from minirnn.training.rewards import BASELINES, CONTROLS, ESTIMATORS, REWARDS

OPTIONS: Options = {
    "reward": (None, {"choices": REWARDS, "help": "with --from: train on what whole sentences are worth"}),
    "estimator": ("reinforce", {"choices": ESTIMATORS, "help": "of the reward's gradient; risk: minimum risk"}),
    "baseline": ("greedy", {"choices": BASELINES, "help": "of reinforce, what a reward is compared with"}),
    "control": (None, {"choices": CONTROLS, "help": "train on this instead: 1, the reward of another sample, or the "
                       "reward without the end of a sentence"}),
    "samples": (2, {"type": number(int, 1), "metavar": "K", "help": "sentences that are drawn for each source"}),
    "cross-entropy": (0.0, {"type": number(float, 0, 1), "metavar": "X", "help": "its share of the loss"}),
    "sharpness": (1.0, {"type": number(float, above=0), "metavar": "X", "help": "the exponent of minimum risk"}),
}  # fmt: skip
