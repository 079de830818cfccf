"""The few colours in which pictures are drawn pixel by pixel: how pixels become colour numbers, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from minirnn.arguments import integer, number, shown
from minirnn.data.pictures import pillow
from minirnn.errors import InputError

MOST_COLOURS = 256
"""A number of a colour is one byte."""
MOST_SAMPLED = 2**24
"""Pixels that a palette is made of; of more than these it is every second, or third, and so on."""

_BLOCK = 2**18  # pixels at a time: what is computed of them takes megabytes, however many pictures there are


class Colours(ABC):
    """A number of colours that a pixel can have.

    Attributes:
        table: (num_colours, 3), uint8: the colour of every number.
    """

    def __init__(self, table: np.ndarray):
        self.table = table

    @property
    def num_colours(self) -> int:
        """How many there are."""
        return len(self.table)

    def to_ids(self, pictures: np.ndarray) -> np.ndarray:
        """The numbers (..., H, W), uint8, of the colours of pictures (..., H, W, 3), uint8.

        Raises:
            InputError: they have another shape or type.
        """
        _check_pictures(pictures)
        return self._ids(pictures)

    def to_pixels(self, ids: np.ndarray) -> np.ndarray:
        """The pixels (..., H, W, 3), uint8, that colour numbers (..., H, W) stand for.

        Raises:
            InputError: they are no integers, or there is no such colour.
        """
        if ids.dtype.kind not in "iu":
            raise InputError(f"expected numbers of colours, not {ids.dtype}")
        if ids.size and (ids.min() < 0 or ids.max() >= self.num_colours):
            raise InputError(f"expected numbers of {self.num_colours} colours, found {ids.min()} to {ids.max()}")
        return self.table[ids]

    @abstractmethod
    def _ids(self, pictures: np.ndarray) -> np.ndarray:
        """`to_ids` of pictures that are some."""

    @abstractmethod
    def describe(self) -> str:
        """What they are, in a few words."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All there is to keep; `colours_from_json` is the inverse."""


class GreyLevels(Colours):
    """Levels of grey from black to white, as many as there are numbers.

    A pixel's level is that which is nearest to its luma, ITU-R 601: 0.299 red + 0.587 green + 0.114 blue.

    Args:
        levels: 2 to 256.

    Raises:
        InputError: it is another number.
    """

    def __init__(self, levels: int):
        last = _limited("levels", levels, 2, MOST_COLOURS) - 1
        self._of_luma = np.rint(np.arange(256) * last / 255).astype(np.uint8)
        super().__init__(_grey(np.rint(np.arange(last + 1) * 255 / last)))

    def _ids(self, pictures: np.ndarray) -> np.ndarray:
        return self._of_luma[_luma(pictures)]

    def describe(self) -> str:
        """What they are, in a few words."""
        return f"{self.num_colours} levels of grey"

    def to_json(self) -> dict[str, Any]:
        """All there is to keep."""
        return {"kind": "grey", "levels": self.num_colours}


class Binary(Colours):
    """Black, number 0, and white, number 1: what models of binary digits are measured on.

    A pixel of a luma from a threshold on is white. Or it is so at random, with the probability luma / 255, drawn once
    and for all (Salakhutdinov & Murray 2008, "On the quantitative analysis of deep belief networks"): the draw of a
    picture depends on the seed and the picture alone, not on those beside it. Which of the two it was moves the
    likelihood of the same digits by some 25 nats, so say `describe` beside every figure.

    Args:
        threshold: of luma / 255, above 0 and at most 1.
        seed: of the random draw; then there is no threshold. None: no random draw.

    Raises:
        InputError: a number is out of its range.
    """

    def __init__(self, threshold: float = 0.5, seed: int | None = None):
        super().__init__(_grey(np.array([0, 255])))
        self.seed = None if seed is None else _limited("seed", seed, 0, 2**63 - 1)
        self.threshold = number("threshold", threshold, above=0, most=1) if seed is None else None

    def _ids(self, pictures: np.ndarray) -> np.ndarray:
        luma = _luma(pictures)
        if self.threshold is not None:
            return (np.arange(256) / 255 >= self.threshold).astype(np.uint8)[luma]
        ids = np.empty_like(luma)
        for index in np.ndindex(luma.shape[:-2]):
            own = int.from_bytes(sha256(luma[index].tobytes()).digest()[:8])
            draw = np.random.default_rng([self.seed or 0, own]).random(luma.shape[-2:])
            ids[index] = 255 * draw < luma[index]
        return ids

    def describe(self) -> str:
        """Which binarisation it is."""
        return "binarised by one random draw" if self.threshold is None else f"binarised at {self.threshold:g}"

    def to_json(self) -> dict[str, Any]:
        """All there is to keep."""
        if self.threshold is None:
            return {"kind": "binary", "seed": self.seed}
        return {"kind": "binary", "threshold": self.threshold}


class Palette(Colours):
    """Any colours: a pixel becomes the nearest one, by the squared distance in RGB, and the first of equally near ones.

    Args:
        table: (K, 3), uint8, with 2 <= K <= 256: all different.

    Raises:
        InputError: it is not like that.
    """

    def __init__(self, table: np.ndarray):
        if table.dtype != np.uint8 or table.ndim != 2 or table.shape[1] != 3:
            raise InputError(f"expected colours (K, 3) of uint8, not {table.shape} of {table.dtype}")
        if not 2 <= len(table) <= MOST_COLOURS:
            raise InputError(f"expected 2 to {MOST_COLOURS} colours, found {len(table)}")
        if len(np.unique(table, axis=0)) < len(table):
            raise InputError("expected colours that are different, found one twice")
        super().__init__(table.copy())

    @classmethod
    def median_cut(cls, pictures: np.ndarray, num_colours: int) -> Palette:
        """A palette made for pictures (..., H, W, 3), uint8.

        If they have no more colours than that, it is exactly these. Otherwise all their colours together are cut in
        two at the median, and the halves again, until there are so many parts, of which each gives its mean (Heckbert
        1982, "Color image quantization for frame buffer display"). The colours are sorted, by red first.

        Args:
            pictures: what is to be drawn in these colours.
            num_colours: 2 to 256, the most that there may be.

        Raises:
            InputError: they have another shape or type, or are of a single colour; or Pillow is needed and not
                installed.
        """
        num_colours = _limited("num_colours", num_colours, 2, MOST_COLOURS)
        _check_pictures(pictures)
        codes = _different(pictures)
        if len(codes) < 2:
            raise InputError(f"expected pictures of 2 colours or more, found {len(codes)}")
        if len(codes) <= num_colours:
            return cls(_decoded(codes))
        step = -(-pictures.size // (3 * MOST_SAMPLED))
        pixels = np.ascontiguousarray(pictures.reshape(-1, 3)[::step])
        image_module = pillow().Image
        image = image_module.fromarray(pixels[None]).quantize(num_colours, image_module.Quantize.MEDIANCUT)
        found = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
        used = [number for _, number in image.getcolors()]
        return cls(np.unique(found[used], axis=0))

    def _ids(self, pictures: np.ndarray) -> np.ndarray:
        # Distances are computed once for every colour there is, not for every pixel.
        nearest, codes = np.empty(2**24, np.uint8), _different(pictures)
        table = self.table.astype(np.float32)
        squares = (table**2).sum(axis=1)
        for block in _blocks(len(codes), _BLOCK // 16):
            # Short of |pixel|², which is the same for all; whole numbers that float32 has exactly.
            distances = squares - 2 * (_decoded(codes[block]).astype(np.float32) @ table.T)
            nearest[codes[block]] = distances.argmin(axis=1)
        return _by_blocks(pictures, lambda pixels: nearest[_encoded(pixels)])

    def describe(self) -> str:
        """What it is, in a few words."""
        return f"a palette of {self.num_colours} colours"

    def to_json(self) -> dict[str, Any]:
        """All there is to keep."""
        return {"kind": "palette", "colours": self.table.tolist()}


def colours_from_json(config: dict[str, Any]) -> Colours:
    """The inverse of `to_json`.

    Raises:
        ValueError, TypeError, KeyError: something is missing or damaged.
    """
    kind = config["kind"]
    if kind == "grey":
        return GreyLevels(config["levels"])
    if kind == "binary":
        if "seed" in config:
            return Binary(seed=integer("seed", config["seed"], 0))
        return Binary(config["threshold"])
    if kind != "palette":
        raise InputError(f"kind must be 'grey', 'binary' or 'palette', not {shown(kind)}")
    rows = config["colours"]
    if not isinstance(rows, list) or not 2 <= len(rows) <= MOST_COLOURS:
        raise InputError(f"colours must be a list of 2 to {MOST_COLOURS} colours, not {shown(rows)}")
    for row in rows:
        if not isinstance(row, list) or len(row) != 3:
            raise InputError(f"a colour must be a list of 3 integers, not {shown(row)}")
    return Palette(np.array([[_limited("a colour", value, 0, 255) for value in row] for row in rows], np.uint8))


def _limited(name: str, value: Any, least: int, most: int) -> int:
    found = integer(name, value, least)
    if found > most:
        raise InputError(f"{name} must be an integer of at most {most}, not {shown(value)}")
    return found


def _check_pictures(pictures: np.ndarray) -> None:
    if pictures.dtype != np.uint8 or pictures.ndim < 3 or pictures.shape[-1] != 3:
        raise InputError(f"expected pictures (..., H, W, 3) of uint8, not {pictures.shape} of {pictures.dtype}")


def _grey(levels: np.ndarray) -> np.ndarray:
    """The table of a row of greys."""
    return np.repeat(levels.astype(np.uint8)[:, None], 3, axis=1)


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))


def _by_blocks(pictures: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """One byte (..., H, W) for every pixel, from a function of pixels (n, 3)."""
    pixels = pictures.reshape(-1, 3)
    found = np.empty(len(pixels), np.uint8)
    for block in _blocks(len(pixels), _BLOCK):
        found[block] = function(pixels[block])
    return found.reshape(pictures.shape[:-1])


def _luma(pictures: np.ndarray) -> np.ndarray:
    """(..., H, W), uint8, rounded."""
    weights = np.array([299, 587, 114], np.int32)
    return _by_blocks(pictures, lambda pixels: (pixels @ weights + 500) // 1000)


def _encoded(pixels: np.ndarray) -> np.ndarray:
    """Pixels (n, 3) as one number each, in the order of red, green and blue."""
    wide = pixels.astype(np.int32)
    return wide[:, 0] << 16 | wide[:, 1] << 8 | wide[:, 2]


def _decoded(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)


def _different(pictures: np.ndarray) -> np.ndarray:
    """All colours of pictures, each once, encoded and sorted."""
    pixels = pictures.reshape(-1, 3)
    if len(pixels) < _BLOCK // 16:
        return np.unique(_encoded(pixels))
    seen = np.zeros(2**24, bool)
    for block in _blocks(len(pixels), _BLOCK):
        seen[_encoded(pixels[block])] = True
    return np.flatnonzero(seen)
