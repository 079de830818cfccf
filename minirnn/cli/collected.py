"""The pictures or videos with captions that a run learns from, is validated on, and is judged by."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minirnn.data import Codec, moving, scenes
from minirnn.data.features import Features, read_features
from minirnn.data.moving import Moving
from minirnn.data.pictures import Preprocessing, read_captions, read_frames, read_picture
from minirnn.data.scenes import Scene
from minirnn.data.writing import write_atomically
from minirnn.errors import InputError, install
from minirnn.runs.captions import Learned, check

SPARE = 10
"""Tokens that a caption may have beyond twice the longest of training."""


class Collection(NamedTuple):
    """Pictures or videos with captions, in three parts; the last may be the held-out part once more.

    Attributes:
        train, valid, test: names, what is to be seen, and captions.
        truth: the scenes or moving scenes of valid and test, where they are built in.
        grid: how the regions of features lie, (rows, columns), if that is known.
    """

    train: Part
    valid: Part
    test: Part
    truth: dict[str, list[Any]]
    grid: tuple[int, int] | None = None


class Part(NamedTuple):
    """Names, what is to be seen as it was read, and the captions of each."""

    names: list[str]
    seen: Any
    captions: list[list[str]]


def size_of(options: dict[str, Any]) -> int:
    """The size to which pictures are brought."""
    return options["size"] or (moving.SIZE if options["video"] else scenes.SIZE)


def load(options: dict[str, Any]) -> Collection:
    """The pictures and captions that the options name.

    Raises:
        FileNotFoundError, InputError: a file is missing or damaged, or captions and pictures do not fit.
    """
    check(options)
    if not (options["images"] or options["features"]):
        return _built_in(options)
    everything = read_part(options, options["captions"])
    if options["valid-captions"]:
        train, valid = everything, read_part(options, options["valid-captions"])
    else:
        order = np.random.default_rng(options["seed"]).permutation(len(everything.names))
        held_out = int(len(order) * options["valid-fraction"])
        train, valid = (_take(everything, np.sort(part)) for part in (order[held_out:], order[:held_out]))
    grid = read_features(options["features"]).grid if options["features"] else None
    return Collection(train, valid, valid, {}, grid)


def _built_in(options: dict[str, Any]) -> Collection:
    module: Any = moving if options["video"] else scenes
    draw = moving.moving if options["video"] else scenes.scenes
    if options["size"] not in (None, module.SIZE):
        raise InputError(f"the built-in pictures have a size of {module.SIZE}: leave out --size")
    parts, truth = dict[str, Part](), dict[str, list[Any]]()
    for split in module.SPLITS:
        found: Any = draw(split, options["examples"] if split == "train" else None)
        parts[split], truth[split] = part_of(found), found
    del truth["train"]
    return Collection(parts["train"], parts["valid"], parts["test"], truth)


def part_of(found: Sequence[Scene] | Sequence[Moving]) -> Part:
    """Built-in pictures or videos."""
    seen: Any = [one.picture if isinstance(one, Scene) else one.frames for one in found]
    if isinstance(found[0], Scene):
        seen = np.stack(seen)
    return Part([str(i) for i in range(len(found))], seen, [one.captions for one in found])


def read_part(options: dict[str, Any], captions: str) -> Part:
    """The pictures, videos or features of which a file has captions."""
    by_name = read_captions(captions)
    names = list(by_name)
    if options["features"]:
        features = read_features(options["features"])
        return Part(
            names, features.values[_rows(features, names, captions, options["features"])], list(by_name.values())
        )
    folder, read = Path(options["images"]), read_frames if options["video"] else read_picture
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of pictures" if folder.exists() else f"{folder}: there is no such "
                         "folder of pictures")  # fmt: skip
    if missing := [name for name in names if not (folder / name).exists()]:
        more = f", and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise InputError(f"{captions}: there is no {missing[0]} in {folder}, of which it has a caption{more}")
    seen: Any = [read(folder / name, size_of(options)) for name in names]
    return Part(names, seen if options["video"] else np.stack(seen), list(by_name.values()))


def _rows(features: Features, names: Sequence[str], captions: str, file: str) -> list[int]:
    row_of = {name: i for i, name in enumerate(features.names)}
    if missing := [name for name in names if name not in row_of]:
        raise InputError(f"{captions}: there is no {missing[0]!r} among the names of {file}, such as "
                         f"{features.names[0]!r}, of which it has a caption")  # fmt: skip
    return [row_of[name] for name in names]


def _take(part: Part, at: np.ndarray) -> Part:
    seen = part.seen[at] if isinstance(part.seen, np.ndarray) else [part.seen[i] for i in at]
    return Part([part.names[i] for i in at], seen, [part.captions[i] for i in at])


def digest(collection: Collection) -> str:
    """What tells pictures and captions from others."""
    sha256 = hashlib.sha256()
    for names, seen, captions in (collection.train, collection.valid):
        for name, one, texts in zip(names, seen, captions, strict=True):
            sha256.update(repr((name, one.shape, one.dtype.str, texts)).encode("utf-8", "backslashreplace"))
            sha256.update(np.ascontiguousarray(one).data)
    return sha256.hexdigest()


def mismatch(options: dict[str, Any]) -> str:
    """What is wrong where a run finds other pictures than its own, up to the name of the run."""
    what = options["captions"] or ("the built-in videos" if options["video"] else "the built-in scenes")
    return f"{what}: these are not the pictures and captions that"


def learn(collection: Collection, options: dict[str, Any]) -> Learned:
    """What has to be known of the data."""
    train = collection.train
    if not train.names:
        raise InputError("there are no pictures to learn from: lower --valid-fraction")
    texts = [text for of_one in train.captions for text in of_one]
    limits = {"min_frequency": options["min-frequency"], "max_vocabulary": options["vocabulary"]}
    codec = Codec.build(texts, options["tokens"], options["clean"], **limits)
    longest = max(len(codec.encode(text, options["max-length"])) for text in texts)
    if options["features"]:
        L, D = train.seen.shape[1:]
        return Learned(codec, None, (L, D), collection.grid, 2 * longest + SPARE)
    some = train.seen if isinstance(train.seen, np.ndarray) else np.concatenate(train.seen[:500])
    return Learned(codec, Preprocessing.of(some), None, None, 2 * longest + SPARE)


def write_picture(seen: np.ndarray, to: Path) -> None:
    """Write a picture as a PNG, or the frames of a video into a folder.

    Raises:
        InputError: Pillow is not installed.
        OSError: it cannot be written.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(f"writing pictures needs Pillow: {install('images')}") from error
    files = {to: seen}
    if seen.ndim == 4:
        to.mkdir(exist_ok=True)
        files = {to / f"{i:02}.png": frame for i, frame in enumerate(seen)}
    for file, pixels in files.items():
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, format="PNG")
        write_atomically(file, data.getvalue())
