"""How a file that is not what it should be is read."""

import tracemalloc
import warnings

import pytest

from minirnn.errors import InputError


def refusal(read, *arguments):
    """The one line that a file is refused with; a warning would be another exception, and so fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            read(*arguments)
    message = str(caught.value)
    assert message.startswith(str(arguments[0]))
    assert "\n" not in message
    return message


def outcome(read, *arguments):
    """What a file was read as, or None if it was refused in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read(*arguments)
        except InputError as error:
            message = str(error)
    assert message.startswith(str(arguments[0]))
    assert "\n" not in message
    return None


def taken(read):
    """The most memory, in bytes, that NumPy and Python held at a time."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
