"""`minirnn show attention`: where a translation model looked."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.cli.lines import sentence
from minirnn.cli.options import number, path
from minirnn.cli.pictures import add_out, check_picture, draw, tell
from minirnn.cli.runs import open_run
from minirnn.cli.translators import load_translator
from minirnn.errors import InputError
from minirnn.plots import plot_attention

SHADES = " .:-=+*#%@"


def add_parser(pictures: Any) -> None:
    """Add the command to the parser."""
    parser = pictures.add_parser(
        "attention",
        help="where a translation model looked",
        description="Translate a sentence, and draw for every token written how much it looked at each source token.",
        epilog="example: minirnn show attention runs/translate-1 'The old cat sees a white bird.'",
    )
    parser.add_argument("RUN", type=path, help="a run of `train translate` or `train task`")
    parser.add_argument("SENTENCE", type=sentence, help="what to translate")
    parser.add_argument("--beam", type=number(int, 1), default=1, metavar="N", help="beam size (default: 1, greedy)")
    parser.add_argument("--device", choices=backend.DEVICES, default="cpu", help="where to compute (default: cpu)")
    add_out(parser, "attention.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the translation and the map, and draw it."""
    check_picture(arguments.out)
    translator = load_translator(open_run(arguments), device=arguments.device)
    if translator.attention is None:
        raise InputError(f"the model in {arguments.RUN} does not attend: train one with --decoder attention")
    found = translator.translate([arguments.SENTENCE], beam_size=arguments.beam)[0][0]
    if found.attention is None:
        raise InputError("there is nothing to translate in the sentence")
    print(f"{found.text}\n")
    print(as_text(found.attention, found.source, found.target))
    tell(draw(plot_attention, found.attention, found.source, found.target, arguments.out))
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
