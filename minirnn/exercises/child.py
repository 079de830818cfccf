"""The process that a learner's file runs in: `python -m minirnn.exercises.child FILE NAME ANSWER LIMIT SEEDS`.

It writes a byte to stdout when the file's time begins, and to ANSWER, as JSON, the outputs of the function in FILE for
each seed, or the sentence that says why there are none; and what the file printed.
"""

from __future__ import annotations

import io
import json
import linecache
import os
import sys
import threading
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from minirnn.exercises.calling import AnswerError, call, describe
from minirnn.exercises.catalogue import find
from minirnn.exercises.files import ENCODING, encoded

MOST_PRINTED = 2000


class Printed(io.TextIOBase):
    """A stream that keeps the beginning of what is written, so that an endless loop that prints fills no disk."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """As of every stream."""
        room = MOST_PRINTED - len(self.text)
        if room > 0:
            self.text += text[:room] + "…" * (len(text) > room)
        return len(text)


def main() -> None:
    """Run the file that the command line names."""
    file, name, answer, limit, seeds = sys.argv[1:]
    os.write(1, b".")  # the time begins
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    printed = Printed()
    sys.stdout = sys.stderr = printed
    sys.argv = [file]
    sys.path.append(str(Path(file).parent))
    _stop_after(float(limit), file, answer, printed)
    found: dict[str, Any]
    try:
        found = {"results": _results(file, name, [int(seed) for seed in seeds.split(",")])}
    except AnswerError as trouble:
        found = {"trouble": str(trouble)}
    _finish(answer, found, printed)


def _results(file: str, name: str, seeds: list[int]) -> list[dict[str, Any]]:
    exercise = find(name)
    source = Path(file).read_text(encoding=ENCODING)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    learner = ModuleType("exercise")
    learner.__file__ = file
    sys.modules["exercise"] = learner  # where what the file defines, such as a dataclass, looks for its names
    try:
        exec(compile(source, file, "exec"), learner.__dict__)
    except BaseException as error:
        raise AnswerError(describe(error, file)) from None
    if not hasattr(learner, exercise.function):
        raise AnswerError(f"there is no function {exercise.function} any more when the file has run to its end")
    function = getattr(learner, exercise.function)
    results = [call(exercise, function, exercise.draw(seed)) for seed in seeds]
    return [{output: encoded(value) for output, value in result.items()} for result in results]


def _stop_after(limit: float, file: str, answer: str, printed: Printed) -> None:
    """End this process when the time is over, whatever it is at then. An exception could be caught by the learner's
    own `except`; a thread beside it cannot, and it sees which line it interrupts."""
    main_thread = threading.get_ident()

    def stop() -> None:
        frame: FrameType | None = sys._current_frames().get(main_thread)
        while frame is not None and frame.f_code.co_filename != file:
            frame = frame.f_back
        where = f"line {frame.f_lineno}: " if frame else ""
        sentence = f"{where}after {limit:g} seconds it was still running here: does its loop come to an end?"
        _finish(answer, {"trouble": sentence}, printed)

    timer = threading.Timer(limit, stop)
    timer.daemon = True
    timer.start()


def _finish(answer: str, found: dict[str, Any], printed: Printed) -> None:
    """Hand the answer over whole, and end without what the file may have left to be done at the end."""
    unfinished = Path(f"{answer}.{threading.get_ident()}")
    unfinished.write_text(json.dumps({**found, "printed": printed.text}), encoding="utf-8")
    os.replace(unfinished, answer)
    os._exit(0)


if __name__ == "__main__":
    main()
