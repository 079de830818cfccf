"""What `minirnn train caption` can be told, what a run keeps of its data, and the model built from both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.captioner import Captioner
from minirnn.data import Codec
from minirnn.data.codec import SENTENCE_TOKENS
from minirnn.data.pictures import Preprocessing
from minirnn.data.sights import Sights, sights_of
from minirnn.data.text import CLEANING
from minirnn.errors import InputError
from minirnn.models import (
    AttentionDecoder,
    ContextDecoder,
    EncoderDecoder,
    HandoverDecoder,
    MergeDecoder,
    PictureEncoder,
    RegionEncoder,
    VideoEncoder,
)
from minirnn.models.encoders import BridgeKind, Encoder
from minirnn.models.picture_encoders import Summary
from minirnn.runs import rewarding
from minirnn.runs.cells import cell_options, cell_settings
from minirnn.runs.options import FLAG, Options, number, optimization_options, path, read_options, schedule_options
from minirnn.runs.own import SCORE, chosen_score
from minirnn.runs.weights import load_model
from minirnn.training import Run

_file = {"type": path, "metavar": "FILE"}
_count = {"type": number(int, 1), "metavar": "N"}
_probability = {"type": number(float, 0, 1), "metavar": "P"}
INJECT = ("attention", "start", "each", "merge")

OPTIONS: Options = {
    "images": (None, {"type": path, "metavar": "DIR", "help": "pictures; without any, built-in scenes of shapes"}),
    "captions": (None, {**_file, "help": "file name, tab, caption; several lines of a file are several captions"}),
    "features": (None, {**_file, "help": "instead of pictures: an .npz with features (N, regions, features), names "
                        "(N,), and the grid (rows, columns) of the regions"}),
    "video": (False, {**FLAG, "help": "videos: of --images every folder is one; without any, built-in moving shapes"}),
    "valid-captions": (None, {**_file, "help": "captions to hold out (default: a part of the pictures)"}),
    "valid-fraction": (0.1, {**_probability, "metavar": "X", "help": "the part of the pictures to hold out"}),
    "examples": (None, {**_count, "help": "built-in pictures or videos to learn from (default: all)"}),
    "size": (None, {"type": number(int, 8, 513), "metavar": "N", "help": "pixels down and across to which pictures are "
                    "brought (default: 32, or 24 for videos)"}),
    "inject": ("attention", {"choices": INJECT, "help": "where the picture goes: looked at at every step, the first "
                             "state, the input of each step, or the output"}),
    "score": ("additive", {**SCORE.settings(), "help": "the attention score"}),
    "normalize": ("softmax", {"choices": ("softmax", "hard"), "help": "look at all regions more or less, or, hard, "
                              "at one at a time"}),
    "attend": ("after", {"choices": ("before", "after"), "help": "before the step as Xu, or after it, when the word "
                         "before is known"}),
    "filters": (None, {**_count, "help": "of the first convolution (default: 32, or 16 for videos)"}),
    "regions": (
        None,
        {
            "type": number(int, 17),
            "metavar": "N",
            "help": "features of a region or a frame (default: 80; of the whole picture, without attention, 200)",
        },
    ),
    "tokens": ("word", {"choices": SENTENCE_TOKENS, "help": "what captions are cut into"}),
    "clean": ("lower", {"choices": CLEANING, "help": "simplify captions: lower case, or lower-case letters only"}),
    "min-frequency": (1, {**_count, "help": "rarer tokens become <unk>"}),
    "vocabulary": (None, {**_count, "help": "at most N tokens"}),
    "max-length": (60, {"type": number(int, 2), "metavar": "N", "help": "cut longer captions in training"}),
    **cell_options("gru"),
    "hidden": (128, {**_count, "help": "units of the decoder, and of each direction over the frames of a video"}),
    "embedding": (64, {**_count, "help": "features of the embedding"}),
    "dropout": (0.0, {**_probability, "help": "on what is attended to and before the output"}),
    "embedding-dropout": (0.3, {**_probability, "help": "on the embedding: a model that reads the words before too "
                                "well does not look"}),
    "attention-penalty": (0.0, {"type": number(float, 0), "metavar": "X", "help": "weight of the attention penalty"}),
    "attention-target": (None, {"type": number(float, 0), "metavar": "X", "help": "the attention a region wants "
                                "(default: words / regions, of each caption)"}),
    "label-smoothing": (0.0, {**_probability, "metavar": "X", "help": "share of the target given to all tokens alike"}),
    "captions-per-picture": (1, {**_count, "help": "of each picture in an epoch, drawn anew"}),
    "batch-size": (32, {**_count, "help": "pictures in a batch"}),
    **optimization_options(lr=0.004, epochs=6),
    "validate-every": (2, {**_count, "help": "epochs between validations"}),
    "epochs": (None, {**_count, "help": "passes through the data (default: 6, or 10 for videos)"}),
    **schedule_options(warmup=200),
    **rewarding.OPTIONS,
}  # fmt: skip
ATTENTION_SIZE = 64
"""Features of the space in which additive scores compare."""


def check(options: dict[str, Any]) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: it says which.
    """
    own = options["images"] or options["features"]
    if options["images"] and options["features"]:
        raise InputError("--images goes without --features: give one of them")
    if bool(own) != bool(options["captions"]):
        raise InputError("--images or --features and --captions go together: give both or neither")
    if options["features"] and options["video"]:
        raise InputError("--video goes with --images: features are of the regions of pictures")
    if options["features"] and (options["size"] or options["filters"]):
        raise InputError("--size and --filters go with pictures, not with --features")
    if options["examples"] and own:
        raise InputError("--examples goes with the built-in pictures")
    if options["valid-captions"] and not own:
        raise InputError("--valid-captions goes with --images or --features")
    attends = options["inject"] == "attention"
    needs = {
        "score": (attends, "--inject attention"),
        "attend": (attends, "--inject attention"),
        "normalize": (attends, "--inject attention"),
        "attention-penalty": (attends, "--inject attention"),
        "attention-target": (options["attention-penalty"], "--attention-penalty"),
    }
    for name, (company, what) in needs.items():
        if options[name] != OPTIONS[name][0] and not company:
            raise InputError(f"--{name} goes with {what}")


class Learned(NamedTuple):
    """What a run learns from its data when it begins.

    Attributes:
        codec: of the captions.
        look: how pictures are made ready; None for features.
        shape: (regions, features) of features; None for pictures.
        grid: how regions lie, (rows, columns), if that is known.
        max_length: the most tokens of a caption that is written.
    """

    codec: Codec
    look: Preprocessing | None
    shape: tuple[int, int] | None
    grid: tuple[int, int] | None
    max_length: int

    def sights(self, seen: Any) -> Sights:
        """What was read, as the encoder takes it."""
        return sights_of(seen, self.look)

    def to_json(self) -> dict[str, Any]:
        """As run.json has it."""
        shape = {"shape": self.shape, "grid": self.grid, "most_tokens": self.max_length}
        return {"codec": self.codec.to_json(), "look": self.look.to_json() if self.look else None, **shape}


def read_learned(run: Run) -> Learned:
    """What a run has learned, from its run.json.

    Raises:
        InputError: it is damaged, or needs a library that is not installed.
    """
    try:
        config = run.config
        codec = Codec.from_json(config["codec"])
        look = None if config["look"] is None else Preprocessing.from_json(config["look"])
        shape, grid = (_two(config[name]) for name in ("shape", "grid"))
        if (look is None) != (shape is not None):
            raise ValueError("it has to have pictures or features")
        if type(most := config["most_tokens"]) is not int or not 1 <= most < 2**31:
            raise ValueError(f"most_tokens is {most!r}")
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error.__cause__, ImportError):  # then it is not the file that is to blame
            raise
        said = error if isinstance(error, InputError) else repr(error)
        raise run.damaged(said) from error
    return Learned(codec, look, shape, grid, most)


def _two(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 2 and all(type(n) is int and 0 < n < 2**31 for n in value)):
        raise ValueError(f"expected two sizes, not {value!r}")
    return value[0], value[1]


def build_model(learned: Learned, options: dict[str, Any], rng: np.random.Generator) -> EncoderDecoder:
    """The model that the options describe, on their device."""
    attends, V = options["inject"] == "attention", len(learned.codec.vocabulary)
    cell = cell_settings(options)
    encoder = _build_encoder(learned, options, cell, rng)
    sizes = (V, options["embedding"], options["hidden"], encoder.output_size)
    common: dict[str, Any] = {
        **cell,
        "embedding_dropout": options["embedding-dropout"],
        "output_dropout": options["dropout"],
        "rng": rng,
    }
    decoder: Any
    if attends:
        decoder = AttentionDecoder(
            *sizes,
            score=chosen_score(options["score"]),
            normalize=options["normalize"],
            attend=options["attend"],
            attention_size=ATTENTION_SIZE,
            input_feeding=options["attend"] == "after",
            **common,
        )
    elif options["inject"] == "merge":
        decoder = MergeDecoder(*sizes, readout_size=options["hidden"], **common)
    elif options["inject"] == "each":
        decoder = ContextDecoder(*sizes, deep_output=False, **common)
    else:
        decoder = HandoverDecoder(*sizes, **common)
    bridge: BridgeKind = "learned" if options["inject"] in ("attention", "start") else "zero"
    model = EncoderDecoder(encoder, decoder, bridge=bridge, rng=rng)
    model.to(options["device"])
    return model


def _build_encoder(
    learned: Learned, options: dict[str, Any], cell: dict[str, Any], rng: np.random.Generator
) -> Encoder:
    attends, dropout = options["inject"] == "attention", options["dropout"]
    E = options["regions"] or (80 if attends or options["video"] else 200)
    summary: Summary = "mean" if attends else "max"
    if learned.shape:
        return RegionEncoder(*learned.shape, E, summary=summary, output_dropout=dropout, rng=rng)
    assert learned.look is not None
    if options["video"]:
        filters = options["filters"] or 16
        return VideoEncoder(learned.look.size, E, options["hidden"], **cell, filters=filters, dropout=dropout, rng=rng)
    filters = options["filters"] or 32
    return PictureEncoder(learned.look.size, E, summary=summary, filters=filters, output_dropout=dropout, rng=rng)


def load_captioner(
    run: Run, checkpoint: str = "best", device: str = "cpu"
) -> tuple[Captioner, Learned, dict[str, Any]]:
    """The trained model of a run, what it has learned of its data, and its options.

    Raises:
        InputError: the run is another task's, is damaged, or has no checkpoint.
    """
    options = read_options(run, "caption", OPTIONS)
    learned = read_learned(run)
    model = load_model(
        run, lambda: build_model(learned, {**options, "device": device}, backend.generator(0)), checkpoint
    )
    return Captioner(model, learned.codec, learned.max_length, learned.look, learned.shape), learned, options


def grid_of(captioner: Captioner, learned: Learned) -> tuple[int, int] | None:
    """How the regions of a model lie, (rows, columns); None where that is not known."""
    encoder = captioner.model.encoder
    return encoder.grid if isinstance(encoder, PictureEncoder) else learned.grid
