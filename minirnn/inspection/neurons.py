"""Hidden units that track something of the text (Karpathy, Johnson & Fei-Fei 2015, "Visualizing and Understanding
Recurrent Networks")."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from minirnn.autograd.recording import no_grad
from minirnn.autograd.tensor import Tensor
from minirnn.data.words import is_mark, standing
from minirnn.errors import InputError
from minirnn.layers import Recurrent


def activations(layer: Recurrent, x: np.ndarray) -> np.ndarray:
    """h of the last layer after each step: inputs (T, 1, I) to (T, H)."""
    with no_grad():
        return layer(Tensor(x))[0].data[:, 0]


def _inside(text: Sequence[str], opening: str, closing: str) -> np.ndarray:
    """How deep each character stands between an opening and a closing one; where both are the same, 0 or 1."""
    depth, found = 0, []
    for token in text:
        if opening == closing:
            depth = 1 - depth if token == opening else depth
        else:
            depth = max(0, depth + (token == opening) - (token == closing))
        found.append(depth)
    return np.array(found, float)


def _since(text: Sequence[str], marks: str) -> np.ndarray:
    """How many characters ago the last of the marks stood, 0 at the mark, at most 40; without any mark, 0 everywhere:
    what a unit does at the beginning of a text is no trace of a line."""
    if not any(token in marks for token in text):
        return np.zeros(len(text))
    count, found = 0, []
    for token in text:
        count = 0 if token in marks else count + 1
        found.append(min(count, 40))
    return np.array(found, float)


def _is_punctuation(token: str) -> bool:
    return not (token[:1].isalnum() or token.isspace() or is_mark(token))


PROPERTIES: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
    "inside double quotes": lambda text: _inside(text, '"', '"'),
    "inside parentheses": lambda text: _inside(text, "(", ")"),
    "inside square brackets": lambda text: _inside(text, "[", "]"),
    "inside backquotes": lambda text: _inside(text, "`", "`"),
    "position in the line": lambda text: _since(text, "\n"),
    "position in the word": lambda text: _since(text, " \n"),
    "characters since a full stop": lambda text: _since(text, "."),
    "a space": lambda text: np.array([token == " " for token in text], float),
    "a line break": lambda text: np.array([token == "\n" for token in text], float),
    "a capital letter": lambda text: np.array([token[:1].isupper() for token in text], float),
    "a digit": lambda text: np.array([token[:1].isdigit() for token in text], float),
    "a vowel": lambda text: np.array([token in "aeiouAEIOU" for token in text], float),
    "punctuation": lambda text: np.array([_is_punctuation(token) for token in text], float),
}
"""What a unit might track: for each token a number."""


SHIFTS = 8


class Tracker(NamedTuple):
    """A unit that follows a property more closely than any other.

    Attributes:
        what, unit: the property, and the unit.
        correlation: of the two, from -1 to 1.
        chance: the largest correlation, without its sign, of any unit with the property moved to other places of the
            text, where it means nothing. Some unit of many always comes near to something, the nearer the shorter the
            text is; what is not clearly above this is no finding.
    """

    what: str
    unit: int
    correlation: float
    chance: float


def trackers(h: np.ndarray, text: Sequence[str]) -> list[Tracker]:
    """For each property the unit that follows it best, the strongest first.

    Args:
        h: (T, H) activations.
        text: the T tokens that were read.

    Returns:
        Properties that do not vary in the text are left out.

    Raises:
        InputError: there are more or fewer activations than tokens.
    """
    if h.ndim != 2 or len(h) != len(text):
        raise InputError(f"expected the activations (T, H) of {len(text)} tokens, not {h.shape}")
    centred = h.astype(np.float64) - h.mean(axis=0)
    deviation = centred.std(axis=0)
    found = []
    for what, measure in PROPERTIES.items():
        value = measure(text)
        if value.std() == 0:
            continue
        moved = np.stack([np.roll(value, k * len(value) // (SHIFTS + 1)) for k in range(SHIFTS + 1)])
        covariance = (moved - value.mean()) @ centred / len(value)  # the first with the property in its place
        scale = deviation * value.std()
        correlation, *others = np.divide(covariance, scale, out=np.zeros_like(covariance), where=deviation > 0)
        unit = int(abs(correlation).argmax())
        found.append(Tracker(what, unit, float(correlation[unit]), float(np.max(np.abs(others)))))
    return sorted(found, key=lambda one: -abs(one.correlation))


def as_html(text: Sequence[str], rows: Sequence[tuple[str, np.ndarray]]) -> str:
    """A page with the text once for each unit, its background blue where the unit is positive and red where negative.

    Args:
        text: the T tokens.
        rows: a title and the activations (T,), from -1 to 1, of each unit.
    """
    parts = [
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Hidden units</title>\n"
        "<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}pre{white-space:pre-wrap;line-height:1.5}"
        "</style></head><body>\n<p>Blue: the unit is positive after reading the character; red: negative.</p>\n"
    ]
    for title, values in rows:
        spans = []
        for token, value in zip(text, values, strict=True):
            color = "50,100,220" if value > 0 else "220,60,50"
            shown = html.escape(standing(token)) if token != "\n" else "↵\n"
            spans.append(f"<span style='background:rgba({color},{min(abs(float(value)), 1):.2f})'>{shown}</span>")
        parts.append(f"<h2>{html.escape(title)}</h2>\n<pre>{''.join(spans)}</pre>\n")
    return "".join([*parts, "</body></html>\n"])
