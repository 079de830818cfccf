"""What a kind of run can be told: options, their defaults, what values they take, and how they are read again.

`minirnn train` makes its options of these tables, and a run.json is held against them before it is believed.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from typing import Any

from minirnn import backend
from minirnn.data.words import check_rules
from minirnn.errors import InputError
from minirnn.runs.own import OPTIMIZER, OwnFileError, found_again, is_own, warn_of_changes, where_to
from minirnn.training import Run
from minirnn.version import is_newer

# option: (default, argparse settings). Nothing is set by argparse itself, so that --resume can tell what was asked for.
Options = dict[str, tuple[Any, dict[str, Any]]]

FLAG: dict[str, Any] = {"action": "store_true"}


def path(text: str) -> str:
    """An argparse type: a path. An empty one, as from an unset shell variable, is a mistake and not the default."""
    try:
        name = os.fsencode(text)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold, and which stands for no byte of a name
        name = b""
    if not name or b"\0" in name:
        raise argparse.ArgumentTypeError(f"expected a path, found {text!r}")
    return text


def number(
    kind: type[int] | type[float], at_least: float | None = None, below: float = math.inf, above: float | None = None
) -> Callable[[str], Any]:
    """An argparse type: an int or float within bounds."""
    bounds = [f"at least {at_least}"] if at_least is not None else []
    bounds += [f"above {above}"] if above is not None else []
    bounds += [f"below {below}"] if below < math.inf else []
    noun = "a whole number" if kind is int else "a number"

    def parse(text: str) -> Any:
        wrong = argparse.ArgumentTypeError(f"expected {noun} {' and '.join(bounds)}, found {text!r}")
        try:
            value = kind(text)
        except ValueError:
            raise wrong from None
        if kind is int and value >= 2**31:  # NumPy would fail over such a size in a less helpful way
            raise argparse.ArgumentTypeError(f"expected {noun} below {2**31}, found {text!r}")
        if not value < below or (at_least is not None and value < at_least) or (above is not None and value <= above):
            raise wrong
        return value

    return parse


def optimization_options(lr: float, epochs: int) -> Options:
    """How to train, with the defaults that differ between tasks."""
    return {
        "optimizer": ("adam", {**OPTIMIZER.settings(), "help": "the optimiser"}),
        "lr": (lr, {"type": number(float, 0), "metavar": "X", "help": "the learning rate"}),
        "momentum": (0.0, {"type": number(float, 0, 1), "metavar": "X", "help": "momentum, for sgd"}),
        "weight-decay": (
            None,
            {
                "type": number(float, 0),
                "metavar": "X",
                "help": "weight decay (default: 0.01 for adamw, 0 for the others)",
            },
        ),
        "clip": (1.0, {"type": number(float, above=0), "metavar": "X", "help": "the largest gradient norm"}),
        "epochs": (epochs, {"type": number(int, 1), "metavar": "N", "help": "passes through the data"}),
        "validate-every": (1, {"type": number(int, 1), "metavar": "N", "help": "epochs between validations"}),
        "save-every": (
            10.0,
            {"type": number(float, 0), "metavar": "SECONDS", "help": "between checkpoints to resume from, or more"},
        ),
        "seed": (0, {"type": number(int, 0), "metavar": "N", "help": "of all randomness"}),
        "device": ("cpu", {"choices": backend.DEVICES, "help": "where to compute"}),
    }


def schedule_options(warmup: int) -> Options:
    """How the learning rate changes: it rises, and then falls along a cosine."""
    return {
        "warmup": (
            warmup,
            {"type": number(int, 0), "metavar": "N", "help": "steps in which the learning rate rises"},
        ),
        "constant": (False, {**FLAG, "help": "a learning rate that does not fall"}),
    }


def read_options(run: Run, task: str, known: Options) -> dict[str, Any]:
    """The options in a run's run.json, every one checked. An option that the run does not have yet has its default.

    Raises:
        InputError: the run is another task's, or its run.json is damaged.
    """
    if run.config.get("task") != task:
        raise InputError(f"{run.path} is a run of {run.config.get('task')!r}, not of {task!r}")
    options: dict[str, Any] = {}
    try:
        for name, (default, settings) in known.items():
            value = run.config["options"].get(name, default)
            if value is None and default is not None:
                raise ValueError(f"{name} is {value!r}")
            if isinstance(value, str) and is_own(value):
                value = found_again(run, value)
            if value is not None and "type" in settings:
                value = settings["type"](str(value))
            if value is not None and "choices" in settings and value not in settings["choices"]:
                raise ValueError(f"{name} is {value!r}")
            if settings.get("action") == "store_true" and not isinstance(value, bool):
                raise ValueError(f"{name} is {value!r}")
            options[name] = value
        if is_newer(run.version) and (unknown := run.config["options"].keys() - known.keys()):
            raise ValueError(f"an option {min(unknown)!r}")
    except OwnFileError as error:
        how = where_to(run, name, str(value))
        raise InputError(f"{run.path} needs a file of your own, which its run.json names: {error}{how}") from error
    except (KeyError, TypeError, ValueError, AttributeError, argparse.ArgumentTypeError) as error:
        raise run.damaged(error) from error
    warn_of_changes(run, options)
    return options


def read_rules(run: Run) -> int:
    """The version of the rules by which a run cuts words: the first, if it was begun before there was another.

    Raises:
        InputError: there is no such version, or not yet.
    """
    try:
        return check_rules(run.config.get("rules", 1))
    except InputError as error:
        raise InputError(f"{run.path / 'run.json'}: {error}") from error
