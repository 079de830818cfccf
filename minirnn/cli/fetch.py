"""`minirnn fetch`: download a data set."""

from __future__ import annotations

import argparse
from typing import Any

from minirnn.cli.options import path, quoted
from minirnn.data.fetch import DATASETS, fetch_dataset


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "fetch",
        help="download a data set",
        description="Download a data set of the textbook, once: it is kept, and its checksum is checked each time.",
        epilog="environment: MINIRNN_CACHE, the folder downloads are kept in; MINIRNN_MIRROR, the address to download "
        "from. example: minirnn fetch fra-eng",
    )
    parser.add_argument("DATASET", choices=tuple(DATASETS), help=" or ".join(DATASETS))
    parser.add_argument("--to", type=path, metavar="DIR", help="the folder to keep it in (default: the user's cache)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print where the data set is, and what to do with it."""
    file = fetch_dataset(arguments.DATASET, arguments.to)
    print(f"{file}\nuse it: minirnn train {DATASETS[arguments.DATASET].task} --data {quoted(file)}")
    return 0
