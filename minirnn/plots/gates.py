"""Gates over a text, and how often they are saturated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from minirnn.errors import InputError
from minirnn.plots.attention import set_tokens
from minirnn.plots.common import drawable, new_figure, picture, save


@picture
def plot_gates(gates: Mapping[str, np.ndarray], text: Sequence[str], path: str | Path) -> Path | None:
    """Draw for each gate its units over the tokens of a text, and a histogram of all its activations.

    Args:
        gates: (T, H) by name, each between 0 and 1.
        text: the T tokens; at most the first 80 are drawn, and the histogram is of all.
        path: the PNG to write.

    Returns:
        The path, or None if matplotlib is not installed.

    Raises:
        InputError: there are no gates.
    """
    if not gates:
        raise InputError("there are no gates to draw")
    shown = min(len(text), 80)
    figure = new_figure(12, 2.4 * len(gates) + 0.6)
    if figure is None:
        return None
    rows = figure.subplots(len(gates), 2, squeeze=False, width_ratios=(4, 1))
    for (name, gate), (left, right) in zip(gates.items(), rows, strict=True):
        by_mean = gate[:, np.argsort(gate.mean(axis=0))]
        image = left.imshow(by_mean[:shown].T, aspect="auto", cmap="RdBu", vmin=0, vmax=1, interpolation="nearest")
        set_tokens(left, range(shown), text[:shown], fontsize=7)
        left.tick_params(axis="x", length=0)
        left.set_ylabel("unit (by its mean)")
        left.set_title(drawable(name), loc="left", fontsize=10, parse_math=False)
        right.hist(gate.ravel(), bins=np.linspace(0, 1, 21).tolist(), color="0.5")
        right.set_yticks([])
        right.set_xlabel("activation (0 shut, 1 open)")
        right.set_ylabel("how often")
        figure.colorbar(image, ax=left, pad=0.01)
    rows[-1][0].set_xlabel("token of the text")
    return save(figure, path)
