"""Drawing pixel by pixel: what pictures cost, beside models that count; and whether drawings are of what was said.

    python -m benchmarks.drawing digits                     # scikit-learn's 8 x 8 digits, 6 models, two minutes
    python -m benchmarks.drawing sketches                   # captions to pictures to captions, some 10 minutes
    MINIRNN_DATA=<folder with images/> python -m benchmarks.drawing mnist     # 4 models, some 5 minutes each
    MINIRNN_DATA=<folder with images/> python -m benchmarks.drawing emoji     # 2 models, some 3 minutes each

Every model is a `minirnn train draw` command, whose run is kept in --runs and found again if it is there. The counting
models are those that `minirnn evaluate` prints: the colour of a pixel given its nearest earlier pixels, with back-off.

MNIST is the first 10,000 digits, every fifth for test. How they were made black and white stands beside every number:
by a threshold, or by one random draw with the brightness as the probability, which moves the figures by 25 nats. The
emoji are Twemoji, of figures that come in several skin tones one, box-filtered to 20 x 20 pixels, in a palette of 64
colours made by median cut from the training pictures, every tenth for test.

Captions to pictures to captions: a model draws from captions of the test sketches, each with a combination of colour
and shape, or of shapes in relation, that training never had; another model, trained on the same sketches with its own
weights, captions what was drawn. What it says is true if it says all that the first caption said, and nothing else.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from pathlib import Path

import numpy as np

from benchmarks.captions import DATA, command, found
from benchmarks.common import write_table
from minirnn import Run
from minirnn.cli.collected import write_picture
from minirnn.cli.drawn import bits, true_of
from minirnn.cli.gallery import load
from minirnn.data import sketches
from minirnn.data.scenes import is_true
from minirnn.models.neighbour_counts import NeighbourCounts
from minirnn.runs.captions import load_captioner
from minirnn.runs.drawings import load_artist

DIGITS = {
    "raster": ["--model", "raster", "--epochs", "20"],
    "raster, columns": ["--model", "raster", "--order", "columns", "--epochs", "20"],
    "raster, boustrophedon": ["--model", "raster", "--order", "boustrophedon", "--epochs", "20"],
    "raster, diagonal": ["--model", "raster", "--order", "diagonal", "--epochs", "20"],
    "Row LSTM": ["--model", "row", "--epochs", "10"],
    "Diagonal BiLSTM": ["--epochs", "15"],
}
MNIST = {
    "Diagonal BiLSTM": ["--epochs", "10"],
    "Row LSTM": ["--model", "row", "--epochs", "10"],
}
EMOJI = {
    "Row LSTM": ["--model", "row", "--hidden", "64", "--epochs", "24"],
    "Diagonal BiLSTM": ["--hidden", "64", "--epochs", "24"],
}
NEIGHBOURS = (4, 8, 12, 16, 20, 24)
SKETCH_EPOCHS = 20


def trained(run: Path, *options: str) -> float:
    """Train a model, unless its run is there already. Returns its weights in thousands."""
    if not (run / "best.safetensors").exists():
        command("train", "draw", *options, "--quiet", "--out", str(run))
    artist, *_ = load_artist(Run(run))
    return artist.model.num_parameters() / 1000


def table(runs: Path, name: str, models: dict[str, list[str]], options: list[str]) -> list[list[str]]:
    """A row for each model, and for each that counts: name, weights, nats a picture, bits a pixel."""
    rows = []
    for model, own in models.items():
        run = runs / re.sub(r"\W+", "-", f"{name}-{model}")
        weights, told = trained(run, *options, *own), command("evaluate", str(run))
        rows.append([model, f"{weights:.0f}", found(r"([\d.]+) nats a picture", told), found(r"([\d.]+) bits", told)])
    place = re.search(r"each place by itself +([\d.]+) nats a picture +([\d.]+)", told)
    return [*rows, ["each place by itself", "", *(place.groups() if place else "--")], *counting(run)]


def counting(run: Path) -> list[list[str]]:
    """A row for each number of neighbours."""
    _, learned, options = load_artist(Run(run))
    gallery = load(options)
    pictures, test = (
        learned.colours.to_ids(np.concatenate([part.pictures for part in parts]))
        for parts in ((gallery.train, gallery.valid), (gallery.test,))
    )
    nats = NeighbourCounts(pictures, learned.colours.num_colours, max(NEIGHBOURS)).nats(test).mean(axis=1)
    pixels = learned.size**2
    return [
        [f"counting, {k} nearest earlier pixels", "", f"{nats[k]:.2f}", f"{bits(nats[k], pixels):.4f}"]
        for k in NEIGHBOURS
    ]


HEAD = ["model", "weights, thousands", "nats a picture", "bits a pixel"]


def digits(runs: Path) -> None:
    """scikit-learn's digits, 17 levels of grey."""
    rows = table(runs, "digits", DIGITS, ["--built-in", "digits", "--dropout", "0.3", "--batch-size", "32"])
    say = "scikit-learn's 1,797 digits, 8 by 8 in 17 levels of grey; every fifth (index % 5 == 4) for test."
    write("drawing_digits", "Digits of 8 by 8, drawn pixel by pixel", "digits", HEAD, rows, say)


def mnist(runs: Path) -> None:
    """MNIST in black and white, made so in two ways."""
    rows = []
    for how in ("0.5", "random"):
        options = ["--images", str(DATA / "mnist-10k.npz"), "--binarize", how, "--batch-size", "32"]
        said = f"threshold {how}" if how == "0.5" else "one random draw"
        rows += [[said, *row] for row in table(runs, f"mnist-{how}", MNIST, options)]
    say = (
        "The first 10,000 digits of MNIST, 28 by 28; every fifth (index % 5 == 4) for test, 7,500 to learn from, 500 "
        "to choose the checkpoint by; the counting models learned from all 8,000."
    )
    write("drawing_mnist", "MNIST, drawn pixel by pixel", "mnist", ["binarised by", *HEAD], rows, say)


def emoji(runs: Path) -> None:
    """Twemoji, 20 by 20."""
    folder = unpack(runs / "twemoji")
    options = ["--images", str(folder), "--size", "20", "--palette", "64", "--test-every", "10", "--dropout", "0.2"]
    rows = table(runs, "emoji", EMOJI, [*options, "--batch-size", "32", "--validate-every", "2"])
    say = (
        f"{len(list(folder.iterdir())):,} Twemoji, one of each figure, box-filtered to 20 by 20, a palette of 64 "
        "colours by median cut of the training pictures; every tenth for test."
    )
    write("drawing_emoji", "Emoji, drawn pixel by pixel", "emoji", HEAD, rows, say)


def unpack(folder: Path) -> Path:
    """The pictures, of each figure the one without a skin tone, or with the first."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        with zipfile.ZipFile(DATA / "emoji-twemoji-32.zip") as archive:
            tones = re.compile(r"-?1f3f[b-f]")
            one_of_each: dict[str, str] = {}
            for name in sorted(archive.namelist(), key=lambda name: (len(tones.findall(name)), name)):
                one_of_each.setdefault(tones.sub("", name), name)
            for name in one_of_each.values():
                archive.extract(name, folder)
    return folder


def sketches_table(runs: Path) -> None:
    """From captions to pictures and back."""
    run, folder = runs / "sketches", runs / "sketch-pictures"
    weights = trained(run, "--epochs", str(SKETCH_EPOCHS))
    told = command("evaluate", str(run))
    captioner, of_captions, _ = load_captioner(Run(_captioner(runs / "sketch-captions", folder)))
    artist, learned, _ = load_artist(Run(run))
    test = sketches.sketches("test")
    asked = [one.captions[0] for one in test]
    of_asked = learned.told([[text] for text in asked], None)
    rows = []
    for name, pictures in {
        "the sketches themselves": np.stack([one.picture for one in test]),
        "drawn": artist.draw(len(test), told=of_asked, seed=0)[-1],
        "drawn, temperature 0.7": artist.draw(len(test), told=of_asked, seed=0, temperature=0.7)[-1],
    }.items():
        said = [best[0].text for best in captioner.caption(of_captions.sights(pictures))]
        true = np.mean([is_true(text, one) for text, one in zip(said, test, strict=True)])
        chance = np.mean([is_true(text, one) for text, one in zip(said, test[1:] + test[:1], strict=True)])
        exact = true_of(pictures, asked).mean()
        rows.append([name, *(f"{100 * share:.1f}" for share in (true, chance, exact))])
    head = ["pictures", "a captioner says what was asked for, %", "what another was asked for, %"]
    say = (
        f"500 captions of sketches, each with a combination that training never had. {weights:.0f} thousand weights, "
        f"{SKETCH_EPOCHS} epochs, {found(r'([0-9.]+) nats a picture', told)} nats a picture told the caption, "
        f"{found(r'captions: ([0-9.]+) nats', told)} told another's. Right to the pixel: everything the caption says "
        "is there, every thing is whole, and there is nothing else."
    )
    head.append("right to the pixel, %")
    write("drawing_sketches", "Sketches: from captions to pictures to captions", "sketches", head, rows, say)


def _captioner(run: Path, folder: Path) -> Path:
    """A model that captions sketches."""
    if not (run / "best.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for split in ("train", "valid"):
            lines = []
            for i, one in enumerate(sketches.sketches(split)):
                write_picture(one.picture, folder / f"{split}-{i}.png")
                lines += [f"{split}-{i}.png\t{caption}\n" for caption in one.captions]
            files.append(folder / f"{split}.tsv")
            files[-1].write_text("".join(lines), encoding="utf-8")
        given = ["--images", str(folder), "--captions", str(files[0]), "--valid-captions", str(files[1])]
        command("train", "caption", *given, "--size", "16", "--epochs", "12", "--quiet", "--out", str(run))
    return run


def write(name: str, title: str, part: str, head: list[str], rows: list[list[str]], say: str) -> None:
    """A table of results."""
    write_table(name, title, f"python -m benchmarks.drawing {part}", head, rows, note=say)


def main() -> None:
    """Train what is not there, evaluate, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"digits": digits, "mnist": mnist, "emoji": emoji, "sketches": sketches_table}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--runs", type=Path, default=Path("runs/drawing"), help="where runs are kept")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    parts[arguments.part](arguments.runs)


if __name__ == "__main__":
    main()
