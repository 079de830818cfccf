"""Cells, attention scores, generated tasks and optimisers from a file of the user's own, named as FILE.py:NAME.

The file is run when it is named, and whenever a run that names it is opened, as `import` would run it: open no run of
which you do not trust the files. A run.json holds its full path, and what tells its text from others: moved with its
run it is found again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from minirnn.cells import CELL_NAMES, Cell
from minirnn.data.tasks import TASKS, GeneratedTask
from minirnn.errors import InputError, MinirnnError, MinirnnWarning
from minirnn.layers.attention import SCORES, Score
from minirnn.training import OPTIMIZERS, Optimizer, Run

Kind = TypeVar("Kind")

EXAMPLE = "FILE.py:NAME"


class OwnFileError(argparse.ArgumentTypeError):
    """A file of the user's own cannot be used; the message says which, and why."""


def is_own(text: str) -> bool:
    """Whether a text names something in a file."""
    return re.fullmatch(r"(?s).+\.py:\w+", text) is not None


def name_of_own(text: str) -> str:
    """A short name for what FILE.py:NAME names, which is another when the file has changed.

    Raises:
        InputError: there is no such file.
    """
    file, _, name = text.rpartition(":")
    return f"{Path(file).name}:{name} {hashlib.sha256(_source(Path(file))).hexdigest()[:8]}"


def load_own(text: str) -> Any:
    """What FILE.py:NAME names.

    Raises:
        InputError: there is no such file, it fails, or it has no such name.
    """
    file, _, name = text.rpartition(":")
    module = _module(Path(file))
    if not hasattr(module, name):
        own = sorted(n for n, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
        raise InputError(f"{file} has no {name!r}; it has {', '.join(own) or 'nothing of its own'}")
    return getattr(module, name)


def _module(path: Path) -> ModuleType:
    """A file as a module: run once, and again only when it has changed."""
    source = _source(path)
    called = f"_own_{path.stem}_{hashlib.sha256(bytes(path.resolve()) + source).hexdigest()[:16]}"
    if called in sys.modules:
        return sys.modules[called]
    spec = importlib.util.spec_from_file_location(called, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[called] = module  # where dataclasses and pickles look for their classes
    try:
        exec(compile(source, str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[called]
        raise InputError(
            f"{path}{_line(error, path)}: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    return module


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {'there is no such file' if not path.exists() else error.strerror}") from error


def _line(error: BaseException, path: Path) -> str:
    """Where in a file an error arose, if it did."""
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" line {lines[-1]}" if lines else ""


@dataclass(frozen=True)
class Choice(Generic[Kind]):
    """What can be chosen by name, or taken from a file.

    Attributes:
        known: by name.
        what: what has to be in the file.
        ready: makes it ready for use; None for what is something else.
    """

    known: Iterable[str]
    what: str
    ready: Callable[[Any], Kind | None]

    def settings(self) -> dict[str, Any]:
        """For the table of options: the type and the choices of argparse."""
        return {"type": self._parse, "choices": _Choices((*self.known, EXAMPLE))}

    def _parse(self, text: str) -> str:
        """An argparse type: a name, or FILE.py:NAME with the full path of the file, which has been seen to be right."""
        if not is_own(text):
            return text
        try:
            self.own(text)
        except InputError as error:
            raise OwnFileError(str(error)) from error
        file, _, name = text.rpartition(":")
        return f"{Path(file).resolve()}:{name}"

    def own(self, text: str) -> Kind:
        """What FILE.py:NAME names.

        Raises:
            InputError: it is something else, or as `load_own`.
        """
        try:
            found = self.ready(load_own(text))
        except TypeError as error:
            raise InputError(f"{text} cannot be made: {error}") from error
        if found is None:
            raise InputError(f"{text} is not {self.what}")
        return found


class _Choices(tuple):
    """The names that can be chosen, and whatever is in a file."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and (is_own(value) or (value != EXAMPLE and super().__contains__(value)))


def _cell(found: Any) -> Cell | None:
    made = found() if isinstance(found, type) and issubclass(found, Cell) else found
    return made if isinstance(made, Cell) else None


def _subclass(base: type[Kind]) -> Callable[[Any], type[Kind] | None]:
    return lambda found: found if isinstance(found, type) and issubclass(found, base) and found is not base else None


def _task(found: Any) -> GeneratedTask | None:
    if isinstance(found, GeneratedTask):
        return found
    if not callable(found) or isinstance(found, type):
        return None
    return GeneratedTask(lambda: found, "char", (found.__doc__ or "").strip().split("\n")[0])


CELL = Choice(CELL_NAMES, "a cell: expected a subclass of minirnn.Cell, or one of its instances", _cell)
SCORE = Choice(SCORES, "an attention score: expected a subclass of minirnn.Score", _subclass(Score))
TASK = Choice(
    TASKS, "a task: expected a function that draws a question and its answer, or a minirnn.GeneratedTask", _task
)
OPTIMIZER = Choice(OPTIMIZERS, "an optimiser: expected a subclass of minirnn.Optimizer", _subclass(Optimizer))


@contextmanager
def blamed(text: str) -> Iterator[None]:
    """Say of what fails inside the block that it is what FILE.py:NAME names.

    Raises:
        InputError: with the line of the file, if it has failed there.
    """
    try:
        yield
    except (MinirnnError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        path = Path(text.rpartition(":")[0])
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{text}{_line(error, path)}: {what}") from error


def chosen_cell(name: str) -> str | Cell:
    """What an option says of a cell, as models take it."""
    return CELL.own(name) if is_own(name) else name


def chosen_score(name: str) -> str | type[Score]:
    """What an option says of an attention score, as models take it."""
    return SCORE.own(name) if is_own(name) else name


def chosen_task(name: str) -> GeneratedTask:
    """The generated task that an option names."""
    return TASK.own(name) if is_own(name) else TASKS[name]


def chosen_optimizer(name: str) -> type[Optimizer]:
    """The optimiser that an option names."""
    return OPTIMIZER.own(name) if is_own(name) else OPTIMIZERS[name]


def digests(options: dict[str, Any]) -> dict[str, str]:
    """What tells the files that options name from others, by their paths."""
    files = sorted({value.rpartition(":")[0] for value in options.values() if isinstance(value, str) and is_own(value)})
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}


def files_of(options: dict[str, Any], begun: Any = None) -> dict[str, Any]:
    """What a run.json has of the files that options name: their `digests`, but of those with which the run was begun
    what they were then."""
    before = begun if isinstance(begun, dict) else {}
    found = {file: before.get(file, digest) for file, digest in digests(options).items()}
    return {"files": found} if found else {}


def found_again(run: Run, text: str) -> str:
    """FILE.py:NAME of a run whose file may have been moved with it: if it is not where it was, then where a file of its
    name and with the very same text lies, in the run, above it, or here; else as it was."""
    file, _, name = text.rpartition(":")
    if Path(file).exists():
        return text
    same = [path for path, is_same in _of_its_name(run, file) if is_same]
    return f"{same[0]}:{name}" if same else text


def where_to(run: Run, option: str, text: str) -> str:
    """What can be done about a file that `found_again` has not found."""
    file = text.rpartition(":")[0]
    if Path(file).exists():
        return ""
    other = [path for path, _ in _of_its_name(run, file)]
    but = f" ({other[0]} is another than the run was begun with)" if other else ""
    return f"{but}: put it there or beside the run, or change {option!r} in {run.path / 'run.json'}"


def _of_its_name(run: Run, file: str) -> Iterator[tuple[Path, bool]]:
    """The files of a file's name near a run, and whether each is that with which the run was begun."""
    begun = run.config.get("files")
    digest = begun.get(file) if isinstance(begun, dict) else None
    for folder in (run.path.resolve(), *run.path.resolve().parents, Path.cwd()):
        path = folder / Path(file).name
        if path.is_file() and os.access(path, os.R_OK):
            yield path, hashlib.sha256(path.read_bytes()).hexdigest() == digest


def warn_of_changes(run: Run, options: dict[str, Any]) -> None:
    """Say of files that a run was begun with others of their names. That is no error: a comment may have changed."""
    begun = run.config.get("files")
    for file, digest in digests(options).items():
        if isinstance(begun, dict) and begun.get(file, digest) != digest:
            warnings.warn(f"{file} has changed since {run.path} was begun", MinirnnWarning, stacklevel=3)
