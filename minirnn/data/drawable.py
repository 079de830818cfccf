"""Pictures of one's own that a network learns to draw: a folder of them, or an .npz file.

They come from anywhere, so whatever is wrong with them is found here and said in one line, and how much memory they
take is known before it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minirnn.arguments import integer, shown
from minirnn.data.npz import Arrays, described, open_npz
from minirnn.data.pictures import SUFFIXES, natural, pictures_in, read_picture
from minirnn.errors import InputError

SIZE = 28
"""Pixels from edge to edge that the pictures of a folder have by default."""
LEAST_SIZE = 2
MOST_PICTURES, MOST_BYTES = 200_000, 2**30
"""In all, and of all pixels in three colours."""
MOST_UNPACKED = 2**26
"""Bytes that any packed array may hold, if it swells much."""
MOST_LETTERS = 100
"""Of the name of a class."""
MOST_VALID = 500
"""Pictures to validate with: after every epoch, so more would take long and say little more."""


class Drawable(NamedTuple):
    """Pictures to be drawn.

    Attributes:
        pictures: (N, size, size, 3), uint8.
        names: of each.
        labels: the class of each, if they have classes.
    """

    pictures: np.ndarray
    names: list[str]
    labels: list[str] | None

    @property
    def classes(self) -> list[str]:
        """The labels, each once, in their natural order: 2 is before 10. Empty if there are none."""
        return sorted(set(self.labels or ()), key=natural)


def read_drawable(path: str | Path, size: int | None = None, resampling: str = "box") -> Drawable:
    """The pictures of a folder, or of an .npz file.

    **A folder**: all pictures in it, in their natural order, or all in its subfolders, whose names are the classes of
    the pictures then. Other files and hidden ones are passed over.

    **An .npz file** has the array `x` (N, H, H) or (N, H, H, 3) of uint8 and, if you like, `y` (N,), the classes:
    integers or strings. The pictures are called "0", "1" and so on. Another size than theirs has to divide it: then
    every pixel is the mean of some.

    Args:
        path: of the folder or the file.
        size: pixels from edge to edge. None: 28 for a folder, as they are for a file.
        resampling: how pictures of a folder come to that size, see `read_picture`.

    Raises:
        FileNotFoundError, PermissionError: it cannot be opened.
        InputError: it is not like that, or damaged; or there are more than 200,000 pictures or 1 GiB of pixels.
    """
    size = None if size is None else integer("size", size, LEAST_SIZE)
    if Path(path).is_dir():
        return _read_folder(path, SIZE if size is None else size, resampling)
    if Path(path).is_file() and Path(path).suffix.lower() != ".npz":
        raise InputError(f"{path}: expected a folder of pictures or an .npz file")
    with open_npz(path, MOST_UNPACKED) as arrays:
        shape, dtype = arrays.header("x")
        if dtype != np.uint8 or len(shape) not in (3, 4) or shape[1] != shape[2] or shape[3:] not in ((), (3,)):
            raise InputError(f"{path}: x must be uint8 (N, H, H) or (N, H, H, 3), not {dtype.name} of shape {shape}")
        count, edge = shape[:2]
        if not count or edge < LEAST_SIZE:
            raise InputError(f"{path}: expected pictures of {LEAST_SIZE} x {LEAST_SIZE} pixels or more, found {shape}")
        size = edge if size is None else size
        if edge % size:
            raise InputError(f"{path}: pictures of {edge} x {edge} need a size that divides {edge}, not {size}")
        _check_room(path, count, edge)
        labels = _read_labels(arrays, count)
        pictures = _smaller(arrays.read("x"), size)
    if pictures.ndim == 3:
        pictures = np.repeat(pictures[..., None], 3, axis=3)
    return Drawable(np.ascontiguousarray(pictures), [str(i) for i in range(count)], labels)


def split(n: int, every: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of n pictures are to train with, to validate with and to test with: numbers, ascending, none twice.

    To test with are those whose number % every is every - 1. Of the others it is every so many to validate with
    likewise, but at most 500, evenly spread. So pictures that are sorted by class are split fairly. If n is not larger
    than `every`, n - 1 takes its place, so that there is one of each at least.

    Args:
        n: how many there are, at least 3.
        every: at least 2.

    Raises:
        InputError: a number is out of its range.
    """
    n, every = integer("the number of pictures", n, 3), integer("every", every, 2)
    every = min(every, n - 1)
    numbers = np.arange(n)
    tested = numbers % every == every - 1
    rest = numbers[~tested]
    step = max(every, -(-len(rest) // MOST_VALID))
    validated = np.arange(len(rest)) % step == step - 1
    return rest[~validated], rest[validated], numbers[tested]


def _check_room(path: str | Path, count: int, size: int) -> None:
    if count > MOST_PICTURES:
        raise InputError(f"{path}: expected at most {MOST_PICTURES:,} pictures, found {count:,}")
    if (found := 3 * count * size**2) > MOST_BYTES:
        raise InputError(
            f"{path}: expected at most {MOST_BYTES:,} bytes of pixels, found {found:,}: {count:,} pictures "
            f"of {size:,} x {size:,} x 3"
        )


def _read_folder(path: str | Path, size: int, resampling: str) -> Drawable:
    files = pictures_in(path)
    folders = [entry for entry in Path(path).iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    folders.sort(key=lambda folder: natural(folder.name))
    inside = [file for folder in folders for file in pictures_in(folder)]
    if files and inside:
        raise InputError(
            f"{path}: expected all pictures in subfolders, whose names are the classes, or none: "
            f"found {len(inside):,} there, and {len(files):,} beside them"
        )
    if not files and not inside:
        raise InputError(f"{path}: expected pictures ({' '.join(SUFFIXES)}), found none")
    names = [file.relative_to(path).as_posix() for file in files or inside]
    labels = [file.parent.name for file in inside] or None
    _check_labels(path, labels or ())
    _check_room(path, len(names), size)
    pictures = np.empty((len(names), size, size, 3), np.uint8)
    for i, file in enumerate(files or inside):
        pictures[i] = read_picture(file, size, resampling)
    return Drawable(pictures, names, labels)


def _read_labels(arrays: Arrays, count: int) -> list[str] | None:
    if "y" not in arrays:
        return None
    shape, dtype = arrays.header("y")
    if shape != (count,) or dtype.kind not in "iuU":
        raise InputError(f"{arrays.path}: y must be {count:,} integers or strings, not {described(shape, dtype)}")
    if dtype.kind == "U" and dtype.itemsize > 4 * MOST_LETTERS:
        raise InputError(f"{arrays.path}: a class must have a name of at most {MOST_LETTERS} letters")
    labels = [str(label) for label in arrays.read("y").tolist()]
    _check_labels(arrays.path, labels)
    return labels


def _check_labels(path: str | Path, labels: Iterable[str]) -> None:
    for label in set(labels):
        if not label.strip() or not label.isprintable() or len(label) > MOST_LETTERS:
            raise InputError(
                f"{path}: a class must have a name of 1 to {MOST_LETTERS} letters that can be printed, "
                f"not {shown(label)}"
            )


def _smaller(pictures: np.ndarray, size: int) -> np.ndarray:
    """Pictures (N, H, H, ...) as (N, size, size, ...), where size divides H: the means, rounded."""
    factor = pictures.shape[1] // size
    if factor == 1:
        return pictures
    found = np.empty((len(pictures), size, size, *pictures.shape[3:]), np.uint8)
    for i, picture in enumerate(pictures):
        tiles = picture.reshape(size, factor, size, factor, *picture.shape[2:])
        found[i] = (2 * tiles.sum(axis=(1, 3), dtype=np.int64) + factor**2) // (2 * factor**2)
    return found
