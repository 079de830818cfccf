"""The files that are made into pages, in the order to read them, and finding one by a name."""

from __future__ import annotations

import ast
import difflib
import functools
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from minirnn.cells import VARIANTS
from minirnn.errors import InputError

PACKAGE = Path(__file__).parents[2]


def _files(room: str, names: str) -> tuple[str, ...]:
    return tuple(f"{room}/{name}.py" for name in names.split())


CHAPTERS: dict[str, tuple[str, ...]] = {
    "Cells, and time": _files("cells", "rnn cell bptt lstm gru stepper"),
    "More cells": (
        *_files("cells", "rnn_activations lstm_variants layer_norm neighbours diagonals padding"),
        "cells/*",
    ),
    "The tape under all of it": (
        *_files("autograd", "tape tensor recording ops pending gradcheck"),
        *_files("autograd", "operands arithmetic elementwise reductions pieces shapes einsum"),
        *_files("autograd", "functional losses activations sequences convolution"),
        "autograd/*",
    ),
    "Attention": ("layers/attention.py", "autograd/attention.py"),
    "Beam search": _files("decoding", "beam hypotheses sampling checks"),
}
"""The files of each chapter, in order; * are those of a room that no chapter names, such as a cell added later."""


@dataclass(frozen=True)
class Source:
    """A file of the package.

    Attributes:
        path: below `minirnn/`, such as "cells/lstm.py".
        text: what is in it.
    """

    path: str
    text: str

    @property
    def page(self) -> str:
        """Where its page is, below the folder of all."""
        return str(PurePosixPath(self.path).with_suffix(".html"))

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (ast.get_docstring(ast.parse(self.text)) or "").partition("\n")[0]

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of the cells that are written in it."""
        module = "minirnn." + self.path.removesuffix(".py").replace("/", ".")
        return tuple(name for name, (cls, _) in VARIANTS.items() if cls.__module__ == module)


@functools.cache
def chapters() -> dict[str, tuple[Source, ...]]:
    """The files of each chapter."""
    named = {path for paths in CHAPTERS.values() for path in paths}
    return {
        title: tuple(_read(path) for one in paths for path in _matching(one, named))
        for title, paths in CHAPTERS.items()
    }


def sources() -> list[Source]:
    """All files, in the order to read them."""
    return [source for chapter in chapters().values() for source in chapter]


def _matching(path: str, named: set[str]) -> list[str]:
    if not path.endswith("/*"):
        return [path]
    room = path.removesuffix("/*")
    found = sorted(f"{room}/{file.name}" for file in (PACKAGE / room).glob("*.py"))
    # What a room exports says least, and comes last.
    return sorted((one for one in found if one not in named), key=lambda one: one.endswith("__init__.py"))


def _read(path: str) -> Source:
    return Source(path, (PACKAGE / path).read_text(encoding="utf-8"))


def find(name: str) -> Source:
    """The file that a name means: a cell ("lstm-peephole"), a file ("bptt", "rnn.py", "autograd/tape.py"), or a class
    or function in one ("LSTMCell"). Of several the first in the order to read them.

    Raises:
        InputError: there is none; says which are called alike.
    """
    names = _names()
    if name not in names:
        like = difflib.get_close_matches(name, names, 5) or [PurePosixPath(one.path).stem for one in sources()[:8]]
        raise InputError(
            f"there is nothing called {name!r} to read: expected a file or a cell, such as {', '.join(like)}"
        )
    return names[name]


@functools.cache
def _names() -> dict[str, Source]:
    found: dict[str, Source] = {}
    for source in sources():
        path = PurePosixPath(source.path)
        for name in (*source.cells, path.stem, path.name, str(path.with_suffix("")), str(path), f"minirnn/{path}"):
            found.setdefault(name, source)
    for source in sources():
        for node in ast.parse(source.text).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found.setdefault(node.name, source)
    return found
