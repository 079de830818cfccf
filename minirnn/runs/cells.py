"""The options of every `minirnn train` command about its recurrent cell, and what models are told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minirnn.runs.options import Options, number
from minirnn.runs.own import CELL, EXAMPLE, chosen_cell

CELL_HELP = f"the recurrent cell: `minirnn cells` explains each; or your own, as {EXAMPLE}"


def cell_options(default: str) -> Options:
    """Which cell, and how long its memory lasts before it has learned anything."""
    return {
        "cell": (default, {**CELL.settings(), "metavar": "CELL", "help": CELL_HELP}),
        "forget-bias": (
            None,
            {
                "type": number(float, -100, 100),
                "metavar": "X",
                "help": "the first bias of the gate that keeps the memory, an LSTM's f or a GRU's z: 1 or more to "
                "remember from the beginning",
            },
        ),
        "chrono": (
            None,
            {
                "type": number(int, 3),
                "metavar": "T",
                "help": "instead, the longest time in steps to be remembered: that bias is drawn for each unit as log "
                "U(1, T-1), which needs a T of at least 3",
            },
        ),
    }


def cell_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, as every model takes it."""
    return {"cell": chosen_cell(options["cell"]), "forget_bias": options["forget-bias"], "chrono": options["chrono"]}
