"""`minirnn draw`: pictures by a trained model."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minirnn.cli.collected import write_picture
from minirnn.cli.computing import add_device
from minirnn.cli.options import check_output, number, path
from minirnn.cli.pictures import Drawn, check_picture, draw, tell
from minirnn.cli.progress import Progress
from minirnn.cli.runs import open_run
from minirnn.data import sketches
from minirnn.data.pictures import read_picture
from minirnn.data.vocabulary import UNKNOWN_ID
from minirnn.errors import InputError
from minirnn.plots.drawings import plot_drawings, sheet
from minirnn.runs.drawings import Learned, load_artist

MOST_SAMPLES = 256
ENLARGED = 4
"""A pixel of a frame is a square of so many."""


def share(text: str) -> float:
    """An argparse type: from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found {text!r}")
    return value


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "draw",
        help="draw pictures with a trained model, or complete one",
        description="Draw pictures pixel by pixel, into one PNG, and the work in progress as frames.",
        epilog="example: minirnn draw runs/draw-1 --complete picture.png --keep 0.5",
    )
    parser.add_argument("RUN", type=path, help="the run directory")
    what, chosen, output = (parser.section(title) for title in ("what to draw", "how colours are chosen", "output"))
    what.add_argument(
        "--samples", type=number(int, 1, MOST_SAMPLES + 1), default=16, metavar="N", help="how many (default: 16)"
    )
    chosen.add_argument(
        "--temperature",
        type=number(float, 0),
        default=1.0,
        metavar="T",
        help="below 1 the probable becomes more probable, 0 takes the most probable colour (default: 1)",
    )
    chosen.add_argument("--seed", type=number(int, 0), default=0, metavar="S", help="of the draws (default: 0)")
    what.add_argument("--caption", metavar="TEXT", help="what to draw, of a model that is told captions")
    what.add_argument("--class", dest="of_class", metavar="NAME", help="what to draw, of one that is told classes")
    what.add_argument("--complete", type=path, metavar="PICTURE", help="a picture to be completed")
    what.add_argument(
        "--keep",
        type=share,
        metavar="SHARE",
        help="the part of it that is kept, from where drawing begins (default: 0.5)",
    )
    output.add_argument(
        "--frames", type=number(int, 0, 1001), default=8, metavar="N", help="of the work in progress (default: 8)"
    )
    output.add_argument(
        "--out", type=path, metavar="PNG", help="the picture (default: drawings.png in the run, or completions.png)"
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best", help="which weights (default: best)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw, and say where the pictures are."""
    if arguments.keep is not None and not arguments.complete:
        raise InputError("--keep goes with --complete")
    keep = 0.5 if arguments.keep is None else arguments.keep
    directory = open_run(arguments)
    artist, learned, options = load_artist(directory, arguments.checkpoint, arguments.device)
    out = arguments.out or str(directory.path / ("completions.png" if arguments.complete else "drawings.png"))
    check_picture(out)
    frames = _folder_beside(out) if arguments.frames else None
    texts = _texts(arguments, learned, options)
    told = None if texts is None else learned.told([[text] for text in texts], texts)
    begun = _begun(arguments, learned)
    N = arguments.samples
    with Progress(f"drawing {N} picture{'s' * (N != 1)}"):
        stages = artist.draw(
            N,
            told=told,
            begun=begun,
            keep=keep,
            temperature=arguments.temperature,
            seed=arguments.seed,
            stages=max(1, min(arguments.frames, learned.size**2)),
        )
    shown, titles = stages[-1], texts
    if begun is not None:
        # What was kept, the completions, and what the picture was.
        shown = np.concatenate([artist.kept(begun[:1], keep), shown, learned.colours.to_pixels(begun[:1])])
        titles = ["kept", *[f"{i + 1}" for i in range(N)], "whole"]
    for i, text in enumerate(texts or []):
        if text not in (texts or [])[:i]:
            print(f"{i + 1}: {text}")
    tell(draw(plot_drawings, shown, out, titles), _write_frames(stages, frames))
    return 0


def _texts(arguments: argparse.Namespace, learned: Learned, options: dict[str, Any]) -> list[str] | None:
    """What each picture is to be of; None if the model is told nothing.

    Raises:
        InputError: the model has to be told something else, or something.
    """
    N, run_name = arguments.samples, arguments.RUN
    if arguments.caption is not None and learned.codec is None:
        raise InputError(f"--caption goes with a model that is told captions, and {run_name} is none")
    if arguments.of_class is not None and learned.classes is None:
        raise InputError(f"--class goes with a model that is told classes, and {run_name} is none")
    if learned.classes is not None:
        if arguments.of_class is not None:
            return [arguments.of_class] * N
        return [learned.classes[i % len(learned.classes)] for i in range(N)]
    if learned.codec is None:
        return None
    if arguments.caption is not None:
        ids = learned.codec.encode(arguments.caption)
        if len(ids) < 2:
            raise InputError("--caption is empty")
        if unknown := sum(int(i) == UNKNOWN_ID for i in ids):
            print(f"minirnn: of the caption {unknown} word{'s' * (unknown > 1)} never occurred in training",
                  file=sys.stderr)  # fmt: skip
        return [arguments.caption] * N
    if options["images"] or arguments.complete:
        raise InputError(f"{run_name} is told captions: say with --caption what to draw")
    return [one.captions[0] for one in sketches.sketches("test", N)]


def _begun(arguments: argparse.Namespace, learned: Learned) -> np.ndarray | None:
    """The colours of the picture to be completed, once for each sample."""
    if not arguments.complete:
        return None
    ids = learned.colours.to_ids(read_picture(arguments.complete, learned.size, "box"))
    return np.repeat(ids[None], arguments.samples, axis=0)


def _folder_beside(out: str) -> Path | None:
    """Where the frames go; None if the picture goes to a device.

    Raises:
        InputError: a file is there, or it cannot be written to.
    """
    if Path(out).exists() and not Path(out).is_file():
        return None
    folder = Path(out).with_name(f"{Path(out).stem}-frames")
    if folder.is_dir():
        check_output(str(folder / "00.png"))
    elif folder.exists():
        raise InputError(f"{folder} is a file: expected a folder for the frames, or leave them out with --frames 0")
    return folder


def _write_frames(stages: np.ndarray, folder: Path | None) -> Drawn:
    """The work in progress, a sheet of all pictures for each stage, instead of that of an earlier drawing."""
    if folder is None:
        return Drawn(None)
    columns, digits = math.ceil(math.sqrt(stages.shape[1])), max(2, len(str(len(stages) - 1)))
    folder.mkdir(exist_ok=True)
    files = [folder / f"{i:0{digits}}.png" for i in range(len(stages))]
    try:
        for file, stage in zip(files, stages, strict=True):
            write_picture(sheet(stage, columns, ENLARGED), file)
    except InputError as error:  # Pillow is not installed
        return Drawn(None, str(error))
    for file in folder.glob("[0-9]*.png"):
        if file not in files and file.stem.isdigit():
            file.unlink()
    return Drawn(folder)
