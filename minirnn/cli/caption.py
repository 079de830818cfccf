"""`minirnn caption`: what a trained model says is to be seen."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.captioner import Captioner
from minirnn.cli.collected import Part
from minirnn.cli.computing import add_device
from minirnn.cli.notes import EmptyResults
from minirnn.cli.options import number, path
from minirnn.cli.progress import Progress
from minirnn.cli.runs import open_run
from minirnn.cli.translate import OUTPUT, SEARCH, add_search_options, search_options
from minirnn.errors import InputError
from minirnn.runs.captions import load_captioner


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "caption",
        help="caption pictures or videos with a trained model",
        description="Say what is to be seen in pictures (PNG, JPEG, …), in videos (folders of frames), or in an .npz "
        "with features, according to what the run was trained on. One line each.",
        epilog="example: minirnn caption runs/caption-1 photo.png other.jpg --beam 3",
    )
    parser.intermixed = True
    parser.add_argument("RUN", type=path, help="the run directory")
    parser.add_argument("PICTURE", nargs="+", type=path, help="what to caption")
    add_search_options(parser)
    parser.section(OUTPUT).add_argument(
        "--n-best", type=number(int, 1), metavar="N", help="show the N best, with their scores"
    )
    parser.section(SEARCH).add_argument("--no-unknown", action="store_true", help="never write <unk>")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each picture."""
    n_best = arguments.n_best or 1
    if n_best > arguments.beam:
        raise InputError(f"--n-best {n_best} needs a beam at least as wide: add --beam {n_best}")
    search = caption_search(arguments) | {"n_best": n_best, "allow_unknown": not arguments.no_unknown}
    captioner, learned, _ = load_captioner(open_run(arguments), arguments.checkpoint, arguments.device)
    with Progress("reading the pictures"):
        parts = read_given(arguments.PICTURE, captioner)
    empty = EmptyResults("caption", "greedy" if arguments.beam == 1 else "beam")
    for part in parts:
        with Progress("captioning"):
            found = captioner.caption(learned.sights(part.seen), **search)
        for name, best in zip(part.names, found, strict=True):
            before = f"{name}\t" if len(arguments.PICTURE) > 1 or len(part.names) > 1 else ""
            if not best[0].text:
                empty.note(name)
            for one in best:
                score = f"{one.score:.4f}\t" if arguments.n_best else ""
                print(f"{before}{score}{' '.join(one.text.split())}", flush=True)
    empty.end()
    return 0


def caption_search(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `Captioner.caption` needs of `add_search_options`.

    Raises:
        InputError: an option does not go with captions.
    """
    if arguments.coverage_penalty:
        raise InputError("--coverage-penalty goes with translations: not every region of a picture need be looked at")
    search = search_options(arguments)
    del search["coverage_penalty"]
    return search


def read_given(files: list[str], captioner: Captioner) -> list[Part]:
    """What a command was given, as its run can read it. All of it is read before anything is said of the first.

    Raises:
        OSError, InputError: a file cannot be read, or is not of the kind that the run was trained on.
    """
    return [Part(*captioner.read(file), []) for file in files]
