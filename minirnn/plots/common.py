"""What all pictures share. Only functions in this folder import matplotlib, and only when called."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from minirnn.data.writing import write_atomically
from minirnn.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

# TeX would read tokens as commands; without mathematics the numbers of a logarithmic axis would be $10^{2}$.
_SETTINGS: dict[Any, Any] = {"text.usetex": False, "text.parse_math": True}
LONGEST = 60
"""Characters of a name in a legend."""


def has_matplotlib() -> bool:
    """Whether matplotlib is installed.

    `MPLBACKEND` says in which window to draw, and what a notebook starts inherits the notebook's. matplotlib refuses to
    be imported with one that it does not find, though a file needs no window. So it is told of it afterwards.
    """
    if "matplotlib" in sys.modules or "MPLBACKEND" not in os.environ:
        return _imports()
    backend = os.environ.pop("MPLBACKEND")
    try:
        found = _imports()
    finally:
        os.environ["MPLBACKEND"] = backend
    if found and backend:
        from matplotlib import rcParams

        with contextlib.suppress(ValueError):
            rcParams["backend"] = backend
    return found


def _imports() -> bool:
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def picture(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw whatever it is given: with settings that can draw any text, should the user's be others, and
    without warnings, of a character that the font lacks or an axis with nothing on it. The picture shows them itself.
    """

    @functools.wraps(draw)
    def drawn(*arguments: P.args, **options: P.kwargs) -> R:
        if not has_matplotlib():
            return draw(*arguments, **options)
        from matplotlib import rc_context

        with rc_context(_SETTINGS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return draw(*arguments, **options)

    return drawn


def new_figure(width: float = 6, height: float = 4, layout: Literal["constrained"] | None = "constrained") -> Any:
    """A matplotlib figure of that many inches, laid out without overlaps; None if matplotlib is not installed."""
    if not has_matplotlib():
        return None
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def drawable(text: str) -> str:
    """The text with its number for each half of a surrogate pair, as undecodable file names and arguments have them.
    That `$` begins no formula, what writes the text must be told: `parse_math=False`."""
    return text.encode("utf-8", "backslashreplace").decode()


def add_legend(axes: Any, handles: Mapping[str, Any], **style: Any) -> None:
    """A legend of curves by name. Names are taken as they stand: matplotlib on its own reads `$` as the beginning of a
    formula and hides a name that begins with `_`."""
    if not handles:
        return
    legend = axes.legend(handles.values(), map(str, range(len(handles))), frameon=False, **style)
    for text, name in zip(legend.get_texts(), handles, strict=True):
        # Paths differ at their ends.
        text.set(text=drawable(name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]), parse_math=False)


def format_of(path: str | Path) -> str:
    """The format that the name of a picture ends with; without any PNG.

    Raises:
        InputError: matplotlib does not know it.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    suffix = Path(path).suffix[1:].lower() or "png"
    if suffix not in FigureCanvasBase.get_supported_filetypes():
        raise InputError(f"{path}: expected the name of a picture to end with .png")
    return suffix


def save(figure: Any, path: str | Path, bbox_inches: str | None = None) -> Path:
    """Write the figure, sharp enough for print, whole or not at all. Returns the path.

    Raises:
        InputError: its format is unknown.
        OSError: it cannot be written.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format=format_of(path), dpi=150, bbox_inches=bbox_inches)
    write_atomically(path, drawn.getvalue())
    return Path(path)
