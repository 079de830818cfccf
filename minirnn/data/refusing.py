"""What libraries say of damaged files, in one line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minirnn.errors import InputError


@contextmanager
def refusing(path: str | Path, what: str) -> Iterator[None]:
    """Turns whatever a library says or raises over a file into one line.

    Their readers stumble over damaged bytes in more ways than they document (struct.error, zlib.error, SyntaxError,
    KeyError, AttributeError, ...), so it is every exception; only calls about the bytes of the file belong in it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: {what}: {reason}") from error
