"""Where a picture goes, and what is said of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from minirnn.cli.options import path


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """The option that says where the picture goes."""
    parser.add_argument("--out", type=path, default=default, metavar="PNG", help=f"the picture (default: {default})")


def tell(picture: Path | None) -> None:
    """Say where the picture is, or why there is none."""
    missing = "no picture: matplotlib is not installed (pip install 'minirnn[plot]')"
    print(f"\npicture: {picture}" if picture else f"\n{missing}")
