"""The command `minirnn` from its first moment: outside of the package, whose import takes most of a command's start."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn


def main() -> NoReturn:
    """Run the command line; Ctrl-C ends it without a traceback also while it is loaded, and in its last moments."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # and not ignored, as after `nohup`
    if heeded:
        signal.signal(signal.SIGINT, _leave)
    from minirnn.cli.main import main as run

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    finally:
        if heeded:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave(*_: Any) -> NoReturn:
    """Nothing has been begun that would have to be ended; and an exception in the middle of an import may come out as
    another."""
    os.write(2, b"\nminirnn: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
