"""How to train a run of every task in a fraction of a second."""

import itertools
import json

import numpy as np
from PIL import Image

from minirnn import load_checkpoint, save_checkpoint

TRAININGS = {
    "lm": ("--data", "text.txt", "--hidden", 8, "--embedding", 4, "--batch-size", 4, "--steps", 16),
    "cloze": ("--data", "text.txt", "--hidden", 8, "--embedding", 4, "--batch-size", 4, "--steps", 16),
    "translate": ("--data", "pairs.tsv", "--hidden", 8, "--embedding", 4, "--batch-size", 8, "--valid-fraction", 0.1),
    "classify": ("--data", "labelled.tsv", "--hidden", 4, "--embedding", 4),
    "caption": ("--captions", "captions.tsv", "--images", "pictures", "--size", 8, "--hidden", 6, "--filters", 4),
    "draw": ("--captions", "captions.tsv", "--images", "pictures", "--size", 4, "--hidden", 4, "--window", 3),
    "chat": ("--data", "talk.jsonl", "--hidden", 6, "--embedding", 4),
    "forecast": ("--data", "series.txt", "--hidden", 4, "--steps", 8, "--validate-every", 1),
}
"""The options of each `minirnn train` command, in a folder that has the data."""


def write_data(folder):
    """The files that `TRAININGS` names."""
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 40)
    words = [("one", "un"), ("red", "rouge"), ("big", "grand"), ("cat", "chat"), ("dog", "chien"), ("!", "!")]
    pairs = [(f"{a} {b}", f"{x} {y}") for (a, x), (b, y) in itertools.product(words, words)]
    (folder / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    (folder / "labelled.tsv").write_text("".join(f"{'ab'[i % 2]}\t{'ab'[i % 2]} w{i}\n" for i in range(40)))
    write_pictures(folder / "pictures", folder / "captions.tsv")
    (folder / "talk.jsonl").write_text("".join(json.dumps(turns) + "\n" for turns in spoken()))
    (folder / "series.txt").write_text("\n".join(str(i % 7) for i in range(60)))


def spoken(count=20):
    """So many conversations of four to seven turns."""
    names, ends = ("anna", "ben", "tom"), ("what am i called ?", "{}", "thanks", "bye")
    return [
        [f"i am {names[i % 3]} .", f"hello {i} !", "ask me", *(end.format(names[i % 3]) for end in ends[: 1 + i % 4])]
        for i in range(count)
    ]


def write_pictures(folder, captions, count=20):
    """So many pictures of 8 by 8, red or blue, bright on the left or on the right, and two captions of each."""
    folder.mkdir(exist_ok=True)
    lines = []
    for i in range(count):
        colour, side = ("red", "blue")[i % 2], ("left", "right")[i // 2 % 2]
        pixels = np.full((8, 8, 3), 3 * i, np.uint8)
        pixels[:, slice(0, 3) if side == "left" else slice(5, 8), 0 if colour == "red" else 2] = 250
        Image.fromarray(pixels).save(folder / f"{i}.png")
        lines += [f"{i}.png\ta {colour} stripe on the {side}\n", f"{i}.png\tthe {side} is {colour}\n"]
    captions.write_text("".join(lines))


def forget_validations(run):
    """As if all its validations were still to come."""
    arrays, meta = load_checkpoint(run.last)
    save_checkpoint(run.last, arrays, {**meta, "history": []})
    run.write_metrics([])
