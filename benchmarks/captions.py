"""Captions: where the picture goes, what attention's penalty does, and emoji as a user would bring them.

    python -m benchmarks.captions scenes                            # 7 models, about three minutes each
    python -m benchmarks.captions moving                            # three minutes
    MINIRNN_DATA=<folder with images/> python -m benchmarks.captions emoji    # 4 models, some minutes each

Every model is a `minirnn train caption` command, whose run is kept in --runs and found again if it is there. BLEU and
CIDEr-D are of captions that the models wrote by themselves, greedily. The emoji come in two drawings, of one caption
each, and in two splits: *combination* (some who × activity × skin tone are left out, whose parts occur elsewhere) and
*style* (learn one drawing of all, be tested on the other). Beside them stands what the nearest neighbour says: the
caption of the training picture whose pixels are nearest.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import re
import zipfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import write_table
from minirnn import Run, corpus_bleu, exact_match
from minirnn.cli.collected import read_part
from minirnn.cli.main import main as minirnn
from minirnn.metrics import cider_d
from minirnn.runs.captions import load_captioner

DATA = Path(os.environ.get("MINIRNN_DATA", "../shared/data")) / "images"
SCENES: dict[str, list[str]] = {
    "attention": [],
    "attention, λ = 0.001": ["--attention-penalty", "0.001"],
    "attention, λ = 0.01": ["--attention-penalty", "0.01"],
    "attention, hard": ["--normalize", "hard"],
    "start": ["--inject", "start"],
    "start, --forget-bias 3": ["--inject", "start", "--forget-bias", "3"],
    "each": ["--inject", "each"],
    "merge": ["--inject", "merge"],
}
EMOJI = {
    "attention": ["--epochs", "30", "--dropout", "0.2", "--validate-every", "10"],
    "merge": ["--epochs", "30", "--dropout", "0.2", "--validate-every", "10", "--inject", "merge"],
}
STYLES = ("noto", "twemoji")


def command(*words: str) -> str:
    """What a command of minirnn prints. One that fails, or is interrupted, ends the benchmark."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            minirnn(list(words))
    except SystemExit as ended:
        if ended.code:
            raise
    return said.getvalue()


def trained(run: Path, *options: str) -> float:
    """Train a model, unless its run is there already. Returns its weights in thousands."""
    if not (run / "best.safetensors").exists():
        command("train", "caption", *options, "--quiet", "--out", str(run))
    captioner, *_ = load_captioner(Run(run))
    return captioner.model.num_parameters() / 1000


def found(pattern: str, told: str) -> str:
    """What stands in a report at the place of a group; "-" if it says nothing of it."""
    match = re.search(pattern, told)
    return match[1] if match else "-"


def scenes(runs: Path) -> None:
    """The table of where the picture goes."""
    rows = []
    for name, options in SCENES.items():
        run = runs / re.sub(r"\W+", "-", name)
        weights, told = trained(run, "--epochs", "6", *options), command("evaluate", str(run))
        patterns = (
            r"BLEU-1 to -4 .* ([\d.]+)\n", r"CIDEr-D +([\d.]+)", r"true ([\d.]+) %", r"perplexity +([\d.]+)",
            r"shuffled ([\d.]+)", r"distinct +([\d.]+)", r"inside the thing's box: ([\d.]+)", r"weight, ([\d.]+)",
            r"entropy ([\d.]+)", r"from word to word ([\d.]+)",
        )  # fmt: skip
        rows.append([name, f"{weights:.0f}", *(found(pattern, told) for pattern in patterns)])
    head = ["picture", "weights, thousands", "BLEU-4", "CIDEr-D", "true, %", "perplexity", "pictures shuffled"]
    head += ["distinct, %", "mass inside", "maximum inside", "entropy", "variation"]
    write("captions_scenes", "Captions of scenes: where the picture goes", "scenes", head, rows, SCENES_SAY)


SCENES_SAY = (
    "500 test pictures, each with a combination of colour and shape, or of shapes in relation, that training never "
    "had; 16,000 to learn from, 6 epochs. True: every thing, its colour, shape and size, and how the first stands to "
    "the others, is right. Mass and maximum inside: of attention at a noun's step, in the box of its thing; boxes are "
    "0.066 of the picture. Entropy in nats (uniform: 4.159), and the total variation from word to word. λ: the "
    "penalty's weight, with τ = words / regions of each caption."
)


def moving(runs: Path) -> None:
    """The table of videos."""
    run = runs / "moving"
    weights, told = trained(run, "--video"), command("evaluate", str(run))
    patterns = (
        r"BLEU-1 to -4 .* ([\d.]+)\n", r"CIDEr-D +([\d.]+)", r"true ([\d.]+) %", r"in order: right of ([\d.]+)",
        r"backwards another caption of ([\d.]+)", r"frame alone, right of ([\d.]+)",
    )  # fmt: skip
    row = ["attention over frames", f"{weights:.0f}", *(found(pattern, told) for pattern in patterns)]
    head = ["model", "weights, thousands", "BLEU-4", "CIDEr-D", "true, %", "what happens, in order, %"]
    head += ["another caption backwards, %", "with one frame, what happens, in order, %"]
    say = (
        "300 test videos, each with a colour and shape, or an order of two events, that training never had. Chance for "
        "what happens, in order: 1.6 %."
    )
    write("captions_moving", "Captions of moving scenes", "moving", head, [row], say)


def emoji(runs: Path) -> None:
    """The table of emoji."""
    folder = runs / "emoji"
    splits = unpack(folder)
    rows = []
    for split, (train, test) in splits.items():
        given = ["--images", str(folder), "--captions", str(train)]
        named: Any = {"images": str(folder), "features": None, "video": False, "size": 32}
        there, asked = (read_part(named, str(file)) for file in (train, test))
        references = [[text.lower().split() for text in of_one] for of_one in asked.captions]
        rows.append([split, "nearest neighbour", "-", *scores(nearest(there, asked), references)])
        for name, options in EMOJI.items():
            run = runs / f"emoji-{split}-{name}"
            weights = trained(run, *given, "--valid-captions", str(test), *options)
            captioner, learned, _ = load_captioner(Run(run))
            said = [best[0].text.split() for best in captioner.caption(learned.sights(asked.seen))]
            rows.append([split, name, f"{weights:.0f}", *scores(said, references)])
    head = ["split", "who says", "weights, thousands", "BLEU-1", "BLEU-4", "CIDEr-D", "exact, %", "distinct, %"]
    say = "; ".join(
        f"{split}: {count(train):,} captions to learn from, {count(test):,} to be tested by"
        for split, (train, test) in splits.items()
    )
    say += ". Captions in English, in lower case, split at spaces; pictures of 32 by 32; 30 epochs."
    write("captions_emoji", "Captions of emoji", "emoji", head, rows, say)


def unpack(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The pictures in folders by style, and for each split the captions to learn from and those to be tested by."""
    for style in STYLES:
        if not (folder / style).is_dir():
            with zipfile.ZipFile(DATA / f"emoji-{style}-32.zip") as archive:
                archive.extractall(folder / style)
    with open(DATA / "emoji-captions.tsv", encoding="utf-8", newline="") as file:
        captions = {row["file"]: row["en"] for row in csv.DictReader(file, delimiter="\t")}
    held_out = set(combinations(captions))
    return {
        "combination": (
            listed(folder / "combination-train.tsv", "noto", {f: t for f, t in captions.items() if f not in held_out}),
            listed(folder / "combination-test.tsv", "noto", {f: t for f, t in captions.items() if f in held_out}),
        ),
        "style": (
            listed(folder / "style-train.tsv", "noto", captions),
            listed(folder / "style-test.tsv", "twemoji", captions),
        ),
    }


def combinations(captions: dict[str, str]) -> list[str]:
    """Files whose caption is a who, an activity and a skin tone, of which each occurs elsewhere: an eighth of them."""
    parts = {}
    for file, text in captions.items():
        said, colon, tone = text.partition(": ")
        who, _, activity = said.partition(" ")
        if colon and tone.endswith("skin tone") and who in ("man", "woman", "person") and activity:
            parts[file] = (who, activity, tone)
    chosen = [file for file, triple in parts.items() if sha256(" ".join(triple).encode()).digest()[0] % 8 == 0]
    left = Counter(part for file, triple in parts.items() if file not in set(chosen) for part in triple)
    return [file for file in chosen if all(left[part] for part in parts[file])]


def listed(file: Path, style: str, captions: dict[str, str]) -> Path:
    """A file of captions of pictures in one style."""
    file.write_text("".join(f"{style}/{name}\t{text}\n" for name, text in captions.items()), encoding="utf-8")
    return file


def count(file: Path) -> int:
    """How many lines a file has."""
    return file.read_text(encoding="utf-8").count("\n")


def nearest(there: Any, asked: Any) -> list[list[str]]:
    """For each picture the caption of the one whose pixels are nearest."""
    known, sought = (part.seen.reshape(len(part.seen), -1).astype(np.float32) / 255 for part in (there, asked))
    lengths = (known**2).sum(axis=1)
    at = [int(np.argmin(lengths - 2 * known @ one)) for one in sought]
    return [there.captions[i][0].lower().split() for i in at]


def scores(said: list[list[str]], references: list[list[list[str]]]) -> list[str]:
    """BLEU-1, BLEU-4, CIDEr-D, and the shares of exact and of distinct captions."""
    bleu = [corpus_bleu(said, references, max_order=n) for n in (1, 4)]
    distinct = len(set(map(tuple, said))) / len(said)
    shares = [100 * exact_match(said, references), 100 * distinct]
    return [*(f"{one:.2f}" for one in bleu), f"{cider_d(said, references):.3f}", *(f"{one:.1f}" for one in shares)]


def write(name: str, title: str, part: str, head: list[str], rows: list[list[str]], say: str) -> None:
    """A table of results."""
    write_table(name, title, f"python -m benchmarks.captions {part}", head, rows, note=say)


def main() -> None:
    """Train what is not there, evaluate, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"scenes": scenes, "moving": moving, "emoji": emoji}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--runs", type=Path, default=Path("runs/captions"), help="where runs are kept")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    parts[arguments.part](arguments.runs)


if __name__ == "__main__":
    main()
