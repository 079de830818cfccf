"""What `minirnn train` can be told of rewards, for the tasks whose models write sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minirnn.cli.options import number
from minirnn.cli.training import Options
from minirnn.errors import InputError
from minirnn.training.rewards import BASELINES, CONTROLS, ESTIMATORS, REWARDS, Rewards, named_reward

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
MONITORED = "valid_reward"


def check(options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: it says which.
    """
    needs = {name: (options["reward"], "--reward") for name in OPTIONS if name != "reward"}
    if options["reward"]:
        risk = options["estimator"] == "risk"
        needs |= {"baseline": (not risk, "--estimator reinforce"), "sharpness": (risk, "--estimator risk")}
    for name, (company, what) in needs.items():
        if options[name] != OPTIONS[name][0] and not company:
            raise InputError(f"--{name} goes with {what}")


def rewards_of(
    options: dict[str, Any],
    to_words: Callable[[Sequence[int]], list[str]],
    references: Callable[[], Sequence[Sequence[Sequence[str]]]],
    held_out: int,
) -> Rewards:
    """The rewards that the options name.

    Args:
        options: with a reward.
        to_words: from ids to words.
        references: of all training examples, as words.
        held_out: how many examples are.

    Raises:
        InputError: the samples are too few, or the examples, or nothing is held out.
    """
    if not held_out:
        raise InputError("--reward needs examples that are held out: by them it is seen whether it has done any good")
    reward = named_reward(options["reward"], references() if options["reward"] == "cider" else ())
    names = ("estimator", "baseline", "samples", "sharpness", "control")
    return Rewards(reward, to_words, cross_entropy=options["cross-entropy"], **{name: options[name] for name in names})
