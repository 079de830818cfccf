"""`minirnn train draw`: train a model that draws pictures pixel by pixel."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.artist import Artist
from minirnn.cli.drawn import measure
from minirnn.cli.gallery import Gallery, digest, drawn, learn, load, mismatch, titles
from minirnn.cli.options import quoted
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_schedule, make_trainer
from minirnn.plots.drawings import plot_drawings
from minirnn.runs.drawings import OPTIONS, Learned, build_model, load_artist, read_learned
from minirnn.training import Run, Trainer
from minirnn.training.drawing import Drawing

CHANGEABLE = ("images", "captions", "epochs", "device", "save-every")
SAMPLES, COMPLETED, OF_EACH = 32, 8, 4


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("draw", OPTIONS, RECIPE.begin, RECIPE.reopen, _announce, _report, CHANGEABLE)
    command.add_to(
        tasks,
        "pictures drawn pixel by pixel",
        "Train a model that draws pictures pixel by pixel, each colour a character. Without options: less than three "
        "minutes on built-in sketches of coloured shapes, of which it is told the captions.",
        "minirnn train draw --images digits.npz --binarize 0.5 --model row --epochs 20",
    )


class _Drawing(Drawing):
    """The task with what the report needs beside it."""

    gallery: Gallery
    learned: Learned
    weights_used: int


def _trainer(gallery: Gallery, learned: Learned, options: dict[str, Any], progress: bool) -> Trainer[_Drawing]:
    rng = backend.generator(options["seed"])
    model = build_model(learned, options, rng)
    train, valid = (drawn(part, learned) for part in (gallery.train, gallery.valid))
    task = _Drawing(model, train, valid, batch_size=options["batch-size"], rng=rng)
    task.gallery, task.learned = gallery, learned
    task.weights_used = model.num_parameters() * learned.size**2  # nearly all of them at every pixel
    return make_trainer(task, options, progress, schedule=make_schedule(options, task.num_batches))


RECIPE = Recipe(load, digest, mismatch, _trainer, learn, Learned.to_json, read_learned)


def _announce(trainer: Trainer[_Drawing], options: dict[str, Any]) -> str:
    task = trainer.task
    train, valid, test = (len(part.pictures) for part in (task.gallery.train, task.gallery.valid, task.gallery.test))
    told = "captions" if task.learned.codec else "classes" if task.learned.classes else "nothing"
    order = f", {options['order']}" if options["model"] == "raster" else ""
    return (
        f"{train:,} pictures of {task.learned.size} x {task.learned.size} to learn from, {valid:,} held out, "
        f"{test:,} to test with, {task.learned.colours.describe()}, told {told}; {options['cell']}, "
        f"{options['model']}{order}, {task.model.num_parameters():,} parameters"
    )


def _report(run: Run, trainer: Trainer[_Drawing]) -> None:
    """The measures on the test part, the loss curve, drawings, and halves of test pictures that were completed."""
    gallery = trainer.task.gallery
    artist, learned, options = load_artist(run, device=trainer.task.model.parameters()[0].device)
    measure(artist, learned, gallery)
    with_data, seed = (artist, learned, gallery), options["seed"]
    tell(
        attempt(draw_losses, run, trainer, what="the loss"),
        attempt(_draw_samples, *with_data, seed, run.path / "drawings.png", what="samples"),
        attempt(_draw_completions, *with_data, seed, run.path / "completions.png", what="completions"),
    )
    told = ""
    if learned.codec:
        told = " --caption 'a small red ring above a blue star'" if not options["images"] else " --caption TEXT"
    elif learned.classes:
        told = f" {shlex.quote(f'--class={learned.classes[0]}')}"
    print(f"\nmore: minirnn draw {quoted(run.path)} --samples 16{told}\n      minirnn evaluate {quoted(run.path)}")


def _draw_samples(artist: Artist, learned: Learned, gallery: Gallery, seed: int, to: Path) -> Path | None:
    """Drawings; where they are told what to draw, of what test pictures are of."""
    test = gallery.test
    some = np.linspace(0, len(test.pictures) - 1, min(SAMPLES, len(test.pictures))).astype(int)
    of_some = titles(test, learned, some.tolist())
    if of_some is None:
        return plot_drawings(artist.draw(SAMPLES, seed=seed)[-1], to)
    told = learned.told([[text] for text in of_some], of_some)
    return plot_drawings(artist.draw(len(some), told=told, seed=seed)[-1], to, of_some)


def _draw_completions(artist: Artist, learned: Learned, gallery: Gallery, seed: int, to: Path) -> Path | None:
    """In a row what was given, some completions, and what the picture was."""
    test = gallery.test
    some = np.linspace(0, len(test.pictures) - 1, min(COMPLETED, len(test.pictures))).astype(int)
    of_some = titles(test, learned, some.tolist())
    told = None if of_some is None else learned.told([[text] for text in of_some], of_some)
    begun = learned.colours.to_ids(test.pictures[some])
    ends = [artist.draw(len(some), told=told, begun=begun, seed=seed + i)[-1] for i in range(OF_EACH)]
    shown = np.stack([artist.kept(begun), *ends, learned.colours.to_pixels(begun)], axis=1)
    return plot_drawings(shown.reshape(-1, *shown.shape[2:]), to, columns=OF_EACH + 2)
