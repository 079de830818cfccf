"""Pictures and videos of one's own, captions of them, and how pixels become numbers.

Pictures come from anywhere, so whatever is wrong with a file is found here and said in one line, and how much memory
it takes is known before it is taken.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np

from minirnn.arguments import integer, number
from minirnn.data.reading import read_text, split_lines
from minirnn.data.refusing import refusing
from minirnn.errors import InputError, install

MOST_PIXELS, MOST_FRAMES = 50_000_000, 1000
"""Pixels that a picture may have in its file, and pictures that a folder may hold."""

LEAST_SIZE, MOST_SIZE = 8, 512
"""Pixels from edge to edge of what a network looks at."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")

RESAMPLING = {"lanczos": 3.0, "box": 1000.0}
"""How a picture is made smaller, sharp or each pixel as the mean of what lies under it; and how many times too large it
is left by a first coarse step, if there is need of one."""

_PNG_END = b"\xaeB`\x82"
_ORIENTATION = 0x0112


def read_picture(path: str | Path, size: int, resampling: str = "lanczos") -> np.ndarray:
    """A picture (size, size, 3) as uint8, squashed if it is no square. Of several frames it is the first.

    Whatever is transparent is laid on white, and a picture that the camera marked as turned is turned upright. One
    that has this size already is left as it is.

    Args:
        path: a PNG, JPEG, GIF, BMP or WebP file.
        size: pixels from edge to edge.
        resampling: "lanczos", or "box" for pictures of few pixels: Lanczos' filter is sharper, and for that overshoots
            beside an edge, into colours that the picture does not have.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: it is no such picture, or damaged, or has more than 50 million pixels; or there is no such
            resampling; or Pillow is not installed.
    """
    library, size = pillow(), integer("size", size)
    if resampling not in RESAMPLING:
        raise InputError(f"unknown resampling {resampling!r}: expected one of {', '.join(RESAMPLING)}")
    with open(path, "rb") as file, refusing(path, "damaged picture"):
        image = _opened(library, file, path)
        # Pillow itself would take a PNG whose end is missing.
        image.verify()
        if image.format == "PNG" and file.read(4) != _PNG_END:
            raise InputError(f"{path}: damaged picture: the end of the file is missing")
        image = _opened(library, file, path)  # for after `verify` it cannot be read
        image.load()
        orientation = image.getexif().get(_ORIENTATION)
        image = _on_white(library, image)
        # The filter's weights for a strip of millions of pixels would take gigabytes without the coarse step, and means
        # would not be of just the pixels that lie under one with it: so these have it for such strips only.
        method, gap = library.Image.Resampling[resampling.upper()], RESAMPLING[resampling]
        image = image.resize((size, size), method, reducing_gap=gap)
        return np.ascontiguousarray(_upright(np.asarray(image), orientation))


def pillow() -> Any:
    """The library that reads pictures.

    Raises:
        InputError: it is not installed.
    """
    try:
        import PIL.Image
    except ImportError as error:
        raise InputError(f"reading pictures needs Pillow: {install('images')}") from error
    return PIL


def _opened(library: Any, file: Any, path: str | Path) -> Any:
    """Pillow's image of an open file, of which only the header has been read and found small enough."""
    try:
        image = library.Image.open(file, formats=FORMATS)
    except library.UnidentifiedImageError as error:
        raise InputError(f"{path}: expected a PNG, JPEG, GIF, BMP or WebP picture, found none") from error
    except library.Image.DecompressionBombError as error:
        # Pillow has its own, higher limit, beyond which it gives no image, only a sentence with the number.
        found = re.search(r"(\d+) pixels", str(error))
        raise _too_large(path, f"{int(found[1]):,} pixels" if found else "far more") from error
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise _too_large(path, f"{width:,} x {height:,}")
    return image


def _too_large(path: str | Path, found: str) -> InputError:
    return InputError(f"{path}: expected a picture of at most {MOST_PIXELS:,} pixels, found {found}: make it smaller")


def _on_white(library: Any, image: Any) -> Any:
    """The image in Pillow's mode RGB."""
    if image.mode.startswith("I"):  # 16 bits of grey, which `convert` clips at 255
        values = np.asarray(image)
        grey = np.clip(values >> 8, 0, 255).astype(np.uint8)  # the upper byte, as Pillow takes it of 16 bits of colour
        grey[values == image.info.get("transparency", -1)] = 255
        return library.Image.fromarray(grey).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = library.Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image)
    return white


def _upright(square: np.ndarray, orientation: Any) -> np.ndarray:
    """Undoes how the camera was held: EXIF counts from 1 to 8. Of a square it does not matter that it is squashed."""
    if orientation in (5, 6, 7, 8):
        square = square.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        square = square[:, ::-1]
    if orientation in (3, 4, 7, 8):
        square = square[::-1]
    return square


def read_frames(folder: str | Path, size: int) -> np.ndarray:
    """The pictures of a folder (frames, size, size, 3) as uint8, by name, numbers as numbers: 2 is before 10.

    Other files, hidden files and folders in it are passed over.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: the folder cannot be opened.
        InputError: it holds no picture, or more than 1000; or one cannot be read, see `read_picture`.
    """
    size = integer("size", size)
    paths = pictures_in(folder)
    if not paths:
        raise InputError(f"{folder}: expected pictures ({' '.join(SUFFIXES)}), found none")
    if len(paths) > MOST_FRAMES:
        raise InputError(f"{folder}: expected at most {MOST_FRAMES:,} pictures, found {len(paths):,}")
    frames = np.empty((len(paths), size, size, 3), np.uint8)
    for i, path in enumerate(paths):
        frames[i] = read_picture(path, size)
    return frames


def pictures_in(folder: str | Path) -> list[Path]:
    """The pictures that lie in a folder, in their natural order; hidden files are none.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: the folder cannot be opened.
    """
    paths = [
        path
        for path in Path(folder).iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(paths, key=lambda path: natural(path.name))


def natural(name: str) -> tuple[list[str | int], str]:
    """What names are sorted by so that 2 is before 10."""
    parts = re.split("([0-9]+)", name.casefold())  # every second is a number
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def read_captions(path: str | Path) -> dict[str, list[str]]:
    """A file with the name of a picture, a tab and a caption in every line; blank lines are skipped.

    Returns:
        By name, in the order of the file, all captions of a picture. Names are relative to a folder, and one picture
        has one name: `./a.png` is `a.png`.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: the file cannot be opened.
        InputError: a line is not like that, or its name leads out of the folder; names the line.
    """
    found: dict[str, list[str]] = {}
    for i, line in enumerate(split_lines(read_text(path)), 1):
        if not line.strip():
            continue
        name, *captions = (part.strip() for part in line.split("\t"))
        if not name or len(captions) != 1 or not captions[0]:
            raise InputError(f"{path} line {i}: expected a file name, a tab and a caption, found {line[:40]!r}")
        pure = PurePath(name)
        if pure.anchor or ".." in pure.parts or not pure.parts:
            raise InputError(f"{path} line {i}: expected a file name inside the folder, found {name[:40]!r}")
        found.setdefault(pure.as_posix(), []).append(captions[0])
    return found


class Preprocessing(NamedTuple):
    """How pixels become numbers around 0.

    Attributes:
        size: pixels from edge to edge.
        mean, std: by channel, of pixels between 0 and 1.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, pictures: np.ndarray) -> Preprocessing:
        """That under which these pictures (N, size, size, 3), uint8, have mean 0 and standard deviation 1.

        A channel that hardly changes is divided by one step of a pixel, 1/255, at least.

        Raises:
            InputError: it is no such array, or there is no picture in it.
        """
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != (pictures.shape[1],) * 2 + (3,):
            raise InputError(f"expected pictures (N, size, size, 3) of uint8, not {pictures.shape} of {pictures.dtype}")
        if not pictures.size:
            raise InputError(f"expected pictures to take the mean of, found none: {pictures.shape}")
        counts = np.zeros((3, 256), np.int64)  # exact, and without all pictures as floats
        for picture in pictures:
            for k in range(3):
                counts[k] += np.bincount(picture[..., k].ravel(), minlength=256)
        shares, levels = counts / counts.sum(axis=1, keepdims=True), np.arange(256) / 255
        mean = shares @ levels
        std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
        return cls(pictures.shape[1], _three(mean.tolist()), _three(np.maximum(std, 1 / 255).tolist()))

    def prepare(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (..., size, size, 3) of uint8 as float32 (..., 3, size, size).

        Raises:
            InputError: they have another shape or type.
        """
        if pictures.dtype != np.uint8 or pictures.shape[-3:] != (self.size, self.size, 3):
            raise InputError(
                f"expected pictures (..., {self.size}, {self.size}, 3) of uint8, "
                f"not {pictures.shape} of {pictures.dtype}"
            )
        mean, scale = 255 * np.array(self.mean), 1 / (255 * np.array(self.std))
        found = np.empty((*pictures.shape[:-3], 3, self.size, self.size), np.float32)
        np.subtract(np.moveaxis(pictures, -1, -3), mean.astype(np.float32)[:, None, None], out=found)
        found *= scale.astype(np.float32)[:, None, None]
        return found

    def to_json(self) -> dict[str, Any]:
        """All there is to keep."""
        return {"size": self.size, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> Preprocessing:
        """The inverse of `to_json`.

        Raises:
            ValueError, TypeError, KeyError: something is missing or damaged.
        """
        size = integer("size", config["size"], LEAST_SIZE)
        if size > MOST_SIZE:
            raise InputError(f"size must be an integer of at most {MOST_SIZE}, not {size}")
        # The bounds are far from any pixel's, and keep float32 finite.
        mean = [number("mean", value, least=-1e6, most=1e6) for value in config["mean"]]
        std = [number("std", value, least=1e-6, most=1e6) for value in config["std"]]
        return cls(size, _three(mean), _three(std))


def _three(values: list[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise InputError(f"expected 3 channels, found {len(values)}")
    red, green, blue = values
    return red, green, blue
