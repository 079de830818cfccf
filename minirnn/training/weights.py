"""The weights of a model in a file of their own: `save`, and `load_weights`, of which `minirnn.load` makes use."""

from __future__ import annotations

import os
from pathlib import Path

from minirnn.errors import InputError
from minirnn.layers import Module
from minirnn.training.checkpoint import load_checkpoint, read_version, save_checkpoint, subset


def save(model: Module, path: str | os.PathLike[str]) -> None:
    """Write the weights of a model to a safetensors file: every parameter under its name in `state_dict`, and beside
    them the model's class and the version of minirnn. `minirnn.load(path, model)` reads them again.

    Args:
        model: the model, on whichever device.
        path: the file. It appears when it is whole, in place of one that was there.

    Raises:
        OSError: it cannot be written.
        TypeError: the model is no `Module`.
    """
    if not isinstance(model, Module):
        hint = "a Module comes first, then the file" if isinstance(model, (str, os.PathLike)) else "give its .model"
        raise TypeError(f"expected a Module to save, not a {type(model).__name__}: {hint}")
    save_checkpoint(Path(path), model.state_dict(), {"module": type(model).__name__})


def load_weights(path: str | os.PathLike[str], model: Module) -> None:
    """Set the weights of a model, keeping its device and dtype, to those that `save` wrote, or to those of a checkpoint
    of a training.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is no such file, is damaged, or does not fit the model: the message says which weights are
            missing, unknown or of another shape. Nothing has been changed then.
    """
    arrays, meta = load_checkpoint(Path(path))
    saved = "module" in meta
    try:
        model.load_state_dict(arrays if saved else subset(arrays, "model"))
    except InputError as error:
        what = f"of a {meta['module']}" if saved else "of a checkpoint"
        by = f"minirnn {version}" if (version := read_version(Path(path))) else "an earlier minirnn"
        raise InputError(
            f"{path}: these weights, {what}, written by {by}, do not fit a {type(model).__name__}: {error}"
        ) from error
