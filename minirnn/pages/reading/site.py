"""All pages together: making them, and writing them into a folder."""

from __future__ import annotations

from pathlib import Path

from minirnn.data.writing import write_atomically
from minirnn.errors import InputError
from minirnn.pages.reading.linking import Links
from minirnn.pages.reading.outline import Outline
from minirnn.pages.reading.page import GENERATOR, Page, index
from minirnn.pages.reading.sources import chapters, sources

STYLE = Path(__file__).with_name("style.css")


def build() -> dict[str, str]:
    """The text of every file, by its path below the folder; the same source gives the same."""
    links = Links([Outline(source) for source in sources()])
    pages = {one.source.page: str(Page(one, links)) for one in links.outlines.values()}
    return {"index.html": index(chapters()), "style.css": STYLE.read_text(encoding="utf-8"), **pages}


def write(folder: str | Path) -> Path:
    """Write all pages into a folder, which is made if there is none, over what an earlier call has left.

    Returns:
        The index.

    Raises:
        InputError: there is something else.
        OSError: it cannot be written.
    """
    folder = Path(folder)
    check_folder(folder)
    for name, text in build().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text.encode())
    return folder / "index.html"


def check_folder(folder: Path) -> None:
    """Refuse a folder with other files, which pages might take the place of.

    Raises:
        InputError: there are some, or it is a file.
        OSError: it cannot be read.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is not a directory: choose another --out")
    first = folder / "index.html"
    ours = first.is_file() and GENERATOR in first.read_text(encoding="utf-8", errors="replace")
    if not ours and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files: choose a new or an empty folder with --out")
