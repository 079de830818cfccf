"""The version of minirnn, which runs and checkpoints record, and what it says of one that made them."""

from __future__ import annotations

import re

__version__ = "0.1.0"


def is_newer(version: object) -> bool:
    """Whether something was made by a later minirnn than this. What does not say by which, was not: it is older than
    that was recorded."""
    return isinstance(version, str) and _numbers(version) > _numbers(__version__)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with: (0, 12) of "0.12rc1"."""
    found = re.match(r"[0-9]{1,9}(\.[0-9]{1,9})*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
