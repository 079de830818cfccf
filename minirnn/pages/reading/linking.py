"""Where a name or the number of an equation leads: to which page, and to what on it."""

from __future__ import annotations

import functools
import posixpath
import re
from typing import NamedTuple

from minirnn.pages.reading.outline import Definition, Outline
from minirnn.pages.reading.sources import Source


class Named(NamedTuple):
    """An equation somewhere on the pages: the file and the definition it belongs to, and its number."""

    outline: Outline
    owner: Definition
    number: int

    @property
    def anchor(self) -> str:
        """Its id on its page."""
        return f"eq-{self.owner.name}-{self.number}" if self.owner.name else f"eq-{self.number}"

    @property
    def text(self) -> str:
        """What it says, in one line."""
        return f"({self.number})  " + re.sub(r"\s*\n\s*", "     ", self.owner.equations[self.number].strip())

    @property
    def lines(self) -> list[int]:
        """The lines of code that name it."""
        return self.outline.lines_of.get((self.owner.name, self.number), [])


class Links:
    """The links among the pages of some files."""

    def __init__(self, outlines: list[Outline]):
        self.outlines = {one.source.path: one for one in outlines}

    @functools.cached_property
    def defined(self) -> dict[str, list[Outline]]:
        """The files that define a name outside of classes and functions."""
        found: dict[str, list[Outline]] = {}
        for one in self.outlines.values():
            for name in one.definitions:
                if name and "." not in name:
                    found.setdefault(name, []).append(one)
        return found

    def file(self, name: str, start: Outline) -> Outline | None:
        """The file that is called `name`, "bptt.py" or "layers/attention.py", by what stands in `start`: of several the
        one in the same room, else none."""
        name = name.removeprefix("minirnn/")
        room = posixpath.dirname(start.source.path)
        found = [path for path in self.outlines if path == name or posixpath.basename(path) == name]
        found = [path for path in found if posixpath.dirname(path) == room] or found
        return self.outlines[found[0]] if len(found) == 1 else None

    def place(self, name: str, start: Outline, scope: Definition, known: bool = False) -> str | None:
        """Where a name leads that stands in the docstring of `scope`, or inside it; None if nowhere, or if that is not
        certain. With `known` only to what the file defines or imports: a comment may as well mean a NumPy function."""
        if name.endswith(".py"):
            found = self.file(name, start)
            return None if found is None else href(start.source, found.source)
        if not re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", name):
            return None
        name = name.removesuffix("()").removeprefix("minirnn.")
        if self._is_parameter(name.partition(".")[0], start, scope):
            return None
        prefix = scope.name
        while prefix:  # first what the definition around it has, as `forward` of a class
            if (inner := f"{prefix}.{name}") in start.definitions:
                return href(start.source, start.source, inner)
            prefix = prefix.rpartition(".")[0]
        return self._outside(name, start, known)

    def _is_parameter(self, name: str, start: Outline, scope: Definition) -> bool:
        return any(name in one.parameters for one in start.around(scope.line))

    def _outside(self, name: str, start: Outline, known: bool) -> str | None:
        if name in start.definitions:
            return href(start.source, start.source, name)
        head, _, rest = name.partition(".")
        if rest and (module := self.file(f"{head}.py", start)) and rest in module.definitions:  # bptt.unroll
            return href(start.source, module.source, rest)
        imported = head in start.imported
        if imported and (module := self.file(f"{name}.py", start)):  # ops
            return href(start.source, module.source)
        found = self.defined.get(head, [])
        if len(found) == 1 and name in found[0].definitions and (imported or not known):
            return href(start.source, found[0].source, name)
        return None

    def equation(self, number: int, start: Outline, line: int, file: str = "") -> Named | None:
        """The equation that a number means which stands in a line of `start`, if it is of the file called `file`, in
        that one."""
        if not file:
            owner = start.owner(line)
            return Named(start, owner, number) if owner and number in owner.equations else None
        found = self.file(file, start)
        owners = [one for one in found.definitions.values() if one.equations] if found else []
        owners = [one for one in owners if one.kind == "module"] or owners
        if found is None or len(owners) != 1 or number not in owners[0].equations:
            return None
        return Named(found, owners[0], number)


def href(start: Source, end: Source, anchor: str = "") -> str:
    """The address of a page, or of something on it, as it is written on another, or on the same."""
    fragment = f"#{anchor}" if anchor else ""
    if start.path == end.path and anchor:
        return fragment
    return posixpath.relpath(end.page, posixpath.dirname(start.page)) + fragment
