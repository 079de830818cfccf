"""`minirnn train caption`: train a model that says what is to be seen in pictures or videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minirnn import backend
from minirnn.captioner import reference_words, written_words
from minirnn.cli import rewarding
from minirnn.cli.captioned import is_true, looks, scored
from minirnn.cli.collected import Collection, Part, digest, learn, load, mismatch, write_picture
from minirnn.cli.options import quoted
from minirnn.cli.pictures import attempt, tell
from minirnn.cli.train.recipe import Recipe
from minirnn.cli.training import Command, draw_losses, make_schedule, make_trainer
from minirnn.errors import InputError
from minirnn.layers import Conv2d
from minirnn.models import EncoderDecoder, PictureEncoder, VideoEncoder
from minirnn.plots.looks import plot_looks
from minirnn.runs.captions import OPTIONS, Learned, build_model, load_captioner, read_learned
from minirnn.training import Run, Trainer
from minirnn.training.captioning import Captioned, Captioning

MOST_DRAWN = 4
CHANGEABLE = ("images", "captions", "features", "valid-captions", "epochs", "device", "save-every")


def add_parser(tasks: Any) -> None:
    """Add the command to the parser's `train` tasks."""
    command = Command("caption", OPTIONS, begin, RECIPE.reopen, _announce, _report, CHANGEABLE, rewarding.OPTIONS)
    command.add_to(
        tasks,
        "captions of pictures and videos",
        "Train a model that looks at a picture, or a video, and says what there is to be seen. Without options: "
        "about three minutes on built-in scenes of coloured shapes.",
        "minirnn train caption --images photos --captions photos.tsv --size 64 --epochs 20",
    )


def begin(options: dict[str, Any], progress: bool) -> tuple[Trainer, dict[str, Any]]:
    """What a run begins with; of its options those that differ between pictures and videos are decided now."""
    options["epochs"] = options["epochs"] or (10 if options["video"] else 6)
    return RECIPE.begin(options, progress)


class _Captioning(Captioning):
    """The task with what the report needs beside it."""

    collection: Collection
    learned: Learned
    weights_used: int


def _trainer(collection: Collection, learned: Learned, options: dict[str, Any], progress: bool) -> Trainer[_Captioning]:
    rng, codec = backend.generator(options["seed"]), learned.codec

    def captioned(part: Part) -> Captioned:
        ids = [[codec.encode(text, options["max-length"]) for text in of_one] for of_one in part.captions]
        return Captioned(learned.sights(part.seen), ids)

    def judge(written: list[tuple[int, ...]]) -> dict[str, float]:
        found = zip(map(codec.decode, written), collection.truth["valid"], strict=True)
        return {"valid_true": float(np.mean([is_true(text, one) for text, one in found]))}

    task = _Captioning(
        build_model(learned, options, rng),
        captioned(collection.train),
        captioned(collection.valid),
        batch_size=options["batch-size"],
        rng=rng,
        captions_per_picture=options["captions-per-picture"],
        max_length=learned.max_length,
        references=[[reference_words(codec, text) for text in of_one] for of_one in collection.valid.captions],
        to_words=lambda ids: written_words(codec, ids),
        label_smoothing=options["label-smoothing"],
        attention_penalty=options["attention-penalty"],
        attention_target=options["attention-target"],
        judge=judge if collection.truth else None,
    )
    task.collection, task.learned = collection, learned
    task.weights_used = _weights_used(task.model)
    more: dict[str, Any] = {"schedule": make_schedule(options, task.num_batches)}
    more |= rewarding.train_on(
        task,
        options,
        lambda: [[reference_words(codec, text) for text in of_one] for of_one in collection.train.captions],
        len(collection.valid.names),
    )
    return make_trainer(task, options, progress, **more)


def _weights_used(model: EncoderDecoder) -> int:
    """The weights of a model, those of filters as often as there are places for them."""
    used, encoder = model.num_parameters(), model.encoder
    if isinstance(encoder, (PictureEncoder, VideoEncoder)):
        side = encoder.size
        for layer in encoder.network:
            if isinstance(layer, Conv2d):
                side //= layer.stride[0]
                used += layer.weight.size * side**2
    return used


RECIPE = Recipe(load, digest, mismatch, _trainer, learn, Learned.to_json, read_learned)


def _announce(trainer: Trainer[_Captioning], options: dict[str, Any]) -> str:
    task = trainer.task
    what = "videos" if options["video"] else "pictures"
    numbers = [len(part.names) for part in task.collection[:2]]
    captions = sum(map(len, task.collection.train.captions))
    return (
        f"{numbers[0]:,} {what} with {captions:,} captions to learn from, {numbers[1]:,} held out, "
        f"{len(task.learned.codec.vocabulary):,} different tokens; {options['cell']}, {options['inject']}, "
        f"{task.model.num_parameters():,} parameters"
    )


def _report(run: Run, trainer: Trainer[_Captioning]) -> None:
    """The measures on the test part, some captions, the loss curve, and where the model looked."""
    collection = trainer.task.collection
    captioner, learned, options = load_captioner(run, device=trainer.task.model.parameters()[0].device)
    pictures = [attempt(draw_losses, run, trainer, what="the loss")]
    if len(collection.test.names):
        what = "test" if collection.truth else "held-out"
        found = scored(captioner, learned, collection.test, what, collection.truth.get("test"))
        some = np.linspace(0, len(found) - 1, min(6, len(found))).astype(int)
        for i in some:
            print(f"\n  {collection.test.names[i]}: {found[i].text}\n  reference: {collection.test.captions[i][0]}")
        if captioner.attention:
            drawn = looks(captioner, learned, collection.test, found[:MOST_DRAWN])
            pictures.append(attempt(plot_looks, drawn, run.path / "looks.png", what="where it looked"))
    tell(*pictures)
    example = _example(run, collection, options)
    print(f"\nmore: minirnn evaluate {quoted(run.path)} --beam 3")
    if example:
        print(f"      minirnn caption {quoted(run.path)} {example}")
        if captioner.attention:
            print(f"      minirnn show attention {quoted(run.path)} {example}")


def _example(run: Run, collection: Collection, options: dict[str, Any]) -> str | None:
    """Something to try the model on: a file of the user's, or a built-in picture that is written as one."""
    part = collection.test if collection.test.names else collection.train
    if options["features"]:
        return quoted(options["features"])
    if options["images"]:
        return quoted(Path(options["images"]) / part.names[0])
    to = run.path / ("example" if options["video"] else "example.png")
    try:
        write_picture(part.seen[0], to)
    except (InputError, OSError):  # Pillow is not installed, say: then it could not be read either
        return None
    return quoted(to)
