"""A trained model of pictures together with its colours: draws pictures, and completes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minirnn.arguments import integer, number
from minirnn.autograd.losses import log_softmax
from minirnn.autograd.recording import no_grad
from minirnn.backend import to_host
from minirnn.data import Codec
from minirnn.data.colours import Colours
from minirnn.decoding.sampling import greedy, sampler
from minirnn.errors import InputError
from minirnn.models.drawing import PictureModel
from minirnn.training.drawing import Captions, Classes, Told

BATCH = 64
"""Pictures that are drawn together."""

BLANK = 127
"""The grey of what is not drawn yet."""


class Artist:
    """Draws.

    Args:
        model: a trained model, in evaluation mode.
        colours: what its colours look like.
        classes: their names, where the model is told the class of a picture.
        codec: of the captions, where it is told a caption.

    Raises:
        InputError: they are not equally many.
    """

    def __init__(
        self,
        model: PictureModel,
        colours: Colours,
        classes: Sequence[str] | None = None,
        codec: Codec | None = None,
    ):
        if model.num_colours != colours.num_colours:
            raise InputError(f"the model has {model.num_colours} colours, but there are {colours.num_colours}")
        self.model, self.colours, self.classes, self.codec = model, colours, classes, codec

    def __repr__(self) -> str:
        model = f"{type(self.model).__name__} of {self.model.num_parameters(frozen=True):,} parameters"
        return f"Artist({self.colours.num_colours} colours by {model})"

    def draw(
        self,
        count: int,
        *,
        told: Told | str | Sequence[str] | None = None,
        begun: np.ndarray | None = None,
        keep: float = 0.5,
        temperature: float = 1.0,
        seed: int | np.random.Generator | None = None,
        stages: int = 1,
    ) -> np.ndarray:
        """Draw pictures, each pixel at random from what the model thinks probable after those before it.

        Args:
            count: how many.
            told: what each picture shall be of, or all: a caption, or the name of a class; for models that are told.
            begun: colours (count, rows, columns) of pictures to be completed.
            keep: the share of the pixels, in the order of drawing, that is kept of these.
            temperature: below 1 the probable becomes more probable; 0 takes the most probable colour.
            seed: of the draws.
            stages: how many times the work in progress is to be seen, at last finished.

        Returns:
            Pixels (stages, count, rows, columns, 3), uint8; what is not drawn yet is grey.

        Raises:
            InputError: a number is out of its range, the numbers of pictures differ, the model has to be told
                something else, or it gives no probabilities.
        """
        count, stages = integer("count", count), integer("stages", stages)
        model, keep = self.model, number("the share to keep", keep, least=0, most=1)
        size = (count, model.rows, model.columns)
        if begun is not None and begun.shape != size:
            raise InputError(f"expected begun pictures of shape {size}, not {begun.shape}")
        if isinstance(told, Sequence):
            told = self._told([told] * count if isinstance(told, str) else list(told))
        if told is not None and len(told) != count:
            raise InputError(f"there are {count} pictures to draw, but it is told of {len(told)} what they are of")
        choose = greedy if temperature == 0 else sampler(seed, temperature)
        given = 0 if begun is None else self._given(keep)
        found = np.empty((stages, *size, 3), np.uint8)
        for first in range(0, count, BATCH):
            at = np.arange(first, min(first + BATCH, count))
            colours = None if begun is None else model.drawn(begun[at])
            drawn = self._drawn(len(at), None if told is None else told.batch(at, None), colours, given, choose)
            for stage, until in enumerate(np.linspace(given, len(drawn), stages + 1)[1:]):
                found[stage, at] = self._picture(drawn, round(until))
        return found

    def _told(self, texts: list[str]) -> Told:
        """Captions, or names of classes, as the model's condition reads them."""
        told = told_of([[text] for text in texts], texts, self.codec, self.classes)
        if told is None:
            raise InputError("the model was trained without captions and classes: leave out what it is told")
        return told

    def kept(self, begun: np.ndarray, keep: float = 0.5) -> np.ndarray:
        """What `draw` keeps of begun pictures: pixels (count, rows, columns, 3)."""
        return self._picture(self.model.drawn(begun), self._given(keep))

    def _given(self, keep: float) -> int:
        return round(keep * self.model.rows * self.model.columns)

    def _drawn(
        self,
        count: int,
        told: object,
        begun: np.ndarray | None,
        given: int,
        choose: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Colours (rows · columns, count) in the order of drawing, of which so many are `given`."""
        colours = np.empty((self.model.rows * self.model.columns, count), np.int64)
        with no_grad():
            pen = self.model.pen(count, told)
            for t in range(len(colours)):
                logits = pen(colours[t - 1] if t else None)
                if begun is not None and t < given:
                    colours[t] = begun[t]
                else:
                    colours[t] = choose(to_host(log_softmax(logits).data))
        return colours

    def _picture(self, drawn: np.ndarray, until: int) -> np.ndarray:
        """The pixels (count, rows, columns, 3) of pictures of which so many have been drawn."""
        rows, columns, order = self.model.rows, self.model.columns, self.model.order
        colours = np.empty_like(drawn)
        colours[order] = drawn
        pixels = self.colours.to_pixels(colours.T.reshape(-1, rows, columns))
        pixels.reshape(len(pixels), -1, 3)[:, order[until:]] = BLANK
        return pixels


def told_of(
    captions: Sequence[Sequence[str]] | None,
    classes: Sequence[str] | None,
    codec: Codec | None,
    known: Sequence[str] | None,
) -> Told | None:
    """What pictures are of, as a model's condition reads it; None if it is told nothing.

    Args:
        captions: one of each picture or several.
        classes: of each picture.
        codec: of the captions, where the model is told these.
        known: the names of the classes, where it is told these.

    Raises:
        InputError: there is no such class.
    """
    if codec is not None and captions is not None:
        return Captions([[codec.encode(text) for text in of_one] for of_one in captions])
    if known is None or classes is None:
        return None
    number_of = {name: i for i, name in enumerate(known)}
    for name in classes:
        if name not in number_of:
            raise InputError(f"there is no class {name!r}: expected one of {', '.join(known)}")
    return Classes(np.array([number_of[name] for name in classes]))
