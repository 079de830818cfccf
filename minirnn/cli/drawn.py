"""How good a model of pictures is: what pictures cost, beside what they cost a model that counts."""

from __future__ import annotations

import argparse
import math

import numpy as np

from minirnn.artist import Artist
from minirnn.autograd.recording import no_grad
from minirnn.cli.gallery import Gallery, digest, drawn, load, mismatch
from minirnn.cli.progress import Progress
from minirnn.data import sketches
from minirnn.data.scenes import is_true
from minirnn.models.neighbour_counts import NeighbourCounts
from minirnn.runs.data import load_again
from minirnn.runs.drawings import Learned, load_artist
from minirnn.training import Run
from minirnn.training.drawing import Captions, Classes, Drawn, Told, nats_of

NEIGHBOURS = (4, 8, 12, 16)
MOST_COUNTED = 2**23
"""Pixels of which colours are counted: they take up to a gigabyte."""


def evaluate(run: Run, arguments: argparse.Namespace) -> None:
    """Print the measures of a run on its test part."""
    artist, learned, options = load_artist(run, arguments.checkpoint, arguments.device)
    with Progress("reading the data of the run"):
        gallery = load_again(run, options, load, digest, mismatch, "train it again")
    measure(artist, learned, gallery)


def measure(artist: Artist, learned: Learned, gallery: Gallery) -> None:
    """Print what the pictures of the test part cost a model, what they cost it with what it is told shuffled, and what
    they cost models that count; and of how many sketches that it draws the captions are true."""
    model = artist.model
    test, N = drawn(gallery.test, learned), len(gallery.test.pictures)
    pixels = learned.size**2
    with no_grad():
        with Progress(f"measuring {N:,} test pictures"):
            nats = float(nats_of(model, test).mean())
        print(f"{N:,} test pictures of {learned.size} x {learned.size}, {learned.colours.describe()}: "
              f"{nats:.3f} nats a picture, {bits(nats, pixels):.4f} bits a pixel")  # fmt: skip
        if test.told is not None and N > 1:
            with Progress("measuring them once more, told of others"):
                others = float(nats_of(model, Drawn(test.pictures, _shuffled(test.told))).mean())
            print(f"told of other pictures' {'classes' if learned.classes else 'captions'}: {others:.3f} nats")
    pictures = learned.colours.to_ids(np.concatenate([gallery.train.pictures, gallery.valid.pictures]))
    some = "" if pictures.size <= MOST_COUNTED else f", of {max(1, MOST_COUNTED // pixels):,} pictures to learn from"
    pictures = pictures[: max(1, MOST_COUNTED // pixels)]
    with Progress("counting colours, to compare with"):
        rows = _counted(pictures, test.pictures, learned.colours.num_colours)
    print(f"models that count colours{some}, and are told nothing:")
    for name, cost in rows:
        print(f"  {name:26} {cost:9.3f} nats a picture  {bits(cost, pixels):7.4f} bits a pixel")
    best = min(cost for _, cost in rows)
    print(f"the model needs {100 * (1 - nats / best):.1f} % less than the best of them" if nats < best else
          f"the model needs {100 * (nats / best - 1):.1f} % more than the best of them")  # fmt: skip
    if gallery.sketches and learned.codec is not None and gallery.test.captions is not None:
        captions = [of_one[0] for of_one in gallery.test.captions]
        with Progress(f"drawing {N:,} pictures"):
            pictures = artist.draw(N, told=learned.told([[text] for text in captions], None), seed=0)[-1]
        print(f"true {100 * true_of(pictures, captions).mean():.1f} %  (of drawings all that their caption says is "
              f"there, pixel for pixel, and nothing else; of another caption "
              f"{100 * true_of(pictures, np.roll(captions, 1).tolist()).mean():.1f} %)")  # fmt: skip


def _counted(pictures: np.ndarray, test: np.ndarray, num_colours: int) -> list[tuple[str, float]]:
    """Nats a picture of models that count colours, by what they are."""
    found = NeighbourCounts(pictures, num_colours, max(NEIGHBOURS)).nats(test).mean(axis=1)
    near = [(f"{k} nearest earlier pixels", float(found[k])) for k in NEIGHBOURS]
    return [("each place by itself", by_place(pictures, test, num_colours)), *near]


def true_of(pictures: np.ndarray, captions: list[str]) -> np.ndarray:
    """For each picture (N, 16, 16, 3) whether a caption says all that is in it, pixel for pixel, and nothing else."""
    found = map(sketches.things_in, pictures)
    return np.array([
        things is not None and is_true(text, sketches.Sketch(picture, [], things))
        for things, text, picture in zip(found, captions, pictures, strict=True)
    ])  # fmt: skip


def bits(nats: float, pixels: int) -> float:
    """Nats a picture in bits a pixel."""
    return nats / pixels / math.log(2)


def by_place(pictures: np.ndarray, test: np.ndarray, num_colours: int) -> float:
    """Nats a picture of a model for which a pixel's colour depends on its place alone: counts, and 1 more for each."""
    counts = np.stack([(pictures == colour).sum(axis=0) for colour in range(num_colours)], axis=-1)
    log_probs = np.log((counts + 1) / (len(pictures) + num_colours))
    return float(-np.take_along_axis(log_probs[None], test[..., None].astype(int), axis=-1).sum() / len(test))


def _shuffled(told: Told) -> Told:
    """Everyone's neighbour in a random order: nobody keeps their own."""
    order = np.random.default_rng(0).permutation(len(told))
    others = np.empty(len(told), np.int64)
    others[order] = np.roll(order, 1)
    if isinstance(told, Classes):
        return Classes(told.classes[others])
    assert isinstance(told, Captions)
    return Captions([told.captions[i] for i in others.tolist()])
