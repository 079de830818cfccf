"""The data of a run: seeing that they are still the same, and reading them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from minirnn.errors import InputError
from minirnn.training import Run

Data = TypeVar("Data")


def check_data(run: Run, sha256: str, mismatch: str) -> None:
    """See that data are those of the run: on others it would not go on, but begin something else.

    Args:
        run: has the digest of its data.
        sha256: the digest of these.
        mismatch: what is wrong if they differ, up to the name of the run.

    Raises:
        InputError: they differ.
    """
    if sha256 != run.config.get("sha256"):
        raise InputError(f"{mismatch} {run.path} was trained on")


def load_again(
    run: Run,
    options: dict[str, Any],
    load: Callable[[dict[str, Any]], Data],
    digest: Callable[[Data], str],
    mismatch: Callable[[dict[str, Any]], str],
    advice: str,
) -> Data:
    """The data of a run, to be measured on what it held out.

    Args:
        run, options: has the digest of its data, and the options that name them.
        load, digest, mismatch: as for `Recipe`.
        advice: what to do if they cannot be read, or are others.

    Raises:
        InputError: they cannot, or are.
    """
    try:
        data = load(options)
        check_data(run, digest(data), mismatch(options))
    except (InputError, OSError) as error:
        raise InputError(f"what was held out cannot be read again: {describe(error)}; {advice}") from error
    return data


def describe(error: Exception) -> str:
    """What went wrong, and with which file."""
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
