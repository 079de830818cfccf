"""Under which titles `minirnn train … --help` has the options."""

from __future__ import annotations

from collections.abc import Collection

MODEL, REWARDS, RUN, COMPUTING = "model", "rewards, for training with --from", "the run", "computing"

_SECTIONS: dict[str, tuple[str, ...]] = {
    "data": (
        *("data", "source", "target", "valid-data", "valid-source", "valid-target", "swap", "max-pairs"),
        *("images", "captions", "valid-captions", "video", "size", "built-in", "levels", "palette", "binarize"),
        *("task", "examples", "valid-fraction", "test-every", "train-fraction", "max-tokens", "tokens", "clean"),
        *("min-frequency", "vocabulary", "shared-vocabulary", "max-length", "turns"),
    ),
    MODEL: (),
    "attention": ("score", "normalize", "attend", "attention-size", "input-feeding", "matching", "copying"),
    "training": ("epochs", "batch-size", "steps", "partition", "captions-per-picture", "optimizer", "momentum", "clip"),
    "learning rate": ("lr", "warmup", "constant", "decay-every", "plateau", "decay"),
    "regularisation": (
        *("dropout", "embedding-dropout", "output-dropout", "variational", "weight-decay", "label-smoothing"),
        *("attention-penalty", "attention-target"),
    ),
    "what the decoder is fed": ("teacher-forcing", "sampling", "sampling-steps"),
    "validation": ("validate-every", "monitor", "patience"),
    REWARDS: (),
    RUN: ("seed", "save-every"),
    COMPUTING: ("device",),
}
"""Options by their title, in the order of the help. Options of rewards come with their command, and all that is not
here belongs to the model, so that a new one of a model need not be added."""


def section_of(name: str, rewarding: Collection[str] = (), is_file: bool = False) -> str:
    """The title of an option.

    Args:
        name: of the option.
        rewarding: the options of rewards.
        is_file: whether it names a file or a folder: then it is of the data.
    """
    if name in rewarding:
        return REWARDS
    return next((title for title, names in _SECTIONS.items() if name in names), "data" if is_file else MODEL)


TITLES = tuple(_SECTIONS)
