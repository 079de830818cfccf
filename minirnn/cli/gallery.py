"""The pictures that a run learns to draw, is validated on, and is judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn.data import Codec, sketches
from minirnn.data.colours import Binary, Colours, GreyLevels, Palette
from minirnn.data.drawable import Drawable, read_drawable, split
from minirnn.data.pictures import read_captions
from minirnn.errors import InputError, install
from minirnn.runs.drawings import RANDOM, Learned, check, condition_of
from minirnn.training.drawing import Drawn


class Part(NamedTuple):
    """Pictures (N, size, size, 3), uint8, and of each its captions or its class, if there are any."""

    pictures: np.ndarray
    captions: list[list[str]] | None
    classes: list[str] | None


class Gallery(NamedTuple):
    """Pictures in three parts, the names of all classes, and whether they are the built-in sketches."""

    train: Part
    valid: Part
    test: Part
    classes: list[str]
    sketches: bool = False


def load(options: dict[str, Any]) -> Gallery:
    """The pictures that the options name.

    Raises:
        FileNotFoundError, InputError: a file is missing or damaged, captions and pictures do not fit, or a library is
            needed and not installed.
    """
    check(options)
    if not options["images"]:
        return _sketches(options) if options["built-in"] == "sketches" else _parts(_digits(), None, options)
    if options["captions"] and not Path(options["images"]).is_dir():
        raise InputError("--captions goes with a folder: they are told of the names of files")
    drawable = read_drawable(options["images"], options["size"])
    return _parts(drawable, _captions_of(drawable, options) if options["captions"] else None, options)


def _sketches(options: dict[str, Any]) -> Gallery:
    def part(name: str) -> Part:
        found = sketches.sketches(name, options["examples"] if name == "train" else None)
        return Part(np.stack([one.picture for one in found]), [one.captions for one in found], None)

    return Gallery(part("train"), part("valid"), part("test"), [], sketches=True)


def _digits() -> Drawable:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(f"the built-in digits need scikit-learn: {install('images')}") from error
    found = load_digits()
    grey = np.rint(found.images * 255 / 16).astype(np.uint8)
    pictures = np.repeat(grey[..., None], 3, axis=3)
    return Drawable(pictures, [str(i) for i in range(len(pictures))], [str(y) for y in found.target])


def _captions_of(drawable: Drawable, options: dict[str, Any]) -> list[list[str]]:
    by_name = read_captions(options["captions"])
    names = set(drawable.names)
    if missing := [name for name in by_name if name not in names]:
        raise InputError(f"{options['captions']}: there is no {missing[0]} in {options['images']}, of which it has a "
                         "caption")  # fmt: skip
    if missing := [name for name in drawable.names if name not in by_name]:
        raise InputError(f"{options['captions']}: there is no caption of {missing[0]}, which is in "
                         f"{options['images']}")  # fmt: skip
    return [by_name[name] for name in drawable.names]


def _parts(drawable: Drawable, captions: list[list[str]] | None, options: dict[str, Any]) -> Gallery:
    if condition_of(options) == "class" and drawable.labels is None:
        raise InputError(f"{options['images']}: these pictures have no classes: leave out --condition class")
    if len(drawable.names) < 3:
        raise InputError(f"{options['images']}: expected at least 3 pictures, found {len(drawable.names)}")

    def part(at: np.ndarray) -> Part:
        labels = drawable.labels
        return Part(
            drawable.pictures[at],
            None if captions is None else [captions[i] for i in at],
            None if labels is None else [labels[i] for i in at],
        )

    train, valid, test = split(len(drawable.names), options["test-every"])
    return Gallery(part(train), part(valid), part(test), drawable.classes)


def digest(gallery: Gallery) -> str:
    """What tells pictures, captions and classes from others."""
    sha256 = hashlib.sha256()
    for pictures, captions, classes in (gallery.train, gallery.valid, gallery.test):
        sha256.update(repr((pictures.shape, captions, classes)).encode("utf-8", "backslashreplace"))
        sha256.update(np.ascontiguousarray(pictures).data)
    return sha256.hexdigest()


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds other pictures than its own, up to the name of the run."""
    what = options["images"] or f"the built-in {options['built-in']}"
    return f"{what}: these are not the pictures that"


def learn(gallery: Gallery, options: dict[str, Any]) -> Learned:
    """What has to be known of the data."""
    train, condition = gallery.train, condition_of(options)
    codec = None
    if condition == "caption" and train.captions is not None:
        codec = Codec.build([text for of_one in train.captions for text in of_one], "word", "lower")
    classes = gallery.classes if condition == "class" else None
    return Learned(_colours(train.pictures, options), train.pictures.shape[1], classes, codec)


def _colours(pictures: np.ndarray, options: dict[str, Any]) -> Colours:
    digits = not options["images"] and options["built-in"] == "digits"
    if options["binarize"] is not None:
        return Binary(seed=options["seed"]) if options["binarize"] == RANDOM else Binary(options["binarize"])
    if options["levels"] or (digits and not options["palette"]):
        return GreyLevels(options["levels"] or 17)
    if not options["images"] and not digits:
        return sketches.PALETTE
    return Palette.median_cut(pictures, options["palette"] or 32)


def drawn(part: Part, learned: Learned) -> Drawn:
    """A part as the model learns from it."""
    return Drawn(learned.colours.to_ids(part.pictures), learned.told(part.captions, part.classes))


def titles(part: Part, learned: Learned, at: Sequence[int]) -> list[str] | None:
    """What some pictures of a part are of, in words; None if the model is told nothing of them."""
    if learned.codec is not None and part.captions is not None:
        return [part.captions[i][0] for i in at]
    if learned.classes is not None and part.classes is not None:
        return [part.classes[i] for i in at]
    return None
