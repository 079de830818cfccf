"""A learner's file: whose exercise it is, and running it in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.errors import InputError
from minirnn.exercises.calling import describe
from minirnn.exercises.catalogue import EXERCISES
from minirnn.exercises.exercise import Exercise
from minirnn.exercises.report import SEEDS, Report, judge

LIMIT = 10.0
"""Seconds for all draws together. Right functions take milliseconds."""

GRACE = 2.0
"""Seconds more, for a process that cannot stop itself, as it is in the midst of a long operation of Python's own."""

MOST_BYTES = 2**20

ENCODING = "utf-8-sig"  # UTF-8, with or without the mark that some editors put at the beginning


def start(exercise: Exercise, file: str | Path, derive: bool = False) -> None:
    """Write the file to fill in; to `derive` the way back, without its equations.

    Raises:
        InputError: there is something already, or there are no such equations.
        OSError: it cannot be written.
    """
    text = exercise.template(derive)
    try:
        with open(file, "x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise InputError(f"{file} exists already, and may hold your work: give another name with --out") from None


def check_file(file: str | Path, limit: float = LIMIT) -> tuple[Report, str]:
    """Check the function in a file.

    Args:
        file: what the learner has written.
        limit: in seconds.

    Returns:
        The report, and what the file has printed.

    Raises:
        InputError: it is no file of Python source, or none of an exercise.
        OSError: it cannot be read.
    """
    path = Path(file)
    if path.exists() and not path.is_file():
        what = "a directory" if path.is_dir() else "no ordinary file"
        raise InputError(f"{file} is {what}: expected a file with a function in it")
    if path.exists() and path.stat().st_size > MOST_BYTES:
        raise InputError(f"{file}: expected a file with a function in it, found {path.stat().st_size} bytes")
    try:
        source = path.read_text(encoding=ENCODING)
    except UnicodeDecodeError:
        raise InputError(f"{file}: expected Python source in UTF-8") from None
    exercise, trouble = _exercise_in(source, path)
    if trouble:
        return Report(exercise.name, trouble=trouble), ""
    found = _run(path, exercise, limit)
    if "trouble" in found:
        return Report(exercise.name, trouble=found["trouble"]), found.get("printed", "")
    results = [{name: _decoded(value) for name, value in result.items()} for result in found["results"]]
    return judge(exercise, results), found["printed"]


def _exercise_in(source: str, path: Path) -> tuple[Exercise, str]:
    """The exercise that a file is about, by its function or else by its text or name; and what is wrong with it if it
    cannot be run."""
    functions = {one.function: one for one in EXERCISES.values()}
    trouble, defined = "", []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an unknown escape in a docstring
            defined = [name for line in ast.parse(source).body for name in _names(line)]
    except SyntaxError as error:
        trouble = describe(error, str(path))
    except (ValueError, RecursionError, MemoryError) as error:  # a zero byte, or brackets nested too deeply
        trouble = f"this is not Python: {error}"
    here = [one for name, one in functions.items() if name in defined]
    if len(here) > 1:
        raise InputError(f"{path} has the functions of {len(here)} exercises: expected one of them in each file")
    named = [one for name, one in functions.items() if f"def {name}(" in source or path.stem.replace("-", "_") == name]
    if not here and not named:
        titled = [one for one in EXERCISES.values() if f"{one.title}." in source]
        if not titled:
            raise InputError(f"{path}: there is no function of an exercise in it, such as rnn_backward")
        named = titled
    exercise = (here or named)[0]
    if not here and not trouble:
        trouble = f"there is no function {exercise.function}: begin it with `def {_head(exercise)}:`"
    return exercise, trouble


def _head(exercise: Exercise) -> str:
    return f"{exercise.function}({', '.join(exercise.inputs)})"


def _names(line: ast.stmt) -> list[str]:
    """What a line of a file gives a name to."""
    if isinstance(line, (ast.FunctionDef, ast.ClassDef)):
        return [line.name]
    if isinstance(line, ast.Assign):
        return [target.id for target in line.targets if isinstance(target, ast.Name)]
    if isinstance(line, ast.ImportFrom):
        return [one.asname or one.name for one in line.names]
    return []


def _run(path: Path, exercise: Exercise, limit: float) -> dict[str, Any]:
    """What `child` has written about the file."""
    root = str(Path(__file__).parents[2])
    already = os.environ.get("PYTHONPATH")  # nothing between two separators would be the current folder
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, already] if already else [root])}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        # -P: nothing in the current folder, such as a random.py of the learner's, is taken for a module of Python's.
        command = [sys.executable, "-P", "-m", "minirnn.exercises.child"]
        seeds = ",".join(map(str, SEEDS))
        process = subprocess.Popen(
            [*command, str(path.resolve()), exercise.name, str(answer), str(limit), seeds],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdout is not None
        try:
            process.stdout.read(1)  # comes when all is imported: a busy computer may take its time for that
            status = process.wait(limit + GRACE)
        except subprocess.TimeoutExpired:
            return {"trouble": f"after {limit:g} seconds it was still running: does its loop come to an end?"}
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        try:
            return json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"trouble": f"Python ended (status {status}) before there was anything to compare"}


def encoded(value: Any) -> Any:
    """An output as JSON takes it. (Of a float it writes as many digits as tell it from all others.)"""
    if isinstance(value, str):
        return value
    return {"dtype": str(value.dtype), "shape": value.shape, "numbers": value.reshape(-1).tolist()}


def _decoded(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return np.array(value["numbers"], dtype=value["dtype"]).reshape(value["shape"])
