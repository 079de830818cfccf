"""What `minirnn train draw` can be told, what a run keeps of its data, and the model built from both."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.artist import Artist, told_of
from minirnn.data import Codec
from minirnn.data.colours import Colours, colours_from_json
from minirnn.data.pictures import MOST_SIZE
from minirnn.errors import InputError
from minirnn.models.conditions import CaptionCondition, ClassCondition, Condition
from minirnn.models.drawing import ORDERS, PictureModel, RasterModel
from minirnn.models.grid_drawing import DiagonalModel, RowModel
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.options import Options, number, optimization_options, path, read_options, schedule_options
from minirnn.runs.weights import load_model
from minirnn.training import Run
from minirnn.training.drawing import Told

BUILT_IN = ("sketches", "digits")
MODELS = ("diagonal", "row", "raster")
CONDITIONS = ("caption", "class", "none")
RANDOM = "random"
MOST_CLASSES = 10_000
WORD_SIZE = 32
"""Features of a word's embedding."""

_count = {"type": number(int, 1), "metavar": "N"}
_probability = {"type": number(float, 0, 1), "metavar": "P"}


def threshold(text: str) -> float | str:
    """An argparse type: what share of white makes a pixel white, or "random"."""
    if text == RANDOM:
        return RANDOM
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, or {RANDOM}, found {text!r}")
    return value


OPTIONS: Options = {
    "built-in": ("sketches", {"choices": BUILT_IN, "help": "what to draw: small scenes of shapes with captions, or "
                              "scikit-learn's 8 x 8 digits"}),
    "images": (None, {"type": path, "metavar": "DIR", "help": "instead: a folder of pictures, or an .npz with x (N, "
                      "size, size) and, if you like, y, the classes; classes of a folder are its subfolders"}),
    "captions": (None, {"type": path, "metavar": "FILE", "help": "what the pictures of --images are of: file name, "
                        "tab, caption"}),
    "test-every": (5, {"type": number(int, 2), "metavar": "N", "help": "every so many pictures one is held out to test "
                       "with (sketches have their own)"}),
    "examples": (None, {**_count, "help": "built-in sketches to learn from (default: all)"}),
    "size": (None, {"type": number(int, 2, MOST_SIZE + 1), "metavar": "N", "help": "pixels down and across to which "
                    "pictures are brought (default: 28, or that of the .npz)"}),
    "levels": (None, {"type": number(int, 2, 257), "metavar": "N", "help": "draw in so many levels of grey"}),
    "palette": (None, {"type": number(int, 2, 257), "metavar": "N", "help": "draw in so many colours, made for the "
                       "pictures (default: 32)"}),
    "binarize": (None, {"type": threshold, "metavar": "X", "help": "draw in black and white: white from a brightness "
                        f"of X on, or, with {RANDOM!r}, by a random draw with the brightness as probability"}),
    "condition": (None, {"choices": CONDITIONS, "help": "what the model is told of a picture (default: its caption, "
                         "if it has one)"}),
    "model": ("diagonal", {"choices": MODELS, "help": "how pixels reach one another: Diagonal BiLSTM, Row LSTM, or one "
                           "after the other as characters"}),
    "order": ("rows", {"choices": ORDERS, "help": "for raster, in which order"}),
    **cell_options("lstm"),
    "hidden": (None, {**_count, "help": "units (default: 48 at every pixel; 128 for raster)"}),
    "layers": (1, {**_count, "help": "recurrent layers"}),
    "features": (None, {**_count, "help": "of what a pixel is told (default: as many as units)"}),
    "window": (7, {"type": number(int, 3), "metavar": "N", "help": "pixels across of the window of earlier pixels, an "
                   "odd number; not for raster"}),
    "told": (96, {"type": number(int, 2), "metavar": "N", "help": "features of what the model is told"}),
    "dropout": (0.0, {**_probability, "help": "between the layers and before the output"}),
    "batch-size": (16, {**_count, "help": "pictures in a batch"}),
    **optimization_options(lr=0.008, epochs=8),
    **schedule_options(warmup=100),
}  # fmt: skip


def check(options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: it says which.
    """
    own = options["images"]
    for name in ("captions", "size"):
        if options[name] and not own:
            raise InputError(f"--{name} goes with --images")
    if own and options["built-in"] != OPTIONS["built-in"][0]:
        raise InputError("--built-in goes without --images")
    sketches = not own and options["built-in"] == "sketches"
    if options["examples"] and not sketches:
        raise InputError("--examples goes with the built-in sketches")
    if sketches and options["test-every"] != OPTIONS["test-every"][0]:
        raise InputError("--test-every goes with --images or --built-in digits: sketches have their own test part")
    given = [f"--{name}" for name in ("levels", "palette", "binarize") if options[name] is not None]
    if len(given) > 1:
        raise InputError(f"{given[0]} goes without {given[1]}: give one of them")
    if given and sketches:
        raise InputError(f"{given[0]} goes with --images or --built-in digits: sketches have eleven colours")
    if options["condition"] == "caption" and not (sketches or options["captions"]):
        raise InputError("--condition caption goes with --captions, or with the built-in sketches")
    if options["condition"] == "class" and (sketches or options["captions"]):
        raise InputError("--condition class goes with --images without --captions, or with --built-in digits")
    raster = options["model"] == "raster"
    if options["order"] != OPTIONS["order"][0] and not raster:
        raise InputError("--order goes with --model raster")
    if raster and options["window"] != OPTIONS["window"][0]:
        raise InputError("--window goes with --model diagonal or row")
    if options["window"] % 2 == 0:
        raise InputError(f"--window must be odd, so that a pixel is in its middle, not {options['window']}")
    if condition_of(options) == "none" and options["told"] != OPTIONS["told"][0]:
        raise InputError("--told goes with --condition caption or class")


def condition_of(options: dict[str, Any]) -> str:
    """What the model is told of a picture."""
    captioned = options["captions"] or (not options["images"] and options["built-in"] == "sketches")
    return options["condition"] or ("caption" if captioned else "none")


class Learned(NamedTuple):
    """What a run learns from its data when it begins.

    Attributes:
        colours: in which it draws.
        size: pixels down and across.
        classes: their names, where the model is told the class.
        codec: of the captions, where it is told the caption.
    """

    colours: Colours
    size: int
    classes: list[str] | None
    codec: Codec | None

    def told(self, captions: list[list[str]] | None, classes: list[str] | None) -> Told | None:
        """What pictures are of, as the model's condition reads it.

        Raises:
            InputError: there is no such class.
        """
        return told_of(captions, classes, self.codec, self.classes)

    def to_json(self) -> dict[str, Any]:
        """As run.json has it."""
        codec = self.codec.to_json() if self.codec else None
        return {"colours": self.colours.to_json(), "pixels": self.size, "classes": self.classes, "codec": codec}


def read_learned(run: Run) -> Learned:
    """What a run has learned, from its run.json.

    Raises:
        InputError: it is damaged, or needs a library that is not installed.
    """
    try:
        config = run.config
        colours, size, classes = colours_from_json(config["colours"]), config["pixels"], config["classes"]
        if type(size) is not int or not 2 <= size <= MOST_SIZE:
            raise ValueError(f"pixels is {size!r}")
        if classes is not None:
            named = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
            if not named or not 1 <= len(set(classes)) == len(classes) <= MOST_CLASSES:
                raise ValueError("classes are no different names")
        codec = None if config["codec"] is None else Codec.from_json(config["codec"])
        if codec is not None and classes is not None:
            raise ValueError("it has both classes and captions")
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error.__cause__, ImportError):  # then it is not the file that is to blame
            raise
        said = error if isinstance(error, InputError) else repr(error)
        raise run.damaged(said) from error
    return Learned(colours, size, classes, codec)


def build_model(learned: Learned, options: dict[str, Any], rng: np.random.Generator) -> PictureModel:
    """The model that the options describe, on their device."""
    condition: Condition | None = None
    if learned.codec is not None:
        condition = CaptionCondition(len(learned.codec.vocabulary), WORD_SIZE, options["told"], rng=rng)
    elif learned.classes is not None:
        condition = ClassCondition(len(learned.classes), options["told"], rng=rng)
    size = (learned.size, learned.size, learned.colours.num_colours)
    common: dict[str, Any] = {
        **cell_settings(options),
        "num_layers": options["layers"],
        "condition": condition,
        "dropout": options["dropout"],
        "rng": rng,
    }
    hidden = options["hidden"] or (128 if options["model"] == "raster" else 48)
    features = options["features"] or hidden
    model: PictureModel
    if options["model"] == "raster":
        model = RasterModel(*size, hidden, order=options["order"], embedding_size=features, **common)
    else:
        grid_model = {"row": RowModel, "diagonal": DiagonalModel}[options["model"]]
        model = grid_model(*size, hidden, window=options["window"], features=features, **common)
    model.to(options["device"])
    return model


def load_artist(run: Run, checkpoint: str = "best", device: str = "cpu") -> tuple[Artist, Learned, dict[str, Any]]:
    """The trained model of a run, what it has learned of its data, and its options.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    options = read_options(run, "draw", OPTIONS)
    check(options)
    learned = read_learned(run)
    model = load_model(
        run, lambda: build_model(learned, {**options, "device": device}, backend.generator(0)), checkpoint
    )
    return Artist(model, learned.colours, learned.classes, learned.codec), learned, options
