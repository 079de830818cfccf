"""`minirnn show attention`: where a translation model looked in a sentence, or a caption model in a picture."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn.cli.caption import read_given
from minirnn.cli.captioned import looks
from minirnn.cli.collected import Part
from minirnn.cli.computing import add_device
from minirnn.cli.lines import sentence
from minirnn.cli.notes import UnknownTokens
from minirnn.cli.options import number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.runs import open_run
from minirnn.data.pictures import read_picture
from minirnn.errors import InputError
from minirnn.plots import plot_attention
from minirnn.plots.looks import plot_looks
from minirnn.runs.captions import load_captioner
from minirnn.runs.translators import load_translator
from minirnn.training import Run

PICTURE_PIXELS = 256
"""To which a picture is brought that maps are laid over."""
SHADES = " .:-=+*#%@"


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "attention",
        help="where a translation or caption model looked",
        description="Translate a sentence, or caption a picture or a video, and draw for every token written how much "
        "it looked at each source token, each region or each frame.",
        epilog="example: minirnn show attention runs/translate-1 'The old cat sees a white bird.'",
    )
    parser.add_argument("RUN", type=path, help="a run of `train translate`, `train task` or `train caption`")
    parser.add_argument("SENTENCE", help="what to translate; or the picture, or the folder of frames")
    parser.add_argument("--name", metavar="NAME", help="which picture of a file of features (default: the first)")
    parser.add_argument("--picture", type=path, metavar="FILE", help="the picture itself, to lay the map over it")
    parser.add_argument("--beam", type=number(int, 1), default=1, metavar="N", help="beam size (default: 1, greedy)")
    add_device(parser)
    add_out(parser, "attention.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the translation and the map, and draw it."""
    check_picture(arguments.out)
    opened = open_run(arguments)
    if opened.config.get("task") == "caption":
        return _of_a_picture(opened, arguments)
    if arguments.name or arguments.picture:
        raise InputError(f"--name and --picture go with a caption model, and {arguments.RUN} is none")
    translator = load_translator(opened, device=arguments.device)
    if translator.attention is None:
        raise InputError(f"the model in {arguments.RUN} does not attend: train one with --decoder attention")
    UnknownTokens(translator.source.vocabulary).note(translator.read(sentence(arguments.SENTENCE)))
    found = translator.translate([sentence(arguments.SENTENCE)], beam_size=arguments.beam)[0][0]
    if found.attention is None:
        raise InputError("there is nothing to translate in the sentence")
    print(f"{found.text}\n")
    print(as_text(found.attention, found.source, found.target))
    tell(draw(plot_attention, found.attention, found.source, found.target, arguments.out))
    return 0


def _of_a_picture(opened: Run, arguments: argparse.Namespace) -> int:
    """Print the caption and where each word looked most, and draw the maps."""
    captioner, learned, _ = load_captioner(opened, device=arguments.device)
    if captioner.attention is None:
        raise InputError(f"the model in {arguments.RUN} does not attend: train one with --inject attention")
    if (arguments.name or arguments.picture) and learned.look is not None:
        raise InputError("--name and --picture go with features, not with pictures")
    try:
        file = path(arguments.SENTENCE)
    except argparse.ArgumentTypeError as error:
        raise InputError(str(error)) from error
    part = read_given([file], captioner)[0]
    name = part.names[0] if arguments.name is None else arguments.name
    if name not in part.names:
        raise InputError(f"{file}: there is no {name!r} among its names, such as {part.names[0]!r}")
    at = part.names.index(name)
    shown = Part([name], part.seen[at : at + 1], [])
    found = captioner.caption(learned.sights(shown.seen), beam_size=arguments.beam)[0][0]
    [look] = looks(captioner, learned, shown, [found])
    if arguments.picture:
        look = look._replace(seen=read_picture(arguments.picture, PICTURE_PIXELS))
    print(f"{found.text}\n")
    for token, weights in zip(look.words, look.weights, strict=True):
        best = int(weights.argmax())
        row, column = divmod(best, look.grid[1]) if look.grid else (0, best)
        where = f"row {row + 1}, column {column + 1}" if look.grid else f"number {best + 1}"
        print(f"{token!r:>16}  most at {where}: {weights[best]:.2f}")
    tell(draw(plot_looks, [look], arguments.out))
    return 0


def as_text(weights: np.ndarray, source: list[str], target: list[str]) -> str:
    """The map (len(target), len(source)) in shades of characters, a column for each source token."""
    width = max(len(token) for token in target)
    lines = []
    for token, row in zip(target, weights, strict=True):
        cells = "".join(2 * SHADES[min(int(weight * len(SHADES)), len(SHADES) - 1)] for weight in row)
        lines.append(f"{token!r:>{width + 2}} |{cells}|  most: {source[int(row.argmax())]!r}, {row.max():.2f}")
    lines.append(f"{'':>{width + 2}}  {' '.join(source)}")
    lines.append(f"{'':>{width + 2}}  shades, from 0 to 1: {SHADES!r}; a column for each source token, in their order")
    return "\n".join(lines)
