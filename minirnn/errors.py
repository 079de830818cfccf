"""The errors that mean "the input was wrong", as opposed to "minirnn is wrong".

The command line turns each into one line and exit status 2; anything else keeps its traceback.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


class MinirnnWarning(UserWarning):
    """Something that may not be what was meant, and goes on all the same."""


class MinirnnError(Exception):
    """Base of the errors minirnn raises on purpose."""


class InputError(MinirnnError, ValueError):
    """A file, option, shape or value that cannot be used; the message says which and what would be right."""


class TooManyWeightsError(InputError):
    """A model has more weights than it was said that there are."""


class DeviceError(MinirnnError, RuntimeError):
    """A device was asked for that this machine or installation does not have."""


class StaleGraphError(MinirnnError, RuntimeError):
    """What a gradient needs has been overwritten since it was recorded."""


class NonFiniteLossError(MinirnnError, ArithmeticError):
    """The training loss became infinite or not a number."""


def install(extra: str) -> str:
    """The command that installs an extra of minirnn where the Python that runs will find it. What is installed already,
    an editable install of a clone too, stays as it is: pip finds `minirnn` there, and adds what the extra needs.

    The `pip` that a shell finds may be another Python's, as where an environment has not been activated.
    """
    pip, python = shutil.which("pip"), Path(sys.executable)
    own = pip is not None and Path(pip).parent == python.parent
    return f"{'' if own else f'{shlex.quote(str(python))} -m '}pip install 'minirnn[{extra}]'"
